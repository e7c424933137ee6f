"""The table beside the pictures of a folder, as Hugging Face has it: metadata.csv or metadata.jsonl, with file_name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from gossamer.data.files import damage_refused, is_file, open_regular, shown
from gossamer.data.names import names_of_array
from gossamer.data.table import MAX_COLUMNS
from gossamer.errors import InputError

TABLES: Final = ("metadata.csv", "metadata.jsonl")
"""Names of the table, one of which may stand in a folder."""
FILE_COLUMN: Final = "file_name"
LABEL_COLUMN: Final = "label"
"""Column of the class if the user names no other."""
MAX_PICTURE_TABLE_BYTES: Final = 2**28
"""Longest table, in bytes."""


@dataclass(frozen=True, kw_only=True)
class PictureWords:
    """The words of a user on the table beside pictures. All of them are public.

    Args:
        label: Column of the class, or None for `label` if there is such a column.
        person: Column that names the person, or None.
        class_names: Names of the classes in the order of the labels, or empty.
    """

    label: str | None = None
    person: str | None = None
    class_names: tuple[str, ...] = ()


NO_WORDS: Final = PictureWords()
"""The words of a user who said nothing of a table."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureTable:
    """The rows of a table beside pictures. Private, but for the names of the columns.

    Args:
        where: Path, quoted.
        columns: Names, in their order.
        rows: Cells of each row, in the order of the columns.
    """

    where: str
    columns: tuple[str, ...]
    rows: list[list[Any]]

    def cells(self, column: str) -> list[Any]:
        """Return the cells of a column.

        Raises:
            InputError: There is no such column.
        """
        if column not in self.columns:
            known = ", ".join(shown(name[:40]) for name in self.columns[:10])
            raise InputError(f"{self.where} has no column {shown(column[:40])}: its columns are {known}")
        place = self.columns.index(column)
        return [row[place] for row in self.rows]

    def names(self, column: str) -> np.ndarray:
        """Return the names in a column as text (num_rows,), by the rule of all readers."""
        cells = self.cells(column)
        array = np.empty(len(cells), dtype=object)
        array[:] = cells
        place = f"{self.where}: column {shown(column[:40])}, row"
        return names_of_array(array, lambda row: f"{place} {row + 1}").texts()

    def files(self) -> list[str]:
        """Return the path of each picture inside the folder, with slashes.

        Raises:
            InputError: A path is empty, leads out of the folder, or is given twice.
        """
        seen: dict[str, int] = {}
        for row, cell in enumerate(self.cells(FILE_COLUMN)):
            path = PurePosixPath(cell if isinstance(cell, str) else "")
            # Privacy: a table must not draw in files that their owner did not hand over.
            if not path.parts or path.is_absolute() or ".." in path.parts:
                raise InputError(
                    f"{self.where}: row {row + 1} names no file inside the folder: write cat/1.png or 1.png"
                )
            if seen.setdefault(str(path), row) != row:
                raise InputError(f"{self.where}: rows {seen[str(path)] + 1} and {row + 1} name one file: keep one row")
        return list(seen)


def find_picture_table(folder: Path) -> Path | None:
    """Return the table beside the pictures of a folder, or None if there is none.

    Raises:
        InputError: There are two, or one in Parquet.
    """
    found = [folder / name for name in TABLES if is_file(folder / name)]
    if len(found) > 1:
        raise InputError(f"{shown(folder)} holds {' and '.join(TABLES)}: keep one of them")
    if not found and is_file(folder / "metadata.parquet"):
        raise InputError(f"{shown(folder)} holds metadata.parquet: save it as metadata.csv")
    return found[0] if found else None


def read_picture_table(path: Path) -> PictureTable:
    """Read the table beside pictures.

    Raises:
        InputError: It is damaged, has no column `file_name`, or has no row.
    """
    where = shown(path)
    with open_regular(path) as file, damage_refused(where):
        if file.seek(0, 2) > MAX_PICTURE_TABLE_BYTES:
            raise InputError(f"{where} is longer than {MAX_PICTURE_TABLE_BYTES} bytes: leave columns out")
        file.seek(0)
        text = file.read().decode("utf-8-sig")
        columns, rows = _of_csv(text, where) if path.suffix == ".csv" else _of_json_lines(text, where)
    if FILE_COLUMN not in columns or len(set(columns)) != len(columns) or len(columns) > MAX_COLUMNS:
        raise InputError(f"{where} needs a head with one column {FILE_COLUMN}, and no name twice: file_name,label")
    if not rows:
        raise InputError(f"{where} has no row under its head line: at least 1 is needed")
    return PictureTable(where=where, columns=columns, rows=rows)


def _of_csv(text: str, where: str) -> tuple[tuple[str, ...], list[list[Any]]]:
    lines = [line for line in csv.reader(io.StringIO(text, newline="")) if line]
    columns = tuple(name.strip() for name in lines[0]) if lines else ()
    for row, line in enumerate(lines[1:]):
        if len(line) != len(columns):
            raise InputError(f"{where}: row {row + 1} has {len(line)} cells, the head line {len(columns)}: make it one")
    return columns, lines[1:]


def _of_json_lines(text: str, where: str) -> tuple[tuple[str, ...], list[list[Any]]]:
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.strip()]
    columns = tuple(found[0]) if found else ()
    for row, line in enumerate(found):
        if set(line) != set(columns):
            raise InputError(f"{where}: row {row + 1} has other keys than row 1: give every row the same")
    return columns, [[line[name] for name in columns] for line in found]


def unread_notes(table: PictureTable, read: Sequence[str | None]) -> tuple[str, ...]:
    """Return sentences on the columns that were read and those that were not."""
    others = [shown(name[:40]) for name in table.columns if name not in read]
    said = [f"Classes and people were read from columns of the table beside the pictures: {_listed(read)}."]
    if others:
        said.append(f"Columns of that table that were not read: {', '.join(others[:10])}.")
    return tuple(said)


def _listed(read: Sequence[str | None]) -> str:
    return ", ".join(shown(name) for name in read if name not in (None, FILE_COLUMN)) or "none"
