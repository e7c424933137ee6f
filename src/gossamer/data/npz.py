"""A user's own images in an NPZ file: `x`, optional `y`, optional `class_names`, or else `data_x` and `data_y`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from gossamer.data.archive import Archive, ArrayHeader, class_names_of, open_archive, people_of, read_labels, shape_text
from gossamer.data.files import shown
from gossamer.data.identities import NamedPeople
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordData, RecordSet, check_num_classes, check_num_values
from gossamer.errors import InputError

_PIXEL_KINDS: Final = re.compile(r"[<>|=]?(?:f[248]|u1)")


def load_npz(path: Path, *, num_classes: int | None = None, images: ImageChoice = AS_STORED) -> RecordData:
    """Load images from an NPZ file.

    The file has the key `x` and may have `y`, `class_names` and `person`. Without `x`, it has the keys of GS-WGAN's
    published code: `data_x`, channels last, and `data_y`. Other keys are not read. Nothing is ever unpickled.

    - `x`: float16/32/64 in [0, 1] or uint8 in 0 .. 255 (divided by 255), of shape (num_records, height, width) or
      (num_records, channels, height, width), channels 1 or 3, sides 4 to 1024.
    - `y`: integers of shape (num_records,).
    - `class_names`: text of shape (num_classes,).
    - `person`: numbers or text of shape (num_records,), any name of the person that an image is of.

    Guarantee:
        The number of classes is a public input: `num_classes`, or the length of `class_names` in the file, or the
        constant 10. It is never derived from the labels.

    Args:
        path: The file.
        num_classes: Public number of classes, for a file with `y`.
        images: Way of reading images.

    Returns:
        The images as training records, without a test set.

    Raises:
        InputError: Naming file, key and the first index that breaks a rule, and never a value.
    """
    if num_classes is not None:
        check_num_classes(num_classes)
    with open_archive(path, shown(path)) as archive:
        keys = _keys(archive)
        names, notes = class_names_of(archive, keys.y, num_classes)
        are_named = "class_names" in archive.members or not names
        x = _pixels(archive, keys, images)
        y = read_labels(archive, keys.y, len(x), len(names)) if keys.y in archive.members else None
        people = people_of(archive, len(x))
    spec = ImageSpec(
        channels=x.shape[1],
        height=x.shape[2],
        width=x.shape[3],
        class_names=names,
        are_classes_named=are_named,
    )
    name = path.stem if path.stem.isprintable() else "images"
    train = RecordSet(
        name=name,
        spec=spec,
        x=torch.from_numpy(x),
        y=None if y is None else torch.from_numpy(y),
        **({} if people is None else NamedPeople.of(people).of_records()),
    )
    return RecordData(train=train, public_notes=(*notes, *images.notes))


def has_unnamed_classes(path: Path) -> bool:
    """Return True if an NPZ file has labels but no names of their classes, so that their number must be given.

    Raises:
        InputError: The file is absent, is no NPZ file, or holds no images.
    """
    with open_archive(path, shown(path)) as archive:
        return _keys(archive).y in archive.members and "class_names" not in archive.members


@dataclass(frozen=True, kw_only=True)
class _Keys:
    x: str
    y: str
    channel_axis: int
    advice: str


_OURS: Final = _Keys(x="x", y="y", channel_axis=1, advice="; channels come second: numpy.moveaxis(x, -1, 1)")
_GS_WGAN: Final = _Keys(
    x="data_x", y="data_y", channel_axis=3, advice="; channels come last under data_x, second under x"
)


def _keys(archive: Archive) -> _Keys:
    for keys in (_OURS, _GS_WGAN):
        if keys.x in archive.members:
            return keys
    found = ", ".join(shown(key[:40]) for key in sorted(archive.members)[:5]) or "none"
    raise InputError(f"{archive.where} has no key 'x' for the images (keys found: {found}): save them as x")


def _pixels(archive: Archive, keys: _Keys, choice: ImageChoice) -> np.ndarray:
    """Read the images as float32 (num_records, channels, height, width) in [0, 1]."""
    at = archive.at(keys.x)
    _check_pixel_header(archive.header(keys.x), keys, at, choice)
    raw = archive.values(keys.x)
    stored = np.moveaxis(raw, keys.channel_axis, 1) if raw.ndim == 4 else raw[:, None]

    def in_unit_range(block: np.ndarray, start: int) -> np.ndarray:
        if raw.dtype != np.uint8:
            _check_range(raw[start : start + len(block)], start, at)
        return np.divide(block, 255 if raw.dtype == np.uint8 else 1, dtype=np.float32)

    return choice.read(stored, in_unit_range)


def _check_pixel_header(header: ArrayHeader, keys: _Keys, at: str, choice: ImageChoice) -> None:
    if not _PIXEL_KINDS.fullmatch(header.kind):
        raise InputError(
            f"{at} has dtype {shown(header.kind[:20])}: it must be float16, float32 or float64 in [0, 1], or uint8"
        )
    if len(header.shape) not in (3, 4):
        raise InputError(
            f"{at} has {len(header.shape)} dimensions, shape {shape_text(header.shape)}: it must be "
            "(num_records, height, width) or (num_records, channels, height, width)"
        )
    if len(header.shape) == 4 and header.shape[keys.channel_axis] not in (1, 3):
        advice = keys.advice if {header.shape[1], header.shape[3]} & {1, 3} else ""
        raise InputError(
            f"{at} has {header.shape[keys.channel_axis]} channels, shape {shape_text(header.shape)}: 1 or 3{advice}"
        )
    if header.shape[0] == 0:
        raise InputError(f"{at} holds 0 records; at least 1 is needed: save the images as x")
    first_side = 1 if len(header.shape) == 3 or keys.channel_axis == 3 else 2
    choice.check_stored(at, header.shape[first_side], header.shape[first_side + 1])
    check_num_values(at, header.num_values)


def _check_range(block: np.ndarray, start: int, at: str) -> None:
    with np.errstate(invalid="ignore"):  # a signalling NaN is found here, without a warning
        inside = (block >= 0) & (block <= 1)
    if inside.all():
        return
    first = np.argwhere(~inside)[0]
    # Privacy: the index of the pixel is named, never its value.
    place = f"{at}[{', '.join(map(str, (start + int(first[0]), *map(int, first[1:]))))}]"
    if not np.isfinite(block[tuple(first)]):
        raise InputError(f"{place} is NaN or infinite: every pixel must be a number in [0, 1]")
    raise InputError(f"{place} is out of [0, 1]: divide by 255, or save 0 .. 255 as uint8")
