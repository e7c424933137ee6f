"""The spread of records outside the directions of a mixture, from the sum that the directions were taken from."""

from __future__ import annotations

import torch
from torch import Tensor


def outside(within: Tensor, directions: Tensor, edge: float) -> Tensor:
    r"""Estimate the covariance within classes that the directions leave out, from its noisy estimate.

    Let m be the median eigenvalue of the estimate outside the directions. Noise alone moves eigenvalues up to the edge
    e away from it. So an eigenvalue further from m stands for :math:`m \pm \sqrt{(\lambda - m)^2 - e^2}` along its
    vector. All others share evenly in the rest of the trace, in which noise of both signs has averaged out.

    Guarantee: post-processing of a released sum and of directions that were computed from it.

    Args:
        within: noisy covariance within classes, symmetric (features, features).
        directions: orthonormal rows, (d, features).
        edge: largest eigenvalue of the noise in ``within``.

    Returns:
        (features, features), positive semi-definite, with the directions in its kernel.

    References: Benaych-Georges, Nadakuditi 2011, "The eigenvalues and eigenvectors of finite, low rank perturbations of
        large random matrices", for the formula of the eigenvalues.

    >>> within = torch.diag(torch.tensor([9.0, 5.5, 0.5, -0.1], dtype=torch.float64))
    >>> outside(within, torch.eye(4, dtype=torch.float64)[:1], 3.0).diagonal().round(decimals=3).tolist()
    [0.0, 4.5, 0.7, 0.7]
    """
    others = torch.linalg.qr(directions.T, mode="complete").Q[:, len(directions) :]
    if others.shape[1] == 0:
        return torch.zeros_like(within)
    values, vectors = torch.linalg.eigh(others.T @ within @ others)
    middle = values.median()
    is_found = (values - middle).abs() > edge
    distance = ((values - middle).square() - edge**2).clamp_min(0).sqrt()
    found = torch.where(is_found, middle + (values - middle).sign() * distance, 0.0)
    rest = (values.sum() - found.sum()) / max(int((~is_found).sum()), 1)
    basis = others @ vectors
    return (basis * torch.where(is_found, found, rest).clamp_min(0)) @ basis.T
