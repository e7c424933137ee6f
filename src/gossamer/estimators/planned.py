"""The plan of a training in a user's terms: price, noise, prospect, time and recipe, before anything is spent."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from gossamer.data.records import AbstractSpec
from gossamer.driving.rehearsal import can_be_rehearsed, rehearsed
from gossamer.mechanisms.prospect import Prospect
from gossamer.methods.cost import Cost
from gossamer.methods.method import Method
from gossamer.methods.verdict import Verdict
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannedTraining:
    """A training as `fit` would do it: its price, its noise and its prospect. Nothing was spent and nothing learnt.

    Guarantee: a function of public things. It holds no record. `advice` names people only if the data does.

    Attributes:
        method: title of the method.
        statement: as it would be written.
        recipe: name of the settings that it starts from.
        config: the settings, with the noise multiplier.
        prospect: the longest possible signal beside the noise, a bound and no forecast.
        advice: lines that `fit` would warn with.
        measure: measures time and memory, for `cost`.
        rehearse: learns from stand-ins, for `verdict_on_stand_ins`.
    """

    method: str
    statement: PrivacyStatement
    recipe: str
    config: Any
    prospect: Prospect
    advice: tuple[str, ...]
    measure: Callable[[], Cost]
    rehearse: Callable[[], Verdict | None]

    @property
    def epsilon(self) -> float:
        """Price at `delta`: at most the epsilon that was asked for."""
        return self.statement.epsilon

    @property
    def delta(self) -> float:
        """Delta of the price."""
        return self.statement.delta

    @property
    def unit(self) -> str:
        """Unit of protection: "record", "person" or "recording"."""
        return self.statement.unit.value

    @property
    def num_slots(self) -> int:
        """Public number of units."""
        return self.statement.num_slots

    @property
    def noise_multiplier(self) -> float:
        """Standard deviation of the noise over the sensitivity of a release."""
        return self.statement.noise_multiplier

    @functools.cached_property
    def cost(self) -> Cost:
        """Time and memory. Measured when it is first asked for, on random records: seconds, a minute for large GANs."""
        return self.measure()

    @functools.cached_property
    def verdict_on_stand_ins(self) -> Verdict | None:
        """Verdict on samples that the method learnt from made-up stand-ins, with these settings and as much noise.

        It is computed when it is first asked for, in less than a minute, and is no forecast for any data. Noise is a
        warning. None for a method that trains on the records themselves, which would take too long.
        """
        return self.rehearse()

    def __repr__(self) -> str:
        """Show the plan in a few lines. Time and verdict on stand-ins are in it once they were asked for."""
        lines = [
            f"{self.method} by recipe {self.recipe}, planned: nothing is spent yet",
            f"price: epsilon {shown_epsilon(self.epsilon)} at delta {self.delta:g}, for one {self.unit} of "
            f"{self.num_slots} (public number)",
            f"noise multiplier: {self.noise_multiplier:.5g}",
            f"prospect: the longest possible signal is {self.prospect.ratio:.2g} times the noise",
            str(self.cost) if "cost" in vars(self) else "time: ask for .cost, which measures it on random records",
            *self._on_stand_ins,
            *self.advice,
        ]
        return "\n".join(lines)

    @property
    def _on_stand_ins(self) -> tuple[str, ...]:
        verdict = vars(self).get("verdict_on_stand_ins")
        return () if verdict is None else (f"on stand-ins: {verdict.grade.value}. {' '.join(verdict.sentences)}",)


def verdict_of_rehearsal(
    method: Method[Any], config: Any, spec: AbstractSpec, slots: PublicSlots, device: torch.device
) -> Verdict | None:
    """Return the verdict on a rehearsal of a method of sums, None for other methods.

    Args:
        method: the method.
        config: settings with a noise multiplier.
        spec: shape and classes of the records.
        slots: their public number.
        device: where to compute.
    """
    if not can_be_rehearsed(method.plan(config, slots)):
        return None
    return rehearsed(method, config, spec, slots, device).trained.verdict
