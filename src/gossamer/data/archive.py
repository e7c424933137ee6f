"""Safe reading of NPZ files, in which nothing is unpickled, and the classes, labels and people of any records."""

from __future__ import annotations

import contextlib
import io
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from gossamer.data.files import check_expansion, damage_refused, open_regular, read_promised, shown
from gossamer.data.names import names_of_array
from gossamer.data.records import (
    DEFAULT_NUM_CLASSES,
    MAX_CLASSES,
    MAX_NAME_LENGTH,
    check_names,
    numbered,
)
from gossamer.errors import InputError

MAX_MEMBERS: Final = 1000
"""Largest number of arrays in an archive."""
MAX_DIRECTORY_BYTES: Final = 4 * 2**20
"""Largest directory of an archive in bytes. Read at once, a directory takes twenty times as much memory."""
_TEXTS: Final = ("person", "people", "class_names", "channel_names")
_MAX_HEADER_BYTES: Final = 4096
_MAX_DIGITS: Final = 18
_LABEL_KINDS: Final = re.compile(r"[<>|=]?[iu][1248]")
_NUMBER_KINDS: Final = re.compile(r"[<>|=]?f[248]")
_NAME_KINDS: Final = re.compile(r"[<>=]?U[0-9]{1,4}")
_PERSON_KINDS: Final = re.compile(r"[<>|=]?(?:[iu][1248]|f[248]|b1|[US][0-9]{1,4})")


@contextlib.contextmanager
def open_archive(path: Path, where: str) -> Iterator[Archive]:
    """Open an NPZ file, and turn any error of a decoder on a damaged file into one line.

    Raises:
        InputError: The file is absent, no NPZ file, or damaged, or it holds too many arrays, or two of one name.
    """
    with open_regular(path) as file, damage_refused(where):
        if not zipfile.is_zipfile(file):
            raise InputError(f"{where} is not an NPZ file: make one with numpy.savez_compressed(path, x=images)")
        with zipfile.ZipFile(cast("BinaryIO", _SparingReader(file, where))) as unpacker:
            yield Archive(where=where, members=_members(unpacker, where), unpacker=unpacker)


def _members(unpacker: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    infos = unpacker.infolist()
    if len(infos) > MAX_MEMBERS:
        raise InputError(f"{where} holds {len(infos)} arrays, at most {MAX_MEMBERS} are read: save x and y alone")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        key = info.filename.removesuffix(".npy")
        if key in members:
            raise InputError(f"{where} holds the key {shown(key)} twice: save the file again with every key once")
        members[key] = info
    return members


class _SparingReader(io.BufferedIOBase):
    """A file that hands out no more at a time than the directory of an honest archive needs.

    The file states the length of its directory, twice if it is large, and not always with one value. So the limit is on
    the length that the unpacker asks for.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file = file
        self._where = where

    def read(self, size: int | None = -1) -> bytes:
        """Read a number of bytes, or to the end."""
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise InputError(
                f"{self._where} has a directory of {size} bytes, at most {MAX_DIRECTORY_BYTES} are read: "
                "save x and y alone"
            )
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True, since every file can be sought."""
        return True


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """An open NPZ file.

    Attributes:
        where: Beginning of a message, the file.
        members: Its arrays by key, packed.
        unpacker: The file itself.
    """

    where: str
    members: dict[str, zipfile.ZipInfo]
    unpacker: zipfile.ZipFile

    def at(self, key: str) -> str:
        """Return the beginning of a message on an array."""
        return f"{self.where}: {key}"

    def header(self, key: str) -> ArrayHeader:
        """Read the header of an array.

        Raises:
            InputError: The array is encrypted, packed in another way than numpy's, or no plain array.
        """
        with self._opened(key) as stream:
            return _read_header(stream, self.at(key))

    def values(self, key: str) -> np.ndarray:
        """Read an array, and no more of it than its header promises.

        Raises:
            InputError: As `header`. Or the sizes disagree, or would unpack to an absurd multiple.
        """
        at, info = self.at(key), self.members[key]
        with self._opened(key) as stream:
            header = _read_header(stream, at)
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

    def _opened(self, key: str) -> BinaryIO:
        """Open a member, if numpy can have written it."""
        info = self.members[key]
        if info.flag_bits & 0x1:
            raise InputError(f"{self.at(key)} is encrypted: save it with numpy.savez_compressed")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"{self.at(key)} is packed in a way numpy does not use: save it with numpy.savez_compressed"
            )
        return cast("BinaryIO", self.unpacker.open(info))


def _read_header(stream: BinaryIO, at: str) -> ArrayHeader:
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


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as it may stand in a message."""
    return f"({', '.join(str(size) for size in shape[:8])}{', ...' if len(shape) > 8 else ''})"


def read_names(archive: Archive, key: str) -> tuple[str, ...]:
    """Read the public names of classes or channels.

    Raises:
        InputError: The names are not text, or a name breaks a rule.
    """
    names = read_texts(archive, key)
    try:
        check_names(key, names)
    except InputError as error:
        raise InputError(f"{archive.where}: {error}") from None
    return names


def read_texts(archive: Archive, key: str) -> tuple[str, ...]:
    """Read a few short public texts, which may be alike.

    Raises:
        InputError: They are no text, too many or too long.
    """
    at, header = archive.at(key), archive.header(key)
    if not _NAME_KINDS.fullmatch(header.kind) or len(header.shape) != 1:
        raise InputError(f"{at} must be a 1-D array of text: save numpy.array(['cat', 'dog'])")
    if not 1 <= header.num_values <= MAX_CLASSES or header.dtype.itemsize > 4 * MAX_NAME_LENGTH:
        raise InputError(
            f"{at} must hold 1 to {MAX_CLASSES} names of at most {MAX_NAME_LENGTH} characters: shorten or merge them"
        )
    return tuple(str(name) for name in archive.values(key).tolist())


def read_numbers(archive: Archive, key: str) -> tuple[float, ...]:
    """Read a few public numbers: one, or a 1-D array of them.

    Raises:
        InputError: They are not numbers, or more than 1,000.
    """
    header = archive.header(key)
    is_number = _NUMBER_KINDS.fullmatch(header.kind) or _LABEL_KINDS.fullmatch(header.kind)
    if not is_number or len(header.shape) > 1 or not 1 <= header.num_values <= MAX_CLASSES:
        raise InputError(f"{archive.at(key)} must be a number, or a 1-D array with one per channel")
    return tuple(float(value) for value in archive.values(key).ravel())


def class_names_of(archive: Archive, y_key: str, num_classes: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the class names, and the sentences on the inputs taken for public, from public inputs alone."""
    where, members = archive.where, archive.members
    shape = "The shape and whether there are labels were read from the file's format and are taken as public."
    if y_key not in members:
        if num_classes is not None or "class_names" in members:
            raise InputError(f"{where} has no labels {y_key}, but classes were given: add them, or drop the classes")
        return (), (shape,)
    if "class_names" in members:
        names = read_names(archive, "class_names")
        if num_classes is not None and num_classes != len(names):
            raise InputError(
                f"{where}: class_names has {len(names)} names, --num-classes says {num_classes}: make them agree"
            )
        return names, (shape, "The class names were read from class_names in the file and are taken as public.")
    if num_classes is not None:
        return numbered(num_classes), (shape, f"The number of classes, {num_classes}, was given by the user.")
    # Privacy: a constant; the largest label of private data must not decide the shape of a public network.
    assumed = (
        f"The number of classes was not given: the public default of {DEFAULT_NUM_CLASSES} (labels 0 to "
        f"{DEFAULT_NUM_CLASSES - 1}) was assumed, whatever the labels are; --num-classes changes it."
    )
    return numbered(DEFAULT_NUM_CLASSES), (shape, assumed)


def read_labels(archive: Archive, key: str, num_records: int, num_classes: int) -> np.ndarray:
    """Read the labels as int64 (num_records,) in 0 .. num_classes - 1."""
    at, header = archive.at(key), archive.header(key)
    if not _LABEL_KINDS.fullmatch(header.kind):
        raise InputError(f"{at} has dtype {shown(header.kind[:20])}: labels must be integers: y.astype('int64')")
    _check_one_each("label", header, num_records, at)
    raw = archive.values(key)
    outside = np.flatnonzero((raw < 0) | (raw >= num_classes))
    if outside.size:
        raise InputError(
            f"{at}[{int(outside[0])}] is outside 0 .. {num_classes - 1}, the labels of {num_classes} classes: "
            "give the number of classes with --num-classes, or correct the label"
        )
    return raw.astype(np.int64)


def people_of(archive: Archive, num_records: int) -> np.ndarray | None:
    """Read the person of each record from the key `person`: a name, by the rule of `names`.

    Returns:
        Text (num_records,), private. None if the file names nobody.

    Raises:
        InputError: Two keys could be meant, a record has no name, or there is not one name for each record.
    """
    if "people" in archive.members:
        raise InputError(
            f"{archive.where} has the key 'people': who a record is of stands under 'person', and there alone"
        )
    if "person" not in archive.members:
        return None
    at, header = archive.at("person"), archive.header("person")
    if not _PERSON_KINDS.fullmatch(header.kind):
        raise InputError(f"{at} has dtype {shown(header.kind[:20])}: name people by numbers or text")
    _check_one_each("person", header, num_records, at)
    return names_of_array(archive.values("person"), lambda record: f"{at}[{record}]")


def _check_one_each(what: str, header: ArrayHeader, num_records: int, at: str) -> None:
    if header.shape != (num_records,):
        raise InputError(
            f"{at} has shape {shape_text(header.shape)}: one {what} for each of the {num_records} records, "
            f"shape ({num_records},), is needed"
        )
