"""`gossamer compare`: several runs and files side by side, under one set of scores."""

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
    from gossamer.evaluation.comparison import Comparison
    from gossamer.mechanisms.crew import AbstractCrew
    from gossamer.scoring.findings import Scored


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Runs and files side by side: a table with intervals, curves over epsilon, sample grids in one picture.

    The best is marked only where no other's interval reaches it. Scores computed before are not computed again.

    Example: gossamer compare runs/mnist theirs.npz --data mnist --quick --out comparison

    Args:
        targets: as for `gossamer evaluate`, two or more
        checkpoints: for runs that saved generators on their way, each of them
        out: folder for evaluation.json, scores.csv and pictures, private as every evaluation
        choice: the real images to compare with, and the scores
    """

    targets: Annotated[tuple[Path, ...], Mark.POSITIONAL]
    checkpoints: bool = False
    out: Path | None = None
    choice: Annotated[ScoringChoice, Mark.TAKEN_OVER]


def run(arguments: Sequence[str]) -> int:
    """Score several targets and lay them side by side."""
    with crew_of_jobs() as crew:
        return _compare(read_arguments(Compare, arguments, program="compare"), crew)


def _compare(asked: Compare, crew: AbstractCrew) -> int:
    from gossamer.cli.tables import show_comparison
    from gossamer.evaluation.comparison import compare
    from gossamer.scoring.targets import named_apart
    from gossamer.scoring.write_up import check_place, write_up

    if asked.out is not None:
        check_place(asked.out)
    real = load_real(asked.choice, asked.targets)
    finder = asked.choice.finder(real.train.spec)
    have_saved = [asked.checkpoints and (path / "release" / "checkpoints").is_dir() for path in asked.targets]
    groups = [
        finder.find_saved(path) if has_saved else (finder.find(path),)
        for path, has_saved in zip(asked.targets, have_saved)
    ]
    targets = named_apart(groups)
    if len(targets) < 2:
        raise InputError("name two targets or more, or use gossamer evaluate")
    scored = score_targets(asked.choice, targets, real, crew)
    comparison = compare({one.evaluation.target: one.evaluation.scores for one in scored})
    tree = as_json(scored, comparison)
    if asked.out is not None:
        write_up(asked.out, scored, real, tree)
    if asked.choice.json:
        print(json.dumps(tree, indent=2))
        return 0
    show_comparison(comparison)
    if len({target.statement.adjacency for target in targets if target.statement is not None}) > 1:
        print("Their epsilons hold under different adjacencies and do not compare one to one: see each PRIVACY.md.")
    print(f"\n{NOT_COVERED}")
    print("Nothing was written; --out FOLDER keeps it." if asked.out is None else f"Written: {asked.out}")
    return 0


def as_json(scored: Sequence[Scored], comparison: Comparison) -> dict[str, Any]:
    """Return every target's record, and for each score the target that is best beyond doubt, or null."""
    best = {row.name: None if row.best is None else comparison.targets[row.best] for row in comparison.rows}
    return {
        "format": "gossamer-comparison-1",
        "covered_by_guarantee": False,
        "warning": NOT_COVERED,
        "targets": {one.evaluation.target: one.evaluation.to_json() for one in scored},
        "best": best,
    }
