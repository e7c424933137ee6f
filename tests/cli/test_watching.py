"""Watching a training: the live panel on any terminal, its cost, how it leaves the terminal; and event files."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import pty
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from gossamer.cli import following, watching
from gossamer.cli.block_pictures import braille, half_blocks, outline, shrunk, sparkline
from gossamer.cli.event_files import EventFiles
from gossamer.cli.panel import PRIVATE, REFRESHES_PER_SECOND, STOPPING, History, Panel
from gossamer.cli.watching import Glimpses, Plain, Prices, Watch, Watching, can_show_panel
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.driving.job import TrainingJob
from gossamer.driving.run import Run
from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.gs_wgan.private_critics import WarmStartReport
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.gs_wgan.training import StepReport
from gossamer.methods.training import Progress
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.folder import RunFolder

IMAGES = ImageSpec(channels=1, height=28, width=28, class_names=("a", "b"))
SERIES = SeriesSpec(channels=1, length=60, low=(0.0,), high=(1.0,))
PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=100, num_critics=10, num_steps=400, batch_size=4, draws_per_step=4, clip_norm=1.0,
    noise_multiplier=8.0,
)  # fmt: skip
CLAIM = PLAN.statement(ClaimTerms(delta=1e-4, method="gs-wgan", sample_size=20, is_secure=True))


class Seen:
    """What may be asked of a generator that would be released."""

    def __init__(self, spec: Any) -> None:
        self.recipe = self
        self.spec = spec
        self.statement = CLAIM

    def sample(self, num: int) -> tuple[torch.Tensor, None]:
        rng = torch.Generator().manual_seed(0)
        return torch.rand((num, *self.spec.shape), generator=rng), None


class Watched:
    """Looks like a training at a step."""

    def __init__(self, spec: Any = IMAGES) -> None:
        self.spec = spec
        self.step, self.end_step = 0, PLAN.num_steps
        self.statement = CLAIM
        self.num_glimpses = self.num_prices = 0

    @property
    def num_paid_steps(self) -> int:
        return self.step

    @property
    def is_over(self) -> bool:
        return self.step >= self.end_step

    def progress(self, report: Any) -> Progress:
        if isinstance(report, WarmStartReport):
            return Progress(part="critics of stage 1", num_done=report.num_ready, num_all=report.num_critics)
        return Progress(part="generator", num_done=report.step + 1, num_all=self.end_step)

    def epsilon_so_far(self) -> float:
        self.num_prices += 1
        return self.step / 100

    def trained_so_far(self) -> Any:
        self.num_glimpses += 1
        if self.step == 0:
            raise InputError("nothing learnt yet")
        return Seen(self.spec)

    def reports(self, num: int) -> list[Any]:
        """Reports of a warm start and some steps."""
        return [WarmStartReport(stage=0, num_ready=10, num_critics=10), *(self.report(step) for step in range(num))]

    def report(self, step: int) -> StepReport:
        """The report of a step, which is then done."""
        self.step = step + 1
        return StepReport(step=step, stage=0, answer_norm=1.0 + step % 7, critic_loss=-float(step))


def terminal(width: int = 90, height: int = 30, **abilities: Any) -> Console:
    abilities = {"color_system": "truecolor", "force_terminal": True, "legacy_windows": False} | abilities
    return Console(file=io.StringIO(), width=width, height=height, _environ={}, **abilities)


def forgetful() -> Any:
    """A source of prices that computes none before the last frame."""
    prices = Prices()
    prices._due = float("inf")
    return prices


def view_of(training: Watched, num_steps: int, *, is_stopping: bool = False) -> Panel:
    view, glimpses = Panel("gs-wgan: runs/first", terminal(), lambda: is_stopping), Glimpses()
    glimpses._due = 0.0
    for report in training.reports(num_steps):
        view.show(training, report, glimpses.take(training, report))
    return view


def drawn(view: Panel, console: Console) -> list[str]:
    """What stands on the screen, without colours."""
    with console.capture() as capture:
        console.print(view)
    return re.sub(r"\x1b\[[0-9;]*m", "", capture.get()).splitlines()


# ---- what it says --------------------------------------------------------------------------------------------------


def test_it_says_how_far_what_was_spent_of_what_and_that_losses_are_private() -> None:
    lines = drawn(view_of(Watched(), 120), terminal())
    text = "\n".join(lines)
    epsilon = shown_epsilon(CLAIM.epsilon)
    for words in ("gs-wgan: runs/first", "critics of stage 1: 10", "120 of 400", "left", f"of {epsilon} at step 120"):
        assert words in text
    assert "critic loss" in text
    assert "-119" in text
    assert " ".join(text.replace("│", " ").split()).count(PRIVATE) == 1


def test_the_price_shown_is_that_of_the_step_it_names_and_at_the_end_that_of_the_last() -> None:
    view, training = Panel("gs-wgan: runs/first", terminal(), lambda: False), Watched()
    for report in training.reports(1):
        view.show(training, report, None)
    view._prices = forgetful()
    for step in range(1, 100):
        view.show(training, training.report(step), None)
    epsilon = shown_epsilon(CLAIM.epsilon)
    assert any(f"0.010 of {epsilon} at step 1, 100 paid for" in line for line in drawn(view, terminal(100)))
    view.__exit__(None, None, None)
    assert any(f"1.000 of {epsilon} at step 100" in line for line in drawn(view, terminal(100)))
    assert training.num_prices == 2


def test_before_anything_is_spent_it_says_so() -> None:
    view = Panel("dp-cgan: x", terminal(), lambda: False)
    assert drawn(view, terminal()) == ["dp-cgan: x: beginning"]
    training = Watched()
    view.show(training, training.reports(0)[0], None)
    assert "nothing spent yet" in "\n".join(drawn(view, terminal()))


def test_a_wish_to_stop_is_answered_at_once() -> None:
    text = " ".join("\n".join(drawn(view_of(Watched(), 3, is_stopping=True), terminal())).replace("│", " ").split())
    assert STOPPING in text
    assert PRIVATE not in text


@pytest.mark.parametrize("spec", [Watched().spec, SERIES])
def test_samples_are_seen_where_the_terminal_can(spec: Any) -> None:
    view = view_of(Watched(spec), 3)
    rich, without = drawn(view, terminal()), drawn(view, terminal(no_color=True))
    assert any("samples at step 3" in line for line in rich)
    assert any("▀▀▀" in line for line in rich) == (spec is not SERIES)
    # Without colours a half block would be a white square: dots are drawn in their place.
    assert not any("▀" in line for line in without)
    assert sum(bool(re.search(r"[\u2801-\u28ff]", line)) for line in without) >= 3


@pytest.mark.parametrize("width", [40, 60, 79, 200])
@pytest.mark.parametrize("height", [6, 8, 12, 24, 60])
@pytest.mark.parametrize("spec", [Watched().spec, SERIES])
def test_it_fits_into_any_terminal(width: int, height: int, spec: Any) -> None:
    lines = drawn(view_of(Watched(spec), 30), terminal(width, height))
    assert len(lines) < height
    assert max(map(len, lines)) <= width - 4
    assert "30 of 400" in "\n".join(lines)


def test_a_curve_of_any_length_takes_bounded_memory_and_keeps_its_shape() -> None:
    history = History()
    for step in range(100_000):
        history.add(float(step))
    assert len(history.values) < 512
    assert history.values == sorted(history.values)
    assert history.last == 99_999.0


# ---- its parts -----------------------------------------------------------------------------------------------------


def test_half_blocks_carry_two_pixels_each() -> None:
    image = np.zeros((1, 3, 2))
    image[0, 0, 1] = image[0, 2, 0] = 1.0
    first, second = half_blocks(image)
    assert [(span.style.color.triplet, span.style.bgcolor.triplet) for span in (*first.spans, *second.spans)] == [
        ((0, 0, 0), (0, 0, 0)), ((255, 255, 255), (0, 0, 0)), ((255, 255, 255), (0, 0, 0)), ((0, 0, 0), (0, 0, 0)),
    ]  # fmt: skip


def test_dots_stand_where_they_should() -> None:
    dots = np.random.default_rng(0).random((8, 6)) > 0.5
    lines = braille(dots)
    bits = ((0, 3), (1, 4), (2, 5), (6, 7))
    read = [
        [bool((ord(lines[row // 4][column // 2]) - 0x2800) >> bits[row % 4][column % 2] & 1) for column in range(6)]
        for row in range(8)
    ]
    assert read == dots.tolist()


def test_the_outline_of_a_series_has_no_gap_and_the_right_ends() -> None:
    dots = outline(np.array([[0.0, 0.0, 1.0, 1.0]]), 12, 8)
    assert dots.any(axis=0).all()
    assert dots.any(axis=1).all()
    assert dots[-1, 0]
    assert dots[0, -1]


def test_a_sparkline_rises_where_the_numbers_rise() -> None:
    assert sparkline([3.0, 2.0, 1.0], 3) == "█▅▁" or sparkline([3.0, 2.0, 1.0], 3)[0] == "█"
    assert len(sparkline(list(range(1000)), 40)) == 40
    assert list(sparkline(list(range(1000)), 40)) == sorted(sparkline(list(range(1000)), 40))
    assert sparkline([], 5) == sparkline([1.0], 0) == ""


def test_shrinking_keeps_the_mean() -> None:
    image = np.random.default_rng(0).random((3, 8, 8))
    assert shrunk(image, 2).mean() == pytest.approx(image.mean())


# ---- glimpses ------------------------------------------------------------------------------------------------------


def test_glimpses_take_a_hundredth_of_the_time_at_most(monkeypatch: Any) -> None:
    wall, spent = [0.0], [0.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: wall[0])
    monkeypatch.setattr(watching.time, "thread_time", lambda: spent[0])

    class Dear(Watched):
        def trained_so_far(self) -> Any:
            spent[0], wall[0] = spent[0] + 0.5, wall[0] + 0.5
            return super().trained_so_far()

    training, glimpses = Dear(), Glimpses()
    for step in range(399):
        wall[0], spent[0] = wall[0] + 1.0, spent[0] + 1.0
        glimpses.take(training, training.report(step))
    assert 8 <= training.num_glimpses <= 12
    assert 0.5 * training.num_glimpses <= 0.016 * spent[0]
    # The last state is always seen.
    assert glimpses.take(training, training.report(399)) is not None


def test_whoever_watches_lines_pays_for_no_glimpse() -> None:
    training, watch = Watched(), Watch([Plain(watching_nothing())])
    with watch.opened():
        for report in training.reports(400):
            watch.show(training, report)
    assert training.num_glimpses == 0


def watching_nothing() -> Any:
    from gossamer.cli.progress import Lines

    return Lines()


# ---- the terminal --------------------------------------------------------------------------------------------------


def test_the_panel_is_for_terminals_that_can_be_drawn_over() -> None:
    assert can_show_panel(terminal())
    assert not can_show_panel(terminal(force_terminal=False))
    assert not can_show_panel(terminal(width=39))
    assert not can_show_panel(terminal(height=5))
    assert not can_show_panel(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert not can_show_panel(Console(file=ascii_only, force_terminal=True, width=90, height=30, _environ={}))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, InterruptedError])
def test_the_cursor_comes_back_whatever_ends_the_training(error: type[BaseException] | None) -> None:
    console, training = terminal(), Watched()
    ends = contextlib.nullcontext() if error is None else pytest.raises(error)
    with ends, Watch([Panel("x", console, lambda: False)]).opened() as watch:
        for report in training.reports(5):
            watch.show(training, report)
        if error is not None:
            raise error
    text = console.file.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0
    assert "5 of 400" in text


def test_after_a_change_of_size_it_is_drawn_on_an_empty_screen() -> None:
    console, training = terminal(), Watched()
    panel = Panel("x", console, lambda: False)
    with Watch([panel]).opened() as watch:
        for report in training.reports(2):
            watch.show(training, report)
        panel._live.refresh()
        assert "\x1b[2J" not in console.file.getvalue()
        console.size = (50, 12)
        panel._live.refresh()
        assert console.file.getvalue().count("\x1b[2J") == 1
        panel._live.refresh()
        assert console.file.getvalue().count("\x1b[2J") == 1


def a_run(path: Path) -> Run:
    job = TrainingJob(
        data="digits",
        data_dir=None,
        num_classes=None,
        delta=1e-5,
        device="cpu",
        precision="fp32",
        method=GSWGANConfig(),
    )
    return Run(folder=RunFolder(path), job=job, loaded=None)  # type: ignore[arg-type]


def test_plain_is_plain_on_a_terminal_too(monkeypatch: Any, tmp_path: Any) -> None:
    master, slave = pty.openpty()
    with os.fdopen(master, "rb"), os.fdopen(slave, "w") as err:
        monkeypatch.setattr("sys.stderr", err)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("LINES", "30")
        monkeypatch.setenv("COLUMNS", "90")
        kinds = {
            plain: [type(one) for one in following._watch(a_run(tmp_path), Watching(plain=plain), bool)._watchers]
            for plain in (False, True)
        }
    assert kinds == {False: [Panel], True: [Plain]}


def test_a_log_is_no_terminal_whatever_colours_are_forced(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("LINES", "30")
    (watcher,) = following._watch(a_run(tmp_path), Watching(), bool)._watchers
    assert type(watcher) is Plain


def test_drawing_once_a_second_costs_little() -> None:
    view, console = view_of(Watched(), 300), terminal(100, 50)
    begin = time.process_time()
    for _ in range(20):
        drawn(view, console)
    # 1 % of a processor, and for pictures of pure noise; with room for a slow machine.
    assert (time.process_time() - begin) / 20 * REFRESHES_PER_SECOND < 0.05


# ---- event files ---------------------------------------------------------------------------------------------------


def events_of(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


@pytest.mark.parametrize("spec", [IMAGES, SERIES])
def test_event_files_hold_losses_epsilon_and_samples(spec: Any, tmp_path: Path) -> None:
    training, glimpses = Watched(spec), Glimpses()
    with Watch([EventFiles(tmp_path / "events")]).opened() as watch:
        assert not (tmp_path / "events").exists()
        for step in range(40):
            glimpses._due = 0.0
            watch.show(training, training.report(step))
        watch._watchers[0].show(training, training.report(40), Glimpses().take(training, training.report(399)))
    events = events_of(tmp_path / "events")
    losses = events.Scalars("generator/critic_loss")
    assert [one.step for one in losses] == [*range(1, 42)]
    assert [one.value for one in losses] == [-float(step) for step in range(41)]
    (epsilon,) = events.Scalars("privacy/epsilon")
    assert (epsilon.step, epsilon.value) == (400, pytest.approx(CLAIM.epsilon))
    (picture,) = events.Images("samples")
    assert picture.encoded_image_string.startswith(b"\x89PNG")
    assert picture.width > picture.height


def test_what_a_crash_lost_is_drawn_once(tmp_path: Path) -> None:
    for first, last in ((0, 30), (20, 40)):
        training = Watched()
        with Watch([EventFiles(tmp_path)]).opened() as watch:
            for step in range(first, last):
                watch.show(training, training.report(step))
    losses = events_of(tmp_path).Scalars("generator/critic_loss")
    assert [one.step for one in losses] == [*range(1, 41)]


def test_a_training_asked_for_event_files_writes_them_and_goes_on_with_them_by_itself(
    train_tiny: Any, gossamer: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(2)
    assert train_tiny("digits", run, "--tensorboard").code == 130
    assert gossamer("resume", run).code == 0
    events = events_of(run / "private" / "tensorboard")
    assert [one.step for one in events.Scalars("generator/answer_norm")] == [*range(1, 13)]
    assert events.Scalars("privacy/epsilon")[-1].step == 12
    assert not [path for path in (run / "release").rglob("*") if "tfevents" in path.name]
    assert gossamer("verify", run).code == 0


def test_without_tensorboard_nothing_is_begun_and_one_line_says_what_to_install(
    train_tiny: Any, gossamer: Any, finished: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "tensorboard" else find(name, *more)
    )
    said = train_tiny("digits", tmp_path / "run", "--tensorboard")
    assert said.code == 2
    assert said.err.splitlines() == [
        "gossamer: --tensorboard needs tensorboard, which is not installed: pip install 'gossamer[tensorboard]'"
    ]
    assert not (tmp_path / "run").exists()
