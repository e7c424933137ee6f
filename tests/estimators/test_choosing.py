"""`gossamer.fit`: the class and the recipe that `gossamer train auto` takes, fitted."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gossamer
from gossamer import DPMERF, DPMixture, InputError, PrivacyError, as_series
from gossamer.data.catalogue import load_records
from gossamer.estimators import choosing, records
from gossamer.estimators.choosing import ESTIMATORS, estimator_of
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.choosing import Choice
from gossamer.methods.method import Method


def chosen_as(method: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let another method be chosen, and remember the facts."""
    facts: list[Any] = []

    def choose(asked: Any) -> Choice:
        facts.append(asked)
        return Choice(method=find_method(method), recipe=None, rows=(), reasons=("because",))

    monkeypatch.setattr(choosing, "chosen", choose)
    return facts


def test_a_named_set_gets_its_method_and_its_recipe(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="gossamer"):
        model = gossamer.fit("beats", epsilon=10.0)
    assert isinstance(model, DPMixture)
    assert model.get_params()["recipe"] == "beats"
    assert model.statement.epsilon <= 10
    assert model.sample(3)[0].shape == (3, 1, 96)
    assert "fit: dp-mixture, recipe beats: the best of" in caplog.text


def test_arrays_and_records_are_fitted_by_public_facts(
    images: np.ndarray, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = chosen_as("dp-mixture", monkeypatch)
    model = gossamer.fit(images, labels, epsilon=5.0, num_classes=3, num_records=200)
    assert isinstance(model, DPMixture)
    assert (facts[0].slots.number, facts[0].spec.shape, facts[0].data, facts[0].epsilon) == (200, (1, 8, 8), "", 5.0)
    series = as_series(images.reshape(len(images), -1)[:, :20])
    assert gossamer.fit(series, epsilon=5.0).sample(2)[0].shape == (2, 1, 20)


def test_people_are_counted_as_slots_and_protected(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = chosen_as("dp-mixture", monkeypatch)
    people = np.arange(len(images)) // 3
    model = gossamer.fit(images, people=people, epsilon=5.0, unit="person")
    assert facts[0].slots.number == model.statement.num_slots == 30


def test_a_run_is_written_and_taken_up(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen_as("dp-mixture", monkeypatch)
    run = tmp_path / "run"
    one, other = (gossamer.fit(images, epsilon=5.0, run=run) for _ in range(2))
    assert (run / "release" / "privacy.json").is_file()
    assert np.array_equal(one.sample(4)[0], other.sample(4)[0])


def test_a_budget_that_is_none_is_refused_before_the_data_is_read() -> None:
    with pytest.raises((InputError, PrivacyError), match="epsilon"):
        gossamer.fit("no such data", epsilon=0.0)
    with pytest.raises(TypeError, match="epsilon"):
        gossamer.fit("beats")  # type: ignore[call-arg]


def test_every_method_has_its_class() -> None:
    for method in METHODS:
        choice = Choice(method=method, recipe=None, rows=(), reasons=())
        assert estimator_of(choice).method is method
    assert len(ESTIMATORS) == len(METHODS)
    assert estimator_of(Choice(method=find_method("dp-merf"), recipe=None, rows=(), reasons=())) is DPMERF
    other = Method(**(vars(METHODS[0]) | {"name": "other"}))
    with pytest.raises(InputError, match="train it by the command"):
        estimator_of(Choice(method=other, recipe=None, rows=(), reasons=()))


def test_a_name_is_read_once_and_the_claim_is_that_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen_as("dp-mixture", monkeypatch)
    read: list[str] = []

    def load(source: str, *arguments: Any) -> Any:
        read.append(source)
        return load_records(source, *arguments)

    monkeypatch.setattr(records, "load_records", load)
    by_choice = gossamer.fit("digits", epsilon=5.0).statement.to_json()
    assert read == ["digits"]
    by_name = DPMixture(epsilon=5.0).fit("digits").statement.to_json()
    assert by_choice | {"run_id": None} == by_name | {"run_id": None}
