"""Which images can be asked for: three published sets by name, and a user's own by path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from gossamer.data.digits import DIGITS_SPEC, NUM_DIGITS, NUM_TRAIN_DIGITS, load_digits
from gossamer.data.files import is_absent, is_folder, shown
from gossamer.data.folder import load_png_folder
from gossamer.data.images import ImageData, ImageSpec
from gossamer.data.mnist import FASHION_MNIST, MNIST, IdxImages, load_idx_images
from gossamer.data.npz import load_npz
from gossamer.errors import InputError


@dataclass(frozen=True, kw_only=True)
class NamedData:
    """A published data set that has a name here; everything in it is public.

    Args:
        name: What to type.
        summary: One sentence.
        spec: Shape and classes.
        num_train: Published number of training images.
        num_test: Published number of test images.
        licence: Licence of the data.
        home: Where it comes from.
    """

    name: str
    summary: str
    spec: ImageSpec
    num_train: int
    num_test: int
    licence: str
    home: str


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
    _published(MNIST, "handwritten digits, from disk or downloaded", "CC BY-SA 3.0"),
    _published(FASHION_MNIST, "articles of clothing, from disk or downloaded", "MIT"),
)
"""The published sets, in the order in which they are listed."""


def load_images(source: str, data_dir: Path | None = None, num_classes: int | None = None) -> ImageData:
    """Load images by the name of a published set or by the path of a user's own.

    Args:
        source: ``digits``, ``mnist`` or ``fashion-mnist``; or the path of an NPZ file or of a folder of PNG files.
            A name wins over a path: write ``./mnist`` for a folder of that name.
        data_dir: Folder in which published sets are looked for; None for the environment variable GOSSAMER_DATA.
        num_classes: Public number of classes of a user's own labelled data; see `load_npz` and `load_png_folder`.

    Returns:
        The images; without a test set if they are the user's own.

    Raises:
        InputError: The source is unknown, or its content breaks a rule.

    Example:
        >>> load_images("digits").train.num_records
        1437
    """
    named = {data.name: data for data in NAMED_DATA}.get(source)
    if named is None:
        return _load_own(source, num_classes)
    if num_classes is not None and num_classes != named.spec.num_classes:
        raise InputError(
            f"{named.name} has {named.spec.num_classes} classes, --num-classes says {num_classes}: leave it out"
        )
    match source:
        case "mnist":
            return load_idx_images(MNIST, data_dir)
        case "fashion-mnist":
            return load_idx_images(FASHION_MNIST, data_dir)
        case _:
            return load_digits()


def _load_own(source: str, num_classes: int | None) -> ImageData:
    path = Path(source)
    if not source or is_absent(path):
        names = ", ".join(data.name for data in NAMED_DATA)
        raise InputError(
            f"{shown(source[:300])} is neither a known name ({names}) nor an existing path: "
            "give the path of an NPZ file or of a folder of PNG images"
        )
    if is_folder(path):
        return load_png_folder(path, num_classes=num_classes)
    return load_npz(path, num_classes=num_classes)


def describe(data: ImageData) -> dict[str, Any]:
    """Describe a data set in plain values that JSON can hold.

    Guarantee:
        None. The entry `private` counts private labels: it is for the owner's eyes and never for a release.

    Args:
        data: What a loader returned.

    Returns:
        Keys `name`, `num_records`, `num_test_records` (None without a test set), `shape` (channels, height, width),
        `classes` (names), `public` (sentences on what is taken as public), and `private` with `class_counts`
        (name to number of training records; empty without labels).
    """
    spec, y = data.train.spec, data.train.y
    counts = [] if y is None else torch.bincount(y, minlength=spec.num_classes).tolist()
    return {
        "name": data.train.name,
        "num_records": data.train.num_records,
        "num_test_records": None if data.test is None else data.test.num_records,
        "shape": list(spec.shape),
        "classes": list(spec.class_names),
        "public": [
            "Shape, class names and the number of slots (one per record, if records are protected) are public inputs.",
            *data.public_notes,
        ],
        # Privacy: a histogram of private labels.
        "private": {"class_counts": dict(zip(spec.class_names, counts, strict=True))},
    }
