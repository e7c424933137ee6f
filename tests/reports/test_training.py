"""Plots of a training: drawn is what was measured; short and damaged metrics draw nothing; pictures are whole."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from gossamer.driving import training_plot
from gossamer.driving.training_plot import plot_if_possible, plot_training
from gossamer.errors import ResourceError
from gossamer.extras import MissingExtra
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy.adjacency import Unit
from gossamer.reports.training import LEAST_POINTS, Track, read_tracks, training_curves
from gossamer.runs.folder import RunFolder

PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=100, num_critics=10, num_steps=40, batch_size=4, draws_per_step=4, clip_norm=1.0,
    noise_multiplier=8.0,
)  # fmt: skip


def metrics(path: Path, *lines: Any) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def steps(first: int, last: int, shift: float = 0.0) -> list[dict[str, Any]]:
    return [
        {"step": step, "stage": 0, "answer_norm": 2.0 + step, "critic_loss": shift - step, "release": "x"}
        for step in range(first, last)
    ]


def test_numbers_are_read_with_losses_first_and_counts_left_out(tmp_path: Path) -> None:
    tracks = read_tracks(metrics(tmp_path / "m", *steps(0, 30)))
    assert [(track.name, track.axis) for track in tracks] == [("critic_loss", "step"), ("answer_norm", "step")]
    assert tracks[0].points == tuple((step, -float(step)) for step in range(30))


def test_a_fit_is_drawn_over_its_updates(tmp_path: Path) -> None:
    lines = [
        {"step": 1, "num_updates": 25 * place, "loss": math.nan if place == 0 else -place / 3} for place in range(30)
    ]
    (track,) = read_tracks(metrics(tmp_path / "m", *lines))
    assert (track.name, track.axis, len(track.points), track.points[0]) == ("loss", "update", 29, (25, -1 / 3))


def test_steps_that_were_done_again_count_as_they_were_done_last(tmp_path: Path) -> None:
    track, _ = read_tracks(metrics(tmp_path / "m", *steps(0, 25), *steps(20, 30, shift=100.0)))
    assert [value for _, value in track.points] == [
        *(-float(step) for step in range(20)),
        *(100.0 - step for step in range(20, 30)),
    ]


def test_what_is_short_absent_or_damaged_draws_nothing(tmp_path: Path) -> None:
    assert read_tracks(tmp_path / "none") == ()
    assert read_tracks(metrics(tmp_path / "short", *steps(0, LEAST_POINTS - 1))) == ()
    damaged = ("{", "[1]", '"x"', "[" * 5000, {"step": "x", "loss": 1.0}, {"step": True, "loss": 1.0}, {"loss": 2.0})
    assert read_tracks(metrics(tmp_path / "damaged", *damaged * 30)) == ()
    assert len(read_tracks(metrics(tmp_path / "torn", *steps(0, 30), '{"step": 30, "cri'))) == 2


def test_the_figure_shows_the_numbers_the_price_and_that_it_is_private() -> None:
    values = tuple((step, float(step % 5)) for step in range(100))
    figure = training_curves(
        [Track(name="critic_loss", axis="step", points=values)], [(50, 1.5), (100, 2.0)], delta=1e-5
    )
    drawn = {line.get_gid(): line for axes in figure.axes for line in axes.lines}
    assert drawn["critic_loss-values"].get_xydata().tolist() == [list(point) for point in values]
    means = drawn["critic_loss-means"].get_ydata()
    assert np.allclose(means[10:-10], [np.mean([value for _, value in values[i - 2 : i + 3]]) for i in range(10, 90)])
    assert drawn["epsilon"].get_xydata().tolist() == [[50.0, 1.5], [100.0, 2.0]]
    assert [axes.get_title() for axes in figure.axes] == ["critic loss", "epsilon (delta = 1e-05)"]
    assert figure.get_supxlabel().startswith("Private")


def test_a_long_training_gets_both_pictures_with_epsilon_and_a_short_one_waits_for_no_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    assert not plot_training(folder, PLAN, 1e-4, 1000.0)
    assert not folder.plots.exists()
    metrics(folder.metrics_file, *steps(0, 40))
    assert plot_training(folder, PLAN, 1e-4, 100.0)
    with Image.open(folder.plots / "training.png") as picture:
        assert picture.width > 600
    ids = {element.get("id") for element in ElementTree.parse(folder.plots / "training.svg").iter()}
    assert {"critic_loss-values", "answer_norm-values", "epsilon"} <= ids
    monkeypatch.setattr(OneOfManyPlan, "budget_at", None)
    assert plot_training(folder, PLAN, 1e-4, 5.0)
    assert "epsilon" not in {element.get("id") for element in ElementTree.parse(folder.plots / "training.svg").iter()}


def test_metrics_that_cannot_be_read_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = metrics(tmp_path / "m", *steps(0, 30))

    def fail(self: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ResourceError, match="Input/output error"):
        read_tracks(path)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ResourceError("training.png: No space left on device"), "training.png: No space left on device"),
        (MissingExtra("a plot needs matplotlib"), "a plot needs matplotlib"),
        (ImportError("ft2font.so: failed to map segment from shared object"), "out of memory"),
        (MemoryError(), "out of memory"),
    ],
)
def test_what_hinders_a_plot_is_told_and_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(training_plot, "plot_training", fail)
    assert plot_if_possible(RunFolder.create(tmp_path / "run"), PLAN, 1e-4, 5.0) == reason
