"""Hostile networks: whatever weights a coordinator sends, a site answers or refuses alike for neighbouring records."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import DP_GAN, FEW_SLOTS, GAN, NEIGHBOURS, TRAINED, gradient_lengths, outcome, plan_for
from torch import Tensor

from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Round
from gossamer.errors import InputError
from gossamer.methods.averaged import TrainedNetwork
from gossamer.methods.dp_cgan.training import PublicNetworks
from gossamer.methods.gs_wgan.training import GSWGANTraining
from gossamer.nn.descent import AdamDescent
from gossamer.nn.settings import Adam
from gossamer.runs.tensor_file import read_tensor_file, tensor_file

Weights = Callable[[tuple[int, ...], torch.Generator], Tensor]
FILLED: dict[str, Weights] = {
    "zeros": lambda shape, rng: torch.zeros(shape),
    "below zero": lambda shape, rng: torch.full(shape, -7.0),
    "random": lambda shape, rng: torch.randn(shape, generator=rng),
    "huge": lambda shape, rng: 3e38 * torch.randn(shape, generator=rng).sign(),
    "tiny": lambda shape, rng: torch.full(shape, 1e-40),
}
REFUSED: dict[str, Weights] = {
    "not a number": lambda shape, rng: torch.full(shape, float("nan")),
    "without an end": lambda shape, rng: torch.full(shape, float("inf")),
}


@functools.cache
def plan_of(config: Any) -> FederatedPlan:
    return plan_for(config, FEW_SLOTS, steps_per_round=2)


def state(plan: FederatedPlan, fill: Weights, number: int = 1) -> bytes:
    now, rng = Round(plan=plan), torch.Generator().manual_seed(1)
    for _ in range(number):
        tensors = {name: fill(shape, rng) for name, shape in now.sending.sent(0).items()}
        now = now.following(tensors, ("paris",), is_secure=True)
    return now.to_bytes()


def outcomes(folder: Path, content: bytes, names: tuple[str, ...]) -> set[tuple[Any, ...]]:
    return {outcome(folder / name, content, NEIGHBOURS[name]) for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("fill", FILLED.values(), ids=FILLED)
@pytest.mark.parametrize("config", [GAN, TRAINED, DP_GAN], ids=["distances", "trained", "dp-cgan"])
def test_all_neighbours_have_the_same_outcome(tmp_path: Path, fill: Weights, config: Any) -> None:
    (found,) = outcomes(tmp_path, state(plan_of(config), fill), tuple(NEIGHBOURS))
    assert found[0] == "answer"


@pytest.mark.parametrize("config", [GAN, DP_GAN], ids=["distances", "dp-cgan"])
def test_neighbours_have_the_same_outcome_for_huge_weights(tmp_path: Path, config: Any) -> None:
    """Samples of the generator are no numbers then. Answers about them are zero, and are released with noise."""
    (found,) = outcomes(tmp_path, state(plan_of(config), FILLED["huge"]), ("as it is", "one class emptied"))
    assert found[0] == "answer"


@pytest.mark.parametrize("config", [GAN, DP_GAN], ids=["distances", "dp-cgan"])
@pytest.mark.parametrize("fill", REFUSED.values(), ids=REFUSED)
def test_weights_that_are_no_numbers_are_refused_before_records_are_read(
    tmp_path: Path, fill: Weights, config: Any
) -> None:
    ((kind, message, was_read),) = outcomes(tmp_path, state(plan_of(config), fill), ("as it is", "all black"))
    assert (kind, was_read) == (InputError, False)
    assert "not finite" in message


def broken_rounds(plan: FederatedPlan) -> dict[str, bytes]:
    good = state(plan, FILLED["random"])
    tensors, words = read_tensor_file(good, "good", "gossamer-round-1")
    name = next(one for one in tensors if one.startswith("network."))
    fewer = {key: value for key, value in tensors.items() if key != name}
    many = {f"sites {number + 1}": tensors["sites 1"].clone() for number in range(plan.num_rounds + 1)}
    return {
        "another shape": tensor_file(tensors | {name: tensors[name][None]}, words),
        "other numbers": tensor_file(tensors | {name: tensors[name].double()}, words),
        "one fewer": tensor_file(fewer, words),
        "one more": tensor_file(tensors | {"more": torch.zeros(1)}, words),
        "another name": tensor_file(fewer | {"network.other": tensors[name]}, words),
        "sums": tensor_file({"sum 1": torch.zeros(5), "sites 1": tensors["sites 1"]}, words),
        "nobody": tensor_file(tensors | {"sites 1": torch.zeros_like(tensors["sites 1"])}, words),
        "too many rounds": tensor_file(tensors | many, words),
        "cut": good[:-4],
    }


@pytest.mark.parametrize("config", [GAN, DP_GAN], ids=["distances", "dp-cgan"])
def test_files_that_are_no_rounds_are_refused_before_records_are_read(tmp_path: Path, config: Any) -> None:
    for name, content in broken_rounds(plan_of(config)).items():
        kind, message, was_read = outcome(tmp_path / "site", content, NEIGHBOURS["as it is"])
        assert (kind, was_read) == (InputError, False), name
        assert message.startswith("round"), name
    assert not list(tmp_path.rglob("ledger.jsonl"))


def released_lengths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Norms of the releases of a round of huge weights, without noise."""
    norms: list[float] = []
    released = GSWGANTraining._released

    def told(self: GSWGANTraining, question: Any) -> Tensor:
        found = released(self, question)
        norms.append(float(found.norm()))
        return found

    monkeypatch.setattr(GSWGANTraining, "_released", told)
    content = state(plan_of(GAN), lambda shape, rng: 1e4 * torch.randn(shape, generator=rng))
    assert outcome(folder, content, NEIGHBOURS["as it is"])[0] == "answer"
    return norms


def test_answers_are_clipped_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No critic adds more than its clip to a sum, which is divided by four."""
    norms = released_lengths(tmp_path / "site", monkeypatch)
    assert len(norms) == 3  # the first on made-up records, with noise
    assert max(norms[1:]) <= 8 * math.sqrt(8) * GAN.clip_norm / 4 * (1 + 1e-6)


def test_gradients_are_clipped_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record adds more than the clip to a sum, which is divided by six."""
    content = state(plan_of(DP_GAN), lambda shape, rng: 1e4 * torch.randn(shape, generator=rng))
    norms = gradient_lengths(tmp_path / "site", monkeypatch, content)
    made_up = DP_GAN.discriminator_steps  # the first ones, which have noise
    assert len(norms) == made_up + 2
    assert 0 < max(norms[made_up:]) <= 12 * DP_GAN.clip_norm / 6 * (1 + 1e-6)


def test_what_a_drawn_record_would_raise_is_found_before_records_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an error would tell that somebody was drawn."""

    def raising(*asked: Any) -> Tensor:
        raise RuntimeError

    monkeypatch.setattr(PublicNetworks, "losses_of_records", raising)
    kind, _, was_read = outcome(tmp_path / "site", state(plan_of(DP_GAN), FILLED["random"]), NEIGHBOURS["as it is"])
    assert (kind, was_read) == (InputError, False)


def test_an_update_of_the_generator_that_cannot_be_made_is_found_before_records_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after several steps, which would be charged."""

    def raising(*asked: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(PublicNetworks, "improve_generator", raising)
    plan = plan_of(dataclasses.replace(DP_GAN, discriminator_steps=2))
    kind, _, was_read = outcome(tmp_path / "site", state(plan, FILLED["random"]), NEIGHBOURS["as it is"])
    assert (kind, was_read) == (InputError, False)


def test_squares_below_zero_count_as_zero() -> None:
    network = torch.nn.Linear(2, 1)
    trained = TrainedNetwork(AdamDescent(Adam(), network))
    trained.take_up({name: torch.full_like(one, -3.0) for name, one in trained.travelling().items()}, num_updates=1)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trained.optimiser.step(1e-3)
    assert all(one.isfinite().all() for one in trained.travelling().values())
