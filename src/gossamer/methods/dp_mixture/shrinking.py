"""Estimates of means and second moments from noisy ones: parts that are mostly noise are shrunk, by it alone."""

from __future__ import annotations

import torch
from torch import Tensor

KEPT = -1
"""Band of features that are left as they are."""
_LEAST_GROUP = 4
_LEAST_KEPT = 0.01
"""Part of a noisy entry that is always kept. Equal entries would leave the choice of directions to rounding."""


def shrunk(vectors: Tensor, variances: Tensor, bands: Tensor) -> Tensor:
    r"""Shrink noisy vectors towards zero, each band of features by the part of its energy that is noise.

    Let v be one of K vectors with noise of variance :math:`s_k^2` on each feature. A band b has n features. Then

    .. math:: v_{kb} \mapsto \max\Big(0, 1 - \frac{n s_k^2}{|v_{kb}|^2}\Big) v_{kb}.

    A band far above the noise stays as it is, and a band that is noise alone becomes zero. Each vector is shrunk by
    itself. The mean of a frequent class lies near the offset, and that of a rare class may lie far from it.

    Guarantee: post-processing of released vectors.

    Args:
        vectors: noisy, (K, features).
        variances: of the noise on each feature, (K,), positive.
        bands: int64 (features,), the band of each feature. `KEPT` marks those that are not shrunk.

    References: Efron, Morris 1973, "Stein's estimation rule and its competitors: an empirical Bayes approach".

    >>> import torch
    >>> shrunk(torch.tensor([[3.0, 5.0, 0.1]]), torch.tensor([1.0]), torch.tensor([KEPT, 0, 1])).round(decimals=3)
    tensor([[3.0000, 4.8000, 0.0000]])
    """
    result = vectors.clone()
    for band in bands[bands != KEPT].unique().tolist():
        own = bands == band
        energy = vectors[:, own].square().mean(dim=1)
        result[:, own] *= (1 - variances / energy.clamp_min(1e-30)).clamp_min(0)[:, None]
    return result


def shrunk_moment(moment: Tensor, deviation: float, blocks: Tensor, places: Tensor) -> Tensor:
    r"""Shrink a noisy second moment, each block of entries by the part of its energy that is noise.

    Features of neighbouring frequencies make a block. Two blocks have a group of entries between them. The entries of
    one place in both are a group of their own, because they have a mean. They are variances, and products of channels
    at one place. Let m be the mean of such a group, and 0 for others. Let E be the mean square of the entries about m,
    and v the known variance of their noise. Then

    .. math:: M_{ij} \mapsto m + \max(0.01, 1 - v / E)\,(M_{ij} - m).

    Entries of low frequencies stay as they are, and those of high ones fall near to zero where they are noise.
    Directions that are read from the result turn less towards the noise. A hundredth is always kept. Among equal
    variances the rounding of a machine would choose the directions. Sites that go on from the same sums would then have
    others. A group of fewer than four entries stays as it is.

    Guarantee: post-processing of a released sum.

    Args:
        moment: noisy, symmetric (features, features).
        deviation: of the noise on the diagonal. On other entries it is smaller by the root of 2.
        blocks: int64 (features,), the block of each feature.
        places: int64 (features,), the same number for features of one frequency in different channels.

    Returns:
        (features, features), symmetric.

    References: Efron, Morris 1973, "Stein's estimation rule and its competitors: an empirical Bayes approach".

    >>> blocks = torch.arange(8) // 4
    >>> noisy = torch.tensor([[9.0, 1.0], [1.0, 1.0]], dtype=torch.float64)[blocks][:, blocks]
    >>> found = shrunk_moment(noisy, 1.0, blocks, torch.arange(8))
    >>> [round(float(found[row, column]), 3) for row, column in ((0, 1), (0, 5), (4, 5))]
    [8.944, 0.5, 0.5]
    """
    alike = places[:, None] == places
    pairs = torch.minimum(blocks[:, None], blocks) * len(blocks) + torch.maximum(blocks[:, None], blocks)
    _, groups, sizes = (2 * pairs + alike).flatten().unique(return_inverse=True, return_counts=True)

    def average(values: Tensor) -> Tensor:
        return (torch.bincount(groups, weights=values.flatten()) / sizes)[groups].view_as(values)

    middle = torch.where(alike, average(moment), 0.0)
    noise = torch.full_like(moment, deviation**2 / 2).fill_diagonal_(deviation**2)
    kept = (1 - average(noise) / average((moment - middle).square()).clamp_min(1e-300)).clamp_min(_LEAST_KEPT)
    is_small = (sizes < _LEAST_GROUP)[groups].view_as(moment)
    return torch.where(is_small, moment, middle + kept * (moment - middle))
