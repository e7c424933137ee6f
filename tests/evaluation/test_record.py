"""The record of an evaluation: it comes back as it was, and what is damaged is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gossamer.errors import InputError
from gossamer.evaluation.record import FORMAT, Claim, Evaluation, score_from_json, score_to_json
from gossamer.evaluation.score import Score

SCORE = Score(
    name="recall", value=0.5, low=0.4, high=0.6, higher_is_better=True, num_synthetic=300, num_real=360,
    seeds=(0, 1), source="made up",
)  # fmt: skip


def record(claim: Claim | None) -> Evaluation:
    return Evaluation(
        target="run",
        claim=claim,
        data="digits",
        suite="quick",
        num_samples=300,
        seeds=(0, 1),
        scores={"recall": SCORE},
        skipped={"avg12": "left out by --quick"},
        notes=("a note",),
    )


@pytest.mark.parametrize("claim", [None, Claim(mechanism="GS-WGAN", epsilon=9.9, delta=1e-5, step=500)])
def test_a_record_comes_back_from_json_as_it_was(claim: Claim | None) -> None:
    tree = json.loads(json.dumps(record(claim).to_json(), allow_nan=False))
    assert Evaluation.from_json(tree) == record(claim)
    assert tree["format"] == FORMAT
    assert tree["covered_by_guarantee"] is False
    assert "guarantee does not cover" in tree["warning"]
    assert "name" not in tree["scores"]["recall"]
    assert {"value", "low", "high", "higher_is_better"} < set(tree["scores"]["recall"])


def test_a_score_comes_back_under_its_name() -> None:
    assert score_from_json("recall", json.loads(json.dumps(score_to_json(SCORE)))) == SCORE


def without(key: str) -> Callable[[Any], Any]:
    return lambda tree: {name: value for name, value in tree.items() if name != key}


def with_score(**changes: Any) -> Callable[[Any], Any]:
    return lambda tree: tree | {"scores": {"recall": tree["scores"]["recall"] | changes}}


@pytest.mark.parametrize(
    "damage",
    [
        lambda tree: [],
        lambda tree: None,
        lambda tree: tree | {"format": "gossamer-evaluation-0"},
        *map(without, ("format", "scores", "seeds", "claim", "skipped", "target")),
        lambda tree: tree | {"scores": []},
        lambda tree: tree | {"seeds": 3},
        lambda tree: tree | {"claim": {"epsilon": 1.0}},
        with_score(value="0.5"),
        with_score(value=float("nan")),
        with_score(low=0.7),
        with_score(seeds=[]),
        with_score(surprise=1),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(damage: Callable[[Any], Any]) -> None:
    with pytest.raises(InputError, match="evaluate again") as caught:
        Evaluation.from_json(damage(record(None).to_json()))
    assert "\n" not in str(caught.value)
