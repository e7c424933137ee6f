"""A user's own images in an NPZ file: `x`, optional `y`, optional `class_names`; or `data_x` and `data_y`."""

from __future__ import annotations

import contextlib
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np
import torch

from gossamer.data.files import check_expansion, damage_refused, open_regular, read_promised, shown
from gossamer.data.images import (
    DEFAULT_NUM_CLASSES,
    MAX_CLASSES,
    MAX_NAME_LENGTH,
    ImageData,
    ImageSet,
    ImageSpec,
    check_class_names,
    check_num_classes,
    check_num_values,
    check_sides,
)
from gossamer.errors import InputError

_MAX_MEMBERS: Final = 1000
_MAX_HEADER_BYTES: Final = 4096
_CONVERTED_AT_ONCE: Final = 2**22
_PIXEL_KINDS: Final = re.compile(r"[<>|=]?(?:f[248]|u1)")
_LABEL_KINDS: Final = re.compile(r"[<>|=]?[iu][1248]")
_NAME_KINDS: Final = re.compile(r"[<>=]?U[0-9]{1,4}")


def load_npz(path: Path, *, num_classes: int | None = None) -> ImageData:
    """Load images from an NPZ file.

    Guarantee:
        The number of classes is a public input: `num_classes`, or the length of `class_names` in the file, or the
        constant 10. It is never derived from the labels.

    Args:
        path: File with `x`, float16/32/64 in [0, 1] or uint8 in 0 .. 255 (divided by 255), of shape (num_records,
            height, width) or (num_records, channels, height, width), channels 1 or 3, sides 4 to 1024; optionally `y`,
            integers of shape (num_records,); optionally `class_names`, text of shape (num_classes,). Without `x`, the
            keys of GS-WGAN's published code: `data_x`, channels last, and `data_y`. Other keys are not read. Nothing
            is ever unpickled.
        num_classes: Public number of classes, for a file with `y`.

    Returns:
        The images as training records, without a test set.

    Raises:
        InputError: Naming file, key and the first index that breaks a rule; never a value.
    """
    where = shown(path)
    if num_classes is not None:
        check_num_classes(num_classes)
    with _opened(path, where) as archive:
        members = _members(archive, where)
        keys = _keys(members, where)
        names, notes = _class_names(archive, members, keys, num_classes, where)
        x = _pixels(archive, members[keys.x], keys, where)
        y = _labels(archive, members[keys.y], keys, len(x), len(names), where) if keys.y in members else None
    spec = ImageSpec(channels=x.shape[1], height=x.shape[2], width=x.shape[3], class_names=names)
    name = path.stem if path.stem.isprintable() else "images"
    train = ImageSet(name=name, spec=spec, x=torch.from_numpy(x), y=None if y is None else torch.from_numpy(y))
    return ImageData(train=train, public_notes=notes)


def has_unnamed_classes(path: Path) -> bool:
    """Whether an NPZ file has labels but no names of their classes, so that their number must be given.

    Raises:
        InputError: It is absent or no NPZ file, or holds no images.
    """
    where = shown(path)
    with _opened(path, where) as archive:
        members = _members(archive, where)
        return _keys(members, where).y in members and "class_names" not in members


@contextlib.contextmanager
def _opened(path: Path, where: str) -> Iterator[zipfile.ZipFile]:
    with open_regular(path) as file, damage_refused(where):
        if not zipfile.is_zipfile(file):
            raise InputError(f"{where} is not an NPZ file: make one with numpy.savez_compressed(path, x=images)")
        with zipfile.ZipFile(file) as archive:
            yield archive


@dataclass(frozen=True, kw_only=True)
class _Keys:
    x: str
    y: str
    channel_axis: int
    advice: str


_OURS: Final = _Keys(x="x", y="y", channel_axis=1, advice="; channels come second: numpy.moveaxis(x, -1, 1)")
_GS_WGAN: Final = _Keys(
    x="data_x", y="data_y", channel_axis=3, advice="; channels come last under data_x, second under x"
)


@dataclass(frozen=True, kw_only=True)
class _ArrayHeader:
    kind: str
    shape: tuple[int, ...]
    fortran_order: bool
    num_bytes: int

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.kind)

    @property
    def num_values(self) -> int:
        return math.prod(self.shape)


def _members(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MAX_MEMBERS:
        raise InputError(f"{where} holds {len(infos)} arrays, at most {_MAX_MEMBERS} are read: save x and y alone")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        key = info.filename.removesuffix(".npy")
        if key in members:
            raise InputError(f"{where} holds the key {shown(key)} twice: save the file again with every key once")
        members[key] = info
    return members


def _keys(members: dict[str, zipfile.ZipInfo], where: str) -> _Keys:
    for keys in (_OURS, _GS_WGAN):
        if keys.x in members:
            return keys
    found = ", ".join(shown(key[:40]) for key in sorted(members)[:5]) or "none"
    raise InputError(f"{where} has no key 'x' for the images (keys found: {found}): save them as x")


def _class_names(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], keys: _Keys, num_classes: int | None, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names and the sentences on what was taken for public, from public inputs alone."""
    shape = "The image shape and whether there are labels were read from the file's format and are taken as public."
    if keys.y not in members:
        if num_classes is not None or "class_names" in members:
            raise InputError(f"{where} has no labels {keys.y}, but classes were given: add them, or drop the classes")
        return (), (shape,)
    if "class_names" in members:
        names = _read_names(archive, members["class_names"], where)
        if num_classes is not None and num_classes != len(names):
            raise InputError(
                f"{where}: class_names has {len(names)} names, --num-classes says {num_classes}: make them agree"
            )
        return names, (shape, "The class names were read from class_names in the file and are taken as public.")
    if num_classes is not None:
        return _numbered(num_classes), (shape, f"The number of classes, {num_classes}, was given by the user.")
    # Privacy: a constant; the largest label of private data must not decide the shape of a public network.
    assumed = (
        f"The number of classes was not given: the public default of {DEFAULT_NUM_CLASSES} (labels 0 to "
        f"{DEFAULT_NUM_CLASSES - 1}) was assumed, whatever the labels are; --num-classes changes it."
    )
    return _numbered(DEFAULT_NUM_CLASSES), (shape, assumed)


def _numbered(num_classes: int) -> tuple[str, ...]:
    return tuple(str(label) for label in range(num_classes))


def _read_names(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> tuple[str, ...]:
    at = f"{where}: class_names"
    with _open_member(archive, info, at) as stream:
        header = _read_array_header(stream, at)
        if not _NAME_KINDS.fullmatch(header.kind) or len(header.shape) != 1:
            raise InputError(f"{at} must be a 1-D array of text: save numpy.array(['cat', 'dog'])")
        if not 1 <= header.num_values <= MAX_CLASSES or header.dtype.itemsize > 4 * MAX_NAME_LENGTH:
            raise InputError(f"{at} must hold 1 to {MAX_CLASSES} names of at most {MAX_NAME_LENGTH} characters")
        names = tuple(str(name) for name in _read_values(stream, info, header, at).tolist())
    try:
        check_class_names(names)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return names


def _pixels(archive: zipfile.ZipFile, info: zipfile.ZipInfo, keys: _Keys, where: str) -> np.ndarray:
    """Images as float32 (num_records, channels, height, width) in [0, 1]."""
    at = f"{where}: {keys.x}"
    with _open_member(archive, info, at) as stream:
        header = _read_array_header(stream, at)
        _check_pixel_header(header, keys, at)
        images = _to_unit_range(_read_values(stream, info, header, at), keys, at)
    return np.ascontiguousarray(np.moveaxis(images, keys.channel_axis, 1))


def _check_pixel_header(header: _ArrayHeader, keys: _Keys, at: str) -> None:
    if not _PIXEL_KINDS.fullmatch(header.kind):
        raise InputError(
            f"{at} has dtype {shown(header.kind[:20])}: it must be float16, float32 or float64 in [0, 1], or uint8"
        )
    if len(header.shape) not in (3, 4):
        raise InputError(
            f"{at} has {len(header.shape)} dimensions, shape {_shape_text(header.shape)}: it must be "
            "(num_records, height, width) or (num_records, channels, height, width)"
        )
    if len(header.shape) == 4 and header.shape[keys.channel_axis] not in (1, 3):
        advice = keys.advice if {header.shape[1], header.shape[3]} & {1, 3} else ""
        raise InputError(
            f"{at} has {header.shape[keys.channel_axis]} channels, shape {_shape_text(header.shape)}: 1 or 3{advice}"
        )
    if header.shape[0] == 0:
        raise InputError(f"{at} holds 0 records; at least 1 is needed")
    first_side = 1 if len(header.shape) == 3 or keys.channel_axis == 3 else 2
    check_sides(at, header.shape[first_side], header.shape[first_side + 1])
    check_num_values(at, header.num_values)


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"({', '.join(str(size) for size in shape[:8])}{', ...' if len(shape) > 8 else ''})"


def _to_unit_range(raw: np.ndarray, keys: _Keys, at: str) -> np.ndarray:
    images = raw if raw.ndim == 4 else np.expand_dims(raw, keys.channel_axis)
    converted = np.empty(images.shape, dtype=np.float32)
    step = max(1, _CONVERTED_AT_ONCE // math.prod(images.shape[1:]))
    for start in range(0, len(images), step):
        block = images[start : start + step]
        if raw.dtype == np.uint8:
            np.divide(block, 255, out=converted[start : start + step], dtype=np.float32)
            continue
        with np.errstate(invalid="ignore"):  # a signalling NaN is found below, without a warning
            inside = (block >= 0) & (block <= 1)
            if not inside.all():
                _refuse_pixel(raw, start, np.argwhere(~inside.reshape(raw[start : start + step].shape))[0], at)
            converted[start : start + step] = block
    return converted


def _refuse_pixel(raw: np.ndarray, start: int, first: np.ndarray, at: str) -> None:
    index = (start + int(first[0]), *(int(position) for position in first[1:]))
    # Privacy: the index of the pixel is named, never its value.
    place = f"{at}[{', '.join(map(str, index))}]"
    if not np.isfinite(raw[index]):
        raise InputError(f"{place} is NaN or infinite: every pixel must be a number in [0, 1]")
    raise InputError(f"{place} is out of [0, 1]: divide by 255, or save 0 .. 255 as uint8")


def _labels(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, keys: _Keys, num_records: int, num_classes: int, where: str
) -> np.ndarray:
    """Labels as int64 (num_records,) in 0 .. num_classes - 1."""
    at = f"{where}: {keys.y}"
    with _open_member(archive, info, at) as stream:
        header = _read_array_header(stream, at)
        if not _LABEL_KINDS.fullmatch(header.kind):
            raise InputError(f"{at} has dtype {shown(header.kind[:20])}: labels must be integers: y.astype('int64')")
        if header.shape != (num_records,):
            raise InputError(
                f"{at} has shape {_shape_text(header.shape)}: one label for each of the {num_records} images, "
                f"shape ({num_records},), is needed"
            )
        raw = _read_values(stream, info, header, at)
    outside = np.flatnonzero((raw < 0) | (raw >= num_classes))
    if outside.size:
        raise InputError(
            f"{at}[{int(outside[0])}] is outside 0 .. {num_classes - 1}, the labels of {num_classes} classes: "
            "give the number of classes with --num-classes, or correct the label"
        )
    return raw.astype(np.int64)


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, at: str) -> BinaryIO:
    if info.flag_bits & 0x1:
        raise InputError(f"{at} is encrypted: save it with numpy.savez_compressed")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{at} is packed in a way numpy does not use: save it with numpy.savez_compressed")
    return cast("BinaryIO", archive.open(info))


def _read_array_header(stream: BinaryIO, at: str) -> _ArrayHeader:
    """Parse the header of a .npy member by pattern: nothing in the file is evaluated or unpickled."""
    start = stream.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise InputError(f"{at} is not a numpy array: save it with numpy.savez_compressed")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > _MAX_HEADER_BYTES:
        raise InputError(f"{at} has a header of {length} bytes: it must be a plain array of numbers or text")
    text = stream.read(length).decode("latin-1")
    # Arrays of Python objects can run code when loaded; arrays of fields have no pixels.
    if re.search(r"'descr'\s*:\s*(\[|'[<>|=]?[OV])", text):
        raise InputError(f"{at} holds Python objects or named fields: save a plain array, x.astype('float32')")
    kind, rest = _taken(r"'descr'\s*:\s*'([^']{1,20})'", text, at)
    order, rest = _taken(r"'fortran_order'\s*:\s*(True|False)", rest, at)
    sizes, rest = _taken(r"'shape'\s*:\s*\(([0-9,\s]*)\)", rest, at)
    if not re.fullmatch(r"\{[\s,]*\}\s*", rest):
        raise InputError(f"{at} has a damaged header: save the file again")
    shape = tuple(int(size) for size in sizes.split(",") if size.strip())
    return _ArrayHeader(kind=kind, shape=shape, fortran_order=order == "True", num_bytes=8 + width + length)


def _taken(pattern: str, text: str, at: str) -> tuple[str, str]:
    match = re.search(pattern, text)
    if match is None:
        raise InputError(f"{at} has a damaged header: save the file again")
    return match[1], text[: match.start()] + text[match.end() :]


def _read_values(stream: BinaryIO, info: zipfile.ZipInfo, header: _ArrayHeader, at: str) -> np.ndarray:
    promised = header.num_values * header.dtype.itemsize
    if header.num_bytes + promised != info.file_size:
        raise InputError(
            f"{at}: the header promises {promised} bytes of values, the archive lists "
            f"{max(0, info.file_size - header.num_bytes)}: save the file again"
        )
    check_expansion(at, promised, info.compress_size)
    content = read_promised(stream, promised, at)
    order = "F" if header.fortran_order else "C"
    return np.ndarray(header.shape, header.dtype, buffer=content, order=order)
