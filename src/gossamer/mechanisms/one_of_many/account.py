"""The account of draws of one of K: the questions that its settings are asked, and the published figure beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from dp_accounting import DpEvent

from gossamer.mechanisms.account import AbstractAccount
from gossamer.privacy.accounting import calibrate_noise_multiplier_by_fixed_pair, fixed_pair_epsilon
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.events import one_of_many_event
from gossamer.privacy.published import PUBLISHED_CAVEAT, published_gs_wgan_epsilon


@dataclass(frozen=True, kw_only=True)
class AccountOneOfMany(AbstractAccount):
    """The cost of METHOD settings. Give two of epsilon, noise multiplier and number of steps. The third is computed.

    Several epsilons and noise multipliers together give a table of the steps that each pair allows.

    Example: gossamer account METHOD --num-critics 1000 --noise-multiplier 1.07 --num-steps 20000

    Args:
        num_critics: critics, each with a shard of its own (K)
        batch_size: samples answered in a step (B)
        draws_per_step: secret coins in a step (c, a divisor of B): one for each sample unless given, 1 as published
        delta: of the guarantee
        noise_multiplier: noise standard deviation over sensitivity, or several: 0.8,1.07,1.5
        num_steps: generator updates (T)
        epsilon: budget, or several: 1,2,5,10
        num_slots: records protected, if known: a delta of 1/N or more is then refused
        json: print JSON
    """

    summary: ClassVar[str] = "by number of critics, noise, steps and secret coins"

    num_critics: int
    batch_size: int = 32
    draws_per_step: int | None = None
    num_slots: int | None = None

    @property
    def _draws(self) -> int:
        return self.batch_size if self.draws_per_step is None else self.draws_per_step

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Return the event of draws of one of K."""
        return one_of_many_event(
            num_critics=self.num_critics,
            noise_multiplier=noise_multiplier,
            num_steps=num_steps,
            batch_size=self.batch_size,
            draws_per_step=self._draws,
        )

    def check(self) -> None:
        """Refuse a delta that is too large for the number of slots."""
        if self.num_slots is not None:
            check_delta(self.delta, self.num_slots)

    def public(self) -> dict[str, Any]:
        """Return critics, answers and coins."""
        settings = {"num_critics": self.num_critics, "batch_size": self.batch_size, "delta": self.delta}
        terms = {"adjacency": Adjacency.SLOT.value, "unit": Unit.RECORD.value}
        return settings | {"draws_per_step": self._draws} | terms

    def other_epsilons(self, event: DpEvent) -> dict[str, float]:
        """Return the epsilon of one fixed pair of data sets, below which no accountant can go."""
        return {"fixed_pair": fixed_pair_epsilon(event, self.delta).epsilon}

    def other_multipliers(self, event_of: Callable[[float], DpEvent], budget: PrivacyBudget) -> dict[str, float]:
        """Return the noise multiplier that the fixed pair alone asks for."""
        return {"fixed_pair": calibrate_noise_multiplier_by_fixed_pair(event_of, budget).noise_multiplier}

    def published(self, noise_multiplier: float, num_steps: int) -> dict[str, Any]:
        """Return the figure of the reference code of GS-WGAN."""
        published = published_gs_wgan_epsilon(
            num_critics=self.num_critics,
            noise_multiplier=noise_multiplier,
            num_steps=num_steps,
            batch_size=self.batch_size,
            delta=self.delta,
        )
        return {"published_epsilon": published, "published_epsilon_caveat": PUBLISHED_CAVEAT}
