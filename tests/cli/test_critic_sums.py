"""Runs of Poisson sums of critics from the command line, and earlier runs, whose settings do not know them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gossamer.driving.job import TrainingJob, settings_digest
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.runs.folder import RunFolder

FEW = ("--num-games", "200", "--num-bits", "60")


@pytest.fixture(scope="module")
def run(tmp_path_factory: Any, train_tiny: Any) -> Path:
    """A finished tiny run in which three critics of 30 are expected in a sum."""
    path = tmp_path_factory.mktemp("sums") / "run"
    assert train_tiny("digits", path, "--critics-per-draw", 3).code == 0
    return path


def kept(run: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in (run / "private" / "audit").glob("*.json")}


def test_a_run_of_sums_states_what_it_does_and_verifies(gossamer: Any, run: Path) -> None:
    statement = json.loads((run / "release" / "privacy.json").read_text())
    assert statement["parameters"]["critics_per_draw"] == 3
    assert statement["event"] == [
        {
            "mechanism": "replaced-poisson",
            "sample_rate": 0.1,
            "noise_multiplier": pytest.approx(2.4 / 5**0.5),
            "count": 48,
        }
    ]
    assert statement["adjacency"] == "slot"
    assert gossamer("verify", run).code == 0
    assert gossamer("verify", run / "release").code == 0


def test_mechanism_and_training_of_a_run_of_sums_are_audited(gossamer: Any, run: Path) -> None:
    assert gossamer("audit", "mechanism", run, *FEW).code == 0
    said = gossamer("audit", "training", run, "--num-bits", 60)
    assert said.code == 0, said.err
    assert "2 trainings with 30 canaries each" in said.err
    found = kept(run)
    assert set(found) >= {"mechanism-one-answer", "mechanism-composition", "training"}
    statement = json.loads((run / "release" / "privacy.json").read_text())
    for name in ("mechanism-composition", "training"):
        assert found[name]["claimed_epsilon"] == pytest.approx(statement["epsilon"])
        assert found[name]["is_within_claim"]
    assert gossamer("verify", run).code == 0


def test_an_interrupted_run_of_sums_goes_on_to_its_end(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(3)
    assert train_tiny("digits", run, "--critics-per-draw", 3).code == 130
    assert gossamer("resume", run).code == 0
    assert gossamer("verify", run).code == 0


def test_other_critics_in_a_draw_are_other_settings(gossamer: Any, train_tiny: Any, run: Path) -> None:
    said = train_tiny("digits", run, "--critics-per-draw", 4)
    assert said.code != 0
    assert "critics_per_draw" in (run / "config.json").read_text()


def test_more_critics_in_a_draw_than_there_are_get_one_line_before_anything_is_spent(
    train_tiny: Any, tmp_path: Path
) -> None:
    said = train_tiny("digits", tmp_path / "run", "--critics-per-draw", 40, "--dry-run")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("advice: critics_per_draw")]
    assert "40 is above the 30 critics, so all of them answer every draw" in line
    assert "advice: critics_per_draw" not in train_tiny("digits", tmp_path / "run", "--dry-run").out


def test_a_run_around_a_public_centre_goes_on_verifies_and_is_audited(
    gossamer: Any, train_tiny: Any, at_step: Any, run: Path, tmp_path: Path
) -> None:
    settings, own = json.loads((run / "config.json").read_text()), tmp_path / "run"
    settings["method"]["centre"] = {"type": "TwinsTakenAway", "num_critics": 3}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(settings))
    at_step.interrupt(3)
    words = ("--recipe", file, "--device", "cpu", "--noise-multiplier", "1.2")
    began = gossamer("train", "gs-wgan", "--data", "digits", "--out", own, *words)
    assert began.code == 130, began.err
    assert gossamer("resume", own).code == 0
    assert gossamer("verify", own).code == 0
    assert gossamer("audit", "training", own, "--num-bits", 60).code == 0
    before, after = (json.loads((one / "release" / "privacy.json").read_text()) for one in (run, own))
    assert before["event"] == after["event"]


@pytest.mark.parametrize("number", ["0", "-1", "1.5"])
def test_a_number_of_critics_in_a_draw_out_of_range_gets_one_line(train_tiny: Any, tmp_path: Path, number: str) -> None:
    said = train_tiny("digits", tmp_path / "run", "--critics-per-draw", number)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


# ---- earlier runs ---------------------------------------------------------------------------------------------------

OF_BEFORE = "c3d73b6afeca604323c138463d949fe064d7751dfe8b89b2c04f0dd4bee6e55f"
"""The digest of the settings below that was written by the last build without sums."""


def without_sums(run: Path) -> None:
    """Take the setting out of a run's file, as builds without it wrote the file."""
    config = json.loads((run / "config.json").read_text())
    del config["method"]["critics_per_draw"]
    (run / "config.json").write_text(json.dumps(config))


def job(**changes: Any) -> TrainingJob:
    return TrainingJob(
        data="digits", data_dir=None, num_classes=None, delta=1e-4, device="cpu", precision="fp32",
        method=GSWGANConfig(noise_multiplier=1.07, **changes),
    )  # fmt: skip


def test_settings_of_one_of_many_have_the_digest_of_before_and_those_of_sums_another() -> None:
    assert settings_digest(job()) == OF_BEFORE
    assert settings_digest(job(critics_per_draw=1)) != OF_BEFORE


def test_an_earlier_run_reads_as_one_of_many_goes_on_and_verifies(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(3)
    assert train_tiny("digits", run).code == 130
    without_sums(run)
    assert TrainingJob.read(RunFolder(run)).method.critics_per_draw is None
    assert gossamer("resume", run).code == 0
    assert "critics_per_draw" not in (run / "release" / "privacy.json").read_text()
    told = gossamer("verify", run)
    assert told.code == 0
    assert "the settings that the run began with" in " ".join(told.out.split())
