"""Estimates of means from noisy ones: parts that are mostly noise are shrunk, by the known noise alone."""

from __future__ import annotations

from torch import Tensor

KEPT = -1
"""Band of features that are left as they are."""


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
