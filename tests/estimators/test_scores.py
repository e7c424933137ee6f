"""`evaluate` in Python: the figures of `gossamer evaluate`, and what cannot be scored refused in one line."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli.scoring import ScoringChoice
from gossamer.data.catalogue import load_records
from gossamer.errors import GossamerWarning, InputError
from gossamer.estimators import DPMixture, EvaluationScores, scores
from gossamer.evaluation import classifiers
from gossamer.evaluation.encoder import EncoderSettings
from gossamer.evaluation.record import NOT_COVERED
from gossamer.scoring import encoder
from gossamer.scoring.terms import usual_seeds

QUICKLY: dict[str, Any] = {"quick": True, "num_samples": 256, "num_workers": 1}


@pytest.fixture(scope="module", autouse=True)
def _bench_of_seconds(tmp_path_factory: Any) -> Iterator[None]:
    quick = functools.partial(EncoderSettings, num_epochs=1, min_updates=60, width=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOSSAMER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(encoder, "EncoderSettings", quick)
        patch.setattr(classifiers, "_MIN_UPDATES", 40)
        patch.setattr(classifiers, "_NUM_EPOCHS", 1)
        yield


@pytest.fixture(scope="module")
def fitted() -> DPMixture:
    return DPMixture(epsilon=10.0, device="cpu").fit("digits")


@pytest.fixture(scope="module")
def scored(fitted: DPMixture) -> EvaluationScores:
    return fitted.evaluate("digits", **QUICKLY)


def test_the_scores_are_those_of_the_command(
    gossamer: Any, fitted: DPMixture, scored: EvaluationScores, tmp_path: Path
) -> None:
    path = fitted.save(tmp_path / "model.safetensors")
    said = gossamer("evaluate", path, "--data", "digits", "--quick", "--num-samples", 256, "--num-workers", 1, "--json")
    assert said.code == 0, said.err
    assert scored.to_json() == json.loads(said.out)


def test_they_are_a_mapping_with_intervals_and_a_table_that_says_they_are_private(scored: EvaluationScores) -> None:
    assert {"frechet_distance", "precision", "cnn_accuracy"} <= set(scored)
    assert len(scored) == len(list(scored)) == len(dict(scored))
    one = scored["cnn_accuracy"]
    assert 0 <= one.low <= one.value <= one.high <= 1
    shown = repr(scored)
    assert f"{one.value:.3f}  {one.low:.3f} to {one.high:.3f}" in shown
    assert "left out by --quick" in shown
    assert shown.endswith(NOT_COVERED)
    assert "No" in (inspect.getdoc(EvaluationScores) or "")


def test_records_and_arrays_are_scored_alike(fitted: DPMixture, scored: EvaluationScores) -> None:
    data = load_records("digits")
    assert data.test is not None
    assert dict(fitted.evaluate(data, **QUICKLY)) == dict(scored)
    train, test = data.train, data.test
    assert train.y is not None
    assert test.y is not None
    by_arrays = DPMixture(epsilon=10.0, num_classes=10, device="cpu").fit(train)
    assert len(by_arrays.evaluate(train.x.numpy(), train.y.numpy(), test=(test.x, test.y), **QUICKLY)) == len(scored)


def test_the_defaults_are_those_of_the_command() -> None:
    command = {name: field.default for name, field in ScoringChoice.__dataclass_fields__.items()}
    ours = inspect.signature(scores.evaluate_generator).parameters
    shared = set(command) & set(ours)
    assert shared == {"quick", "num_samples", "num_seeds", "seed", "allow_few_samples", "num_workers"}
    assert {name: ours[name].default for name in shared} == {name: command[name] for name in shared}
    assert usual_seeds(0, None, is_quick=False) == ScoringChoice(data="digits").seeds == (0, 1, 2)
    typed = set(scores.ScoringOptions.__annotations__)
    assert typed == shared | {"progress"} == set(ours) - {"trained", "real", "test"}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "there are no test records"),
        ({"test": 3}, "test must be"),
        ({"test": (np.zeros((9, 8, 9), dtype=np.uint8), np.arange(9))}, "make them alike"),
        ({"num_samples": 0}, "num_samples must be at least 1"),
        ({"num_seeds": 2000}, "num_seeds must be at most 1000"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(given: dict[str, Any], line: str, fitted: DPMixture) -> None:
    x, y = np.zeros((30, 8, 8), dtype=np.uint8), np.arange(30) % 10
    with pytest.raises(InputError, match=line) as caught:
        fitted.evaluate(x, y, **QUICKLY | given)
    assert str(caught.value).isprintable()


def test_a_split_by_a_key_that_nobody_named_is_warned_of_and_a_run_names_it(
    monkeypatch: pytest.MonkeyPatch, fitted: DPMixture, scored: EvaluationScores, tmp_path: Path
) -> None:
    split = replace(load_records("digits"), is_split_by_key=True)
    monkeypatch.setattr(scores, "read_source", lambda *given: split)
    with pytest.warns(GossamerWarning, match="test records are drawn anew"):
        fitted.evaluate("digits", **QUICKLY)
    run = tmp_path / "run"
    DPMixture(epsilon=10.0, device="cpu").fit("digits", run=run)
    assert dict(fitted.evaluate("digits", run=run, **QUICKLY)) == dict(scored)
    (run / "private" / "data.sha256").write_text("0" * 64)
    with pytest.raises(InputError, match="other training records"):
        fitted.evaluate("digits", run=run, **QUICKLY)
