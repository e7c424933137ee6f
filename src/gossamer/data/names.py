"""One rule that makes a name of a cell: a person, series or class has one name, however and wherever it was written.

| written | name |
|---|---|
| whole numbers of any size | their decimal text |
| floats | whole: that number's text, below 2**53 (float32: 2**24, float16: 2**11); else the shortest that reads back |
| text | stripped, without invisible marks, in Unicode's form NFC; as a number if it reads as one; True is true |
| truth values | true, false |
| decimals, bytes in UTF-8 | as their plain text |

So ``7``, ``7.0``, ``"007"`` and ``Decimal("7.00")`` are one name. A cell is refused if it is missing, infinite, of
another kind, or not known to its last digit.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from gossamer.data.row_names import RowNames, RunningNames
from gossamer.errors import InputError

MAX_WORD_LENGTH: Final = 256
"""Longest name of a class, person or series, and longest time, in characters."""
Place = Callable[[int], str]
"""Words for the place of a cell, by its number from 0: the beginning of a message."""
Rule = Callable[[Any], str]
"""The rule from a cell to its name."""
# Cells that are Python objects at one time, which take many times the room of their names' numbers.
_AT_ONCE: Final = 2**14
# At the limit itself two whole numbers have already become one float: 2**53 may have been 2**53 + 1.
_LIMIT: Final = 2**53
_LIMITS: Final = {np.dtype(np.float64): _LIMIT, np.dtype(np.float32): 2**24, np.dtype(np.float16): 2**11}
_SMALL: Final = {np.dtype(np.float32): np.float32, np.dtype(np.float16): np.float16}
_TRUTHS: Final = {form: word for word in ("true", "false") for form in (word, word.capitalize(), word.upper())}
# Marks without width or meaning of their own, which programs leave in cells: soft hyphen, zero width space, marks of
# direction, word joiner, byte order mark. Joiners stay: some scripts spell with them.
_UNSEEN: Final = dict.fromkeys((0x00AD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))
# An exponent of four digits is no float's: codes such as 1e2345 stay text.
_NUMBER: Final = re.compile(r"([+-]?[0-9]+)|[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]{1,3})?")
_CELLS: Final = (str, bytes, bool, np.bool_, int, np.integer, float, np.float32, np.float16)
_MISSING: Final = ("NoneType", "NAType", "NaTType")

_EMPTY: Final = "is empty: every row needs a name"
_LONG: Final = f"has more than {MAX_WORD_LENGTH} characters: shorten the name"
_STRANGE: Final = "is neither text nor a number: convert names to one of them"
_INFINITE: Final = "is infinite: a name is text or a finite number"
_NOT_TEXT: Final = "is not text in Unicode: save names as UTF-8"
_UNSURE: Final = (
    "is a number with a point or an exponent and of more digits than a float keeps apart: write such a name without "
    "them, or put a letter before it"
)


class _NoName(ValueError):
    """The rule that a cell breaks, and the way out."""


def names_of_array(values: np.ndarray, place: Place) -> RowNames:
    """Return the names in an array of numpy.

    Guarantee:
        Two cells have equal names exactly if the rule above calls them equal, whatever the type of the array. A message
        names the place of a cell, never its content.

    Args:
        values: (num_rows,) integers, floats, truth values, text, bytes, or objects of these kinds and decimals.
        place: Beginning of a message.

    Returns:
        A name for each row. Private.

    Raises:
        InputError: Naming the first cell that has no name.

    Example:
        >>> names_of_array(np.array([7.0, 7.5, -0.0]), lambda row: f"row {row + 1}").tolist()
        ['7', '7.5', '0']
        >>> names_of_array(np.array(["007", " 7.0", "p7"]), lambda row: f"row {row + 1}").tolist()
        ['7', '7', 'p7']
    """
    rule = _rule_of(values.dtype)
    if rule is None:
        raise InputError(f"{place(0)} {_STRANGE}")
    return _named(values, _keys if rule is _of_object else np.ndarray.tolist, rule, place)


def _rule_of(kind: np.dtype) -> Rule | None:
    """Return the rule for cells of an array of this type, or None if there is none."""
    if kind.kind == "f":
        precise = kind.newbyteorder("=")
        return _float_rule(precise) if precise in _LIMITS else None
    rules: dict[str, Rule] = {"b": _of_truth, "i": str, "u": str, "U": _of_text, "S": _of_bytes}
    return rules.get(kind.kind, _of_object if kind.kind in "OT" else None)


def names_of_column(column: Any, place: Place) -> RowNames:
    """Return the names in a column of pyarrow. See `names_of_array`.

    Args:
        column: Array, chunked or not, (num_rows,) of whole numbers, floats, decimals, truth values, text or bytes. Or
            of words and indices of these kinds.
        place: Beginning of a message.

    Returns:
        A name for each row. Private.

    Raises:
        InputError: Naming the first cell that has no name.
    """
    import pyarrow
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_decimal(kind):
        column, kind = column.cast(kind).cast(pyarrow.string()), pyarrow.string()
    rule = _rule_of_column(kind)
    if rule is None:
        raise InputError(f"{place(0)} {_STRANGE}")
    running, first = RunningNames(), 0
    for chunk in getattr(column, "chunks", [column]):
        running.add(_named(chunk, _cells_of, rule, place, first))
        first += len(chunk)
    return running.names()


def _rule_of_column(kind: Any) -> Rule | None:
    """Return the rule for cells of a column of this type of pyarrow, or None if there is none."""
    from pyarrow import types

    if types.is_floating(kind):
        return _float_rule(np.dtype(f"f{kind.bit_width // 8}"))
    rules: tuple[tuple[Callable[[Any], bool], Rule], ...] = (
        (types.is_integer, str),
        (types.is_boolean, _of_truth),
        (types.is_string, _of_text),
        (types.is_large_string, _of_text),
        (types.is_string_view, _of_text),
        (types.is_binary, _of_bytes),
        (types.is_large_binary, _of_bytes),
        (types.is_fixed_size_binary, _of_bytes),
        (types.is_null, str),
    )
    return next((rule for is_kind, rule in rules if is_kind(kind)), None)


def _cells_of(part: Any) -> list[Any]:
    """Return the cells of a part of a column of pyarrow. A word that many indices name is one object."""
    from pyarrow import types

    if not types.is_dictionary(part.type):
        return part.to_pylist()
    indices, dictionary = part.indices.to_pylist(), part.dictionary
    # One by one, since a dictionary may hold many more words than a part uses.
    words = {index: dictionary[index].as_py() for index in dict.fromkeys(indices) if index is not None}
    return [words.get(index) for index in indices]


def names_of_texts(texts: Sequence[str], place: Place) -> RowNames:
    """Return the names that were written as text.

    Raises:
        InputError: Naming the first text that is no name.
    """
    return _named(texts, list, _of_text, place)


def is_whole(name: str) -> bool:
    """Return True if a name, by the rule above, is that of a whole number."""
    return re.fullmatch(r"-?[0-9]+", name) is not None


def is_number(name: str) -> bool:
    """Return True if a name, by the rule above, is that of a number.

    >>> is_number("7"), is_number("0.5"), is_number("p7")
    (True, True, False)
    """
    return _NUMBER.fullmatch(name) is not None


def _named(cells: Any, listed: Callable[[Any], list[Any]], rule: Rule, place: Place, first: int = 0) -> RowNames:
    """Return the names of cells, some of which are Python objects at a time.

    Args:
        cells: Sequence, array or column, which can be cut.
        listed: Returns a part of them as Python objects.
        rule: The rule from a cell to its name.
        place: Beginning of a message.
        first: Number of cells before these.
    """
    running = RunningNames()
    for start in range(0, len(cells), _AT_ONCE):
        part = listed(cells[start : start + _AT_ONCE])
        names: dict[Any, str] = {}
        # In the order in which they first appear, so that the first refused cell is the first in the table.
        for cell in dict.fromkeys(part):
            try:
                names[cell] = _ruled(cell, rule)
            except _NoName as broken:
                # Privacy: the place, never the cell.
                raise InputError(f"{place(first + start + part.index(cell))} {broken}") from None
        running.add_texts(map(names.__getitem__, part))
    return running.names()


def _ruled(cell: Any, rule: Rule) -> str:
    if cell is None:
        raise _NoName(_EMPTY)
    return rule(cell)


def _keys(cells: np.ndarray) -> list[tuple[type, Any]]:
    return [_key(cell) for cell in cells.tolist()]


def _key(cell: Any) -> tuple[type, Any]:
    """Return a cell with its kind: 1 and True would be one key, and a small float's kind says how precise it is."""
    if not isinstance(cell, Decimal):
        return type(cell), cell if isinstance(cell, _CELLS) else None
    if cell.is_finite():
        return Decimal, str(cell)
    return float, math.nan if cell.is_nan() else math.inf


def _of_object(key: tuple[type, Any]) -> str:
    kind, cell = key
    match cell:
        case str():
            return _of_text(cell)
        case bytes():
            return _of_bytes(cell)
        case bool() | np.bool_():
            return _of_truth(cell)
        case int() | np.integer():
            return _of_integer(int(cell))
        case float() | np.float32() | np.float16():
            return _float_rule(np.dtype(kind) if issubclass(kind, np.floating) else np.dtype(np.float64))(float(cell))
    raise _NoName(_EMPTY if kind.__name__ in _MISSING else _STRANGE)


def _of_truth(cell: bool | np.bool_) -> str:
    return "true" if cell else "false"


def _of_integer(number: int) -> str:
    # Python refuses to write out a number of very many digits.
    if number.bit_length() > 4 * MAX_WORD_LENGTH or len(str(number)) > MAX_WORD_LENGTH:
        raise _NoName(_LONG)
    return str(number)


def _float_rule(kind: np.dtype) -> Rule:
    """Return the rule for floats of a precision, which come as Python's."""
    limit = _LIMITS[kind]
    if kind not in _SMALL:
        return lambda value: _of_float(value, limit)
    small = _SMALL[kind]
    # 0.1 in 32 bits is 0.10000000149011612 in 64, and its name is 0.1; whole numbers are the same in both.
    return lambda value: _of_float(value if value.is_integer() else float(str(small(value))), limit)


def _of_float(value: float, limit: int) -> str:
    if math.isnan(value):
        raise _NoName(_EMPTY)
    if math.isinf(value):
        raise _NoName(_INFINITE)
    if not value.is_integer():
        return repr(value)
    if abs(value) >= limit:
        raise _NoName(
            f"is a float of 2**{limit.bit_length() - 1} or more, where whole numbers become one: save names as "
            "integers or text"
        )
    return str(int(value))


def _of_bytes(cell: bytes) -> str:
    try:
        return _of_text(cell.decode("utf-8"))
    except UnicodeDecodeError:
        raise _NoName(_NOT_TEXT) from None


def _of_text(cell: str) -> str:
    # numpy drops characters 0 at the end of a text, so no other reader may tell names by them.
    text = cell.replace("\0", " ").strip()
    if len(text) > MAX_WORD_LENGTH:
        raise _NoName(_LONG)
    if not text.isascii():
        text = _composed(text)
    if not text or text.casefold() == "nan":
        raise _NoName(_EMPTY)
    number = _NUMBER.fullmatch(text)
    if number is None:
        return _TRUTHS.get(text, text)
    return _of_float_text(text) if number[1] is None else str(int(text))


def _composed(text: str) -> str:
    """Return a text in Unicode's form NFC and without invisible marks, so that texts that look alike are equal."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _NoName(_NOT_TEXT) from None
    return unicodedata.normalize("NFC", text.translate(_UNSEEN)).strip()


def _of_float_text(text: str) -> str:
    """Name a text as the float that it is, if it is exactly that float and not merely near to it."""
    value = float(text)
    if not abs(value) < _LIMIT:
        raise _NoName(_UNSURE)
    name = _of_float(value, _LIMIT)
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    if name != plain and Decimal(name) != Decimal(text):
        raise _NoName(_UNSURE)
    return name
