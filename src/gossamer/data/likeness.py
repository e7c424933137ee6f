"""Likeness of records to those of a release: shape, bounds, units, rate and classes, all public."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from gossamer.data.catalogue import is_named
from gossamer.data.files import is_folder
from gossamer.data.records import AbstractSpec, RecordData, numbered
from gossamer.data.series import SeriesSpec
from gossamer.data.wfdb_folder import is_wfdb_folder
from gossamer.errors import InputError

_MOST_NAMES: Final = 5


def facts_of_series(released: AbstractSpec, *, is_long: bool) -> dict[str, Any]:
    """Return bounds and rate of the series of a release, by the names of `SeriesChoice`. Images have none.

    Args:
        released: of the release.
        is_long: series come as a long table, which does not say their length.
    """
    if not isinstance(released, SeriesSpec):
        return {}
    known = {"low": released.low, "high": released.high, "sample_rate": released.sample_rate}
    known |= {"length": released.length} if is_long else {}
    return {name: value for name, value in known.items() if value is not None}


def facts_of_classes(released: AbstractSpec) -> tuple[tuple[str, ...], int | None]:
    """Return the names of the classes of a release, or their number if nobody named them."""
    if released.class_names == numbered(released.num_classes):
        return (), released.num_classes or None
    return released.class_names, None


def brings_facts(source: str, *, is_windowed: bool) -> bool:
    """Return True for a published set, and for a folder of recordings with beats: its bounds and rate are its own."""
    if is_named(source):
        return True
    return not is_windowed and is_folder(Path(source)) and is_wfdb_folder(Path(source))


def doubt(data: RecordData) -> str | None:
    """Return a line on records that seem to be of another scale than is expected, None if nothing speaks for it.

    It is a fact about the records that are classified, for their owner alone, and shows no value.
    """
    if data.ranges is None or not data.ranges.warnings:
        return None
    return (
        "the records fill hardly any of the range that is expected of them, or many of their values lie outside it and "
        "were clipped: are they of the unit and scale of those that were learnt from (--low, --high, --white-level)?"
    )


def check_like(where: str, found: AbstractSpec, released: AbstractSpec) -> None:
    """Refuse records that mean something else than those of a release: another shape, unit, rate or other bounds.

    Facts that one of the two does not say are not compared.

    Args:
        where: source of the records, for messages.
        found: of the records.
        released: of the release.

    Raises:
        InputError: naming the fact, and the way out.
    """
    if isinstance(found, SeriesSpec) != isinstance(released, SeriesSpec):
        kinds = [_kind(one) for one in (found, released)]
        raise InputError(f"{where}: {kinds[0]}, and the release is of {kinds[1]}: name {kinds[1]}")
    if found.shape != released.shape:
        raise InputError(
            f"{where}: {_kind(found)} of shape {found.shape}, those of the release have {released.shape}; "
            f"{_way_to(released, found)}"
        )
    if isinstance(found, SeriesSpec) and isinstance(released, SeriesSpec):
        _check_series(where, found, released)


def _check_series(where: str, found: SeriesSpec, released: SeriesSpec) -> None:
    if (found.low, found.high) != (released.low, released.high):
        raise InputError(
            f"{where}: series between the bounds {_bounds(found)}, those of the release lie between "
            f"{_bounds(released)}: give the bounds of the release, or leave them out"
        )
    said = {
        "sample rates": (found.sample_rate, released.sample_rate),
        "units": (found.units, released.units),
        "channels": tuple(tuple(name.casefold() for name in one.channel_names) for one in (found, released)),
    }
    for what, (own, other) in said.items():
        if own and other and own != other:
            raise InputError(
                f"{where}: series of other {what} than those of the release: hand over series with the same, in the "
                "same order"
            )


def _way_to(released: AbstractSpec, found: AbstractSpec) -> str:
    """Return the way out for records of another shape."""
    if isinstance(found, SeriesSpec):
        return "give series of that length"
    if found.shape[0] == released.shape[0]:
        return "give --resize or a like file"
    return "--gray reads colour as gray" if released.shape[0] == 1 else "give images of as many channels"


def _kind(spec: AbstractSpec) -> str:
    return "series" if isinstance(spec, SeriesSpec) else "images"


def _bounds(spec: SeriesSpec) -> str:
    return f"{', '.join(f'{low:g}' for low in spec.low)} and {', '.join(f'{high:g}' for high in spec.high)}"


def classes_in(where: str, found: AbstractSpec, released: AbstractSpec) -> np.ndarray:
    """Return the class of a release for each class of records, int64 (found.num_classes,).

    Classes are matched by name if somebody named both, else by their order. Labels without names are not matched with
    names that are other numbers: label 1 could be the name 1, or the second of the names.

    Args:
        where: source of the records, for messages.
        found: of the records, with classes.
        released: of the release.

    Raises:
        InputError: a class of the records is none of the release, or there are fewer or more without names.
    """
    numbers = {name: number for number, name in enumerate(released.class_names)}
    if found.are_classes_named and released.are_classes_named and all(name in numbers for name in found.class_names):
        return np.array([numbers[name] for name in found.class_names], dtype=np.int64)
    is_named = found.are_classes_named and released.are_classes_named
    if is_named or found.num_classes != released.num_classes:
        raise InputError(
            f"{where}: its {found.num_classes} classes are not the {released.num_classes} of the release; give "
            "--class-names or --num-classes as in the training, or records without labels"
        )
    if are_other_numbers(released.class_names):
        raise InputError(
            f"{where}: its labels are numbers without names, and the classes of the release have other numbers for "
            f"names ({_some(released.class_names)}); save class_names beside the labels, or give --first-label 1 for "
            "images if labels begin with 1"
        )
    return np.arange(released.num_classes)


def are_other_numbers(names: tuple[str, ...]) -> bool:
    """Return True for classes of which the names are numbers, but not those of their places.

    >>> are_other_numbers(("1", "2")), are_other_numbers(("0", "1")), are_other_numbers(("1", "two"))
    (True, False, False)
    """
    return bool(names) and names != numbered(len(names)) and all(map(_is_number, names))


def taken_by_order(where: str, found: AbstractSpec, released: AbstractSpec) -> tuple[str, ...]:
    """Return a line on classes, and one on channels, that are matched by their order because no names tell more.

    Args:
        where: source of the records, for messages.
        found: of the records.
        released: of the release.
    """
    lines = []
    names, _ = facts_of_classes(released)
    if found.num_classes and names and not found.are_classes_named:
        lines.append(
            f"{where}: its labels have no names, and 0, 1, ... are taken for the classes in the order of the release: "
            f"{_some(names)}"
        )
    if isinstance(found, SeriesSpec) and isinstance(released, SeriesSpec) and released.channels > 1:
        own, others = found.channel_names, released.channel_names
        if bool(own) != bool(others):
            lines.append(
                f"{where}: channels have names in {'the release' if others else 'these records'} alone, and are taken "
                f"in their order: {_some(others or own)}"
            )
    return tuple(lines)


def _some(names: tuple[str, ...]) -> str:
    """Return the first names, for a line."""
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
