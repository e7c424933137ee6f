"""Plots of a finished training in `private/plots/`: its numbers, and epsilon over its steps."""

from __future__ import annotations

from gossamer.errors import ResourceError, is_lack_of_memory
from gossamer.extras import MissingExtra, from_extra
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.runs.folder import RunFolder

MOST_PRICES = 24
SECONDS_A_PRICE = 30.0
"""Training that pays for one more point of epsilon, which takes about a third of a second: a hundredth of the time."""


def plot_if_possible(folder: RunFolder, plan: AbstractPlan, delta: float, seconds: float) -> str | None:
    """Do as `plot_training` when all else is done, and never fail for it.

    Returns:
        The hindrance, None if there was none.
    """
    try:
        plot_training(folder, plan, delta, seconds)
    except (MissingExtra, ResourceError) as error:
        return str(error)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not is_lack_of_memory(error):
            raise
        return "out of memory"
    return None


def plot_training(folder: RunFolder, plan: AbstractPlan, delta: float, seconds: float) -> bool:
    """Write `training.png` and `training.svg`, if there is anything to draw.

    Args:
        folder: the run.
        plan: of the whole run.
        delta: of the statement.
        seconds: that the training took. A short one is not made longer by pricing many steps.

    Returns:
        True if there was something to draw.

    Raises:
        MissingExtra: the package that draws is not installed.
        ResourceError: a plot cannot be written.
    """
    with from_extra("report", "a plot of the training"):
        from gossamer.reports.curves import save_figure
        from gossamer.reports.training import read_tracks, training_curves
    tracks = read_tracks(folder.metrics_file)
    if not tracks:
        return False
    folder.plots.mkdir(exist_ok=True)
    spent = _spent(plan, delta, min(MOST_PRICES, int(seconds / SECONDS_A_PRICE)))
    save_figure(training_curves(tracks, spent, delta=delta), folder.plots / "training")
    return True


def _spent(plan: AbstractPlan, delta: float, num_points: int) -> tuple[tuple[int, float], ...]:
    """Price some of the steps, the last among them. A plan of a few releases gives nothing."""
    if num_points < 2 or plan.num_steps < num_points:
        return ()
    steps = sorted({max(1, round(plan.num_steps * place / num_points)) for place in range(1, num_points + 1)})
    return tuple((step, plan.first_steps(step).budget_at(delta).epsilon) for step in steps)
