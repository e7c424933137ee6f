"""`gs-wgan-started` on the command line: a run, its release on the way, a crash, an account."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gossamer.cli import driving
from gossamer.driving.job import TrainingJob, slots_kept
from gossamer.estimators import load_generator
from gossamer.mechanisms.started_plan import StartedPlan
from gossamer.methods.method import Progress
from gossamer.methods.started_gs_wgan import StartedGSWGANTraining
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import read_ledger

SMALL = shlex.split(
    "--start.generator.num-directions 5 --fit.num-updates 40 --fit.batch-size 10 "
    "--gs-wgan.latent.dim 6 --gs-wgan.num-steps 12 --gs-wgan.num-critics 20 --gs-wgan.batch-size 10 "
    "--gs-wgan.draws-per-step 5 --gs-wgan.renewals-per-step 2 --gs-wgan.stages.0.warm-start.num-updates 2 "
    "--gs-wgan.generator.hidden-sizes 8 --gs-wgan.variety 0"
)


NOISE = shlex.split("--noise-multiplier 1 --start.noise-multiplier 12")
"""In place of a budget: to calibrate takes seconds."""


def train(gossamer: Any, out: Path, *more: object, data: object = "digits", budget: Sequence[str] = NOISE) -> Any:
    words = ("--data", data, "--out", out, "--device", "cpu", *SMALL, *budget)
    return gossamer("train", "gs-wgan-started", *words, *more)


def charged(run: Path) -> int:
    return read_ledger(run / "private" / "ledger.jsonl").num_charged_steps


def statement(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "privacy.json").read_text())


def test_a_run_releases_the_fitted_network_on_the_way_and_claims_both_mechanisms(gossamer: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = train(gossamer, run, "--save-at-step", "1,5", budget=("--epsilon", "10"))
    assert said.code == 0, said.err
    assert charged(run) == 13
    claim = statement(run / "release")
    assert claim["mechanism"].startswith("gs-wgan-started: Gaussian noise on 3 sums")
    assert 9.99 < claim["epsilon"] <= 10
    settings = json.loads((run / "config.json").read_text())["method"]
    multiplier = settings["start"]["noise_multiplier"]
    assert claim["parameters"]["noise multiplier of step 1"].startswith(f"{multiplier:.6g} (epsilon 1")
    assert claim["noise_multiplier"] == settings["noise_multiplier"]
    early = [statement(folder) for folder in sorted((run / "release" / "checkpoints").iterdir())]
    assert early[0]["epsilon"] == pytest.approx(1.0, rel=1e-3)
    assert early[0]["epsilon"] < early[1]["epsilon"] < claim["epsilon"]
    images, labels = load_generator(run).sample(20)
    assert images.shape == (20, 1, 8, 8)
    assert labels is not None
    assert gossamer("sample", run, "--num-samples", 5, "--out", tmp_path / "samples.npz").code == 0


def test_a_crash_in_the_fit_loses_nothing_because_the_release_is_kept_at_once(
    gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = StartedGSWGANTraining.progress

    def crash_in_the_fit(self: StartedGSWGANTraining, report: object) -> Progress:
        done = show(self, report)  # type: ignore[arg-type]
        if done.part == "fit":
            raise ZeroDivisionError
        return done

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(StartedGSWGANTraining, "progress", crash_in_the_fit)
        with pytest.raises(ZeroDivisionError):
            train(gossamer, run)
    assert charged(run) == 1
    said = gossamer("resume", run)
    assert said.code == 0, said.err
    assert "lost" not in said.err
    assert charged(run) == 13
    assert (run / "release" / "generator.safetensors").is_file()


def test_a_release_lost_before_it_was_kept_is_paid_for_twice(
    gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise ZeroDivisionError

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(driving, "save_checkpoint", full)
        with pytest.raises(ZeroDivisionError):
            train(gossamer, run, "--save-at-step", "5")
    assert charged(run) == 1
    said = gossamer("resume", run)
    assert said.code == 0, said.err
    assert "1 steps were paid for and lost in a crash; 12 are left" in said.err
    steps = {json.loads(line)["step"] for line in (run / "private" / "metrics.jsonl").read_text().splitlines()}
    assert steps == set(range(max(steps) + 1))
    # Thirteen steps were planned. A release lost costs as a release, and that a draw less pays for it here.
    assert len(steps) == 12
    assert charged(run) == 13
    folder = RunFolder.open(run)
    job = TrainingJob.read(folder)
    plan = job.plan(slots_kept(folder))
    assert isinstance(plan, StartedPlan)
    paid, planned = dataclasses.replace(plan, num_starts=2), plan.budget_at(job.delta).epsilon
    assert paid.first_steps(12).budget_at(job.delta).epsilon <= planned < paid.budget_at(job.delta).epsilon
    # No block reaches beyond what is taken, and what is charged, two releases and fewer draws, is within the claim.
    assert charged(run) == max(steps) + 2
    told = json.loads(gossamer("ledger", run, "--json").out)
    assert [one["charged_by"] for one in told["one_shot"]] == [[0, 1]]
    assert told["epsilon_charged"] <= told["epsilon_planned"]
    # Five steps were paid for when a generator was saved on the way: two starts, three draws.
    (saved,) = (run / "release" / "checkpoints").iterdir()
    early = statement(saved)["parameters"]
    assert (saved.name, early["num_steps"], early["times step 1 is paid for"]) == ("step-000005", 4, 2)
    said = gossamer("verify", run)
    assert said.code == 0, said.out
    assert gossamer("verify", run / "release").code == 0


def test_as_many_steps_are_said_to_be_left_as_are_made_after_a_dear_release_was_lost(
    gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise ZeroDivisionError

    run, dear = tmp_path / "run", shlex.split("--noise-multiplier 2 --start.noise-multiplier 4")
    with monkeypatch.context() as patch:
        patch.setattr(driving, "save_checkpoint", full)
        with pytest.raises(ZeroDivisionError):
            train(gossamer, run, budget=dear)
    told = json.loads(gossamer("ledger", run, "--json").out)
    said = gossamer("resume", run)
    assert said.code == 0, said.err
    steps = {json.loads(line)["step"] for line in (run / "private" / "metrics.jsonl").read_text().splitlines()}
    assert f"1 steps were paid for and lost in a crash; {len(steps)} are left" in said.err
    assert told["num_left_steps"] == len(steps) < 12


@pytest.mark.parametrize("labels", [True, False])
def test_own_images_train_end_to_end(labels: bool, gossamer: Any, own_npz: Any, tmp_path: Path) -> None:
    source = own_npz() if labels else own_npz(y=None)
    more = ("--num-classes", 2) if labels else ()
    said = train(gossamer, tmp_path / "run", *more, data=source)
    assert said.code == 0, said.err
    images, classes = load_generator(tmp_path / "run").sample(4)
    assert images.shape == (4, 1, 8, 8)
    assert (classes is not None) == labels
    assert bool(images.isfinite().all())


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(
    gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--data", "digits", "--device", "cpu", *SMALL, *NOISE)
    said = gossamer("train", "gs-wgan-started", *words, "--dry-run")
    assert said.code == 0, said.err
    for word in ("epsilon by PLD (claimed)", "noise multiplier of step 1", "time: about", "MiB of critics"):
        assert word in said.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "code", "word"),
    [
        ("--delta 0.1", 3, "delta"),
        ("--seed -1", 2, "seed"),
        ("--start-share 1", 2, "start_share"),
        ("--gs-wgan.latent.dim 5", 2, "at least 6"),
        ("--gs-wgan.noise-multiplier 1", 2, "left out"),
        ("--gs-wgan.num-critics 5000", 2, "num_critics"),
        ("--save-at-step 14", 2, "--save-at-step 14"),
    ],
)
def test_bad_settings_get_one_line_and_nothing_is_written(
    more: str, code: int, word: str, gossamer: Any, tmp_path: Path
) -> None:
    said = train(gossamer, tmp_path / "run", *shlex.split(more))
    assert (said.code, said.err.count("\n")) == (code, 1), said.err
    assert word in said.err
    assert list(tmp_path.iterdir()) == []


def test_noise_for_one_part_alone_is_refused(gossamer: Any, tmp_path: Path) -> None:
    said = train(gossamer, tmp_path / "run", budget=("--noise-multiplier", "1"))
    assert (said.code, said.err.count("\n")) == (2, 1), said.err
    assert "start.noise_multiplier is missing" in said.err
    assert list(tmp_path.iterdir()) == []


# ---- account --------------------------------------------------------------------------------------------------------


def found(gossamer: Any, *words: object) -> dict[str, Any]:
    said = gossamer("account", "gs-wgan-started", *words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_the_golden_composition_is_reproduced_by_the_command(gossamer: Any) -> None:
    words = "--num-critics 1000 --start-noise-multiplier 3.7306 --noise-multiplier 1.07 --num-steps 20000"
    report = found(gossamer, *shlex.split(words))
    assert report["epsilon"]["pld"] == pytest.approx(5.665, rel=0.01)
    assert report["epsilon"]["fixed_pair"] <= report["epsilon"]["pld"] <= report["epsilon"]["rdp"]
    assert (report["start_noise_multiplier"], report["adjacency"]) == (3.7306, "slot")
    assert "published_epsilon" not in report


def test_noise_and_steps_follow_from_a_budget_and_the_start_has_its_share(gossamer: Any) -> None:
    critics = ("--num-critics", 50, "--batch-size", 6, "--draws-per-step", 3)
    report = found(gossamer, *critics, "--epsilon", 2, "--start-share", 0.25, "--num-steps", 20)
    start, rest = report["start_noise_multiplier"], report["noise_multiplier"]["pld"]
    back = found(gossamer, *critics, "--start-noise-multiplier", start, "--noise-multiplier", rest, "--num-steps", 20)
    assert 1.999 < back["epsilon"]["pld"] <= 2
    steps = found(gossamer, *critics, "--start-noise-multiplier", start, "--noise-multiplier", rest, "--epsilon", 2)
    assert steps["num_steps"]["pld"] in (20, 21)


@pytest.mark.parametrize(
    ("words", "code", "said_of_it"),
    [
        ("--noise-multiplier 1 --num-steps 5", 2, "--num-critics"),
        ("--num-critics 9 --noise-multiplier 1 --num-steps 5", 2, "--start-noise-multiplier is missing"),
        ("--num-critics 9 --epsilon 1 --num-steps 5 --start-share 0", 2, "--start-share"),
        ("--num-critics 9 --epsilon 1 --num-steps 5 --start-noise-multiplier 0", 3, "noise_multiplier"),
        ("--num-critics 9 --epsilon 1 --num-steps 5 --start-noise-multiplier 1", 3, "no noise multiplier"),
        ("--num-critics 9 --epsilon 1 --num-steps 5 --num-slots 100 --delta 0.01", 3, "delta"),
    ],
)
def test_what_cannot_be_accounted_for_gets_one_line(words: str, code: int, said_of_it: str, gossamer: Any) -> None:
    said = gossamer("account", "gs-wgan-started", *shlex.split(words))
    assert said.out == ""
    assert (said.code, said.err.count("\n")) == (code, 1), said.err
    assert said_of_it in said.err
