"""Energy above noise: what means, matrices and pairs of classes hold beyond the known noise in them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_DEVIATIONS = 2.5


def share_above(energy: Tensor, noise: Tensor) -> Tensor:
    """Return the part of an energy that lies above the expected energy of its noise, in [0, 1].

    >>> share_above(torch.tensor([4.0, 1.0]), torch.tensor([1.0, 2.0])).tolist()
    [0.75, 0.0]
    """
    return (1 - noise / energy.clamp_min(1e-12)).clamp(0, 1)


def pairs_apart(means: Tensor, noise: Tensor, scatter: Tensor) -> float | None:
    """Return the share of pairs of classes with means further apart than three deviations of chance allow.

    Args:
        means: noisy, (classes, d).
        noise: deviation of the noise on each coordinate of a mean, (classes,).
        scatter: energy by which the mean of a class's records moves by chance, (classes,).

    Returns:
        None if there are fewer than two classes.
    """
    classes, dim = means.shape
    if classes < 2:
        return None
    one, other = torch.triu_indices(classes, classes, offset=1)
    energy = (means[one] - means[other]).square().sum(dim=1)
    by_noise = noise[one].square() + noise[other].square()
    by_chance = scatter[one] + scatter[other]
    # Scatter lies in a few directions at worst in one, where its deviation is the root of two times its energy.
    deviation = math.sqrt(2) * (math.sqrt(dim) * by_noise + by_chance)
    return float((energy > dim * by_noise + by_chance + _DEVIATIONS * deviation).double().mean())


def standing_out(values: Tensor, edge: Tensor, white: float, counts: Tensor) -> Tensor:
    r"""Sum the variances that stand out from noise and from records without a pattern, :math:`\sqrt{(l - w)^2 - e^2}`.

    Args:
        values: eigenvalues of noisy covariances, (..., d).
        edge: largest eigenvalue of the noise, (...).
        white: w, variance of every direction in records without a pattern.
        counts: of records. Those without a pattern scatter by the law of Marchenko and Pastur.
    """
    dim = values.shape[-1]
    ratio = dim / counts
    chance = white * (2 * ratio.sqrt() + ratio)
    beyond = (values - white).clamp_min(0)
    return (beyond.square() - (edge + chance)[..., None].square()).clamp_min(0).sqrt().sum(dim=-1)
