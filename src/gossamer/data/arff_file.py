"""Series in the format ARFF, as the UCR and UEA archives write it: of one channel, or relational with several."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.files import shown
from gossamer.data.ucr_cases import Cases, check_cases, lines_of, numbers_of, stacked
from gossamer.errors import InputError

_NUMERIC: Final = ("numeric", "real", "integer")
_TARGETS: Final = ("target", "class", "label", "classatt")
# A name or value in quotes, with backslashes before quotes in it, or without quotes.
_WORD: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,{}'\"]+"
_NAME: Final = re.compile(rf"\s*({_WORD})\s*(?:,|$)")
_ATTRIBUTE: Final = re.compile(rf"@attribute\s+({_WORD})\s+(.+)", re.IGNORECASE)
_RELATION: Final = re.compile(r"\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\s*(?:,\s*(.*))?")


@dataclass
class _Header:
    """The attributes of a file, in their order. Public."""

    num_values: int = 0
    is_relational: bool = False
    is_inside: bool = False
    class_names: tuple[str, ...] | None = None
    last: str = ""
    kinds: list[str] = field(default_factory=list)


def read_arff(path: Path) -> Cases:
    """Read an ARFF file of series. The class, if there is one, is the last attribute and lists its names.

    Raises:
        InputError: Naming the line and place of the fault, and never a value.
    """
    where, lines = shown(path), lines_of(path)
    header = _header(lines, where)
    values: list[np.ndarray] = []
    words: list[str] = []
    for number, line in lines:
        if line[0] == "%":
            continue
        at = f"{where}: line {number}"
        parts, last = _relational(line, at) if header.is_relational else _single(line, header, at)
        if (header.class_names is None) != (last is None):
            raise InputError(f"{at} has not one class after its values, as the attributes say: correct the line")
        channels = [numbers_of(part, f"{at}, channel {channel + 1}") for channel, part in enumerate(parts)]
        values.append(stacked(channels, at))
        words.append(_unquoted(last or ""))
        if values[-1].shape != (len(values[0]), header.num_values):
            raise InputError(
                f"{at} has {values[-1].shape[0]} channels of {values[-1].shape[1]} values, where the attributes and "
                f"the first series say {len(values[0])} of {header.num_values}: correct the line"
            )
    check_cases(values, where)
    return Cases(
        values=values,
        words=None if header.class_names is None else words,
        class_names=header.class_names or (),
        length=header.num_values,
    )


def _header(lines: Iterator[tuple[int, str]], where: str) -> _Header:
    header = _Header()
    for number, line in lines:
        at, word = f"{where}: line {number}", line.split()[0].lower()
        if word == "@data":
            break
        if word == "@attribute":
            _add(header, line, at)
        elif word == "@end":
            header.is_inside = False
        elif word[0] not in "%@":
            raise InputError(f"{at}: the header has no @data before the first series: begin the file with attributes")
    else:
        raise InputError(f"{where} has no @data: it is no ARFF file, or is cut short")
    if header.num_values == 0:
        raise InputError(f"{where} has no numeric attribute: a series needs one for each of its values")
    if header.class_names is None and header.last.lower() in _TARGETS:
        # Else a number to be predicted would be read as the last sample.
        raise InputError(
            f"{where}: the last attribute is a number, and by its name a target or class: leave it out, or list the "
            "names of the classes in braces"
        )
    return header


def _add(header: _Header, line: str, at: str) -> None:
    found = _ATTRIBUTE.fullmatch(line)
    if found is None:
        raise InputError(f"{at} is no attribute: write @attribute NAME numeric, or {{name,name}} for the class")
    name, kind = found.groups()
    if header.class_names is not None:
        raise InputError(f"{at} stands behind the class: make the class the last attribute")
    if kind.lower() == "relational":
        if header.is_relational or header.num_values:
            raise InputError(f"{at} is a second block of series: keep one relational attribute")
        header.is_relational = header.is_inside = True
    elif kind.split()[0].lower() in _NUMERIC:
        if header.is_relational and not header.is_inside:
            raise InputError(f"{at} is a number beside the series: leave it out")
        header.num_values += 1
        header.last = _unquoted(name)
    elif kind[0] == "{" and kind[-1] == "}" and not header.is_inside:
        header.class_names = _names(kind[1:-1], at)
    else:
        raise InputError(f"{at} is neither numeric nor a class: leave the attribute out")


def _names(text: str, at: str) -> tuple[str, ...]:
    """Return the names between the braces of a class."""
    names, place = [], 0
    while place < len(text):
        found = _NAME.match(text, place)
        if found is None:
            raise InputError(f"{at} has a class without a name, or with a quote too few: write {{name,'other name'}}")
        names.append(_unquoted(found.group(1)))
        place = found.end()
    return tuple(names)


def _single(line: str, header: _Header, at: str) -> tuple[list[list[str]], str | None]:
    if line[0] == "{":
        raise InputError(f"{at} is written sparsely, as {{place value, ...}}: write all values of the series out")
    cells = line.split(",", header.num_values)
    return [cells[: header.num_values]], cells[header.num_values] if len(cells) > header.num_values else None


def _relational(line: str, at: str) -> tuple[list[list[str]], str | None]:
    found = _RELATION.fullmatch(line)
    if found is None:
        raise InputError(f"{at} is no series in quotes, with \\n between its channels, and a class: correct the line")
    quoted, last = found.groups()
    return [channel.split(",") for channel in quoted[1:-1].split("\\n")], last


def _unquoted(word: str) -> str:
    word = word.strip()
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word
