"""Classes as a table writes them, by name or by number: one of the two for a whole column, decided once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gossamer.data.files import shown
from gossamer.data.names import is_number, is_whole, names_of_texts
from gossamer.data.row_names import RowNames
from gossamer.errors import InputError

_WAY_OUT: Final = "name them with --class-names (in Python class_names=), or give --num-classes"
_TRUTHS: Final = {"false": 0, "true": 1}


def labels_of_words(words: RowNames | np.ndarray, class_names: tuple[str, ...], where: str) -> np.ndarray:
    """Return classes as labels.

    The cells of a column are either all names of classes, or all numbers 0, 1, ... of the classes in their order. A
    cell that can be read both ways is a name. Truth values are 0 and 1 to many programs. So no cell is a number if
    they name classes in the other order.

    Guarantee:
        The meaning of a cell follows from the public names and that cell alone. Another cell cannot make it another
        class: a column that mixes names with other numbers is refused.

    Args:
        words: Names (num_series,), by the rule of `names`, as text or each distinct one once. Private.
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
        >>> labels_of_words(np.array(["1", "0"]), ("10", "20"), "'a.csv'").tolist()
        [1, 0]
    """
    by_name = _by_name(class_names)
    by_number = {str(label): label for label in range(len(class_names)) if str(label) not in by_name}
    if any(_TRUTHS.get(name, label) != label for name, label in by_name.items()):
        by_number = {}
    names = RowNames.of(words)
    is_by_number = len(names) > 0 and names.distinct[names.numbers[0]] in by_number
    known, others = (by_number, by_name) if is_by_number else (by_name, by_number)
    labels = np.array([known.get(name, -1) for name in names.distinct], dtype=np.int64)[names.numbers]
    if (labels < 0).any():
        series = int(np.argmax(labels < 0))
        # Privacy: the place, never the cell.
        if names.distinct[names.numbers[series]] in others:
            raise InputError(
                f"{where}: the class of record {series} and that of record 0 are not both names or both numbers: write "
                "all classes in one way"
            )
        raise InputError(
            f"{where}: the class of record {series} is none of the {len(class_names)} public classes: {_WAY_OUT}"
        )
    return labels


def class_numbers(words: Sequence[str], class_names: Sequence[str], where: str) -> list[int]:
    """Return the numbers of classes that a user asks for by words: all of them names of classes, or all numbers.

    Args:
        words: Names of classes, or their numbers from 0, the same for the whole list. Written by the user.
        class_names: Public names, in the order of the labels.
        where: Beginning of the message, the option.

    Raises:
        InputError: A word that is neither, or one written unlike the first. The message lists the classes, and never
            the word.

    Example:
        >>> class_numbers(["1", "3"], ["1", "2", "3"], "--labels")
        [0, 2]
        >>> class_numbers(["1", "0"], ["cat", "dog"], "--labels")
        [1, 0]
    """
    by_name = {name: number for number, name in enumerate(class_names)}
    # A number is offered only as long as no class has it for a name: where folders are 1, 2, 3, a 0 is a mistake.
    offered = () if any(map(is_whole, class_names)) else range(len(class_names))
    by_number = {str(number): number for number in offered}
    known, others = (by_number, by_name) if words[:1] and words[0] in by_number else (by_name, by_number)
    for place, word in enumerate(words):
        if word in others:
            raise InputError(
                f"{where}: word {place + 1} and word 1 are not both names or both numbers: write all classes in one way"
            )
        if word not in known:
            told = ", ".join(map(shown, class_names[:12])) + ", ..." * (len(class_names) > 12)
            way_out = f"its classes are {told}" if class_names else "it has none, so leave labels out"
            if where.startswith("--") and any("," in name for name in class_names):
                way_out += "; a name with a comma stands in quotation marks: '\"a,b\"'"
            # Privacy: in Python the words may be a column of private labels, handed over by mistake.
            raise InputError(f"{where}: word {place + 1} is no class of this generator; {way_out}")
    return [known[word] for word in words]


def check_places(class_names: tuple[str, ...], what: str) -> None:
    """Refuse whole numbers that may be names or places. The public names alone decide it.

    Whole numbers of an array are places, as samples have them. Names that are numbers, each that of its own place,
    leave no doubt. Other names that are numbers do.

    Args:
        class_names: Public names, in the order of the labels.
        what: Argument that holds the numbers.

    Raises:
        InputError: A name is a number or a truth value other than its place.
    """
    for name, label in _by_name(class_names).items():
        number = float(name) if is_number(name) else _TRUTHS.get(name, label)
        if number != label:
            raise InputError(
                f"class_names[{label}] is a number other than {label}, and so {what} may hold numbers that are names, "
                f"or places: hand {what} over as text if they are names"
            )


def _by_name(class_names: tuple[str, ...]) -> dict[str, int]:
    """Map each name to its label, by the rule that cells went through."""
    labels: dict[str, int] = {}
    for label, name in enumerate(names_of_texts(class_names, lambda label: f"class_names[{label}]").tolist()):
        first = labels.setdefault(name, label)
        if first != label:
            raise InputError(
                f"class_names[{first}] and class_names[{label}] are one name, as 7 and 7.0 are: each class needs a "
                "name of its own"
            )
    return labels
