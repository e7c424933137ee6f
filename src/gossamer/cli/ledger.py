"""`gossamer ledger`: the steps that a run has paid for, and the part of them that was lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.driving.spending import account
from gossamer.errors import InputError
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class ShowLedger:
    """Show the account of a run: steps planned, charged, lost in crashes and left, and the epsilon that they cost.

    Example: gossamer ledger runs/mnist

    Args:
        run: run folder
        json: print JSON
    """

    run: Annotated[Path, Mark.POSITIONAL]
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Show the ledger of a run."""
    asked = read_arguments(ShowLedger, arguments, program="ledger")
    folder = RunFolder.open(asked.run)
    if not folder.private.is_dir():
        raise InputError(
            f"{folder.private}: missing, and the ledger with it; what was spent cannot be told any more; count the "
            "whole budget of config.json as spent"
        )
    found = account(folder)
    if asked.json:
        print(json.dumps({"run": str(asked.run)} | found, indent=2))
    else:
        _show(asked.run, found)
    return 0


def _show(path: Path, found: dict[str, Any]) -> None:
    charged, planned, lost = (found[f"num_{name}_steps"] for name in ("charged", "planned", "lost"))
    spent, whole = shown_epsilon(found["epsilon_charged"]), shown_epsilon(found["epsilon_planned"])
    print(f"{path}, {found['method']}: {charged} of {planned} planned steps are charged.")
    if found["processes"]:
        Console().print(_table(found["processes"]))
    if lost:
        print(
            f"{lost} charged steps are in no checkpoint: lost in a crash, or being taken now. They stay paid for; "
            "nothing is ever given back."
        )
    for one in found["one_shot"]:
        print(f"One-shot release {one['release']!r}, step {one['step']}: {_charged_by(one['charged_by'])}.")
    print(
        f"Epsilon charged so far: {spent}, of the {whole} that the whole plan costs and the statement claims; "
        f"delta = {found['delta']:g}."
    )
    left = found["num_left_steps"]
    print(f"Left: {left} steps." if left else "Left: nothing; a further step would exceed the budget and is refused.")


def _charged_by(indices: list[int]) -> str:
    if not indices:
        return "not charged yet"
    again = "" if len(indices) == 1 else ", each time anew, because a crash lost what came before"
    return f"charged by process {' and '.join(map(str, indices))}{again}"


def _table(accounts: list[dict[str, Any]]) -> Table:
    table = Table("process", "from step", "to step", "blocks", "charged", "lost", box=None, pad_edge=False)
    for one in accounts:
        names = ("process_index", "first_step", "end_step", "num_blocks", "num_charged_steps", "num_lost_steps")
        table.add_row(*(str(one[name]) for name in names))
    return table
