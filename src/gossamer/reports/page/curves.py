"""Scores of the private report as pictures: an interval beside its reference, a score over epsilon."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gossamer.privacy.statement import shown_epsilon
from gossamer.reports.page.figures import Mark, points
from gossamer.reports.page.kept import ScoreCurve, ScoreLine
from gossamer.reports.page.wording import number

_WIDTH, _HEIGHT, _LEFT, _TOP = 190.0, 96.0, 40.0, 10.0
_ROOM = 0.06


@dataclass(frozen=True, kw_only=True)
class CurvePicture:
    """A score over epsilon in a box of 240 by 132.

    Attributes:
        line: points of the values.
        band: points around the intervals.
        dots: places of the values, with the value and epsilon in words.
        x_ticks: epsilons.
        y_ticks: values.
        alt: the whole in words.
    """

    line: str
    band: str
    dots: tuple[Mark, ...]
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    alt: str


def interval_bar(line: ScoreLine) -> dict[str, float | None]:
    """Draw a score that is a share from 0 to 1, in a box of 100 by 12: its place, interval and reference."""
    score = line.score
    low, at, high = (100.0 * share for share in (score.low, score.value, score.high))
    return {"low": low, "at": at, "high": high, "real": None if line.real is None else 100.0 * line.real.value}


def curve_picture(curve: ScoreCurve) -> CurvePicture:
    """Draw a score over epsilon, on a logarithmic axis."""
    epsilons = [epsilon for epsilon, _ in curve.points]
    scores = [score for _, score in curve.points]
    lowest, highest = min(score.low for score in scores), max(score.high for score in scores)
    room = _ROOM * (highest - lowest) or 1.0
    lowest, highest = lowest - room, highest + room
    span = math.log(epsilons[-1] / epsilons[0])

    def x_of(epsilon: float) -> float:
        return round(_LEFT + _WIDTH * math.log(epsilon / epsilons[0]) / span, 2)

    def y_of(value: float) -> float:
        return round(_TOP + _HEIGHT * (highest - value) / (highest - lowest), 2)

    x = [x_of(epsilon) for epsilon in epsilons]
    low, high = ([y_of(getattr(score, end)) for score in scores] for end in ("low", "high"))
    at = [y_of(score.value) for score in scores]
    shown = [min(scores, key=lambda score: score.value).value, max(scores, key=lambda score: score.value).value]
    words = [f"{number(score.value)} at epsilon {_short(epsilon)}" for epsilon, score in curve.points]
    return CurvePicture(
        line=points(x, at, 6),
        band=points([*x, *reversed(x)], [*low, *reversed(high)], 6),
        dots=tuple(Mark(x=one, y=other, text=text) for one, other, text in zip(x, at, words, strict=True)),
        x_ticks=tuple(Mark(x=place, y=0.0, text=_short(epsilon)) for place, epsilon in _apart(x, epsilons)),
        y_ticks=tuple(Mark(x=0.0, y=y_of(value), text=number(value)) for value in dict.fromkeys(shown)),
        alt="; ".join(words),
    )


def _short(epsilon: float) -> str:
    """Round up, and drop zeros at the end."""
    return shown_epsilon(epsilon).rstrip("0").rstrip(".")


def _apart(x: list[float], epsilons: list[float]) -> list[tuple[float, float]]:
    """Keep ticks that do not run into each other, the last one among them."""
    kept = [(x[-1], epsilons[-1])]
    for place, epsilon in zip(reversed(x[:-1]), reversed(epsilons[:-1]), strict=True):
        if kept[-1][0] - place >= 24.0:
            kept.append((place, epsilon))
    return kept
