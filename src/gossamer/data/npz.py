"""A user's own images in an NPZ file, under the keys of Gossamer, GS-WGAN, MedMNIST or Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from gossamer.data.archive import Archive, class_names_of, open_archive, people_of, read_labels
from gossamer.data.array_stream import ArrayHeader, shape_text
from gossamer.data.files import shown, title_of
from gossamer.data.identities import NamedPeople
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.npz_keys import Layout, find_image_keys
from gossamer.data.pixel_scale import PIXEL_KINDS, PixelScale, check_unit_range
from gossamer.data.records import RecordData, RecordSet, check_num_classes, check_num_values
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.splits import AbstractSplit, Rows, check_image_split, divide
from gossamer.data.value_ranges import ValueRanges
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey


def load_npz(
    path: Path,
    *,
    num_classes: int | None = None,
    class_names: tuple[str, ...] = (),
    images: ImageChoice = AS_STORED,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Load images from an NPZ file.

    The images and labels stand under one family of keys. Nothing is ever unpickled.

    - `x`, `y`: channels second, and `person` may name the person of an image.
    - `data_x`, `data_y`: channels last, as in the published code of GS-WGAN.
    - `train_images`, `train_labels`, `test_images`, `test_labels`, as in MedMNIST. The test images are the test set.
    - `x_train`, `y_train`, `x_test`, `y_test`, as in Keras, with the same meaning.

    Images have the shape (num_records, height, width) or one of four axes, with 1 or 3 channels and sides of 4 to 1024.
    They are float16/32/64 in [0, 1], or uint8, or with a white level uint16. Labels are integers (num_records,) or
    (num_records, 1). Beside `x`, labels may stand under one of the usual words `labels`, `label`, `target` or
    `targets`. `class_names` is text (num_classes,). Other keys are not read, and are named in `RecordData.unread`.

    Guarantee:
        The number of classes is a public input: it is given, or that of `class_names` in the file, or the constant 10.
        It is never derived from the labels.

    Args:
        path: The file.
        num_classes: Public number of classes, for a file with labels.
        class_names: Public names of the classes, in place of those in the file.
        images: Way of reading images.
        split: Rule by which images are held out for testing, or None for the test set of the file.
        key: Secret, by which a split holds some out. None for a new one.
        room: Place for the values.

    Returns:
        The images, with the test set of the file if it has one, or with those that the split holds out.

    Raises:
        InputError: Naming file, key and the first index that breaks a rule, and never a value.
    """
    if num_classes is not None:
        check_num_classes(num_classes)
    with open_archive(path, shown(path)) as archive:
        keys = find_image_keys(archive)
        names, notes = class_names_of(archive, keys.y, num_classes, class_names, images.first_label)
        is_numbered = keys.y is not None and not class_names and "class_names" not in archive.members
        x, ranges = _pixels(archive, keys.x, keys.layout, images, room)
        y = _labels(archive, keys.y, len(x), len(names), images)
        people = people_of(archive, len(x))
        test = None
        if keys.test is not None:
            pixels, _ = _pixels(archive, keys.test[0], keys.layout, images, room)
            test = (pixels, _labels(archive, keys.test[1], len(pixels), len(names), images))
    spec = spec_of(x, names, images, is_numbered=is_numbered)
    name = title_of(path.stem, "images")
    if split is not None:
        check_image_split(shown(path), split, has_test=test is not None, has_people=people is not None)
        rows = Rows(name=name, spec=spec, x=x, y=y, people=people, unread=keys.unread, ranges=ranges, room=room)
        return divide(rows, split, (*notes, *keys.notes, *images.notes), key)
    train = records_of(name, spec, x, y, room)
    if people is not None:
        train = dataclasses.replace(train, **NamedPeople.of(people).of_records())
    return RecordData(
        train=train,
        test=None if test is None else records_of(f"{name} test", _alike(spec, test[0], shown(path)), *test, room),
        public_notes=(*notes, *keys.notes, *images.notes),
        unread=keys.unread,
        ranges=ranges,
    )


def records_of(
    name: str, spec: ImageSpec, x: np.ndarray, y: np.ndarray | None, room: AbstractRoom = MEMORY
) -> RecordSet:
    """Return arrays as a set of images."""
    import torch

    labels = None if y is None else torch.from_numpy(y)
    return RecordSet(name=name, spec=spec, x=torch.from_numpy(x), y=labels, room=room)


def spec_of(x: np.ndarray, names: tuple[str, ...], choice: ImageChoice, *, is_numbered: bool) -> ImageSpec:
    """Return the specification of images (num_records, channels, height, width).

    Args:
        x: The images.
        names: Public names of the classes.
        choice: Way of reading images.
        is_numbered: True if nobody named the classes. Labels that are said to begin with 1 are names.
    """
    return ImageSpec(
        channels=x.shape[1],
        height=x.shape[2],
        width=x.shape[3],
        class_names=names,
        are_classes_named=not is_numbered or bool(choice.first_label),
    )


def has_unnamed_classes(path: Path) -> bool:
    """Return True if an NPZ file has labels but no names of their classes, so that their number must be given.

    Raises:
        InputError: The file is absent, is no NPZ file, or holds no images.
    """
    with open_archive(path, shown(path)) as archive:
        return find_image_keys(archive).y is not None and "class_names" not in archive.members


def read_pixels(
    header: ArrayHeader,
    blocks: Iterable[np.ndarray],
    layout: Layout,
    choice: ImageChoice,
    at: str,
    room: AbstractRoom = MEMORY,
) -> tuple[np.ndarray, ValueRanges | None]:
    """Read images block after block.

    Args:
        header: Header of all of them.
        blocks: Stored images, with the channels where the layout says.
        layout: Place of the channels.
        choice: Way of reading images.
        at: Beginning of the message.
        room: Place for the values.

    Returns:
        float32 (num_records, channels, height, width) in [0, 1], and the range of the stored values, private.

    Raises:
        InputError: Naming the first index that breaks a rule, and never a value.
    """
    axis = check_pixel_header(header, layout, at, choice)

    def channels_second() -> Iterator[np.ndarray]:
        """Yield the blocks as (records, channels, height, width) with their stored values, floats checked.

        Raises:
            InputError: a float lies outside [0, 1].
        """
        start = 0
        for block in blocks:
            if block.dtype.kind == "f":
                check_unit_range(block, start, at)
            start += len(block)
            yield block[:, None] if axis is None else np.moveaxis(block, axis, 1)

    sizes = list(header.shape)
    channels = 1 if axis is None else sizes.pop(axis)
    scale = PixelScale(header.dtype, channels, choice, at)
    x = choice.gathered((sizes[0], channels, *sizes[1:]), channels_second(), scale.in_unit_range, room)
    return x, scale.ranges()


def check_pixel_header(header: ArrayHeader, layout: Layout, at: str, choice: ImageChoice) -> int | None:
    """Refuse an array that holds no images, and return the axis of the channels, None if there is none.

    Raises:
        InputError: The type, the number of axes, the channels or the sides fit no image.
    """
    if not PIXEL_KINDS.fullmatch(header.kind):
        raise InputError(
            f"{at} has dtype {shown(header.kind[:20])}: it must be float16, float32 or float64 in [0, 1], or uint8, or "
            "uint16 with --white-level"
        )
    if len(header.shape) not in (3, 4):
        raise InputError(
            f"{at} has {len(header.shape)} dimensions, shape {shape_text(header.shape)}: it must be "
            "(num_records, height, width) or (num_records, channels, height, width); series are known by their public "
            "bounds, --low and --high"
        )
    axis = layout.channel_axis(header.shape, at) if len(header.shape) == 4 else None
    if axis is not None and header.shape[axis] not in (1, 3):
        is_other = bool({header.shape[1], header.shape[3]} & {1, 3})
        advice = layout.advice if is_other or layout.axis is None else ""
        raise InputError(f"{at} has {header.shape[axis]} channels, shape {shape_text(header.shape)}: 1 or 3{advice}")
    if header.shape[0] == 0:
        raise InputError(f"{at} holds 0 records; at least 1 is needed: save the images as x")
    height, width = (side for place, side in enumerate(header.shape) if place not in (0, axis))
    choice.check_stored(at, height, width)
    check_num_values(at, header.num_values)
    return axis


def _pixels(
    archive: Archive, key: str, layout: Layout, choice: ImageChoice, room: AbstractRoom
) -> tuple[np.ndarray, ValueRanges | None]:
    return read_pixels(archive.header(key), archive.blocks(key), layout, choice, archive.at(key), room)


def _labels(
    archive: Archive, key: str | None, num_records: int, num_classes: int, choice: ImageChoice
) -> np.ndarray | None:
    return None if key is None else read_labels(archive, key, num_records, num_classes, choice.first_label)


def _alike(spec: ImageSpec, x: np.ndarray, where: str) -> ImageSpec:
    if x.shape[1:] != spec.shape:
        raise InputError(f"{where}: its test images have another shape than those to learn from: make them alike")
    return spec
