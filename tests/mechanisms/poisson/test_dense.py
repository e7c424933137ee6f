"""Sums of gradients of dense layers that are never held: the textbook's sum, exact, within the clip; breaks caught."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from gossamer.errors import InputError
from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.poisson import factors as module
from gossamer.mechanisms.poisson.dense import DenseLosses, Tensors
from gossamer.mechanisms.poisson.door import Drawn, PoissonReleaser, unit_gradients
from gossamer.mechanisms.poisson.factors import FactoredGrid, FactoredSum, LayerFactors, whole_factors
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import units_of_persons
from gossamer.mechanisms.streams import public_stream
from gossamer.nn.images.settings import MLPDiscriminatorConfig
from gossamer.nn.labelled_settings import TeacherConfig
from gossamer.nn.teacher import Teacher
from gossamer.privacy.adjacency import Unit

SLOTS, CLASSES, CLIP = 40, 3, 0.7
ONE, TWO = torch.tensor([True]), torch.tensor([True, True])
CPU = torch.device("cpu")


def discriminator() -> DenseLosses:
    network = MLPDiscriminatorConfig(hidden_sizes=(7, 5)).build((1, 3, 3), CLASSES, public_stream(0, "weights"))

    def losses(parameters: Tensors, image: Tensor, label: Tensor) -> Tensor:
        return 0.3 * F.softplus(-functional_call(network, parameters, (image, label)))

    return DenseLosses(network=network, losses=losses)


def teacher() -> DenseLosses:
    network = Teacher(TeacherConfig(hidden_sizes=(6,)), dim=9, num_classes=CLASSES, rng=public_stream(0, "weights"))

    def losses(parameters: Tensors, image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(network, parameters, (image.flatten(start_dim=1), torch.zeros(len(image), CLASSES)))
        return 0.3 * F.cross_entropy(logits, label, reduction="none")

    return DenseLosses(network=network, losses=losses)


NETWORKS = {"discriminator": discriminator(), "teacher": teacher()}


def parameters(dense: DenseLosses) -> Tensors:
    return {name: tensor.detach() for name, tensor in dense.network.named_parameters()}


def records(m: int = 1) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    sizes = torch.linspace(0.1, 3, SLOTS)[:, None, None, None, None]
    return sizes * torch.randn(SLOTS, m, 1, 3, 3, generator=rng), torch.randint(0, CLASSES, (SLOTS, m), generator=rng)


def door(m: int = 1, chunk_size: int = 8, private: tuple[Tensor, Tensor] | None = None, **kept: Any) -> PoissonReleaser:
    """Return a door to people with m records each, kept one after the other, of the slots in ``kept``."""
    kind, slots = kept.get("kind", PoissonReleaser), kept.get("slots", torch.arange(SLOTS))
    plan = PoissonPlan(
        unit=Unit.PERSON, num_slots=SLOTS, sample_rate=0.5, num_steps=3, clip_norm=CLIP, noise_multiplier=0.9,
        records_per_unit=m,
    )  # fmt: skip
    units = units_of_persons(slots.repeat_interleave(m), SLOTS, records_per_unit=m, seed=0)
    flat = tuple(part[slots].flatten(end_dim=1) for part in private or records(m))
    return kind(plan, units, flat, DeterministicNoise(0), chunk_size=chunk_size, gate=StepGate(plan))


def exact(made: PoissonReleaser, dense: DenseLosses, slots: Tensor) -> Tensor:
    """Sum over units in multiples of the fine grid, as far as int64 holds them."""
    grid = made._factored(dense)
    total = FactoredSum(grid, CPU)
    for chunk, is_drawn in made._read(Drawn(slots=slots, step=0, head_start=0), CPU):
        total.add(dense.factors(parameters(dense), chunk), is_drawn)
    whole, rest = total.exact()
    return whole * round(grid.coarse.spacing / grid.fine_spacing) + rest


def plain_sum(dense: DenseLosses, m: int, radius: float) -> Tensor:
    gradients = unit_gradients(dense, parameters(dense), records(m))
    rows = torch.cat([part.flatten(start_dim=1) for part in gradients.values()], dim=1)
    norms = rows.norm(dim=1)
    assert 0.1 < float((norms > CLIP).float().mean()) < 0.95
    return clip_to_ball(rows, radius).sum(dim=0)


# ---- the textbook's sum ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_sum_is_that_of_clipped_gradients_to_one_part_in_a_million(name: str, m: int) -> None:
    dense, made = NETWORKS[name], door(m)
    grid = made._factored(dense)
    found = exact(made, dense, torch.arange(SLOTS)).double() * grid.fine_spacing
    ordered = torch.cat([part.flatten() for part in dense.gradients(found).values()])
    expected = plain_sum(dense, m, grid.inner_radius)
    assert float((ordered - expected).norm() / expected.norm()) < 1e-6
    assert grid.inner_radius == pytest.approx(grid.coarse.inner_radius, rel=1e-4)


def without_cross_terms(layer: LayerFactors, one: float) -> Tensor:
    """The break: squared norms of records are added as if a person's gradients stood at right angles."""
    return torch.diag_embed((layer.inputs / one).square().sum(dim=2) * layer.deltas.square().sum(dim=2))


def test_a_persons_norm_without_cross_terms_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    dense, made = NETWORKS["discriminator"], door(3)
    same = tuple(part[:, :1].expand_as(part) for part in records(3))
    bound = made._factored(dense).coarse.inner_radius

    def longest() -> float:
        alone = [exact(door(3, private=same), dense, torch.tensor([slot])).double() for slot in range(SLOTS)]
        return max(float(vector.norm()) for vector in alone) * made._factored(dense).fine_spacing

    assert 0.99 * bound < longest() <= bound
    monkeypatch.setattr(module, "_inner", without_cross_terms)
    assert longest() > 1.5 * bound


@pytest.mark.parametrize("m", [1, 3])
def test_what_is_released_is_the_sum_rounded_once_and_noise(m: int) -> None:
    dense, made = NETWORKS["discriminator"], door(m)
    grid = made._factored(dense)
    drawn = Drawn(slots=torch.arange(SLOTS), step=0, head_start=0)
    found = made._total(drawn, parameters(dense), dense, grid.coarse) * grid.coarse.spacing
    expected = exact(made, dense, torch.arange(SLOTS)).double() * grid.fine_spacing
    ordered = torch.cat([part.flatten() for part in dense.gradients(expected).values()])
    assert float((found - ordered).abs().max()) <= grid.coarse.spacing / 2
    released = made.release(0, parameters(dense), dense)
    assert {name: part.shape for name, part in released.items()} == {n: p.shape for n, p in parameters(dense).items()}


# ---- within the clip, whatever comes in ------------------------------------------------------------------------------


def lone(inputs: Tensor, deltas: Tensor, grid: FactoredGrid) -> Tensor:
    """Return what one unit adds, float64 in units of the radius."""
    whole = whole_factors([LayerFactors(inputs=inputs[None], deltas=deltas[None])], ONE, grid)
    product = whole[0].deltas[0].T @ whole[0].inputs[0]
    partial = whole[0].deltas[0].abs().T @ whole[0].inputs[0].abs()
    assert float(partial.max()) <= 2**53 / grid.units_at_once
    return product * grid.fine_spacing / grid.radius


@pytest.mark.parametrize("size", [1e-40, 1e-3, 1.0, 1e10, 1e38])
@pytest.mark.parametrize("m", [1, 4])
def test_a_unit_stays_within_the_clip_whatever_its_factors_are(m: int, size: float) -> None:
    grid = FactoredGrid(radius=1.1, layers=((9, 4),), records_per_unit=m, chunk_size=8)
    rng = torch.Generator().manual_seed(3)
    for scale in (1e-12, 1.0, size):
        inputs, deltas = size * torch.randn(m, 9, generator=rng), scale * torch.randn(m, 4, generator=rng)
        norm = float(lone(inputs, deltas, grid).norm())
        assert norm <= 1 - 2.0**-10
        if size * scale > 100:
            assert norm > 0.9


@pytest.mark.parametrize("rest", [0.0, 1e-9, 1e-3, 0.1])
def test_records_that_cancel_neither_leave_the_clip_nor_the_exact_numbers(rest: float) -> None:
    """Two gradients, each far longer than the clip, of a small sum."""
    grid = FactoredGrid(radius=1.1, layers=((9, 4),), records_per_unit=2, chunk_size=8)
    rng = torch.Generator().manual_seed(3)
    one, delta = torch.randn(9, generator=rng), 1e6 * torch.randn(4, generator=rng)
    added = lone(torch.stack([one, one * (1 + rest)]), torch.stack([delta, -delta]), grid)
    assert float(added.norm()) <= 1 - 2.0**-10


def test_a_norm_that_trusts_the_cancelling_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CANCELLED", 2.0**40)
    monkeypatch.setattr(FactoredGrid, "_bits", 44)
    with pytest.raises(AssertionError):
        test_records_that_cancel_neither_leave_the_clip_nor_the_exact_numbers(1e-9)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["inputs", "deltas"])
def test_a_unit_that_is_not_finite_adds_nothing_and_changes_no_other(place: str, value: float) -> None:
    grid = FactoredGrid(radius=1.1, layers=((9, 4),), records_per_unit=1, chunk_size=8)
    good = LayerFactors(inputs=torch.ones(2, 1, 9), deltas=torch.ones(2, 1, 4))
    bad = replace(good, **{place: getattr(good, place).clone().index_fill_(0, torch.tensor([1]), value)})
    found, expected = (whole_factors([layer], TWO, grid)[0] for layer in (bad, good))
    assert torch.equal(found.inputs[0], expected.inputs[0])
    assert torch.equal(found.deltas[0], expected.deltas[0])
    assert not found.inputs[1].any()
    assert not found.deltas[1].any()


def test_more_outputs_or_records_leave_more_room_for_the_rounding_of_a_norm() -> None:
    def room(out: int, m: int) -> float:
        return FactoredGrid(radius=1.0, layers=((9, out),), records_per_unit=m, chunk_size=1).rounded_norm

    assert room(4, 8) == room(2**15, 100) == 2.0**-36
    assert room(2**17, 1) > 2**17 * 2.0**-53
    assert room(4, 1000) > 1000**2 * 2.0**-53


def only_infinite(layer: LayerFactors) -> Tensor:
    """The break: wider numbers than float32 pass, and their squares overflow."""
    return (0 * layer.inputs).sum(dim=(1, 2)) + (0 * layer.deltas).sum(dim=(1, 2)) == 0


@pytest.mark.parametrize("value", [1e39, 1e200, 1e308])
@pytest.mark.parametrize("place", ["inputs", "deltas"])
def test_numbers_beyond_float32_add_nothing_and_a_sum_of_nan_is_caught(
    place: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = FactoredGrid(radius=1.1, layers=((9, 4),), records_per_unit=1, chunk_size=8)
    wide = LayerFactors(inputs=torch.ones(1, 1, 9).double(), deltas=torch.ones(1, 1, 4).double())
    wide = replace(wide, **{place: value * getattr(wide, place)})
    found = whole_factors([wide], ONE, grid)[0]
    assert not found.inputs.any()
    assert not found.deltas.any()
    monkeypatch.setattr(module, "_is_finite", only_infinite)
    broken = whole_factors([wide], ONE, grid)[0]
    assert bool(broken.deltas.isnan().any()) == ((place == "inputs" and value > 1e150) or value == 1e308)


def test_a_record_that_is_not_finite_adds_nothing_at_the_door() -> None:
    dense, (x, y) = NETWORKS["discriminator"], records()
    bad = x.clone()
    bad[5] = math.nan
    others = torch.arange(SLOTS)[torch.arange(SLOTS) != 5]
    assert torch.equal(
        exact(door(private=(bad, y)), dense, torch.arange(SLOTS)), exact(door(private=(x, y)), dense, others)
    )


@pytest.mark.parametrize("m", [1, 3])
def test_one_unit_moves_the_release_by_the_clip_at_most(m: int) -> None:
    dense, every = NETWORKS["discriminator"], torch.arange(SLOTS)
    loud = DenseLosses(network=dense.network, losses=lambda *asked: 50 * dense(*asked))

    def released(slots: Tensor) -> Tensor:
        parts = door(m, slots=slots).release(0, parameters(dense), loud)
        return torch.cat([part.flatten().double() for part in parts.values()]) * 0.5 * SLOTS

    drawn = DeterministicNoise(0).inclusions(0, SLOTS, 0.5).nonzero()[:4, 0]
    for slot in drawn:
        assert 0.9 * CLIP < float((released(every) - released(every[every != slot])).norm()) <= CLIP * (1 + 1e-4)


@pytest.mark.parametrize("num_roundings", [1, 2])
def test_rounding_two_sums_of_the_worst_kind_stays_within_what_two_roundings_allow(num_roundings: int) -> None:
    """Every coordinate of a sum just below a half, and of its neighbour just above: rounded apart by one multiple."""
    coarse = FactoredGrid(radius=1.0, layers=((64, 1),), records_per_unit=1, chunk_size=1).coarse
    grid = replace(coarse, num_roundings=num_roundings)
    others, own = torch.full((64,), 0.499), torch.full((64,), math.floor(grid.inner_radius / 8 / grid.spacing) + 0.002)
    sums = [grid.spacing * vector.double() for vector in (others + own, others)]
    moved = grid.spacing * float((grid.rounded(sums[0]) - grid.rounded(sums[1])).norm())
    assert (moved <= grid.spacing * float(own.norm()) + grid.slack) == (num_roundings == 2)


# ---- exact, in any order ---------------------------------------------------------------------------------------------


def fine_apart(kind: type[PoissonReleaser], chunk_size: int) -> int:
    """Compute how far one unit's coming moves the sum beyond what it adds itself, in multiples of the fine grid."""
    dense, every = NETWORKS["discriminator"], torch.arange(SLOTS)
    first, rest = every[:1], every[1:]
    made = door(chunk_size=chunk_size, kind=kind)
    alone = door(chunk_size=chunk_size, kind=kind, slots=rest)
    return int((exact(made, dense, every) - exact(alone, dense, every) - exact(made, dense, first)).abs().max())


class PlacesInTurn(PoissonReleaser):
    """The break: drawn units stand in chunks one after the other."""

    def _chunks(self, slots: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        for chunk in slots.split(self._chunk_size):
            filled = torch.cat([chunk, chunk[:1].expand(self._chunk_size - len(chunk))])
            yield filled, torch.arange(self._chunk_size) < len(chunk)


_FACTORS = DenseLosses.factors


def rounded_by_place(self: DenseLosses, parameters: Tensors, chunk: tuple[Tensor, ...]) -> list[LayerFactors]:
    """Deltas as kernels may round them that take the last rows of a product otherwise, only more so."""
    found = _FACTORS(self, parameters, chunk)
    by_place = 1 + 2.0**-10 * torch.arange(len(chunk[0]))[:, None, None]
    return [replace(layer, deltas=layer.deltas * by_place) for layer in found]


@pytest.mark.parametrize("chunk_size", [1, 3, 7, 32])
def test_a_unit_moves_no_bit_of_what_others_add_and_places_in_turn_are_caught(
    chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fine_apart(PoissonReleaser, chunk_size) == 0
    monkeypatch.setattr(DenseLosses, "factors", rounded_by_place)
    assert fine_apart(PoissonReleaser, chunk_size) == 0
    assert (fine_apart(PlacesInTurn, chunk_size) == 0) == (chunk_size == 1)


def sums_in_orders(size: int = 40) -> list[Tensor]:
    rng = torch.Generator().manual_seed(8)
    inputs, deltas = torch.randn(size, 1, 60, generator=rng), torch.randn(size, 1, 50, generator=rng)
    deltas *= torch.logspace(-4, 4, size)[:, None, None]
    found = []
    for chunk_size in (1, 5, 8, 40):
        grid = FactoredGrid(radius=1.0, layers=((60, 50),), records_per_unit=1, chunk_size=chunk_size)
        total = FactoredSum(grid, CPU)
        for rows in torch.randperm(size, generator=rng).split(chunk_size):
            counted = torch.ones(len(rows), dtype=torch.bool)
            total.add([LayerFactors(inputs=inputs[rows], deltas=deltas[rows])], counted)
        whole, rest = total.exact()
        found.append(whole * grid.fine_per_coarse + rest)
    return found


def unrounded(factors: Sequence[LayerFactors], is_counted: Tensor, grid: FactoredGrid) -> list[LayerFactors]:
    """The break: factors of more bits than float64 adds exactly."""
    found = whole_factors(factors, is_counted, grid)
    return [LayerFactors(inputs=part.inputs * 2**9 / 3, deltas=part.deltas * 2**9 / 3) for part in found]


def test_the_sum_is_the_same_in_any_order_and_any_chunking_bit_for_bit_and_float_sums_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FactoredGrid, "_bits", 40)
    first, *others = sums_in_orders()
    assert all(torch.equal(first, other) for other in others)
    monkeypatch.setattr(module, "whole_factors", unrounded)
    first, *others = sums_in_orders()
    assert not all(torch.equal(first, other) for other in others)


# ---- networks that are refused ---------------------------------------------------------------------------------------


def test_chunks_of_too_many_units_are_refused() -> None:
    with pytest.raises(InputError, match="smaller chunks"):
        FactoredGrid(radius=1.0, layers=((60, 50),), records_per_unit=8, chunk_size=2**24)


def test_a_sum_that_int64_cannot_hold_is_refused_before_it_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a small network is the longer part of its sum, and one product may have the rest of one unit."""
    grid = FactoredGrid(radius=1.0, layers=((2, 1),), records_per_unit=1, chunk_size=1)
    assert grid.fine_per_coarse > grid.coarse.largest
    most = 2**62 // grid.fine_per_coarse - 1
    grid.check_sum(most)
    grid.coarse.check_sum(4 * most)
    with pytest.raises(InputError, match="exact integers"):
        grid.check_sum(most + 1)
    # As at an end of the range: every unit leaves the longest rest, and the counter holds it.
    total, one = FactoredSum(grid, CPU), LayerFactors(inputs=torch.ones(1, 1, 2), deltas=torch.ones(1, 1, 1))
    total._rest += most * (grid.fine_per_coarse - 1)
    total.add([one], ONE)
    whole, rest = total.exact()
    assert bool((whole > 0).all() and (rest >= 0).all() and (rest < grid.fine_per_coarse).all())

    dense, made = NETWORKS["discriminator"], door()
    monkeypatch.setattr(module, "MOST_SUMMED", SLOTS * made._factored(dense).fine_per_coarse)
    with pytest.raises(InputError, match="exact integers"):
        made.release(0, parameters(dense), dense)
    monkeypatch.undo()
    made.release(0, parameters(dense), dense)


def test_a_network_with_other_parameters_than_those_of_dense_layers_is_refused() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    tied, shared = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2)
    tied[1].weight = tied[0].weight
    twice = nn.Sequential(shared, shared)
    for network in (nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4)), nn.Conv1d(1, 1, 3), normed, tied, twice):
        with pytest.raises(ValueError, match="does not belong to a dense layer"):
            DenseLosses(network=network, losses=lambda *_: torch.zeros(1))


def test_a_layer_that_is_asked_twice_or_never_is_refused() -> None:
    network = nn.Sequential(nn.Linear(9, 9), nn.Linear(9, 9))

    def asking(*layers: int) -> DenseLosses:
        def losses(parameters: Tensors, image: Tensor, label: Tensor) -> Tensor:
            one = image.flatten(start_dim=1)
            for layer in layers:
                own = {name[2:]: part for name, part in parameters.items() if name.startswith(f"{layer}.")}
                one = functional_call(network[layer], own, (one,))
            return one.sum(dim=1)

        return DenseLosses(network=network, losses=losses)

    assert len(asking(0, 1).factors(dict(network.named_parameters()), records())) == 2
    for wrong in (asking(0, 1, 1), asking(1)):
        with pytest.raises(ValueError, match="asked"):
            wrong.factors(dict(network.named_parameters()), records())


def test_a_loss_that_draws_random_numbers_is_refused() -> None:
    dense = NETWORKS["teacher"]
    drawing = DenseLosses(network=dense.network, losses=lambda p, x, y: dense(p, F.dropout(x, 0.5), y))
    with pytest.raises(RuntimeError, match="random"):
        door().release(0, parameters(dense), drawing)
