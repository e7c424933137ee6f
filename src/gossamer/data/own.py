"""Records of a user's own, by path: each kind of file or folder has a reader, in one list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer.data.columns import is_table
from gossamer.data.dicom import facts_of_classes, load_dicom_folder
from gossamer.data.dicom_files import is_dicom_folder
from gossamer.data.edf_folder import is_edf, load_edf
from gossamer.data.files import is_folder, shown
from gossamer.data.folder import load_picture_folder
from gossamer.data.idx_sets import is_idx_set, load_idx_set
from gossamer.data.image_choice import ImageChoice
from gossamer.data.layouts import WideColumns
from gossamer.data.npy import is_npy, load_npy_images, load_npy_series
from gossamer.data.npz import load_npz
from gossamer.data.picture_table import PictureWords
from gossamer.data.reading import (
    AS_USUAL,
    SeriesReading,
    refuse,
    refuse_alpha,
    refuse_dicom,
    refuse_images,
    refuse_pixels,
)
from gossamer.data.records import RecordData
from gossamer.data.refused_kinds import refuse_kind
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.series_npz import is_series_npz, load_series_npz
from gossamer.data.splits import WHOLE, AbstractSplit
from gossamer.data.tables import load_table
from gossamer.data.ucr import is_ucr_file, load_ucr
from gossamer.data.wfdb_folder import USUAL_ANNOTATOR, is_wfdb_folder, load_wfdb_folder
from gossamer.data.wfdb_records import NamedLeads
from gossamer.data.wfdb_windows import load_wfdb_windows
from gossamer.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A path, and all that its owner said of the records there.

    Args:
        path: An existing file or folder.
        num_classes: Public number of classes, or None.
        reading: Way of reading series.
        images: Way of reading images.
    """

    path: Path
    num_classes: int | None
    reading: SeriesReading
    images: ImageChoice

    @property
    def where(self) -> str:
        """Path, quoted: the beginning of a message."""
        return shown(self.path)

    @property
    def facts(self) -> SeriesFacts:
        """Public facts of series, with the number of classes."""
        facts = self.reading.facts
        return facts if self.num_classes is None else dataclasses.replace(facts, num_classes=self.num_classes)

    @property
    def split(self) -> AbstractSplit:
        """Split that was asked for, or no test set."""
        return self.reading.split or WHOLE


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file or folder, with its reader.

    Args:
        fits: Return True if the path leads to this kind. It looks at names and first bytes.
        load: Reader. It refuses the options that do not fit its kind.
    """

    fits: Callable[[Asked], bool]
    load: Callable[[Asked], RecordData]


def load_own(asked: Asked) -> RecordData:
    """Load the records at a path of the user's own, by the first kind in `KINDS` that fits.

    Raises:
        InputError: The content breaks a rule, or an option does not fit the kind.
    """
    if not is_folder(asked.path):
        refuse_kind(asked.path)
    return next(kind for kind in KINDS if kind.fits(asked)).load(asked)


def _load_recordings(asked: Asked) -> RecordData:
    refuse_images(asked.where, asked.images)
    if asked.num_classes is not None:
        raise InputError(
            f"{asked.where} holds recordings: their beats have the classes of AAMI, of which --class-names keeps some, "
            "and their windows have none: leave --num-classes out"
        )
    reading, own = asked.reading, asked.reading.facts.channel_names
    refuse(asked.where, reading.is_of_table, "recordings have no columns")
    leads = reading.leads or (NamedLeads(names=own) if own else None)
    if reading.windows is not None:
        refuse(asked.where, reading.annotator is not None, "windows are cut without annotations")
        return load_wfdb_windows(
            asked.path, reading.windows, reading.facts, leads=leads, split=asked.split, key=reading.key
        )
    others = dataclasses.replace(reading.facts, channel_names=(), class_names=())
    by_layout = "the layout of the beats says their bounds, length, rate and unit, and --window cuts without beats"
    refuse(asked.where, others != AS_USUAL.facts, by_layout)
    return load_wfdb_folder(
        asked.path,
        leads=leads,
        layout=reading.layout,
        split=asked.split,
        annotator=reading.annotator or USUAL_ANNOTATOR,
        class_names=reading.facts.class_names,
        key=reading.key,
    )


def _load_edf(asked: Asked) -> RecordData:
    refuse_images(asked.where, asked.images)
    reading = asked.reading
    refuse(asked.where, reading.is_of_table, "recordings have no columns")
    _refuse_recordings(asked, "its recordings are cut in windows, by --window, and --channel-names chooses signals")
    if asked.num_classes is not None:
        raise InputError(
            f"{asked.where} holds EDF recordings, whose annotations name classes: give --class-names in place of "
            "--num-classes"
        )
    return load_edf(asked.path, reading.windows, asked.facts, asked.split, reading.key)


def _load_dicom(asked: Asked) -> RecordData:
    refuse_pixels(asked.where, asked.images)
    refuse_alpha(asked.where, asked.images)
    classes = facts_of_classes(asked.facts)
    usual = dataclasses.replace(AS_USUAL, facts=classes, split=asked.reading.split)
    of_images = dataclasses.replace(asked.reading, facts=asked.facts) == usual
    refuse(asked.where, not of_images, "it holds images, of which only classes and a split can be said")
    return load_dicom_folder(
        asked.path, images=asked.images, classes=classes, split=asked.reading.split, key=asked.reading.key
    )


def _load_pictures(asked: Asked) -> RecordData:
    refuse_dicom(asked.where, asked.images)
    names, columns = asked.reading.facts.class_names, asked.reading.columns
    label, person = (columns.label, columns.person) if isinstance(columns, WideColumns) else (None, None)
    split, key = asked.reading.split, asked.reading.key
    columns = WideColumns(label=label, person=person)
    known = SeriesReading(facts=SeriesFacts(class_names=names), columns=columns, split=split)
    refuse(asked.where, asked.reading != known, "it holds images")
    words = PictureWords(label=label, person=person, class_names=names)
    return load_picture_folder(
        asked.path, num_classes=asked.num_classes, images=asked.images, words=words, split=split, key=key
    )


def _load_table(asked: Asked) -> RecordData:
    refuse_images(asked.where, asked.images)
    _refuse_recordings(asked, "it is a table")
    reading = asked.reading
    return load_table(
        asked.path,
        reading.columns,
        asked.facts,
        asked.split,
        reading.key,
        reading.form,
        reading.windows,
        reading.room,
    )


def _load_ucr(asked: Asked) -> RecordData:
    refuse_images(asked.where, asked.images)
    refuse(asked.where, asked.reading.is_of_table, "a file of the UCR archive names no columns")
    _refuse_recordings(asked, "it holds no recordings with beats")
    reading = asked.reading
    return load_ucr(asked.path, asked.facts, reading.split, reading.key, reading.windows)


def _load_series_arrays(asked: Asked) -> RecordData:
    refuse_images(asked.where, asked.images)
    refuse(asked.where, asked.reading.is_of_table, "an NPZ file has keys, not columns")
    _refuse_recordings(asked, "it holds no recordings")
    reading = asked.reading
    return load_series_npz(asked.path, asked.facts, asked.split, reading.key, reading.windows, reading.room)


def _load_image_arrays(asked: Asked) -> RecordData:
    return _load_images_by(load_npz, asked)


def _load_npy(asked: Asked) -> RecordData:
    if not _says_series(asked.reading):
        return _load_images_by(load_npy_images, asked)
    refuse_images(asked.where, asked.images)
    refuse(asked.where, asked.reading.is_of_table, "an NPY file has no columns")
    _refuse_recordings(asked, "it holds no recordings")
    reading = asked.reading
    return load_npy_series(asked.path, asked.facts, asked.split, reading.key, reading.windows, reading.room)


def _load_idx(asked: Asked) -> RecordData:
    refuse(asked.where, _says_series(asked.reading), "it holds images")
    return _load_images_by(load_idx_set, asked)


def _load_images_by(load: Callable[..., RecordData], asked: Asked) -> RecordData:
    """Load a file or folder of arrays of images, with all that may be said of one."""
    refuse_dicom(asked.where, asked.images)
    refuse_alpha(asked.where, asked.images)
    return load(
        asked.path,
        num_classes=asked.facts.num_classes,
        class_names=asked.facts.class_names,
        images=asked.images,
        split=asked.reading.split,
        key=asked.reading.key,
        room=asked.reading.room,
    )


def _says_series(reading: SeriesReading) -> bool:
    """Return True if something was said that images do not have, too. They have classes, and a split may be asked."""
    facts = dataclasses.replace(reading.facts, class_names=(), num_classes=None)
    return dataclasses.replace(reading, facts=facts, split=None) != AS_USUAL


def _refuse_recordings(asked: Asked, reason: str) -> None:
    said = asked.reading
    refuse(asked.where, any(word is not None for word in (said.layout, said.leads, said.annotator)), reason)


KINDS: Final[tuple[Kind, ...]] = (
    Kind(fits=lambda asked: is_edf(asked.path), load=_load_edf),
    Kind(fits=lambda asked: is_folder(asked.path) and is_wfdb_folder(asked.path), load=_load_recordings),
    Kind(fits=lambda asked: is_folder(asked.path) and is_dicom_folder(asked.path), load=_load_dicom),
    Kind(fits=lambda asked: is_idx_set(asked.path), load=_load_idx),
    Kind(fits=lambda asked: is_folder(asked.path), load=_load_pictures),
    Kind(fits=lambda asked: is_table(asked.path), load=_load_table),
    Kind(fits=lambda asked: is_ucr_file(asked.path), load=_load_ucr),
    Kind(fits=lambda asked: is_npy(asked.path), load=_load_npy),
    Kind(fits=lambda asked: _says_series(asked.reading) or is_series_npz(asked.path), load=_load_series_arrays),
    Kind(fits=lambda asked: True, load=_load_image_arrays),
)
"""All kinds, in the order in which they are tried."""
