"""Rows of the benchmark: two ways of one piece of work, side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        what: is compared.
        theirs: what it is compared with: CPU seconds, or megabytes.
        ours: likewise.
        unit: of both.
        ratio: ours over theirs. None if nothing stands beside it.
        reach: the ratio, or the figure if there is none, to be reached.
        note: a remark, for example why nothing was measured.
        is_broken: true if something broke, so that nothing was measured.
    """

    what: str
    theirs: float | None = None
    ours: float | None = None
    unit: str = "s"
    ratio: float | None = None
    reach: float | None = None
    note: str = ""
    is_broken: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for on the command line."""

    before: Path | None
    rounds: int


Rows = Callable[[Asked], Iterator[Row]]


def in_turn(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Do each piece of work once to warm up, then all in turn, and return the medians of their CPU seconds."""
    for do in work.values():
        do()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, do in work.items():
            began = time.process_time()
            do()
            times[name].append(time.process_time() - began)
    return {name: statistics.median(found) for name, found in times.items()}


def compared(what: str, theirs: float, ours: float, reach: float | None = None, unit: str = "s") -> Row:
    """Return the row of two figures."""
    return Row(what=what, theirs=theirs, ours=ours, unit=unit, ratio=ours / theirs, reach=reach)


def line(row: Row) -> str:
    """Return a row as a line of the table."""
    figure = row.ours if row.ratio is None else row.ratio
    missed = "" if figure is None or row.reach is None or figure <= row.reach else "missed"
    parts = [f"{row.what:<68}"]
    parts += ["-" if one is None else f"{one:.3g} {row.unit}" for one in (row.theirs, row.ours)]
    parts += ["-" if row.ratio is None else f"{row.ratio:.2f}", "-" if row.reach is None else f"{row.reach:g}"]
    return f"{parts[0]} {parts[1]:>10} {parts[2]:>10} {parts[3]:>6} {parts[4]:>6} {missed or row.note}".rstrip()
