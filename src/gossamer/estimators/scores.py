"""The scores of a fitted model against real records: those of `gossamer evaluate`, in Python. They stay private."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from gossamer.data.records import AbstractSpec, RecordData, RecordSet
from gossamer.errors import InputError, told
from gossamer.estimators.tables import Said
from gossamer.estimators.values import whole
from gossamer.evaluation.comparison import in_order, reference_of
from gossamer.evaluation.record import NOT_COVERED, Evaluation
from gossamer.evaluation.score import Score
from gossamer.extras import need
from gossamer.methods.trained import TrainedGenerator
from gossamer.runs.cache import CacheFolder
from gossamer.scoring.evaluations import Scoring, bench_for
from gossamer.scoring.findings import Count, RealRecords
from gossamer.scoring.targets import generator_target
from gossamer.scoring.terms import check_numbers, usual_seeds, usual_terms


class ScoringOptions(TypedDict, total=False):
    """The options of an evaluation, with the defaults of ``gossamer evaluate``.

    Attributes:
        quick: feature scores, a CNN and an MLP alone. Default: all scores.
        num_samples: synthetic records, and real ones beside them, at most. Default: 10,000, of quick scores 2,500.
        num_seeds: repetitions, each with new samples and classifiers. Default: 3, of quick scores 1.
        seed: the first of them.
        allow_few_samples: Frechet distance also of fewer images than features, where it means little.
        num_workers: classifiers at a time. Default: one a core.
        progress: told of progress: the part in words, how many are done, of how many.
    """

    quick: bool
    num_samples: int | None
    num_seeds: int | None
    seed: int
    allow_few_samples: bool
    num_workers: int | None
    progress: Count


class ScoringWords(ScoringOptions, Said, total=False):
    """The words that ``model.evaluate`` takes: options of the evaluation, and the public facts of `fit`."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EvaluationScores(Mapping[str, Score]):
    """Scores by name, each with its interval: the result of ``model.evaluate``.

    ``scores["frechet_distance"].value``, ``.low`` and ``.high`` are one of them. ``str`` and ``repr`` show a table.

    Guarantee:
        None. Every score was computed on real records, and no statement covers it. Choosing a model, a recipe or an
        epsilon by scores is tuning.

    Attributes:
        evaluation: the record as ``evaluation.json`` holds it, with the scores that were left out, and why.
    """

    evaluation: Evaluation

    def __getitem__(self, name: str) -> Score:
        """Return a score."""
        return self.evaluation.scores[name]

    def __iter__(self) -> Iterator[str]:
        """List the names, in the order of the tables."""
        return iter(in_order(self.evaluation.scores))

    def __len__(self) -> int:
        """Count the scores."""
        return len(self.evaluation.scores)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``evaluation.json``. It is private."""
        return self.evaluation.to_json()

    def __repr__(self) -> str:
        """Show a table of the scores, and the reason why they stay private."""
        return "\n".join([*_table(self), *self._left_out(), *self.evaluation.notes, NOT_COVERED])

    def _left_out(self) -> list[str]:
        skipped = self.evaluation.skipped
        return [
            f"{reason}: {', '.join(in_order(name for name, why in skipped.items() if why == reason))}"
            for reason in dict.fromkeys(skipped.values())
        ]


def evaluate_generator(
    trained: TrainedGenerator,
    real: RecordData,
    test: RecordSet | None,
    *,
    quick: bool = False,
    num_samples: int | None = None,
    num_seeds: int | None = None,
    seed: int = 0,
    allow_few_samples: bool = False,
    num_workers: int | None = None,
    progress: Count = lambda part, num_done, num_all: None,
) -> EvaluationScores:
    """Score a generator, as `AbstractEstimator.evaluate` describes it."""
    _check_options(quick, allow_few_samples, progress)
    numbers = {"num_samples": num_samples, "num_seeds": num_seeds, "num_workers": num_workers}
    checked = [None if value is None else whole(name, value) for name, value in numbers.items()]
    check_numbers(tuple(numbers), *checked)
    need("evaluate", "scoring")
    records = _real_records(real, test)
    target = generator_target(trained, real.train.spec, "model", where="this model")
    cache = CacheFolder.default()
    terms = usual_terms(
        [target],
        cache,
        is_quick=quick,
        seeds=usual_seeds(whole("seed", seed), num_seeds, is_quick=quick),
        num_samples=num_samples,
        permit_few_samples=allow_few_samples,
        num_workers=num_workers,
    )
    scoring = Scoring.begin(terms, [target], records, cache)
    if scoring.lacking:
        scoring = scoring.completed(progress)
    return EvaluationScores(evaluation=scoring.scored()[0].evaluation)


def _check_options(quick: object, allow_few_samples: object, progress: object) -> None:
    for name, value in (("quick", quick), ("allow_few_samples", allow_few_samples)):
        if not isinstance(value, bool):
            raise InputError(f"{name} must be True or False, not {told(value)}")
    if not callable(progress):
        raise InputError(f"progress must be a function that takes a part and two numbers, not {told(progress)}")


def _real_records(real: RecordData, test: RecordSet | None) -> RealRecords:
    if test is None:
        raise InputError(
            "there are no test records: name some that the model did not learn from, test=(x, y), or hand over records "
            "that come with some"
        )
    if (test.spec.shape, test.spec.class_names) != (real.train.spec.shape, real.train.spec.class_names):
        raise InputError(
            f"the test records are {_said(test.spec)}, the others {_said(real.train.spec)}: make them alike"
        )
    records = RealRecords(train=real.train, test=test)
    bench_for(real.train.spec).check_real("the real records", records)
    return records


def _said(spec: AbstractSpec) -> str:
    return f"of shape {spec.shape} in {spec.num_classes} classes"


def _table(scores: EvaluationScores) -> list[str]:
    """Set scores beside those of real records, with intervals."""
    references = {reference_of(name) for name in scores}
    rows = [("score", "better", "value", "95 % interval", "real")]
    for name, score in scores.items():
        if name not in references:
            real = scores.get(reference_of(name))
            interval = f"{score.low:.3f} to {score.high:.3f}"
            better = "higher" if score.higher_is_better else "lower"
            rows.append((name, better, f"{score.value:.3f}", interval, "" if real is None else f"{real.value:.3f}"))
    widths = np.array([[len(cell) for cell in row] for row in rows]).max(axis=0)
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
