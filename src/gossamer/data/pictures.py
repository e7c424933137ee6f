"""One picture file as an array: PNG, JPEG, BMP, TIFF, WebP, PGM, PPM or GIF, by the rules of `picture_rules`.

Pillow decodes, and is asked for the one format that the ending names. Size and kind are checked before pixels are.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngImageFile

from gossamer.data.files import damage_refused, open_regular, shown
from gossamer.data.picture_rules import STRICTLY, AbstractPictureRules
from gossamer.data.png import MAX_FILE_BYTES, PngHeader, check_png_structure, read_png_header
from gossamer.errors import InputError

FORMATS: Final = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
    ".pgm": "PPM", ".ppm": "PPM", ".gif": "GIF",
}  # fmt: skip
"""Format by the ending of a file's name, as Pillow calls it."""
DEEP_WHITE: Final = 65535
"""Value of white in gray images of 16 bits."""
_SIGNATURES: Final = {
    "JPEG": rb"\xff\xd8\xff", "BMP": rb"BM", "TIFF": rb"II\*\0|MM\0\*", "WEBP": rb"RIFF....WEBP", "GIF": rb"GIF8[79]a",
    "PPM": rb"P[2356]\s",
}  # fmt: skip
_DEEP: Final = ("I;16", "I;16B", "I;16L", "I")
_CLEAR: Final = ("LA", "RGBA", "PA")
_PLAIN: Final = ("1", "L", "P", "RGB")
_OF_TIFF: Final = ("I;16", "I;16B", "I;16L", "RGB", "RGBA", "CMYK")
_UPRIGHT: Final = 1
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
TURNED: Final = "turned upright by EXIF"
LAID: Final = "transparency laid on the ground"
CMYK: Final = "CMYK to RGB"
DEEP_COLOUR: Final = "16-bit colour to 8 bits"


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture as it was read. Private.

    Args:
        x: float32 (channels, height, width) in [0, 1].
        is_deep: True if it is gray of 16 bits.
        changes: Public words for the changes of its values, in the order in which they were made.
    """

    x: np.ndarray
    is_deep: bool
    changes: tuple[str, ...]


def is_picture(path: Path) -> bool:
    """Return True if the ending is that of a picture that is read."""
    return path.suffix.lower() in FORMATS


def read_picture(path: Path, rules: AbstractPictureRules = STRICTLY) -> Picture:
    """Read one picture.

    Transparent pixel c with opacity a on the ground g becomes :math:`a c + (1 - a) g`. A picture with a word on
    its orientation in EXIF is turned upright, as every viewer shows it.

    Guarantee:
        The result is a function of this file and of public rules alone.

    Args:
        path: A file with an ending in `FORMATS`. Its first bytes must be of the same format.
        rules: Rules on oddities.

    Raises:
        InputError: The file is damaged, of another format, too large, of several pages, or of a kind that the rules do
            not permit.
    """
    where = shown(path)
    kind = FORMATS[path.suffix.lower()]
    with open_regular(path) as file, damage_refused(where), warnings.catch_warnings():
        # A bomb is refused; a warning on the description of a photograph is not of its pixels. PNG has no such ones.
        warnings.simplefilter("error" if kind == "PNG" else "ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        header = _checked_png(file, where, rules) if kind == "PNG" else None
        odd = _checked_start(file, kind, where, rules) if header is None else _odd_of_png(header)
        file.seek(0)
        with _opened(file, kind, where) as image:
            if header is not None and image.size != (header.width, header.height):
                raise InputError(f"{where} is damaged or cut short: make or copy the file again")
            rules.check_size(where, image.height, image.width)
            odd += _odd_of(image, kind, where, rules)
            return _as_array(image, where, rules, odd)


def _opened(file: BinaryIO, kind: str, where: str) -> Image.Image:
    """Open a picture by the one format, without decoding it."""
    try:
        return Image.open(file, formats=[kind])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{where} has too many pixels: make it smaller first") from None


def _checked_png(file: BinaryIO, where: str, rules: AbstractPictureRules) -> PngHeader:
    header = read_png_header(file, where, rules)
    check_png_structure(file, header, where)
    return header


def _odd_of_png(header: PngHeader) -> tuple[str, ...]:
    return (DEEP_COLOUR,) if header.is_deep_colour else ()


def _checked_start(file: BinaryIO, kind: str, where: str, rules: AbstractPictureRules) -> tuple[str, ...]:
    """Refuse another format under this ending, and kinds that only the first bytes tell."""
    start = file.read(512)
    if not re.match(_SIGNATURES[kind], start, re.DOTALL):
        raise InputError(f"{where} is no {kind} file, whatever its name: give it the ending of its format, or save it")
    if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
        raise InputError(f"{where} is larger than {MAX_FILE_BYTES} bytes: save the image again without extras")
    if kind == "WEBP":
        # Pillow makes room for the whole picture when it opens the file.
        rules.check_size(where, *_webp_size(start))
    if kind == "PPM" and start[:2] in (b"P3", b"P6") and _largest(start, where) > 255:
        rules.check_odd(where, "has 16 bits a colour")
        return (DEEP_COLOUR,)
    return ()


def _webp_size(start: bytes) -> tuple[int, int]:
    """Return height and width by the first part of a WebP file."""
    part = start[12:16]
    if part == b"VP8X":
        return 1 + int.from_bytes(start[27:30], "little"), 1 + int.from_bytes(start[24:27], "little")
    if part == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    width, height = struct.unpack("<HH", start[26:30])
    return height & 0x3FFF, width & 0x3FFF


def _largest(start: bytes, where: str) -> int:
    """Return the value of white that the head of a PPM file states."""
    words = re.sub(rb"#[^\r\n]*", b"", start).split(maxsplit=4)
    if len(words) < 4 or not words[3].isdigit() or len(words[3]) > 5:
        raise InputError(f"{where} is damaged or has a head of more than 512 bytes: save the image again")
    return int(words[3])


def _odd_of(image: Image.Image, kind: str, where: str, rules: AbstractPictureRules) -> tuple[str, ...]:
    """Refuse or name all that is more than plain gray or RGB in the opened picture. Nothing is decoded yet."""
    if kind == "PNG" and isinstance(image, PngImageFile) and image.is_animated:
        raise InputError(f"{where} is an animation: save one frame as a plain PNG")
    # The first picture of a JPEG file is the photograph; phones put a preview or a depth map behind it.
    if kind in ("GIF", "WEBP", "TIFF") and getattr(image, "n_frames", 1) != 1:
        raise InputError(f"{where} holds several pictures (pages or frames): save each as a file of its own")
    odd = _odd_of_tiff(image, where, rules) if kind == "TIFF" and image.mode in _OF_TIFF else ()
    if image.mode == "CMYK":
        rules.check_odd(where, "is CMYK, colours of ink, which have no one way to RGB")
        odd += (CMYK,)
    elif image.mode not in (*_PLAIN, *_DEEP, *_CLEAR) or (image.mode == "I" and kind != "PPM"):
        raise InputError(f"{where} holds values of the kind {image.mode!r}: save it as gray or RGB with 8 bits")
    if image.mode in _CLEAR or "transparency" in image.info:
        if image.mode in _DEEP:
            raise InputError(f"{where} has transparency beside 16 bits: save it as gray or RGB without it")
        rules.check_transparency(where, "an alpha channel" if image.mode in _CLEAR else "a transparent colour")
        odd += (LAID,)
    return odd


def _odd_of_tiff(image: Image.Image, where: str, rules: AbstractPictureRules) -> tuple[str, ...]:
    """Refuse TIFF files with numbers that Pillow hands over at another scale than the file has."""
    tags = getattr(image, "tag_v2", {})
    bits: Sequence[int] = tags.get(_BITS, (1,))
    if image.mode in _DEEP:
        if tuple(bits) != (16,):
            raise InputError(f"{where} is a TIFF of {max(bits)} bits a pixel: save it with 8 or 16 bits")
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            raise InputError(f"{where} is a TIFF of 16 bits in which 0 is white: save it with 0 as black")
        return ()
    if max(bits) > 8:
        rules.check_odd(where, f"has {max(bits)} bits a colour")
        return (DEEP_COLOUR,)
    return ()


def _as_array(image: Image.Image, where: str, rules: AbstractPictureRules, odd: tuple[str, ...]) -> Picture:
    size = image.size
    turn = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
    image.load()
    if image.size not in (size, size[::-1]):
        raise InputError(f"{where} is damaged or cut short: make or copy the file again")
    is_deep = image.mode in _DEEP
    x = _values(image.convert("RGB") if CMYK in odd else image, LAID in odd, rules)
    # Pillow turns a TIFF by itself when it decodes it, and then drops the word on how it was held.
    still = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
    if still in range(2, 9):
        x = _turned(x, still)
    turned = (TURNED,) if turn in range(2, 9) else ()
    return Picture(x=x, is_deep=is_deep, changes=(*odd, *turned))


def _values(image: Image.Image, is_laid: bool, rules: AbstractPictureRules) -> np.ndarray:
    """Return one image as float32 (channels, height, width) in [0, 1]."""
    if image.mode in _DEEP:
        return np.divide(np.asarray(image)[None], DEEP_WHITE, dtype=np.float32)
    # A GIF has a palette, and so three channels: which grays its program left in it is a fact of one picture.
    is_gray = image.mode in ("1", "L", "LA") and image.format != "GIF"
    if is_laid and rules.ground is not None:
        pixels = np.divide(np.moveaxis(np.asarray(image.convert("RGBA")), -1, 0), 255, dtype=np.float32)
        opacity, ground = pixels[3:], np.float32(rules.ground)
        laid = (pixels[: 1 if is_gray else 3] * opacity + (1 - opacity) * ground).clip(0, 1)
        return laid.astype(np.float32)
    if is_gray:
        return np.divide(np.asarray(image.convert("L"))[None], 255, dtype=np.float32)
    return np.divide(np.moveaxis(np.asarray(image.convert("RGB")), -1, 0), 255, dtype=np.float32)


def _turned(x: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image (channels, height, width) upright, by the number that EXIF gives to its orientation (2 to 8)."""
    if orientation >= 5:
        x = x.swapaxes(1, 2)
    if orientation in (2, 3, 6, 7):
        x = x[:, :, ::-1]
    if orientation in (3, 4, 7, 8):
        x = x[:, ::-1]
    return np.ascontiguousarray(x)
