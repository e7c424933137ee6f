"""Data sets of torch and of Hugging Face, read once, record by record, into arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    default_collate,
    default_convert,
)

from gossamer.data.records import check_num_values
from gossamer.errors import GossamerError, InputError, told
from gossamer.estimators.tables import Said, choice_of
from gossamer.estimators.values import array_of, kind_of

DataSet = Dataset[Any] | DataLoader[Any]
"""A data set of torch, or a loader of one."""
_X, _Y = ("x", "image", "img", "pixel_values", "series"), ("y", "label", "labels")


def is_data_set(value: object) -> bool:
    """Return True if a value is a data set or a loader of torch, or a data set of Hugging Face."""
    # A data set of Hugging Face is there only if its user has imported the package.
    datasets = sys.modules.get("datasets")
    kinds = (Dataset, DataLoader) if datasets is None else (Dataset, DataLoader, datasets.Dataset)
    return isinstance(value, kinds)


def gathered(source: Any, said: Said) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Read a data set once, record by record, into values, labels and names of people.

    An item is x, (x, y), (x, y, person) or a mapping. Of a mapping, `values`, `label` and `person` name the parts.
    Of a loader its data set is read, so that batches, their order and a dropped last batch change nothing.

    Guarantee: each record is read once and by itself. A loader that repeats or chooses records is refused, since the
    guarantee would cover one of several copies. It cannot be seen if the data set itself does so, or changes its items
    at random.

    Args:
        source: the data set or loader.
        said: public facts, of which those on columns name the parts of a mapping.

    Raises:
        InputError: items of unlike shape or without values, a loader that repeats or chooses, or a data set that fails.
    """
    choice = choice_of(said)
    if choice.time_column is not None or choice.series_column is not None or len(choice.value_columns) > 1:
        raise InputError("an item of a data set is a record: label and person name its parts, values the one part of x")
    words = (*choice.value_columns[:1], *[None] * (1 - len(choice.value_columns[:1])))
    names = (words[0], choice.class_column, choice.person_column)
    x: list[np.ndarray] = []
    others: tuple[list[Any], list[Any]] = ([], [])
    for place, item in enumerate(_items(_set_behind(source))):
        value, *rest = _parts(item, names, place)
        x.append(_record(value, place))
        _check_alike(x, place)
        for kept, part in zip(others, rest, strict=True):
            kept.append(_word(part))
    if not x:
        raise InputError("the data set holds 0 records; at least 1 is needed")
    return np.stack(x), _column(others[0], "label"), _column(others[1], "person")


def _set_behind(source: Any) -> Any:
    """Return the data set of a loader that reads each of its records once."""
    if not isinstance(source, DataLoader):
        return _once(source)
    if source.collate_fn not in (default_collate, default_convert):
        raise InputError("this loader makes its batches by a function of its own: hand over its data set")
    if isinstance(source.dataset, IterableDataset):
        return source.dataset
    records: Any = source.dataset
    batches = source.batch_sampler
    sampler: Any = batches.sampler if isinstance(batches, BatchSampler) else source.sampler
    # Privacy: with replacement a record is read several times, and the guarantee would cover one of them.
    is_plain = isinstance(sampler, SequentialSampler) or (
        isinstance(sampler, RandomSampler) and not sampler.replacement
    )
    if type(batches) not in (BatchSampler, type(None)) or not is_plain or len(sampler) != len(records):
        raise InputError(
            "the sampler of this loader chooses or repeats records: hand over torch.utils.data.Subset of those meant, "
            "each once"
        )
    return _once(records)


def _once(source: Any) -> Any:
    if isinstance(source, Subset | ConcatDataset):
        with _failures_told():
            places = _places(source)
        if len(set(places)) != len(places):
            raise InputError("this Subset or ConcatDataset names a record twice: name each record once")
    return source


def _places(source: Any) -> list[tuple[int, int]]:
    """Return the data set and the index in it of every record, behind choices and joins of any depth."""
    if isinstance(source, Subset):
        chosen_from = _places(source.dataset)
        # Privacy: an index may be a tensor, or count from the end, and still name the same record.
        return [chosen_from[int(place)] for place in source.indices]
    if isinstance(source, ConcatDataset):
        return [place for part in source.datasets for place in _places(part)]
    return [(id(source), place) for place in range(len(source))]


def _items(source: Any) -> Iterator[Any]:
    with _failures_told():
        yield from source if isinstance(source, IterableDataset) else (source[place] for place in range(len(source)))


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except GossamerError:
        raise
    except Exception as error:
        # Privacy: `from None`, since the words of a user's own data set may quote the record that it failed on.
        raise InputError(f"the data set failed with {type(error).__name__}: try to read it alone") from None


def _parts(item: Any, names: tuple[str | None, ...], place: int) -> tuple[Any, Any, Any]:
    """Return x, y and person of an item."""
    if isinstance(item, Mapping):
        return tuple(_named(item, name, usual, place) for name, usual in zip(names, (_X, _Y, ()), strict=True))
    if any(name is not None for name in names):
        raise InputError("values, label and person name parts of an item, and these items have no names")
    if not isinstance(item, tuple | list):
        return item, None, None
    if not 1 <= len(item) <= 3:
        raise InputError(f"item {place} of the data set has {len(item)} parts: x, or x and y, or x, y and person")
    return (*item, None, None)[:3]


def _named(item: Mapping[str, Any], name: str | None, usual: tuple[str, ...], place: int) -> Any:
    if name is not None and name not in item:
        raise InputError(f"item {place} of the data set has no part {told(name)}")
    found = name if name is not None else next((one for one in usual if one in item), None)
    if found is None and usual is _X:
        raise InputError(f"item {place} of the data set has none of the parts {', '.join(_X)}: name one with values=")
    return None if found is None else item[found]


def _record(value: Any, place: int) -> np.ndarray:
    """Return the values of one record as an array of its own, pictures with their channels first."""
    if isinstance(value, Image.Image):
        if value.mode not in ("L", "RGB"):
            raise InputError(f"item {place} of the data set is a picture of mode {value.mode}: convert it to L or RGB")
        pixels = np.array(value)
        return pixels if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    if isinstance(value, str | bytes | Mapping) or value is None:
        raise InputError(f"item {place} of the data set is {told(value)}: x must be an array, a tensor or a picture")
    array = array_of(value, f"item {place} of the data set")
    if array.dtype.kind not in "fiu":
        raise InputError(f"item {place} of the data set holds {kind_of(array)}: x must be numbers")
    # A copy, since a data set may hand the same memory over again.
    return array.copy()


def _check_alike(x: list[np.ndarray], place: int) -> None:
    first, last = x[0], x[-1]
    if last.shape != first.shape or last.dtype != first.dtype:
        # Privacy: shapes of single records are private where they differ.
        raise InputError(f"item {place} of the data set has another shape or type than item 0: make all alike")
    check_num_values("the data set", (place + 1) * first.size)


def _word(part: Any) -> Any:
    """Return a label or person as a plain number or text, if it is one of torch or numpy."""
    if isinstance(part, torch.Tensor | np.generic | np.ndarray):
        array = array_of(part, "a part of an item")
        return array.item() if array.size == 1 else part
    return part


def _column(parts: list[Any], what: str) -> np.ndarray | None:
    """Return the labels or people of all items, or None if no item has any."""
    missing = [place for place, part in enumerate(parts) if part is None]
    if len(missing) == len(parts):
        return None
    if missing:
        raise InputError(f"item {missing[0]} of the data set has no {what}, and others have one")
    if not all(isinstance(part, str | int | float) for part in parts):
        raise InputError(f"the {what} of an item of the data set must be a number or a text")
    return np.array(parts)
