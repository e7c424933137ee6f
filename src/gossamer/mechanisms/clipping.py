"""The bound on one answer: a ball of radius `clip_norm`."""

from __future__ import annotations

import torch
from torch import Tensor


def clip_to_ball(vectors: Tensor, clip_norm: float) -> Tensor:
    """Shrink every vector into the ball of radius ``clip_norm``, and turn one that is not finite into zero.

    ``clip(g) = g min(1, C / |g|)``, one norm over all axes but the first, in float64.

    Guarantee: every returned vector has Euclidean norm at most ``clip_norm`` up to one part in 10^15, whatever came in.
    Every vector depends on its own row alone.

    Args:
        vectors: (batch, ...), any floating type.
        clip_norm: radius C, > 0.

    Returns:
        float64 tensor of the same shape.

    >>> clip_to_ball(torch.tensor([[3.0, 4.0], [0.3, 0.4], [float("nan"), 1.0]]), 1.0).tolist()
    [[0.6, 0.8], [0.30000001192092896, 0.4000000059604645], [0.0, 0.0]]
    """
    flat = vectors.detach().to(torch.float64).flatten(start_dim=1)
    # Privacy: rows that are not finite become zero before the clip, without a branch. Else inf * 0 would be NaN and
    # pass the bound.
    flat = torch.where(flat.isfinite().all(dim=1, keepdim=True), flat, 0.0)
    # Two stages, so that squares neither overflow nor vanish: the largest entry first, the norm of the rest then.
    largest = flat.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    norm = largest * (flat / largest).norm(dim=1, keepdim=True)
    clipped = torch.where(norm > clip_norm, (flat / norm) * clip_norm, flat)
    return clipped.reshape(vectors.shape)
