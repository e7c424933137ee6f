"""Canaries: secret bits that units of protection carry through a door, and the evidence on them in its releases.

A canary is the worst that a unit may do. It pushes as hard as the clip permits, in a direction of its own, with the
sign of its bit. Doors are wrapped, not replaced, so a broken door stays broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gossamer.auditing.planted import ABSENT, HONEST, PlantedFactors
from gossamer.errors import InputError
from gossamer.mechanisms.critics_plan import AbstractCriticsPlan
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.pieces import whole
from gossamer.mechanisms.poisson.dense import DenseLosses
from gossamer.mechanisms.poisson.door import PoissonReleaser, RecordLosses, Tensors
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.sum_of_many.door import Ask, SumOfManyReleaser
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan

_TOO_LONG = 10.0
"""The reach of a canary beyond the clip, so that the clip is audited too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Canaries:
    """Secret bits, one for each canary.

    Attributes:
        bits: int64 (m,), -1 or +1.
    """

    bits: Tensor

    @property
    def num(self) -> int:
        """The number of canaries."""
        return self.bits.shape[0]


def toss_canaries(num_canaries: int, rng: np.random.Generator) -> Canaries:
    """Toss fair and independent bits.

    Raises:
        InputError: none asked for.
    """
    if num_canaries < 1:
        raise InputError(f"an audit needs at least one canary, got {num_canaries}")
    return Canaries(bits=torch.from_numpy(2 * rng.integers(0, 2, size=num_canaries) - 1))


class CanaryCritics:
    r"""The part that the doors of critics with canaries share.

    Critics 0 .. n - 1 are canaries: critic j answers ``bit_j C`` along u_j.

    Directions u are coordinates as long as there are enough, and public random directions if there are more canaries.
    All other critics answer as they are. The sum of the answers to a group is released with noise. y is the mean of
    such a release along u_j over ``2 C``. Its noise has standard deviation
    :math:`s = \sigma / \sqrt{r}`, r = B/c. With the probability q that a critic is asked, the likelihood ratio of the
    two bits gains

    .. math:: \log \frac{1 - q + q e^{(y/2 - 1/8) / s^2}}{1 - q + q e^{(-y/2 - 1/8) / s^2}},
        \qquad q = m/K.

    Args:
        plan: the plan with the claim on it.
        canaries: at most as many as critics.
    """

    def __init__(self, plan: AbstractCriticsPlan, canaries: Canaries) -> None:
        if canaries.num > plan.num_critics:
            raise InputError(f"{canaries.num} canaries but {plan.num_critics} critics: one critic is one canary")
        self.plan = plan
        self.evidence = torch.zeros(canaries.num, dtype=torch.float64)
        self._canaries = canaries
        self._known: dict[int, Tensor] = {}

    def _listen(self, released: Tensor) -> Tensor:
        """Add a release to the evidence, and return it."""
        sums = released.detach().cpu().double() * self.plan.expected_answers
        groups = sums.unflatten(0, (self.plan.draws_per_step, -1)).flatten(start_dim=2)
        self.evidence += self._likelihood_ratio(self._along(groups.mean(dim=1)))
        return released

    def _along(self, vectors: Tensor) -> Tensor:
        """Compute the coordinates (c, m) of vectors (c, width) along the directions."""
        if self._canaries.num <= vectors.shape[1]:
            return vectors[:, : self._canaries.num]
        return vectors @ self._directions(vectors.shape[1]).T

    def _directions(self, width: int) -> Tensor:
        """Return public unit vectors (m, width)."""
        if width not in self._known:
            if self._canaries.num <= width:
                drawn = torch.eye(self._canaries.num, width, dtype=torch.float64)
            else:
                rng = torch.Generator().manual_seed(0)
                drawn = torch.randn(self._canaries.num, width, generator=rng, dtype=torch.float64)
            self._known[width] = drawn / drawn.norm(dim=1, keepdim=True)
        return self._known[width]

    def _planted(self, critics: Tensor, answers: Tensor) -> Tensor:
        """Put the answers of canaries in the place of their critics' answers."""
        planted = answers.clone().flatten(start_dim=2)
        directions = self._directions(planted.shape[2]).to(planted)
        for row, critic in enumerate(critics.tolist()):
            if critic < self._canaries.num:
                length = _TOO_LONG * self.plan.clip_norm * int(self._canaries.bits[critic])
                planted[row] = length * directions[critic]
        return planted.view(answers.shape)

    def _likelihood_ratio(self, mean: Tensor) -> Tensor:
        """Compute the log likelihood ratio, summed over the groups: (c, m) -> (m,)."""
        plan = self.plan
        variance = plan.noise_std**2 / (2 * plan.clip_norm) ** 2 / (plan.batch_size // plan.draws_per_step)
        y = mean / (2 * plan.clip_norm)
        share = plan.expected_answers / plan.num_critics
        up, down = (_log_mixture(share, (sign * y / 2 - 0.125) / variance) for sign in (1, -1))
        return (up - down).sum(dim=0)


class CanaryOneOfMany(CanaryCritics):
    """A door of one-of-many draws, with canaries among its critics.

    Args:
        door: the audited door.
        plan: the plan with the claim on it.
        canaries: at most as many as critics.
    """

    def __init__(self, door: OneOfManyReleaser, plan: OneOfManyPlan, canaries: Canaries) -> None:
        super().__init__(plan, canaries)
        self._door = door

    def release(self, step: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
        """Release as the audited door does, and add the release to the evidence."""
        return self._listen(self._door.release(step, lambda coins: self._planted(coins, ask(coins))))


class CanarySumOfMany(CanaryCritics):
    """A door of Poisson sums of critics, with canaries among its critics.

    Args:
        door: the audited door.
        plan: the plan with the claim on it.
        canaries: at most as many as critics.
    """

    def __init__(self, door: SumOfManyReleaser, plan: SumOfManyPlan, canaries: Canaries) -> None:
        super().__init__(plan, canaries)
        self._door = door

    def release(self, step: int, ask: Ask, centre: Tensor | None = None) -> Tensor:
        """Release as the audited door does, and add the release to the evidence.

        Around a public centre a canary pushes from the centre on. The evidence is the release less the centre.
        """
        if centre is None:
            planted: Ask = lambda critics, groups: self._planted(critics, whole(ask(critics, groups), groups))  # noqa: E731
            return self._listen(self._door.release(step, planted))
        of_group = centre.unflatten(0, (self.plan.draws_per_step, -1))

        def planted_around(critics: Tensor, groups: Tensor) -> Tensor:
            answers = whole(ask(critics, groups), groups)
            around = of_group.to(answers)[groups.to(answers.device)]
            return self._planted(critics, answers - around) + around

        released = self._door.release(step, planted_around, centre)
        self._listen(released - centre.to(released))
        return released


class CanaryPoisson:
    r"""A door of DP-SGD with tags on its records: a canary's gradient is ``C`` along its own coordinate, or nothing.

    The tag is the last tensor of the door's records: `HONEST`, `ABSENT`, or the number of a canary with bit +1. Let y
    be the released sum along coordinate j over C, with noise of standard deviation :math:`\sigma`. The likelihood ratio
    of being there gains :math:`\log(1 - q + q e^{(y - 1/2) / \sigma^2})`.

    Args:
        door: the audited door.
        plan: the plan with the claim on it.
        canaries: at most as many as parameters.
    """

    def __init__(self, door: PoissonReleaser, plan: PoissonPlan, canaries: Canaries) -> None:
        self.plan = plan
        self.evidence = torch.zeros(canaries.num, dtype=torch.float64)
        self._door = door
        self._num = canaries.num

    def release(self, step: int, parameters: Tensors, losses: RecordLosses | DenseLosses) -> Tensors:
        """Release as the audited door does, and add the release to the evidence."""
        if sum(map(torch.numel, parameters.values())) < self._num:
            raise InputError(f"{self._num} canaries, but the discriminator has fewer parameters")
        released = self._door.release(step, parameters, self._planted(losses))
        y = self._first(released).detach().cpu().double() * (self.plan.expected_batch_size / self.plan.clip_norm)
        variance = (self.plan.noise_std / self.plan.clip_norm) ** 2
        self.evidence += _log_mixture(self.plan.sample_rate, (y - 0.5) / variance)
        return released

    def _planted(self, losses: RecordLosses | DenseLosses) -> RecordLosses | DenseLosses:
        """Put canaries in the place of tagged records. They take the same way through the door as the losses."""
        length = _TOO_LONG * self.plan.clip_norm
        if isinstance(losses, DenseLosses):
            return PlantedFactors(network=losses.network, losses=losses.losses, num_canaries=self._num, length=length)

        def planted(parameters: Tensors, *record: Tensor) -> Tensor:
            *honest, tag = record
            own = (tag[:, None] == torch.arange(self._num, device=tag.device)).float() @ self._first(parameters)
            return torch.where(tag == HONEST, losses(parameters, *honest), length * own)

        return planted

    def _first(self, tensors: Tensors) -> Tensor:
        """Return the first m coordinates."""
        return torch.cat([tensor.flatten() for tensor in tensors.values()])[: self._num]


def tags_of(canaries: Canaries, num_records: int) -> Tensor:
    """Tag records of which the first are canaries, one record a unit: int64 (num_records,).

    Raises:
        InputError: more canaries than records.
    """
    if canaries.num > num_records:
        raise InputError(f"{canaries.num} canaries but {num_records} records: one record is one canary")
    tags = torch.full((num_records,), HONEST)
    tags[: canaries.num] = torch.where(canaries.bits > 0, torch.arange(canaries.num), ABSENT)
    return tags


def _log_mixture(share: float, exponent: Tensor) -> Tensor:
    """Compute ``log(1 - share + share exp(exponent))``."""
    if share == 1:
        return exponent
    return torch.logaddexp(torch.full_like(exponent, math.log1p(-share)), exponent + math.log(share))
