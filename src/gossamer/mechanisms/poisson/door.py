"""DP-SGD: the noisy sum of clipped gradients of a Poisson sample of units, over a public expected number.

Abadi et al. 2016, "Deep learning with differential privacy", algorithm 1. Gradients of single units come from vmap of
grad. So any loss may be used that can be differentiated, one with a gradient penalty too.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.func import grad, vmap

from gossamer.errors import InputError
from gossamer.mechanisms.clipping import clipped_sums
from gossamer.mechanisms.crew import AbstractCrew, Alone, Order, Task
from gossamer.mechanisms.gate import AbstractGate
from gossamer.mechanisms.grid import PublicGrid, noisy_sum
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.poisson.dense import DenseLosses
from gossamer.mechanisms.poisson.factors import FactoredGrid, FactoredSum
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import Units

Tensors = dict[str, Tensor]

RecordLosses = Callable[..., Tensor]
"""(parameters, *records of one unit, each (m, ...)) -> (m,), the whole loss of each record.

The function may close over public things, synthetic samples for instance.
"""


class PoissonReleaser:
    r"""Releaser of gradients of a loss on records as its plan says: each step once, in order, and none after the last.

    Let S be a Poisson sample of the slots, and g_u the gradient of the mean loss of unit u's records at all parameters
    together. With C ``clip_norm`` and q N the public expected number of drawn units, released is

    .. math:: \frac{1}{q N} \Bigl( \sum_{u \in S} g_u \min(1, C / |g_u|)
        + N(0, (C \, \mathrm{noise\_multiplier})^2 I) \Bigr),

    Each clipped gradient and the noise are rounded to the public grid of the ball of radius C (`PublicGrid`) and added
    as integers. Gradients of `DenseLosses` are added without being held, exactly on a finer grid, and their sum is
    rounded (`FactoredGrid`). Both ways one unit moves the rounded sum by C at most.

    Guarantee: the released vectors of all steps have the privacy of ``plan.event`` when units are added or removed.
    That holds for any loss, and for parameters that are chosen in any way from earlier releases. A unit adds to the sum
    a vector of norm C at most. The vector depends on that unit's records alone: vmap keeps units apart, and refuses a
    loss that draws random numbers or changes buffers. One norm is taken over all parameters, and a gradient that is not
    finite counts as zero. A sum without any unit is released like all others. The divisor is public: the number of
    drawn units would tell of their identity. The drawn units and their number are revealed to nobody.

    Args:
        plan: sampling, clip, noise and number of steps. The statement is written from the same object.
        units: the records of every slot.
        records: private tensors, the first axis of each counting records, on the device to compute on.
        noise: secret randomness, used by this object alone.
        chunk_size: number of units that have their gradients in memory at once, public. If it is smaller than the
            average number drawn by a factor of 20 or more, few places stay empty and time is saved.
        gate: of the run. It lets each step pass once, in order and charged.
        crew: the processes that share the drawn units. Default: this one alone.
        known: returns public tensors, which other processes need for the same parameters and losses.
        meanwhile: called with the step while others compute: the leader's work that needs no release.

    Raises:
        InputError: units that are not those of the plan, or a chunk without units.
        PrivacyError: a gate of another plan.
    """

    def __init__(
        self,
        plan: PoissonPlan,
        units: Units,
        records: tuple[Tensor, ...],
        noise: AbstractNoise,
        *,
        chunk_size: int = 32,
        gate: AbstractGate,
        crew: AbstractCrew | None = None,
        known: Callable[[], Sequence[Tensor]] = tuple,
        meanwhile: Callable[[int], object] = lambda step: None,
    ) -> None:
        mine = (units.unit, units.num_slots, units.records_per_unit)
        if mine != (plan.unit, plan.num_slots, plan.records_per_unit):
            raise InputError("the units are not those that the plan prices: make both from one number of slots")
        if chunk_size < 1:
            raise InputError(f"chunk_size must be at least 1, got {chunk_size}")
        gate.check_pays_for(plan)
        self.plan = plan
        self._units = units
        self._records = records
        self._noise = noise
        self._chunk_size = chunk_size
        self._gate = gate
        self._crew = Alone() if crew is None else crew
        self._known = known
        self._meanwhile = meanwhile
        self._pace = Pace()

    def also_reading(self, column: Tensor) -> PoissonReleaser:
        """Return the same releaser with one more private tensor, which the loss is given last. Audits need it.

        Args:
            column: (records, ...).
        """
        other = copy.copy(self)
        other._records = (*self._records, column.to(self._records[0].device))
        return other

    def release(self, step: int, parameters: Tensors, losses: RecordLosses | DenseLosses) -> Tensors:
        """Release the sanitized gradient of one step.

        Args:
            step: must be the step after the last one released.
            parameters: point at which to differentiate, public.
            losses: of the records of one unit, see `RecordLosses`. `DenseLosses` take a tenth of the time.

        Returns:
            float32 tensors named and shaped as the parameters: safe to use for anything.

        Raises:
            PrivacyError: a step asked twice, out of order, or beyond the plan.
        """
        parameters = {name: tensor.detach() for name, tensor in parameters.items()}
        grid = self._grid(parameters, losses)
        self._gate.take(step)
        slots = self._drawn(step)
        is_drawn = torch.zeros(self.plan.num_slots, dtype=torch.bool)
        is_drawn[slots] = True
        drawn = Drawn(slots=slots, step=step, head_start=self._pace.head_start())
        known = (is_drawn, torch.tensor(drawn.head_start), *self._known())
        self._crew.order(Order(task=Task.RELEASE, number=step, tensors=known))
        began = time.perf_counter()
        self._meanwhile(step)
        self._pace.other_work.append(time.perf_counter() - began)
        total = self._total(drawn, parameters, losses, grid)
        noisy = noisy_sum(total, self.plan.noise_std, self._normals(step, total), grid.spacing)
        # Privacy: the integers hold the noise, so division and rounding afterwards are post-processing.
        return _unflattened((noisy / self._divisor(step)).to(torch.float32), parameters)

    def help(
        self,
        step: int,
        is_drawn: Tensor,
        head_start: Tensor,
        parameters: Tensors,
        losses: RecordLosses | DenseLosses,
    ) -> None:
        """Add this process's chunks of drawn units to a sum that the leader releases. Nothing is drawn or returned.

        Args:
            step: of the release.
            is_drawn: bool (num_slots,), the units that the leader drew. Secret.
            head_start: int64 scalar, chunks that each helper takes before the leader takes its first.
            parameters: as of `release`.
            losses: as of `release`.
        """
        parameters = {name: tensor.detach() for name, tensor in parameters.items()}
        drawn = Drawn(slots=is_drawn.nonzero()[:, 0], step=step, head_start=int(head_start))
        self._total(drawn, parameters, losses, self._grid(parameters, losses))

    def _drawn(self, step: int) -> Tensor:
        """Draw the slots of a Poisson sample. Secret."""
        return self._noise.inclusions(step, self.plan.num_slots, self.plan.sample_rate).nonzero()[:, 0]

    def _divisor(self, step: int) -> float:
        return self.plan.expected_batch_size

    def _normals(self, step: int, like: Tensor) -> Tensor:
        return self._noise.gaussian(step, (1, like.shape[0]))[0].to(like.device)

    def _grid(self, parameters: Tensors, losses: RecordLosses | DenseLosses) -> PublicGrid:
        if isinstance(losses, DenseLosses):
            factored = self._factored(losses)
            factored.check_sum(self.plan.num_slots)
            return factored.coarse
        num_parameters = sum(map(torch.numel, parameters.values()))
        grid = PublicGrid(radius=self.plan.clip_norm, num_coordinates=num_parameters)
        grid.check_sum(self.plan.num_slots)
        return grid

    def _factored(self, losses: DenseLosses) -> FactoredGrid:
        return FactoredGrid(
            radius=self.plan.clip_norm,
            layers=losses.shapes,
            records_per_unit=self.plan.records_per_unit,
            chunk_size=self._chunk_size,
        )

    def _total(self, drawn: Drawn, parameters: Tensors, losses: RecordLosses | DenseLosses, grid: PublicGrid) -> Tensor:
        """Sum the clipped gradients of the units in the slots, of all processes: int64 (num_parameters,)."""
        if isinstance(losses, DenseLosses):
            return self._total_of_products(drawn, parameters, losses)
        return self._crew.total(self._sum(drawn, parameters, losses, grid))

    def _sum(self, drawn: Drawn, parameters: Tensors, losses: RecordLosses, grid: PublicGrid) -> Tensor:
        """Sum the clipped gradients of this process's share of the units, over the spacing: int64 (num_parameters,)."""
        device = next(iter(parameters.values())).device
        total = torch.zeros(grid.num_coordinates, dtype=torch.int64, device=device)
        for records, is_drawn in self._read(drawn, device):
            gradients = unit_gradients(losses, parameters, records)
            total += self._clipped_sum(gradients.values(), is_drawn, grid)
        return total

    def _total_of_products(self, drawn: Drawn, parameters: Tensors, losses: DenseLosses) -> Tensor:
        """Sum the same without any unit's gradient, and round the exact sum of all processes."""
        device = next(iter(parameters.values())).device
        total = FactoredSum(self._factored(losses), device)
        for records, is_drawn in self._read(drawn, device):
            total.add(losses.factors(parameters, records), is_drawn)
        total.add_up(self._crew.total)
        gradients = losses.gradients(total.rounded())
        return torch.cat([gradients[name].flatten() for name in parameters])

    def _read(self, drawn: Drawn, device: torch.device) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """Yield the records of this process's share of the units, in chunks of (units, m, ...), and a mark for each."""
        chunks = list(self._crew.share(self._chunks(self._units.present(drawn.slots)), drawn.head_start))
        if not chunks:
            return
        chosen = self._units.choose(torch.cat([filled for filled, _ in chunks]), drawn.step).to(device)
        for rows, (_, is_drawn) in zip(chosen.split(self._chunk_size), chunks, strict=True):
            began = time.perf_counter()
            yield tuple(record[rows] for record in self._records), is_drawn.to(device)
            self._pace.chunks.append(time.perf_counter() - began)

    def _chunks(self, slots: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the drawn slots at their places in chunks of one shape, with a mark for the places that hold one.

        How a float32 gradient is rounded may depend on its place in a chunk. A unit's place is its mark modulo the size
        of a chunk. The place is the same for any other units that were drawn, or that stand before the unit in the
        file. Other units decide only the chunk and the content of the other places. Places without a slot are filled
        with one that was drawn, and do not count.
        """
        places = self._units.marks[slots] % self._chunk_size
        order = torch.argsort(places, stable=True)
        counts = torch.bincount(places, minlength=self._chunk_size)
        chunk = torch.arange(len(slots)) - (counts.cumsum(dim=0) - counts)[places[order]]
        table = torch.full((int(counts.max()), self._chunk_size), -1)
        table[chunk, places[order]] = slots[order]
        for row in table:
            is_drawn = row >= 0
            yield torch.where(is_drawn, row, row.max()), is_drawn

    def _clipped_sum(self, gradients: Iterable[Tensor], is_drawn: Tensor, grid: PublicGrid) -> Tensor:
        return clipped_sum(gradients, is_drawn, grid)


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """The units of a step, as all processes know them. Secret.

    Attributes:
        slots: of the units, int64 (n,).
        step: number of the step.
        head_start: chunks that each helper takes before the leader takes its first.
    """

    slots: Tensor
    step: int
    head_start: int


@dataclass(frozen=True)
class Pace:
    """Seconds that the leader spent lately, by which it shares the chunks of a step. They decide no result.

    Attributes:
        other_work: on work that needs no release, a number for each step.
        chunks: on each of its chunks.
    """

    other_work: deque[float] = field(default_factory=lambda: deque(maxlen=9))
    chunks: deque[float] = field(default_factory=lambda: deque(maxlen=99))

    def head_start(self) -> int:
        """Return the number of chunks that the other work is worth, by medians. 0 before the first step."""
        if not self.other_work or not self.chunks:
            return 0
        return round(statistics.median(self.other_work) / statistics.median(self.chunks))


def unit_gradients(losses: RecordLosses, parameters: Tensors, records: tuple[Tensor, ...]) -> Tensors:
    """Compute gradients of single units, ``d/dtheta mean_i loss(theta, record_i)``: unbounded and private.

    Guarantee: row u of the result depends on row u of the records alone.

    Args:
        losses: see `RecordLosses`.
        parameters: name -> (...).
        records: each (units, m, ...).

    Returns:
        name -> (units, ...).

    >>> square = lambda parameters, x: (parameters["w"] * x) ** 2
    >>> unit_gradients(square, {"w": torch.tensor(3.0)}, (torch.tensor([[1.0], [2.0]]),))["w"].tolist()
    [6.0, 24.0]
    """

    def mean_loss(parameters: Tensors, *unit: Tensor) -> Tensor:
        return losses(parameters, *unit).mean()

    return vmap(grad(mean_loss), in_dims=(None, *(0 for _ in records)))(parameters, *records)


def clipped_sum(gradients: Iterable[Tensor], is_counted: Tensor, grid: PublicGrid) -> Tensor:
    r"""Compute ``sum_u round(g_u min(1, C' / |g_u|) / spacing)`` over the rows that count, one norm over all tensors.

    It is one sum of `clipped_sums`, with the guarantee and the errors of that function.

    Args:
        gradients: tensors (rows, ...), together the coordinates of each row.
        is_counted: bool (rows,).
        grid: of the ball of radius C, of as many coordinates.

    Returns:
        int64 (coordinates,).

    >>> rows = [torch.tensor([[3.0], [0.3], [float("nan")]]), torch.tensor([[4.0], [0.4], [1.0]])]
    >>> grid = PublicGrid(radius=1.0, num_coordinates=2)
    >>> (clipped_sum(rows, torch.tensor([True, False, True]), grid) * grid.spacing).tolist()
    [0.599609375, 0.798828125]
    """
    return clipped_sums(gradients, torch.where(is_counted, 0, -1), grid)[0]


def _unflattened(vector: Tensor, parameters: Tensors) -> Tensors:
    parts = vector.split([tensor.numel() for tensor in parameters.values()])
    return {name: part.view(tensor.shape) for (name, tensor), part in zip(parameters.items(), parts, strict=True)}
