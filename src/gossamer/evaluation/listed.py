"""An entry of a list of scores: names, titles, headlines and the keys of kept evaluations follow from the lists."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import NORMAL_QUANTILE_975
from gossamer.evaluation.score import Score


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticRecords:
    """Images or series to be scored, with labels if they have any.

    Args:
        x: float32 (num_records, channels, height, width), or (num_records, channels, time), in [0, 1].
        y: int64 (num_records,), or None.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64] | None


class AbstractEvidence:
    """Everything that a score may be computed from: features, looks, neighbours, or answers of classifiers.

    Attributes:
        reference: sentence on the same score of real training records in the place of synthetic ones. Empty if there
            is no such score.
        travels: true for evidence that may be handed to another process, to compute its scores there. It is small, of
            one draw, and its scores take seconds.
    """

    reference: ClassVar[str] = ""
    travels: ClassVar[bool] = False


Evidence = TypeVar("Evidence", bound=AbstractEvidence)
Judge = TypeVar("Judge", bound=Any)


@dataclass(frozen=True, kw_only=True)
class ListedScore(Generic[Evidence]):
    """A score of a list.

    Args:
        name: a word that JSON and tables use. The computed score bears it, too.
        needs: kind of evidence. Of evidence of single draws the mean over the seeds is taken.
        compute: evidence to a score. None if this evidence has no such score.
        title: of its curve. Empty for the name in words.
        unit: of its curve's axis.
        is_headline: stands among the first in tables, and in pictures.
        is_quick: belongs to the quick suite, too.
        version: goes up when equal records no longer mean an equal score. Kept evaluations of another version are
            computed again.
    """

    name: str
    needs: type[Evidence]
    compute: Callable[[Evidence], Score | None]
    title: str = ""
    unit: str = "value"
    is_headline: bool = False
    is_quick: bool = True
    version: int = 1


Listed = Sequence[ListedScore[Any]]
"""A list of scores of one kind of records, or a part of it."""


@dataclass(frozen=True, kw_only=True)
class Suite(Generic[Judge]):
    """A choice among the scores of a list.

    Args:
        name: as reports call it.
        classifiers: trained on synthetic and on real records.
        is_full: with every score of the list. Else with those alone that are quick.
    """

    name: str
    classifiers: tuple[Judge, ...]
    is_full: bool

    def of(self, listed: Listed) -> Listed:
        """Return the scores of a list that belong to the suite."""
        return tuple(one for one in listed if self.is_full or one.is_quick)


def names_of(listed: Listed) -> tuple[str, ...]:
    """Return the names of scores, then those of their references."""
    return (*(one.name for one in listed), *(f"{one.name}_real" for one in listed if one.needs.reference))


def needing(listed: Listed, *kinds: type[AbstractEvidence]) -> Listed:
    """Return the scores of a list that are computed from one of some kinds of evidence."""
    return tuple(one for one in listed if issubclass(one.needs, kinds))


def scores_of(listed: Listed, evidence: Sequence[AbstractEvidence]) -> dict[str, Score]:
    """Compute the scores that need evidence of this kind, and average each over the evidence.

    Args:
        listed: of which those that need other evidence are passed over.
        evidence: of one kind: one for each seed, or one for all.

    Returns:
        Name to score, without those that the evidence does not have.
    """
    return averaged([_scores_of_one(listed, one) for one in evidence])


def _scores_of_one(listed: Listed, evidence: AbstractEvidence) -> dict[str, Score]:
    computed = {one.name: one.compute(evidence) for one in needing(listed, type(evidence))}
    return {name: score for name, score in computed.items() if score is not None}


def averaged(found: Sequence[Mapping[str, Score]]) -> dict[str, Score]:
    """Average scores over repetitions, each over those that have it.

    Args:
        found: name -> score, of each repetition.
    """
    names = dict.fromkeys(name for scores in found for name in scores)
    return {name: average_over_seeds([scores[name] for scores in found if name in scores]) for name in names}


def as_reference(scores: Mapping[str, Score], sentence: str) -> dict[str, Score]:
    """Rename scores of real records in the place of synthetic ones: ``recall`` becomes ``recall_real``.

    Args:
        scores: of real training records.
        sentence: added to each source. The `reference` of the evidence.
    """
    return {
        f"{name}_real": dataclasses.replace(
            score,
            name=f"{name}_real",
            num_synthetic=0,
            num_real=score.num_synthetic + score.num_real,
            source=f"{score.source} {sentence}",
        )
        for name, score in scores.items()
    }


def average_over_seeds(scores: Sequence[Score]) -> Score:
    """Average one score over repetitions.

    With v_s the values, l_s their distances to the lower end and S seeds::

        low = mean(v_s) - sqrt(mean(l_s^2) + 1.96^2 var(v_s) / S)

    and likewise for the upper end. The repetitions share the choice of test records, so averaging does not narrow it.
    The variation between seeds is added.

    >>> one = Score(name="a", value=0.5, low=0.4, high=0.6, higher_is_better=True, num_synthetic=9, num_real=9,
    ...             seeds=(0,), source="example")
    >>> average_over_seeds([one, one]).seeds, round(average_over_seeds([one, one]).low, 6)
    ((0, 0), 0.4)
    """
    if len(scores) == 1:
        return scores[0]
    values = np.array([score.value for score in scores])
    between = NORMAL_QUANTILE_975**2 * values.var(ddof=1) / len(scores)
    value = float(values.mean())
    below = math.sqrt(np.mean([(score.value - score.low) ** 2 for score in scores]) + between)
    above = math.sqrt(np.mean([(score.high - score.value) ** 2 for score in scores]) + between)
    seeds = tuple(seed for score in scores for seed in score.seeds)
    return dataclasses.replace(scores[0], value=value, low=value - below, high=value + above, seeds=seeds)


def set_name(target: str, seed: int) -> str:
    """Name the records that a target gave for a seed, among the sets that classifiers learn from."""
    return f"{target}, seed {seed}"


def way_out(*, permit_few_samples: bool) -> str:
    """Say how to go on with too few records."""
    if permit_few_samples:
        return "give more"
    return "give more, or --allow-few-samples (allow_few_samples=True in Python), with which they mean little"


def check_labels(where: str, kind: str, records: SyntheticRecords, num_classes: int) -> None:
    """Refuse one record repeated throughout, and labels from which nothing can be learnt.

    Args:
        where: name of the records, for the message.
        kind: of the records, ``images`` or ``series``.
        records: to check.
        num_classes: of the real data.

    Raises:
        InputError: all records are the same, a label lies outside the classes, or there is one class alone.
    """
    if (records.x == records.x[:1]).all():
        raise InputError(
            f"{where}: all {len(records.x)} {kind} are the same; there is nothing to score: check what was drawn"
        )
    if records.y is None:
        return
    if num_classes > 1 and (records.y == records.y[:1]).all():
        raise InputError(f"{where}: all labels are of one class; classifiers need at least two, or no labels at all")
    outside = np.flatnonzero((records.y < 0) | (records.y >= num_classes))
    if outside.size:
        raise InputError(f"{where}: label {outside[0]} is outside 0 .. {num_classes - 1}, the classes of the real data")
