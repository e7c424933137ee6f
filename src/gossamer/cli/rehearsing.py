"""The show of a dry run before anything is spent: a rehearsal on stand-ins, or the nearest measured training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console

from gossamer.cli.panel import drawn_samples, takes_colours
from gossamer.cli.worth import told
from gossamer.data.records import AbstractSpec
from gossamer.driving.rehearsal import Rehearsal, can_be_rehearsed, rehearsed
from gossamer.methods.measured import Measured, measured, nearest
from gossamer.methods.method import Method
from gossamer.privacy.slots import PublicSlots

_WIDEST = 100
_MOST_SHOWN = 20
_MOST_ROWS = 14


def show_rehearsal(
    method: Method[Any], config: Any, spec: AbstractSpec, slots: PublicSlots, device: torch.device, epsilon: float
) -> None:
    """Print picture and verdict of a rehearsal for a method of sums, and the nearest measured training for others.

    Guarantee: nothing is spent and nothing is written. All of it follows from public settings and numbers.

    Args:
        method: the method.
        config: settings with a noise multiplier.
        spec: shape and classes.
        slots: their public number.
        device: where to compute.
        epsilon: price of the settings.
    """
    if can_be_rehearsed(method.plan(config, slots)):
        print("a rehearsal on made-up stand-ins for your records follows: it takes less than a minute", flush=True)
        _show(rehearsed(method, config, spec, slots, device), spec)
    else:
        rows = [row for row in measured() if row.method == method.name]
        print(estimated(nearest(rows, spec.shape, slots.number, epsilon, is_own=True), method.name))


def _show(made: Rehearsal, spec: AbstractSpec) -> None:
    console = Console()
    width = min(console.width - 1, _WIDEST)
    x, _ = made.trained.sample(_MOST_SHOWN)
    for line in drawn_samples(x.numpy(), spec, width, _MOST_ROWS, takes_colours(console)):
        console.print(line)
    for sentence in described(made):
        print(sentence)


def described(made: Rehearsal) -> Sequence[str]:
    """Say the origin of the picture, and the verdict on it."""
    each = f"{made.num_computed:,} computed" if made.num_computed < made.num_slots else "each computed"
    lines = [
        f"rehearsal: the samples above were learnt from {made.num_slots:,} stand-ins ({each}), made up from a public "
        "seed, with the settings and noise of this plan. They are no forecast for your data, and nothing was spent"
    ]
    if made.share_fitted < 1:
        lines.append(
            f"rehearsal: the work after the sums was broken off after {made.share_fitted:.0%} of its steps, to save "
            "time. A training makes all of them"
        )
    verdict = made.trained.verdict
    return lines if verdict is None else [*lines, f"on stand-ins: {told(verdict)}"]


def estimated(row: Measured | None, method: str) -> str:
    """Name the nearest training that was measured on public data, in a line."""
    if row is None:
        return f"estimate: {method} was not measured on such records"
    return (
        f"estimate: {method} on {row.where} at epsilon {row.epsilon:g}, the nearest that was measured: {row.score} "
        f"{row.value:.2f}, where real records teach {row.real:.2f} and guessing is {row.guessing:.2f} ({row.source}). "
        "That is no forecast for your data"
    )
