"""Killed at random moments and resumed to the end: nothing differs, nothing is drawn twice, nothing is spent beyond.

No comparison here can fail by chance: states are compared bit for bit, and no two draws of 128
secret bits are equal.
`make torture` kills each form fifty times, `make test` a few times.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

METHODS = ("gs-wgan", "dp-cgan")
LONGEST = {"gs-wgan": 0.5, "dp-cgan": 0.5}
"""Seconds of work within which a life is killed: from before its first line to some checkpoints on."""
NUM_STEPS = {"gs-wgan": 120, "dp-cgan": 160}
FIFTY = [pytest.param(method, 50, id=f"{method}-fifty", marks=pytest.mark.slow) for method in METHODS]


def long(method: str, tiny: Any) -> Any:
    return replace(tiny[method], num_steps=NUM_STEPS[method])


@pytest.fixture
def torment(nursery: Any, new_run: Any, tiny: Any) -> Callable[..., list[Any]]:
    """Kill runs of a method so many times, resuming each, and let each come to its end; the runs."""

    def work(method: str, num_kills: int, check: Callable[[Any], None], **life: Any) -> list[Any]:
        rng = np.random.default_rng([num_kills, len(life["noise"])])
        runs: list[Any] = []
        num_amid, num_asked = 0, num_kills
        while num_kills > 0:
            run = new_run(method, "--save-at-step", "25,70", settings=long(method, tiny), data="digits")
            runs.append(run)
            said = None
            while said is None or said.code == -signal.SIGKILL:
                life |= {"journal": str(run.journal), "often": True}
                charged = run.ledger.num_charged_steps
                if num_kills > 0:
                    said = nursery.run_for(rng.uniform(0, LONGEST[method]), *run.next_words, **life)
                else:
                    said = nursery.run(*run.next_words, **life)
                num_kills -= said.code == -signal.SIGKILL
                num_amid += said.code == -signal.SIGKILL and run.ledger.num_charged_steps > charged
                check(run)
            assert said.code == 0, said.err
            assert "Traceback" not in said.err
        # Moments that are all before the first charge, or all after the last, would prove little.
        assert num_asked < 50 or num_amid >= num_asked // 3
        return runs

    return work


@pytest.fixture
def unbroken(nursery: Any, new_run: Any, tiny: Any) -> Callable[[str], Any]:
    """A run that nobody kills; what the others cost is known then."""

    def work(method: str) -> Any:
        run = new_run(method, "--save-at-step", "25,70", settings=long(method, tiny), data="digits")
        assert nursery.run(*run.words, noise="deterministic").code == 0
        return run

    return work


@pytest.mark.parametrize(("method", "num_kills"), [pytest.param("gs-wgan", 3, id="gs-wgan-few"), *FIFTY])
def test_killed_and_resumed_it_comes_out_as_unbroken_bit_for_bit(
    torment: Any, unbroken: Any, reference: Any, lives: Any, weights_of: Any, method: str, num_kills: int
) -> None:
    """With noise that anyone can recompute: all states on the disk are those that an unbroken training goes through.

    Steps that were paid for and lost shorten the run; it then ends at an earlier state of the unbroken one.
    """
    states, _ = reference(unbroken(method))

    def check(run: Any) -> None:
        for step, state in run.states().items():
            assert state["step"] == step
            assert lives.digest(state) in states[step], f"the state at step {step} is another"

    runs = torment(method, num_kills, check, noise="deterministic")
    for run in runs:
        step, state = max(run.states().items())
        assert 0 < step <= NUM_STEPS[method]
        average = state["generator" if method == "gs-wgan" else "networks"]["average"]
        assert lives.digest(weights_of(run)) == lives.digest(average)
        shutil.rmtree(run.path)


@pytest.mark.parametrize(("method", "num_kills"), [pytest.param("dp-cgan", 3, id="dp-cgan-few"), *FIFTY])
def test_killed_and_resumed_no_noise_is_used_twice_and_no_budget_exceeded(
    torment: Any, unbroken: Any, check_books: Any, check_release: Any, priced: Any, method: str, num_kills: int
) -> None:
    unbroken(method)
    runs = torment(method, num_kills, check_books, noise="keyed")
    drawn = [line["digest"] for run in runs for line in run.lines() if "drawn" in line]
    assert len(drawn) > NUM_STEPS[method]
    assert len(set(drawn)) == len(drawn)
    for run in runs:
        check_release(run)
        assert run.ledger.num_charged_steps <= NUM_STEPS[method]
    statement = json.loads((runs[-1].path / "release" / "privacy.json").read_text())
    assert priced(runs[-1], runs[-1].ledger.num_charged_steps) <= statement["epsilon"] * (1 + 1e-9)


@pytest.mark.parametrize("is_forgetful", [True, False])
def test_an_optimiser_that_is_forgotten_is_caught(
    nursery: Any, new_run: Any, reference: Any, lives: Any, is_forgetful: bool
) -> None:
    """The counter-test: a checkpoint of which a part is not taken up leads to another state."""
    run, life = new_run("dp-cgan"), {"noise": "deterministic"}
    stop = {"after": 1, "numbers": [int(signal.SIGTERM)]}
    assert nursery.run(*run.next_words, **life, signals=stop).code == 130
    assert nursery.run(*run.next_words, **life, is_forgetful=is_forgetful).code == 0
    states = reference(run)[0]
    last, state = max(run.states().items())
    assert (last, lives.digest(state) in states[last]) == (13, not is_forgetful)


def test_noise_that_is_used_twice_is_caught(nursery: Any, new_run: Any, check_books: Any, at_point: Any) -> None:
    """The counter-test: with noise that a seed gives, the steps after the last checkpoint draw the same again."""
    run = new_run("dp-cgan")
    life = {"noise": "deterministic", "journal": str(run.journal), "often": True}
    crash = at_point(run, lambda name, path: name == "replace" and path.endswith(".step-00000010.pt.partial"), **life)
    assert nursery.run(*run.next_words, crash=crash, **life).code == -signal.SIGKILL
    check_books(run)
    assert nursery.run(*run.next_words, **life).code == 0
    with pytest.raises(AssertionError, match="drawn twice"):
        check_books(run)


def test_a_step_that_no_ledger_knows_is_caught(nursery: Any, new_run: Any, check_books: Any) -> None:
    """The counter-test: a ledger that lost its last line."""
    run = new_run("dp-cgan")
    assert nursery.run(*run.next_words, noise="keyed", journal=str(run.journal)).code == 0
    check_books(run)
    ledger = run.path / "private" / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:-1]))
    with pytest.raises(AssertionError, match="not charged"):
        check_books(run)


# ---- what is left when the budget is used up by crashes ------------------------------------------------------------


def test_a_budget_used_up_by_lost_steps_ends_the_run_and_says_so(
    nursery: Any, new_run: Any, at_point: Any, check_books: Any
) -> None:
    """13 steps: ten are lost before any checkpoint, then three; none is left, and none is taken."""
    run = new_run("dp-cgan")
    life = {"noise": "keyed", "journal": str(run.journal), "often": True}
    for _ in range(2):
        crash = at_point(run, lambda name, path: name == "replace" and ".step-" in path, **life)
        assert nursery.run(*run.next_words, crash=crash, **life).code == -signal.SIGKILL
        check_books(run)
    assert run.ledger.num_charged_steps == 13
    before = len(run.lines())
    said = nursery.run(*run.next_words, **life)
    assert (said.code, said.err.count("\n")) == (3, 1)
    assert "all 13 steps were paid for and lost in crashes" in said.err
    assert len(run.lines()) == before
    assert list((run.path / "release").iterdir()) == []


def test_steps_lost_after_a_checkpoint_end_the_run_early_and_it_says_so(
    nursery: Any, new_run: Any, at_point: Any, check_books: Any, check_release: Any
) -> None:
    run = new_run("dp-cgan")
    life = {"noise": "keyed", "journal": str(run.journal), "often": True}
    crash = at_point(run, lambda name, path: name == "replace" and path.endswith(".step-00000013.pt.partial"), **life)
    assert nursery.run(*run.next_words, crash=crash, **life).code == -signal.SIGKILL
    said = nursery.run(*run.next_words, **life)
    assert said.code == 0
    assert "3 steps were paid for and lost in a crash; 0 are left" in said.err
    assert run.ledger.num_charged_steps == 13
    assert max(run.states()) == 10
    check_books(run)
    check_release(run)


# ---- what changed between kill and resume ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killed_once(nursery: Any, new_run: Any, own_data: Path, at_point: Any, tmp_path_factory: Any) -> Any:
    """A run that was killed after a checkpoint, on data of its own."""
    data = tmp_path_factory.mktemp("data") / "mine.npz"
    shutil.copy(own_data, data)
    run = new_run("dp-cgan", data=data)
    life = {"noise": "keyed", "journal": str(run.journal), "often": True}
    crash = at_point(run, lambda name, path: name == "fsync" and path.endswith(".step-00000013.pt.partial"), **life)
    assert nursery.run(*run.next_words, crash=crash, **life).code == -signal.SIGKILL
    shutil.copytree(run.path, run.path.with_name("as it was killed"))
    return run, data


@pytest.fixture
def killed(killed_once: Any, own_data: Path, remember_place: Any) -> Any:
    """The same, as it was, and its data."""
    run, data = killed_once
    shutil.rmtree(run.path)
    shutil.copytree(run.path.with_name("as it was killed"), run.path)
    remember_place(run.path)
    shutil.copy(own_data, data)
    return run, data


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ("noise", 2, "config.json"),
        ("steps", 2, "config.json"),
        ("data", 2, "mine"),
        ("ledger gone", 3, "ledger.jsonl"),
        ("ledger cut", 3, "ledger.jsonl"),
        ("checkpoints", 2, "checkpoints"),
        ("nothing", 0, ""),
    ],
)
def test_what_was_changed_between_kill_and_resume_is_refused_by_name(
    nursery: Any, killed: Any, change: str, code: int, named: str
) -> None:
    run, data = killed
    config, ledger = run.path / "config.json", run.path / "private" / "ledger.jsonl"
    tree = json.loads(config.read_text())
    match change:
        case "noise" | "steps":
            tree["method"] |= {"noise_multiplier": 0.5} if change == "noise" else {"num_steps": 40}
            config.write_text(json.dumps(tree))
        case "data":
            with np.load(data) as arrays:
                x, y = arrays["x"].copy(), arrays["y"]
            x[17, 0, 3, 3] = 1 - x[17, 0, 3, 3]
            np.savez(data, x=x, y=y)
        case "ledger gone":
            ledger.unlink()
        case "ledger cut":
            ledger.write_text('{"first_step": 0, "num_steps": 4, "process_index": 0}\n')
        case "checkpoints":
            for path in (run.path / "private" / "checkpoints").glob("*.pt"):
                path.write_bytes(path.read_bytes()[:-1])
        case _:
            pass
    before = len(run.lines())
    said = nursery.run(*run.next_words, noise="keyed", journal=str(run.journal))
    assert said.code == code, said.err
    assert named in said.err
    if code:
        assert said.err.startswith("gossamer: ")
        assert said.err.count("\n") == 1
        assert len(run.lines()) == before
        assert not (run.path / "release" / "generator.safetensors").exists()


# ---- the command as a person starts it ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_processes_of_the_command_itself_are_killed_and_resumed(
    new_run: Any, tiny: Any, seconds_worked: Any, check_release: Any, method: str
) -> None:
    """No spies and no forks: ``python -m gossamer``, killed three times, then let go.

    No checkpoint comes before the end here: who is killed too late has paid for all steps and lost them, is refused,
    and another run is begun.
    """
    rng, num_kills = np.random.default_rng(5), 3
    run, code = new_run(method, settings=long(method, tiny)), None
    while code != 0:
        words = [sys.executable, "-m", "gossamer", *map(str, run.next_words)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        limit = rng.uniform(3, 9) if num_kills else float("inf")
        while process.poll() is None and seconds_worked(process.pid) < limit:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            num_kills -= 1
        said, code = process.communicate()[1], process.returncode
        assert run.ledger.num_charged_steps <= NUM_STEPS[method]
        if code == 3:
            assert f"all {NUM_STEPS[method]} steps were paid for and lost in crashes" in said
            assert not (run.path / "release" / "generator.safetensors").exists()
            run = new_run(method, settings=long(method, tiny))
        else:
            assert code in (0, -signal.SIGKILL), said
    check_release(run)
