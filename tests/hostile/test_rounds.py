"""Hostile rounds: whatever a coordinator sends, a site answers or refuses alike for neighbouring records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import FEW, FEW_SLOTS, MERF, NEIGHBOURS, ONE, SEVERAL, ZeroNoise, outcome, plan_for, with_sum
from torch import Tensor

from gossamer.data.records import RecordData
from gossamer.driving.federated import contributing
from gossamer.driving.federated.contributing import contribute
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.federated.sending import SendingSums
from gossamer.errors import InputError
from gossamer.methods.dp_mixture.fit import Mixture
from gossamer.runs.tensor_file import read_tensor_file, tensor_file

Sums = Callable[[int, torch.Generator], Tensor]
FILLED: dict[str, Sums] = {
    "zeros": lambda size, rng: torch.zeros(size),
    "ones": lambda size, rng: torch.ones(size),
    "below zero": lambda size, rng: torch.full((size,), -7.0),
    "random": lambda size, rng: torch.randn(size, generator=rng),
    "huge": lambda size, rng: 3e38 * torch.randn(size, generator=rng).sign(),
    "tiny": lambda size, rng: torch.full((size,), 1e-40),
    "one huge": lambda size, rng: torch.eye(1, size)[0] * 3e38,
    "not a number": lambda size, rng: torch.full((size,), float("nan")),
    "without an end": lambda size, rng: torch.full((size,), float("inf")),
}


def state(plan: FederatedPlan, fill: Sums, num_rounds: int) -> bytes:
    now, rng = Round(plan=plan), torch.Generator().manual_seed(1)
    for release in plan.whole.releases[:num_rounds]:
        now = with_sum(now, fill(release.contribution.size, rng))
    return now.to_bytes()


@pytest.mark.parametrize("fill", FILLED.values(), ids=FILLED)
@pytest.mark.parametrize(("config", "num_rounds"), [(ONE, 1), (SEVERAL, 4)], ids=["early", "late"])
def test_neighbours_have_the_same_outcome(tmp_path: Path, fill: Sums, config: Any, num_rounds: int) -> None:
    content = state(plan_for(config, FEW_SLOTS), fill, num_rounds)
    found = {name: outcome(tmp_path / name, content, held) for name, held in NEIGHBOURS.items()}
    assert len(set(found.values())) == 1
    kind, _, last = found["as it is"]
    # An answer is finite, and a refusal came before a record was read.
    assert last is (kind == "answer")


def broken_rounds(plan: FederatedPlan) -> dict[str, bytes]:
    good = state(plan, FILLED["random"], 1)
    tensors, words = read_tensor_file(good, "good", "gossamer-round-1")
    one, mark = tensors["sum 1"], tensors["sites 1"]

    def file(**changes: Any) -> bytes:
        return tensor_file(tensors | {name.replace("_", " "): value for name, value in changes.items()}, words)

    return {
        "longer": file(sum_1=torch.zeros(len(one) + 1)),
        "a matrix": file(sum_1=one.clone()[None]),
        "other numbers": file(sum_1=one.double()),
        "one more": file(more=one.clone()),
        "two more": file(sum_7=one.clone(), sites_7=mark.clone()),
        "nobody": file(sites_1=torch.zeros_like(mark)),
        "a mark of 2": file(sites_1=torch.full_like(mark, 2)),
        "no plan": tensor_file(tensors, words | {"plan": ""}),
        "a plan that is none": tensor_file(tensors, words | {"plan": "[1e999]"}),
        "half a character": tensor_file(tensors, words | {"plan": "\ud800"}),
        "deep": tensor_file(tensors, words | {"plan": "[" * 100_000}),
        "another format": tensor_file(tensors, words | {"format": "gossamer-contribution-1"}),
        "nothing": b"",
        "text": b"no file at all, but words",
        "cut": good[:-4],
        "a long header": (2**40).to_bytes(8, "little") + b"{}",
    }


def test_files_that_are_no_rounds_are_refused_before_records_are_read(tmp_path: Path) -> None:
    for name, content in broken_rounds(plan_for(ONE, FEW_SLOTS)).items():
        kind, message, was_read = outcome(tmp_path / "site", content, FEW)
        assert (kind, was_read) == (InputError, False), name
        assert message.startswith("round"), name
    assert not list(tmp_path.rglob("ledger.jsonl"))


def test_a_trial_that_is_left_out_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: records are read before the round is tried, and a refusal may then follow from them."""
    monkeypatch.setattr(contributing, "_rehearse", lambda now, terms: None)
    monkeypatch.setattr(Mixture, "nearest", _raises_for_a_class)
    content = state(plan_for(SEVERAL, FEW_SLOTS), FILLED["random"], 3)
    monkeypatch.setattr(SendingSums, "_next_sum", _told(SendingSums._next_sum))
    found = {outcome(tmp_path / name, content, held)[0] for name, held in NEIGHBOURS.items()}
    assert len(found) == 2


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    def told(self: SendingSums, training: Any) -> Any:
        try:
            return function(self, training)
        except IndexError as error:
            raise InputError(str(error)) from None

    return told


def _raises_for_a_class(self: Mixture, places: Tensor, groups: Tensor) -> Tensor:
    """The old behaviour for a class without a used component, here the second one."""
    if bool((groups == 1).any()):
        raise IndexError("argmin of nothing")
    return torch.zeros_like(groups)


def test_a_class_without_a_used_component_raises_nothing() -> None:
    zeros = torch.zeros
    shares = torch.tensor([[0.5, 0.5], [0.0, 0.0]])
    known = Mixture(
        counts=zeros(2),
        offset=zeros(3),
        apart=zeros(2, 3),
        means=zeros(2, 3),
        directions=zeros(2, 3),
        within=zeros(2, 2),
        beyond=zeros(3, 3),
        centres=torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]]]),
        shares=shares,
        covariances=zeros(2, 2, 2, 2),
    )
    places = torch.tensor([[0.9, 0.9], [0.9, 0.9], [float("nan"), 1e30]])
    assert known.nearest(places, torch.tensor([0, 1, 1])).tolist() == [1, 2, 2]
    assert known.nearest(places[:1], torch.tensor([0])).tolist() == [1]


def test_rows_are_clipped_last(tmp_path: Path) -> None:
    """A sum of a huge state leads to rows of any length, and each adds no more than the plan is priced for."""
    plan = plan_for(ONE, FEW_SLOTS)
    content = state(plan, lambda size, rng: 1e30 * torch.randn(size, generator=rng), 1)
    answer = contribute(
        tmp_path, content, "berlin", lambda key: RecordData(train=FEW), cap=100.0, noise=ZeroNoise, where="round"
    )
    bound = plan.sums_of(plan.site("berlin")).releases[1].contribution.norm_bound
    assert float(Contribution.read(answer.content, "answer").tensors["sum"].norm()) <= 12 * bound * (1 + 1e-6)


def test_a_hostile_plan_is_refused(tmp_path: Path) -> None:
    plan = plan_for(MERF, FEW_SLOTS)
    text = plan.to_bytes().decode()
    changes = {
        '"num_features": 20': '"num_features": 21',
        '"num_slots": 12': '"num_slots": -1',
        '"berlin"': '"../berlin"',
        f'"study": "{plan.study}"': '"study": "../../x"',
        '"noise_multiplier": null': '"noise_multiplier": 1.0',
        '"type": "DPMERFConfig"': '"type": "GSWGANConfig"',
        '"unit": "record"': '"unit": "nobody"',
    }
    for old, new in changes.items():
        assert old in text
        kind, _, was_read = outcome(tmp_path / "site", text.replace(old, new, 1).encode(), FEW)
        assert (kind, was_read) == (InputError, False), new
