"""A user's own images in a folder of pictures, with a sub-folder a class, a table of classes beside them, or none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from gossamer.data.class_words import labels_of_words
from gossamer.data.files import damage_refused, is_file, shown, title_of
from gossamer.data.folder_layout import checked_pictures, listed, parts_of, pictures_in
from gossamer.data.folder_names import class_name_of
from gossamer.data.identities import NamedPeople
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.picture_rules import AsRecords
from gossamer.data.picture_scale import PictureScale
from gossamer.data.picture_table import (
    FILE_COLUMN,
    LABEL_COLUMN,
    NO_WORDS,
    PictureTable,
    PictureWords,
    find_picture_table,
    read_picture_table,
    unread_notes,
)
from gossamer.data.pictures import read_picture
from gossamer.data.records import RecordData, RecordSet, check_num_classes, check_num_values
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import AbstractSplit, Rows, check_image_split, divide
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

UNFINISHED_FILE: Final = ".gossamer-unfinished"
"""File in a folder of converted pictures as long as some are missing."""
_TITLE: Final = "images"


def load_picture_folder(
    path: Path,
    *,
    num_classes: int | None = None,
    images: ImageChoice = AS_STORED,
    words: PictureWords = NO_WORDS,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
) -> RecordData:
    """Load a folder of pictures: PNG, JPEG, BMP, TIFF, WebP, PGM, PPM and GIF, mixed as they come.

    Each sub-folder is a class, in the order of the sorted names or that of `words`, and an empty one is a class without
    records. If the pictures lie straight in the folder, they have no labels. If `metadata.csv` or `metadata.jsonl`
    stands beside them, its column `label` has the classes. Sub-folders `train` and `test` are training and test data,
    each of one of these forms. Hidden names (``.x``), those of machines, README.md and croissant.json are left out.

    Guarantee:
        The names of the sub-folders are a public input. No pixel, no cell and no number of files decides a class.

    Args:
        path: The folder. Gray (up to 8 bits, or 16), palette and RGB (8 bits) images, all of one size unless they are
            resized. Palettes become RGB. Transparency is refused without a ground.
        num_classes: If given, the number of sub-folders that must be there, or of the classes in the table.
        images: Way of reading images.
        words: Columns of the table beside the pictures, and the names of its classes.
        split: Rule by which images are held out for testing, or None for the test set of the folder.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        The images, sorted by class and file name, with a test set if there is a sub-folder for it or a split.

    Raises:
        InputError: Naming the first file that breaks a rule, and never a pixel.
    """
    if num_classes is not None:
        check_num_classes(num_classes)
    if images.first_label:
        raise InputError(f"{shown(path)} has its classes by name and no labels: leave --first-label out")
    if is_file(path / UNFINISHED_FILE):
        raise InputError(
            f"{shown(path)} lacks pictures: `gossamer data convert` was interrupted, or met a picture that it refused. "
            "Give the same command again, and it goes on"
        )
    root = _resolved(path)
    parts = parts_of(path, root)
    train = _found(parts.train, root, num_classes, words)
    test = None if parts.test is None else _like(_found(parts.test, root, None, words, train), train)
    if split is not None:
        check_image_split(shown(path), split, has_test=test is not None, has_people=train.people is not None)
    name = title_of(path.name, _TITLE)
    people = _people_of(train, test)
    scale = PictureScale(images)
    x = _read_all(train.pictures, images, scale)
    spec = ImageSpec(
        channels=x.shape[1],
        height=x.shape[2],
        width=x.shape[3],
        class_names=train.class_names,
        are_classes_named=train.are_named,
    )
    notes = (*parts.notes, *_notes(images), *train.notes, *images.notes)
    if split is not None:
        rows = Rows(name=name, spec=spec, x=x, y=train.labels, people=train.people, ranges=scale.ranges())
        return divide(rows, split, notes, key)
    held_out = None
    if test is not None:
        other = _read_all(test.pictures, images, PictureScale(images))
        if other.shape[1:] != x.shape[1:]:
            raise _unlike(test.pictures[0], other[0], train.pictures[0], x[0])
        held_out = _records(name, spec, other, test, people[1])
    learnt_from = _records(name, spec, x, train, people[0])
    return RecordData(train=learnt_from, test=held_out, public_notes=notes, ranges=scale.ranges())


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """Pictures of one part, with their classes and people. Private, but for names and notes."""

    pictures: list[Path]
    labels: np.ndarray | None
    people: np.ndarray | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    are_named: bool = True


def _found(
    folder: Path, root: Path, num_classes: int | None, words: PictureWords, train: _Found | None = None
) -> _Found:
    table = find_picture_table(folder)
    if table is not None:
        return _of_table(folder, root, read_picture_table(table), num_classes, words, train)
    if words.label is not None or words.person is not None:
        raise InputError(
            f"{shown(folder)} has no metadata.csv beside its pictures, and classes are its sub-folders: leave "
            "--class-column and --person-column out, or add that table"
        )
    # The classes of a test part are those of the training part, some of which it may lack.
    return _of_folders(folder, root, num_classes, words.class_names if train is None else ())


def _of_folders(folder: Path, root: Path, num_classes: int | None, said: tuple[str, ...]) -> _Found:
    listing = listed(folder, root)
    if listing.folders and listing.files:
        raise InputError(
            f"{shown(folder)} holds sub-folders and also {shown(listing.files[0].name)}: "
            "put every image into the sub-folder of its class, or have no sub-folders"
        )
    names = tuple(class_name_of(one.name) for one in listing.folders)
    if said and set(said) != set(names):
        raise InputError(
            f"{shown(folder)} has {len(names)} sub-folders, one per class, and --class-names (class_names) says "
            "others: name each of them once, in the order of the labels, or leave the names out"
        )
    labelled = [
        (file, (said or names).index(name))
        for name, one in zip(names, listing.folders, strict=True)
        for file in pictures_in(one, root)
    ]
    if num_classes is not None and num_classes != len(listing.folders):
        raise InputError(
            f"{shown(folder)} has {len(listing.folders)} sub-folders, one per class, --num-classes says {num_classes}: "
            "make an empty sub-folder for a class without images, or correct the number"
        )
    pictures = [file for file, _ in labelled] if listing.folders else checked_pictures(listing.files)
    if not pictures:
        raise InputError(
            f"{shown(folder)} holds no picture; put at least 1 there, or one sub-folder of them for each class"
        )
    note = "The class names are those of the sub-folders and are taken as public."
    return _Found(
        pictures=pictures,
        labels=np.array([label for _, label in labelled], dtype=np.int64) if listing.folders else None,
        people=None,
        class_names=said or names,
        notes=(note,) if listing.folders else (),
    )


def _of_table(
    folder: Path,
    root: Path,
    table: PictureTable,
    num_classes: int | None,
    words: PictureWords,
    train: _Found | None,
) -> _Found:
    listing = listed(folder, root)
    there = [*checked_pictures(listing.files), *(file for one in listing.folders for file in pictures_in(one, root))]
    pictures = _named(folder, table, there)
    label = words.label or (LABEL_COLUMN if LABEL_COLUMN in table.columns else None)
    names = words.class_names or (() if train is None else train.class_names)
    if label is not None and not names and num_classes is None and listing.folders and not listing.files:
        names = tuple(class_name_of(one.name) for one in listing.folders)
    facts = SeriesFacts(class_names=names, num_classes=num_classes)
    class_names = facts.classes(label is not None, table.where)
    return _Found(
        pictures=pictures,
        labels=None if label is None else labels_of_words(table.names(label), class_names, table.where),
        people=None if words.person is None else table.names(words.person),
        class_names=class_names,
        notes=(*unread_notes(table, (FILE_COLUMN, label, words.person)), *facts.notes(label is not None)[2:]),
        are_named=bool(names) or not class_names,
    )


def _named(folder: Path, table: PictureTable, there: Sequence[Path]) -> list[Path]:
    """Return the picture of each row. Rows and pictures must be the same."""
    known = {path.relative_to(folder).as_posix(): path for path in there}
    files = table.files()
    missing = next((row for row, name in enumerate(files) if name not in known), None)
    if missing is not None:
        # Privacy: the row, not the name: a cell may be anything.
        raise InputError(f"{table.where}: the picture of row {missing + 1} is not there: copy it, or drop the row")
    unnamed = next(iter(sorted(known.keys() - set(files))), None)
    if unnamed is not None:
        raise InputError(f"{shown(known[unnamed])} has no row in {table.where}: add one, or move the picture away")
    return [known[name] for name in files]


def _like(test: _Found, train: _Found) -> _Found:
    """Return the test part with the labels of the training part, which is matched by the names of the classes."""
    if (test.labels is None) != (train.labels is None):
        raise InputError(f"{shown(test.pictures[0].parent)}: train has classes and test none, or test alone: sort both")
    unknown = [name for name in test.class_names if name not in train.class_names]
    if unknown:
        raise InputError(
            f"{shown(test.pictures[0].parent.parent)} has the class {shown(unknown[0])}, which train has not: make an "
            "empty sub-folder for it in train"
        )
    if test.labels is None:
        return test
    numbers = np.array([train.class_names.index(name) for name in test.class_names], dtype=np.int64)
    return _Found(
        pictures=test.pictures,
        labels=numbers[test.labels],
        people=test.people,
        class_names=train.class_names,
        notes=test.notes,
    )


def _people_of(train: _Found, test: _Found | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the people of both parts, in which a person has one number."""
    if train.people is None:
        return {}, {}
    if test is None or test.people is None:
        return NamedPeople.of(train.people).of_records(), {}
    both, num = NamedPeople.of(np.concatenate([train.people, test.people])), len(train.people)
    return both.of_records(slice(None, num)), both.of_records(slice(num, None))


def _records(name: str, spec: ImageSpec, x: np.ndarray, found: _Found, people: dict[str, Any]) -> RecordSet:
    import torch

    y = None if found.labels is None else torch.from_numpy(found.labels)
    return RecordSet(name=name, spec=spec, x=torch.from_numpy(x), y=y, **people)


def _notes(choice: ImageChoice) -> tuple[str, ...]:
    read = "image shape" if choice.size is None else "number of channels"
    return (f"The {read} was read from the files' format and is taken as public.",)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"{shown(path)} cannot be reached: check the path and its permissions") from None


def _read_all(paths: Sequence[Path], choice: ImageChoice, scale: PictureScale) -> np.ndarray:
    """Read all images as float32 (num_records, channels, height, width) in [0, 1], each changed to the choice."""
    rules = AsRecords(choice=choice)

    def read(path: Path) -> np.ndarray:
        return choice.changed(scale.in_unit_range(read_picture(path, rules), path)[None])[0]

    first = read(paths[0])
    shape = (len(paths), *first.shape)
    check_num_values(shown(paths[0].parent), math.prod(shape))
    with damage_refused(shown(paths[0].parent)):
        x = np.empty(shape, dtype=np.float32)
    for index, path in enumerate(paths):
        image = first if index == 0 else read(path)
        if image.shape != first.shape:
            raise _unlike(path, image, paths[0], first)
        x[index] = image
    return x


def _unlike(path: Path, image: np.ndarray, first_path: Path, first: np.ndarray) -> InputError:
    """Return the refusal of an image of another size or kind than the first."""
    (channels, height, width), (others, tall, wide) = image.shape, first.shape
    if (height, width) != (tall, wide):
        return InputError(
            f"{shown(path)} is {height} x {width} (height x width), {shown(first_path)} is {tall} x {wide}: all images "
            "must have one size; --resize HxW brings them to one, or `gossamer data convert` by cropping or padding"
        )
    return InputError(
        f"{shown(path)} has {channels} channels, {shown(first_path)} has {others}: "
        "make all images gray (--gray) or all RGB"
    )
