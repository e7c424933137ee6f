"""The account of DP-SGD: the questions that its settings are asked, and the published figure beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError
from gossamer.mechanisms.account import AbstractAccount
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import check_delta
from gossamer.privacy.events import check_count, poisson_event, under_replacement
from gossamer.privacy.published import PUBLISHED_DP_CGAN_CAVEAT, published_dp_cgan_epsilon


@dataclass(frozen=True, kw_only=True)
class AccountPoisson(AbstractAccount):
    """The cost of METHOD settings. Give two of epsilon, noise multiplier and number of steps. The third is computed.

    Example: gossamer account METHOD --num-slots 60000 --expected-batch-size 600 --noise-multiplier 1.12
    --num-steps 30300

    Args:
        num_slots: records protected (N)
        expected_batch_size: records that a Poisson sample holds on average (q N)
        clip_norm: bound on a record's gradient, which the published accountant confuses with the noise
        delta: of the guarantee
        noise_multiplier: noise standard deviation over the clip norm, or several: 0.8,1.07,1.5
        num_steps: updates of the discriminator (T)
        epsilon: budget, or several: 1,2,5,10
        json: print JSON
    """

    summary: ClassVar[str] = "by number of records, size of their Poisson samples, noise and steps"

    num_slots: int
    expected_batch_size: int = 600
    clip_norm: float = 1.1

    @property
    def _rate(self) -> float:
        return self.expected_batch_size / self.num_slots

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Return the event of noisy sums over Poisson samples."""
        return poisson_event(sample_rate=self._rate, noise_multiplier=noise_multiplier, num_steps=num_steps)

    def check(self) -> None:
        """Refuse counts and a clip norm without a meaning, and a delta that is too large."""
        check_count("num_slots", self.num_slots)
        check_count("expected_batch_size", self.expected_batch_size)
        check_delta(self.delta, self.num_slots)
        if not 0 < self.clip_norm < math.inf:
            raise InputError(f"--clip-norm must be a positive number, not {self.clip_norm}; 1.1 is the published one")

    def public(self) -> dict[str, Any]:
        """Return units and rate."""
        settings = {"num_slots": self.num_slots, "expected_batch_size": self.expected_batch_size, "delta": self.delta}
        terms = {"adjacency": Adjacency.ADD_OR_REMOVE_ONE.value, "unit": Unit.RECORD.value}
        return settings | {"sample_rate": self._rate} | terms

    def other_epsilons(self, *, noise_multiplier: float, num_steps: int) -> dict[str, float]:
        """Return the epsilon of a record that is replaced by another."""
        event = self.event(noise_multiplier=noise_multiplier, num_steps=num_steps)
        return {"replaced": epsilon_by_pld(under_replacement(event), self.delta).epsilon}

    def published(self, noise_multiplier: float, num_steps: int) -> dict[str, Any]:
        """Return the figure of the reference code of DP-CGAN."""
        published = published_dp_cgan_epsilon(
            sample_rate=self._rate,
            noise_multiplier=noise_multiplier,
            clip_norm=self.clip_norm,
            num_steps=num_steps,
            delta=self.delta,
        )
        return {"published_epsilon": published, "published_epsilon_caveat": PUBLISHED_DP_CGAN_CAVEAT}
