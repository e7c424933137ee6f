"""All that is said before a training spends anything: price, public facts, advice, and generators on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from gossamer.data.records import RecordData
from gossamer.driving.milestones import Milestone
from gossamer.driving.protection import describe_prospect, describe_unit
from gossamer.mechanisms.prospect import CLEAR_RATIO
from gossamer.methods.method import TakenRecipe
from gossamer.privacy.statement import PrivacyStatement, round_up, shown_epsilon

if TYPE_CHECKING:
    from gossamer.methods.training import AbstractTraining

TUNING_NOTE = (
    "Each may be shared, and all of them with the final one, at the final epsilon. Choosing among them by a score on "
    "private data is tuning: no statement covers it."
)


def show_milestones(milestones: Sequence[Milestone]) -> None:
    """Print a table of the milestones asked for, their steps, and the epsilon that is really spent there."""
    table = Table("generator saved at", "after step", "epsilon spent", box=None, pad_edge=False)
    for milestone in milestones:
        table.add_row(", ".join(milestone.asked), str(milestone.step), shown_epsilon(milestone.epsilon))
    Console().print(table)
    print(TUNING_NOTE)


def announce(statement: PrivacyStatement, data: RecordData, recipe: TakenRecipe) -> None:
    """Print the claim before anything is spent: the figures of the statement itself."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("recipe", recipe.describe())
    table.add_row("epsilon by PLD (claimed)", shown_epsilon(statement.epsilon))
    if statement.epsilon_rdp is not None:
        table.add_row("epsilon by RDP (looser)", shown_epsilon(statement.epsilon_rdp))
    slots = f"one over the number of slots: {1 / statement.num_slots:.2g}"
    table.add_row("delta", f"{statement.delta:g} ({slots})")
    table.add_row("noise multiplier", f"{statement.noise_multiplier:.5g}")
    table.add_row("slots", str(statement.num_slots))
    for name, value in statement.parameters:
        table.add_row(name.replace("_", " "), f"{value:g}" if isinstance(value, float) else str(value))
    Console().print(table)
    if data.columns is not None:
        print(f"read as: {data.columns.sentence}")
    for sentence in data.public_notes:
        print(f"public: {sentence}")
    if data.unread:
        print(f"not read: {', '.join(data.unread)}")


def advise(training: AbstractTraining, data: RecordData) -> None:
    """Say whom the guarantee is for, and how much it can buy at this number of slots. All of it is public."""
    plan = training.plan
    said = describe_unit(data, plan.unit.value)
    if said is not None:
        print(said)
    for remark in training.remarks:
        print(remark)
    # For trainings on records the bound says too little to be worth a line.
    if plan.unit.is_group or plan.step_names:
        prospect = training.prospect()
        if plan.unit.is_group or prospect.ratio < CLEAR_RATIO:
            print(describe_prospect(prospect, round_up(training.statement.epsilon), plan.unit))
