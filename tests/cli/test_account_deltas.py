"""`gossamer account` at tiny deltas: a price or one line, in JSON without infinities, and soon."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gossamer.cli import account

WORDS = {
    "gs-wgan": ("--num-critics", 100, "--batch-size", 8, "--num-steps", 200),
    "dp-cgan": ("--num-slots", 60_000, "--num-steps", 200),
    "labelled-mixture": ("--num-slots", 60_000, "--num-steps", 50),
    "dp-merf": (),
    "dp-mixture": (),
}


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("method", WORDS)
@pytest.mark.parametrize("delta", ["1e-16", "1e-25"])
def test_every_method_has_a_price_at_a_tiny_delta(gossamer: Any, method: str, delta: str) -> None:
    start = time.process_time()
    said = gossamer("account", method, "--delta", delta, "--noise-multiplier", 3.0, *WORDS[method], "--json")
    assert said.code == 0, said.err
    found = strict(said.out)["epsilon"]
    assert 0 < found["pld"] <= found["rdp"]
    assert time.process_time() - start < 2


def test_a_budget_at_a_tiny_delta_has_its_noise(gossamer: Any) -> None:
    said = gossamer("account", "dp-cgan", "--delta", "1e-16", "--epsilon", 1, *WORDS["dp-cgan"], "--json")
    assert said.code == 0, said.err
    noise = strict(said.out)["noise_multiplier"]
    assert 1 < noise["pld"] < noise["rdp"]


def test_what_neither_accountant_proves_is_one_line_and_no_infinity(gossamer: Any, monkeypatch) -> None:
    words = ("account", "dp-cgan", "--delta", "1e-16", "--noise-multiplier", 3.0, *WORDS["dp-cgan"], "--json")
    monkeypatch.setattr("gossamer.privacy.accounting.composed_epsilon", lambda *_: float("inf"))
    monkeypatch.setattr("gossamer.privacy.accounting.epsilon_by_orders", lambda *_: float("inf"))
    said = gossamer(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.strip().splitlines()[-1].startswith("gossamer: no finite epsilon is proved at delta 1e-16")


def test_a_figure_without_an_end_is_null_in_json() -> None:
    assert account._without_infinities({"a": {"b": float("inf")}, "c": 1.5}) == {"a": {"b": None}, "c": 1.5}
