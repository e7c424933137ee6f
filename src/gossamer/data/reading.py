"""The way in which series are read, in the terms of all readers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gossamer.data.beats import AbstractBeatLayout
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.layouts import TableColumns, WideColumns
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import AbstractSplit
from gossamer.data.table_form import USUAL_FORM, TableForm
from gossamer.data.wfdb_records import AbstractLeads
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey


@dataclass(frozen=True, kw_only=True)
class SeriesReading:
    """A way of reading series. All of it is public but the key.

    Args:
        facts: Bounds, length, sample rate and names of a user's own series.
        columns: Meaning of the columns of a user's own table.
        form: Form of that table: columns that are left out, its head line, and its lists.
        layout: Rule by which beats are cut from recordings, or None for the layout of the Kaggle table.
        split: None for the published split, for a fifth at random, or for no test set of a user's own.
        leads: Choice of the signals of recordings, or None for the usual one.
        windows: Rule that cuts each series, as a recording, in windows. None to keep it whole.
        annotator: Ending of the annotation files of recordings, or None for ``atr``.
        key: Secret of the run that learns from the series. It decides who is held out. None for a new one.
        room: Place for the values of images and series. Readers of recordings, pictures and long tables take memory.

    Raises:
        InputError: Windows, and beside them a length, a padding or a layout of beats.
    """

    facts: SeriesFacts = field(default_factory=SeriesFacts)
    columns: TableColumns = field(default_factory=WideColumns)
    form: TableForm = USUAL_FORM
    layout: AbstractBeatLayout | None = None
    split: AbstractSplit | None = None
    leads: AbstractLeads | None = None
    windows: Windows | None = None
    annotator: str | None = None
    key: UnitKey | None = field(default=None, repr=False, compare=False)
    room: AbstractRoom = field(default=MEMORY, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_said = self.facts.length is not None or self.facts.permit_shorter or self.layout is not None
        if self.windows is not None and is_said:
            raise InputError(
                "--window says the length of a series, and a shorter recording gives none: leave --length, "
                "--pad-shorter and --layout out"
            )

    @property
    def is_of_table(self) -> bool:
        """True if something was said that only tables have."""
        return self.columns != WideColumns() or self.form != USUAL_FORM


AS_USUAL: Final = SeriesReading()
"""A reading in which the user said nothing."""


def refuse(name: str, is_wrong: bool, reason: str) -> None:
    """Refuse options of series that do not fit.

    Raises:
        InputError: Naming the data and the reason, if `is_wrong`.
    """
    if is_wrong:
        raise InputError(f"{name}: options of series were given that do not fit, since {reason}: leave them out")


def refuse_images(name: str, images: ImageChoice) -> None:
    """Refuse options of images where there are series.

    Raises:
        InputError: Naming the data, if anything was said of images.
    """
    refuse_pixels(name, images)
    refuse_dicom(name, images)
    if images != AS_STORED:
        raise InputError(f"{name}: --resize, --gray and --alpha change images, and these are series: leave them out")


def refuse_pixels(name: str, images: ImageChoice) -> None:
    """Refuse options on stored pixels and labels where the format or the publisher says them.

    Raises:
        InputError: Naming the data, if a white level, a transposition or a first label was said.
    """
    said = (images.white_level is not None, images.transpose, images.first_label != AS_STORED.first_label)
    if any(said):
        raise InputError(
            f"{name}: --white-level, --transpose and --first-label are of a user's own images in PNG, NPZ, NPY and IDX "
            "files: leave them out"
        )


def refuse_dicom(name: str, images: ImageChoice) -> None:
    """Refuse options of DICOM where there are other images.

    Raises:
        InputError: Naming the data, if anything was said that only DICOM files have.
    """
    if images.is_of_dicom:
        raise InputError(
            f"{name}: --window-center, --window-width, --folders and --each-frame are of DICOM files, and these are "
            "none: leave them out"
        )


def refuse_alpha(name: str, images: ImageChoice) -> None:
    """Refuse a ground under transparent pixels where no pixel can be transparent.

    Raises:
        InputError: Naming the data, if a ground was said.
    """
    if images.alpha is not None:
        raise InputError(
            f"{name}: --alpha is of pictures in a folder, and nothing is transparent here: leave it out; of an array "
            "with a fourth channel save colours * opacity + ground * (1 - opacity)"
        )
