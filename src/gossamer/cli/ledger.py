"""`gossamer ledger`: what a run has paid for, and what was lost of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import read_arguments
from gossamer.cli.job import TrainingJob, end_step, slots_kept
from gossamer.cli.options import Mark
from gossamer.cli.priceable import price
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.catalogue import book_of
from gossamer.privacy.ledger import Ledger, LedgerEntry
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.verification import num_done_steps


@dataclass(frozen=True, kw_only=True)
class ShowLedger:
    """What a run has paid for: steps planned, charged, lost in crashes and left, and the epsilon that they cost.

    Example: gossamer ledger runs/mnist

    Args:
        run: run folder
        json: print JSON
    """

    run: Annotated[Path, Mark.POSITIONAL]
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class ProcessAccount:
    """What one process charged.

    Attributes:
        process_index: from 0; each has a noise key of its own.
        first_step: with which it began, or took the run up.
        end_step: after the last step that it charged.
        num_blocks: entries in the ledger.
        num_charged_steps: in all of them.
        num_lost_steps: charged, and in no checkpoint that anybody went on from: lost in a crash, or just being taken.
    """

    process_index: int
    first_step: int
    end_step: int
    num_blocks: int
    num_charged_steps: int
    num_lost_steps: int


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


def account(folder: RunFolder) -> dict[str, Any]:
    """What the ledger of a run says, as plain types.

    Raises:
        InputError: settings, number of slots or ledger are gone or damaged.
        PrivacyError: the ledger charges what the plan has not.
    """
    job = TrainingJob.read(folder)
    plan, ledger, num_done = job.plan(slots_kept(folder)), read_ledger(folder.ledger_file), num_done_steps(folder)
    spent = plan.spent_by(ledger)
    charged = ledger.num_charged_steps
    planned = price(plan.event, job.delta)[0]
    epsilon = 0.0 if spent is None else planned if spent == plan.event else price(spent, job.delta)[0]
    return {
        "method": book_of(job.method).method.name,
        "num_planned_steps": plan.num_steps,
        "num_charged_steps": charged,
        "num_done_steps": num_done,
        "num_lost_steps": max(0, charged - num_done),
        "num_left_steps": _num_left(folder, plan, ledger, num_done, job.delta),
        "delta": job.delta,
        "epsilon_charged": epsilon,
        "epsilon_planned": planned,
        "processes": [asdict(each) for each in processes(ledger, num_done)],
        "one_shot": one_shots(plan, ledger),
    }


def _num_left(folder: RunFolder, plan: AbstractPlan, ledger: Ledger, num_done: int, delta: float) -> int:
    """Steps that are still made; what is charged and not done counts as lost, and may cost more than a step of them."""
    left = ledger.remaining_steps(plan.num_steps)
    if left == 0 or ledger.num_charged_steps == num_done:
        return left
    try:
        lost = ledger.lost_steps(num_done)
    except PrivacyError as error:
        raise PrivacyError(f"{folder.ledger_file}: {error}") from None
    return min(left, end_step(plan, num_done, lost, delta) - num_done)


def processes(ledger: Ledger, num_done: int) -> list[ProcessAccount]:
    """The blocks of each process together. The next one takes the run up where a checkpoint was: what lies beyond is
    lost.
    """
    groups = [list(group) for _, group in itertools.groupby(ledger.entries, lambda entry: entry.process_index)]
    taken_up = [group[0].first_step for group in groups[1:]] + [num_done]
    return [_of_process(group, until) for group, until in zip(groups, taken_up, strict=len(groups) > 0)]


def one_shots(plan: AbstractPlan, ledger: Ledger) -> list[dict[str, Any]]:
    """For each one-shot release of a plan, its step and the processes that charged it, each time anew."""
    match plan:
        case OneShotPlan():
            names = {step: release.name for step, release in enumerate(plan.releases)}
        case _:
            names = {}
    return [
        {"release": name, "step": step, "charged_by": [one.process_index for one in ledger.entries if _has(one, step)]}
        for step, name in names.items()
    ]


def _has(entry: LedgerEntry, step: int) -> bool:
    return entry.first_step <= step < entry.end_step


def _of_process(entries: list[LedgerEntry], taken_up_at: int) -> ProcessAccount:
    end = entries[-1].end_step
    return ProcessAccount(
        process_index=entries[0].process_index,
        first_step=entries[0].first_step,
        end_step=end,
        num_blocks=len(entries),
        num_charged_steps=sum(entry.num_steps for entry in entries),
        num_lost_steps=max(0, end - max(taken_up_at, entries[0].first_step)),
    )


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
