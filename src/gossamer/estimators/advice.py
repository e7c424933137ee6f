"""Warnings of a training: whom it does not protect, how little it can learn, undeclared runs, and noise at its end."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field

from gossamer.data.records import RecordData
from gossamer.driving.protection import describe_prospect, describe_unit
from gossamer.errors import GossamerWarning
from gossamer.mechanisms.prospect import CLEAR_RATIO
from gossamer.methods.training import AbstractTraining
from gossamer.methods.verdict import Verdict
from gossamer.privacy.statement import round_up

_PACKAGE = __name__.split(".")[0]
UNDECLARED = (
    "another model of this process was trained before: if it learnt from the same records, or from some of them, the "
    "epsilons and deltas add up; this statement declares the earlier runs of this object alone, and "
    "num_tuning_runs=... declares others"
)
"""Said if a training begins after those of other objects that are not declared."""

DRAWN_ANEW = (
    "no run's key says who was held out: test records are drawn anew, and the training may have learnt from them; "
    "name the run, evaluate(..., run=...), or hand over the records of load_records"
)
"""Said of scores on test records that the training may have learnt from."""


@dataclass(eq=False)
class Starts:
    """Trainings that were started, each run folder once. Nothing of their records is kept.

    Attributes:
        number: of trainings.
    """

    number: int = 0
    _run_ids: set[str] = field(default_factory=set, repr=False)

    def add(self, run_id: str | None) -> None:
        """Count a training. One in a run folder counts once, however often it goes on."""
        if run_id is None or run_id not in self._run_ids:
            self.number += 1
        if run_id is not None:
            self._run_ids.add(run_id)


# Privacy: it counts trainings of the process, and knows nothing of any record. The one piece of state that a module
# keeps here, because objects that do not know each other may learn from the same people.
OF_PROCESS = Starts()


def advice(training: AbstractTraining, data: RecordData) -> tuple[str, ...]:
    """Return lines on a training that is about to begin. All of them are functions of public things."""
    plan, lines = training.plan, []
    unprotected = describe_unit(data, plan.unit.value)
    if unprotected is not None:
        lines.append(unprotected)
    if data.unread:
        lines.append(f"not read: {', '.join(data.unread)}")
    lines.extend(training.remarks)
    # For trainings on records the bound says too little to be worth a line, unless each step is a release.
    if plan.unit.is_group or plan.step_names:
        prospect = training.prospect()
        if prospect.is_hopeless or prospect.ratio < CLEAR_RATIO:
            lines.append(describe_prospect(prospect, round_up(training.statement.epsilon), plan.unit))
    return tuple(lines)


def count_start(own: Starts, run_id: str | None) -> None:
    """Count a training among those of its object, and of the process."""
    own.add(run_id)
    OF_PROCESS.add(run_id)


def undeclared(own: Starts, num_declared: int) -> tuple[str, ...]:
    """Return a line if other objects of the process have started more trainings than are declared.

    Args:
        own: trainings of the object, which its statements declare.
        num_declared: earlier runs that the user declares.
    """
    return (UNDECLARED,) if OF_PROCESS.number - own.number > num_declared else ()


def of_noise(verdict: Verdict | None) -> tuple[str, ...]:
    """Return a line if a release is noise, with the advice of the command and the reason."""
    if verdict is None or verdict.warning is None:
        return ()
    return (f"{verdict.warning}. {' '.join(verdict.sentences)}",)


def warn(lines: tuple[str, ...]) -> None:
    """Give one warning of all lines, if there are any, at the place in the caller's own code."""
    if lines:
        warnings.warn("\n".join(lines), GossamerWarning, stacklevel=_levels_up())


def _levels_up() -> int:
    """Count the frames of this package above the caller, as `stacklevel` of `warnings.warn` counts them."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == _PACKAGE:
        frame, levels = frame.f_back, levels + 1
    return levels
