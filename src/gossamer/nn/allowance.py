"""The memory that a network from a file may take: its tensors hold few more numbers than the file has weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gossamer.errors import InputError

_ROOM: Final = 2**20
_MAKERS: Final = frozenset(
    {torch.empty, torch.empty_like, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}
)


class Allowance(TorchFunctionMode):
    """A limit on the numbers that new tensors hold in all: twice the file's weights, and a million more.

    The limit holds while the object is entered. A recipe from a hostile file can name layers that fill any memory.
    Torch does not fill a tensor when it makes it, so a tensor that is refused at once takes no memory.

    Args:
        num_weights: numbers in the file.
        refusal: sentence that refuses a network with more of them.

    Example:
        >>> with Allowance(10):
        ...     layer = torch.nn.Linear(3, 4)
        >>> with Allowance(10):
        ...     torch.zeros(10**4, 10**4)
        Traceback (most recent call last):
        ...
        gossamer.errors.InputError: a network of more numbers than its file has weights
    """

    def __init__(self, num_weights: int, refusal: str = "a network of more numbers than its file has weights") -> None:
        super().__init__()
        self._refusal = refusal
        self._left = 2 * num_weights + _ROOM

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Make the tensor, and refuse it if it is too large."""
        made = func(*args, **(kwargs or {}))
        if func in _MAKERS and isinstance(made, Tensor) and made.device.type != "meta":
            self._left -= made.numel()
            if self._left < 0:
                raise InputError(self._refusal)
        return made
