"""A user's own images or series in an NPY file: one array, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from gossamer.data.archive import public_classes
from gossamer.data.array_stream import ArrayHeader, blocks_of_stream, parts_of_stream, read_array_header
from gossamer.data.files import damage_refused, is_file, open_regular, shown, title_of
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.npz import read_pixels, records_of
from gossamer.data.npz_keys import BY_SHAPE
from gossamer.data.records import RecordData
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.series_npz import StoredSeries, rows_of_array
from gossamer.data.splits import WHOLE, AbstractSplit, Rows, divide
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_MAGIC: Final = b"\x93NUMPY"
_WITH_LABELS: Final = "for labels save both: numpy.savez_compressed('data.npz', x=x, y=y)"


def is_npy(path: Path) -> bool:
    """Return True if a path leads to an NPY file, by its first bytes."""
    if not is_file(path):
        return False
    with open_regular(path) as file:
        return file.read(len(_MAGIC)) == _MAGIC


def load_npy_images(
    path: Path,
    *,
    num_classes: int | None = None,
    class_names: tuple[str, ...] = (),
    images: ImageChoice = AS_STORED,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Load images from an NPY file, (num_records, height, width) or with the channels second or last.

    Args:
        path: The file.
        num_classes: Refused, since there are no labels.
        class_names: Refused too.
        images: Way of reading images.
        split: Rule by which images are held out for testing, or None for no test set.
        key: Secret, by which a split holds some out. None for a new one.
        room: Place for the values.

    Returns:
        The images without labels.

    Raises:
        InputError: Naming the first index that breaks a rule, and never a value.
    """
    where = shown(path)
    _refuse_classes(where, num_classes is not None or bool(class_names))
    with _opened(path, where) as (file, header):
        x, ranges = read_pixels(header, blocks_of_stream(file, header, where), BY_SHAPE, images, where, room)
    spec = ImageSpec(channels=x.shape[1], height=x.shape[2], width=x.shape[3])
    _, notes = public_classes(where, None, (), has_labels=False)
    name = title_of(path.stem, "images")
    if split is not None:
        return divide(Rows(name=name, spec=spec, x=x, ranges=ranges, room=room), split, (*notes, *images.notes), key)
    return RecordData(train=records_of(name, spec, x, None, room), public_notes=(*notes, *images.notes), ranges=ranges)


def load_npy_series(
    path: Path,
    facts: SeriesFacts,
    split: AbstractSplit = WHOLE,
    key: UnitKey | None = None,
    windows: Windows | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Load series from an NPY file, (batch, channels, time) or (batch, time).

    Args:
        path: The file.
        facts: Public facts by the user.
        split: Rule by which series are held out for testing.
        key: Secret, by which a split holds some out. None for a new one.
        windows: Rule that cuts each series, as a recording, in windows. None to keep it whole.
        room: Place for the values of series that are kept whole.

    Returns:
        The series without labels.

    Raises:
        InputError: Naming the place of the fault, and never a value.
    """
    where = shown(path)
    _refuse_classes(where, facts.num_classes is not None or bool(facts.class_names))
    with _opened(path, where) as (file, header):
        name = title_of(path.stem, "series")
        stored = StoredSeries(name=name, at=where, header=header, parts=parts_of_stream(file, header, where))
        rows = rows_of_array(stored, facts, (), windows, room=room)
    return divide(rows, split, facts.notes(False), key)


@contextmanager
def _opened(path: Path, where: str) -> Iterator[tuple[BinaryIO, ArrayHeader]]:
    with open_regular(path) as file, damage_refused(where):
        header = read_array_header(file, where)
        promised, there = header.num_value_bytes, path.stat().st_size - header.num_bytes
        if promised != there:
            raise InputError(f"{where}: the header promises {promised} bytes, {there} are there: copy the file again")
        yield file, header


def _refuse_classes(where: str, is_said: bool) -> None:
    if is_said:
        raise InputError(f"{where} is one array without labels, but classes were given: {_WITH_LABELS}")
