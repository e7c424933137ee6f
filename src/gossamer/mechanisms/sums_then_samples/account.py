"""The account of sums and then samples: one noise multiplier, split between both, and priced as one composition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from dp_accounting.dp_event import DpEvent

from gossamer.mechanisms.account import AbstractAccount
from gossamer.mechanisms.sums_then_samples.split import Split
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import check_delta
from gossamer.privacy.events import (
    check_count,
    check_noise_multiplier,
    compose_events,
    gaussian_event,
    poisson_event,
    under_replacement,
)


@dataclass(frozen=True, kw_only=True)
class AccountSumsThenSamples(AbstractAccount):
    """The cost of METHOD settings: epsilon of a noise multiplier, or the noise multiplier that a budget asks for.

    The price is for one record added or removed. That of a record replaced stands beside it, and alone compares with
    the epsilon of a method that is priced for replacement.

    Example: gossamer account METHOD --epsilon 1

    Args:
        num_slots: records protected, if known: a delta of 1/N or more is then refused
        sample_rate: probability with which a record is in a Poisson sample of the teacher's training (q)
        teacher_share: part of the budget for the teacher
        delta: of the guarantee
        noise_multiplier: of a Gaussian that is worth about sums and samples together
        num_steps: updates of the teacher (T)
        epsilon: budget
        recipe: of the method, to tell the sizes that it has with this noise. Without --num-slots for as many records
            as its published set has
        json: print JSON
    """

    summary: ClassVar[str] = "a few noisy sums and then Poisson samples, in one budget"

    num_slots: int | None = None
    recipe: str | None = None
    sample_rate: float = 0.04
    teacher_share: float = 0.5
    num_steps: int | None = 250

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Return the event of Gaussian releases and then Poisson samples, their noise split as a training does."""
        check_count("num_steps", num_steps)
        check_noise_multiplier(noise_multiplier)
        split, adjacency = Split(share=self.teacher_share), Adjacency.ADD_OR_REMOVE_ONE
        # The rate is checked before it divides.
        poisson_event(sample_rate=self.sample_rate, noise_multiplier=1.0, num_steps=num_steps)
        each = split.of_sample(noise_multiplier, self.sample_rate, num_steps, adjacency)
        return compose_events(
            gaussian_event(noise_multiplier=split.of_sums(noise_multiplier)),
            poisson_event(sample_rate=self.sample_rate, noise_multiplier=each, num_steps=num_steps),
        )

    def check(self) -> None:
        """Refuse a share or rate without a meaning, and a delta that is too large for the number of slots."""
        self.event(noise_multiplier=1.0, num_steps=1)
        if self.num_slots is not None:
            check_delta(self.delta, self.num_slots)

    @property
    def sized_by(self) -> tuple[str, int | None] | None:
        """Recipe with sizes to tell, if one was given, and the number of slots."""
        return None if self.recipe is None else (self.recipe, self.num_slots)

    def public(self) -> dict[str, Any]:
        """Return rate, share and the terms."""
        settings = {"sample_rate": self.sample_rate, "teacher_share": self.teacher_share, "delta": self.delta}
        return settings | {"adjacency": Adjacency.ADD_OR_REMOVE_ONE.value, "unit": Unit.RECORD.value}

    def other_epsilons(self, *, noise_multiplier: float, num_steps: int) -> dict[str, float]:
        """Return the epsilon of a record that is replaced by another."""
        event = self.event(noise_multiplier=noise_multiplier, num_steps=num_steps)
        return {"replaced": epsilon_by_pld(under_replacement(event), self.delta).epsilon}
