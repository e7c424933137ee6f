"""`gossamer train auto`: the choice and its reasons, the run of the chosen method, and what a dry run shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli import rehearsing, train
from gossamer.cli.rehearsing import described, estimated
from gossamer.driving.rehearsal import Rehearsal
from gossamer.methods.choosing import AUTO_SUMMARY
from gossamer.methods.cost import Cost
from gossamer.methods.measured import measured, nearest


@pytest.fixture
def own(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "own.npz"
    np.savez(path, x=rng.integers(0, 256, (400, 8, 8), dtype=np.uint8), y=np.arange(400) % 3)
    return path


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gossamer.methods.method.Method.cost", lambda method, config, spec, slots, device: "time: none")


def test_a_run_is_that_of_the_chosen_method_and_says_why(gossamer: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = gossamer("train", "auto", "--data", "beats", "--epsilon", 10, "--device", "cpu", "--out", run)
    assert said.code == 0, said.err
    assert said.out.startswith("auto: dp-mixture, recipe beats: the best of ")
    assert "auto: chosen from public facts alone" in said.out
    assert json.loads((run / "config.json").read_text())["method"]["type"] == "DPMixtureConfig"
    assert json.loads((run / "release" / "privacy.json").read_text())["mechanism"].startswith("dp-mixture")
    assert gossamer("resume", run).code == 0
    assert gossamer("verify", run).code == 0


def test_it_stands_in_the_help_and_takes_what_all_methods_take(gossamer: Any, own: Path) -> None:
    assert AUTO_SUMMARY in gossamer("train", "--help").out
    page = gossamer("train", "auto", "--help")
    assert page.code == 0
    assert "--epsilon" in page.out
    assert "--num-critics" not in page.out
    refused = gossamer("train", "auto", "--data", own, "--num-critics", 5)
    assert refused.code == 2
    assert "no option --num-critics" in refused.err
    refused = gossamer("train", "auto", "--data", own, "--recipe", "mnist")
    assert refused.code == 2
    assert "name the method in place of auto" in refused.err


def test_a_dry_run_shows_a_picture_of_stand_ins_and_touches_nothing(
    gossamer: Any, own: Path, untimed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(own.parent.iterdir())
    words = ("--data", own, "--num-classes", 3, "--epsilon", 10, "--dry-run")
    said = gossamer("train", "dp-mixture", *words)
    assert said.code == 0, said.err
    assert "learnt from 400 stand-ins (each computed), made up from a public seed" in said.out
    assert "no forecast for your data" in said.out
    assert "on stand-ins: Verdict: " in said.out
    assert any("\u2800" <= letter <= "\u28ff" for letter in said.out)
    assert "the time is being measured on random records" in said.err
    assert sorted(own.parent.iterdir()) == before
    loud = np.full((400, 8, 8), 255, dtype=np.uint8)
    np.savez(own, x=loud, y=np.arange(400) % 3)
    # Privacy: other records of the same shape and number, and the very same words.
    assert gossamer("train", "dp-mixture", *words).out == said.out


def test_a_dry_run_that_looked_at_the_records_would_be_noticed(
    gossamer: Any, own: Path, untimed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "dp-mixture", "--data", own, "--num-classes", 3, "--epsilon", 10, "--dry-run")
    honest = gossamer(*words).out
    seen: list[Any] = []
    monkeypatch.setattr(train, "announce", lambda statement, data, recipe: seen.append(data.train))
    monkeypatch.setattr("gossamer.driving.rehearsal.stand_ins", lambda spec, number: seen[-1])
    assert gossamer(*words).out.splitlines()[-8:] != honest.splitlines()[-8:]


def test_a_dry_run_of_a_gan_names_the_nearest_that_was_measured(gossamer: Any, own: Path, untimed: None) -> None:
    said = gossamer("train", "gs-wgan", "--data", own, "--num-classes", 3, "--epsilon", 10, "--dry-run")
    assert said.code == 0, said.err
    assert "estimate: gs-wgan on " in said.out
    assert "no forecast for your data" in said.out


def test_an_estimate_has_its_figures_from_the_table() -> None:
    rows = [row for row in measured() if row.method == "gs-wgan"]
    row = nearest(rows, (1, 28, 28), 60_000, 10.0, is_own=False)
    assert row is not None
    text = estimated(row, "gs-wgan")
    assert "mnist" in text
    assert "0.78, where real records teach 0.80 and guessing is 0.10 (docs/study.md)" in text
    assert "was not measured" in estimated(None, "gs-wgan")


def test_a_rehearsal_that_was_cut_short_says_so() -> None:
    class Trained:
        verdict = None

    made = Rehearsal(trained=Trained(), num_slots=9000, num_computed=3000, share_fitted=0.25)  # type: ignore[arg-type]
    lines = described(made)
    assert "9,000 stand-ins (3,000 computed)" in lines[0]
    assert "broken off after 25% of its steps" in lines[1]


def test_the_time_is_asked_for_after_the_picture(gossamer: Any, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(rehearsing, "show_rehearsal", lambda *arguments: order.append("picture"))
    monkeypatch.setattr("gossamer.methods.method.Method.cost", lambda *arguments: order.append("time") or Cost)
    assert gossamer("train", "auto", "--data", own, "--num-classes", 3, "--dry-run").code == 0
    assert order == ["picture", "time"]
