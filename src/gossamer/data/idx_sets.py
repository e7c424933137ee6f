"""A user's own images in IDX files, named as those of MNIST and EMNIST are, in a folder or by the path of one."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.archive import labels_in_range, public_classes
from gossamer.data.emnist import EmnistSet, emnist_of
from gossamer.data.files import is_file, is_folder, shown, title_of
from gossamer.data.idx import read_idx
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.npz import records_of, spec_of
from gossamer.data.pictures import is_picture
from gossamer.data.pixel_scale import PixelScale
from gossamer.data.records import RecordData, check_num_classes
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.splits import AbstractSplit, Rows, check_image_split, divide
from gossamer.data.value_ranges import ValueRanges
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_IMAGES: Final = re.compile(r"(?P<set>.*?)(?P<part>train|test|t10k)?-?images[-.]idx3-ubyte(?:\.gz)?")
_TEST_PARTS: Final = ("t10k", "test")


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A file of images, and that of their labels if it is there."""

    images: Path
    labels: Path | None


def is_idx_set(path: Path) -> bool:
    """Return True if a path leads to IDX images by their name, or to a folder that holds such files."""
    if is_folder(path):
        names = _names(path)
        return any(map(_IMAGES.fullmatch, names)) and not any(is_picture(Path(name)) for name in names)
    return _IMAGES.fullmatch(path.name) is not None


def load_idx_set(
    path: Path,
    *,
    num_classes: int | None = None,
    class_names: tuple[str, ...] = (),
    images: ImageChoice = AS_STORED,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Load a user's own IDX files, such as ``train-images-idx3-ubyte.gz`` with ``train-labels-idx1-ubyte.gz``.

    The part called train is read to learn from, and test or t10k beside it as the test set. The path of one file of
    images reads that file: with its test set if its part is train, and alone otherwise. Files of EMNIST are known by
    their names, ``emnist-letters-train-...``: classes and first label are then the published ones, and images stand up.

    Guarantee:
        The number of classes is a public input: it is given, or published for EMNIST, or the constant 10.

    Args:
        path: A file of images, or a folder with the files of one set.
        num_classes: Public number of classes.
        class_names: Public names of the classes.
        images: Way of reading images.
        split: Rule by which images are held out for testing, or None for the test set that lies beside them.
        key: Secret, by which a split holds some out. None for a new one.
        room: Place for the values.

    Returns:
        The images, with labels if a file of labels lies beside them.

    Raises:
        InputError: Naming the file that is missing, damaged or of another length, and never a value.
    """
    if num_classes is not None:
        check_num_classes(num_classes)
    train, test = _pairs(path)
    if split is not None:
        check_image_split(shown(path), split, has_test=test is not None, has_people=False)
    known = emnist_of(train.images.name)
    where = shown(train.images)
    names, notes = _classes(
        where, known, num_classes, class_names, images.first_label, has_labels=train.labels is not None
    )
    choice = images if known is None else _stood_up(images, known, where)
    if test is not None and (test.labels is None) != (train.labels is None):
        raise InputError(f"{where}: labels lie beside one part alone: copy the labels of both parts, or of neither")
    x, y, ranges = _read(train, choice, len(names), room)
    is_numbered = known is None and not class_names and bool(names)
    spec = spec_of(x, names, choice, is_numbered=is_numbered)
    name = title_of(path.name, "images")
    tested = None
    if test is not None:
        tested = records_of(f"{name} test", spec, *_read(test, choice, len(names), room)[:2], room)
    unlabelled = ("No file of labels lies beside the images.",) if train.labels is None else ()
    notes = (*notes, *unlabelled, *images.notes)
    if split is not None:
        return divide(Rows(name=name, spec=spec, x=x, y=y, ranges=ranges, room=room), split, notes, key)
    return RecordData(train=records_of(name, spec, x, y, room), test=tested, public_notes=notes, ranges=ranges)


def _classes(
    where: str,
    known: EmnistSet | None,
    num_classes: int | None,
    own: tuple[str, ...],
    first: int,
    *,
    has_labels: bool,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if known is None:
        return public_classes(where, num_classes, own, first, has_labels=has_labels)
    number = len(own) or num_classes or len(known.class_names)
    if number != len(known.class_names):
        raise InputError(
            f"{where}: EMNIST {known.name} has {len(known.class_names)} classes, and {number} were given: leave them "
            "out, or give the files another name"
        )
    said = (own or known.class_names) if has_labels else ()
    names, notes = public_classes(where, None, said, known.first_label, has_labels=has_labels)
    return names, (notes[0], *(known.notes if has_labels else known.notes[1:]))


def _stood_up(choice: ImageChoice, known: EmnistSet, where: str) -> ImageChoice:
    """Return the choice with the published facts of EMNIST in it."""
    if choice.transpose or choice.first_label not in (0, known.first_label):
        raise InputError(
            f"{where}: images of EMNIST are turned upright and its labels are known, by the names of its files: leave "
            "--transpose and --first-label out, or give the files another name"
        )
    return dataclasses.replace(choice, transpose=True, first_label=known.first_label)


def _pairs(path: Path) -> tuple[_Pair, _Pair | None]:
    """Return the files to learn from, and those to test with."""
    file = _first_of(path) if is_folder(path) else path
    found = _IMAGES.fullmatch(file.name)
    assert found is not None
    pair = _Pair(images=file, labels=_labels_beside(file))
    if found["part"] != "train":
        return pair, None
    names = [f"{found['set']}{part}{file.name[found.end('part') :]}" for part in _TEST_PARTS]
    others = [other for other in (_existing(file.parent, name) for name in names) if other is not None]
    if len(others) > 1:
        raise InputError(f"{shown(others[0])} and {shown(others[1])} could both be test images: move one away")
    return pair, _Pair(images=others[0], labels=_labels_beside(others[0])) if others else None


def _first_of(folder: Path) -> Path:
    """Return the images to learn from in a folder that holds one set."""
    found = [match for match in map(_IMAGES.fullmatch, _names(folder)) if match is not None]
    sets = sorted({match["set"] for match in found})
    if len(sets) > 1:
        raise InputError(
            f"{shown(folder)} holds the IDX files of {len(sets)} sets ({', '.join(map(shown, sets[:6]))}): name the "
            "file of the images to learn from"
        )
    usual = [match for match in found if match["part"] == "train"] or found
    parts = sorted({match["part"] or "" for match in usual})
    if len(parts) > 1:
        raise InputError(f"{shown(folder)} holds IDX images for tests alone: name the file of the images to learn from")
    # The packed and the plain file are one, as published: the packed one is taken, as for the named sets.
    return folder / sorted(match.string for match in usual)[-1]


def _labels_beside(images: Path) -> Path | None:
    """Return the file of labels beside a file of images, or None if there is none."""
    before, _, after = images.name.rpartition("images")
    stem = f"{before}labels"
    name = stem + after.replace("idx3", "idx1")
    found = _existing(images.parent, name)
    others = [other for other in _names(images.parent) if other.startswith(stem)]
    if found is None and others:
        raise InputError(
            f"{shown(images.parent / others[0])} looks like the labels of {shown(images.name)}, but has not the name "
            f"{shown(name)} of an IDX file of one byte a label: save it so, or move it away"
        )
    return found


def _existing(folder: Path, name: str) -> Path | None:
    plain = name.removesuffix(".gz")
    return next((folder / one for one in (f"{plain}.gz", plain) if is_file(folder / one)), None)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except (OSError, ValueError):
        # The reader that comes next says why the folder cannot be listed.
        return []


def _read(
    pair: _Pair, choice: ImageChoice, num_classes: int, room: AbstractRoom
) -> tuple[np.ndarray, np.ndarray | None, ValueRanges | None]:
    pixels, where = read_idx(pair.images, num_dims=3), shown(pair.images)
    if not len(pixels):
        raise InputError(f"{where} holds 0 images; at least 1 is needed: copy the file again")
    choice.check_stored(where, *pixels.shape[1:])
    scale = PixelScale(pixels.dtype, 1, choice, where)
    x = choice.read(pixels[:, None], scale.in_unit_range, room)
    if pair.labels is None:
        return x, None, scale.ranges()
    classes = read_idx(pair.labels, num_dims=1)
    if len(pixels) != len(classes):
        raise InputError(
            f"{shown(pair.labels)} holds {len(classes)} labels for {len(pixels)} images: copy both files again"
        )
    labels = labels_in_range(classes, shown(pair.labels), num_classes, choice.first_label)
    return x, labels, scale.ranges()
