"""The terms of an evaluation, its private side, and the findings about a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.evaluation.listed import Listed, SyntheticRecords
from gossamer.evaluation.memorisation import NearestPair
from gossamer.evaluation.record import Evaluation, score_from_json, score_to_json
from gossamer.evaluation.score import Score
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.scoring.targets import Target

Count = Callable[[str, int, int], None]
"""Told of progress: the part in words, how many are done, of how many."""
Draws = Mapping[str, Sequence[SyntheticRecords]]
"""Name of a target -> its records, one set a seed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RealRecords:
    """The private side of an evaluation.

    Attributes:
        train: training records.
        test: test records, which nothing was trained on.
    """

    train: RecordSet
    test: RecordSet


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms on which targets are scored.

    Attributes:
        is_quick: the quick suite of scores, not the full one.
        seeds: one a repetition.
        num_samples: real training records that classifiers learn from, at most.
        permit_few_samples: go on with fewer records than features.
        inception_weights: file of the Inception network, None to leave it out.
        num_workers: classifiers at a time, in a process that is alone.
        crew: the processes of this command, each of which takes a classifier at a time if they are several.
    """

    is_quick: bool
    seeds: tuple[int, ...]
    num_samples: int
    permit_few_samples: bool
    inception_weights: Path | None
    num_workers: int
    crew: AbstractCrew = ALONE


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that a bench found out about a target.

    Attributes:
        scores: name -> score.
        notes: sentences on classifiers that could not learn.
        pairs: the first seed's records that are nearest to a training record. Empty if they were not looked for.
        confusions: direction of training and testing -> (classes, classes) numbers of test records, true class by
            predicted. Empty if none were counted.
        versions: scores that were asked for -> their version. Some of them this target does not have.
    """

    scores: Mapping[str, Score] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pairs: tuple[NearestPair, ...] = ()
    confusions: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)

    def __or__(self, other: Findings) -> Findings:
        """Return both. If they tell of the same, the other's count."""
        return Findings(
            scores={**self.scores, **other.scores},
            notes=self.notes + tuple(note for note in other.notes if note not in self.notes),
            pairs=other.pairs or self.pairs,
            confusions={**self.confusions, **other.confusions},
            versions={**self.versions, **other.versions},
        )

    def lacks(self, listed: Listed) -> Listed:
        """Return the scores of a list that were not asked for, or in another version."""
        return tuple(one for one in listed if self.versions.get(one.name) != one.version)

    def to_json(self) -> dict[str, Any]:
        """Return the findings as plain JSON, for the cache."""
        return {
            "scores": {name: score_to_json(score) for name, score in self.scores.items()},
            "notes": list(self.notes),
            "pairs": [[pair.synthetic_index, pair.train_index, pair.distance] for pair in self.pairs],
            "confusions": {name: counts.tolist() for name, counts in self.confusions.items()},
            "versions": dict(self.versions),
        }

    @classmethod
    def from_json(cls, tree: Any) -> Findings:
        """Read the result of `to_json`.

        Raises:
            InputError: it is something else.
        """
        try:
            return cls(
                scores={name: score_from_json(name, score) for name, score in tree["scores"].items()},
                notes=tuple(tree["notes"]),
                pairs=tuple(NearestPair(synthetic_index=i, train_index=j, distance=d) for i, j, d in tree["pairs"]),
                confusions={n: np.array(counts, dtype=np.int64) for n, counts in tree["confusions"].items()},
                versions=dict(tree["versions"]),
            )
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise InputError(f"damaged findings ({type(error).__name__})") from None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """A target with its scores.

    Attributes:
        target: was scored.
        evaluation: the record.
        images: the first seed's draw, images or series.
        findings: of the bench. Some of them only pictures show.
    """

    target: Target
    evaluation: Evaluation
    images: SyntheticRecords
    findings: Findings

    def paired(self, real: RealRecords) -> tuple[NDArray, NDArray, NDArray]:
        """Return synthetic records, the training record nearest to each, and their distances."""
        pairs = self.findings.pairs
        made = self.images.x[[pair.synthetic_index for pair in pairs]]
        kept = real.train.x[[pair.train_index for pair in pairs]].numpy()
        return made, kept, np.array([pair.distance for pair in pairs])
