"""Stopped at every call that changes the disk, one after the other, in every phase: beginning, steps, release.

A life is killed at the n-th call of `os.fsync`, `os.replace`, `os.unlink`, `os.mkdir` or `os.truncate` in its run
folder; or half of what it was to flush is gone as well, as a power cut may leave it; or the call fails as on a full
disk. Then the run is resumed. Nothing here is left to chance, so nothing can fail by it. `make torture` goes through
all calls, `make test` through some.
"""

from __future__ import annotations

import errno
import json
import shutil
import signal
from typing import Any

import pytest

FULL = str(errno.ENOSPC)
ONE_SHOT = ("dp-merf", "dp-mixture")


def more(method: str) -> tuple[str, ...]:
    """Generators saved on the way, where there are any."""
    return () if method in ONE_SHOT else ("--save-at-step", "4,11")


def chosen(points: list[str], how: str, every: int, first: int) -> list[int]:
    """Every n-th call that can be stopped so."""
    those = [number for number, point in enumerate(points) if how != "torn" or is_file_flushed(point)]
    return those[first % every :: every]


def is_file_flushed(point: str) -> bool:
    name, _, path = point.partition(" ")
    return name == "fsync" and path.endswith((".partial", ".jsonl"))


def check_stopped(said: Any, how: str) -> None:
    """Killed, or one line on what is wrong with the disk."""
    if how != FULL:
        assert said.code == -signal.SIGKILL
    elif said.code != 0:  # what could not be tidied away is no reason to stop
        assert said.code == 4, said.err
        assert said.err.count("gossamer: ") == said.err.count("\n")
        assert "No space left on device" in said.err


@pytest.mark.parametrize(
    ("method", "how", "every"),
    [
        pytest.param("gs-wgan", "before", 23, id="gs-wgan-some"),
        pytest.param("dp-cgan", "torn", 9, id="dp-cgan-torn-some"),
        pytest.param("dp-cgan", FULL, 17, id="dp-cgan-full-some"),
        *(
            pytest.param(method, how, 1, id=f"{method}-{word}-all", marks=pytest.mark.slow)
            for method in ("gs-wgan", "dp-cgan")
            for how, word in (("before", "killed"), ("torn", "torn"), (FULL, "full"))
        ),
        *(pytest.param(method, "before", 2, id=f"{method}-all", marks=pytest.mark.slow) for method in ONE_SHOT),
    ],
)
def test_stopped_at_any_call_a_run_is_resumed_and_comes_out_as_unbroken(
    nursery: Any, new_run: Any, points_of: Any, reference: Any, lives: Any, check_books: Any, check_release: Any,
    weights_of: Any, method: str, how: str, every: int,
) -> None:  # fmt: skip
    life = {"noise": "deterministic", "often": True}
    whole = new_run(method, *more(method), name="whole")
    points = points_of(nursery, whole, **life)
    assert nursery.run(*whole.words, **life).code == 0
    states, weights = reference(whole)
    assert lives.digest(weights_of(whole)) == weights
    assert len(points) > 40
    for number in chosen(points, how, every, first=3):
        run = new_run(method, *more(method))
        life["journal"] = str(run.journal)
        crash = {"inside": str(run.path), "at": number, "how": how}
        check_stopped(nursery.run(*run.words, crash=crash, **life), how)
        said = nursery.run(*run.next_words, **life)
        where = f"stopped at call {number}, {points[number]}: {said.err}"
        assert said.code in (0, 3), where
        for step, state in run.states().items():
            assert lives.digest(state) in states[step], where
        if said.code == 3:
            # Everything that the plan pays for was lost, or what a one-shot method releases.
            assert "lost in crashes" in said.err, where
            assert list((run.path / "release").glob("*.safetensors")) == [], where
        else:
            check_release(run)
            is_whole = "paid for and lost" not in said.err
            assert not is_whole or lives.digest(weights_of(run)) == weights, where
        assert run.ledger.num_charged_steps <= planned(run), where
        shutil.rmtree(run.path.parent)


def planned(run: Any) -> int:
    """Private steps of the whole run, as settings and statement count them."""
    method = json.loads((run.path / "config.json").read_text())["method"]
    if "gs_wgan" in method:
        return 1 + method["gs_wgan"]["num_steps"]
    return method.get("num_steps", 3)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gs-wgan", "dp-cgan"])
def test_stopped_again_and_again_no_noise_is_used_twice(
    nursery: Any, new_run: Any, check_books: Any, check_release: Any, method: str
) -> None:
    """With secret noise: every life of a run is killed five calls later than the last, until one comes through."""
    for first in range(5):
        run = new_run(method, *more(method))
        number, said = first, None
        while said is None or said.code == -signal.SIGKILL:
            crash = {"inside": str(run.path), "at": number, "how": "before"}
            life = {"noise": "keyed", "often": True, "journal": str(run.journal)}
            said = nursery.run(*run.next_words, crash=crash, **life)
            check_books(run)
            number += 5
        assert said.code in (0, 3), said.err
        assert run.ledger.num_charged_steps <= planned(run)
        if said.code == 0:
            check_release(run)
