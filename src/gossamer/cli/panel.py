"""The live panel of a training: its progress, its price, curves of losses, and samples as terminal pictures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.constrain import Constrain
from rich.control import Control
from rich.live import Live
from rich.panel import Panel as Frame
from rich.text import Text

from gossamer.cli.block_pictures import beside, braille, half_blocks, outline, shrunk, sparkline
from gossamer.cli.watching import AbstractWatcher, Glimpse, Price, Prices, figures_of
from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec
from gossamer.errors import GossamerError
from gossamer.methods.training import AbstractTraining, Progress
from gossamer.privacy.statement import shown_epsilon

REFRESHES_PER_SECOND: Final = 1.0
PRIVATE: Final = "For your eyes: losses may come from real records. Stopping or choosing runs by this must be declared."
STOPPING: Final = "Stopping at the next safe place. Ctrl-C again stops at once and may lose steps that are paid for."
_WIDEST = 100
_ECHO = 5
_MOST_PICTURE_ROWS = 14
_LEAST_PICTURE_ROWS = 4
_MOST_CURVES = 2
_LABEL = 13
_HISTORY = 512
_SERIES_WIDTH = 22
_ENOUGH, _SMALL, _LARGE = 5, 8, 28


class _SteadyLive(Live):
    """A live display that begins on an empty screen after the terminal has changed its size."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._size = self.console.size

    def refresh(self) -> None:
        """Draw."""
        with self._lock:
            if self.console.size != self._size and self.console.is_terminal:
                self._size = self.console.size
                self.console.control(Control.clear(), Control.home())
            super().refresh()


class History:
    """A curve in bounded memory: when it grows too long, neighbours are averaged."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.last = 0.0
        self._each, self._sum, self._num = 1, 0.0, 0

    def add(self, value: float) -> None:
        """Add the next value."""
        self.last = value
        self._sum, self._num = self._sum + value, self._num + 1
        if self._num < self._each:
            return
        self.values.append(self._sum / self._num)
        self._sum, self._num = 0.0, 0
        if len(self.values) >= _HISTORY:
            self.values = [(one + other) / 2 for one, other in zip(self.values[::2], self.values[1::2], strict=True)]
            self._each *= 2


class Panel(AbstractWatcher):
    """A panel that draws itself anew every second in place, as wide and high as the terminal then is.

    Args:
        title: method and run.
        console: the terminal.
        is_stopping: says if a stop was asked for.
    """

    def __init__(self, title: str, console: Console, is_stopping: Callable[[], bool]) -> None:
        self._title, self._is_stopping = title, is_stopping
        self._live = _SteadyLive(
            self, console=console, refresh_per_second=REFRESHES_PER_SECOND, vertical_overflow="crop"
        )
        self._part: Progress | None = None
        self._began, self._num_before = time.monotonic(), 0
        self._finished: list[str] = []
        self._curves: dict[str, History] = {}
        self._glimpse: Glimpse | None = None
        self._paid, self._budget = 0, ""
        self._prices, self._price = Prices(), Price(step=0, epsilon=0.0)
        self._training: AbstractTraining | None = None
        self._drawn: tuple[tuple[int, int, int, bool], list[Text]] | None = None

    def __enter__(self) -> Panel:
        self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        # The last state stays on the screen, so its price is that of its step, whatever ended the training.
        if self._training is not None and self._price.step != self._paid:
            with contextlib.suppress(GossamerError):
                self._price = self._prices.take(self._training, is_last=True) or self._price
        self._live.stop()

    def show(self, training: AbstractTraining, report: Any, glimpse: Glimpse | None) -> None:
        """Take in a report. The picture follows by itself."""
        part, now = training.progress(report), time.monotonic()
        if self._part is None or part.part != self._part.part:
            if self._part is not None:
                self._finished.append(f"{self._part.part}: {self._part.num_done:,} in {_clock(now - self._began)}")
            self._began, self._num_before = now, part.num_done - 1
        self._part, self._paid, self._training = part, training.num_paid_steps, training
        self._price = self._prices.take(training, is_last=False) or self._price
        self._budget = self._budget or shown_epsilon(training.statement.epsilon)
        for name, value in figures_of(report).items():
            self._curves.setdefault(name, History()).add(value)
        self._glimpse = glimpse or self._glimpse

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Short of the edge: the terminal echoes ^C there, and a line that wraps would leave half of the panel behind.
        width, height = min(options.max_width - _ECHO, _WIDEST), console.size.height
        if self._part is None:
            yield Text(f"{self._title}: beginning", no_wrap=True, overflow="ellipsis")
            return
        room = height - 3
        lines = self._lines(console, width - 4, room)
        if room < 4:
            yield Constrain(Group(*lines[: max(1, height - 1)]), width)
        else:
            yield Frame(Group(*lines), title=Text(self._title), title_align="left", box=box.ROUNDED, width=width)

    def _lines(self, console: Console, width: int, room: int) -> list[Text]:
        """Lay out the lines that fit, in the order of reading. The most important are kept first."""
        assert self._part is not None
        lines = [self._bar(self._part, width), self._spent(width)]
        footer = Text(STOPPING if self._is_stopping() else PRIVATE, "dim italic").wrap(console, width)
        room -= len(lines) + len(footer)
        curves = [_curve(name, one, width) for name, one in list(self._curves.items())[: min(_MOST_CURVES, room)]]
        room -= len(curves)
        pictures = self._pictures(console, width, room - 1)
        room -= len(pictures)
        done = [_line(text, "dim") for text in (self._finished[-min(2, room) :] if room > 0 else [])]
        return [*done, *lines, *curves, *pictures, *(footer if room >= 0 else [])]

    def _spent(self, width: int) -> Text:
        """Set the last epsilon that was computed beside the budget, with the step that it belongs to."""
        price = self._price
        if not price.step:
            return _line(f"{'epsilon':<{_LABEL}}{self._budget} is the budget, nothing spent yet")
        share = price.epsilon / float(self._budget) if float(self._budget) else 1.0
        text = f"{shown_epsilon(price.epsilon)} of {self._budget} at step {price.step:,}"
        if price.step != self._paid:
            text += f", {self._paid:,} paid for"
        return _with_bar("epsilon", share, text, width, "yellow")

    def _bar(self, part: Progress, width: int) -> Text:
        done = max(1, part.num_done - self._num_before)
        seconds = (time.monotonic() - self._began) / done * (part.num_all - part.num_done)
        text = f"{part.num_done:,} of {part.num_all:,}, {_clock(seconds)} left"
        return _with_bar(part.part, part.num_done / max(1, part.num_all), text, width, "green")

    def _pictures(self, console: Console, width: int, room: int) -> list[Text]:
        rows = min(_MOST_PICTURE_ROWS, room)
        if self._glimpse is None or rows < _LEAST_PICTURE_ROWS:
            return []
        is_coloured = takes_colours(console)
        key, known = (id(self._glimpse), width, rows, is_coloured), self._drawn
        if known is None or known[0] != key:
            seen = self._glimpse
            drawn = drawn_samples(seen.x, seen.spec, width, rows, is_coloured)
            known = self._drawn = key, [_line(f"samples at step {seen.step:,}", "dim"), *drawn]
        return known[1]


def takes_colours(console: Console) -> bool:
    """Ask for colours enough to draw images in."""
    return not console.no_color and console.color_system in ("truecolor", "256")


def drawn_samples(x: np.ndarray, spec: AbstractSpec, width: int, rows: int, is_coloured: bool) -> list[Text]:
    """Draw the first samples side by side, as many as fit.

    Args:
        x: (num, *spec.shape) in [0, 1].
        spec: of the samples.
        width: columns of characters.
        rows: lines, at most.
        is_coloured: half blocks in colours for images, not dots.
    """
    if isinstance(spec, ImageSpec):
        return beside(_image_pictures(x, width, rows, is_coloured))
    return beside(_series_pictures(x, width))


def _image_pictures(x: np.ndarray, width: int, rows: int, is_coloured: bool) -> list[Sequence[Text]]:
    """Draw as many images as fit: small ones enlarged while five fit, large ones shrunk until four do."""
    side_rows, columns = (2, 1) if is_coloured else (4, 2)
    _, _, image_height, image_width = x.shape

    def num_fitting(scale: float) -> int:
        high, wide = -(-int(image_height * scale) // side_rows), -(-int(image_width * scale) // columns)
        return (width + 1) // (wide + 1) if high <= rows else 0

    larger, smaller = 1, 1
    while num_fitting(larger + 1) >= _ENOUGH and (larger + 1) * image_height <= _LARGE:
        larger += 1
    while num_fitting(1 / smaller) < _ENOUGH - 1 and max(image_height, image_width) // smaller >= _SMALL:
        smaller += 1
    shown = x[: max(1, num_fitting(larger / smaller))]
    scaled = [shrunk(image, smaller).repeat(larger, axis=1).repeat(larger, axis=2) for image in shown]
    if is_coloured:
        return [half_blocks(image)[:rows] for image in scaled]
    return [[_line(text) for text in braille(image.mean(axis=0) > 0.5)][:rows] for image in scaled]


def _series_pictures(x: np.ndarray, width: int) -> list[Sequence[Text]]:
    each = min(_SERIES_WIDTH, width)
    num = max(1, (width + 1) // (each + 1))
    return [[_line(text, "cyan") for text in braille(outline(one, 12, 2 * each))] for one in x[:num]]


def _with_bar(label: str, share: float, text: str, width: int, colour: str) -> Text:
    line = _line(f"{label:<{_LABEL}}" if len(label) < _LABEL else f"{label} ")
    line.append(text)
    length = min(30, width - len(line) - 1)
    if length >= 5:
        filled = round(length * min(1.0, max(0.0, share)))
        line.append(" " * (width - len(line) - length))
        line.append("━" * filled, colour).append("─" * (length - filled), "dim")
    return line


def _curve(name: str, history: History, width: int) -> Text:
    line = _line(f"{name.replace('_', ' '):<{_LABEL}} {history.last:>10.4g} ")
    return line.append(sparkline(history.values, width - len(line)), "cyan")


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _clock(seconds: float) -> str:
    """Write minutes and seconds, and hours if there are any.

    >>> _clock(59.6), _clock(3700)
    ('1:00', '1:01:40')
    """
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
