"""The releaser of one-of-many draws, the only way from critics to generator: secret coins, clipped answers, noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.crew import AbstractCrew, Alone, Order, Task
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.grid import PublicGrid, noisy_sum
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan


class OneOfManyReleaser:
    """Releaser that answers one query a step as its plan says, each step once, in order, and none after the last.

    The critic k of each group of r = B/c samples is drawn anew, uniformly and in secret. Let G_k be its gradients at
    all samples of the group, as one vector. Released is

        ``clip(G_k, sqrt(r) C) + N(0, (2 C noise_multiplier)^2 I)``,

    both rounded to the public grid of the ball of radius ``sqrt(r) C`` (`PublicGrid`) and added as integers.

    One clip serves the group. Vectors that are each clipped to C lie in the same ball, so the price is that of the
    event. A critic with nothing to say about one sample may say more about another. With r = 1 it is the published
    clip.

    Guarantee: the released vectors of all steps have the privacy of ``plan.event`` (docs/concepts/one-of-many.md), on
    two conditions. The state of a critic at a step depends on coins and noise through the released vectors alone, and
    answers are pure. Coins leave only to the function that asks the critics.

    Args:
        plan: sampling, clip, noise and number of steps. The statement is written from the same object.
        noise: secret randomness, used by this object alone.
        gate: of the run. It lets each step pass once, in order and charged.
        crew: the processes that share the critics. Default: this one alone. Each computes answers for all groups, at
            one shape, and counts those of its own critics: critics are shared and their answers are not.
        known: returns public tensors, which other processes need to ask their own critics the same.

    Raises:
        PrivacyError: a gate of another plan.
    """

    def __init__(
        self,
        plan: OneOfManyPlan,
        noise: AbstractNoise,
        *,
        gate: StepGate,
        crew: AbstractCrew | None = None,
        known: Callable[[], Sequence[Tensor | None]] = tuple,
    ) -> None:
        gate.check_pays_for(plan)
        self.plan = plan
        self._noise = noise
        self._gate = gate
        self._crew = Alone() if crew is None else crew
        self._known = known

    def release(self, step: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
        """Release the sanitized gradients of one step.

        Args:
            step: must be the step after the last one released.
            ask: given the drawn critics, int64 (draws_per_step,), returns their gradients at the samples, group after
                group, as (draws_per_step, batch_size / draws_per_step, ...).

        Returns:
            float32 (batch_size, ...), on the device of the answers: safe to use for anything. Not the clipped vectors.

        Raises:
            PrivacyError: a step asked twice, out of order, or beyond the plan.
        """
        self._gate.take(step)
        coins = self._noise.coins(step, self.plan.draws_per_step, self.plan.num_critics)
        self._crew.order(Order(task=Task.RELEASE, number=step, tensors=(coins, *self._known())))
        clipped, grid = self._clipped(coins, ask)
        clipped = self._crew.total(clipped)
        normals = self._noise.gaussian(step, tuple(clipped.shape)).to(clipped.device)
        return noisy_sum(clipped, self.plan.noise_std, normals, grid.spacing).to(torch.float32)

    def help(self, coins: Tensor, ask: Callable[[Tensor], Tensor]) -> None:
        """Add the answers of this process's own critics to those that the leader releases. Nothing is returned.

        Args:
            coins: int64 (draws_per_step,), the critics that the leader drew. Secret.
            ask: as of `release`, asked of this process's own critics alone.
        """
        clipped, _ = self._clipped(coins, ask)
        self._crew.total(clipped)

    def _clipped(self, coins: Tensor, ask: Callable[[Tensor], Tensor]) -> tuple[Tensor, PublicGrid]:
        """Clip the answers of this process's own critics, over the grid's spacing, int64 (B, ...), zero for others."""
        plan, is_own = self.plan, self._crew.owns(coins)
        # In the place of other processes' critics a public one answers, and does not count.
        answers = ask(torch.where(is_own, coins, self._crew.rank))
        expected = (plan.draws_per_step, plan.batch_size // plan.draws_per_step)
        if answers.shape[:2] != expected:
            raise ValueError(
                f"answers have shape {tuple(answers.shape)}: the plan says {expected}, followed by the view's shape"
            )
        grid = PublicGrid(radius=plan.group_clip_norm, num_coordinates=answers[0].numel())
        # Privacy: the answers are put on the grid before noise is added, within the bound that the plan prices.
        clipped = grid.rounded(clip_to_ball(answers, grid.inner_radius)).to(torch.int64)
        clipped[~is_own.to(clipped.device)] = 0
        return clipped.flatten(end_dim=1), grid
