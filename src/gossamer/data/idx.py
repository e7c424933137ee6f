"""IDX files, the format of MNIST: a magic number, the dimensions, the bytes, either plain or gzipped."""

from __future__ import annotations

import gzip
import math
import os
import struct
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from gossamer.data.files import check_expansion, damage_refused, open_regular, read_promised, shown
from gossamer.data.records import check_num_values
from gossamer.errors import InputError

_GZIP_MAGIC: Final = b"\x1f\x8b"
_UINT8: Final = 0x08


def read_idx(path: Path, *, num_dims: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    The file is ``0 0 type num_dims``, then `num_dims` big-endian 32-bit sizes, then the values in row-major order. Its
    first bytes tell that it is gzipped, and not its name. Unpacking stops one byte after the promised end.

    Args:
        path: The file.
        num_dims: Dimensions expected: 3 for images, 1 for labels.

    Returns:
        Writable uint8 array with the promised shape.

    Raises:
        InputError: The file is absent, unreadable, damaged, longer or shorter than its header promises, or of another
            type or number of dimensions.

    References:
        Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "file formats".
    """
    where = shown(path)
    with open_regular(path) as file, damage_refused(where):
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if not packed:
            return _read_stream(file, num_dims, size, where)
        with gzip.GzipFile(fileobj=file, mode="rb") as stream:
            return _read_stream(cast("BinaryIO", stream), num_dims, size, where)


def _read_stream(stream: BinaryIO, num_dims: int, file_size: int, where: str) -> np.ndarray:
    shape = _read_header(stream, num_dims, where)
    num_values = math.prod(shape)
    check_num_values(where, num_values)
    check_expansion(where, num_values, file_size)
    return np.frombuffer(read_promised(stream, num_values, where), dtype=np.uint8).reshape(shape)


def _read_header(stream: BinaryIO, num_dims: int, where: str) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\x00\x00" or magic[2] != _UINT8:
        raise InputError(
            f"{where} is not an IDX file of unsigned bytes: its first bytes must be 00 00 08; copy the published file "
            "again"
        )
    if magic[3] != num_dims:
        raise InputError(f"{where} has {magic[3]} dimensions, {num_dims} expected: images have 3, labels 1")
    sizes = stream.read(4 * num_dims)
    if len(sizes) < 4 * num_dims:
        raise InputError(f"{where} ends inside its header: copy the file again")
    return struct.unpack(f">{num_dims}I", sizes)
