"""Room for the values of records: memory, or files without a name on the disk, of which a few pages are in memory."""

from __future__ import annotations

import abc
import math
import mmap
import os
import sys
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import DTypeLike

from gossamer.errors import ResourceError

if TYPE_CHECKING:
    from torch import Tensor

LARGE_BYTES: Final = 2**27
"""Size of all arrays of a room together above which a further one lies on the disk, if there is room for it there."""
_SMALL: Final = 32
"""An array of less than this part of `LARGE_BYTES` lies in memory in any case."""
_PART_BYTES: Final = 2**22
_TOUCHED_BYTES: Final = 2**25
NEIGHBOURS_BYTES: Final = 2**16
"""Bytes that the system brings into memory with any one of them, where records are not read in their order."""


class AbstractRoom(abc.ABC):
    """A place for arrays of private values."""

    @abc.abstractmethod
    def array(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return a new array without content, in C order.

        Raises:
            ResourceError: The place does not suffice.
        """

    @abc.abstractmethod
    def let_go(self) -> None:
        """Give the memory back that arrays on the disk take at the moment. Their content stays."""

    @abc.abstractmethod
    def touched(self, num_bytes: int) -> None:
        """Count bytes of arrays that were read or written. When they are many, memory is given back as by `let_go`."""

    def slices(self, values: np.ndarray | Tensor) -> Iterator[slice]:
        """Go over values in parts along the first axis, in order, and give the memory back on the way.

        Args:
            values: (records, ...), an array of this room or any other.
        """
        num_each = math.prod(values.shape[1:]) * values.itemsize
        step = max(1, _PART_BYTES // max(1, num_each))
        for start in range(0, len(values), step):
            end = min(start + step, len(values))
            yield slice(start, end)
            self.touched((end - start) * num_each)
        self.let_go()

    def kept(self, values: np.ndarray, is_kept: np.ndarray) -> np.ndarray:
        """Return some of the values in an array of their own.

        Args:
            values: (records, ...).
            is_kept: Booleans (records,).
        """
        found = self.array((int(is_kept.sum()), *values.shape[1:]), values.dtype)
        end = 0
        for rows in self.slices(values):
            chosen = values[rows][is_kept[rows]]
            found[end : end + len(chosen)] = chosen
            end += len(chosen)
        return found


@dataclass(frozen=True)
class Memory(AbstractRoom):
    """Memory alone."""

    def array(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return an array in memory. Pages that nobody writes to are never taken."""
        return np.empty(shape, dtype)

    def let_go(self) -> None:
        """Do nothing: there is no other copy of the values."""

    def touched(self, num_bytes: int) -> None:
        """Do nothing, as `let_go`."""


MEMORY: Final = Memory()
"""The room of a user who named no folder."""


class Disk(AbstractRoom):
    """Memory for the first `LARGE_BYTES` of arrays and for small ones, and the disk for those that come after them.

    So the memory of all arrays together has a bound, however many records there are. Arrays on the disk count, too:
    where the values are too many for memory, descriptions of them lie on the disk.

    Privacy: a large array lies in a file that never has a name and that its owner alone could open (mode 0600). The
    system frees it when the array is no longer used, and at the latest when the process ends, a crash included.

    Args:
        folder: An existing folder of the user's, on the disk that may hold the private values.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._touched, self._num_bytes = folder, 0, 0
        # An array holds its pages, and this only tells which there are.
        self._held: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def array(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return an array in memory, or on the disk if there would be many bytes of arrays with it."""
        num_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        if self._num_bytes + num_bytes <= LARGE_BYTES or num_bytes <= LARGE_BYTES // _SMALL:
            found = owner = np.empty(shape, dtype)
        else:
            owner = self._pages(num_bytes)
            self._held.add(owner)
            found = np.frombuffer(owner, dtype).reshape(shape)
        self._num_bytes += num_bytes
        # Views hold the owner, and with its end the bytes are free.
        weakref.finalize(owner, self._freed, num_bytes)
        return found

    def _freed(self, num_bytes: int) -> None:
        self._num_bytes -= num_bytes

    def let_go(self) -> None:
        """Give back the memory of all arrays on the disk. Changed pages stay with the system until they are written."""
        self._touched = 0
        for pages in list(self._held):
            pages.madvise(mmap.MADV_DONTNEED)

    def touched(self, num_bytes: int) -> None:
        """Count bytes, and give memory back after each 32 MiB of them: more often would take more time."""
        self._touched += num_bytes
        if self._touched >= _TOUCHED_BYTES:
            self.let_go()

    def _pages(self, num_bytes: int) -> mmap.mmap:
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                _reserve(file.fileno(), num_bytes)
                return mmap.mmap(file.fileno(), num_bytes)
        except OSError as error:
            raise ResourceError(
                f"{self._folder}: no room for the records beside the run ({error.strerror or type(error).__name__}): "
                "free space, or name another --out"
            ) from None


def room_beside(path: Path | None) -> AbstractRoom:
    """Return the room for the records of a run: on the disk of its folder, or in memory if nothing is written.

    Args:
        path: Of the run folder, which need not be there yet. None for no run folder.
    """
    if path is None:
        return MEMORY
    whole = path.absolute()
    return Disk(next(folder for folder in (whole, *whole.parents) if folder.is_dir()))


def _reserve(descriptor: int, num_bytes: int) -> None:
    """Take the space at once: a disk that became full later would end the process without a word."""
    if sys.platform == "linux":
        os.posix_fallocate(descriptor, 0, num_bytes)
    else:
        os.ftruncate(descriptor, num_bytes)
