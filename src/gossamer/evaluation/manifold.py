"""Precision, recall, density and coverage: do synthetic samples lie where real ones do, and everywhere there?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import mean_interval
from gossamer.evaluation.frechet import centred
from gossamer.evaluation.score import Basis, Score

_DISTANCES_AT_ONCE = 2**22
# Squared distances come from |x|^2 + |y|^2 - 2 x.y, which rounds by about 1e-14 of |x|^2 + |y|^2; a tie must stay one.
_ROUNDING = 1e-11


@dataclass(frozen=True, kw_only=True)
class ManifoldScores:
    """The four scores of one comparison.

    Args:
        precision: share of synthetic samples in the neighbourhood of a real one. In [0, 1], higher is better.
        recall: share of real samples in the neighbourhood of a synthetic one. In [0, 1], higher is better.
        density: real neighbourhoods around a synthetic sample, over their number of neighbours. About 1 for real
            samples, and above 1 for ones that keep to the dense regions. Higher is better.
        coverage: share of real samples with a synthetic one in their neighbourhood. In [0, 1], higher is better.
    """

    precision: Score
    recall: Score
    density: Score
    coverage: Score


def manifold_scores(
    synthetic: NDArray[np.floating], real: NDArray[np.floating], *, num_neighbours: int = 5, seed: int, features: str
) -> ManifoldScores:
    """Compute precision, recall, density and coverage in one pass over the distances.

    A sample's neighbourhood is the closed ball around it that reaches to its k-th nearest neighbour in its own set,
    B(x). With n synthetic samples s and m real ones r::

        precision = share of s in the union of the B(r)     recall   = share of r in the union of the B(s)
        density   = sum over s, r of 1[s in B(r)] / (k n)   coverage = share of r with some s in B(r)

    Balls are closed (distance <= radius), as in the papers: k + 1 equal images have radius 0 and still hold their
    copies. For samples without ties this is the same as an open ball.

    Args:
        synthetic: (num_synthetic, num_features), finite.
        real: (num_real, num_features), finite.
        num_neighbours: k, at least 1.
        seed: draws the resamples of the intervals.
        features: names the space, "64 features of the encoder trained on mnist".

    Returns:
        The four scores. Each interval is over the samples that are averaged, with all neighbourhoods held fixed.

    Raises:
        InputError: fewer than num_neighbours + 1 samples in a set, values that are not finite, sets of unequal
            dimension.

    References:
        Kynkaanniemi et al., "Improved precision and recall metric for assessing generative models", NeurIPS 2019,
        section 2. Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020, section 3.
    """
    if num_neighbours < 1:
        raise InputError(f"num_neighbours must be at least 1, not {num_neighbours}")

    def check_number(name: str, num_samples: int, num_features: int) -> None:
        """Refuse a set in which a sample has too few others to be its neighbours."""
        if num_samples <= num_neighbours:
            least = num_neighbours + 1
            raise InputError(
                f"{name}: {num_samples} samples; {num_neighbours} neighbours of each need at least {least}"
            )

    counts = _count(*centred(synthetic, real, check_number), num_neighbours)
    rng = np.random.default_rng(seed)

    def score(name: str, values: NDArray[np.float64], reference: str) -> Score:
        """Return the mean of a value for each sample, (samples,), with its interval."""
        source = (
            f"{name.capitalize()} of {reference} with {num_neighbours} neighbours in {features}; interval over the "
            "samples that are averaged, with the neighbourhoods held fixed."
        )
        basis = Basis(num_synthetic=len(synthetic), num_real=len(real), seeds=(seed,), source=source)
        return basis.score(name, (float(values.mean()), *mean_interval(values, rng)))

    return ManifoldScores(
        precision=score("precision", (counts.real_balls > 0).astype(np.float64), "Kynkaanniemi et al. 2019"),
        recall=score("recall", counts.is_recalled.astype(np.float64), "Kynkaanniemi et al. 2019"),
        density=score("density", counts.real_balls / num_neighbours, "Naeem et al. 2020"),
        coverage=score("coverage", counts.is_covered.astype(np.float64), "Naeem et al. 2020"),
    )


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """Encounters of each sample.

    Args:
        real_balls: (num_synthetic,), real neighbourhoods that hold the synthetic sample.
        is_recalled: (num_real,), true if some synthetic neighbourhood holds the real sample.
        is_covered: (num_real,), true if the real sample's neighbourhood holds some synthetic one.
    """

    real_balls: NDArray[np.int64]
    is_recalled: NDArray[np.bool_]
    is_covered: NDArray[np.bool_]


def _count(synthetic: NDArray[np.float64], real: NDArray[np.float64], num_neighbours: int) -> _Counts:
    synthetic_radii = _squared_radii(synthetic, num_neighbours)
    real_radii = _squared_radii(real, num_neighbours)
    real_balls = np.zeros(len(synthetic), dtype=np.int64)
    is_recalled, is_covered = (np.zeros(len(real), dtype=np.bool_) for _ in range(2))
    for rows, squared in _squared_distances(real, synthetic, slack=_ROUNDING):
        is_inside = squared <= real_radii[rows, None]
        real_balls += is_inside.sum(axis=0)
        is_covered[rows] = is_inside.any(axis=1)
        is_recalled[rows] = (squared <= synthetic_radii).any(axis=1)
    return _Counts(real_balls=real_balls, is_recalled=is_recalled, is_covered=is_covered)


def _squared_radii(points: NDArray[np.float64], num_neighbours: int) -> NDArray[np.float64]:
    """Return the squared distance of each point to its k-th nearest other point, shape (num_points,)."""
    radii = np.empty(len(points))
    for rows, squared in _squared_distances(points, points, slack=0.0):
        squared[np.arange(len(squared)), np.arange(len(points))[rows]] = np.inf
        radii[rows] = np.partition(squared, num_neighbours - 1, axis=1)[:, num_neighbours - 1]
    return radii.clip(min=0)


def _squared_distances(
    first: NDArray[np.float64], second: NDArray[np.float64], *, slack: float
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield squared distances from some rows of `first` to all of `second`, less `slack` times the squared norms."""
    second_norms = np.einsum("ij,ij->i", second, second)
    size = max(1, _DISTANCES_AT_ONCE // len(second))
    for start in range(0, len(first), size):
        rows = slice(start, start + size)
        squared = first[rows] @ second.T
        squared *= -2.0
        norms = np.einsum("ij,ij->i", first[rows], first[rows])
        squared += (1 - slack) * norms[:, None]
        squared += (1 - slack) * second_norms
        yield rows, squared
