"""The keys of an NPZ file: the families of names under which images, series and labels stand, and keys of no reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gossamer.data.archive import Archive
from gossamer.data.files import shown
from gossamer.errors import InputError

_LABEL_WORDS: Final = ("label", "labels", "target", "targets", "y_train", "y_true", "train_labels")
_MOST_NAMED: Final = 20
_LONGEST: Final = 40


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The place of the channels in images of four axes.

    Args:
        axis: 1 or 3, or None to decide it from the shape.
        advice: Words behind the refusal of another number of channels.
    """

    axis: int | None
    advice: str

    def channel_axis(self, shape: tuple[int, ...], at: str) -> int:
        """Return the axis of the channels of images (num_records, ...) with four axes.

        Raises:
            InputError: The shape permits both places.
        """
        if self.axis is not None:
            return self.axis
        places = [axis for axis in (1, 3) if shape[axis] in (1, 3)]
        if len(places) == 2:
            raise InputError(
                f"{at} could have its channels second or last: save the images as x in an NPZ file, (num_records, "
                "channels, height, width)"
            )
        return places[0] if places else 3


SECOND: Final = Layout(axis=1, advice="; channels come second: numpy.moveaxis(x, -1, 1)")
"""Channels before height, as under `x`."""
LAST: Final = Layout(axis=3, advice="; channels come last under data_x, second under x")
"""Channels after width, as under `data_x`."""
BY_SHAPE: Final = Layout(axis=None, advice=" second or last; volumes are not read: choose slices of them")
"""Channels where the shape has 1 or 3."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """The names under which a program saves images.

    Args:
        x: Key of the training images.
        y: Key of their labels.
        layout: Place of the channels.
        test: Keys of test images and labels, or None if there are none.
        with_people: True if `person` names people.
    """

    x: str
    y: str
    layout: Layout
    test: tuple[str, str] | None = None
    with_people: bool = True


FAMILIES: Final = (
    Family(x="x", y="y", layout=SECOND),
    Family(x="data_x", y="data_y", layout=LAST),
    Family(x="train_images", y="train_labels", layout=BY_SHAPE, test=("test_images", "test_labels"), with_people=False),
    Family(x="x_train", y="y_train", layout=BY_SHAPE, test=("x_test", "y_test"), with_people=False),
)
"""Ours, that of the published GS-WGAN, of MedMNIST, and of Keras. The first one with images in the file is taken."""


@dataclass(frozen=True, kw_only=True)
class FoundKeys:
    """The keys of a file that are read, and the others.

    Args:
        x: Key of the training images or series.
        y: Key of their labels, or None without labels.
        layout: Place of the channels of images.
        test: Keys of test images and of labels, or None. The labels are None if the training has none.
        notes: Public sentences on the choice of keys.
        unread: Keys that are not read, as they may stand in a line.
    """

    x: str
    y: str | None
    layout: Layout
    test: tuple[str, str | None] | None
    notes: tuple[str, ...]
    unread: tuple[str, ...]


def find_image_keys(archive: Archive) -> FoundKeys:
    """Return the keys of images.

    Raises:
        InputError: No family's images are there. Or keys are ambiguous, or labels of one part alone are there.
    """
    members = archive.members
    family = next((one for one in FAMILIES if one.x in members), None)
    if family is None:
        found = ", ".join(shown(key[:_LONGEST]) for key in sorted(members)[:5]) or "none"
        raise InputError(f"{archive.where} has no key 'x' for the images (keys found: {found}): save them as x")
    y = _labels_of(archive, family)
    test = None
    if family.test is not None and family.test[0] in members:
        test = (family.test[0], family.test[1] if family.test[1] in members else None)
        if (y is None) != (test[1] is None):
            raise InputError(
                f"{archive.where} has labels of one part alone: save {family.y} and {family.test[1]}, or neither"
            )
    _check_people(archive, family)
    others = ("class_names", "person") if family.with_people else ("class_names",)
    read = {family.x, y, *(test or ()), *others}
    notes = () if family.test is None else (_on_parts(family, has_test=test is not None),)
    if y is not None and y != family.y:
        notes = (*notes, _on_labels(y))
    return FoundKeys(x=family.x, y=y, layout=family.layout, test=test, notes=notes, unread=named(set(members) - read))


def find_series_labels(archive: Archive) -> tuple[str | None, tuple[str, ...]]:
    """Return the key of the labels of series under `x`, None without labels, and a public sentence on it.

    Raises:
        InputError: Two keys could be meant.
    """
    y = _labels_of(archive, FAMILIES[0])
    return y, () if y in ("y", None) else (_on_labels(y),)


def named(keys: Iterable[str]) -> tuple[str, ...]:
    """Return keys as they may stand in a line, in order, with the number of those beyond the first twenty."""
    ordered = [shown(key if len(key) <= _LONGEST else f"{key[:_LONGEST]}...") for key in sorted(keys)]
    more = len(ordered) - _MOST_NAMED
    return (*ordered[:_MOST_NAMED], *((f"{more} more",) if more > 0 else ()))


def _labels_of(archive: Archive, family: Family) -> str | None:
    """Return the key of the labels, also under another usual word if that is unambiguous."""
    if family.y in archive.members:
        return family.y
    if family.test is not None:
        return None
    likely = [key for key in archive.members if key.lower() in (*_LABEL_WORDS, family.y.lower())]
    if len(likely) > 1:
        raise InputError(
            f"{archive.where}: {' and '.join(named(likely)[:2])} could both be the labels: save those meant as "
            f"{family.y}, and leave the others out"
        )
    return likely[0] if likely else None


def _check_people(archive: Archive, family: Family) -> None:
    # Privacy: a person's records would pass for those of several.
    if not family.with_people and {"person", "people"} & archive.members.keys():
        raise InputError(
            f"{archive.where} names people beside {family.x}: save x, y and person, of the training records alone"
        )


def _on_parts(family: Family, *, has_test: bool) -> str:
    test = "" if family.test is None or not has_test else f", and {family.test[0]} as test images"
    return f"The images under {family.x} were read to learn from{test}."


def _on_labels(key: str) -> str:
    return f"The labels were read from the key {named([key])[0]}."
