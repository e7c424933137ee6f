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
import pandas
import pytest
import torch

from gossamer.cli.scoring import ScoringChoice
from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordData, RecordSet
from gossamer.errors import GossamerWarning, InputError
from gossamer.estimators import DPMixture, EvaluationScores, estimator, load_series, real_records, scores
from gossamer.estimators.tables import Said
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
    assert set(scores.ScoringWords.__annotations__) == typed | set(Said.__annotations__)
    assert not typed & set(Said.__annotations__), "a word has one meaning"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RecordData, RecordSet | None, dict[str, Any]]]:
    """Records and options that an evaluation was asked for, in place of its scores."""
    seen: list[tuple[RecordData, RecordSet | None, dict[str, Any]]] = []
    monkeypatch.setattr(
        estimator, "evaluate_generator", lambda trained, real, test, **options: seen.append((real, test, options))
    )
    return seen


def test_frames_and_text_labels_are_read_as_they_were_fitted(asked: list[Any]) -> None:
    kinds = np.where(np.arange(80) % 2, "ill", "well")
    table = pandas.DataFrame(np.random.default_rng(0).normal(100, 9, size=(80, 8)))
    table.columns = [f"t{time}" for time in range(8)]
    frame, values = table.assign(kind=kinds, who=np.arange(80)), table.to_numpy(np.float64)
    words: dict[str, Any] = {"label": "kind", "person": "who"}
    model = DPMixture(epsilon=10.0, device="cpu")
    model.fit(frame, **words, low=20, high=220, sample_rate=2.0, class_names=["well", "ill"])
    # Bounds, rate and classes are those of the generator: they need not be said again.
    model.evaluate(frame[:40], test=frame[40:], **words, **QUICKLY)
    model.evaluate(values[:40], kinds[:40], test=(values[40:], kinds[40:]), quick=True)
    model.evaluate(frame[:40], test=(values[40:], kinds[40:]), **words)
    for real, test, options in asked:
        assert real.train.spec == test.spec == model.released.spec
        assert options.keys() <= QUICKLY.keys()
        for part, rows in ((real.train, slice(0, 40)), (test, slice(40, 80))):
            assert torch.equal(part.y, torch.arange(80)[rows] % 2)
            torch.testing.assert_close(part.x[:, 0], torch.from_numpy((values[rows] - 20) / 200).float())


def test_a_long_table_and_a_table_of_images_are_read_again_with_their_columns_alone(asked: list[Any]) -> None:
    rows = [{"who": who, "second": time, "pulse": 60.0 + time} for who in range(60) for time in range(6)]
    long, words = pandas.DataFrame(rows), {"person": "who", "time": "second"}
    model = DPMixture(epsilon=10.0).fit(long, **words, low=20, high=220, length=6)
    model.evaluate(long, test=long, **words)
    pixels = pandas.DataFrame(np.random.default_rng(0).random((60, 64)))
    pixels.columns = [f"pixel {place}" for place in range(64)]
    images = DPMixture(epsilon=10.0).fit(pixels, shape=(8, 8))
    images.evaluate(pixels, test=pixels)
    for fitted, (real, test, _) in zip((model, images), asked, strict=True):
        assert real.train.spec == test.spec == fitted.released.spec


def test_a_folder_of_recordings_is_read_again_by_its_annotator_alone(asked: list[Any], tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=5000).round(3)
    (values * 1000).astype("<i2").tofile(tmp_path / "1.dat")
    (tmp_path / "1.hea").write_text("1 1 100 5000\n1.dat 16 1000(0)/mV 16 0 0 0 0 II\n")
    (tmp_path / "1.qrs").write_bytes((1 << 10 | 100).to_bytes(2, "little") * 48 + bytes(2))
    model = DPMixture(epsilon=10.0, device="cpu").fit(tmp_path, annotator="qrs")
    # The layout says bounds, rate and classes: those of the generator would be refused.
    model.evaluate(tmp_path, annotator="qrs", test=load_records(tmp_path, annotator="qrs"))
    words: dict[str, Any] = {"window": 64, "low": -4, "high": 4}
    of_windows = DPMixture(epsilon=10.0, unit="record", device="cpu").fit(tmp_path, **words)
    of_windows.evaluate(tmp_path, window=64, test=load_series(tmp_path, **words))
    for fitted, (real, test, _) in zip((model, of_windows), asked, strict=True):
        assert real.train.spec == test.spec == fitted.released.spec
    with pytest.raises(InputError, match="annotator is of a folder of WFDB recordings"):
        model.fit(np.zeros((8, 1, 64)), annotator="qrs")
    with pytest.raises(InputError, match="annotator is of a folder of WFDB recordings"):
        model.fit(pandas.DataFrame({"a": [0.5, 0.5], "b": [0.5, 0.5]}), annotator="qrs")
    with pytest.raises(InputError, match="annotator must be the ending of annotation files"):
        model.fit(tmp_path, annotator=["qrs"])


def test_classes_that_the_constructor_was_not_told_are_those_of_the_generator(asked: list[Any]) -> None:
    x, y = np.random.default_rng(0).random((60, 8, 8), dtype=np.float32), np.arange(60) % 3
    model = DPMixture(epsilon=10.0, num_classes=3, device="cpu").fit(x, y)
    model.set_params(num_classes=None).evaluate(x, y, test=(x, y))
    data_set = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    model.evaluate(data_set, test=data_set)
    assert [real.train.spec for real, _, _ in asked] == [model.released.spec] * 2
    assert [test.spec for _, test, _ in asked] == [model.released.spec] * 2


def test_records_read_without_the_facts_of_the_generator_would_be_seen(
    monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    x, y = np.random.default_rng(0).random((60, 8, 8), dtype=np.float32), np.arange(60) % 3
    model = DPMixture(epsilon=10.0, num_classes=3, device="cpu").fit(x, y).set_params(num_classes=None)
    monkeypatch.setattr(real_records, "_completed", lambda source, said, num_classes, spec: (said, num_classes))
    model.evaluate(x, y, test=(x, y))
    assert asked[0][0].train.spec != model.released.spec


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
    monkeypatch.setattr(real_records, "read_source", lambda *given: split)
    with pytest.warns(GossamerWarning, match="test records are drawn anew"):
        fitted.evaluate("digits", **QUICKLY)
    run = tmp_path / "run"
    DPMixture(epsilon=10.0, device="cpu").fit("digits", run=run)
    assert dict(fitted.evaluate("digits", run=run, **QUICKLY)) == dict(scored)
    (run / "private" / "data.sha256").write_text("0" * 64)
    with pytest.raises(InputError, match="other training records"):
        fitted.evaluate("digits", run=run, **QUICKLY)
