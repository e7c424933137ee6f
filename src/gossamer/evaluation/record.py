"""The record of an evaluation: target, real data and figures, as data to be kept and compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gossamer.errors import InputError
from gossamer.evaluation.score import Score

FORMAT = "gossamer-evaluation-1"
NOT_COVERED = (
    "These scores were computed on real data: the guarantee does not cover them, and choosing a model, a checkpoint or "
    "a setting by them is tuning that no statement here counts."
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The claim for the generator behind synthetic images. It is public.

    Args:
        mechanism: its name.
        epsilon: of the statement.
        delta: of the statement.
        step: updates of the generator until it was saved, or None for the final one.
    """

    mechanism: str
    epsilon: float
    delta: float
    step: int | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of one target, and all that is needed to read and repeat them.

    Guarantee: none. Every figure depends on real images.

    Args:
        target: its name.
        claim: for its generator, None for images of unknown origin.
        data: name of the real data.
        suite: which scores were asked for.
        num_samples: synthetic images a seed, and real images that classifiers learn from.
        seeds: one a repetition.
        scores: name -> score.
        skipped: name -> why it was left out.
        notes: sentences for the reader.
    """

    target: str
    claim: Claim | None
    data: str
    suite: str
    num_samples: int
    seeds: tuple[int, ...]
    scores: Mapping[str, Score]
    skipped: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON: the content of ``evaluation.json``."""
        tree = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return (
            {"format": FORMAT, "covered_by_guarantee": False, "warning": NOT_COVERED}
            | tree
            | {
                "claim": None if self.claim is None else dataclasses.asdict(self.claim),
                "seeds": list(self.seeds),
                "scores": {name: score_to_json(score) for name, score in self.scores.items()},
                "skipped": dict(self.skipped),
                "notes": list(self.notes),
            }
        )

    @classmethod
    def from_json(cls, tree: Any) -> Evaluation:
        """Read the result of `to_json`.

        Raises:
            InputError: it is something else, or damaged.
        """
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise InputError(f"not a record of an evaluation (format {FORMAT}); evaluate again")
        try:
            values = {field.name: tree[field.name] for field in dataclasses.fields(cls)}
            values["claim"] = None if tree["claim"] is None else Claim(**tree["claim"])
            values["seeds"] = tuple(tree["seeds"])
            values["scores"] = {name: score_from_json(name, score) for name, score in tree["scores"].items()}
            values["notes"] = tuple(tree["notes"])
            return cls(**values)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise InputError(f"a damaged record of an evaluation ({type(error).__name__}); evaluate again") from None


def score_to_json(score: Score) -> dict[str, Any]:
    """Return a score as plain JSON, without its name."""
    tree = dataclasses.asdict(score)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in tree.items() if name != "name"}


def score_from_json(name: str, tree: Mapping[str, Any]) -> Score:
    """Read the result of `score_to_json`.

    Raises:
        ValueError, KeyError, TypeError: it is something else.
    """
    numbers = (tree["value"], tree["low"], tree["high"])
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise ValueError("a score is no number")
    values: dict[str, Any] = {**tree, "name": name, "seeds": tuple(tree["seeds"])}
    return Score(**values)
