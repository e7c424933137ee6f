"""The spending of a run: the steps that its ledger has paid for, and those lost of them."""

from __future__ import annotations

import itertools
from typing import Any

from gossamer.driving.job import TrainingJob
from gossamer.driving.run import slots_kept
from gossamer.errors import PrivacyError
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.priceable import price
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.verification import num_done_steps


def account(folder: RunFolder) -> dict[str, Any]:
    """Return the account that the ledger of a run gives, as plain types.

    Raises:
        InputError: settings, number of slots or ledger are gone or damaged.
        PrivacyError: the ledger charges steps that the plan has not.
    """
    job = TrainingJob.read(folder)
    plan, ledger, num_done = job.plan(slots_kept(folder)), read_ledger(folder.ledger_file), num_done_steps(folder)
    spent = plan.spent_by(ledger)
    charged = ledger.num_charged_steps
    planned = price(plan.event, job.delta)[0]
    epsilon = 0.0 if spent is None else planned if spent == plan.event else price(spent, job.delta)[0]
    return {
        "method": job.of_method.name,
        "num_planned_steps": plan.num_steps,
        "num_charged_steps": charged,
        "num_done_steps": num_done,
        "num_lost_steps": max(0, charged - num_done),
        "num_left_steps": _num_left(folder, plan, ledger, num_done),
        "delta": job.delta,
        "epsilon_charged": epsilon,
        "epsilon_planned": planned,
        "processes": processes(ledger, num_done),
        "one_shot": one_shots(plan, ledger),
    }


def _num_left(folder: RunFolder, plan: AbstractPlan, ledger: Ledger, num_done: int) -> int:
    """Count the steps that are still made. Those charged and not done count as lost, and may cost more."""
    left = ledger.remaining_steps(plan.num_steps)
    if left == 0 or ledger.num_charged_steps == num_done:
        return left
    try:
        lost = ledger.lost_steps(num_done)
    except PrivacyError as error:
        raise PrivacyError(f"{folder.ledger_file}: {error}") from None
    return min(left, plan.end_step(num_done, lost) - num_done)


def processes(ledger: Ledger, num_done: int) -> list[dict[str, int]]:
    """Gather the blocks of each process, which has a noise key of its own.

    The next process takes the run up where a checkpoint was, and the steps beyond that are lost.
    """
    groups = [list(group) for _, group in itertools.groupby(ledger.entries, lambda entry: entry.process_index)]
    taken_up = [group[0].first_step for group in groups[1:]] + [num_done]
    return [
        {
            "process_index": first.process_index,
            "first_step": first.first_step,
            "end_step": last.end_step,
            "num_blocks": len(group),
            "num_charged_steps": sum(entry.num_steps for entry in group),
            # In no checkpoint that anybody went on from: lost in a crash, or just being taken.
            "num_lost_steps": max(0, last.end_step - max(until, first.first_step)),
        }
        for group, until in zip(groups, taken_up)
        for first, last in ((group[0], group[-1]),)
    ]


def one_shots(plan: AbstractPlan, ledger: Ledger) -> list[dict[str, Any]]:
    """Return, for each one-shot release of a plan, its step and the processes that charged it, each time anew."""
    return [
        {
            "release": name,
            "step": step,
            "charged_by": [one.process_index for one in ledger.entries if one.first_step <= step < one.end_step],
        }
        for step, name in enumerate(plan.step_names)
    ]
