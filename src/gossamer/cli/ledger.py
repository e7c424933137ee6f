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
from gossamer.driving.data_account import MOST_FOLDERS, DataAccount, account_of_data
from gossamer.driving.spending import account
from gossamer.errors import InputError, one_line
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class ShowLedger:
    """Show the account of a run: steps planned, charged, lost in crashes and left, and the epsilon that they cost.

    Or, with --data, list all releases from one data set and their price together.

    Example: gossamer ledger runs/mnist

    Example: gossamer ledger --data mnist --under runs

    Args:
        run: run folder
        data: in place of a run: name or path of a data set, as it was trained on
        under: with --data: folders in which runs lie, and folders in them, four deep. Default: this folder
        json: print JSON
    """

    run: Annotated[Path | None, Mark.POSITIONAL] = None
    data: str | None = None
    under: tuple[Path, ...] = ()
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Show the ledger of a run, or the account of a data set."""
    asked = read_arguments(ShowLedger, arguments, program="ledger")
    if asked.data is not None and asked.run is None:
        _show_data(asked.data, account_of_data(asked.data, asked.under or (Path(),)), is_json=asked.json)
        return 0
    if asked.run is None or asked.data is not None or asked.under:
        raise InputError("ledger: name a run folder, or a data set with --data (and --under for folders); not both")
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
    are, they = ("is", "It stays") if lost == 1 else ("are", "They stay")
    spent, whole = shown_epsilon(found["epsilon_charged"]), shown_epsilon(found["epsilon_planned"])
    print(f"{path}, {found['method']}: {charged} of {planned} planned steps are charged.")
    if found["processes"]:
        Console().print(_table(found["processes"]))
    if lost:
        print(
            f"{_steps(lost, 'charged ')} {are} in no checkpoint: lost in a crash, or being taken now. {they} paid for; "
            "nothing is ever given back."
        )
    for one in found["one_shot"]:
        print(f"One-shot release {one['release']!r}, step {one['step']}: {_charged_by(one['charged_by'])}.")
    print(
        f"Epsilon charged so far: {spent}, of the {whole} that the whole plan costs and the statement claims; "
        f"delta = {found['delta']:g}."
    )
    left = found["num_left_steps"]
    print(f"Left: {_steps(left)}." if left else "Left: nothing; a further step would exceed the budget and is refused.")


def _show_data(data: str, found: DataAccount, *, is_json: bool) -> None:
    """Show the releases from one data set, and their price together."""
    if is_json:
        print(json.dumps(_data_tree(data, found), indent=2))
        return
    here = "1 run is" if len(found.runs) == 1 else f"{len(found.runs)} runs are"
    print(f"{data}: {here} here, {len(found.released)} of them with a release.")
    table = Table("run", "method", "unit", "epsilon", "delta", "day", box=None, pad_edge=False)
    for run in found.runs:
        claim = run.statement
        told = (
            ("none", "", "") if claim is None else (shown_epsilon(claim.epsilon), f"{claim.delta:g}", claim.date or "")
        )
        table.add_row(one_line(run.name), run.job.of_method.name, run.job.unit, *told)
    if found.runs:
        Console().print(table)
    for path in found.unread:
        print(f"{one_line(path)}: cannot be read, so whether it is of these records cannot be told.")
    for path in found.cut_short:
        print(
            f"{one_line(path)}: holds more than {MOST_FOLDERS} folders, and those beyond were not looked into: name "
            "the ones in which runs lie with --under."
        )
    print(_sum_in_words(found))
    print("Runs in other folders, on other machines, or deleted since are not counted: nobody can see them from here.")


def _sum_in_words(found: DataAccount) -> str:
    if found.together is None:
        return f"No sum: {found.reason}."
    sum_ = found.together
    how = ""
    if sum_.branches:
        how = ", shared steps of branches counted once" if sum_.is_priced_once else ", branches of one run added up"
    return (
        f"All releases together: epsilon {shown_epsilon(sum_.epsilon)} at delta {sum_.delta:g}, for "
        f"{sum_.unit.protected}{how}."
    )


def _data_tree(data: str, found: DataAccount) -> dict[str, Any]:
    together = found.together
    return {
        "data": data,
        "runs": [
            {
                "run": run.name,
                "method": run.job.of_method.name,
                "unit": run.job.unit,
                "epsilon": None if run.statement is None else run.statement.epsilon,
                "delta": None if run.statement is None else run.statement.delta,
                "date": None if run.statement is None else run.statement.date,
                "run_id": None if run.statement is None else run.statement.run_id,
            }
            for run in found.runs
        ],
        "unread": list(found.unread),
        "cut_short": list(found.cut_short),
        "epsilon_together": None if together is None else together.epsilon,
        "delta_together": None if together is None else together.delta,
        "reason": found.reason,
    }


def _steps(number: int, kind: str = "") -> str:
    return f"{number} {kind}step{'' if number == 1 else 's'}"


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
