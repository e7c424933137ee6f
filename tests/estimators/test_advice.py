"""Warnings: one a fit, with the words of the command, and one line on runs that nobody declared."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import GossamerWarning
from gossamer.estimators import DPMERF, AbstractEstimator, DPMixture, advice
from gossamer.estimators.advice import UNDECLARED, Starts


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> Starts:
    """A process that has started nothing yet."""
    starts = Starts()
    monkeypatch.setattr(advice, "OF_PROCESS", starts)
    return starts


def heard(work: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    assert all(one.category is GossamerWarning and one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


@pytest.fixture
def many() -> np.ndarray:
    """Enough records for a clear signal at a large epsilon."""
    return np.random.default_rng(0).random((4000, 8, 8), dtype=np.float32)


def test_a_hopeless_prospect_is_warned_of_once_in_the_words_of_the_command(images: np.ndarray) -> None:
    lines = heard(lambda: DPMixture(epsilon=0.1).fit(images))
    assert len(lines) == 1
    assert lines[0].startswith("advice: 90 records are too few for a useful guarantee by record at epsilon 0.1 ")


def test_a_ratio_of_noise_is_warned_of_and_a_clear_one_is_not(many: np.ndarray) -> None:
    model = DPMixture(epsilon=0.2)
    assert 1 < model.plan(many).prospect.ratio < 10
    lines = heard(lambda: model.fit(many))
    assert len(lines) == 1
    assert "times the noise" in lines[0]
    clear = DPMixture(epsilon=50.0, num_tuning_runs=1)
    assert clear.plan(many).prospect.ratio > 10
    assert heard(lambda: clear.fit(many)) == []


def test_people_who_are_named_and_not_protected_are_warned_of(many: np.ndarray) -> None:
    people = np.arange(len(many)) % 1000
    model = DPMixture(epsilon=50.0)
    assert heard(lambda: model.fit(many, people=people)) == [
        "protected: one record. The data names people, and what the records of one person tell together is not "
        "covered: --unit person covers it"
    ]
    assert heard(lambda: DPMixture(epsilon=50.0, num_tuning_runs=9).fit(many)) == []


def test_all_lines_of_a_fit_are_one_warning_and_those_of_a_loop_and_a_run_too(
    images: np.ndarray, tmp_path: Path
) -> None:
    people = np.arange(len(images)) % 30
    DPMixture(epsilon=1.0).start(images)
    for work in (
        lambda model: model.fit(images, people=people),
        lambda model: model.start(images, people=people),
        lambda model: model.fit(images, people=people, run=tmp_path / "fit"),
        lambda model: model.start(images, people=people, run=tmp_path / "loop"),
    ):
        (said,) = heard(lambda work=work: work(DPMixture(epsilon=0.1)))
        first, second, third = said.split("\n")
        assert first.startswith("protected: one record.")
        assert second.startswith("advice: 90 records are too few")
        assert third == UNDECLARED
    # Going on is no new training.
    assert heard(lambda: DPMixture(epsilon=0.1).fit(images, people=people, run=tmp_path / "fit")) == []


def test_a_warning_that_is_made_an_error_comes_before_anything_is_begun(images: np.ndarray, tmp_path: Path) -> None:
    model = DPMixture(epsilon=0.1)
    for run in (None, tmp_path / "run"):
        for _ in range(2):
            with warnings.catch_warnings():
                warnings.simplefilter("error", GossamerWarning)
                with pytest.raises(GossamerWarning):
                    model.fit(images, run=run)
    assert not (tmp_path / "run").exists()
    assert model.plan(images).statement.num_tuning_runs == 0


def undeclared(model: AbstractEstimator, x: np.ndarray) -> bool:
    return any(UNDECLARED in said for said in heard(lambda: model.fit(x)))


def test_a_second_training_by_another_object_says_that_nobody_declared_the_first(images: np.ndarray) -> None:
    first = DPMixture(epsilon=1.0)
    assert not undeclared(first, images)
    assert not undeclared(first, images), "the object declares its own"
    assert undeclared(DPMixture(epsilon=1.0), images)
    assert undeclared(DPMERF(epsilon=1.0, num_fit_steps=2, num_features=40), images)
    assert undeclared(first, images), "now others have learnt, too"
    assert not undeclared(DPMixture(epsilon=1.0, num_tuning_runs=5), images)


def test_a_run_that_goes_on_counts_once_and_a_plan_never(images: np.ndarray, tmp_path: Path, process: Starts) -> None:
    for _ in range(2):
        DPMixture(epsilon=1.0).fit(images, run=tmp_path / "run")
    DPMixture(epsilon=1.0).plan(images)
    assert process.number == 1
    assert "name" not in repr(process)


def test_a_process_that_forgets_its_trainings_would_be_seen(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Starts, "add", lambda self, run_id: None)
    DPMixture(epsilon=1.0).fit(images)
    assert not undeclared(DPMixture(epsilon=1.0), images)


def test_a_release_of_noise_is_advised_against_when_it_is_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = np.random.default_rng(0).random((60, 8, 8), dtype=np.float32), np.arange(60) % 3
    model = DPMixture(epsilon=0.1, num_classes=3)
    for run in (None, tmp_path / "run"):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "gossamer"):
            model.fit(x, y, run=run)
        assert "nothing in it to share" in caplog.text
        assert model.verdict is not None
        assert model.verdict.is_noise
        assert model.verdict == model.released.verdict
