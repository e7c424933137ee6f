"""Where a network computes, and with which precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gossamer.errors import InputError, told

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["fp32", "bf16"]


def find_device(name: DeviceName) -> torch.device:
    """Return the device to compute on, a GPU for ``auto`` if there is one.

    Raises:
        InputError: another name, or a GPU that this machine has not.
    """
    import torch

    if not isinstance(name, str) or name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device must be auto, cpu or cuda, not {told(name)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: this machine has no usable GPU; use cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def find_precision(name: PrecisionName) -> torch.dtype:
    """Return the precision for training critics and generator. Critics answer in float32 always."""
    import torch

    return torch.bfloat16 if name == "bf16" else torch.float32


def mixed_precision(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Autocast to bfloat16 if that is the precision, without a cache, so that one critic never reaches another."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16, cache_enabled=False)


def in_use(tensor: Tensor) -> Tensor:
    """Return a tensor in the precision of the products around it, where it is used more than once.

    Autocast without a cache would make it anew for each product.
    """
    import torch

    kind = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor
