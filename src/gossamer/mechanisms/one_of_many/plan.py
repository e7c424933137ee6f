"""The plan of one-of-many draws: sampling, clip, noise, adjacency and price in one object for claim and run."""

from __future__ import annotations

from dataclasses import dataclass

from dp_accounting.dp_event import DpEvent

from gossamer.mechanisms.critics_plan import AbstractCriticsPlan
from gossamer.privacy.events import one_of_many_event


@dataclass(frozen=True, kw_only=True)
class OneOfManyPlan(AbstractCriticsPlan):
    """Secret one-of-K draws of critics. Their clipped answers are released with Gaussian noise.

    A secret coin names the one critic that answers a draw.

    Guarantee: a run through `OneOfManyReleaser` made from this plan has the privacy of `event` under `adjacency`, on
    the conditions in docs/concepts/one-of-many.md.
    """

    @property
    def expected_answers(self) -> int:
        """One critic answers a draw."""
        return 1

    @property
    def _mechanism(self) -> str:
        return "Gaussian noise on the clipped answer of one of K critics, drawn in secret"

    def _event_with(self, noise_multiplier: float) -> DpEvent:
        return one_of_many_event(
            num_critics=self.num_critics,
            noise_multiplier=noise_multiplier,
            num_steps=self.num_steps,
            batch_size=self.batch_size,
            draws_per_step=self.draws_per_step,
        )
