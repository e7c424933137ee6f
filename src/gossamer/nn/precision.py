"""Mixed precision of networks that see synthetic samples alone."""

from __future__ import annotations

import torch


def mixed_precision(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Autocast to bfloat16 if that is the precision, without a cache, so that one critic never reaches another."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16, cache_enabled=False)
