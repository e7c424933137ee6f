"""Mixed precision of networks that see synthetic samples alone."""

from __future__ import annotations

import torch


def mixed_precision(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Autocast to bfloat16 where that is the precision, without a cache, which would carry one critic into another."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16, cache_enabled=False)
