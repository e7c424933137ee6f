"""A user's own images in a folder of DICOM files, at any depth: values by public rules, people by the Patient ID."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from gossamer.data.class_words import labels_of_words
from gossamer.data.dicom_files import CLASS_TABLE, DicomFile, class_folders, find_dicom_files, words_of_table
from gossamer.data.dicom_headers import DicomHeader, opened, read_header
from gossamer.data.files import damage_refused, shown
from gossamer.data.folder_names import class_name_of
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.names import names_of_texts
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import WHOLE, AbstractSplit, Rows, check_image_split, divide
from gossamer.data.value_ranges import ScaledBy
from gossamer.errors import InputError
from gossamer.extras import from_extra
from gossamer.privacy.dealing import UnitKey

_TITLE: Final = "dicom"
_NO_FACTS: Final = SeriesFacts()


def load_dicom_folder(
    path: Path,
    *,
    images: ImageChoice = AS_STORED,
    classes: SeriesFacts = _NO_FACTS,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
) -> RecordData:
    r"""Load the DICOM images of a folder and of all folders below it.

    With a public window of centre c and width w, a gray value v after rescale becomes
    :math:`\min(1, \max(0, (v - c) / w + 1 / 2))`. Without a window, a stored value u of B bits becomes
    :math:`(u - u_0) / (2^B - 1)`. Here :math:`u_0` is 0, or :math:`-2^{B-1}` if values have a sign. MONOCHROME1 is
    turned over, so that 1 is white. Colours are divided by 255.

    Guarantee:
        The window is a public input. The window that a file holds is never used, since it may follow from the pixels.
        Each image is read by its own header and the public rule alone. No entry of a header and no name of a file
        reaches a message, a note or a name in the specification. Sub-folders are classes only if that was said.

    Args:
        path: The folder.
        images: Way of reading images.
        classes: Public names or number of the classes, of a folder with the table ``classes.csv``. If sub-folders are
            classes, their number may be given.
        split: Rule for the images held out for testing, or None for no test set.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        The images in the order of their paths, with the Patient ID as person.

    Raises:
        InputError: Naming the number of the first file that breaks a rule, and never a pixel, a name or an entry.
    """
    files = find_dicom_files(path)
    headers = [read_header(file, images) for file in files]
    _check_alike(files, headers, images)
    patients = _patients(files, headers)
    names, labels, note = _labels(files, headers, patients, images, classes)
    tallies: dict[int, RangeTally] = {}
    x = _read_all(files, headers, images, tallies)
    frames = np.array([header.num_frames for header in headers])
    spec = ImageSpec(
        channels=x.shape[1],
        height=x.shape[2],
        width=x.shape[3],
        class_names=names,
        are_classes_named=images.folders == "classes" or bool(classes.class_names) or not names,
    )
    if split is not None:
        check_image_split(shown(path), split, has_test=False, has_people=patients is not None)
    rows = Rows(
        name=_TITLE,
        spec=spec,
        x=x,
        y=None if labels is None else np.repeat(labels, frames),
        people=None if patients is None else np.repeat(np.array(patients, dtype=str), frames),
        # Gray and colour have no range in common.
        ranges=next(iter(tallies.values())).ranges() if len(tallies) == 1 else None,
    )
    return divide(rows, split or WHOLE, (*_notes(headers, images), *note, *images.notes), key)


def _notes(headers: Sequence[DicomHeader], choice: ImageChoice) -> tuple[str, ...]:
    read = "image shape" if choice.size is None else "number of channels"
    shape = f"The {read} was read from the files' format and is taken as public."
    gray = _first_gray(headers)
    if gray is None:
        return (shape,)
    if choice.window is not None:
        low, high = choice.window
        return shape, f"Gray values after rescale were clipped to the window from {low:g} to {high:g}, by the user."
    stored = gray.stored
    return (
        shape,
        f"Gray values were scaled by the full range of {stored.bits} bits, from {stored.low} to {stored.high}.",
    )


def _first_gray(headers: Sequence[DicomHeader]) -> DicomHeader | None:
    return next((header for header in headers if header.is_gray), None)


def _check_alike(files: Sequence[DicomFile], headers: Sequence[DicomHeader], choice: ImageChoice) -> None:
    """Refuse images of several sizes or kinds, unless the choice brings them to one."""
    first, gray = headers[0], _first_gray(headers)
    for file, header in zip(files, headers, strict=True):
        if choice.size is None and (header.height, header.width) != (first.height, first.width):
            raise InputError(
                f"{file.where} is {header.height} x {header.width} (height x width), file 1 is {first.height} x "
                f"{first.width}: all images must have one size; --resize HxW brings them to one"
            )
        if not choice.gray and header.is_gray != first.is_gray:
            raise InputError(f"{file.where} has {header.channels} channels, file 1 has {first.channels}: use --gray")
        if choice.window is None and header.is_gray and gray is not None:
            _check_stored_like(file, header, gray)


def _check_stored_like(file: DicomFile, header: DicomHeader, gray: DicomHeader) -> None:
    # Else one gray would stand for two values: PET has a slope of its own for each slice.
    if header.stored != gray.stored or len(header.stored.rescale) > 1:
        raise InputError(
            f"{file.where} stores its values in another way than others (bits, sign, slope or intercept): give the "
            "window, --window-center and --window-width, in the units after rescale"
        )


def _patients(files: Sequence[DicomFile], headers: Sequence[DicomHeader]) -> list[str] | None:
    """Return the patient of each file by the rule of names, or None if no file names one. Private."""
    said = [header.patient_id for header in headers]
    if not any(said):
        return None
    for file, patient in zip(files, said, strict=True):
        if patient is None:
            raise InputError(f"{file.where} has no Patient ID while others have: fill it in, or leave the file out")
    return names_of_texts([str(patient) for patient in said], lambda at: f"{files[at].where}: its Patient ID").tolist()


def _labels(
    files: Sequence[DicomFile],
    headers: Sequence[DicomHeader],
    patients: list[str] | None,
    choice: ImageChoice,
    classes: SeriesFacts,
) -> tuple[tuple[str, ...], np.ndarray | None, tuple[str, ...]]:
    """Return the public names of the classes, the label of each file, and sentences for the statement."""
    root = files[0].root
    words = words_of_table(files, patients or [None] * len(files))
    if choice.folders == "classes":
        if words is not None:
            raise InputError(f"{shown(root)} has {CLASS_TABLE}, and --folders classes was given: keep one of them")
        return _labels_of_folders(files, headers, classes)
    if words is None:
        if choice.folders is None and any(len(file.parts) > 1 for file in files):
            raise InputError(
                f"{shown(root)} has sub-folders: --folders classes takes their names as public names of classes, and "
                f"--folders none reads them without a meaning, as those of people; {CLASS_TABLE} in the folder may "
                "say the classes"
            )
        return classes.classes(False, f"{shown(root)} (no {CLASS_TABLE})"), None, ()
    names = classes.classes(True, shown(root))
    notes = tuple(note for note in classes.notes(True) if "class" in note)
    return names, labels_of_words(words, names, shown(root / CLASS_TABLE)), notes


def _labels_of_folders(
    files: Sequence[DicomFile], headers: Sequence[DicomHeader], classes: SeriesFacts
) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    root = files[0].root
    for file, header in zip(files, headers, strict=True):
        if len(file.parts) < 2:
            raise InputError(f"{file.where} lies in no sub-folder: put it into that of its class")
        # Privacy: names of classes are public, and folders of an export often bear the names of patients.
        if file.parts[0].strip().casefold() in header.patient_words:
            raise InputError(
                f"{shown(root)} has a sub-folder with the name or ID of a patient in it, and names of classes are "
                "public: name sub-folders by classes, or give --folders none"
            )
    names = tuple(map(class_name_of, class_folders(root)))
    said = classes.class_names or names
    if set(said) != set(names) or classes.num_classes not in (None, len(names)):
        raise InputError(f"{shown(root)} has {len(names)} sub-folders, and other classes were given: make them agree")
    labels = np.array([said.index(class_name_of(file.parts[0])) for file in files], dtype=np.int64)
    return said, labels, ("The class names are those of the sub-folders and are taken as public.",)


def _read_all(
    files: Sequence[DicomFile], headers: Sequence[DicomHeader], choice: ImageChoice, tallies: dict[int, RangeTally]
) -> np.ndarray:
    """Read all images as float32 (num_records, channels, height, width) in [0, 1], each changed to the choice.

    The tallies, by the number of channels, count values in the units after rescale, before any is clipped.
    """
    first = headers[0]
    num_images = sum(header.num_frames for header in headers)
    shape = (num_images, *choice.shape_of(first.channels, first.height, first.width))
    where = shown(files[0].root)
    check_num_values(where, math.prod(shape))
    with damage_refused(where):
        x = np.empty(shape, dtype=np.float32)
    number = 0
    for file, header in zip(files, headers, strict=True):
        tally = tallies.setdefault(header.channels, _tally_of(header, choice))
        for image in _images(file, header, choice, tally):
            x[number] = choice.changed(image[None])[0]
            number += 1
    return x


def _tally_of(header: DicomHeader, choice: ImageChoice) -> RangeTally:
    """Return an empty tally of values between the public ends of their scale."""
    if not header.is_gray:
        return RangeTally.of_images(header.channels, 255)
    low, high = (header.stored.low, header.stored.high) if choice.window is None else choice.window
    return RangeTally(("gray",), (low,), (high,), scaled_by=ScaledBy.WINDOW)


def _images(file: DicomFile, header: DicomHeader, choice: ImageChoice, tally: RangeTally) -> list[np.ndarray]:
    """Return the frames of a file as float32 (channels, height, width) in [0, 1]."""
    with opened(file) as stream:
        frames = list(_decoded(stream, file, header))
        if len(frames) != header.num_frames:
            raise _damaged(file)
        return [
            _gray(frame, header, rescale, choice.window, file, tally) if header.is_gray else _colours(frame, tally)
            for frame, rescale in zip(frames, header.rescale, strict=True)
        ]


def _decoded(stream: Any, file: DicomFile, header: DicomHeader) -> Iterator[np.ndarray]:
    """Decode the frames: (height, width) for gray, (height, width, 3) in red, green and blue for colour."""
    with from_extra("dicom", "a DICOM file"):
        from pydicom import dcmread
        from pydicom.pixels import get_decoder
        from pydicom.pixels.utils import get_expected_length
    found = dcmread(stream)
    if "PixelData" not in found:
        raise InputError(f"{file.where} has no pixels: move it out of the folder")
    packed, expected = len(found.PixelData), get_expected_length(found)
    if not found.file_meta.TransferSyntaxUID.is_encapsulated and packed != expected + expected % 2:
        raise _damaged(file)
    decoder = get_decoder(found.file_meta.TransferSyntaxUID)
    size = (header.height, header.width) if header.is_gray else (header.height, header.width, 3)
    for frame, _ in decoder.iter_array(found, correct_unused_bits=header.is_packed, allow_excess_frames=True):
        if frame.shape != size:
            raise _damaged(file)
        yield frame


def _colours(frame: np.ndarray, tally: RangeTally) -> np.ndarray:
    stored = np.moveaxis(frame, -1, 0)
    tally.add(stored[None])
    return np.divide(stored, 255, dtype=np.float32)


def _gray(
    frame: np.ndarray,
    header: DicomHeader,
    rescale: tuple[float, float],
    window: tuple[float, float] | None,
    file: DicomFile,
    tally: RangeTally,
) -> np.ndarray:
    """Return stored values as float32 (1, height, width) in [0, 1]. The tally has them before a window clips any."""
    stored = header.stored
    values = frame.astype(np.int64) if header.is_packed else _in_their_bits(frame, header)
    if ((values < stored.low) | (values > stored.high)).any():
        raise _damaged(file)
    if window is None:
        tally.add(values[None, None])
        scaled = (values - stored.low) / (stored.high - stored.low)
    else:
        low, high = window
        rescaled = values * rescale[0] + rescale[1]
        tally.add(rescaled[None, None])
        scaled = np.clip((rescaled - low) / (high - low), 0.0, 1.0)
    return (1.0 - scaled if header.is_inverted else scaled).astype(np.float32)[None]


def _in_their_bits(frame: np.ndarray, header: DicomHeader) -> np.ndarray:
    """Take values out of their container. The bits beside them may hold anything, an overlay for instance."""
    bits = header.stored.bits
    container = frame.astype(np.int64) >> (header.high_bit + 1 - bits)
    values = container & (2**bits - 1)
    return np.where(values > header.stored.high, values - 2**bits, values) if header.stored.is_signed else values


def _damaged(file: DicomFile) -> InputError:
    return InputError(f"{file.where} is damaged, or holds more or less than its header says: make or copy it again")


def facts_of_classes(facts: SeriesFacts) -> SeriesFacts:
    """Return the names of classes alone, of facts that a user stated."""
    return dataclasses.replace(_NO_FACTS, class_names=facts.class_names, num_classes=facts.num_classes)
