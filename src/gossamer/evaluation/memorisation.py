"""Memorisation: are synthetic samples nearer to the training records than to records that were held out?

This finds copying. It proves nothing about privacy: a generator may leak without copying, and the guarantee is the
proof in the statement.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import NORMAL_QUANTILE_975
from gossamer.evaluation.listed import AbstractEvidence, ListedScore
from gossamer.evaluation.score import Basis, Score
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.mechanisms.jobs import perform_parts

NUM_PAIRS = 16
_ROWS_AT_ONCE = 512
_RECORDS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class NearestPair:
    """A synthetic sample and the training record nearest to it.

    Args:
        synthetic_index: row of the synthetic set.
        train_index: row of the training set.
        distance: Euclidean, in the units of the samples.
    """

    synthetic_index: int
    train_index: int
    distance: float


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """The extent to which a generator copies.

    Args:
        score: ``memorisation``, 0.5 where nothing is copied, lower is better.
        pairs: the synthetic samples nearest to any training record, nearest first.
    """

    score: Score
    pairs: tuple[NearestPair, ...]


def memorisation(
    synthetic: NDArray[np.floating],
    train: NDArray[np.floating],
    held_out: NDArray[np.floating],
    *,
    seed: int,
    num_pairs: int = NUM_PAIRS,
    crew: AbstractCrew = ALONE,
) -> Memorisation:
    """Compute the share of synthetic samples that are nearest to a training record rather than a held-out one.

    m training and m held-out records are drawn, m the size of the smaller set. With d the Euclidean distance and ties
    counted half, the value is the mean over synthetic samples s of ::

        1[min over train d(s, t) < min over held-out d(s, h)]

    If training and held-out records come from one law and nothing is memorised, they can be exchanged, and the value
    is 0.5 up to chance. Copies raise it to 1, and held-out records of another law (other people, later years) tilt it
    without any copying. A copy shows only if its original is among the m. A generator that only copies from a training
    set c times as large as the held-out one scores ``1/2 + 1/(2 c)``. `pairs` looks at all training records. A value of
    0.5 does not show that a generator is private.

    The interval is the value ``-+ 1.96 (sum over records of a^2)^(1/2) / (2 n)``. Here a is the number of the n
    synthetic samples that a record is nearest to. The root over 2 n is the standard deviation if every record is a
    training one by a fair coin. The interval holds 0.5 with about 95 % if nothing is memorised, also for a collapsed
    generator with all samples at one record. For values far from 0.5 it is wider than needed.

    Args:
        synthetic: (num_synthetic, ...), images or features, finite.
        train: (num_train, ...), the records that the generator was trained on.
        held_out: (num_held_out, ...), records of the same law that it never saw.
        seed: draws the m records.
        num_pairs: at most this many pairs, at least 0.
        crew: the processes of this command, which share the records.

    Raises:
        InputError: an empty set, values that are not finite, or samples of unequal shape.

    References:
        Meehan, Chaudhuri, Dasgupta, "A non-parametric test to detect data-copying in generative models", AISTATS 2020.
        Alaa et al., "How faithful is your synthetic data?", ICML 2022 (authenticity).
    """
    _check(synthetic, train, held_out)
    points, records, others = _flat(synthetic, train, held_out)
    rng = np.random.default_rng(seed)
    num_drawn = min(len(records), len(others))
    order = rng.permutation(len(records))
    drawn, rest = order[:num_drawn], order[num_drawn:]
    from_train = _nearest(points, records, drawn, crew)
    from_others = _nearest(points, others, rng.permutation(len(others))[:num_drawn], crew)
    # An original outside the draw must be found, too.
    nearest = _nearer(from_train, _nearest(points, records, rest, crew)) if len(rest) else from_train
    return Memorisation(
        score=_score(from_train, from_others, num_drawn, seed), pairs=_pairs(nearest, min(num_pairs, len(points)))
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours(AbstractEvidence):
    """The records among which the nearest neighbours of synthetic ones are looked for.

    Args:
        synthetic: (num_synthetic, ...), a draw.
        train: (num_train, ...), the records that the generator was trained on.
        held_out: (num_held_out, ...), records that it never saw.
        seed: as for `memorisation`.
        crew: likewise.
    """

    synthetic: NDArray[np.floating]
    train: NDArray[np.floating]
    held_out: NDArray[np.floating]
    seed: int
    crew: AbstractCrew = ALONE

    @functools.cached_property
    def found(self) -> Memorisation:
        """The score, and the nearest pairs."""
        return memorisation(self.synthetic, self.train, self.held_out, seed=self.seed, crew=self.crew)


MEMORISATION = ListedScore(name="memorisation", needs=Neighbours, compute=lambda seen: seen.found.score, is_quick=False)
"""The entry of the lists of images and of series."""


@dataclass(frozen=True, kw_only=True)
class _Nearest:
    """Each point's nearest record: its index and squared distance, both of shape (num_points,)."""

    index: NDArray[np.int64]
    squared: NDArray[np.float64]


def _nearest(
    points: NDArray[np.float32], records: NDArray[np.float32], choice: NDArray[np.int64], crew: AbstractCrew
) -> _Nearest:
    """Nearest among the chosen records: found in float32, its distance then computed exactly."""
    parts = [records[choice[start : start + _RECORDS_AT_ONCE]] for start in range(0, len(choice), _RECORDS_AT_ONCE)]
    found = perform_parts(crew, _nearest_of_each, parts, points)
    places, heights = (np.stack(table) for table in zip(*found))
    best = heights.argmin(axis=0)
    index = choice[_RECORDS_AT_ONCE * best + places[best, np.arange(len(points))]]
    squared = np.empty(len(points))
    for start in range(0, len(points), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        squared[rows] = np.sum((points[rows].astype(np.float64) - records[index[rows]]) ** 2, axis=1)
    return _Nearest(index=index, squared=squared)


def _nearest_of_each(
    parts: Sequence[NDArray[np.float32]], points: NDArray[np.float32]
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Place of the nearest record of each part, and half of its squared distance less half of the point's norm."""
    return [_nearest_of(records, points) for records in parts]


def _nearest_of(
    records: NDArray[np.float32], points: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    half_norms = np.einsum("ij,ij->i", records, records) / 2
    place, height = np.empty(len(points), dtype=np.int64), np.empty(len(points), dtype=np.float32)
    for start in range(0, len(points), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        heights = half_norms - points[rows] @ records.T
        place[rows] = heights.argmin(axis=1)
        height[rows] = heights.min(axis=1)
    return place, height


def _nearer(first: _Nearest, second: _Nearest) -> _Nearest:
    is_first = first.squared <= second.squared
    return _Nearest(
        index=np.where(is_first, first.index, second.index), squared=np.minimum(first.squared, second.squared)
    )


def _score(from_train: _Nearest, from_others: _Nearest, num_drawn: int, seed: int) -> Score:
    is_nearer = from_train.squared < from_others.squared
    is_tie = from_train.squared == from_others.squared
    value = float(np.mean(is_nearer + 0.5 * is_tie))
    # Held-out records get indices of their own, below zero.
    _, attracted = np.unique(np.where(is_nearer, from_train.index, ~from_others.index), return_counts=True)
    half_width = NORMAL_QUANTILE_975 * math.sqrt(float(np.sum(attracted**2))) / (2 * len(is_tie))
    source = (
        f"Share of synthetic samples nearer to one of {num_drawn} training records than to one of {num_drawn} held-out "
        "ones (after Meehan et al. 2020): 0.5 where nothing is copied; finds copying and proves no privacy; interval "
        "over which records were trained on."
    )
    basis = Basis(num_synthetic=len(is_tie), num_real=2 * num_drawn, seeds=(seed,), source=source)
    return basis.distance("memorisation", (value, max(0.0, value - half_width), min(1.0, value + half_width)))


def _pairs(nearest: _Nearest, num_pairs: int) -> tuple[NearestPair, ...]:
    order = np.argsort(nearest.squared, kind="stable")[:num_pairs]
    return tuple(
        NearestPair(
            synthetic_index=int(place),
            train_index=int(nearest.index[place]),
            distance=math.sqrt(float(nearest.squared[place])),
        )
        for place in order
    )


def _flat(*sets: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """All sets as rows about one centre: float32 then loses little to a common offset."""
    centre = sets[1].mean(axis=0, dtype=np.float64).ravel()
    return [(samples.reshape(len(samples), -1) - centre).astype(np.float32) for samples in sets]


def _check(synthetic: NDArray[np.floating], train: NDArray[np.floating], held_out: NDArray[np.floating]) -> None:
    for name, samples in (("synthetic", synthetic), ("train", train), ("held_out", held_out)):
        if samples.ndim < 2 or samples.size == 0:
            raise InputError(f"{name}: shape {samples.shape}; give at least one sample as a row or an image")
        if samples.shape[1:] != synthetic.shape[1:]:
            raise InputError(f"{name}: samples of shape {samples.shape[1:]}, but synthetic has {synthetic.shape[1:]}")
        wrong = np.flatnonzero(~np.isfinite(samples).reshape(len(samples), -1).all(axis=1))
        if wrong.size:
            raise InputError(f"{name}: sample {wrong[0]} has a value that is not finite; mend or remove it")
