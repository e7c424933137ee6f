"""Values that a user hands over in Python, checked one by one. A message names their kind and never their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch

from gossamer.data.class_words import check_places, class_numbers, labels_of_words
from gossamer.data.identities import NamedPeople
from gossamer.data.names import names_of_array
from gossamer.data.row_names import RowNames
from gossamer.errors import InputError, told

Array = np.ndarray | torch.Tensor
"""Values, labels or names of people, a row each."""
Bounds = float | Sequence[float] | None
"""A public bound of the values: one for all channels, one each, or None if there is none."""


def whole(name: str, value: int) -> int:
    """Return a whole number of Python, from one of Python or numpy.

    Raises:
        InputError: the value is none.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InputError(f"{name} must be a whole number, not {type(value).__name__}")
    return int(value)


def check_setting(name: str, value: object) -> None:
    """Refuse a setting that is neither a number, a short text, a configuration nor a tuple of such things.

    Raises:
        InputError: naming the setting, and never its value.
    """
    parts = value if isinstance(value, tuple) else (value,)
    for part in parts:
        is_text = isinstance(part, str) and told(part) == repr(part)
        is_config = is_dataclass(part) and not isinstance(part, type)
        if not (part is None or is_text or is_config or isinstance(part, bool | int | float | np.number | np.bool_)):
            raise InputError(f"the setting {name} is {told(value)}: it must be a number, a text or a configuration")


def integers(values: Any, name: str) -> np.ndarray:
    """Return whole numbers (records,), or (records, 1), as an int64 copy (records,).

    Raises:
        InputError: of another kind or shape.
    """
    array = one_each(array_of(values, name))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        rows = array.ndim == 2 and array.dtype.kind in "iufb"
        advice = f": {name}.argmax(1) if one of each row is 1" if rows else ""
        raise InputError(
            f"{name} must be whole numbers of shape (records,), not {kind_of(array)} {array.shape}{advice}"
        )
    return array.astype(np.int64)


def one_each(array: np.ndarray) -> np.ndarray:
    """Return an array (records, 1) as (records,), and any other as it is.

    >>> one_each(np.zeros((3, 1))).shape
    (3,)
    """
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def array_of(values: Any, name: str) -> np.ndarray:
    """Return values as an array of numpy, from one of torch, a list or a column of a table.

    Raises:
        InputError: they are none, such as rows of unequal length.
    """
    try:
        if isinstance(values, torch.Tensor):
            # Numpy has no bfloat16. Each of its numbers is one of float32, too.
            exact = values.float() if values.dtype == torch.bfloat16 else values
            return exact.detach().cpu().numpy()
        array = np.asarray(values)
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    except (TypeError, ValueError, RuntimeError):
        # Privacy: `from None`, since numpy quotes what it fails on.
        if isinstance(values, torch.Tensor):
            raise InputError(
                f"{name} is a tensor of a kind that numpy has not: hand over {name}.float(), of a sparse one "
                f"{name}.to_dense()"
            ) from None
        raise InputError(f"{name} is {told(values)} that makes no array: convert it to one of numpy first") from None


def kind_of(array: np.ndarray) -> str:
    """Return the kind of the items of an array, in a word.

    >>> kind_of(np.zeros(3)), kind_of(np.zeros(3, dtype=[("a", float)]))
    ('float64', 'rows of fields')
    """
    # Privacy: the fields of a structured array have names, which can be cells of a table without a head line.
    return "rows of fields" if array.dtype.fields is not None else str(array.dtype)


def labels_of(y: Array | None, class_names: tuple[str, ...], *, are_named: bool) -> torch.Tensor | None:
    """Return labels of records, int64 (records,), from whole numbers or from text.

    Guarantee: the classes are those that were named in public. A name in the labels adds none, and is refused.

    Args:
        y: whole numbers, or the name of the class of each record, or None.
        class_names: public names of the classes, in the order of the labels.
        are_named: True if the user named them, False if they are numbers.

    Raises:
        InputError: labels of another kind, a name that is none of the classes, or names that were not given.
    """
    if y is None:
        return None
    array = one_each(array_of(y, "y"))
    if array.ndim != 1 or array.dtype.kind not in "OUSTb":
        # Numbers are compared as numbers: a column of labels with a gap filled comes back from pandas as floats.
        is_whole_number = array.dtype.kind == "f" and bool((np.isfinite(array) & (array == np.floor(array))).all())
        labels = integers(array.astype(np.int64) if is_whole_number else y, "y")
        if are_named:
            check_places(class_names, "y")
        return torch.from_numpy(labels)
    if not are_named:
        # Privacy: names that were read from private labels would publish a class that one record alone has.
        raise InputError(
            "y holds names of classes: state them in public, class_names=['cat', 'dog'] for instance. They are never "
            "read from y, since a class of one record alone would be published (of a pandas column, its categories too)"
        )
    words = names_of_array(array, lambda record: f"y[{record}]")
    return torch.from_numpy(labels_of_words(words, class_names, "y"))


def numbers_to_draw(labels: Any, num_samples: int, class_names: tuple[str, ...]) -> np.ndarray | None:
    """Return the classes to draw, int64 (num_samples,), from one class for all samples, or one for each.

    Args:
        labels: a number or name of a class, numbers or names (num_samples,), or None. Text is a name before it is
            a number. Whole numbers are places, and refused if names are other numbers.
        num_samples: number of samples.
        class_names: of the generator.

    Raises:
        InputError: a name that is no class of the generator, or labels of another kind.
    """
    if labels is None:
        return None
    if isinstance(labels, str):
        (number,) = class_numbers([labels], class_names, "labels")
        return np.full(max(num_samples, 0), number, dtype=np.int64)
    if isinstance(labels, int | np.integer) and not isinstance(labels, bool):
        check_places(class_names, "labels")
        return np.full(max(num_samples, 0), int(labels), dtype=np.int64)
    array = array_of(labels, "labels")
    if array.ndim == 1 and array.dtype.kind in "OUT" and all(isinstance(name, str) for name in array.tolist()):
        return np.array(class_numbers(array.tolist(), class_names, "labels"), dtype=np.int64)
    numbers = integers(labels, "labels")
    check_places(class_names, "labels")
    return numbers


def bounds_of(bounds: Bounds, name: str) -> tuple[float, ...]:
    """Return a public bound, a number for all channels or one for each.

    Raises:
        InputError: it is neither.
    """
    if bounds is None:
        return ()
    found = np.atleast_1d(array_of(bounds, name))
    if found.ndim != 1 or found.dtype.kind not in "fiu" or not len(found):
        raise InputError(f"{name} must be one number for all channels, or one for each")
    return tuple(map(float, found))


def rate_of(sample_rate: float | None) -> float | None:
    """Return a sample rate in Hz.

    Raises:
        InputError: it is no number.
    """
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, Real | None):
        raise InputError(f"sample_rate must be a number of Hz, not {type(sample_rate).__name__}")
    return None if sample_rate is None else float(sample_rate)


def names_in(names: Sequence[str], what: str) -> tuple[str, ...]:
    """Return public names, each a text or a number.

    Raises:
        InputError: they are no list of names.
    """
    if isinstance(names, str):
        raise InputError(f"{what} must be a list of names, not one text: put {told(names)} into brackets")
    items: list[Any] | np.ndarray = list(names) if isinstance(names, list | tuple) else array_of(names, what)
    if isinstance(items, np.ndarray) and items.ndim != 1:
        raise InputError(f"{what} must be a list of names, not {told(names)}")
    if not all(isinstance(item, str | int | float | np.generic) for item in items):
        raise InputError(f"{what} must be a list of names, each a text")
    return tuple(map(str, items))


def column_of(name: str | None, what: str) -> str | None:
    """Return the name of one column.

    Raises:
        InputError: it is no text, or one of several lines.
    """
    if name is not None and (not isinstance(name, str) or len(name.splitlines()) > 1):
        raise InputError(f"{what} must be the name of a column, not {told(name)}")
    return name


def people_of(people: Array | None) -> dict[str, Any]:
    """Return the people of records, as a `RecordSet` takes them, with names by the rule of all readers."""
    return {} if people is None else NamedPeople.of(names_of_people(people)).of_records()


def names_of_people(people: Array) -> RowNames:
    """Return the name of the person of each record, by the rule of all readers.

    Raises:
        InputError: they are of another shape, or one is no name.
    """
    names = array_of(people, "people")
    if names.ndim != 1:
        raise InputError(f"people must be numbers or text of shape (records,), not {kind_of(names)} {names.shape}")
    return names_of_array(names, lambda record: f"people[{record}]")
