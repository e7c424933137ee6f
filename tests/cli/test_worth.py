"""The verdict where a person meets it: after training, beside drawn samples, in cards, evaluations and reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from gossamer.cli import worth
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.methods.verdict import Verdict

IMAGES = ImageSpec(channels=1, height=8, width=8)
SERIES = SeriesSpec(channels=1, length=60, low=(0.0,), high=(1.0,))
NOISE, CLEAR = Verdict.of_sums(0.0, 0.0, False), Verdict.of_sums(0.9, 1.0, True)


class Released:
    """Looks like a generator with a verdict."""

    def __init__(self, verdict: Verdict | None, spec: Any = IMAGES) -> None:
        self.verdict, self.recipe, self.spec = verdict, self, spec

    def sample(self, num: int) -> tuple[torch.Tensor, None]:
        return torch.rand(num, *self.spec.shape), None


def shown(released: Any, monkeypatch: Any, capsys: Any, *, is_plain: bool = False) -> str:
    terminal = Console(force_terminal=True, color_system="truecolor", width=80, height=24, _environ={})
    monkeypatch.setattr(worth, "Console", lambda: terminal)
    monkeypatch.setattr(worth, "can_show_panel", lambda console: True)
    worth.show_worth(released, is_plain=is_plain)
    return capsys.readouterr().out


@pytest.mark.parametrize(("spec", "sign"), [(IMAGES, "▀"), (SERIES, "\u2800")])
def test_the_verdict_stands_above_a_picture_and_alone_in_plain_mode(
    spec: Any, sign: str, monkeypatch: Any, capsys: Any
) -> None:
    words, _, picture = shown(Released(CLEAR, spec), monkeypatch, capsys).strip().partition("\n")
    assert words.startswith("Verdict: clear. 90 %")
    assert sign in picture
    assert "\n" not in shown(Released(CLEAR, spec), monkeypatch, capsys, is_plain=True).strip()
    assert shown(Released(None, spec), monkeypatch, capsys) == ""


def test_those_who_draw_are_warned_of_noise_alone() -> None:
    generator: Any = Released(NOISE)
    assert "nothing in it to share" in str(worth.warning(generator))
    generator.verdict = CLEAR
    assert worth.warning(generator) is None
    generator.verdict = None
    assert worth.warning(generator) is None


@pytest.mark.parametrize(("epsilon", "grade"), [(10, "clear"), (0.1, "noise")])
def test_a_release_carries_its_verdict_everywhere(gossamer: Any, tmp_path: Path, epsilon: float, grade: str) -> None:
    run = tmp_path / "run"
    said = gossamer("train", "dp-mixture", "--data", "digits", "--epsilon", epsilon, "--out", run, "--plain")
    assert said.code == 0
    assert said.out.index(f"Verdict: {grade}.") < said.out.index("Share: ")
    assert ("Share: everything" in said.out) == (grade == "clear")
    # Nobody is sent to draw noise.
    assert ("Next: gossamer sample" in said.out) == (grade == "clear")
    for card in (run / "release" / "README.md", run / "release" / "samples" / "README.md"):
        assert f"## What the samples are worth\n\nVerdict: {grade}." in card.read_text()
        assert ("nothing in it to share" in card.read_text()) == (grade == "noise")
    drawn = gossamer("sample", run, "--num-samples", 4, "--out", tmp_path / "x.npz")
    assert drawn.code == 0
    assert ("nothing in it to share" in drawn.err) == (grade == "noise")
    assert gossamer("report", run).code == 0
    assert f"Verdict: {grade}." in (run / "report.html").read_text()
    assert gossamer("verify", run).code == 0
