"""Public streams of randomness, one for each purpose and step."""

from __future__ import annotations

import hashlib

import torch


def public_stream(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """Return a stream of public randomness for one purpose at one step.

    Each step has a stream of its own. So a run that is taken up again needs no state of any stream. No private draw can
    ever shift a public one.

    >>> a, b = public_stream(1, "latents", 3), public_stream(1, "latents", 4)
    >>> bool(torch.rand(1, generator=a) == torch.rand(1, generator=b))
    False
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
