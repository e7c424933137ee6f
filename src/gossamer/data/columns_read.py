"""The meaning of the columns of a table, as it was understood: names and numbers, all of them public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gossamer.data.layouts import LongColumns, TableColumns


@dataclass(frozen=True, kw_only=True)
class ColumnsRead:
    """The meaning of the columns of a table, for the eyes of its owner before anything is spent.

    Args:
        layout: A row is a series, a time of a series, or a series in lists.
        values: Columns of values, in the order in which they were read.
        label: Column of the class, or None.
        person: Column of the person, or None.
        series: Column of the series of a long table, or None.
        time: Column of its time, or None.
        left_out: Columns that were not read.
    """

    layout: Literal["wide", "long", "lists"]
    values: tuple[str, ...]
    label: str | None = None
    person: str | None = None
    series: str | None = None
    time: str | None = None
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        columns: TableColumns,
        layout: Literal["wide", "long", "lists"],
        values: tuple[str, ...],
        left_out: tuple[str, ...],
    ) -> ColumnsRead:
        """Return the meaning of named columns, beside the values that were found."""
        is_long = isinstance(columns, LongColumns)
        return cls(
            layout=layout,
            values=values,
            label=columns.label,
            person=columns.person,
            series=columns.series if is_long else None,
            time=columns.time if is_long else None,
            left_out=left_out,
        )

    def as_plain(self) -> dict[str, Any]:
        """Return it in plain values that JSON can hold. Of the values, the first, the last and their number."""
        return {
            "layout": self.layout,
            "values": {"number": len(self.values), "first": self.values[0], "last": self.values[-1]},
            "class": self.label,
            "person": self.person,
            "series": self.series,
            "time": self.time,
            "left_out": list(self.left_out),
        }

    @property
    def sentence(self) -> str:
        """One line on all of it.

        >>> print(ColumnsRead(layout="wide", values=("t0", "t1", "t2"), label="kind").sentence)
        a wide table: 3 value columns, first 't0', last 't2'; class 'kind'; person not named
        """
        ends = f", first {_told(self.values[0])}, last {_told(self.values[-1])}" if len(self.values) > 1 else ""
        plural = "s" if len(self.values) > 1 else f" {_told(self.values[0])}"
        parts = [f"a {_LAYOUTS[self.layout]}: {len(self.values)} value column{plural}{ends}"]
        if self.layout == "long":
            parts += [f"series {_told(self.series)}", f"time {_told(self.time)}"]
        parts += [f"class {_told(self.label)}", f"person {_told(self.person)}"]
        if self.left_out:
            more = ", ..." * (len(self.left_out) > _MOST_SHOWN)
            parts.append(f"left out {', '.join(map(_told, self.left_out[:_MOST_SHOWN]))}{more}")
        return "; ".join(parts)


_LAYOUTS = {"wide": "wide table", "long": "long table", "lists": "table of lists"}
_MOST_SHOWN = 5


def _told(name: str | None) -> str:
    return "not named" if name is None else repr(name[:40])
