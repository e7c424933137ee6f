"""The base of the plans in which critics answer for the generator: their number, the answers and their bound."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

from gossamer.errors import InputError
from gossamer.mechanisms.plan import AbstractPlan, PlanDescription, PublishedClaim
from gossamer.mechanisms.prospect import LEAST_SLOTS_A_CRITIC, WINDOW_STEPS, Prospect, affordable_rate
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.published import PUBLISHED_CAVEAT, published_gs_wgan_epsilon
from gossamer.privacy.truncation import truncation_delta


@dataclass(frozen=True, kw_only=True)
class AbstractCriticsPlan(AbstractPlan):
    """Secret draws of critics, with clipped answers that are released with Gaussian noise.

    Attributes:
        unit: content of a slot, a record or a person.
        num_slots: public number of slots, N.
        num_critics: K, shards of slots, at most N.
        num_steps: T.
        batch_size: B, released vectors in a step.
        draws_per_step: c, draws in a step, a divisor of B. Each draw answers B/c samples.
        clip_norm: C, > 0. The answers of one critic in a draw have norm ``C sqrt(B/c)`` at most, taken together.
        noise_multiplier: noise standard deviation over `sensitivity`, > 0. None while it is still to be calibrated.
        source: origin of the number of slots.

    Raises:
        InputError: a number out of range, fewer slots than critics, or c that does not divide B.
        PrivacyError: no noise.
    """

    num_critics: int
    num_steps: int
    batch_size: int
    draws_per_step: int
    clip_norm: float

    def __post_init__(self) -> None:
        if not 0 < self.clip_norm < float("inf"):
            raise InputError(f"clip_norm must be a positive number, got {self.clip_norm}")
        if self.num_critics > self.num_slots:
            raise InputError(
                f"num_critics = {self.num_critics} but there are {self.num_slots} {self.unit.plural}: every critic "
                f"needs at least one; pass --num-critics {self.num_slots} or fewer"
            )
        self._event_with(1.0 if self.noise_multiplier is None else self.noise_multiplier)

    @property
    def sensitivity(self) -> float:
        """Distance ``2 C`` that two answers of a critic to one sample are priced at.

        All B/c answers of a draw together are priced at ``2 C sqrt(B/c)``, twice `group_clip_norm`. One critic
        answers in place of another, or a critic answers the opposite.
        """
        return 2.0 * self.clip_norm

    @property
    def group_clip_norm(self) -> float:
        """Bound on the answers of one critic in a draw taken together, ``C sqrt(B / c)``."""
        return self.clip_norm * math.sqrt(self.batch_size / self.draws_per_step)

    @property
    @abc.abstractmethod
    def expected_answers(self) -> int:
        """Number of critics that answer a draw, expected and public. Released vectors hold the sum of so many."""

    def prospect(self, budget: PrivacyBudget, sample_size: int) -> Prospect:
        """Compare `WINDOW_STEPS` updates, all of the largest norm and in one direction, with their noise."""
        largest = math.sqrt(min(self.num_steps, WINDOW_STEPS) * self.batch_size / sample_size) / 2
        largest *= self.expected_answers
        a_draw = largest / math.sqrt(self.batch_size / self.draws_per_step)
        rate = affordable_rate(a_draw, self.num_steps * self.draws_per_step, budget)
        num_critics = math.ceil(self.expected_answers / rate)
        return Prospect(
            ratio=largest * self.sensitivity / self.noise_std,
            num_slots=self.num_slots,
            num_slots_needed=LEAST_SLOTS_A_CRITIC * num_critics,
        )

    @property
    @abc.abstractmethod
    def _mechanism(self) -> str:
        """The statement's clause on the mechanism."""

    @property
    def _parameter_names(self) -> tuple[str, ...]:
        return ("num_critics", "num_steps", "batch_size", "draws_per_step")

    @property
    def _secret_draws(self) -> tuple[str, ...]:
        return ()

    @property
    def _description(self) -> PlanDescription:
        return PlanDescription(
            mechanism=self._mechanism,
            parameters=tuple((name, getattr(self, name)) for name in self._parameter_names),
            public_settings=(
                "all settings of the run and its seed, which initial weights and batches follow from; who belongs to "
                "which shard follows from a secret key",
            ),
            kept_private="critics, checkpoints, the key that deals units to shards, the ledger and losses on real data",
            secret_draws=self._secret_draws,
            part=f"as it was after {self.num_steps} of the {{}} steps of a run (steps lost in a crash are counted)",
            clip_norm=self.clip_norm,
        )

    @property
    def _published_caveat(self) -> str:
        return PUBLISHED_CAVEAT

    def _published(self, delta: float) -> PublishedClaim:
        epsilon = published_gs_wgan_epsilon(
            num_critics=self.num_critics,
            noise_multiplier=self._chosen_multiplier(),
            num_steps=self.num_steps,
            batch_size=self.batch_size,
            delta=delta,
        )
        return PublishedClaim(epsilon=epsilon, caveat=self._published_caveat)

    def truncation_delta(self, sample_size: int) -> float:
        """Bound the part of delta that the finite range of the noise adds.

        The answers of a critic in one draw are one vector, clipped as a whole. The shift of that vector may lie in any
        of its pairs.
        """
        per_draw = self.batch_size // self.draws_per_step
        pairs = per_draw * -(-sample_size // 2)
        multiplier = self._chosen_multiplier() / math.sqrt(per_draw)
        return truncation_delta(self.num_steps * self.draws_per_step, 2 * pairs, multiplier)
