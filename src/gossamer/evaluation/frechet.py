"""The Frechet distance between feature clouds, and its extrapolation to infinitely many samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import normal_interval
from gossamer.evaluation.score import Basis, Score

NUM_RESAMPLES = 40
_MOST_PARTS = 4
# The least common multiple of 1, 2, 3, 4: blocks that make up halves, thirds and quarters.
_NUM_BLOCKS = 12


def frechet(
    first_mean: NDArray[np.floating],
    first_covariance: NDArray[np.floating],
    second_mean: NDArray[np.floating],
    second_covariance: NDArray[np.floating],
) -> float:
    """Compute the squared Frechet (2-Wasserstein) distance between two Gaussians.

    ::

        |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))

    With S = F F^T, the trace of the root is the sum of the singular values of F1^T F2. This is stable for singular
    covariances, while a root of the product loses half of the digits.

    Args:
        first_mean: (num_features,).
        first_covariance: (num_features, num_features), symmetric. Eigenvalues that rounding made negative count as 0.
        second_mean: (num_features,).
        second_covariance: (num_features, num_features).

    Returns:
        The distance, at least 0, in squared units of the features.

    References:
        Dowson, Landau, "The Frechet distance between multivariate normal distributions", J. Multivar. Anal. 12, 1982.

    >>> frechet(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4 * np.eye(2))
    11.0
    """
    shift = float(np.sum((first_mean - second_mean) ** 2))
    spread = float(np.trace(first_covariance) + np.trace(second_covariance))
    overlap = np.linalg.svd(_factor(first_covariance).T @ _factor(second_covariance), compute_uv=False)
    return max(0.0, shift + spread - 2 * float(overlap.sum()))


def _factor(covariance: NDArray[np.floating]) -> NDArray[np.float64]:
    eigenvalues, eigenvectors = np.linalg.eigh(np.asarray(covariance, dtype=np.float64))
    return eigenvectors * np.sqrt(eigenvalues.clip(min=0))


def frechet_distance(
    synthetic: NDArray[np.floating],
    real: NDArray[np.floating],
    *,
    seed: int,
    features: str,
    permit_few_samples: bool = False,
    num_resamples: int = NUM_RESAMPLES,
) -> Score:
    """Score the Frechet distance between Gaussians fitted to two sets of features. Lower is better, 0 is best.

    Covariances are unbiased (n - 1). The distance itself is biased upwards, the more the fewer samples there are:
    compare values only at equal numbers, or use `extrapolated_frechet_distance`. It is an "FID" in the features of
    Inception alone.

    Args:
        synthetic: (num_synthetic, num_features), finite.
        real: (num_real, num_features), finite.
        seed: draws the resamples of the interval.
        features: names the space, "64 features of the encoder trained on mnist".
        permit_few_samples: allow fewer samples than features, with covariances that are then singular.
        num_resamples: bootstrap resamples of both sets, at least 2.

    Returns:
        The score ``frechet_distance`` with a normal bootstrap interval over the images of both sets, not below 0.

    Raises:
        InputError: fewer than 2 samples, fewer than features without permission, values that are not finite, sets of
            unequal dimension.

    References:
        Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", NeurIPS
        2017. Dowson, Landau 1982.
    """
    clouds = _clouds(synthetic, real, 1, permit_few_samples)
    value = _between(*map(_moments, clouds))
    low, high = normal_interval(
        value,
        lambda rng: _between(*(_drawn_again(cloud, rng) for cloud in clouds)),
        np.random.default_rng(seed),
        num_resamples=num_resamples,
        lowest=0.0,
    )
    source = (
        f"Frechet distance between Gaussians (Dowson, Landau 1982) fitted to {features}; biased upwards, the more the "
        "fewer samples there are, which the interval, over the choice of the samples of both sets, omits."
    )
    basis = Basis(num_synthetic=len(synthetic), num_real=len(real), seeds=(seed,), source=source)
    return basis.distance("frechet_distance", (value, low, high))


def extrapolated_frechet_distance(
    synthetic: NDArray[np.floating],
    real: NDArray[np.floating],
    *,
    seed: int,
    features: str,
    permit_few_samples: bool = False,
    num_resamples: int = NUM_RESAMPLES,
) -> Score:
    """Score the Frechet distance extrapolated to infinitely many samples. Lower is better.

    With n samples the distance is about d + b/n. For p = 1, 2, 3, 4 both sets are cut at random into p equal parts. The
    distance, averaged over the parts, is regressed on p, and the value is the line's intercept at p = 0. Chong and
    Forsyth shrink the synthetic set alone. Both are shrunk here, because a finite real set adds a bias of its own.

    Args: as of `frechet_distance`. The seed draws the parts, too. `permit_few_samples` allows fewer than four times as
    many samples as features, where the bias is no longer b/n.

    Returns:
        The score ``frechet_distance_extrapolated`` with a normal bootstrap interval. Where the two sets hardly differ
        it may lie a little below 0, and is left there.

    Raises:
        InputError: fewer than 12 samples, fewer than four times the features without permission, values that are not
            finite, sets of unequal dimension.

    References:
        Chong, Forsyth, "Effectively unbiased FID and inception score and where to find them", CVPR 2020, section 4.
    """
    clouds = _clouds(synthetic, real, _MOST_PARTS, permit_few_samples)
    rng = np.random.default_rng(seed)
    shuffled = [rng.permutation(cloud) for cloud in clouds]
    value = _intercept(*shuffled)
    low, high = normal_interval(
        value,
        lambda stream: _intercept(*(cloud[stream.integers(len(cloud), size=len(cloud))] for cloud in clouds)),
        rng,
        num_resamples=num_resamples,
    )
    source = (
        f"Frechet distance in {features}, extrapolated to infinitely many samples (Chong, Forsyth 2020, both sets "
        "shrunk alike); it may lie a little below 0; interval over the choice of the samples of both sets."
    )
    basis = Basis(num_synthetic=len(synthetic), num_real=len(real), seeds=(seed,), source=source)
    return basis.distance("frechet_distance_extrapolated", (value, low, high))


@dataclass(frozen=True, kw_only=True)
class _Moments:
    """Sums over samples, from which mean and covariance follow.

    Args:
        count: number of samples.
        total: (num_features,), their sum.
        outer: (num_features, num_features), the sum of their outer products.
    """

    count: int
    total: NDArray[np.float64]
    outer: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        return self.total / self.count

    @property
    def covariance(self) -> NDArray[np.float64]:
        return (self.outer - np.outer(self.total, self.mean)) / (self.count - 1)


def _moments(rows: NDArray[np.float64]) -> _Moments:
    return _Moments(count=len(rows), total=rows.sum(axis=0), outer=rows.T @ rows)


def _drawn_again(cloud: NDArray[np.float64], rng: np.random.Generator) -> _Moments:
    """Moments of as many samples drawn with replacement: a sample drawn twice is weighed, not copied."""
    times = np.bincount(rng.integers(len(cloud), size=len(cloud)), minlength=len(cloud))
    drawn = np.flatnonzero(times)
    weighed = cloud[drawn] * np.sqrt(times[drawn])[:, None]
    return _Moments(count=len(cloud), total=times @ cloud, outer=weighed.T @ weighed)


def _between(first: _Moments, second: _Moments) -> float:
    return frechet(first.mean, first.covariance, second.mean, second.covariance)


def _intercept(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the distance at p = 0 parts. Rows must be in random order."""
    blocks = [[_moments(block) for block in np.array_split(cloud, _NUM_BLOCKS)] for cloud in (first, second)]
    counts = range(1, _MOST_PARTS + 1)
    distances = [np.mean([_between(*pair) for pair in zip(*(_parts(own, p) for own in blocks))]) for p in counts]
    return float(np.polynomial.polynomial.polyfit(np.array(counts), distances, 1)[0])


def _parts(blocks: list[_Moments], num_parts: int) -> list[_Moments]:
    size = len(blocks) // num_parts
    return [_sum(blocks[start : start + size]) for start in range(0, len(blocks), size)]


def _sum(blocks: list[_Moments]) -> _Moments:
    return _Moments(
        count=sum(block.count for block in blocks),
        total=np.sum([block.total for block in blocks], axis=0),
        outer=np.sum([block.outer for block in blocks], axis=0),
    )


def fewest_samples(num_features: int, *, permit_few_samples: bool) -> int:
    """Return the number of samples that each set must have for both distances.

    >>> fewest_samples(64, permit_few_samples=False), fewest_samples(64, permit_few_samples=True)
    (256, 12)
    """
    return _NUM_BLOCKS if permit_few_samples else max(_NUM_BLOCKS, _MOST_PARTS * num_features)


def centred(
    synthetic: NDArray[np.floating], real: NDArray[np.floating], check_number: Callable[[str, int, int], None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both sets of features in float64 about one centre, which keeps sums of squares small.

    `check_number` refuses too few: it is given the name of a set, its samples and its features.

    Raises:
        InputError: another shape, values that are not finite, or sets of unequal dimension.
    """
    sets = {"synthetic": synthetic, "real": real}
    for name, cloud in sets.items():
        if cloud.ndim != 2 or cloud.shape[1] == 0:
            raise InputError(f"{name} features: shape {cloud.shape}; give (samples, features)")
        check_number(name, *cloud.shape)
        wrong = np.flatnonzero(~np.isfinite(cloud).all(axis=1))
        if wrong.size:
            raise InputError(f"{name}: the features of sample {wrong[0]} are not finite; mend or remove it")
    if synthetic.shape[1] != real.shape[1]:
        raise InputError(f"{synthetic.shape[1]} synthetic and {real.shape[1]} real features; use one encoder for both")
    centre = real.mean(axis=0, dtype=np.float64)
    return synthetic.astype(np.float64) - centre, real.astype(np.float64) - centre


def _clouds(
    synthetic: NDArray[np.floating], real: NDArray[np.floating], most_parts: int, permit_few_samples: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    least = 2 if most_parts == 1 else _NUM_BLOCKS

    def check_number(name: str, num_samples: int, num_features: int) -> None:
        """Refuse a set with fewer samples than a distance, or a covariance of full rank, needs."""
        if num_samples < least:
            raise InputError(f"{name}: {num_samples} samples; a Frechet distance needs at least {least}")
        if num_samples < most_parts * num_features and not permit_few_samples:
            raise InputError(
                f"{name}: {num_samples} samples for {num_features} features; a Frechet distance wants at least "
                f"{most_parts * num_features}: give more samples, or --allow-few-samples"
            )

    return centred(synthetic, real, check_number)
