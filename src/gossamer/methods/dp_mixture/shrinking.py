"""Estimates of means from noisy ones: what is mostly noise is shrunk, by the known noise and by nothing private."""

from __future__ import annotations

import torch
from torch import Tensor

KEPT = -1
"""Band of features that are left as they are."""


def shrunk(vectors: Tensor, variances: Tensor, bands: Tensor) -> Tensor:
    r"""Shrink noisy vectors towards zero, each band of features by the part of its energy that is noise.

    Let v be one of K vectors with noise of variance :math:`s_k^2` on each feature, and let a band have n features. Then

    .. math:: v_{kb} \mapsto \frac{\tau_b^2}{\tau_b^2 + s_k^2} v_{kb}, \qquad
       \tau_b^2 = \max\Big(0, \frac{\sum_k s_k^{-2} (|v_{kb}|^2 / n - s_k^2)}{\sum_k s_k^{-2}}\Big).

    A band far above the noise stays as it is, and a band that is noise alone becomes zero. It is the empirical Bayes
    estimate under a normal prior of variance :math:`\tau_b^2`, so the vectors lend each other strength.

    Guarantee: post-processing of released vectors.

    Args:
        vectors: noisy, (K, features).
        variances: of the noise on each feature, (K,), positive.
        bands: int64 (features,). Features of one number are shrunk alike, and those of `KEPT` are not shrunk.

    References: Efron, Morris 1973, "Stein's estimation rule and its competitors: an empirical Bayes approach".

    >>> shrunk(torch.tensor([[3.0, 5.0, 0.1]]), torch.tensor([1.0]), torch.tensor([KEPT, 0, 1])).round(decimals=3)
    tensor([[3.0000, 4.8000, 0.0000]])
    """
    result = vectors.clone()
    weights = 1 / variances
    for band in bands[bands != KEPT].unique().tolist():
        own = bands == band
        excess = vectors[:, own].square().mean(dim=1) - variances
        signal = ((weights * excess).sum() / weights.sum()).clamp_min(0)
        result[:, own] *= (signal / (signal + variances))[:, None]
    return result
