"""The head line of a CSV file: the names of its columns, or a record that stands in their place."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import BinaryIO, Final

from gossamer.data.files import shown
from gossamer.data.table import MAX_COLUMNS, is_counted, is_number
from gossamer.errors import InputError

MAX_HEAD_BYTES: Final = 2**22
"""Longest first line of a CSV file, in bytes."""
KAGGLE_FILES: Final = {
    "mitbih_train.csv": "kaggle-mitbih",
    "mitbih_test.csv": "kaggle-mitbih",
    "ptbdb_normal.csv": "kaggle-ptbdb",
    "ptbdb_abnormal.csv": "kaggle-ptbdb",
}
"""Files of the Kaggle table of heartbeats, which have no head line, and the name of their data set."""
_KAGGLE_COLUMNS: Final = 188
_INDEX: Final = re.compile(r"Unnamed: \d+(?:\.\d+)*|__index_level_\d+__")
_REPEATED: Final = re.compile(r"\.\d+$")
_MISSING: Final = ("", "na", "n/a", "null", "none")


def first_cells(file: BinaryIO, where: str) -> list[str]:
    """Return the cells of the first line of a CSV file.

    Raises:
        InputError: The line is empty, endless, no text, or separated by something else than commas.
    """
    line = file.readline(MAX_HEAD_BYTES + 1)
    if len(line) > MAX_HEAD_BYTES:
        raise InputError(
            f"{where} begins with a line of more than {MAX_HEAD_BYTES} bytes: put every row on its own line"
        )
    if line.count(b",") >= MAX_COLUMNS:
        raise InputError(f"{where} has more than {MAX_COLUMNS} columns: leave some out, or save the series as NPZ")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{where} is not UTF-8 text: save the table as UTF-8") from None
    if not text.strip():
        raise InputError(f"{where} is empty or begins with an empty line: a head line and at least one row are needed")
    names = next(csv.reader(io.StringIO(text, newline="")))
    if len(names) == 1 and (";" in text or "\t" in text):
        raise InputError(
            f"{where} is separated by semicolons or tabs, as some spreadsheets write it: save it with commas between "
            "cells and points in numbers, as pandas.read_csv(path, sep=';', decimal=',').to_csv(new, index=False) does"
        )
    return names


def names_of_head(cells: list[str], path: Path) -> tuple[str, ...]:
    """Return the names of columns, from the cells of a head line.

    Cells without a name before the first name are the index of pandas, or the row names of R. They get the names that
    pandas gives them: ``Unnamed: 0`` and so on.

    Raises:
        InputError: All cells are numbers, as in a record. Only 0, 1, ... or 1, 2, ... are names.
    """
    num_empty = next((place for place, cell in enumerate(cells) if cell.strip()), 0)
    names = [*_unnamed(num_empty, cells), *cells[num_empty:]]
    refuse_record(tuple(names[num_empty:]), path)
    return tuple(names)


def _unnamed(number: int, others: list[str]) -> list[str]:
    names: list[str] = []
    for place in range(number):
        name, repeated = f"Unnamed: {place}", 0
        while name in others or name in names:
            repeated += 1
            name = f"Unnamed: {place}.{repeated}"
        names.append(name)
    return names


def leading_index(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that hold the index of pandas, by the names that pandas gives an index without a name.

    >>> leading_index(("Unnamed: 0", "t0", "t1")), leading_index(("t0", "__index_level_0__"))
    (('Unnamed: 0',), ('__index_level_0__',))
    """
    num_leading = next((place for place, name in enumerate(names) if not _INDEX.fullmatch(name)), 0)
    return (*names[:num_leading], *(name for name in names[num_leading:] if name.startswith("__index_level_")))


def refuse_record(names: tuple[str, ...], path: Path | None) -> None:
    """Refuse a head line that holds numbers alone, unless they count the columns.

    Args:
        names: Names of the columns.
        path: A CSV file, or None for a table in memory or in Parquet.

    Raises:
        InputError: With the ways out. No name is quoted, since it may be a value.
    """
    if is_counted(names) or not all(is_number(_REPEATED.sub("", name)) or _is_missing(name) for name in names):
        return
    if path is None:
        raise InputError(
            "the table has numbers alone for the names of its columns: if they are a record, read the file without a "
            "head line (pandas.read_csv(path, header=None)); if they are names, put a letter before each "
            "(frame.add_prefix('t'))"
        )
    where, last = shown(path), len(names) - 1
    known = KAGGLE_FILES.get(path.name)
    if known is not None:
        folder = shown(path.parent)
        raise InputError(
            f"{where} is one of the files of the Kaggle table of heartbeats, without a head line: read them all by "
            f"--data {known} --data-dir {folder}, or this one alone by --no-header --class-column {last}"
        )
    label = " (the Kaggle table of heartbeats has its class in column 187)" if len(names) == _KAGGLE_COLUMNS else ""
    raise InputError(
        f"{where} begins with a line of numbers alone: if that is a record, say --no-header (no_header=True in "
        f"Python), which names the columns 0 to {last}{label}; if the numbers are names, put a letter before each"
    )


def _is_missing(name: str) -> bool:
    return name.strip().casefold() in _MISSING
