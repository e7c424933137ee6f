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
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from gossamer.errors import InputError

MAX_WORD_LENGTH: Final = 256
"""Longest name of a class, person or series, and longest time, in characters."""
Place = Callable[[int], str]
"""Words for the place of a cell, by its number from 0: the beginning of a message."""
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


def names_of_array(values: np.ndarray, place: Place) -> np.ndarray:
    """Return the names in an array of numpy.

    Guarantee:
        Two cells have equal names exactly if the rule above calls them equal, whatever the type of the array. A message
        names the place of a cell, never its content.

    Args:
        values: (num_rows,) integers, floats, truth values, text, bytes, or objects of these kinds and decimals.
        place: Beginning of a message.

    Returns:
        Text (num_rows,). Private.

    Raises:
        InputError: Naming the first cell that has no name.

    Example:
        >>> names_of_array(np.array([7.0, 7.5, -0.0]), lambda row: f"row {row + 1}").tolist()
        ['7', '7.5', '0']
        >>> names_of_array(np.array(["007", " 7.0", "p7"]), lambda row: f"row {row + 1}").tolist()
        ['7', '7', 'p7']
    """
    kind = values.dtype
    if kind.kind == "b":
        return np.where(values, "true", "false")
    if kind.kind in "iu":
        return _named(values.tolist(), str, place)
    if kind.kind == "f" and kind.newbyteorder("=") in _LIMITS:
        return _named(values.tolist(), _float_rule(kind.newbyteorder("=")), place)
    if kind.kind == "U":
        return names_of_texts(values.tolist(), place)
    if kind.kind == "S":
        return _named(values.tolist(), _of_bytes, place)
    if kind.kind in "OT":
        return _names_of_objects(values.tolist(), place)
    raise InputError(f"{place(0)} {_STRANGE}")


def names_of_column(column: Any, place: Place) -> np.ndarray:
    """Return the names in a column of pyarrow, its dictionary, if it had one, written out. See `names_of_array`.

    Args:
        column: Chunked array (num_rows,) of whole numbers, floats, decimals, truth values, text or bytes.
        place: Beginning of a message.

    Returns:
        Text (num_rows,). Private.

    Raises:
        InputError: Naming the first cell that has no name.
    """
    import pyarrow
    from pyarrow import types

    kind = column.type
    if types.is_decimal(kind):
        column, kind = column.cast(pyarrow.string()), pyarrow.string()
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    if is_number and column.null_count == 0:
        return names_of_array(column.to_numpy(zero_copy_only=False), place)
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    if is_text and column.null_count == 0:
        return names_of_texts(column.to_pylist(), place)
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    if is_number or is_text or is_bytes or types.is_null(kind):
        return _names_of_objects(column.to_pylist(), place)
    raise InputError(f"{place(0)} {_STRANGE}")


def names_of_texts(texts: Sequence[str], place: Place) -> np.ndarray:
    """Return the names that were written as text, (num_rows,).

    Raises:
        InputError: Naming the first text that is no name.
    """
    return _named(texts, _of_text, place)


def slots_of_names(names: np.ndarray) -> np.ndarray:
    """Return the number of each row's name: 0, 1, ... in the order of the sorted names.

    Args:
        names: (num_rows,), by the rule above.

    Returns:
        int64 (num_rows,), private.

    Example:
        >>> slots_of_names(np.array(["b", "a", "b"])).tolist()
        [1, 0, 1]
    """
    words = names.tolist()
    slots = {name: slot for slot, name in enumerate(sorted(dict.fromkeys(words)))}
    return np.fromiter(map(slots.__getitem__, words), dtype=np.int64, count=len(words))


def is_whole(name: str) -> bool:
    """Return True if a name, by the rule above, is that of a whole number."""
    return re.fullmatch(r"-?[0-9]+", name) is not None


def is_number(name: str) -> bool:
    """Return True if a name, by the rule above, is that of a number.

    >>> is_number("7"), is_number("0.5"), is_number("p7")
    (True, True, False)
    """
    return _NUMBER.fullmatch(name) is not None


def _named(cells: Sequence[Any], rule: Callable[[Any], str], place: Place) -> np.ndarray:
    names: dict[Any, str] = {}
    # In the order in which they first appear, so that the first refused cell is the first in the table.
    for cell in dict.fromkeys(cells):
        try:
            names[cell] = rule(cell)
        except _NoName as broken:
            # Privacy: the place, never the cell.
            raise InputError(f"{place(cells.index(cell))} {broken}") from None
    return np.array([names[cell] for cell in cells], dtype=str)


def _names_of_objects(cells: Iterable[Any], place: Place) -> np.ndarray:
    """Return the names of cells of several kinds, as pandas hands them over."""
    return _named([_key(cell) for cell in cells], _of_object, place)


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
            return "true" if cell else "false"
        case int() | np.integer():
            return _of_integer(int(cell))
        case float() | np.float32() | np.float16():
            return _float_rule(np.dtype(kind) if issubclass(kind, np.floating) else np.dtype(np.float64))(float(cell))
    raise _NoName(_EMPTY if kind.__name__ in _MISSING else _STRANGE)


def _of_integer(number: int) -> str:
    # Python refuses to write out a number of very many digits.
    if number.bit_length() > 4 * MAX_WORD_LENGTH or len(str(number)) > MAX_WORD_LENGTH:
        raise _NoName(_LONG)
    return str(number)


def _float_rule(kind: np.dtype) -> Callable[[float], str]:
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
