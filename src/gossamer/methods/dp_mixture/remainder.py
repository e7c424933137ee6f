"""The spread of records outside the directions of a mixture, from the sum that the directions were taken from."""

from __future__ import annotations

import torch
from torch import Tensor


def outside(within: Tensor, directions: Tensor, edge: float) -> Tensor:
    r"""Estimate the covariance within classes that the directions leave out, from its noisy estimate.

    Let W be the estimate and P the projection on all features but the directions. Noise alone gives P W P eigenvalues
    up to the edge e. So an eigenvalue :math:`\lambda > e` stands for :math:`\sqrt{\lambda^2 - e^2}` along its vector.
    All others share evenly in the rest of the trace, in which noise of both signs has averaged out.

    Guarantee: post-processing of a released sum and of directions that were computed from it.

    Args:
        within: noisy covariance within classes, symmetric (features, features).
        directions: orthonormal rows, (d, features).
        edge: largest eigenvalue of the noise in ``within``.

    Returns:
        (features, features), positive semi-definite, with the directions in its kernel.

    References: Benaych-Georges, Nadakuditi 2011, "The eigenvalues and eigenvectors of finite, low rank perturbations of
        large random matrices", for the formula of the eigenvalues.

    >>> within = torch.diag(torch.tensor([9.0, 5.0, 0.5, -0.1], dtype=torch.float64))
    >>> outside(within, torch.eye(4, dtype=torch.float64)[:1], 3.0).diagonal().tolist()
    [0.0, 4.0, 0.7, 0.7]
    """
    left_out = torch.eye(len(within), dtype=within.dtype) - directions.T @ directions
    values, vectors = torch.linalg.eigh(left_out @ within @ left_out)
    # Eigenvalues of the directions themselves are 0, and so never above the edge.
    found = torch.where(values > edge, values.square() - edge**2, 0.0).clamp_min(0).sqrt()
    num_others = len(within) - len(directions) - int((found > 0).sum())
    rest = (values.sum() - found.sum()).clamp_min(0) / max(num_others, 1)
    shared = torch.where(found > 0, found, rest if num_others > 0 else 0.0)
    return left_out @ (vectors * shared) @ vectors.T @ left_out
