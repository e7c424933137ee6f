"""The form of a user's own table, beside the meaning of its columns: all of it public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

OuterLists = Literal["channels", "times"]
"""The meaning of the outer lists in a column of lists of lists."""


@dataclass(frozen=True, kw_only=True)
class TableForm:
    """The form of a user's own table. All of it is public.

    Args:
        drop: Columns that are left out, each by its name or several as FIRST..LAST.
        has_head: False for a CSV file in which the first line is a record. Its columns are then named 0, 1, ...
        outer_lists: Meaning of the outer lists of a column of lists of lists, or None if nobody said it.
    """

    drop: tuple[str, ...] = ()
    has_head: bool = True
    outer_lists: OuterLists | None = None


USUAL_FORM: Final = TableForm()
"""The form of a table of which the user said nothing."""
