"""`gossamer evaluate`: every score of synthetic images, with intervals, beside those of real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.cli.scoring import ScoringChoice, load_real, score_targets
from gossamer.driving.processes import crew_of_jobs
from gossamer.errors import InputError
from gossamer.evaluation.record import NOT_COVERED

if TYPE_CHECKING:
    from gossamer.mechanisms.crew import AbstractCrew
    from gossamer.scoring.findings import Scored
    from gossamer.scoring.targets import Target


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Score synthetic images beside real ones, and say how sure each score is.

    A run's evaluation is written into its private/evaluation. That of anything else goes where --out says, or nowhere.
    All scores see real data: no guarantee covers them, and choosing a checkpoint or a setting by them is tuning.

    Example: gossamer evaluate runs/mnist --data mnist --quick

    Args:
        target: run folder, generator.safetensors, NPZ (x and y, or data_x and data_y), folder of pictures, or of series
            a table, .ts or EDF file
        checkpoints: every generator that the run saved on its way, and curves of the scores over epsilon
        out: folder for evaluation.json, scores.csv and pictures
        choice: the real images to compare with, and the scores
    """

    target: Annotated[Path, Mark.POSITIONAL]
    checkpoints: bool = False
    out: Path | None = None
    choice: Annotated[ScoringChoice, Mark.TAKEN_OVER]


def run(arguments: Sequence[str]) -> int:
    """Score one target, or every generator of a run."""
    with crew_of_jobs() as crew:
        return _evaluate(read_arguments(Evaluate, arguments, program="evaluate"), crew)


def _evaluate(asked: Evaluate, crew: AbstractCrew) -> int:
    from gossamer.cli.tables import show_checkpoints, show_evaluation
    from gossamer.scoring.write_up import write_up

    real = load_real(asked.choice, (asked.target,))
    finder = asked.choice.finder(real.train.spec)
    targets = finder.find_saved(asked.target) if asked.checkpoints else (finder.find(asked.target),)
    place = _place(asked, targets[-1])
    scored = score_targets(asked.choice, targets, real, crew)
    tree = as_json(scored)
    if place is not None:
        write_up(place, scored, real, tree)
    if asked.choice.json:
        print(json.dumps(tree, indent=2))
        return 0
    show_checkpoints(scored) if asked.checkpoints else show_evaluation(scored[0])
    print(f"\n{NOT_COVERED}")
    print(f"Written, with pictures: {place}" if place is not None else "Nothing was written; --out FOLDER keeps it.")
    return 0


def _place(asked: Evaluate, target: Target) -> Path | None:
    from gossamer.scoring.write_up import check_place

    place = asked.out
    if place is None and target.run is not None:
        place = target.run.private / "evaluation"
    if place is not None:
        check_place(place)
    return place


def as_json(scored: Sequence[Scored]) -> dict[str, Any]:
    """Return the record of the last target. Records of several stand under ``checkpoints``."""
    if not scored:
        raise InputError("nothing was scored")
    trees = [one.evaluation.to_json() for one in scored]
    return trees[-1] if len(trees) == 1 else trees[-1] | {"checkpoints": trees}
