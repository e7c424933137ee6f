"""One of two processes of a training killed at a random moment, and the run resumed by any number of them.

Nothing is drawn twice, nothing is spent beyond the plan, and the process that is left says so in one line.
`make torture` kills each method fifty times, `make test` a few times.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

NUM_STEPS, LONGEST = {"gs-wgan": 120, "dp-cgan": 160}, 0.8
FEW = [pytest.param(method, 2, id=f"{method}-few") for method in NUM_STEPS]
FIFTY = [pytest.param(method, 50, id=f"{method}-fifty", marks=pytest.mark.slow) for method in NUM_STEPS]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def pair(nursery: Any, new_nursery: Callable[[], Any]) -> tuple[Any, Any]:
    """Where the first process is forked from, and where the second is."""
    return nursery, new_nursery()


@pytest.fixture
def places() -> Iterator[Callable[[], list[dict[str, str]]]]:
    """What torchrun would tell each of two processes; its store, which outlives them, is in this process."""
    stores = []

    def tell() -> list[dict[str, str]]:
        store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        stores.append(store)
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
        common = where | {"WORLD_SIZE": "2", "TORCHELASTIC_RESTART_COUNT": "0"}
        return [common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]

    yield tell
    stores.clear()


@pytest.fixture
def begin(pair: tuple[Any, Any], places: Any) -> Callable[..., list[int]]:
    """Begin two lives of one run, the ranks of it."""

    def work(run: Any, **life: Any) -> list[int]:
        begun = zip(pair, places(), strict=True)
        return [nursery.begin(*run.next_words, env=env, **life) for nursery, env in begun]

    return work


def ended(nursery: Any, pid: int) -> Any:
    """How a life ended whose other was killed: by itself, or by the signal of torchrun, if it waits for a beginning."""
    said = nursery.end(5.0)
    if said is None:
        os.kill(pid, signal.SIGTERM)
        said = nursery.end(PATIENCE_S)
    if said is None:
        os.kill(pid, signal.SIGKILL)
    assert said is not None, "the process that was left never ended"
    return said


@pytest.fixture
def kill(pair: tuple[Any, Any], begin: Any, seconds_worked: Any) -> Callable[..., tuple[Any, Any]]:
    """Begin two lives and kill one of them after so many seconds of work; how the killed one and the other ended."""

    def work(run: Any, killed: int, seconds: float, **life: Any) -> tuple[Any, Any]:
        pids, said = begin(run, **life), None
        while said is None and seconds_worked(pids[killed]) < seconds:
            said = pair[killed].end(0.002)
        if said is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[killed], signal.SIGKILL)
            said = pair[killed].end(PATIENCE_S)
        return said, ended(pair[1 - killed], pids[1 - killed])

    return work


def check_left(run: Any, killed: int, said: Any) -> None:
    """The process that was left ended in good order: the first with one line, the other without a word."""
    assert said.code in (0, 3, 4, 130), said.err
    assert "Traceback" not in said.err
    if killed == 0:
        assert (said.out, said.err) == ("", "")
    elif said.code == 4:
        # On a slow machine lines of progress may stand before it.
        assert said.err.count("nothing is spent twice") == 1


@pytest.mark.parametrize(("method", "num_kills"), [*FEW, *FIFTY])
def test_a_rank_that_dies_costs_nothing_twice_and_any_number_goes_on(
    kill: Any, nursery: Any, new_run: Any, tiny: Any, check_books: Any, check_release: Any, method: str, num_kills: int
) -> None:
    rng, codes = np.random.default_rng(num_kills), []
    while num_kills > 0:
        run = new_run(method, settings=replace(tiny[method], num_steps=NUM_STEPS[method]), data="digits")
        life = {"noise": "keyed", "journal": str(run.journal), "often": True}
        has_ended = False
        while num_kills > 0 and not has_ended:
            killed = int(rng.integers(2))
            said, left = kill(run, killed, rng.uniform(0.1, LONGEST), **life)
            check_left(run, killed, left)
            check_books(run)
            codes.append(left.code)
            num_kills -= said.code == -signal.SIGKILL
            has_ended = (run.path / "release" / "generator.safetensors").exists() or left.code == 3
        if left.code != 3:
            assert nursery.run(*run.next_words, **life).code in (0, 3)
            check_books(run)
        assert run.ledger.num_charged_steps <= NUM_STEPS[method]
        if (run.path / "release" / "generator.safetensors").exists():
            check_release(run)
        shutil.rmtree(run.path)
    assert 4 in codes  # some died amid the work


def test_a_fit_whose_helper_dies_goes_on_alone_and_nothing_is_paid_for_twice(
    begin: Any, pair: tuple[Any, Any], nursery: Any, new_run: Any, tiny: Any, check_books: Any, check_release: Any
) -> None:
    """The fit of DP-MERF is public work that both share, after its only private step."""
    run = new_run("dp-merf", settings=replace(tiny["dp-merf"], num_fit_steps=2000))
    life = {"noise": "keyed", "journal": str(run.journal), "often": True}
    pids = begin(run, **life)
    while not run.states():
        assert pair[0].end(0.01) is None, "it ended before its fit began"
    os.kill(pids[1], signal.SIGKILL)
    said = [one.end(PATIENCE_S) for one in pair]
    assert [one.code for one in said] == [4, -signal.SIGKILL], said
    assert said[0].err.count("nothing is spent twice") == 1
    assert "Traceback" not in said[0].err
    assert nursery.run(*run.next_words, **life).code == 0
    assert run.ledger.num_charged_steps == 1
    check_books(run)
    check_release(run)


@pytest.mark.parametrize(("method", "data"), [("gs-wgan", "digits"), ("dp-merf", None)])
def test_two_processes_end_in_the_state_of_one_bit_for_bit(
    begin: Any, pair: tuple[Any, Any], new_run: Any, reference: Any, lives: Any, weights_of: Any, method: str, data: Any
) -> None:
    run = new_run(method, data=data)
    begin(run, noise="deterministic")
    said = [nursery.end() for nursery in pair]
    assert [one.code for one in said] == [0, 0], said
    assert (said[1].out, said[1].err) == ("", "")
    assert lives.digest(weights_of(run)) == reference(run)[1]


def test_both_are_interrupted_and_the_first_alone_says_so(
    begin: Any, pair: tuple[Any, Any], new_run: Any, tiny: Any
) -> None:
    """Ctrl-C reaches all processes: the first stops in good order, and the other goes on helping until then."""
    run = new_run("dp-cgan", settings=replace(tiny["dp-cgan"], num_steps=3000), data="digits")
    pids = begin(run, noise="keyed", often=True)
    while not (run.path / "private" / "ledger.jsonl").exists() or not run.ledger.num_charged_steps:
        time.sleep(0.01)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGINT)
    said = [nursery.end() for nursery in pair]
    assert [one.code for one in said] == [130, 0], said
    assert "interrupted at step" in said[0].err
    assert (said[1].out, said[1].err) == ("", "")
    assert run.states()
