"""Run folders that were changed: settings, ledger, checkpoints, links. Every command says one line, spends nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TINY = shlex.split(
    "--num-critics 30 --num-steps 4 --batch-size 20 --draws-per-step 4 --renewals-per-step 5 --noise-multiplier 1.2 "
    "--critic-batch-size 4 --pool-per-class 4 --fork-steps 1 --critics-at-once 10 --generator.hidden-sizes 16 "
    "--stages.0.critic.hidden-sizes 8 --stages.0.warm-start.num-updates 2 --device cpu"
)
FEW = 25


@pytest.fixture(scope="module")
def finished(tmp_path_factory: Any, gossamer: Any, shared_folders: Any) -> Path:
    """A finished tiny run. Not to be changed."""
    path = tmp_path_factory.mktemp("finished") / "run"
    said = gossamer("train", "gs-wgan", "--data", "digits", "--recipe", "digits-trained", "--out", path, *TINY)
    assert said.code == 0, said.err
    return shared_folders.add(path)


@pytest.fixture
def unfinished(finished: Path, tmp_path: Path, copy_run: Any) -> Path:
    """The same before its release was written."""
    path = copy_run(finished, tmp_path / "run")
    shutil.rmtree(path / "release")
    (path / "release").mkdir()
    return path


def checkpoint(run: Path) -> Path:
    return max((run / "private" / "checkpoints").glob("step-*.pt"))


def without_release(run: Path) -> bool:
    return not (run / "release" / "generator.safetensors").exists()


def text(name: str, content: str | bytes) -> Callable[[Path], Any]:
    content = content.encode() if isinstance(content, str) else content
    return lambda run: (run / name).write_bytes(content)


def link(name: str, target: str) -> Callable[[Path], Any]:
    def change(run: Path) -> None:
        (run / name).unlink()
        (run / name).symlink_to(target)

    return change


def settings(**changes: Any) -> Callable[[Path], Any]:
    def change(run: Path) -> None:
        tree = json.loads((run / "config.json").read_text()) | changes
        (run / "config.json").write_text(json.dumps(tree))

    return change


def identity(**changes: Any) -> Callable[[Path], Any]:
    def change(run: Path) -> None:
        path = run / "private" / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


NEST = "[" * 100_000 + "]" * 100_000
LEDGER = "private/ledger.jsonl"
LIST = "private/released.jsonl"
CHANGED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "settings that are nothing": (text("config.json", b""), "config.json"),
    "settings that are no JSON": (text("config.json", b"\xff\xfe{"), "config.json"),
    "settings nested without end": (text("config.json", NEST), "config.json"),
    "settings of gigabytes that take no room": (lambda run: os.truncate(run / "config.json", 2**33), "longer than"),
    "settings behind a pipe": (lambda run: piped(run / "config.json"), "config.json"),
    "an unknown key that a terminal obeys": (settings(**{"\x1b[2J": 1}), "\\x1b[2J"),
    "a delta that is no number": (settings(delta=float("nan")), "config.json"),
    "a delta of text": (settings(delta="1e-5"), "config.json"),
    "another delta": (settings(delta=2e-5), "settings"),
    "data that are not there": (settings(data="/nowhere\x1b[2J"), "nowhere"),
    "a device that is none": (settings(device="\x1b[2J"), "device"),
    "a method that is none": (settings(method={"type": "os.system"}), "config.json"),
    "a ledger that is no JSON": (text(LEDGER, "{\n{}\n"), "ledger.jsonl"),
    "a ledger nested without end": (text(LEDGER, NEST + "\n{}\n"), "ledger.jsonl"),
    "a ledger of truths": (
        text(LEDGER, '{"first_step": true, "num_steps": 1, "process_index": 0}\n{}\n'), "ledger.jsonl"
    ),
    "a ledger of less than nothing": (
        text(LEDGER, '{"first_step": 0, "num_steps": -4, "process_index": 0}\n{}\n'), "ledger.jsonl"
    ),
    "a ledger of gigabytes that takes no room": (lambda run: os.truncate(run / LEDGER, 2**33), "ledger.jsonl"),
    "a manifest of gigabytes that takes no room": (
        lambda run: [os.truncate(path, 2**33) for path in (run / "private" / "checkpoints").glob("*.json")], "whole"
    ),
    "an identity that is no JSON": (text("private/run.json", b"{"), "run.json: damaged"),
    "an identity nested without end": (text("private/run.json", NEST), "run.json: damaged"),
    "an identity of gigabytes that takes no room": (
        lambda run: os.truncate(run / "private" / "run.json", 2**33), "run.json: damaged"
    ),
    "an identity that a terminal obeys": (identity(run_id="\x1b[2J"), "run.json: damaged"),
    "an identity in no place": (identity(folder={"device": -1, "inode": 1.5}), "run.json: damaged"),
    "an identity of another schema": (identity(schema=2), "run.json: damaged"),
    "an identity behind a pipe": (lambda run: piped(run / "private" / "run.json"), "run.json: missing"),
    "an identity that is gone": (lambda run: (run / "private" / "run.json").unlink(), "run.json: missing"),
    "a key that is gone": (lambda run: (run / "private" / "units.key").unlink(), "units.key: missing"),
    "a list of releases that is no JSON": (text(LIST, "{\n{}\n"), "released.jsonl: line 1"),
    "a list of releases nested without end": (text(LIST, NEST + "\n{}\n"), "released.jsonl: line 1"),
    "a list of releases elsewhere": (
        text(LIST, '{"generator": "../../x", "content_sha256": "00", "ledger": {}}\n{}\n'), "released.jsonl: line 1"
    ),
    "a list of gigabytes that takes no room": (lambda run: os.truncate(run / LIST, 2**33), "longer than"),
    "a list behind a pipe": (lambda run: piped(run / LIST), "neither a file nor"),
    "a lock that is a link": (link("private/lock", "/etc/hostname"), "cannot be held"),
    "a ledger that is a link": (link(LEDGER, "/etc/hostname"), "neither a file nor"),
    "a ledger behind a pipe": (lambda run: piped(run / LEDGER), "neither a file nor"),
    "figures behind a pipe": (lambda run: piped(run / "private" / "metrics.jsonl"), "neither a file nor"),
    "a checkpoint behind a pipe": (lambda run: piped(checkpoint(run)), "neither a file nor"),
}  # fmt: skip


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_run_is_not_resumed(unfinished: Path, gossamer: Any, name: str) -> None:
    change, word = CHANGED[name]
    change(unfinished)
    said = gossamer("resume", unfinished)
    assert said.code in (2, 3, 4), said.err
    assert said.err.splitlines()[-1].startswith("gossamer: ")
    assert word in said.err
    assert "\x1b" not in said.err
    assert without_release(unfinished)


def test_a_lock_that_is_a_link_empties_no_other_file(unfinished: Path, gossamer: Any, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    link("private/lock", str(treasure))(unfinished)
    assert gossamer("resume", unfinished).code == 4
    assert treasure.read_text() == "mine"


def forge(path: Path, content: bytes) -> None:
    """A checkpoint of other bytes whose digest is right."""
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(content)
    manifest = path.with_suffix(".json")
    manifest.write_text(manifest.read_text().replace(old, hashlib.sha256(content).hexdigest()))


def test_a_pickle_in_place_of_a_checkpoint_is_not_run(unfinished: Path, gossamer: Any, capfd: Any) -> None:
    for path in (unfinished / "private" / "checkpoints").glob("step-*.pt"):
        forge(path, b"cos\nsystem\n(S'echo a pickle was run'\ntR.")
    said = gossamer("resume", unfinished)
    assert said.code == 2, said.err
    assert "a pickle was run" not in capfd.readouterr().out
    assert without_release(unfinished)


def is_harmless(said: Any) -> bool:
    """Done, or refused in a last line that a terminal can show."""
    last = said.err.splitlines()[-1] if said.err else ""
    return said.code == 0 or (said.code in (2, 3) and last.startswith("gossamer: ") and last.isprintable())


def test_settings_changed_at_random_are_refused_or_harmless(
    unfinished: Path, gossamer: Any, mangle: Any, damage: Any
) -> None:
    whole = (unfinished / "config.json").read_bytes()
    codes = set()
    for number in range(FEW):
        rng = np.random.default_rng([18, number])
        content = damage(whole, rng) if number % 2 else json.dumps(mangle(json.loads(whole), rng)).encode()
        (unfinished / "config.json").write_bytes(content)
        said = gossamer("resume", unfinished)
        assert is_harmless(said), (number, said)
        codes.add(said.code)
        if said.code == 0:
            (unfinished / "release" / "generator.safetensors").unlink()
    assert 2 in codes


@pytest.mark.parametrize("part", ["ledger", "checkpoint", "manifest", "identity", "list"])
def test_private_files_changed_at_random_are_refused_or_harmless(
    unfinished: Path, gossamer: Any, damage: Any, part: str
) -> None:
    path = {
        "ledger": unfinished / LEDGER,
        "checkpoint": checkpoint(unfinished),
        "manifest": checkpoint(unfinished).with_suffix(".json"),
        "identity": unfinished / "private" / "run.json",
        "list": unfinished / LIST,
    }[part]
    whole, private = path.read_bytes(), unfinished.parent / "kept"
    shutil.copytree(unfinished / "private", private)
    refused = 0
    for number in range(FEW // 3):
        path.write_bytes(damage(whole, np.random.default_rng([19, number])))
        said = gossamer("resume", unfinished)
        assert is_harmless(said), (number, said)
        refused += said.code != 0
        # Into the same folder, which another one in its place would not be.
        for file in (file for file in (unfinished / "private").rglob("*") if file.is_file()):
            file.unlink()
        shutil.copytree(private, unfinished / "private", dirs_exist_ok=True)
        shutil.rmtree(unfinished / "release")
        (unfinished / "release").mkdir()
    assert refused or part == "checkpoint"


@pytest.mark.parametrize("name", ["settings nested without end", "settings behind a pipe", "a ledger that is no JSON"])
def test_a_release_is_read_whatever_lies_beside_it(finished: Path, tmp_path: Path, gossamer: Any, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    CHANGED[name][0](run)
    said = gossamer("sample", run, "--num-samples", 3, "--out", tmp_path / "drawn.npz")
    assert said.code == 0, said.err


def test_a_changed_generator_in_a_run_is_refused_by_every_command(finished: Path, tmp_path: Path, refused: Any) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    os.truncate(run / "release" / "generator.safetensors", 1000)
    refused("sample", run, "--num-samples", 3, "--out", tmp_path / "drawn.npz", at="generator.safetensors")
    refused("evaluate", run, "--data", "digits", "--quick", at="generator.safetensors")


LOOKED_AT = (
    "settings of gigabytes that take no room", "a method that is none", "a ledger nested without end",
    "a manifest of gigabytes that takes no room", "an identity nested without end",
    "a list of releases nested without end", "a list of gigabytes that takes no room",
)  # fmt: skip


@pytest.mark.parametrize("name", LOOKED_AT)
@pytest.mark.parametrize("verb", ["verify", "ledger"])
def test_what_looks_at_a_changed_run_says_so_and_lives(
    finished: Path, tmp_path: Path, gossamer: Any, verb: str, name: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    CHANGED[name][0](run)
    said = gossamer(verb, run)
    is_seen = verb == "verify" or "ledger" in name or "settings" in name or "method" in name
    assert said.code in ((2, 3) if is_seen else (0, 2, 3)), said
    assert said.err.count("\n") <= 1
    assert "\x1b" not in said.out + said.err


RELEASED = (
    "privacy.json",
    "PRIVACY.md",
    "README.md",
    "samples/croissant.json",
    "manifest.json",
    "generator.safetensors",
)


@pytest.mark.parametrize("part", RELEASED)
@pytest.mark.parametrize("kind", ["nested without end", "more than it needs", "a pipe", "noise"])
def test_verify_lives_whatever_a_release_holds(
    finished: Path, tmp_path: Path, gossamer: Any, part: str, kind: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.rmtree(run / "private")
    path = run / "release" / part
    match kind:
        case "nested without end":
            path.write_text(NEST)
        case "more than it needs":
            os.truncate(path, 2**28)
        case "a pipe":
            piped(path)
        case _:
            path.write_bytes(np.random.default_rng(0).bytes(500) + b"\x1b[2J")
    said = gossamer("verify", run / "release")
    assert said.code in (2, 3), said
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize("name", [one for one in CHANGED if "settings" in one or "method" in one])
def test_changed_settings_are_no_recipe(finished: Path, tmp_path: Path, refused: Any, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    CHANGED[name][0](run)
    path = run / "config.json"
    refused("train", "gs-wgan", "--data", "digits", "--recipe", path, "--dry-run", at="config.json")
