"""The columns of a table that hold values: those that were named, or all that are left, if their names allow it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gossamer.data.channel_order import stems_of
from gossamer.data.files import shown
from gossamer.data.table import AbstractTable
from gossamer.data.table_form import TableForm
from gossamer.errors import InputError

RANGE: Final = ".."
"""The sign between the first and the last of a range of columns. A name that holds it is a name as usual."""
_MOST_SHOWN: Final = 5
_LEAST_NUMBERED: Final = 4
_SHARE_NUMBERED: Final = 0.75
_WORDS: Final = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*")
_LAST_WORDS: Final = frozenset({"id", "ids", "uuid", "guid"})
_NO_VALUES: Final = frozenset(
    [
        "index",
        "idx",
        "person",
        "patient",
        "pid",
        "mrn",
        "case",
        "study",
        "subject",
        "participant",
        "user",
        "customer",
        "client",
        "record",
        "recording",
        "row",
        "series",
        "label",
        "class",
        "target",
        "time",
        "timestamp",
        "date",
        "datetime",
        "fold",
        "split",
    ]
)


@dataclass(frozen=True, kw_only=True)
class ValueColumns:
    """The columns of values and those that were left out.

    Args:
        names: Columns of values, in the order in which they were named, or else in that of the table.
        is_listed: True if each of them was named by itself, so that their order was stated.
        has_ranges: True if names were taken from the table between two that were named.
        dropped: Columns that were left out as was asked for.
        index: Columns that were left out because they hold the index of pandas.
    """

    names: tuple[str, ...]
    is_listed: bool
    has_ranges: bool
    dropped: tuple[str, ...]
    index: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the statement on the columns that were left out, and on names that were read."""
        said = []
        if self.index:
            said.append(f"The index of pandas was left out: column {_listed(self.index)}.")
        if self.dropped:
            said.append(f"Left out, as the user asked: column {_listed(self.dropped)}.")
        if self.has_ranges:
            said.append("The names of the columns within a range are those of the table and are taken as public.")
        return tuple(said)


def find_values(
    source: AbstractTable, named: tuple[str, ...], others: tuple[str, ...], form: TableForm
) -> ValueColumns:
    """Return the columns of values of a table.

    Guarantee:
        They follow from the names of the columns and from the user's words alone, never from a cell.

    Args:
        source: The table, of which no row is read.
        named: Columns of values that the user named, each by its name or several as FIRST..LAST. Empty for all columns
            without another meaning.
        others: Columns with another meaning.
        form: Columns to leave out.

    Raises:
        InputError: A column is not there, or was named for two things. Or one that nobody named would become a value,
            which is none by its name.
    """
    values, dropped = expanded(source, named), expanded(source, form.drop)
    source.check(values, others, dropped)
    index = tuple(name for name in source.index if name not in {*values, *others, *dropped})
    if not values:
        taken = {*others, *dropped, *index}
        values = tuple(name for name in source.names if name not in taken)
        # A list is a series whatever its name is.
        _refuse_other_things(tuple(name for name in values if name not in source.lists), source.where)
    has_ranges = len(values) > len(named) > 0
    return ValueColumns(
        names=values, is_listed=bool(named) and not has_ranges, has_ranges=has_ranges, dropped=dropped, index=index
    )


def expanded(source: AbstractTable, named: tuple[str, ...]) -> tuple[str, ...]:
    """Write ranges of columns out.

    A name of a column wins over a range, so that no name is lost to the sign between the two ends of a range.

    Args:
        source: The table.
        named: Names, or FIRST..LAST for all columns from the one to the other, in the order of the table.

    Raises:
        InputError: A text is both a name and a range, or a range runs backwards or has an end that is no column.
    """
    places = {name: place for place, name in enumerate(source.names)}
    found: list[str] = []
    for number, text in enumerate(named):
        ends = _ends(text, places)
        if text in places and ends:
            raise InputError(
                f"{source.where}: value {number + 1} of a list of columns is both the name of a column and a range of "
                "columns: rename the column"
            )
        if text in places or not ends:
            found.append(text)
            continue
        first, last = places[ends[0]], places[ends[1]]
        if last < first:
            raise InputError(
                f"{source.where}: value {number + 1} of a list of columns is a range that runs backwards: write it as "
                "FIRST..LAST, in the order of the table"
            )
        found += source.names[first : last + 1]
    return tuple(found)


def _ends(text: str, places: dict[str, int]) -> tuple[str, str] | None:
    """Return first and last column of a range, or None if a text is none."""
    for match in re.finditer(r"(?=\.\.)", text):
        first, last = text[: match.start()], text[match.start() + len(RANGE) :]
        if first in places and last in places:
            return first, last
    return None


def _refuse_other_things(values: tuple[str, ...], where: str) -> None:
    """Refuse columns that nobody named and that, by their names, are no values."""
    for odd, why in ((_other_things(values), "by its name is no value"), (_unnumbered(values), _NOT_NUMBERED)):
        if odd:
            raise InputError(
                f"{where}: column {_listed(odd)} would become a value, and {why}: say what it is (--class-column, "
                "--person-column, --series-column, --time-column), leave it out (--drop-columns), or name the values "
                "(--value-columns a,b or --value-columns FIRST..LAST); in Python label=, person=, drop=, values="
            )


_NOT_NUMBERED: Final = "is not numbered as the others are"


def _other_things(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in values if is_other_thing(name))


def is_other_thing(name: str) -> bool:
    """Return True if the name of a column is that of an identity, a class, a time or a division, and of no value.

    >>> [is_other_thing(name) for name in ("patient_id", "subjectid", "Label", "t0", "fluid", "x")]
    [True, True, True, False, False, False]
    """
    words = [word.casefold() for word in _WORDS.findall(name)]
    letters = re.sub(r"[^a-z]", "", name.casefold())
    is_alone = bool({letters, letters.removesuffix("id")} & _NO_VALUES) and not any(map(str.isdigit, name))
    return bool(words) and (is_alone or (words[-1] in _LAST_WORDS and not name[-1:].isdigit()))


def _unnumbered(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the few columns without a number among many that are numbered, such as an age before t0, t1, ..."""
    stems = stems_of(values)
    sizes: dict[str, int] = {}
    for stem in (stem for stem in stems if stem is not None):
        sizes[stem] = sizes.get(stem, 0) + 1
    is_odd = [stem is None or sizes[stem] == 1 for stem in stems]
    num_numbered = len(values) - sum(is_odd)
    if num_numbered < _LEAST_NUMBERED or num_numbered < _SHARE_NUMBERED * len(values):
        return ()
    return tuple(name for name, is_alone in zip(values, is_odd, strict=True) if is_alone)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(shown(name[:40]) for name in names[:_MOST_SHOWN]) + more
