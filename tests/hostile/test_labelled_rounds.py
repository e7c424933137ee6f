"""Hostile rounds of a labelled mixture: sums and teachers of any numbers, and neighbours with the same outcome."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import FEW_SLOTS, LABELLED, NEIGHBOURS, gradient_lengths, outcome, plan_for
from prices import priced_once
from torch import Tensor

from gossamer.driving.federated import contributing
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Round
from gossamer.errors import InputError
from gossamer.methods.labelled_mixture.training import LabelledMixtureTraining
from gossamer.runs.tensor_file import read_tensor_file, tensor_file

Numbers = Callable[[tuple[int, ...], torch.Generator], Tensor]
FILLED: dict[str, Numbers] = {
    "zeros": lambda shape, rng: torch.zeros(shape),
    "below zero": lambda shape, rng: torch.full(shape, -7.0),
    "random": lambda shape, rng: torch.randn(shape, generator=rng),
    "large": lambda shape, rng: 1e18 * torch.randn(shape, generator=rng),
    "huge": lambda shape, rng: 3e38 * torch.randn(shape, generator=rng).sign(),
    "tiny": lambda shape, rng: torch.full(shape, 1e-40),
    "one huge": lambda shape, rng: torch.eye(1, math.prod(shape)).view(shape) * 3e38,
}
REFUSED: dict[str, Numbers] = {
    "not a number": lambda shape, rng: torch.full(shape, float("nan")),
    "without an end": lambda shape, rng: torch.full(shape, float("inf")),
}
NUM_SUMS = 3


@pytest.fixture(autouse=True, scope="module")
def _priced_once() -> Iterator[None]:
    with priced_once():
        yield


@functools.cache
def plan() -> FederatedPlan:
    return plan_for(LABELLED, FEW_SLOTS, steps_per_round=2)


def state(sums: Numbers, teacher: Numbers, number: int) -> bytes:
    """The file of a round, with all sums made up and, from the second round of the teacher on, the teacher too."""
    now, rng = Round(plan=plan()), torch.Generator().manual_seed(1)
    for one in range(number):
        fill = sums if one < NUM_SUMS else teacher
        sent = {name: fill(shape, rng) for name, shape in now.sending.sent(one).items()}
        given = {f"sum {one + 1}": sent["sum"]} if one < NUM_SUMS else sent
        now = now.following({**now.tensors, **given}, ("paris",), is_secure=True)
    return now.to_bytes()


def outcomes(folder: Path, content: bytes) -> set[tuple[Any, ...]]:
    return {outcome(folder / name, content, held) for name, held in NEIGHBOURS.items()}


@pytest.mark.parametrize("fill", FILLED.values(), ids=FILLED)
@pytest.mark.parametrize("number", [2, NUM_SUMS], ids=["the last sum", "the teacher"])
def test_neighbours_have_the_same_outcome_for_any_sums(tmp_path: Path, fill: Numbers, number: int) -> None:
    """An answer is finite, and a refusal came before a record was read."""
    (found,) = outcomes(tmp_path, state(fill, fill, number))
    assert found[2] is (found[0] == "answer")


@pytest.mark.parametrize("fill", FILLED.values(), ids=FILLED)
@pytest.mark.parametrize("sums", ["zeros", "random"])
def test_neighbours_have_the_same_outcome_for_any_teacher(tmp_path: Path, fill: Numbers, sums: str) -> None:
    """Gradients that are no numbers count as zero, and are released with noise."""
    (found,) = outcomes(tmp_path, state(FILLED[sums], fill, NUM_SUMS + 1))
    assert found[0] == "answer"


@pytest.mark.parametrize("fill", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("number", [1, NUM_SUMS, NUM_SUMS + 1], ids=["sum", "all sums", "teacher"])
def test_tensors_that_are_no_numbers_are_refused_before_records_are_read(
    tmp_path: Path, fill: Numbers, number: int
) -> None:
    sums = FILLED["random"] if number > NUM_SUMS else fill
    ((kind, message, was_read),) = outcomes(tmp_path, state(sums, fill, number))
    assert (kind, was_read) == (InputError, False)
    assert "not finite" in message


def broken_rounds() -> dict[str, bytes]:
    good = state(FILLED["random"], FILLED["random"], NUM_SUMS + 1)
    tensors, words = read_tensor_file(good, "good", "gossamer-round-1")
    first, weight, mark = "sum 1", "network.layers.0.weight", "sites 1"
    of_teacher = {name for name in tensors if not name.startswith(("sum ", "sites "))}

    def without(*names: str) -> dict[str, Tensor]:
        return {name: one for name, one in tensors.items() if name not in names}

    files = {
        "a sum of another shape": tensors | {first: tensors[first][None]},
        "a sum of other numbers": tensors | {first: tensors[first].double()},
        "weights of another shape": tensors | {weight: tensors[weight][None]},
        "weights of other numbers": tensors | {weight: tensors[weight].double()},
        "no sum": without(first),
        "no weights": without(weight),
        "no average": without(*(name for name in of_teacher if name.startswith("average."))),
        "no teacher": without(*of_teacher),
        "a teacher too early": without("sites 4"),
        "a teacher in place of a sum": without("sum 3", "sites 4"),
        "a sum too many": tensors | {"sum 4": tensors[first].clone()},
        "one more": tensors | {"more": torch.zeros(1)},
        "nobody": tensors | {mark: torch.zeros_like(tensors[mark])},
        "too many rounds": tensors | {f"sites {number + 1}": tensors[mark].clone() for number in range(9)},
    }
    return {name: tensor_file(found, words) for name, found in files.items()} | {"cut": good[:-4]}


def test_files_that_are_no_rounds_are_refused_before_records_are_read(tmp_path: Path) -> None:
    for name, content in broken_rounds().items():
        kind, message, was_read = outcome(tmp_path / "site", content, NEIGHBOURS["as it is"])
        assert (kind, was_read) == (InputError, False), name
        assert message.startswith("round"), name
    assert not list(tmp_path.rglob("ledger.jsonl"))


def test_a_hostile_plan_is_refused(tmp_path: Path) -> None:
    text = plan().to_bytes().decode()
    changes = {
        '"teacher_share": 0.5': '"teacher_share": 1.0',
        '"sample_rate": 0.2': '"sample_rate": 1.5',
        '"teacher_steps": 7': '"teacher_steps": 0',
        '"clip_norm": 1.0': '"clip_norm": Infinity',
        '"steps_per_round": 2': '"steps_per_round": null',
        '"num_components": 1': '"num_components": 4000000000',
    }
    for old, new in changes.items():
        assert old in text
        kind, _, was_read = outcome(tmp_path / "site", text.replace(old, new, 1).encode(), NEIGHBOURS["as it is"])
        assert (kind, was_read) == (InputError, False), new
    assert not list(tmp_path.rglob("ledger.jsonl"))


def test_gradients_are_clipped_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record adds more than the clip to a sum, which is divided by the expected size of a sample."""
    content = state(FILLED["random"], lambda shape, rng: 1e4 * torch.randn(shape, generator=rng), NUM_SUMS + 1)
    norms = gradient_lengths(tmp_path / "site", monkeypatch, content)
    assert len(norms) == 3  # the first on made-up records, with noise
    assert 0 < max(norms[1:]) <= 12 * LABELLED.clip_norm / (12 * LABELLED.sample_rate) * (1 + 1e-6)


def _raising(*asked: Any) -> Any:
    raise RuntimeError


@pytest.mark.parametrize("name", ["losses_of_records", "_inputs"])
def test_what_a_record_would_raise_is_found_before_records_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Such an error would tell that somebody was drawn, or has such a record."""
    monkeypatch.setattr(LabelledMixtureTraining, name, _raising)
    content = state(FILLED["random"], FILLED["random"], NUM_SUMS + 1)
    kind, _, was_read = outcome(tmp_path / "site", content, NEIGHBOURS["as it is"])
    assert (kind, was_read) == (InputError, False)


def test_a_trial_that_is_left_out_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: inputs that some records alone cannot have are found out by an answer."""
    inputs = LabelledMixtureTraining._inputs

    def wanting_both_classes(self: LabelledMixtureTraining) -> tuple[Tensor, ...]:
        found = inputs(self)
        if not bool(found[2].any(dim=0).all()):
            raise InputError("a class has no record")
        return found

    monkeypatch.setattr(LabelledMixtureTraining, "_inputs", wanting_both_classes)
    content = state(FILLED["random"], FILLED["random"], NUM_SUMS + 1)
    # One made-up record has one class, so the trial refuses for all alike.
    assert len(outcomes(tmp_path / "with", content)) == 1
    monkeypatch.setattr(contributing, "_rehearse", lambda now, terms: None)
    assert len(outcomes(tmp_path / "without", content)) == 2
