"""Arrays of numpy in a stream, as NPY files and members of NPZ files hold them: nothing is evaluated or unpickled."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

from gossamer.data.files import check_ended, read_part, read_promised
from gossamer.errors import InputError

_TEXTS: Final = ("person", "people", "class_names", "channel_names")
_MAX_HEADER_BYTES: Final = 4096
_MAX_DIGITS: Final = 18
_BLOCK_BYTES: Final = 2**22
# Smaller ones may stay with the process when they are let go: the usual allocator of Linux keeps up to 32 MiB.
_PIECE_BYTES: Final = 2**26
_VALUES_AT_ONCE: Final = 2**18


@dataclass(frozen=True, kw_only=True)
class ArrayHeader:
    """The header of an array, parsed.

    Attributes:
        kind: dtype in numpy's short form.
        shape: Sizes.
        fortran_order: True if the first index runs fastest.
        num_bytes: Length of the header itself.
    """

    kind: str
    shape: tuple[int, ...]
    fortran_order: bool
    num_bytes: int

    @property
    def dtype(self) -> np.dtype:
        """Type of a value."""
        return np.dtype(self.kind)

    @property
    def num_values(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def num_value_bytes(self) -> int:
        """Bytes of all values."""
        return self.num_values * self.dtype.itemsize


def read_array_header(stream: BinaryIO, at: str) -> ArrayHeader:
    """Parse the header of an array by pattern.

    Args:
        stream: A plain or an unpacking stream, at the beginning of the array.
        at: Beginning of the message.

    Raises:
        InputError: It is no plain array of numbers or text, or its header is damaged.
    """
    start = stream.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise InputError(f"{at} is not a numpy array: save it with numpy.savez_compressed")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > _MAX_HEADER_BYTES:
        raise InputError(f"{at} has a header of {length} bytes: it must be a plain array of numbers or text")
    text = stream.read(length).decode("latin-1")
    # Numpy has no name for the type bfloat16, and saves its values as two bytes without a meaning.
    if re.search(r"'descr'\s*:\s*'[<>|=]?V2'", text):
        raise InputError(f"{at} holds values without a kind, as bfloat16 is saved: save x.astype('float32')")
    # Arrays of Python objects can run code when loaded; arrays of fields have no pixels.
    if re.search(r"'descr'\s*:\s*(\[|'[<>|=]?[OV])", text):
        key = at.rpartition(": ")[2]
        kind = "str" if key in _TEXTS else "float32"
        # Text of pandas is one of objects in numpy, until it is converted.
        raise InputError(f"{at} holds Python objects or named fields: save a plain array, {key[:40]}.astype('{kind}')")
    kind, rest = _taken(r"'descr'\s*:\s*'([^']{1,20})'", text, at)
    order, rest = _taken(r"'fortran_order'\s*:\s*(True|False)", rest, at)
    sizes, rest = _taken(r"'shape'\s*:\s*\(([0-9,\s]*)\)", rest, at)
    if not re.fullmatch(r"\{[\s,]*\}\s*", rest):
        raise InputError(f"{at} has a damaged header: save the file again")
    if any(len(size.strip()) > _MAX_DIGITS for size in sizes.split(",")):
        raise InputError(f"{at} has a header with a size of more than {_MAX_DIGITS} digits: save the file again")
    shape = tuple(int(size) for size in sizes.split(",") if size.strip())
    return ArrayHeader(kind=kind, shape=shape, fortran_order=order == "True", num_bytes=8 + width + length)


def _taken(pattern: str, text: str, at: str) -> tuple[str, str]:
    match = re.search(pattern, text)
    if match is None:
        raise InputError(f"{at} has a damaged header: save the file again")
    return match[1], text[: match.start()] + text[match.end() :]


def array_of_stream(stream: BinaryIO, header: ArrayHeader, at: str) -> np.ndarray:
    """Read all values after a header, and no more of them than it promises.

    Raises:
        InputError: The stream ends earlier or goes on.
    """
    content = read_promised(stream, header.num_value_bytes, at)
    return np.ndarray(header.shape, header.dtype, buffer=content, order="F" if header.fortran_order else "C")


def blocks_of_stream(stream: BinaryIO, header: ArrayHeader, at: str) -> Iterator[np.ndarray]:
    """Read the values after a header as blocks along the first axis, in order.

    An array in Fortran order has been read to its end when the first block is there, and is let go bit by bit.

    Args:
        stream: A plain or an unpacking stream, at the first value.
        header: Header that was read from it, of an array with at least one record of at least one value.
        at: Beginning of the message.

    Raises:
        InputError: The stream ends earlier or goes on, when the block with the fault is asked for.
    """
    num_records, rest = header.shape[0], header.shape[1:]
    num_each = math.prod(rest) * header.dtype.itemsize
    step = max(1, _BLOCK_BYTES // max(1, num_each))
    if header.fortran_order:
        for piece in _turned(stream, header, at):
            yield from (piece[start : start + step] for start in range(0, len(piece), step))
        return
    for start in range(0, num_records, step):
        num = min(step, num_records - start)
        content = read_part(stream, num * num_each, at, header.num_value_bytes)
        yield np.ndarray((num, *rest), header.dtype, buffer=content)
    check_ended(stream, header.num_value_bytes, at)


def _turned(stream: BinaryIO, header: ArrayHeader, at: str) -> Iterator[np.ndarray]:
    """Lay an array in Fortran order out record after record, in pieces of which each is let go before the next."""
    num_records, rest = header.shape[0], header.shape[1:]
    rows = max(1, _PIECE_BYTES // (math.prod(rest) * header.dtype.itemsize))
    starts = range(0, num_records, rows)
    pieces = [np.empty((min(rows, num_records - start), *rest), header.dtype) for start in starts]
    for part in parts_of_stream(stream, header, at):
        end = part.first + len(part.values)
        for piece, start in zip(pieces, starts, strict=True):
            low, high = max(part.first, start), min(end, start + len(piece))
            if low < high:
                target = piece[low - start : high - start].reshape(high - low, -1)
                target[:, part.places] = part.values[low - part.first : high - part.first]
    pieces.reverse()
    while pieces:
        yield pieces.pop()


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Some values of some records of an array. Private.

    Args:
        first: Number of records before these.
        places: Places of the values within a record, all its axes laid out as one in C order.
        values: (records, places).
    """

    first: int
    places: slice | np.ndarray
    values: np.ndarray


def parts_of_stream(stream: BinaryIO, header: ArrayHeader, at: str) -> Iterator[Part]:
    """Read the values after a header in the order in which they are stored, each once, so that few are in the memory.

    Args:
        stream: A plain or an unpacking stream, at the first value.
        header: Header that was read from it, of an array with at least one record of at least one value.
        at: Beginning of the message.

    Yields:
        Whole records, or in Fortran order some places of some records.

    Raises:
        InputError: The stream ends earlier or goes on, when the part with the fault is asked for.
    """
    num_records, rest = header.shape[0], header.shape[1:]
    num_places, order = math.prod(rest), "F" if header.fortran_order else "C"
    rows, columns = max(1, _VALUES_AT_ONCE // num_places), num_places
    if header.fortran_order:
        rows, columns = min(num_records, _VALUES_AT_ONCE), max(1, _VALUES_AT_ONCE // num_records)
    places = np.arange(num_places).reshape(rest).ravel(order=order)
    for start in range(0, num_places, columns):
        here = places[start : start + columns] if header.fortran_order else slice(None)
        width = min(columns, num_places - start)
        for first in range(0, num_records, rows):
            num = min(rows, num_records - first)
            content = read_part(stream, num * width * header.dtype.itemsize, at, header.num_value_bytes)
            yield Part(first=first, places=here, values=np.ndarray((num, width), header.dtype, content, order=order))
    check_ended(stream, header.num_value_bytes, at)


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as it may stand in a message."""
    return f"({', '.join(str(size) for size in shape[:8])}{', ...' if len(shape) > 8 else ''})"
