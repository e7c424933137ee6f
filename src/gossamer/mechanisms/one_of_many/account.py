"""The account of draws of critics: the questions that its settings are asked, and the published figure beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from dp_accounting.dp_event import DpEvent

from gossamer.mechanisms.account import AbstractAccount
from gossamer.privacy.accounting import (
    calibrate_noise_multiplier,
    calibrate_noise_multiplier_by_fixed_pair,
    epsilon_by_pld,
    fixed_pair_epsilon,
)
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.events import one_of_many_event, sum_of_many_event
from gossamer.privacy.published import PUBLISHED_CAVEAT, PUBLISHED_CAVEAT_OF_SUMS, published_gs_wgan_epsilon


@dataclass(frozen=True, kw_only=True)
class AccountOneOfMany(AbstractAccount):
    """The cost of METHOD settings. Give two of epsilon, noise multiplier and number of steps. The third is computed.

    With --critics-per-draw the answers of a Poisson sample of critics are summed, and one critic a draw stands beside.
    Without it one critic of K answers a draw, as published.

    Several epsilons and noise multipliers together give a table of the steps that each pair allows.

    Example: gossamer account METHOD --num-critics 1000 --noise-multiplier 1.07 --num-steps 20000

    Args:
        num_critics: critics, each with a shard of its own (K)
        batch_size: samples answered in a step (B)
        draws_per_step: draws in a step (c, a divisor of B): one for each sample unless given, 1 as published
        critics_per_draw: expected critics in a draw (m), each by a secret coin of its own. Default: one of K, by one
            coin
        delta: of the guarantee
        noise_multiplier: noise standard deviation over sensitivity (2 clip norms), or several: 0.8,1.07,1.5
        num_steps: generator updates (T)
        epsilon: budget, or several: 1,2,5,10
        num_slots: records protected, if known: a delta of 1/N or more is then refused
        json: print JSON
    """

    summary: ClassVar[str] = "by number of critics, noise, steps and secret coins"

    num_critics: int
    batch_size: int = 32
    draws_per_step: int | None = None
    critics_per_draw: int | None = None
    num_slots: int | None = None

    @property
    def _draws(self) -> int:
        return self.batch_size if self.draws_per_step is None else self.draws_per_step

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Return the event of Poisson sums of critics, or of draws of one of K."""
        if self.critics_per_draw is None:
            return self._one_of_many(noise_multiplier, num_steps)
        return sum_of_many_event(
            num_critics=self.num_critics,
            critics_per_draw=self.critics_per_draw,
            noise_multiplier=noise_multiplier,
            num_steps=num_steps,
            batch_size=self.batch_size,
            draws_per_step=self._draws,
        )

    def _one_of_many(self, noise_multiplier: float, num_steps: int) -> DpEvent:
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
        draws = {"draws_per_step": self._draws}
        if self.critics_per_draw is not None:
            draws |= {"critics_per_draw": self.critics_per_draw}
        return settings | draws | {"adjacency": Adjacency.SLOT.value, "unit": Unit.RECORD.value}

    def other_epsilons(self, *, noise_multiplier: float, num_steps: int) -> dict[str, float]:
        """Return the epsilon of one critic a draw beside that of a sum.

        Beside one critic a draw, return the epsilon of one fixed pair of data sets, below which no accountant can go.
        """
        one = self._one_of_many(noise_multiplier, num_steps)
        if self.critics_per_draw is None:
            return {"fixed_pair": fixed_pair_epsilon(one, self.delta).epsilon}
        return {"one_of_many": epsilon_by_pld(one, self.delta).epsilon}

    def other_multipliers(self, num_steps: int, budget: PrivacyBudget) -> dict[str, float]:
        """Return the noise multiplier of one critic a draw beside that of a sum.

        Beside one critic a draw, return the noise multiplier that the fixed pair alone asks for.
        """

        def one(noise: float) -> DpEvent:
            return self._one_of_many(noise, num_steps)

        if self.critics_per_draw is None:
            return {"fixed_pair": calibrate_noise_multiplier_by_fixed_pair(one, budget).noise_multiplier}
        return {"one_of_many": calibrate_noise_multiplier(one, budget).noise_multiplier}

    def published(self, noise_multiplier: float, num_steps: int) -> dict[str, Any]:
        """Return the figure of the reference code of GS-WGAN."""
        published = published_gs_wgan_epsilon(
            num_critics=self.num_critics,
            noise_multiplier=noise_multiplier,
            num_steps=num_steps,
            batch_size=self.batch_size,
            delta=self.delta,
        )
        caveat = PUBLISHED_CAVEAT if self.critics_per_draw is None else PUBLISHED_CAVEAT_OF_SUMS
        return {"published_epsilon": published, "published_epsilon_caveat": caveat}
