"""Safe reading of NPZ files, in which nothing is unpickled, and the classes, labels and people of any records."""

from __future__ import annotations

import contextlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from gossamer.data.array_stream import (
    ArrayHeader,
    Part,
    array_of_stream,
    blocks_of_stream,
    parts_of_stream,
    read_array_header,
    shape_text,
)
from gossamer.data.files import check_expansion, damage_refused, open_regular, shown
from gossamer.data.names import is_whole, names_of_array
from gossamer.data.records import (
    DEFAULT_NUM_CLASSES,
    MAX_CLASSES,
    MAX_NAME_LENGTH,
    check_class_names,
    check_names,
)
from gossamer.data.row_names import RowNames
from gossamer.errors import InputError

MAX_MEMBERS: Final = 1000
"""Largest number of arrays in an archive."""
MAX_DIRECTORY_BYTES: Final = 4 * 2**20
"""Largest directory of an archive in bytes. Read at once, a directory takes twenty times as much memory."""
_SHAPE_NOTE: Final = "The shape and whether there are labels were read from the file's format and are taken as public."
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
        size = os.fstat(file.fileno()).st_size
        with zipfile.ZipFile(cast("BinaryIO", _SparingReader(file, where))) as unpacker:
            yield Archive(where=where, members=_members(unpacker, where), unpacker=unpacker, num_bytes=size)


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """An open NPZ file.

    Attributes:
        where: Beginning of a message, the file.
        members: Its arrays by key, packed.
        unpacker: The file itself.
        num_bytes: Length of the file.
    """

    where: str
    members: dict[str, zipfile.ZipInfo]
    unpacker: zipfile.ZipFile
    num_bytes: int

    def at(self, key: str) -> str:
        """Return the beginning of a message on an array."""
        return f"{self.where}: {key}"

    def header(self, key: str) -> ArrayHeader:
        """Read the header of an array.

        Raises:
            InputError: The array is encrypted, packed in another way than numpy's, or no plain array.
        """
        with self._opened(key) as stream:
            return read_array_header(stream, self.at(key))

    def values(self, key: str) -> np.ndarray:
        """Read an array, and no more of it than its header promises.

        Raises:
            InputError: As `header`. Or the sizes disagree, or would unpack to an absurd multiple.
        """
        with self._opened(key) as stream:
            return array_of_stream(stream, self._checked(stream, key), self.at(key))

    def blocks(self, key: str) -> Iterator[np.ndarray]:
        """Read an array block after block along its first axis, so that it is never whole in memory.

        An array in Fortran order is read whole first, since its records are not stored one after the other.

        Raises:
            InputError: As `values`, when the block with the fault is asked for.
        """
        with self._opened(key) as stream:
            yield from blocks_of_stream(stream, self._checked(stream, key), self.at(key))

    def parts(self, key: str) -> Iterator[Part]:
        """Read an array part after part, as its values are stored, so that it is never whole in memory.

        Raises:
            InputError: As `values`, when the part with the fault is asked for.
        """
        with self._opened(key) as stream:
            yield from parts_of_stream(stream, self._checked(stream, key), self.at(key))

    def _checked(self, stream: BinaryIO, key: str) -> ArrayHeader:
        """Read the header, and refuse an array of another size than the archive lists."""
        at, info = self.at(key), self.members[key]
        header = read_array_header(stream, at)
        promised = header.num_value_bytes
        if header.num_bytes + promised != info.file_size:
            raise InputError(
                f"{at}: the header promises {promised} bytes of values, the archive lists "
                f"{max(0, info.file_size - header.num_bytes)}: save the file again"
            )
        # The list in the archive may lie, and room for all records is made before the last one is read.
        check_expansion(at, promised, min(info.compress_size, self.num_bytes))
        return header

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


def class_names_of(
    archive: Archive, y_key: str | None, num_classes: int | None, own: tuple[str, ...] = (), first: int = 0
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the class names, and the sentences on the inputs taken for public, from public inputs alone.

    Args:
        archive: The file.
        y_key: Key of the labels, or None without labels.
        num_classes: Number of classes that the user gave, or None.
        own: Names that the user gave, or empty.
        first: Public label of the first class.

    Raises:
        InputError: There are classes and no labels, or two numbers of classes.
    """
    where, members = archive.where, archive.members
    if y_key is None and "class_names" in members:
        raise InputError(f"{where} has no labels y, but classes were given: add them, or drop the classes")
    if y_key is None or own or "class_names" not in members:
        return public_classes(where, num_classes, own, first, has_labels=y_key is not None)
    names = read_names(archive, "class_names")
    if num_classes is not None and num_classes != len(names):
        raise InputError(
            f"{where}: class_names has {len(names)} names, --num-classes says {num_classes}: make them agree"
        )
    return names, (_SHAPE_NOTE, "The class names were read from class_names in the file and are taken as public.")


def public_classes(
    where: str, num_classes: int | None, own: tuple[str, ...], first: int = 0, *, has_labels: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the class names of images in arrays by the words of the user alone, and sentences on them.

    Args:
        where: Beginning of the message.
        num_classes: Number of classes, or None.
        own: Names of the classes, or empty.
        first: Public label of the first class.
        has_labels: True if there are labels.

    Raises:
        InputError: There are classes and no labels, or names of another number.
    """
    if not has_labels:
        if num_classes is not None or own:
            raise InputError(f"{where} has no labels y, but classes were given: add them, or drop the classes")
        return (), (_SHAPE_NOTE,)
    if own:
        check_class_names(own)
        if num_classes not in (None, len(own)):
            raise InputError(f"{where}: --num-classes says {num_classes}, --class-names {len(own)}: make them agree")
        for place, name in enumerate(own, first):
            if is_whole(name.strip()) and int(name) != place:
                raise InputError(
                    f"{where}: class_names[{place - first}] is a number other than its label, {place}: name classes by "
                    "words, or say --first-label 1 if labels begin with 1"
                )
        return own, (_SHAPE_NOTE, "The class names were given by the user.")
    if num_classes is not None:
        names = tuple(str(label + first) for label in range(num_classes))
        return names, (_SHAPE_NOTE, f"The number of classes, {num_classes}, was given by the user.")
    # Privacy: a constant; the largest label of private data must not decide the shape of a public network.
    assumed = (
        f"The number of classes was not given: the public default of {DEFAULT_NUM_CLASSES} (labels 0 to "
        f"{DEFAULT_NUM_CLASSES - 1}) was assumed, whatever the labels are; --num-classes changes it."
    )
    return tuple(str(label + first) for label in range(DEFAULT_NUM_CLASSES)), (_SHAPE_NOTE, assumed)


def read_labels(archive: Archive, key: str, num_records: int, num_classes: int, first: int = 0) -> np.ndarray:
    """Read the labels as int64 (num_records,) in 0 .. num_classes - 1, from one integer for each record.

    Args:
        archive: The file.
        key: Key of the labels, of shape (num_records,) or (num_records, 1).
        num_records: Number of records.
        num_classes: Public number of classes.
        first: Public label of the first class.

    Raises:
        InputError: Labels of another kind or shape, or outside the classes. The place is named, never the label.
    """
    at, header = archive.at(key), archive.header(key)
    if not _LABEL_KINDS.fullmatch(header.kind):
        way_out = "y.astype('int64')"
        if header.kind.lstrip("<>|=")[:1] in ("U", "S", "O"):
            way_out = "names, y = numpy.unique(y, return_inverse=True), and save class_names=names of text"
        raise InputError(
            f"{at} has dtype {shown(header.kind[:20])}: labels must be integers: {way_out}"
            + ("" if key == "y" else f", or leave {key[:40]} out if it holds no labels")
        )
    if len(header.shape) == 2 and header.shape[0] == num_records and header.shape[1] != 1:
        raise InputError(
            f"{at} has shape {shape_text(header.shape)}: one label for each record is needed: y.argmax(axis=1) if one "
            "of each row is 1; records of several classes at once are not read"
        )
    if header.shape != (num_records, 1):
        _check_one_each("label", header, num_records, at)
    return labels_in_range(archive.values(key).ravel(), at, num_classes, first)


def labels_in_range(raw: np.ndarray, at: str, num_classes: int, first: int = 0) -> np.ndarray:
    """Return labels that begin with `first` as int64 in 0 .. num_classes - 1.

    Raises:
        InputError: A label is outside the classes. Its place is named, never the label.
    """
    outside = np.flatnonzero((raw < first) | (raw >= num_classes + first))
    if outside.size:
        count = "--first-label 1 if labels of images begin with 1" if first == 0 else "--first-label 0 if they do not"
        raise InputError(
            f"{at}[{int(outside[0])}] is outside {first} .. {num_classes + first - 1}, the labels of {num_classes} "
            f"classes: give the number of classes with --num-classes ({count}), or correct the label"
        )
    return raw.astype(np.int64) - first


def people_of(archive: Archive, num_records: int) -> RowNames | None:
    """Read the person of each record from the key `person`: a name, by the rule of `names`.

    Returns:
        A name for each record, private. None if the file names nobody.

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
