"""Real fits of series are kept by the content of the real series: a second target fits only what is its own."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordData
from gossamer.evaluation.listed import set_name
from gossamer.evaluation.series import suite
from gossamer.evaluation.series.downstream import Verdict
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.series.use import HALVES, REAL, TEST
from gossamer.evaluation.workers import Task
from gossamer.runs.cache import CacheFolder
from gossamer.scoring import kept_verdicts
from gossamer.scoring import series as scoring
from gossamer.scoring.findings import RealRecords, Terms
from gossamer.scoring.kept_verdicts import KeptVerdicts
from gossamer.scoring.series import SeriesBench

CLASSES = 5


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """All fits that are made, with verdicts that their names, seeds and contents decide."""
    made: list[Task] = []

    def judge(fits: Sequence[Task], sets: Mapping[str, SeriesSet], **_: Any) -> Iterator[tuple[Task, Any]]:
        for fit in fits:
            made.append(fit)
            rng = np.random.default_rng([fit.seed, len(fit.train), len(sets[fit.train])])
            yield fit, {
                name: Verdict(
                    classifier=fit.classifier.name, seed=fit.seed, note=f"about {fit.train}",
                    probabilities=rng.dirichlet(np.ones(CLASSES), len(sets[name])),
                )
                for name in fit.tests
            }  # fmt: skip

    monkeypatch.setattr(scoring, "judge_all", judge)
    return made


@functools.cache
def beats() -> RecordData:
    return load_records("beats")


def bench(cache: CacheFolder, *, is_quick: bool = True, change: float = 0.0) -> SeriesBench:
    data = beats()
    test = replace(data.test, x=(data.test.x + change).clamp(0, 1))
    terms = Terms(
        is_quick=is_quick, seeds=(0, 1), num_samples=10_000, permit_few_samples=True, inception_weights=None,
        num_workers=1,
    )  # fmt: skip
    return SeriesBench(terms=terms, real=RealRecords(train=data.train, test=test), cache=cache)


def verdicts(of: SeriesBench, target: str) -> Mapping[Any, Mapping[str, Verdict]]:
    real = of._real_sets()
    sets = real | {set_name(target, seed): replace(real[TEST], name=target) for seed in of.terms.seeds}
    return of._verdicts((target,), real, sets, lambda *_: None)


def real_fits(fits: Sequence[Task]) -> list[Task]:
    return [fit for fit in fits if fit.train in (REAL, *(half for half, _ in HALVES))]


def test_a_second_target_fits_nothing_on_real_series_and_sees_the_same_verdicts(
    tmp_path: Path, fitted: list[Task]
) -> None:
    cache = CacheFolder(tmp_path)
    first = verdicts(bench(cache), "one")
    num_real = len(real_fits(fitted))
    assert num_real >= len(suite.QUICK.classifiers) * 2
    fitted.clear()
    second = verdicts(bench(cache), "two")
    assert fitted
    assert not real_fits(fitted)
    for key in first.keys() & second.keys():
        for name in first[key]:
            one, two = first[key][name], second[key][name]
            assert np.array_equal(one.probabilities, two.probabilities)
            assert (one.note, one.classifier, one.seed) == (two.note, two.classifier, two.seed)
    assert len(first.keys() & second.keys()) == num_real


def test_those_that_judge_synthetic_series_are_fitted_anew(tmp_path: Path, fitted: list[Task]) -> None:
    cache = CacheFolder(tmp_path)
    verdicts(bench(cache, is_quick=False), "one")
    fitted.clear()
    verdicts(bench(cache, is_quick=False), "two")
    assert {(fit.train, fit.seed) for fit in real_fits(fitted)} == {(REAL, 0)}


def test_other_real_series_and_other_libraries_are_fitted_anew(
    tmp_path: Path, fitted: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheFolder(tmp_path)
    verdicts(bench(cache), "one")
    num_fits = len(fitted)
    for change in (lambda: bench(cache, change=0.01), lambda: _with_another_library(cache, monkeypatch)):
        fitted.clear()
        verdicts(change(), "one")
        assert len(fitted) == num_fits


def _with_another_library(cache: CacheFolder, monkeypatch: pytest.MonkeyPatch) -> SeriesBench:
    monkeypatch.setattr(kept_verdicts, "_versions", lambda: {"scikit-learn": "another"})
    return bench(cache)


def test_a_damaged_file_is_computed_again(tmp_path: Path, fitted: list[Task]) -> None:
    cache = CacheFolder(tmp_path)
    verdicts(bench(cache), "one")
    num_fits = len(fitted)
    [file] = tmp_path.glob("*series-verdicts*")
    file.write_bytes(file.read_bytes()[:-8])
    fitted.clear()
    verdicts(bench(cache), "one")
    assert len(fitted) == num_fits


def test_a_key_without_the_test_series_is_caught(
    tmp_path: Path, fitted: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The break: verdicts are found again by what was learnt from, whatever was judged."""
    key = kept_verdicts.content_key

    def of_training(arrays: Mapping[str, Any], tree: Any) -> str:
        return key({name: array for name, array in arrays.items() if name.startswith(REAL)}, tree)

    monkeypatch.setattr(kept_verdicts, "content_key", of_training)
    with pytest.raises(AssertionError):
        test_other_real_series_and_other_libraries_are_fitted_anew(tmp_path, fitted, monkeypatch)


def test_nothing_is_written_for_verdicts_on_synthetic_series_alone(tmp_path: Path) -> None:
    real = {REAL: SeriesSet(name=REAL, x=np.zeros((4, 1, 8)), y=np.arange(4))}
    kept = KeptVerdicts(CacheFolder(tmp_path / "cache"), real, CLASSES)
    task = Task(classifier=suite.QUICK.classifiers[0], train="made", tests=(REAL,), seed=0)
    kept.add(task, {})
    kept.save()
    assert not (tmp_path / "cache").exists()
