"""The live panel of a training: its progress, its price, curves of losses, and samples as terminal pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.constrain import Constrain
from rich.control import Control
from rich.live import Live
from rich.panel import Panel as Frame
from rich.text import Text

from gossamer.cli.block_pictures import sparkline
from gossamer.cli.sample_pictures import MOST_ROWS, has_colours, sample_pictures
from gossamer.cli.watching import AbstractWatcher, Glimpse, figures_of
from gossamer.methods.training import AbstractTraining, Progress
from gossamer.privacy.statement import shown_epsilon

REFRESHES_PER_SECOND: Final = 1.0
PRIVATE: Final = "For your eyes: losses may come from real records. Stopping or choosing runs by this must be declared."
STOPPING: Final = "Stopping at the next safe place. Ctrl-C again stops at once and may lose steps that are paid for."
_WIDEST = 100
_ECHO = 5
_LEAST_PICTURE_ROWS = 4
_MOST_CURVES = 2
_LABEL = 13
_HISTORY = 512


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
        self._drawn: tuple[tuple[int, int, int, bool], list[Text]] | None = None

    def __enter__(self) -> Panel:
        self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        # The cursor is shown again and the last state stays, whatever ended the training.
        self._live.stop()

    def show(self, training: AbstractTraining, report: Any, glimpse: Glimpse | None) -> None:
        """Take in a report. The picture follows by itself."""
        part, now = training.progress(report), time.monotonic()
        if self._part is None or part.part != self._part.part:
            if self._part is not None:
                self._finished.append(f"{self._part.part}: {self._part.num_done:,} in {_clock(now - self._began)}")
            self._began, self._num_before = now, part.num_done - 1
        self._part, self._paid = part, training.num_paid_steps
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
        """Set the last epsilon that was computed beside the budget."""
        if self._glimpse is None:
            so_far = "nothing spent yet" if not self._paid else f"{self._paid:,} steps paid for"
            return _line(f"{'epsilon':<{_LABEL}}{self._budget} is the budget, {so_far}")
        share = self._glimpse.epsilon / float(self._budget) if float(self._budget) else 1.0
        text = f"{shown_epsilon(self._glimpse.epsilon)} of {self._budget} at step {self._glimpse.step:,}"
        return _with_bar("epsilon", share, text, width, "yellow")

    def _bar(self, part: Progress, width: int) -> Text:
        done = max(1, part.num_done - self._num_before)
        seconds = (time.monotonic() - self._began) / done * (part.num_all - part.num_done)
        text = f"{part.num_done:,} of {part.num_all:,}, {_clock(seconds)} left"
        return _with_bar(part.part, part.num_done / max(1, part.num_all), text, width, "green")

    def _pictures(self, console: Console, width: int, room: int) -> list[Text]:
        rows = min(MOST_ROWS, room)
        if self._glimpse is None or rows < _LEAST_PICTURE_ROWS:
            return []
        is_coloured = has_colours(console)
        key, known = (id(self._glimpse), width, rows, is_coloured), self._drawn
        if known is None or known[0] != key:
            known = self._drawn = key, _pictures_of(self._glimpse, width, rows, is_coloured)
        return known[1]


def _pictures_of(glimpse: Glimpse, width: int, rows: int, is_coloured: bool) -> list[Text]:
    drawn = sample_pictures(glimpse.x, glimpse.spec, width, rows, is_coloured=is_coloured)
    return [_line(f"samples at step {glimpse.step:,}", "dim"), *drawn]


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
