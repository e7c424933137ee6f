"""A table of images: a row is an image, and its pixels stand side by side, row after row, channel after channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gossamer.data.class_words import labels_of_words
from gossamer.data.columns_read import ColumnsRead
from gossamer.data.identities import NamedPeople
from gossamer.data.images import ImageSpec, check_sides
from gossamer.data.layouts import WideColumns
from gossamer.data.records import RecordData, RecordSet
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.table import AbstractTable
from gossamer.data.table_form import USUAL_FORM, TableForm
from gossamer.data.value_columns import find_values
from gossamer.errors import InputError

if TYPE_CHECKING:
    import torch


def read_image_table(
    source: AbstractTable,
    columns: WideColumns,
    shape: tuple[int, ...],
    facts: SeriesFacts,
    form: TableForm = USUAL_FORM,
) -> RecordData:
    """Read images from a table in which a row is an image.

    Guarantee:
        Shape, classes and bounds are public inputs, and none is computed from the cells.

    Args:
        source: Columns of the table.
        columns: Meaning of the columns. Values are pixels in the order (channels, height, width).
        shape: Public, (height, width) or (channels, height, width).
        facts: Public bounds of the values and classes. Without bounds the values lie in [0, 1].
        form: Columns to leave out.

    Raises:
        InputError: Naming the table, column and row of the fault, and never a value.
    """
    import torch

    channels, height, width = (1, *shape) if len(shape) == 2 else shape
    if facts.length is not None or facts.sample_rate is not None or facts.channel_names or facts.units:
        raise InputError(
            "length, sample_rate, channel_names and units are of series, and shape is of images: leave one out"
        )
    class_names = facts.classes(columns.label is not None, source.where)
    spec = ImageSpec(
        channels=channels,
        height=height,
        width=width,
        class_names=class_names,
        are_classes_named=bool(facts.class_names) or not class_names,
    )
    check_sides("shape", height, width)
    others = tuple(name for name in (columns.label, columns.person) if name is not None)
    found = find_values(source, columns.values, others, form)
    values = found.names
    if len(values) != math.prod(spec.shape):
        raise InputError(
            f"{source.where} has {len(values)} value columns, and images of shape {spec.shape} have "
            f"{math.prod(spec.shape)} values: name the columns of the values, or correct shape"
        )
    table = source.read(numbers=values, words=others)
    pixels = _scaled(np.stack([table.numbers[name] for name in values], axis=1), facts, source.where)
    y = None
    if columns.label is not None:
        y = torch.from_numpy(labels_of_words(table.words[columns.label], class_names, source.where))
    people = {} if columns.person is None else NamedPeople.of(table.words[columns.person]).of_records()
    x = torch.from_numpy(pixels.reshape(-1, *spec.shape))
    train = RecordSet(name=source.title, spec=spec, x=x, y=y, **people)
    notes = ("The image shape was given by the user.", *_notes(facts, y), *source.notes, *found.notes)
    read = ColumnsRead.of(columns, "wide", values, found.index + found.dropped)
    return RecordData(train=train, public_notes=notes, columns=read)


def _scaled(values: np.ndarray, facts: SeriesFacts, where: str) -> np.ndarray:
    """Return pixels as float32 in [0, 1], clipped to public bounds, or refused without any."""
    if len(facts.low) > 1 or len(facts.high) > 1:
        raise InputError("low and high of images are one number each")
    low, high = (facts.low[0], facts.high[0]) if facts.has_bounds else (0.0, 1.0)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError("low and high must be finite, low below high")
    wrong = ~np.isfinite(values) if facts.has_bounds else ~((values >= 0) & (values <= 1))
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        # Privacy: the place, never the value.
        raise InputError(
            f"{where}: row {row + 1}, value column {column + 1} is empty or no number in [0, 1]: give public bounds "
            "low and high, 0 and 255 for instance, and fill what is missing"
        )
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)


def _notes(facts: SeriesFacts, y: torch.Tensor | None) -> tuple[str, ...]:
    """Return the sentences for the statement on bounds and classes."""
    return facts.notes(y is not None)[1:]
