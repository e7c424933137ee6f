"""The plan of Poisson sums of critics: sampling, clip, noise, adjacency and price in one object for claim and run."""

from __future__ import annotations

from dataclasses import dataclass

from dp_accounting.dp_event import DpEvent

from gossamer.mechanisms.critics_plan import AbstractCriticsPlan
from gossamer.privacy.events import sum_of_many_event
from gossamer.privacy.published import PUBLISHED_CAVEAT_OF_SUMS


@dataclass(frozen=True, kw_only=True)
class SumOfManyPlan(AbstractCriticsPlan):
    """Poisson sums of critics. The clipped answers of the included critics are summed and released with Gaussian noise.

    In each draw every critic is included by a secret coin of its own, with probability ``q = m / K``.

    Guarantee: a run through `SumOfManyReleaser` made from this plan has the privacy of `event` under `adjacency`, on
    the conditions in docs/concepts/sum-of-many.md.

    Attributes:
        critics_per_draw: m, expected number of critics in a draw, public, 1 to K. Sums are divided by it.
    """

    critics_per_draw: int

    @property
    def sample_rate(self) -> float:
        """Probability q with which a critic is in a draw."""
        return self.critics_per_draw / self.num_critics

    @property
    def expected_answers(self) -> int:
        """Expected number m of critics that answer a draw."""
        return self.critics_per_draw

    @property
    def _mechanism(self) -> str:
        return "Gaussian noise on the sum of the clipped answers of a Poisson sample of K critics"

    @property
    def _parameter_names(self) -> tuple[str, ...]:
        return (*super()._parameter_names, "critics_per_draw")

    @property
    def _secret_draws(self) -> tuple[str, ...]:
        return ("which critics were included in a sum, and how many",)

    @property
    def _published_caveat(self) -> str:
        return PUBLISHED_CAVEAT_OF_SUMS

    def _event_with(self, noise_multiplier: float) -> DpEvent:
        return sum_of_many_event(
            num_critics=self.num_critics,
            critics_per_draw=self.critics_per_draw,
            noise_multiplier=noise_multiplier,
            num_steps=self.num_steps,
            batch_size=self.batch_size,
            draws_per_step=self.draws_per_step,
        )
