"""The account of one-shot sums: a few Gaussian releases without sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from dp_accounting.dp_event import DpEvent

from gossamer.mechanisms.account import AbstractAccount
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import check_delta
from gossamer.privacy.events import gaussian_event
from gossamer.privacy.truncation import least_truncation


@dataclass(frozen=True, kw_only=True)
class AccountOneShot(AbstractAccount):
    """The cost of one Gaussian release: epsilon of a noise multiplier, or the noise multiplier that a budget asks for.

    Several releases of one run are worth one, of multiplier (sum of 1 / multiplier^2)^(-1/2).

    Example: gossamer account METHOD --epsilon 1

    Args:
        delta: of the guarantee
        noise_multiplier: noise standard deviation over sensitivity
        num_steps: releases with that noise
        epsilon: budget
        num_slots: records protected, if known: a delta of 1/N or more is then refused
        recipe: of the method, to tell the sizes that it has with this noise. Without --num-slots for as many records
            as its published set has
        json: print JSON
    """

    summary: ClassVar[str] = "a few noisy sums in one budget: by the noise that they are worth together"

    num_steps: int | None = 1
    num_slots: int | None = None
    recipe: str | None = None

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Return the event of Gaussian releases without sampling."""
        return gaussian_event(noise_multiplier=noise_multiplier, num_releases=num_steps)

    def least_truncation(self, *, noise_multiplier: float, num_steps: int) -> float:
        """Bound from below the part of delta that the finite range of the noise adds in a training."""
        # A method may divide its budget between three releases, each of more noise.
        parts = self.event(noise_multiplier=noise_multiplier * math.sqrt(3), num_steps=3 * num_steps)
        return least_truncation(parts)

    def check(self) -> None:
        """Refuse a delta that is too large for the number of slots."""
        if self.num_slots is not None:
            check_delta(self.delta, self.num_slots)

    @property
    def sized_by(self) -> tuple[str, int | None] | None:
        """Recipe with sizes to tell, if one was given, and the number of slots."""
        return None if self.recipe is None else (self.recipe, self.num_slots)

    def public(self) -> dict[str, Any]:
        """Return the terms alone."""
        return {"delta": self.delta, "adjacency": Adjacency.SLOT.value, "unit": Unit.RECORD.value}
