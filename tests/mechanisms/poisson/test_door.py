"""The door of DP-SGD: what it releases equals the textbook, and doors that break the contract are caught by name."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.nn import functional as F

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.grid import PublicGrid
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.poisson.door import (
    Drawn,
    PoissonReleaser,
    RecordLosses,
    Tensors,
    clipped_sum,
    unit_gradients,
)
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import Units, units_of_persons, units_of_records
from gossamer.privacy.accounting import epsilon_by_pld, epsilon_by_rdp
from gossamer.privacy.adjacency import Unit

RECORDS, CLASSES, STEPS = 40, 3, 6
PLAN = PoissonPlan(
    unit=Unit.RECORD, num_slots=RECORDS, sample_rate=0.3, num_steps=STEPS, clip_norm=0.7, noise_multiplier=0.9
)
PUBLIC_POINT = torch.rand(8, generator=torch.Generator().manual_seed(9))

Losses = Callable[..., Tensor]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, CLASSES))


NETWORK = network()


def classification(parameters: Tensors, x: Tensor, y: Tensor) -> Tensor:
    """A plain classifier; the factor makes some gradients longer than the clip and some shorter."""
    return 0.4 * F.cross_entropy(functional_call(NETWORK, parameters, (x,)), y, reduction="none")


def with_penalty(parameters: Tensors, x: Tensor, y: Tensor) -> Tensor:
    """A gradient penalty between a record and a public point: differentiated twice."""

    def score(point: Tensor) -> Tensor:
        return functional_call(NETWORK, parameters, (point,)).sum()

    slope = torch.vmap(grad(score))(torch.lerp(x, PUBLIC_POINT, 0.3))
    return classification(parameters, x, y) + 10 * (slope.norm(dim=1) - 1).square()


LOSSES: dict[str, Losses] = {"classifier": classification, "gradient penalty": with_penalty}


def parameters() -> Tensors:
    return {name: tensor.detach() for name, tensor in NETWORK.named_parameters()}


def records(num: int = RECORDS) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.randn(num, 8, generator=rng), torch.randint(0, CLASSES, (num,), generator=rng)


def door(
    kind: type[PoissonReleaser] = PoissonReleaser,
    plan: PoissonPlan = PLAN,
    units: Units | None = None,
    private: tuple[Tensor, ...] | None = None,
    chunk_size: int = 32,
    **gate: Any,
) -> PoissonReleaser:
    return kind(
        plan,
        units or units_of_records(plan.num_slots),
        private or records(),
        DeterministicNoise(0),
        chunk_size=chunk_size,
        gate=StepGate(plan, **gate),
    )


def flat(tensors: Tensors) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors.values()]).double()


def grid(num_coordinates: int, plan: PoissonPlan = PLAN) -> PublicGrid:
    return PublicGrid(radius=plan.clip_norm, num_coordinates=num_coordinates)


GRID = grid(sum(p.numel() for p in NETWORK.parameters()))


def signal(released: Tensors, step: int, plan: PoissonPlan = PLAN) -> Tensor:
    """The sum of clipped and rounded gradients that a release should hold under its noise."""
    vector = flat(released)
    spacing = grid(len(vector), plan).spacing
    noise = DeterministicNoise(0).gaussian(step, (1, len(vector)))[0]
    number = vector * plan.expected_batch_size / spacing
    # Multiples of the grid, but for the rounding of the released numbers to float32.
    assert torch.allclose(number, number.round(), rtol=2**-22, atol=0)
    return (number.round() - (plan.noise_std * noise / spacing).round()) * spacing


def agree(found: Tensor, expected: Tensor) -> bool:
    """Equal, but where a float32 gradient that was computed otherwise lies at the edge between two multiples."""
    apart = ((found - expected) / GRID.spacing).abs()
    return float(apart.max()) <= 1 and float((apart > 0).double().mean()) < 0.05


def loop(losses: Losses, groups: list[Tensor], private: tuple[Tensor, ...] | None = None) -> Tensor:
    """Sum of clipped and rounded gradients, group of records after group, by plain backward passes."""
    x, y = private or records()
    total = torch.zeros(sum(p.numel() for p in NETWORK.parameters()), dtype=torch.float64)
    for group in groups:
        leaves = {name: tensor.clone().requires_grad_() for name, tensor in parameters().items()}
        losses(leaves, x[group], y[group]).mean().backward()
        gradient = torch.cat([leaf.grad.flatten() for leaf in leaves.values()]).double()  # type: ignore[union-attr]
        shrunk = gradient * min(1.0, (1 - 2**-10) * PLAN.clip_norm / float(gradient.norm()))
        total += (shrunk / GRID.spacing).round() * GRID.spacing
    return total


def drawn(step: int) -> list[Tensor]:
    return list(DeterministicNoise(0).inclusions(step, RECORDS, PLAN.sample_rate).nonzero())


# ---- the same as by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_a_release_equals_a_loop_over_single_records(name: str) -> None:
    made, losses = door(chunk_size=4), LOSSES[name]
    for step in range(STEPS):
        found = signal(made.release(step, parameters(), losses), step)
        assert agree(found, loop(losses, drawn(step)))


def test_some_gradients_are_clipped_and_some_are_not() -> None:
    """Otherwise the comparison with the loop would show little."""
    x, y = records()
    norms = flat_rows(unit_gradients(classification, parameters(), (x[:, None], y[:, None]))).norm(dim=1)
    assert 0.2 < float((norms > PLAN.clip_norm).float().mean()) < 0.95


def flat_rows(gradients: Tensors) -> Tensor:
    return torch.cat([gradient.flatten(start_dim=1) for gradient in gradients.values()], dim=1)


@pytest.mark.parametrize("chunk_size", [1, 3, 7, 64])
def test_the_release_does_not_depend_on_the_chunks(chunk_size: int) -> None:
    whole = flat(door(chunk_size=RECORDS).release(0, parameters(), classification))
    parts = flat(door(chunk_size=chunk_size).release(0, parameters(), classification))
    assert torch.allclose(whole, parts, atol=1.01 * GRID.spacing / PLAN.expected_batch_size)


def test_the_padding_of_the_last_chunk_adds_nothing_even_where_its_gradient_is_not_finite() -> None:
    gradients = [torch.tensor([[1.0], [2.0], [math.inf]])]
    counted = torch.tensor([True, False, False])
    one = PublicGrid(radius=5.0, num_coordinates=1)
    assert (clipped_sum(gradients, counted, one) * one.spacing).tolist() == [1.0]


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e25])
def test_the_clipped_sum_is_the_sum_of_vectors_clipped_to_the_ball(scale: float) -> None:
    rng = torch.Generator().manual_seed(3)
    parts = [scale * torch.randn(9, 4, generator=rng), scale * torch.randn(9, 2, 3, generator=rng)]
    parts[1][4, 0, 1] = math.nan
    together = torch.cat([part.flatten(start_dim=1) for part in parts], dim=1)
    ball = PublicGrid(radius=1.3 * min(1.0, scale), num_coordinates=10)
    rows = ball.rounded(clip_to_ball(together, ball.inner_radius))
    assert bool(rows.any(dim=1).sum() == 8)
    assert torch.equal(clipped_sum(parts, torch.ones(9, dtype=torch.bool), ball), rows.sum(dim=0).long())


@pytest.mark.parametrize("chunk_size", [1, 5, 40])
def test_the_sum_is_the_same_in_any_order_and_any_chunking_bit_for_bit(chunk_size: int) -> None:
    """Rows from far below the clip to far above it, of which float sums depend on the order."""
    rng = torch.Generator().manual_seed(8)
    rows = torch.randn(40, 1000, generator=rng) * torch.logspace(-4, 4, 40)[:, None]
    ball, counted = PublicGrid(radius=1.0, num_coordinates=1000), torch.rand(40, generator=rng) < 0.8
    whole = clipped_sum([rows], counted, ball)
    for _ in range(5):
        order = torch.randperm(40, generator=rng)
        pairs = zip(rows[order].split(chunk_size), counted[order].split(chunk_size), strict=True)
        parts = [clipped_sum([part[:, :300], part[:, 300:]], of_part, ball) for part, of_part in pairs]
        assert torch.equal(torch.stack(parts).sum(dim=0), whole)


def float_sum(gradients: Iterable[Tensor], is_counted: Tensor, ball: PublicGrid) -> Tensor:
    """The break: clipped gradients are added in float64, and their sum is rounded to the grid."""
    rows = torch.cat([part.flatten(start_dim=1) for part in gradients], dim=1)
    return ball.rounded(is_counted.double() @ clip_to_ball(rows, ball.inner_radius)).long()


def rest_moves(total: Callable[[Iterable[Tensor], Tensor, PublicGrid], Tensor]) -> float:
    """How far one unit's coming moves the sum beyond what it adds itself, in multiples of the grid."""
    rng = torch.Generator().manual_seed(8)
    rows, ball = torch.randn(40, 1000, generator=rng), PublicGrid(radius=1.0, num_coordinates=1000)
    everyone = torch.ones(40, dtype=torch.bool)
    others = everyone.clone()
    others[17] = False
    own = total([rows[17:18]], everyone[:1], ball)
    return float((total([rows], everyone, ball) - total([rows], others, ball) - own).abs().max())


def test_a_unit_moves_the_sum_by_its_own_vector_exactly_and_rounding_the_sum_of_all_is_caught() -> None:
    assert rest_moves(clipped_sum) == 0
    assert rest_moves(float_sum) >= 1


class PlacesInTurn(PoissonReleaser):
    """The break: drawn units stand in chunks one after the other, so that a place tells how many came before."""

    def _chunks(self, slots: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        for chunk in slots.split(self._chunk_size) if len(slots) else ():
            filled = torch.cat([chunk, chunk[:1].expand(self._chunk_size - len(chunk))])
            yield filled, torch.arange(self._chunk_size) < len(chunk)


def rounded_by_place(losses: RecordLosses, parameters: Tensors, private: tuple[Tensor, ...]) -> Tensors:
    """Gradients as kernels may round them that take the last rows of a product otherwise, only more so."""
    gradients = unit_gradients(losses, parameters, private)
    return {
        name: part * (1 + 2.0**-10 * torch.arange(len(part))).view(-1, *[1] * (part.ndim - 1))
        for name, part in gradients.items()
    }


def others_move(kind: type[PoissonReleaser], chunk_size: int) -> float:
    """How far emptying the first drawn slot moves what all others add, in multiples of the grid."""
    first, kept = drawn(0)[0], (torch.arange(RECORDS) != int(drawn(0)[0])).nonzero()[:, 0]

    def total(slots: Tensor, present: Tensor) -> Tensor:
        units = units_of_persons(present, RECORDS, records_per_unit=1, seed=0)
        private = tuple(part[present] for part in records())
        made = door(kind, replace(PLAN, unit=Unit.PERSON), units, private, chunk_size=chunk_size)
        return made._sum(Drawn(slots=slots, step=0, head_start=0), parameters(), classification, GRID)

    everyone, every = torch.cat(drawn(0)), torch.arange(RECORDS)
    return float((total(everyone, every) - total(everyone, kept) - total(first, every)).abs().max())


CHUNK_SIZES = [1, 3, 5, 7, 13, 32]


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_a_unit_moves_no_bit_of_what_others_add(chunk_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert others_move(PoissonReleaser, chunk_size) == 0
    monkeypatch.setattr("gossamer.mechanisms.poisson.door.unit_gradients", rounded_by_place)
    assert others_move(PoissonReleaser, chunk_size) == 0


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES[1:])
def test_places_in_turn_are_caught_where_gradients_are_rounded_by_their_place(
    chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer.mechanisms.poisson.door.unit_gradients", rounded_by_place)
    assert others_move(PlacesInTurn, chunk_size) > 0


def first_moves_others(marks: Tensor | None, chunk_size: int) -> float:
    """How far the first record's leaving moves what all others add, each of them one slot further ahead then."""

    def total(kept: Tensor) -> Tensor:
        units = units_of_records(len(kept), RECORDS, marks=None if marks is None else marks[kept])
        private = tuple(part[kept] for part in records())
        made = door(units=units, private=private, chunk_size=chunk_size)
        return made._sum(Drawn(slots=torch.arange(RECORDS), step=0, head_start=0), parameters(), classification, GRID)

    every = torch.arange(RECORDS)
    return float((total(every) - total(every[1:]) - total(every[:1])).abs().max())


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES[1:])
def test_a_record_that_leaves_the_file_moves_no_bit_of_what_others_add_and_places_by_slot_are_caught(
    chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = torch.randint(-(2**62), 2**62, (RECORDS,), generator=torch.Generator().manual_seed(4))
    monkeypatch.setattr("gossamer.mechanisms.poisson.door.unit_gradients", rounded_by_place)
    assert first_moves_others(marks, chunk_size) == 0
    assert first_moves_others(None, chunk_size) > 0


def test_more_units_than_integers_hold_are_refused() -> None:
    charged: list[int] = []
    plan = replace(PLAN, num_slots=2**60, sample_rate=1e-18)
    units = replace(units_of_records(1), counts=torch.zeros(1, dtype=torch.int64).expand(2**60))
    with pytest.raises(InputError, match="exact integers"):
        door(plan=plan, units=units, charge=charged.append).release(0, parameters(), classification)
    assert not charged


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_record_whose_gradient_is_not_finite_adds_nothing_and_is_not_noticed(value: float) -> None:
    x, y = records()
    bad = x.clone()
    bad[int(drawn(0)[0])] = value
    found = signal(
        door(private=(bad, y)).release(0, parameters(), lambda p, x, y: classification(p, x, y) * x[:, 0]), 0
    )
    rest = loop(lambda p, x, y: classification(p, x, y) * x[:, 0], drawn(0)[1:])
    assert agree(found, rest)


def test_an_empty_batch_is_a_step_of_noise_alone() -> None:
    plan = replace(PLAN, sample_rate=1e-9)
    released = door(plan=plan).release(0, parameters(), classification)
    assert signal(released, 0, plan).abs().max() == 0
    assert flat(released).norm() > 0


# ---- persons ---------------------------------------------------------------------------------------------------------

PERSONS, PERSON_OF = 12, torch.arange(RECORDS) % 11
PERSON_PLAN = replace(PLAN, unit=Unit.PERSON, num_slots=PERSONS, records_per_unit=2)


def test_a_person_is_drawn_as_a_whole_and_clipped_as_one() -> None:
    """Person 11 has no record."""
    units = units_of_persons(PERSON_OF, PERSONS, records_per_unit=2, seed=4)
    made = door(plan=PERSON_PLAN, units=units, chunk_size=3)
    for step in range(STEPS):
        slots = DeterministicNoise(0).inclusions(step, PERSONS, 0.3).nonzero()[:, 0]
        groups = list(units.choose(slots[slots < 11], step))
        found = signal(made.release(step, parameters(), classification), step, PERSON_PLAN)
        assert agree(found, loop(classification, groups))


def test_a_person_with_many_records_moves_the_sum_no_further_than_one_with_few() -> None:
    """All 40 records belong to the one person: the bound is that of one unit."""
    plan = replace(PLAN, unit=Unit.PERSON, num_slots=1, sample_rate=1.0, records_per_unit=8)
    units = units_of_persons(torch.zeros(RECORDS, dtype=torch.int64), 1, records_per_unit=8, seed=4)
    found = signal(door(plan=plan, units=units).release(0, parameters(), classification), 0, plan)
    assert 0 < float(found.norm()) <= plan.clip_norm * (1 + 1e-5)


def test_units_that_the_plan_does_not_price_are_refused() -> None:
    person = units_of_persons(PERSON_OF, PERSONS, records_per_unit=3, seed=4)
    for plan, units in ((PERSON_PLAN, person), (PLAN, units_of_records(RECORDS + 1)), (PERSON_PLAN, None)):
        with pytest.raises(InputError, match="not those that the plan prices"):
            door(plan=plan, units=units or units_of_records(PERSONS))
    with pytest.raises(InputError, match="chunk_size"):
        door(chunk_size=0)


# ---- doors that break the contract, and what catches each -----------------------------------------------------------


class ClipsEachTensor(PoissonReleaser):
    """Every weight tensor to the same bound, as published."""

    def _clipped_sum(self, gradients: Iterable[Tensor], is_drawn: Tensor, grid: PublicGrid) -> Tensor:
        return torch.cat([super(ClipsEachTensor, self)._clipped_sum([part], is_drawn, grid) for part in gradients])


class DividesByTheDrawn(PoissonReleaser):
    """The mean over the batch that was drawn."""

    def _divisor(self, step: int) -> float:
        return max(1.0, float(len(self._drawn(step))))


class Shuffles(PoissonReleaser):
    """Batches of one size, dealt from a shuffled deck, priced as Poisson samples."""

    def _drawn(self, step: int) -> Tensor:
        size = round(self.plan.expected_batch_size)
        epoch, place = divmod(step, self.plan.num_slots // size)
        deck = torch.randperm(self.plan.num_slots, generator=torch.Generator().manual_seed(epoch))
        return deck[place * size : (place + 1) * size]


class NoiseOnOneTensor(PoissonReleaser):
    """All parameters but the last tensor go without."""

    def _normals(self, step: int, like: Tensor) -> Tensor:
        normals = super()._normals(step, like)
        normals[:-CLASSES] = 0
        return normals


class HalfTheNoise(PoissonReleaser):
    def _normals(self, step: int, like: Tensor) -> Tensor:
        return super()._normals(step, like) / 2


class ThreePercentLess(PoissonReleaser):
    def _normals(self, step: int, like: Tensor) -> Tensor:
        return 0.97 * super()._normals(step, like)


class PassesNaN(PoissonReleaser):
    """Clips by the norm alone: a gradient that is not finite goes through."""

    def _clipped_sum(self, gradients: Iterable[Tensor], is_drawn: Tensor, grid: PublicGrid) -> Tensor:
        rows = torch.cat([part.flatten(start_dim=1) for part in gradients], dim=1).double()
        factor = (self.plan.clip_norm / rows.norm(dim=1)).clamp_max(1.0)
        return grid.rounded((factor * is_drawn) @ rows).long()


def steep(parameters: Tensors, x: Tensor, y: Tensor) -> Tensor:
    """Every gradient is longer than the clip, in more than one tensor."""
    return 10 * classification(parameters, x, y)


def largest_move(kind: type[PoissonReleaser]) -> float:
    """How far one unit, emptied, moves what is released, times the expected number: coins and noise stay the same."""
    slots, worst = torch.arange(RECORDS), 0.0
    full = units_of_persons(slots, RECORDS, records_per_unit=1, seed=0)
    plan = replace(PLAN, unit=Unit.PERSON, num_slots=RECORDS)
    whole = door(kind, plan, full).release(0, parameters(), steep)
    for slot in drawn(0):
        kept = (slots != slot).nonzero()[:, 0]
        fewer = units_of_persons(kept, RECORDS, records_per_unit=1, seed=0)
        private = tuple(record[kept] for record in records())
        without = door(kind, plan, fewer, private).release(0, parameters(), steep)
        worst = max(worst, float((flat(whole) - flat(without)).norm()) * plan.expected_batch_size)
    return worst


def test_one_unit_moves_the_release_by_the_clip_at_most() -> None:
    """Exact, up to the rounding of the released float32 numbers."""
    assert 0.5 * PLAN.clip_norm < largest_move(PoissonReleaser) <= PLAN.clip_norm * (1 + 1e-4)


@pytest.mark.parametrize("kind", [ClipsEachTensor, DividesByTheDrawn])
def test_clip_per_tensor_and_mean_over_the_drawn_batch_are_caught_by_how_far_one_unit_moves_the_release(
    kind: type[PoissonReleaser],
) -> None:
    assert largest_move(kind) > PLAN.clip_norm * 1.01


def p_noise(kind: type[PoissonReleaser]) -> float:
    """Variance of the noise in every parameter tensor: the least p-value of a chi-square law, times their number.

    The loss is constant, so a release is noise alone: 4 tensors of 2,500 numbers and more.
    """
    plan = replace(PLAN, num_steps=1)
    shapes = {"a": (400, 60), "b": (150, 40), "c": (50, 50), "last": (CLASSES,)}
    wide = {name: torch.zeros(shape) for name, shape in shapes.items()}
    released = door(kind, plan).release(
        0, wide, lambda p, x, y: 0 * (p["a"].sum() + p["b"].sum() + p["c"].sum() + p["last"].sum()) * x[:, 0]
    )
    least = 1.0
    for part in released.values():
        standardised = part.double() * plan.expected_batch_size / plan.noise_std
        law, value = stats.chi2(part.numel()), float(standardised.square().sum())
        least = min(least, 2 * min(law.cdf(value), law.sf(value)))
    return min(1.0, least * len(released))


def test_every_parameter_gets_the_noise_of_the_plan() -> None:
    """False alarm below 1e-6 for a correct build; the noise is deterministic, so the result is always the same."""
    assert p_noise(PoissonReleaser) > 1e-6


@pytest.mark.parametrize("kind", [NoiseOnOneTensor, HalfTheNoise, ThreePercentLess])
def test_noise_on_one_tensor_only_or_too_little_of_it_is_caught_by_its_variance(kind: type[PoissonReleaser]) -> None:
    assert p_noise(kind) < 1e-6


def sampled(kind: type[PoissonReleaser], plan: PoissonPlan) -> Tensor:
    """Who was in the batch of every step, read from the releases themselves: bool (steps, units)."""
    every = torch.arange(plan.num_slots)
    made = kind(
        plan, units_of_records(plan.num_slots), (every,), DeterministicNoise(0), chunk_size=50, gate=StepGate(plan)
    )
    weights = {"w": torch.zeros(plan.num_slots)}

    def own_weight(parameters: Tensors, number: Tensor) -> Tensor:
        return ((torch.arange(plan.num_slots) == number[:, None]) * parameters["w"]).sum(dim=1)

    rows = [signal(made.release(step, weights, own_weight), step, plan) for step in range(plan.num_steps)]
    return torch.stack(rows) > plan.clip_norm / 2


def p_poisson(who: Tensor, rate: float) -> float:
    """How many are drawn in all; the spread of batch sizes over steps; that of draws over units. Bonferroni over three.

    The spreads are sums of squared standardised counts, of chi-square law for counts as large as here.
    """
    steps, units = who.shape
    p_values = [float(stats.binomtest(int(who.sum()), steps * units, rate).pvalue)]
    for axis, number in ((1, units), (0, steps)):
        counts = who.sum(dim=axis).double()
        spread = float(((counts - number * rate) ** 2).sum()) / (number * rate * (1 - rate))
        law = stats.chi2(len(counts))
        p_values.append(2 * min(law.cdf(spread), law.sf(spread)))
    return min(1.0, 3 * min(p_values))


SAMPLING_PLAN = replace(PLAN, num_slots=200, sample_rate=0.25, num_steps=200)


def test_batches_are_poisson_samples() -> None:
    """False alarm below 1e-5 for a correct build; the coins are deterministic, so the result is always the same."""
    assert p_poisson(sampled(PoissonReleaser, SAMPLING_PLAN), 0.25) > 1e-5


def test_shuffled_batches_are_caught_by_the_spread_of_their_sizes() -> None:
    assert p_poisson(sampled(Shuffles, SAMPLING_PLAN), 0.25) < 1e-5


def test_a_gradient_that_passes_the_clip_as_nan_is_caught() -> None:
    def spoilt(kind: type[PoissonReleaser]) -> bool:
        x, y = records()
        x[int(drawn(0)[0]), 0] = math.nan
        # An integer that is made of NaN is finite, and as far away as can be.
        return not bool((flat(door(kind, private=(x, y)).release(0, parameters(), classification)).abs() < 1e3).all())

    assert not spoilt(PoissonReleaser)
    assert spoilt(PassesNaN)


# ---- order and ledger ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 5, -1])
def test_a_step_out_of_order_is_refused(step: int) -> None:
    with pytest.raises(PrivacyError, match="is next"):
        door().release(step, parameters(), classification)


def test_a_step_asked_twice_or_beyond_the_plan_is_refused() -> None:
    made = door(lost_steps=(0,) * 4)
    made.release(0, parameters(), classification)
    with pytest.raises(PrivacyError, match="no noise is used twice"):
        made.release(0, parameters(), classification)
    made.release(1, parameters(), classification)
    with pytest.raises(PrivacyError, match="all are spent"):
        made.release(2, parameters(), classification)


def test_a_step_is_charged_before_anything_of_it_is_drawn_and_a_ledger_that_refuses_shuts_the_door() -> None:
    events: list[str] = []

    class Noise(DeterministicNoise):
        def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
            events.append(f"coins {step}")
            return super().inclusions(step, num_units, sample_rate)

    def charge(step: int) -> None:
        if step == 1:
            raise PrivacyError("the ledger is full")
        events.append(f"charge {step}")

    made = PoissonReleaser(PLAN, units_of_records(RECORDS), records(), Noise(0), gate=StepGate(PLAN, charge=charge))
    made.release(0, parameters(), classification)
    with pytest.raises(PrivacyError, match="ledger"):
        made.release(1, parameters(), classification)
    assert events == ["charge 0", "coins 0"]


def test_a_loss_that_draws_random_numbers_is_refused() -> None:
    """Such numbers would be one private stream that all records share."""
    with pytest.raises(RuntimeError, match="random"):
        door().release(0, parameters(), lambda p, x, y: classification(p, F.dropout(x, 0.5), y))


def test_batch_norm_is_refused() -> None:
    """It mixes records, and its running means remember them."""
    normed = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 1))
    weights = {name: tensor.detach() for name, tensor in normed.named_parameters()}
    with pytest.raises((RuntimeError, ValueError)):
        door().release(0, weights, lambda p, x, y: functional_call(normed, p, (x,))[:, 0])


# ---- against Opacus --------------------------------------------------------------------------------------------------


@pytest.fixture
def opacus() -> object:
    """Opacus, put beside the library without its dependencies; required where real data are."""
    if os.environ.get("GOSSAMER_REQUIRE_DATA") != "1":
        pytest.importorskip("opacus")
    import opacus

    return opacus


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_gradients_of_single_records_are_those_of_opacus(opacus: object) -> None:
    from opacus.grad_sample import GradSampleModule

    x, y = records()
    theirs = GradSampleModule(network(), loss_reduction="sum")
    (0.4 * F.cross_entropy(theirs(x), y, reduction="sum")).backward()
    ours = unit_gradients(classification, parameters(), (x[:, None], y[:, None]))
    for name, parameter in theirs._module.named_parameters():
        assert torch.allclose(parameter.grad_sample, ours[name], atol=1e-5)


@pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha")
@pytest.mark.parametrize(("rate", "noise", "steps"), [(0.01, 1.12, 10_000), (0.01, 4.0, 30_000), (0.05, 2.0, 500)])
def test_epsilon_is_that_of_opacus_to_one_per_cent(opacus: object, rate: float, noise: float, steps: int) -> None:
    from opacus.accountants import PRVAccountant, RDPAccountant

    event = replace(PLAN, sample_rate=rate, noise_multiplier=noise, num_steps=steps).event
    for accountant, ours in ((RDPAccountant(), epsilon_by_rdp), (PRVAccountant(), epsilon_by_pld)):
        accountant.history = [(noise, rate, steps)]
        assert ours(event, 1e-5).epsilon == pytest.approx(accountant.get_epsilon(1e-5), rel=0.01)
