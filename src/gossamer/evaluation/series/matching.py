"""Matching of synthetic and real series: as many of either side, class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError

LEAST_LENGTH = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesSet:
    """Series to be compared, with labels if they have any.

    Args:
        name: of the series, for messages.
        x: float (num_series, channels, time) in [0, 1], at least two series and four values in time.
        y: int64 (num_series,), or None.

    Raises:
        InputError: another shape, a value that is NaN or outside [0, 1], or a number of labels that is not theirs.
    """

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 3 or 0 in self.x.shape:
            raise InputError(f"{self.name}: shape {self.x.shape}; give series as (batch, channels, time)")
        if len(self.x) < 2 or self.x.shape[2] < LEAST_LENGTH:
            raise InputError(
                f"{self.name}: {len(self.x)} series of {self.x.shape[2]} values; scores need at least 2 series and "
                f"{LEAST_LENGTH} values"
            )
        wrong = np.flatnonzero(~((self.x >= 0) & (self.x <= 1)).all(axis=(1, 2)))
        if wrong.size:
            raise InputError(f"{self.name}: series {wrong[0]} has a value that is NaN or outside [0, 1]; mend it")
        if self.y is not None and self.y.shape != (len(self.x),):
            raise InputError(f"{self.name}: labels of shape {self.y.shape} for {len(self.x)} series; give one for each")

    def __len__(self) -> int:
        return len(self.x)

    def chosen(self, rows: NDArray[np.integer]) -> SeriesSet:
        """Return some of them, by row."""
        return SeriesSet(name=self.name, x=self.x[rows], y=None if self.y is None else self.y[rows])


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchedPair:
    """Two sets of one shape, of one size and, if both are labelled, of equal shares of the classes.

    Args:
        synthetic: the series that are judged.
        real: the series that they are compared with.
        class_counts: class -> number of series of it in either set. Empty if labels are missing.
    """

    synthetic: SeriesSet
    real: SeriesSet
    class_counts: tuple[tuple[int, int], ...]


def match(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> MatchedPair:
    """Draw as many of either set, of every class as many as the poorer side has.

    A generator may have labels of a public law, and not of the shares of the real classes. Not every score of looks
    shall punish it for them. That it has the right series within a class, and that it has the right shares, are two
    questions. The second has a score of its own, `class_distance`.

    Args:
        synthetic: the series that are judged.
        real: the series that they are compared with.
        seed: draws them.

    Raises:
        InputError: sets of unequal shape, or without a class in common.

    >>> one = SeriesSet(name="a", x=np.zeros((5, 1, 8)), y=np.array([0, 0, 0, 1, 1]))
    >>> other = SeriesSet(name="b", x=np.ones((4, 1, 8)), y=np.array([0, 1, 1, 1]))
    >>> match(one, other, seed=0).class_counts
    ((0, 1), (1, 2))
    """
    if synthetic.x.shape[1:] != real.x.shape[1:]:
        raise InputError(
            f"{synthetic.name}: series of shape {synthetic.x.shape[1:]}, {real.name} has {real.x.shape[1:]}; cut one"
        )
    rng = np.random.default_rng(seed)
    if synthetic.y is None or real.y is None:
        number = min(len(synthetic), len(real))
        rows, others = (rng.permutation(len(side))[:number] for side in (synthetic, real))
        return MatchedPair(synthetic=synthetic.chosen(rows), real=real.chosen(others), class_counts=())
    classes = np.intersect1d(synthetic.y, real.y)
    counts = tuple((int(c), int(min((synthetic.y == c).sum(), (real.y == c).sum()))) for c in classes)
    if sum(count for _, count in counts) < 2:
        raise InputError(f"{synthetic.name}: fewer than two series of the classes of {real.name}; give more")
    return MatchedPair(
        synthetic=synthetic.chosen(_drawn(synthetic.y, counts, rng)),
        real=real.chosen(_drawn(real.y, counts, rng)),
        class_counts=counts,
    )


def drawn_like(pair: MatchedPair, series: SeriesSet, *, seed: int) -> SeriesSet:
    """Draw as many series of each class as a pair has on either side, or as there are, to stand in its first place.

    Args:
        pair: of which the numbers are taken.
        series: drawn from. Labelled if the pair is.
        seed: draws them.
    """
    if series.y is None or not pair.class_counts:
        return at_most(series, len(pair.real), seed=seed)
    counts = tuple((label, min(count, int((series.y == label).sum()))) for label, count in pair.class_counts)
    return series.chosen(_drawn(series.y, counts, np.random.default_rng(seed)))


def _drawn(
    labels: NDArray[np.integer], counts: tuple[tuple[int, int], ...], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw rows with so many of each class, in random order."""
    rows = [rng.permutation(np.flatnonzero(labels == label))[:count] for label, count in counts]
    return rng.permutation(np.concatenate(rows))


def at_most(series: SeriesSet, number: int, *, seed: int) -> SeriesSet:
    """Draw a random part of a set, or return all of it if it is no larger."""
    if len(series) <= number:
        return series
    return series.chosen(np.random.default_rng(seed).permutation(len(series))[:number])
