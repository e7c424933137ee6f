"""Warnings: one a fit, with the words of the command, and one line on runs that nobody declared."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import GossamerWarning
from gossamer.estimators import DPMERF, AbstractEstimator, DPMixture, advice, estimator, fit, load
from gossamer.estimators.advice import UNDECLARED, Starts
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.verdict import NOTHING_TO_SHARE, Verdict


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


def beforehand(work: Callable[[], object]) -> list[str]:
    """Return the warnings before a training, without the verdict at its end."""
    return [said for said in heard(work) if not said.startswith("verdict: ")]


@pytest.fixture
def many() -> np.ndarray:
    """Enough records for a clear signal at a large epsilon."""
    return np.random.default_rng(0).random((4000, 8, 8), dtype=np.float32)


def test_a_hopeless_prospect_is_warned_of_once_in_the_words_of_the_command(images: np.ndarray) -> None:
    lines = beforehand(lambda: DPMixture(epsilon=0.1).fit(images))
    assert len(lines) == 1
    assert lines[0].startswith("advice: 90 records are too few for a useful guarantee by record at epsilon 0.1 ")


def test_a_ratio_of_noise_is_warned_of_and_a_clear_one_is_not(many: np.ndarray) -> None:
    model = DPMixture(epsilon=0.2)
    assert 1 < model.plan(many).prospect.ratio < 10
    lines = beforehand(lambda: model.fit(many))
    assert len(lines) == 1
    assert "times the noise" in lines[0]
    clear = DPMixture(epsilon=50.0, num_tuning_runs=1)
    assert clear.plan(many).prospect.ratio > 10
    assert beforehand(lambda: clear.fit(many)) == []


def test_people_who_are_named_and_not_protected_are_warned_of(many: np.ndarray) -> None:
    people = np.arange(len(many)) % 1000
    model = DPMixture(epsilon=50.0)
    assert beforehand(lambda: model.fit(many, people=people)) == [
        "protected: one record. The data names people, and what the records of one person tell together is not "
        'covered: --unit person (unit="person" in Python) covers it'
    ]
    assert beforehand(lambda: DPMixture(epsilon=50.0, num_tuning_runs=9).fit(many)) == []


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
        (said,) = beforehand(lambda work=work: work(DPMixture(epsilon=0.1)))
        first, second, third = said.split("\n")
        assert first.startswith("protected: one record.")
        assert second.startswith("advice: 90 records are too few")
        assert third == UNDECLARED
    # Going on is no new training.
    assert beforehand(lambda: DPMixture(epsilon=0.1).fit(images, people=people, run=tmp_path / "fit")) == []


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


def test_a_fit_that_ends_in_noise_says_so_once_and_the_verdict_is_seen(images: np.ndarray, tmp_path: Path) -> None:
    models = [DPMixture(epsilon=0.1) for _ in range(3)]
    runs = (None, tmp_path / "run", tmp_path / "run")  # the last of them gives the generator of a run that has ended
    for model, run in zip(models, runs):
        said = [one for one in heard(lambda model=model, run=run: model.fit(images, run=run)) if "verdict" in one]
        assert [one.split(" (")[0] for one in said][-1].startswith(f"verdict: this release {NOTHING_TO_SHARE}. ")
        assert sum(one.startswith("verdict: ") for one in said) == 1
        assert said[-1].endswith("The samples are noise: nothing of the records can be seen in them.")
        assert said[-1].isprintable()
        for shown in (model, model.released, load(model.save(tmp_path / "noise.safetensors"))):
            assert shown.verdict is not None
            assert shown.verdict.is_noise
            assert repr(shown).endswith(", verdict: noise")


def test_samples_above_the_noise_are_no_cause_for_a_warning() -> None:
    model = DPMixture(epsilon=30.0, num_tuning_runs=9)
    assert heard(lambda: model.fit("digits")) == []
    assert model.verdict is not None
    assert repr(model).endswith(f", verdict: {model.verdict.grade.value}")
    assert not model.verdict.is_noise


def test_a_noise_warning_that_is_made_an_error_loses_no_generator(many: np.ndarray) -> None:
    model = DPMixture(epsilon=50.0, num_tuning_runs=9)
    noise = Verdict.of_sums(0.0, None, False)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(TrainedGenerator, "verdict", noise)
        warnings.simplefilter("error", GossamerWarning)
        with pytest.raises(GossamerWarning, match="noise"):
            model.fit(many)
    assert model.sample(3)[0].shape == (3, 1, 8, 8)


def test_a_fit_that_was_silent_about_noise_would_be_seen(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator, "of_noise", lambda verdict: ())
    assert not any(said.startswith("verdict: ") for said in heard(lambda: DPMixture(epsilon=0.1).fit(images)))


def test_a_choice_of_the_method_warns_at_the_place_of_the_call(images: np.ndarray) -> None:
    # `heard` holds that every warning points to this file, and not to the library's own.
    assert heard(lambda: fit(images, epsilon=0.1))


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
