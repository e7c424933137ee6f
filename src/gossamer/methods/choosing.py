"""A method chosen from public facts alone, by the gain of classifiers from each method on public data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.errors import InputError
from gossamer.methods.catalogue import find_method
from gossamer.methods.measured import OWN, Measured, distance, measured, nearest
from gossamer.methods.method import Method
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.slots import CountSource, PublicSlots

if TYPE_CHECKING:
    import torch

AUTO: Final = "auto"
"""The word that stands in place of a method's name where the method is to be chosen. It is no method."""
AUTO_SUMMARY: Final = "chooses method and settings by public facts alone, and says why: for a first try"
_LONG_S: Final = 3600.0
_LITTLE: Final = 0.2
_FAR: Final = 5.0
_ALIKE: Final = 0.01
"""Scores that differ by no more are alike: another training of the same method moves by as much."""


@dataclass(frozen=True, kw_only=True)
class PublicFacts:
    """All that a choice may depend on. No record and no label is among it.

    Attributes:
        spec: kind, shape and classes of the records.
        slots: their public number, its source and the unit of protection.
        epsilon: budget.
        data: name of a published set, empty for a user's own records.
        has_gpu: true if there is a GPU.
    """

    spec: AbstractSpec
    slots: PublicSlots
    epsilon: float
    data: str = ""
    has_gpu: bool = False

    @classmethod
    def of(cls, records: RecordSet, slots: PublicSlots, epsilon: float, device: torch.device) -> PublicFacts:
        """Return the public facts on records, and on the machine. Their values and labels are not looked at."""
        return cls(
            spec=records.spec,
            slots=slots,
            epsilon=epsilon,
            data=records.published_name or "",
            has_gpu=device.type == "cuda",
        )

    def __post_init__(self) -> None:
        if not (self.epsilon > 0 and math.isfinite(self.epsilon)):
            raise InputError(f"epsilon must be a positive number, got {self.epsilon}")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A method, its recipe, and why.

    Attributes:
        method: the method.
        recipe: name of its recipe, None for settings by shape and number.
        rows: measured rows that were compared, the best first. Those of a weaker promise come after all others.
        reasons: two sentences.
    """

    method: Method[Any]
    recipe: str | None
    rows: tuple[Measured, ...]
    reasons: tuple[str, ...]

    def config(self, spec: AbstractSpec, num_slots: int) -> Any:
        """Return the settings, without the noise."""
        if self.recipe is not None:
            return self.method.find(self.recipe).config
        return self.method.settings_for(spec, num_slots)


def chosen(facts: PublicFacts) -> Choice:
    """Choose method, size and recipe from public facts, by the table of `measured`.

    For a published set the rows of that set count. For other records the rows of settings for own records count. Of
    those the data set is taken that is nearest by shape and by the number for each class. At the nearest epsilon the
    best score wins. Of scores within 0.01 of it, which one training moves, the method that takes least time wins.
    Methods that take more than an hour on a CPU are left out if there is no GPU. A method that promises less at the
    same epsilon is taken only if no other was measured, because such scores do not compare.

    Guarantee: a function of the facts and of a table that is shipped. So the choice costs no privacy, and no statement
    has to name it as tuning.

    Args:
        facts: public facts.

    Raises:
        InputError: nothing was measured on such records.
    """
    rows = _comparable(facts)
    methods = dict.fromkeys(row.method for row in rows)
    at = (nearest([row for row in rows if row.method == name], *_point(facts), is_own=False) for name in methods)
    fast = [row for row in at if row is not None and (facts.has_gpu or row.cpu_seconds <= _LONG_S)]
    fitting = [row for row in fast if _adjacency(row.method, facts) is not None]
    ranked = _quickest_first(sorted(fitting, key=lambda row: (_promises_less(row, facts), -row.value)), facts)
    if not ranked:
        raise InputError("nothing was measured on such records: name a method in place of auto")
    method = find_method(ranked[0].method)
    recipe = method.find_for(facts.data, facts.spec.shape) if facts.data else None
    name = None if recipe is None else recipe.name
    return Choice(method=method, recipe=name, rows=ranked, reasons=_reasons(facts, ranked, name))


def _quickest_first(ranked: Sequence[Measured], facts: PublicFacts) -> tuple[Measured, ...]:
    """Return rows, best first, with the quickest of those before the others that score like the best."""
    if not ranked:
        return ()
    best = ranked[0]
    alike = [
        row
        for row in ranked
        if row.value >= best.value - _ALIKE
        and row.epsilon == best.epsilon
        and _promises_less(row, facts) == _promises_less(best, facts)
    ]
    first = min(alike, key=lambda row: row.cpu_seconds)
    return (first, *(row for row in ranked if row is not first))


def _adjacency(method: str, facts: PublicFacts) -> Adjacency | None:
    """Return the adjacency of a method's guarantee for such records, None if it has no settings for them."""
    found = find_method(method)
    try:
        config = found.settings_for(facts.spec, facts.slots.number)
    except InputError:
        return None
    return found.plan(config, facts.slots).adjacency


def _promises_less(row: Measured, facts: PublicFacts) -> bool:
    """Tell if a method covers coming and leaving alone, where others cover replacement, too."""
    return _adjacency(row.method, facts) is not facts.slots.source.of_slots


def _point(facts: PublicFacts) -> tuple[tuple[int, ...], int, float]:
    return facts.spec.shape, facts.slots.number, facts.epsilon


def _comparable(facts: PublicFacts) -> Sequence[Measured]:
    """Return the rows of the published set, or those of one set and number that is nearest to own records."""
    alike = [row for row in measured() if len(row.shape) == len(facts.spec.shape)]
    named = [row for row in alike if (row.data, row.shape) == (facts.data, facts.spec.shape) and row.recipe != OWN]
    if found := [row for row in named if row.unit is facts.slots.unit]:
        return found
    # A person is a slot as a record is: their number is what counts.
    own = [row for row in alike if row.recipe == OWN]
    if not own:
        return own
    closest = min(own, key=lambda row: distance(row, facts.spec.shape, _number_alike(facts, row)))
    return [row for row in own if (row.data, row.num_slots) == (closest.data, closest.num_slots)]


def _number_alike(facts: PublicFacts, row: Measured) -> int:
    """Return the number of slots at which the row's set would have as many for each class as these records.

    A class is learnt from its own records: 2,400 in four classes teach about as much as 6,000 in ten.
    """
    return max(1, round(facts.slots.number * max(1, row.num_classes) / max(1, facts.spec.num_classes)))


def _elsewhere(row: Measured, best: Measured) -> str:
    return "" if row.epsilon == best.epsilon else f" at epsilon {row.epsilon:g}"


def _less(row: Measured, facts: PublicFacts) -> str:
    return " (weaker promise)" if _promises_less(row, facts) else ""


def _reasons(facts: PublicFacts, ranked: Sequence[Measured], recipe: str | None) -> tuple[str, ...]:
    best = ranked[0]
    settings = "settings for this shape and number" if recipe is None else f"recipe {recipe}"
    others = ", ".join(f"{row.method} {row.value:.2f}{_elsewhere(row, best)}{_less(row, facts)}" for row in ranked[1:])
    is_best = all(row.value <= best.value or _promises_less(row, facts) for row in ranked)
    place = "the best" if is_best else f"within {_ALIKE:g} of the best, and quicker,"
    first = (
        f"{best.method}, {settings}: {place} of {len(ranked)} measured on {best.where} at epsilon {best.epsilon:g} "
        f"({best.score} {best.value:.2f}{'; ' if others else ''}{others}; real records {best.real:.2f}; {best.source})"
    )
    counted = "counted in the data" if facts.slots.source is CountSource.READ else "as given or published"
    known = (
        f"chosen from public facts alone: shape {'x'.join(map(str, facts.spec.shape))}, {facts.spec.num_classes} "
        f"classes, {facts.slots.number:,} {facts.slots.unit.plural} ({counted}), epsilon {facts.epsilon:g}, "
        f"{'a' if facts.has_gpu else 'no'} GPU"
    )
    ratio = best.num_slots / _number_alike(facts, best)
    if not 1 / _FAR < ratio < _FAR:
        known += f"; the nearest set that was measured has {ratio:.2g} times as many for each class"
    if best.learnt < _LITTLE:
        known += f"; even {best.method} taught hardly more than guessing there ({best.guessing:.2f})"
    return first, known
