"""The releaser of Poisson sums of critics: a secret coin for each critic, clipped answers, one sum, noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import scipy
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.mechanisms.crew import AbstractCrew, Alone, Order, Task
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.grid import PublicGrid, noisy_sum
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.pieces import Answers, Pieces, in_pieces, whole
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan

Ask = Callable[[Tensor, Tensor], Answers]
"""(critics, groups), int64 (n,) each -> (n, batch_size / draws_per_step, ...), the answers of critics to groups, whole
or in pieces."""

_MORE_CHUNKS = 1e-3
"""Share of the steps, at most, in which more critics are included than the usual number of chunks has room for."""


class SumOfManyReleaser:
    r"""Releaser that answers one query a step as its plan says, each step once, in order, and none after the last.

    Each group of r = B/c samples has a Poisson sample S of the critics. Every critic is in it with probability
    q = m / K, by a secret coin of its own. Let G_k be critic k's gradients at all samples of the group, as one vector.
    Released is

    .. math:: \frac1m \Bigl( \sum_{k \in S} \mathrm{clip}(G_k, \sqrt r C)
        + N(0, (2 C \, \mathrm{noise\_multiplier})^2 I) \Bigr).

    Each clipped answer and the noise are rounded to the public grid of the ball of radius ``sqrt(r) C`` (`PublicGrid`)
    and added as integers.

    Guarantee: the released vectors of all steps have the privacy of ``plan.event`` (docs/concepts/sum-of-many.md), on
    two conditions. The state of a critic at a step depends on coins and noise through the released vectors alone, and
    answers are pure. Coins leave only to the function that asks the critics. The divisor is public: the number of
    included critics would tell of their identity. A sum without any critic is released like all others.

    Critics are asked in chunks of one shape, in the order of groups and critics. An answer must not depend on its place
    in a chunk, or it would tell of the critics that were included before it. Places that stay empty are computed and
    not counted. The number of chunks is that of a full step: only one step in a thousand needs more, and takes longer.

    A step may have a public *centre* g, one vector for each sample. Then :math:`\mathrm{clip}(G_k - g, \sqrt r C)` is
    summed, and m g is added to the noisy sum: g itself after the division.

    Args:
        plan: sampling, clip, noise and number of steps. The statement is written from the same object.
        noise: secret randomness, used by this object alone.
        chunk_size: number of critics that are asked at once, public. At this size an answer must be the same, bit for
            bit, at every place.
        gate: of the run. It lets each step pass once, in order and charged.
        crew: the processes that share the critics. Default: this one alone.
        known: returns public tensors, which other processes need to ask their own critics the same.

    Raises:
        InputError: a chunk without critics.
        PrivacyError: a gate of another plan.
    """

    def __init__(
        self,
        plan: SumOfManyPlan,
        noise: AbstractNoise,
        *,
        chunk_size: int = 32,
        gate: StepGate,
        crew: AbstractCrew | None = None,
        known: Callable[[], Sequence[Tensor | None]] = tuple,
    ) -> None:
        if chunk_size < 1:
            raise InputError(f"chunk_size must be at least 1, got {chunk_size}")
        gate.check_pays_for(plan)
        self.plan = plan
        self._noise = noise
        self._gate = gate
        self._chunk_size = chunk_size
        self._crew = Alone() if crew is None else crew
        self._known = known
        self._usual_chunks = usual_chunks(plan, chunk_size, self._crew.size)

    def release(self, step: int, ask: Ask, centre: Tensor | None = None) -> Tensor:
        """Release the sanitized gradients of one step.

        Guarantee: as of the class, if the centre is a function of public things and of earlier releases.

        Args:
            step: must be the step after the last one released.
            ask: returns the gradients of critics at the samples of groups, see `Ask`. It is asked of chunk after chunk,
                always with as many critics. Some of the answers are not counted.
            centre: public prediction of the answers, (batch_size, ...), finite. It is subtracted before the clip and
                added to the result. None for the answers as they are.

        Returns:
            float32 (batch_size, ...), on the device of the answers: safe to use for anything. Not the clipped vectors.

        Raises:
            PrivacyError: a step asked twice, out of order, or beyond the plan.
            ValueError: a centre of another number of samples, or one that is not finite.
        """
        self._gate.take(step)
        included = self._included(step)
        # Privacy: the coins of all critics, in a message of one size, so that its size tells nothing of them.
        self._crew.order(Order(task=Task.RELEASE, number=step, tensors=(included, *self._known())))
        total, grid = self._sum(included, ask if centre is None else self._around(centre, ask))
        total = self._crew.total(total)
        normals = self._noise.gaussian(step, tuple(total.shape)).to(total.device)
        noisy = noisy_sum(total, self.plan.noise_std, normals, grid.spacing)
        if centre is not None:
            noisy = noisy + self._added_back(step, centre.to(noisy))
        # Privacy: the integers hold the noise, so division by a public number and rounding are post-processing.
        return (noisy / self._divisor(step)).to(torch.float32)

    def help(self, included: Tensor, ask: Ask, centre: Tensor | None = None) -> None:
        """Add the answers of this process's own critics to a sum that the leader releases. Nothing is returned.

        Args:
            included: bool (c, K), the critics of each group that the leader drew. Secret.
            ask: as of `release`, asked of this process's own critics alone.
            centre: as of `release`.
        """
        total, _ = self._sum(included, ask if centre is None else self._around(centre, ask))
        self._crew.total(total)

    def _included(self, step: int) -> Tensor:
        """Draw the critics of each group, bool (c, K). Secret, and so is their number."""
        plan = self.plan
        coins = self._noise.inclusions(step, plan.draws_per_step * plan.num_critics, plan.sample_rate)
        return coins.view(plan.draws_per_step, plan.num_critics)

    def _divisor(self, step: int) -> float:
        return self.plan.critics_per_draw

    def _around(self, centre: Tensor, ask: Ask) -> Ask:
        """Ask for answers less the centre. They are clipped afterwards, each by itself."""
        if len(centre) != self.plan.batch_size or not bool(centre.isfinite().all()):
            raise ValueError(f"a centre needs {self.plan.batch_size} finite vectors, one for each sample")
        of_group = centre.detach().unflatten(0, (self.plan.draws_per_step, -1))

        def asked(critics: Tensor, groups: Tensor) -> Tensor:
            answers = whole(ask(critics, groups), groups)
            return answers - of_group.to(answers)[groups.to(answers.device)]

        return asked

    def _added_back(self, step: int, centre: Tensor) -> Tensor:
        """Return the part of the sum that was subtracted, in public: m times the centre."""
        # Privacy: the number of included critics times the centre would tell that number without noise.
        return self.plan.critics_per_draw * centre

    def _sum(self, included: Tensor, ask: Ask) -> tuple[Tensor, PublicGrid]:
        """Sum the clipped answers of this process's included critics, over the grid's spacing: int64 (B, ...)."""
        asked = (
            (in_pieces(ask(critics, groups), len(included)), groups, counts)
            for critics, groups, counts in self._chunks(included)
        )
        first = next(asked)
        layout, *_ = first
        grid, total = self._grid(layout), layout.no_sums()
        for pieces, groups, is_included in itertools.chain([first], asked):
            # Privacy: each answer is put on the grid by itself, within the bound that the plan prices.
            added = pieces.clipped_sums(groups, is_included, grid)
            if added.shape != total.shape:  # broadcasting would add one number to several samples, beyond the bound
                raise ValueError(f"answers of a step differ in shape, or from their places: {tuple(added.shape)}")
            total += added
        return layout.placed(total), grid

    def _grid(self, pieces: Pieces) -> PublicGrid:
        shape, expected = (
            (len(pieces.values), pieces.num_samples),
            (self._chunk_size, self.plan.batch_size // self.plan.draws_per_step),
        )
        if shape != expected:
            raise ValueError(
                f"answers have shape {(*shape, *pieces.vector_shape)}: the plan says {expected}, followed by the "
                "view's shape"
            )
        pieces.check_places()
        num_coordinates = pieces.num_samples * pieces.vector_shape.numel()
        grid = PublicGrid(radius=self.plan.group_clip_norm, num_coordinates=num_coordinates)
        grid.check_sum(self.plan.num_critics)
        return grid

    def _chunks(self, included: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield chunks of this process's own critics, with their groups and a mark for those that were included.

        Places without an included critic hold public ones, and do not count.
        """
        own = self._crew.own(self.plan.num_critics)
        group, place = included[:, own].nonzero(as_tuple=True)
        critic = own[place]
        num_asked, size = len(critic), self._chunk_size
        num_places = size * max(self._usual_chunks, -(-num_asked // size))
        critics, groups = own[torch.arange(num_places) % len(own)], torch.zeros(num_places, dtype=torch.int64)
        critics[:num_asked], groups[:num_asked] = critic, group
        is_included = torch.arange(num_places) < num_asked
        yield from zip(critics.split(size), groups.split(size), is_included.split(size), strict=True)


def usual_chunks(plan: SumOfManyPlan, chunk_size: int, num_processes: int = 1) -> int:
    """Compute the number of chunks that all but one step in a thousand have room in, from public numbers.

    The number of critics that are included in a step is bounded by the Poisson law of its expected number.

    Args:
        plan: critics, draws and rate.
        chunk_size: places of a chunk.
        num_processes: processes that share the critics evenly, each with chunks of its own.

    >>> from gossamer.privacy.adjacency import Unit
    >>> plan = SumOfManyPlan(
    ...     unit=Unit.RECORD, num_slots=60_000, num_critics=6000, num_steps=10, batch_size=640, draws_per_step=64,
    ...     clip_norm=1.0, noise_multiplier=1.0, critics_per_draw=4,
    ... )
    >>> usual_chunks(plan, 32)
    10
    """
    expected = plan.draws_per_step * plan.critics_per_draw / num_processes
    most = plan.draws_per_step * -(-plan.num_critics // num_processes)
    number = math.ceil(expected / chunk_size)
    while number * chunk_size < most and scipy.special.pdtrc(number * chunk_size, expected) > _MORE_CHUNKS:
        number += 1
    return number
