"""The verdict on a release, said on the terminal with a picture of samples under it."""

from __future__ import annotations

from rich.console import Console

from gossamer.cli.panel import drawn_samples, takes_colours
from gossamer.cli.watching import can_show_panel
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.verdict import Verdict

_WIDEST = 96
_ROWS = 14
_NUM_DRAWN = 10


def show_worth(trained: TrainedGenerator, *, is_plain: bool) -> None:
    """Print the verdict on a generator, and under it some samples if the terminal can show them.

    Args:
        trained: with its verdict. Without one nothing is printed.
        is_plain: words alone.
    """
    if trained.verdict is None:
        return
    print(f"\n{told(trained.verdict)}")
    console = Console()
    if not is_plain and can_show_panel(console):
        x, _ = trained.sample(_NUM_DRAWN)
        width = min(_WIDEST, console.size.width - 1)
        for line in drawn_samples(x.numpy(), trained.recipe.spec, width, _ROWS, takes_colours(console)):
            console.print(line)


def told(verdict: Verdict) -> str:
    """Write a verdict as one paragraph, the grade first."""
    return f"Verdict: {verdict.grade.value}. {' '.join(verdict.sentences)}"


def warning(trained: TrainedGenerator) -> str | None:
    """Return a line for those who draw from a generator of noise, else None."""
    return None if trained.verdict is None else trained.verdict.warning
