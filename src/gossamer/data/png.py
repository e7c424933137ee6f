"""The structure of a PNG file, checked in full before pixels are decoded, since decoders fill gaps with black."""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from gossamer.data.picture_rules import STRICTLY, AbstractPictureRules
from gossamer.errors import InputError

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MAX_FILE_BYTES: Final = 64 * 2**20
"""Largest PNG file, in bytes."""
MAX_CHUNKS: Final = 2**16
"""Largest number of parts of a PNG file. Programs that write PNG make parts of 8 KiB or more."""
_GRAY, _RGB, _PALETTE = 0, 2, 3
_GRAY_ALPHA, _RGB_ALPHA = 4, 6
_BIT_DEPTHS: Final = {
    _GRAY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GRAY_ALPHA: (8, 16), _RGB_ALPHA: (8, 16),
}  # fmt: skip
_NUMBERS: Final = {_GRAY: 1, _RGB: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _RGB_ALPHA: 4}
# First column, first row, column step, row step of the seven passes of an interlaced image (Adam7).
_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True, kw_only=True)
class PngHeader:
    """The first 33 bytes of a PNG file, parsed.

    Args:
        width: Pixels.
        height: Pixels.
        bit_depth: Bits a channel, or bits of a palette's index.
        colour_type: 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha.
        interlaced: True if the rows come in seven passes.
    """

    width: int
    height: int
    bit_depth: int
    colour_type: int
    interlaced: bool

    @property
    def is_deep_colour(self) -> bool:
        """True if there are 16 bits a channel and more than one number a pixel: Pillow keeps 8 of them."""
        return self.bit_depth == 16 and self.colour_type != _GRAY

    @property
    def num_unpacked_bytes(self) -> int:
        """Bytes of the unpacked rows, each with the byte that names its filter."""
        bits = self.bit_depth * _NUMBERS[self.colour_type]
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        sizes = [
            (math.ceil((self.width - left) / across), math.ceil((self.height - top) / down))
            for left, top, across, down in passes
        ]
        return sum(height * (1 + math.ceil(width * bits / 8)) for width, height in sizes if width > 0 and height > 0)


def read_png_header(file: BinaryIO, where: str, rules: AbstractPictureRules = STRICTLY) -> PngHeader:
    """Read size and type, and refuse an unsupported image before anything is unpacked.

    Args:
        file: An open file, at its beginning.
        where: Beginning of the message.
        rules: Rules on sizes, transparency and 16-bit colour.

    Returns:
        The header of an image of supported size and type.

    Raises:
        InputError: No PNG, a side out of range, transparency, or 16-bit colour.
    """
    start = file.read(33)
    if len(start) < 33 or start[:8] != _SIGNATURE or start[8:16] != b"\x00\x00\x00\rIHDR":
        raise InputError(f"{where} is not a PNG file, whatever its name: convert it to PNG")
    width, height, bit_depth, colour_type, packing, filtering, interlace, checksum = struct.unpack(
        ">IIBBBBBI", start[16:33]
    )
    if zlib.crc32(start[12:29]) != checksum or (packing, filtering) != (0, 0) or interlace > 1:
        raise _damaged(where)
    rules.check_size(where, height, width)
    if bit_depth not in _BIT_DEPTHS.get(colour_type, ()):
        raise _damaged(where)
    if colour_type in (_GRAY_ALPHA, _RGB_ALPHA):
        rules.check_transparency(where, "an alpha channel")
    if colour_type != _GRAY and bit_depth == 16:
        rules.check_odd(where, "has 16 bits a colour")
    return PngHeader(
        width=width, height=height, bit_depth=bit_depth, colour_type=colour_type, interlaced=bool(interlace)
    )


def check_png_structure(file: BinaryIO, header: PngHeader, where: str) -> None:
    """Refuse a file with a damaged or missing part, or with pixels that do not fill its image to the byte.

    Args:
        file: The open file.
        header: Its header, by `read_png_header`.
        where: Beginning of the message.

    Raises:
        InputError: A checksum is wrong, the file is cut short, or the pixels are too few or too many.
    """
    if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
        raise InputError(f"{where} is larger than {MAX_FILE_BYTES} bytes: save the image again without extras")
    file.seek(len(_SIGNATURE))
    packed = b"".join(body for kind, body in _chunks(file, where) if kind == b"IDAT")
    unpacker = zlib.decompressobj()
    rows = unpacker.decompress(packed, header.num_unpacked_bytes + 1)
    if len(rows) != header.num_unpacked_bytes or not unpacker.eof:
        raise _damaged(where)


def _chunks(file: BinaryIO, where: str) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(MAX_CHUNKS):
        start = file.read(8)
        length, kind = int.from_bytes(start[:4], "big"), start[4:]
        body, checksum = file.read(min(length, MAX_FILE_BYTES)), file.read(4)
        if len(checksum) < 4 or len(body) != length or zlib.crc32(kind + body) != int.from_bytes(checksum, "big"):
            raise _damaged(where)
        yield kind, body
        if kind == b"IEND":
            return
    raise InputError(f"{where} has more than {MAX_CHUNKS} parts: save the image again without extras")


def _damaged(where: str) -> InputError:
    return InputError(f"{where} is damaged or cut short: make or copy the file again")
