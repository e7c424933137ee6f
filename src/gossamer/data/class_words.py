"""Classes by name or by number: one rule for the cells of a table, and for every option that takes classes.

Some public names are numbers: folders ``1``, ``2``, ``3``, or ``0.5``. Then every word is the name of a class, and
places are never read. Otherwise words are either all names, or all places 0, 1, ... in the order of the names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gossamer.data.names import is_number, names_of_texts
from gossamer.errors import InputError

_WAY_OUT: Final = "name them with --class-names (in Python class_names=), or give --num-classes"
_TRUTHS: Final = {"false": 0, "true": 1}
_SHOWN: Final = 12


def labels_of_words(words: np.ndarray, class_names: tuple[str, ...], where: str) -> np.ndarray:
    """Return classes as labels.

    If a public name reads as a number, every cell is the name of a class. Otherwise the cells are either all names, or
    all numbers 0, 1, ... of the classes in their order.

    Guarantee:
        The meaning of a cell follows from the public names and that cell alone: no other cell can make it another
        class. For no public names is a cell both a name and a place, so there is nothing that a column could decide. A
        column that mixes names and places is refused, and never read in a third way.

    Args:
        words: Names (num_series,), by the rule of `names`. Private.
        class_names: Public names, in the order of the labels. They go through the same rule.
        where: Beginning of the message, the file.

    Returns:
        int64 (num_series,), in 0 .. num_classes - 1.

    Raises:
        InputError: Two class names are one. Or the class of a series is unknown, or written unlike that of the first
            series. The message names the first such series.

    Example:
        >>> labels_of_words(np.array(["dog", "cat"]), ("cat", "dog"), "'a.csv'").tolist()
        [1, 0]
        >>> labels_of_words(np.array(["1", "0"]), ("1", "0"), "'a.csv'").tolist()
        [0, 1]
    """
    by_name, by_place = _readings(class_names)
    cells = words.tolist()
    known, others = (by_place, by_name) if cells[:1] and cells[0] in by_place else (by_name, by_place)
    labels = np.array([known.get(cell, -1) for cell in cells], dtype=np.int64)
    if (labels < 0).any():
        series = int(np.argmax(labels < 0))
        # Privacy: the place, never the cell.
        if cells[series] in others:
            raise InputError(
                f"{where}: the class of record {series} and that of record 0 are not both names or both numbers: write "
                "all classes in one way"
            )
        raise InputError(
            f"{where}: the class of record {series} is none of the {len(class_names)} public classes: {_WAY_OUT}"
        )
    return labels


def classes_asked(words: Sequence[str], class_names: tuple[str, ...], told_as: Sequence[str]) -> np.ndarray:
    """Return the numbers of classes that a user asked for by words, by the rule of this module.

    Args:
        words: Names or places.
        class_names: Public names, in the order of the labels.
        told_as: Beginning of the message on each word.

    Returns:
        int64 (num_words,).

    Raises:
        InputError: A word is no class, or names and places are mixed. The message offers the classes.

    Example:
        >>> classes_asked(["1"], ("1", "2", "3"), ["--labels 1"]).tolist()
        [0]
        >>> classes_asked(["1"], ("cat", "dog"), ["--labels 1"]).tolist()
        [1]
    """
    by_name, by_place = _readings(class_names)
    cells = names_of_texts(words, lambda place: told_as[place]).tolist()
    known = by_place if cells[:1] and cells[0] in by_place else by_name
    for place, cell in enumerate(cells):
        if cell not in known:
            mixed = " beside a class that is written in the other way" if cell in by_name or cell in by_place else ""
            raise InputError(f"{told_as[place]}: no class of this generator{mixed}; {_offered(class_names, by_place)}")
    return np.array([known[cell] for cell in cells], dtype=np.int64)


def check_places(class_names: tuple[str, ...], what: str) -> None:
    """Refuse whole numbers that may be names or places. The public names alone decide it.

    Whole numbers of an array are places, as a model that was drawn from returns them. Names that are numbers, each that
    of its own place, leave no doubt. Other names that are numbers do.

    Args:
        class_names: Public names, in the order of the labels.
        what: Argument that holds the numbers.

    Raises:
        InputError: A name is a number other than its place.
    """
    for label, name in enumerate(_names(class_names)):
        number = _TRUTHS.get(name, label) if not is_number(name) else float(name)
        if number != label:
            raise InputError(
                f"class_names[{label}] is a number other than {label}, and so {what} may hold numbers that are names, "
                f"or places: hand {what} over as text if they are names"
            )


def _readings(class_names: tuple[str, ...]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the labels by name, and those by place. The latter is empty if numbers can be nothing but names."""
    by_name: dict[str, int] = {}
    for label, name in enumerate(_names(class_names)):
        first = by_name.setdefault(name, label)
        if first != label:
            raise InputError(
                f"class_names[{first}] and class_names[{label}] are one name, as 7 and 7.0 are: each class needs a "
                "name of its own"
            )
    # Truth values are written as 0 and 1 by many programs, and must not change places.
    is_closed = any(is_number(name) or _TRUTHS.get(name, label) != label for name, label in by_name.items())
    return by_name, {} if is_closed else {str(label): label for label in range(len(class_names))}


def _names(class_names: tuple[str, ...]) -> list[str]:
    """Return the names by the rule that cells go through."""
    return names_of_texts(class_names, lambda label: f"class_names[{label}]").tolist()


def _offered(class_names: tuple[str, ...], by_place: dict[str, int]) -> str:
    """Return the classes to choose from, with their numbers if a number is a way to say them."""
    if not class_names:
        return "it has none, so leave labels out"
    first = class_names[:_SHOWN]
    told = [f"{label} ({name})" for label, name in enumerate(first)] if by_place else list(first)
    more = ", ..." if len(class_names) > _SHOWN else ""
    return f"give some of {', '.join(told)}{more}" + ("" if by_place else ", by name")
