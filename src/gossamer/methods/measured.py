"""The gain of classifiers from each method on public data: a small table that is shipped with the package."""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Self

from gossamer.privacy.adjacency import Unit

OWN: Final = "own"
"""Recipe of a row that was measured with settings for a user's own records, found by shape and number alone."""
_OTHER_RECIPE: Final = 1.0
_OTHER_CHANNELS: Final = 0.7


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One training on public data, and the score of classifiers that learnt from its samples.

    Attributes:
        data: name of the public set.
        shape: of a record, channels first.
        num_classes: of it.
        num_slots: N, those held out by a key included.
        unit: of protection.
        epsilon: budget.
        method: name.
        recipe: name of the recipe, `OWN` for settings by shape and number.
        score: name of the score, of which more is better.
        value: of classifiers that learnt from samples.
        real: the same from real records.
        guessing: the same without any.
        cpu_seconds: of the training on one core, near enough.
        source: page or command that the figures come from.
    """

    data: str
    shape: tuple[int, ...]
    num_classes: int
    num_slots: int
    unit: Unit
    epsilon: float
    method: str
    recipe: str
    score: str
    value: float
    real: float
    guessing: float
    cpu_seconds: float
    source: str

    @classmethod
    def read(cls, line: dict[str, str]) -> Self:
        """Return a line of the table."""
        return cls(
            data=line["data"],
            shape=tuple(map(int, line["shape"].split("x"))),
            num_classes=int(line["num_classes"]),
            num_slots=int(line["num_slots"]),
            unit=Unit(line["unit"]),
            epsilon=float(line["epsilon"]),
            method=line["method"],
            recipe=line["recipe"],
            score=line["score"],
            value=float(line["value"]),
            real=float(line["real"]),
            guessing=float(line["guessing"]),
            cpu_seconds=float(line["cpu_seconds"]),
            source=line["source"],
        )

    @property
    def learnt(self) -> float:
        """The gain over guessing as a part of that from real records, 0 or more."""
        return max(0.0, (self.value - self.guessing) / (self.real - self.guessing))

    @property
    def where(self) -> str:
        """Data, shape and number in words."""
        return f"{self.data} ({'x'.join(map(str, self.shape))}, {self.num_slots:,} {self.unit.plural})"


@functools.cache
def measured() -> tuple[Measured, ...]:
    """Return the whole table, as it is shipped."""
    text = files("gossamer.methods").joinpath("measured.csv").read_text(encoding="utf-8")
    return tuple(map(Measured.read, csv.DictReader(text.splitlines())))


def distance(row: Measured, shape: tuple[int, ...], num_slots: int) -> float:
    """Compute how far a row is from records of a shape and number: ratios of sizes, in natural logarithms."""
    values = abs(math.log(math.prod(row.shape) / math.prod(shape)))
    channels = 0.0 if (row.shape[0] > 1) == (shape[0] > 1) else _OTHER_CHANNELS
    return abs(math.log(row.num_slots / num_slots)) + values / 2 + channels


def nearest(
    rows: Iterable[Measured], shape: tuple[int, ...], num_slots: int, epsilon: float, *, is_own: bool
) -> Measured | None:
    """Return the row that is nearest by shape, number and epsilon, None if no row is of such records.

    Args:
        rows: to choose from.
        shape: of a record.
        num_slots: N.
        epsilon: budget.
        is_own: true for a user's own records. Rows of recipes that were made for one public set are then farther.
    """

    def far(row: Measured) -> float:
        recipe = _OTHER_RECIPE if is_own and row.recipe != OWN else 0.0
        return distance(row, shape, num_slots) + abs(math.log(row.epsilon / epsilon)) + recipe

    return min((row for row in rows if len(row.shape) == len(shape)), key=far, default=None)
