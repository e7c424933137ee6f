"""Canaries among gradients of dense layers: they pass the door as these do, and a break of it there is heard."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from gossamer.auditing.canaries import Canaries, CanaryPoisson, tags_of
from gossamer.auditing.mechanism import Effort, audit_gradients
from gossamer.auditing.planted import silent_function, silent_layer
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.poisson.dense import DenseLosses, Tensors
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.poisson.factors import FactoredGrid
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import Units, units_of_persons, units_of_records
from gossamer.mechanisms.streams import public_stream
from gossamer.nn.images.settings import MLPDiscriminatorConfig
from gossamer.privacy.adjacency import Unit

PLAN = PoissonPlan(
    unit=Unit.RECORD, num_slots=6, sample_rate=1.0, num_steps=1, clip_norm=0.7, noise_multiplier=1e-6
)  # fmt: skip
NETWORK = MLPDiscriminatorConfig(hidden_sizes=(3,)).build((1, 2, 2), 2, public_stream(0, "weights"))
BITS = torch.tensor([1, -1, 1, 1])


def losses(parameters: Tensors, image: Tensor, label: Tensor) -> Tensor:
    return F.softplus(-functional_call(NETWORK, parameters, (image, label)))


DENSE = DenseLosses(network=NETWORK, losses=losses)


def released(asked: object, units: Units, plan: PoissonPlan) -> Tensor:
    """Return the sum of a step over the clip norm, of canaries and of honest records, all drawn."""
    m = plan.records_per_unit
    rng = torch.Generator().manual_seed(0)
    records = (torch.rand(6 * m, 1, 2, 2, generator=rng), torch.arange(6 * m) % 2)
    door = PoissonReleaser(plan, units, records, DeterministicNoise(0), gate=StepGate(plan))
    canaries = Canaries(bits=BITS)
    door = door.also_reading(tags_of(canaries, 6).repeat_interleave(m))
    parameters = {name: part.detach() for name, part in NETWORK.named_parameters()}
    found = CanaryPoisson(door, plan, canaries).release(0, parameters, asked)  # type: ignore[arg-type]
    return torch.cat([part.flatten() for part in found.values()]) * plan.expected_batch_size / plan.clip_norm


@pytest.mark.parametrize("m", [1, 3])
def test_canaries_are_the_same_among_dense_layers_as_among_held_gradients(
    m: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit.RECORD if m == 1 else Unit.PERSON
    plan = replace(PLAN, unit=unit, records_per_unit=m)
    units = units_of_records(6)
    if m > 1:
        units = units_of_persons(torch.arange(6).repeat_interleave(m), 6, records_per_unit=m, seed=0)
    held = released(losses, units, plan)
    # Gradients of dense layers are never held, those of audits neither.
    monkeypatch.setattr(PoissonReleaser, "_sum", None)
    dense = released(DENSE, units, plan)
    assert torch.allclose(dense, held, atol=0.01)


def test_there_are_canaries_in_every_layer() -> None:
    """More canaries than the first layer has weights: each moves its own coordinate, whatever layer it is of."""
    num = sum(part.numel() for part in NETWORK.parameters())
    plan = replace(PLAN, num_slots=num)
    canaries = Canaries(bits=torch.ones(num, dtype=torch.int64))
    door = PoissonReleaser(
        plan, units_of_records(num), (torch.zeros(num, 1, 2, 2), torch.zeros(num, dtype=torch.int64)),
        DeterministicNoise(0), gate=StepGate(plan),
    ).also_reading(tags_of(canaries, num))  # fmt: skip
    parameters = {name: part.detach() for name, part in NETWORK.named_parameters()}
    found = CanaryPoisson(door, plan, canaries).release(0, parameters, DENSE)
    sums = torch.cat([part.flatten() for part in found.values()]) * plan.expected_batch_size / plan.clip_norm
    assert torch.allclose(sums, torch.ones(num), atol=0.01)


def test_a_clip_that_is_too_wide_for_dense_layers_alone_is_caught_by_their_own_audit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = replace(PLAN, num_slots=400, sample_rate=0.05, noise_multiplier=2.0)
    effort = Effort(num_games=2000, num_bits=64, confidence=0.99)

    seeds = itertools.count()

    def make(plan: PoissonPlan, units: Units, records: tuple[Tensor, ...]) -> PoissonReleaser:
        return PoissonReleaser(
            plan, units, records, DeterministicNoise(next(seeds)), chunk_size=64, gate=StepGate(plan)
        )

    honest = audit_gradients(plan, 1e-5, effort, make, silent_layer)
    assert honest.lower_bound_mu is not None
    assert 0.1 < honest.lower_bound_mu <= 0.5
    monkeypatch.setattr(FactoredGrid, "inner_radius", property(lambda grid: 3 * grid.coarse.inner_radius))
    assert audit_gradients(plan, 1e-5, effort, make, silent_function).is_within_claim
    assert not audit_gradients(plan, 1e-5, effort, make, silent_layer).is_within_claim
