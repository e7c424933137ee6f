"""`gossamer train` and `gossamer resume`: settings as flags, interrupts that lose nothing, crashes that stay paid."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from gossamer.cli.following import follow
from gossamer.cli.watching import Watching
from gossamer.driving import releasing
from gossamer.driving.job import TrainingJob
from gossamer.driving.run import begin_run
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.methods.gs_wgan.settings import AgainstPresentGenerator, Stage
from gossamer.nn.views import Pooled
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.release import read_generator

PROMISED = shlex.split(
    "--num-critics --num-steps --batch-size --draws-per-step --renewals-per-step --fork-steps --noise-multiplier "
    "--clip-norm --seed --device --precision --epsilon --delta --recipe --out --data --data-dir --num-classes --dry-run"
)


def steps_in(run: Path) -> list[int]:
    lines = (run / "private" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def charged(run: Path) -> int:
    return read_ledger(run / "private" / "ledger.jsonl").num_charged_steps


def last_checkpoint(run: Path) -> str:
    return max(path.name for path in (run / "private" / "checkpoints").glob("*.pt"))


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_every_promised_flag_is_there(gossamer: Any) -> None:
    flags = set(re.findall(r"^[│ ] (--[a-z0-9.-]+)", gossamer("train", "gs-wgan", "--help").out, flags=re.MULTILINE))
    assert set(PROMISED) <= flags


def test_help_shows_the_settings_of_the_recipe_that_was_named(gossamer: Any) -> None:
    paper = gossamer("train", "gs-wgan", "--recipe", "mnist-paper", "--help").out
    assert "--stages.0.critic.width" in paper
    assert "20000)" in paper
    assert "--stages.0.critic.width" not in gossamer("train", "gs-wgan", "--data", "digits", "--help").out


def test_an_epsilon_that_was_not_given_is_said_to_be_the_default(gossamer: Any) -> None:
    words = ("train", "dp-mixture", "--data", "digits", "--dry-run")
    said = "epsilon: 10, the default, since --epsilon was not given\n"
    assert said in gossamer(*words).out
    for given in ("--epsilon", "--noise-multiplier"):
        assert said not in gossamer(*words, given, 10).out


def test_a_dry_run_says_what_it_would_cost_and_touches_nothing(
    gossamer: Any, train_tiny: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    said = train_tiny("digits", tmp_path / "run", "--dry-run")
    assert said.code == 0
    for word in ("epsilon by PLD", "noise multiplier", "time: about", "memory: about"):
        assert word in said.out
    assert "published" not in said.out.replace("are those published for", "").replace(", as published", "")
    assert list(tmp_path.iterdir()) == []
    assert gossamer("train", "gs-wgan", "--data", "digits", *tiniest_flags(), "--dry-run").code == 0
    assert list(tmp_path.iterdir()) == []


def tiniest_flags() -> list[str]:
    """As tiny as it gets, without --out, and with a budget in place of the noise."""
    size = "--num-critics 10 --num-steps 2 --batch-size 4 --draws-per-step 4 --renewals-per-step 2"
    return shlex.split(f"--recipe digits-trained {size} --epsilon 3")


def test_a_budget_is_kept_and_used(gossamer: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    flags = tiniest_flags()
    said = gossamer("train", "gs-wgan", "--data", "digits", *flags, "--delta", 1e-4, "--seed", 5, "--out", run)
    assert said.code == 0
    statement = json.loads((run / "release" / "privacy.json").read_text())
    assert 0.999 * 3 < statement["epsilon"] <= 3
    assert statement["delta"] == 1e-4
    settings = json.loads((run / "config.json").read_text())["method"]
    assert settings["seed"] == 5
    assert settings["noise_multiplier"] == statement["noise_multiplier"]


def test_half_precision_trains_too(train_tiny: Any, tmp_path: Path) -> None:
    assert train_tiny("digits", tmp_path / "run", "--precision", "bf16").code == 0


def test_the_settings_of_a_run_can_be_edited_and_trained_from(train_tiny: Any, tmp_path: Path) -> None:
    assert train_tiny("digits", tmp_path / "run").code == 0
    tree = json.loads((tmp_path / "run" / "config.json").read_text())
    tree["method"]["stages"][0]["view"] = {"type": "Pooled", "factor": 2}
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(tree))
    assert train_tiny("digits", tmp_path / "again", "--recipe", str(edited)).code == 0
    again = json.loads((tmp_path / "again" / "config.json").read_text())
    assert again["method"]["stages"][0]["view"] == {"type": "Pooled", "factor": 2}
    edited.write_text("{}")
    refused = train_tiny("digits", tmp_path / "third", "--recipe", str(edited))
    assert refused.code == 2
    assert "edited.json" in refused.err


def test_a_training_ends_with_a_statement_in_plain_words(train_tiny: Any, tmp_path: Path) -> None:
    said = train_tiny("digits", tmp_path / "run")
    assert said.code == 0
    words = " ".join(said.out.split())
    for sentence in (
        "Protected: one record",
        "of the 1437",
        "Verdict: ",
        "Share: ",
        "Keep to yourself:",
        "delta = 1e-05",
    ):
        assert sentence in words


def test_an_interrupted_training_goes_on_and_loses_nothing(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(3)
    said = train_tiny("digits", run)
    assert said.code == 130
    assert f"gossamer resume {run}" in said.err
    assert list((run / "release").iterdir()) == []
    assert steps_in(run) == list(range(10))  # to the end of the block that was paid for
    assert gossamer("resume", run).code == 0
    assert steps_in(run) == list(range(12))
    assert charged(run) == 12
    assert last_checkpoint(run) == "step-00000012.pt"
    assert (run / "release" / "generator.safetensors").is_file()


def test_an_interrupted_warm_start_is_taken_up_where_it_was(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(-1)
    assert train_tiny("digits", run).code == 130
    chunks = list((run / "private" / "warm_start").iterdir())
    assert len(chunks) == 1
    before = chunks[0].stat().st_mtime_ns
    assert not (run / "private" / "ledger.jsonl").exists()
    assert gossamer("resume", run).code == 0
    assert chunks[0].stat().st_mtime_ns == before
    assert steps_in(run) == list(range(12))
    assert charged(run) == 12


def test_interrupted_at_the_end_of_a_stage_every_stage_gets_its_steps(
    gossamer: Any, at_step: Any, tmp_path: Path
) -> None:
    stages = (Stage(view=Pooled(factor=4)), Stage(view=Pooled(factor=2), share=2.0))
    stages = tuple(replace(stage, warm_start=AgainstPresentGenerator(num_updates=1)) for stage in stages)
    method = replace(
        GS_WGAN.find("digits-trained").config,
        **{"num_critics": 20, "num_steps": 21, "batch_size": 4, "draws_per_step": 4, "renewals_per_step": 2},
        **{"noise_multiplier": 2.0, "fork_steps": 1, "stages": stages},
    )
    job = TrainingJob(
        data="digits", data_dir=None, num_classes=None, delta=1e-5, device="cpu", precision="fp32", method=method
    )
    begun = begin_run(tmp_path / "run", job, job.load(UnitKey.drawn()))
    folder = begun.folder
    at_step.interrupt(6)
    with contextlib.redirect_stderr(io.StringIO()):
        assert follow(begun, Watching(plain=True)) == 130
    assert last_checkpoint(folder.path) == "step-00000007.pt"
    assert gossamer("resume", folder.path).code == 0
    assert steps_in(folder.path) == list(range(21))
    entries = read_ledger(folder.ledger_file).entries
    assert [(entry.first_step, entry.num_steps) for entry in entries] == [(0, 7), (7, 10), (17, 4)]


def test_the_wishes_of_the_caller_are_back_in_force_after_an_interrupt(
    train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    at_step.interrupt(0)
    train_tiny("digits", tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_is_at_once(train_tiny: Any, at_step: Any, tmp_path: Path) -> None:
    def twice() -> None:
        interrupt()
        interrupt()

    at_step(1, twice)
    said = train_tiny("digits", tmp_path / "run")
    assert said.code == 130
    assert "gossamer: interrupted\n" in said.err
    assert steps_in(tmp_path / "run") == [0]


def test_steps_lost_in_a_crash_stay_paid(gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    at_step.crash(3)
    with pytest.raises(ZeroDivisionError):
        train_tiny("digits", run)
    assert charged(run) == 10
    said = gossamer("resume", run)
    assert said.code == 0
    assert "10 steps were paid for and lost in a crash; 2 are left" in said.err
    assert charged(run) == 12
    assert last_checkpoint(run) == "step-00000002.pt"
    # It is priced as planned.
    statement = json.loads((run / "release" / "privacy.json").read_text())
    assert statement["parameters"]["num_steps"] == 12


def test_a_crash_after_an_interrupt_goes_on_from_the_checkpoint(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run, "--num-steps", 25).code == 130
    at_step.crash(12)
    with pytest.raises(ZeroDivisionError):
        gossamer("resume", run)
    assert charged(run) == 20
    assert gossamer("resume", run).code == 0
    assert charged(run) == 25
    assert last_checkpoint(run) == "step-00000015.pt"


def test_folders_that_a_copy_left_out_because_they_were_empty_are_made_before_anything_is_charged(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.crash(-1)
    with pytest.raises(ZeroDivisionError):
        train_tiny("digits", run)
    assert charged(run) == 0
    for empty in (run / "private" / "checkpoints", run / "private" / "warm_start", run / "release"):
        shutil.rmtree(empty)
    said = gossamer("resume", run)
    assert said.code == 0, said.err
    assert (charged(run), last_checkpoint(run)) == (12, "step-00000012.pt")


def test_a_folder_that_cannot_be_made_stops_a_run_before_anything_is_charged(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.crash(-1)
    with pytest.raises(ZeroDivisionError):
        train_tiny("digits", run)
    shutil.rmtree(run / "private" / "checkpoints")
    (run / "private" / "checkpoints").write_text("in its place")
    said = gossamer("resume", run)
    assert (said.code, said.err.count("\n"), charged(run)) == (4, 1, 0), said.err
    assert "a folder in it cannot be made" in said.err


def test_a_run_that_lost_everything_is_not_released(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.crash(0)
    with pytest.raises(ZeroDivisionError):
        train_tiny("digits", run, "--num-steps", 5)
    said = gossamer("resume", run)
    assert said.code == 3
    assert "lost in crashes" in said.err
    assert list((run / "release").iterdir()) == []


def test_a_crash_in_the_middle_of_the_release_is_mended_by_resume(
    gossamer: Any, train_tiny: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    run = tmp_path / "run"

    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(releasing, "write_picture", full)
        said = train_tiny("digits", run)
    assert said.code == 4
    assert "No space left on device" in said.err
    assert not (run / "release" / "generator.safetensors").exists()
    assert gossamer("resume", run).code == 0
    assert charged(run) == 12
    assert {path.name for path in (run / "release").iterdir()} == {
        "generator.safetensors", "manifest.json", "privacy.json", "PRIVACY.md", "README.md", "samples",
    }  # fmt: skip


def test_a_training_that_diverged_releases_nothing_and_says_why(train_tiny: Any, tmp_path: Path) -> None:
    said = train_tiny("digits", tmp_path / "run", "--generator-adam.learning-rate", 1e30)
    assert said.code == 2
    assert "gossamer: the training diverged" in said.err
    assert list((tmp_path / "run" / "release").iterdir()) == []


def test_a_ledger_that_was_removed_or_put_back_is_refused(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run).code == 130
    ledger = run / "private" / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"num_steps": 10', '"num_steps": 12'))
    said = gossamer("resume", run)
    assert said.code == 3
    assert "the blocks charged before the checkpoint was written are not those that were written" in said.err
    ledger.unlink()
    said = gossamer("resume", run)
    assert said.code == 3
    assert "fewer steps are charged" in said.err


def test_settings_that_were_changed_in_mid_run_are_refused(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run).code == 130
    config = run / "config.json"
    text = config.read_text()
    for change in ({"noise_multiplier": 0.5}, {"num_critics": 20}, {"batch_size": 40}, {"num_steps": 100}):
        tree = json.loads(text)
        tree["method"] |= change
        config.write_text(json.dumps(tree))
        said = gossamer("resume", run)
        assert said.code == 2
        assert "not the settings" in said.err
    config.write_text(text.replace('"device": "cpu"', '"device": "auto"'))
    assert gossamer("resume", run).code == 0


def test_other_records_are_refused(gossamer: Any, train_tiny: Any, at_step: Any, own_npz: Any, tmp_path: Path) -> None:
    run, data = tmp_path / "run", own_npz()
    at_step.interrupt(0)
    assert train_tiny(data, run).code == 130
    with np.load(data) as kept:
        changed = kept["x"].copy()
    changed[17, 0, 3, 3] += 1e-3
    own_npz(x=changed)
    said = gossamer("resume", run)
    assert said.code == 2
    assert "not the records" in said.err
    own_npz()
    assert gossamer("resume", run).code == 0


def test_a_run_that_has_ended_says_so(gossamer: Any, finished: Path) -> None:
    before = (finished / "release" / "generator.safetensors").read_bytes()
    said = gossamer("resume", finished)
    assert said.code == 0
    assert "has ended" in said.err
    assert (finished / "release" / "generator.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "damage", ["no config", "config is no JSON", "config of another kind", "no device", "no private side"]
)
def test_what_is_no_run_cannot_be_resumed(
    gossamer: Any, finished: Path, tmp_path: Path, copy_run: Any, damage: str
) -> None:
    run = copy_run(finished, tmp_path / "run")
    (run / "release" / "generator.safetensors").unlink()
    match damage:
        case "no config":
            (run / "config.json").unlink()
        case "config is no JSON":
            (run / "config.json").write_text("{")
        case "config of another kind":
            (run / "config.json").write_text('{"type": "Recipe", "surprise": 1}')
        case "no device":
            config = run / "config.json"
            config.write_text(config.read_text().replace('"cpu"', '"abacus"'))
        case _:
            shutil.rmtree(run / "private")
    said = gossamer("resume", run)
    assert said.code == 2
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1


def own_images(kind: str, channels: int, side: int, is_labelled: bool, folder: Path) -> Path:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (60, channels, side, side), dtype=np.uint8)
    y = np.arange(60) % 3
    if kind == "npz":
        np.savez(folder / "own.npz", x=x, **({"y": y} if is_labelled else {}))
        return folder / "own.npz"
    for number, image in enumerate(x):
        place = folder / "own" / (f"class {y[number]}" if is_labelled else "")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0] if channels == 1 else np.moveaxis(image, 0, -1)).save(place / f"{number}.png")
    return folder / "own"


@pytest.mark.parametrize(
    ("kind", "channels", "side", "is_labelled"),
    [
        ("npz", 1, 8, False),
        ("png", 1, 8, True),
        ("npz", 3, 14, True),
        ("npz", 1, 28, True),
        ("png", 3, 32, False),
        ("npz", 3, 64, True),
    ],
)
def test_own_images_train_end_to_end(
    gossamer: Any, train_tiny: Any, tmp_path: Path, kind: str, channels: int, side: int, is_labelled: bool
) -> None:
    data, run = own_images(kind, channels, side, is_labelled, tmp_path), tmp_path / "run"
    said = train_tiny(data, run, "--num-steps", 3, *(["--num-classes", 3] if is_labelled else []))
    assert said.code == 0
    assert gossamer("sample", run, "--num-samples", 7, "--out", tmp_path / "x.npz").code == 0
    with np.load(tmp_path / "x.npz") as found:
        assert found["x"].shape == (7, channels, side, side)
        assert ("y" in found) is is_labelled
    assert json.loads((run / "release" / "privacy.json").read_text())["num_slots"] == 60


@pytest.mark.parametrize(("channels", "side", "is_labelled"), [(1, 8, True), (3, 28, False)])
def test_the_recipe_for_own_images_fits_few_records(
    gossamer: Any, tmp_path: Path, channels: int, side: int, is_labelled: bool
) -> None:
    data = own_images("npz", channels, side, is_labelled, tmp_path)
    said = gossamer(
        *("train", "gs-wgan", "--data", data, "--out", tmp_path / "run", "--num-steps", 2, "--fork-steps", 1),
        *("--stages.0.warm-start.num-updates", 1, "--delta", 1e-3),
        *(["--num-classes", 3] if is_labelled else []),
    )
    assert said.code == 0
    assert read_generator(tmp_path / "run" / "release" / "generator.safetensors")[2]["delta"] == 1e-3


@pytest.mark.parametrize(
    ("arrays", "said_of_it"),
    [
        ({"x": np.full((60, 1, 8, 8), np.nan, dtype=np.float32)}, "x[0"),
        ({"x": np.full((60, 1, 8, 8), 1.5, dtype=np.float32)}, "x[0"),
        ({"x": np.full((60, 1, 8, 8), -0.1)}, "x[0"),
        ({"x": np.array([object()] * 60)}, "x"),
        ({"x": np.array(["a"] * 60)}, "x"),
        ({"x": np.zeros((60, 2, 8, 8), dtype=np.float32)}, "x"),
        ({"x": np.zeros((60, 64), dtype=np.float32)}, "x"),
        ({"x": np.zeros((0, 1, 8, 8), dtype=np.float32), "y": np.zeros(0, dtype=int)}, "x"),
        ({"x": None}, "x"),
        ({"y": np.arange(59) % 2}, "y"),
        ({"y": np.arange(60)}, "y["),
        ({"y": np.full(60, -1)}, "y[0]"),
        ({"y": np.full(60, 0.5)}, "y"),
        ({"y": np.array([{}] * 60)}, "y"),
    ],
)
def test_bad_arrays_get_one_line_and_nothing_is_written(
    train_tiny: Any, own_npz: Any, tmp_path: Path, arrays: dict[str, Any], said_of_it: str
) -> None:
    said = train_tiny(own_npz(**arrays), tmp_path / "run")
    refused(said, 2, said_of_it)
    assert not (tmp_path / "run").exists()


def refused(said: Any, code: int, said_of_it: str) -> None:
    assert said.code == code
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
    assert said_of_it in said.err


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04torn", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npz_gets_one_line(train_tiny: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    refused(train_tiny(path, tmp_path / "run"), 2, "own.npz")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "code", "said_of_it"),
    [
        ("--data /no/such/thing.npz", 2, "neither a known name"),
        ("--data mnist --data-dir /no/such/folder", 2, "/no/such/folder"),
        ("--data digits --num-classes 3", 2, "--num-classes"),
        ("--num-critics 1438", 2, "1437 records"),
        ("--num-critics 0", 2, "num_critics"),
        ("--num-critics", 2, "--num-critics"),
        ("--num-critics many", 2, "--num-critics"),
        ("--epsilon -1", 2, "epsilon"),
        ("--epsilon 0", 2, "epsilon"),
        ("--epsilon nan", 2, "epsilon"),
        ("--epsilon abc", 2, "--epsilon"),
        ("--epsilon 3 --noise-multiplier 1", 2, "exclude each other"),
        ("--noise-multiplier 0", 3, "noise_multiplier"),
        ("--noise-multiplier -1", 2, "noise_multiplier"),
        ("--noise-multiplier 0.01", 3, "finite range"),
        ("--noise-multiplier 1e-300", 2, "--noise-multiplier"),
        ("--delta 0.001", 3, "1/1437"),
        ("--delta 1", 3, "delta"),
        ("--delta 0", 3, "delta"),
        ("--clip-norm 0", 2, "clip_norm"),
        ("--clip-norm nan", 2, "clip_norm"),
        ("--batch-size 20 --draws-per-step 3", 2, "draws_per_step"),
        ("--num-tuning-runs -1", 2, "num_tuning_runs"),
        ("--fork-steps -1", 2, "fork_steps"),
        ("--moving-average 2", 2, "moving_average"),
        ("--generator-adam.learning-rate -1", 2, "earning"),
        ("--generator.hidden-sizes 0", 2, "hidden_sizes"),
        ("--generator.hidden-sizes a", 2, "--generator.hidden-sizes"),
        ("--recipe nonsense", 2, "no recipe 'nonsense'"),
        ("--surprise 3", 2, "--surprise"),
        ("--dryrun", 2, "perhaps you meant --dry-run"),
        ("--device tpu", 2, "--device"),
        ("--precision fp64", 2, "--precision"),
        ("surprise", 2, "surprise"),
    ],
)
def test_bad_settings_get_one_line_and_nothing_is_written(
    gossamer: Any, tmp_path: Path, more: str, code: int, said_of_it: str
) -> None:
    settings = shlex.split("--data digits --num-critics 100 --critics-per-draw 5 --num-steps 3")
    words = [*settings, "--out", str(tmp_path / "run")]
    refused(gossamer("train", "gs-wgan", *words, *more.split()), code, said_of_it)
    assert not (tmp_path / "run").exists()


def test_a_missing_out_is_told_before_anything_is_computed(gossamer: Any) -> None:
    said = gossamer("train", "gs-wgan", "--data", "digits")
    refused(said, 2, "--out is missing")
    assert said.out == ""


def test_a_folder_that_holds_something_is_left_alone(train_tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    refused(train_tiny("digits", tmp_path), 2, "not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_class_name_of_the_users_own_cannot_break_a_line(train_tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "a\nb"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(folder / "1.png")
    refused(train_tiny(folder.parent, tmp_path / "run"), 2, "")
