"""One-shot releases that crashes lose: each is charged by its name, and the price stated is never exceeded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.driving import driver
from gossamer.driving.job import TrainingJob
from gossamer.driving.releasing import check_price
from gossamer.driving.run import slots_kept
from gossamer.errors import PrivacyError
from gossamer.mechanisms.one_shot.contributions import GroupedVectors
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.methods.dp_mixture import DP_MIXTURE, recipes
from gossamer.methods.dp_mixture import training as dp_mixture
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.runs import ledger_file
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerFile, read_ledger

DELTA = 1e-6
SUM = GroupedVectors(num_groups=2, dim=3, radius=1.0)


def plan_of(shares: list[float]) -> OneShotPlan:
    releases = tuple(
        Release(name=f"sum {number}", contribution=SUM, share=share) for number, share in enumerate(shares)
    )
    return OneShotPlan(unit=Unit.RECORD, num_slots=1000, releases=releases, noise_multiplier=2.0)


def stops(plan: OneShotPlan) -> tuple[int, ...]:
    """Those of `driving`: a block for every release."""
    return tuple(range(1, plan.num_steps + 1))


def live_and_die(plan: OneShotPlan, path: Path, kept: int, until: int, where: tuple[int, ...]) -> int:
    """A process takes the run up, releases until it dies; returns what is in the checkpoint that it leaves."""
    ledger = LedgerFile(path, num_planned_steps=plan.num_steps, stops=where)
    end = plan.end_step(kept, ledger.ledger.lost_steps(kept))
    ledger.end_at(end)
    for step in range(kept, min(until, end)):
        ledger.charge(step)
    # The last release that was charged may be lost before it is kept; all before it are.
    return max(kept, min(until, end) - 1)


SHARES = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=25)
DEATHS = st.lists(st.integers(0, 26), max_size=12)


@given(shares=SHARES, deaths=DEATHS, block=st.integers(1, 12))
def test_whatever_crashes_lose_the_ledger_never_charges_more_than_the_plan(
    tmp_path_factory: Any, shares: list[float], deaths: list[int], block: int
) -> None:
    path, plan = tmp_path_factory.mktemp("ledger") / "ledger.jsonl", plan_of(shares)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_file, "BLOCK", block)
        kept = 0
        for until in (*deaths, plan.num_steps):
            kept = live_and_die(plan, path, kept, until, stops(plan))
            check_within(plan, path)


@given(shares=SHARES, deaths=DEATHS, block=st.integers(1, 12))
def test_blocks_of_several_releases_do_not_exceed_it_either(
    tmp_path_factory: Any, shares: list[float], deaths: list[int], block: int
) -> None:
    """A block that crosses releases costs more of the run, and never more than is stated: the names decide."""
    path, plan = tmp_path_factory.mktemp("ledger") / "ledger.jsonl", plan_of(shares)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_file, "BLOCK", block)
        for until in (*deaths, plan.num_steps):
            live_and_die(plan, path, 0, until, ())
            check_within(plan, path)


def check_within(plan: OneShotPlan, path: Path) -> None:
    spent = plan.spent_by(read_ledger(path))
    if spent is None:
        return
    charged = [step for entry in read_ledger(path).entries for step in range(entry.first_step, entry.end_step)]
    assert len(charged) <= plan.num_steps
    # By the shares, by the variances, and by the accountant.
    assert sum(plan.releases[step].share for step in charged) <= sum(one.share for one in plan.releases) * (1 + 1e-9)
    inverse = sum(plan.release_multiplier(step) ** -2 for step in charged)
    assert plan.noise_multiplier is not None
    assert inverse <= plan.noise_multiplier**-2 * (1 + 1e-9)
    assert epsilon_by_pld(spent, DELTA).epsilon <= epsilon_by_pld(plan.event, DELTA).epsilon * (1 + 1e-6)


EVIDENCE = [
    {},
    {"mean_share": 0.01, "subspace_share": 1.0, "round_share": 0.2, "covariance_share": 0.55},
    {"mean_share": 0.01, "subspace_share": 5.0, "round_share": 0.2, "covariance_share": 0.1},
]


def mixture_plan(shares: dict[str, float]) -> OneShotPlan:
    """The recipe for MNIST with four components and twenty rounds, at epsilon 1."""
    config = replace(recipes.MNIST, generator=replace(recipes.MNIST.generator, num_components=4), num_rounds=20)
    slots = PublicSlots(60_000, Unit.RECORD, CountSource.GIVEN)
    config = DP_MIXTURE.calibrate(replace(config, **shares), slots, PrivacyBudget(epsilon=1.0, delta=DELTA))
    return dp_mixture.plan(config, slots)


def charged_after_a_crash(plan: OneShotPlan, path: Path, where: tuple[int, ...], num_done: int) -> float:
    """Ten releases and a crash, of which so many are kept; then to the end. What the ledger charges."""
    live = LedgerFile(path, num_planned_steps=plan.num_steps, stops=where)
    for step in range(10):
        live.charge(step)
    again = LedgerFile(path, num_planned_steps=plan.num_steps, stops=where)
    end = plan.end_step(num_done, again.ledger.lost_steps(num_done))
    again.end_at(end)
    for step in range(num_done, end):
        again.charge(step)
    spent = plan.spent_by(again.ledger)
    assert spent is not None
    return epsilon_by_pld(spent, DELTA).epsilon


@pytest.mark.parametrize("shares", EVIDENCE, ids=["recipe", "uneven", "very uneven"])
def test_a_mixture_of_many_rounds_charges_no_more_than_it_states(tmp_path: Path, shares: dict[str, float]) -> None:
    plan = mixture_plan(shares)
    stated = epsilon_by_pld(plan.event, DELTA).epsilon
    assert stated == pytest.approx(1.0, abs=1e-3)
    # Ten are charged, nine are kept; and as if nothing had been kept.
    for number, (where, kept) in enumerate(((stops(plan), 9), (stops(plan), 0), ((), 0))):
        assert charged_after_a_crash(plan, tmp_path / f"{number}.jsonl", where, kept) <= stated * (1 + 1e-6)


def test_lost_releases_priced_as_the_first_ones_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1.000 printed, 1.434 charged."""
    plan = mixture_plan(EVIDENCE[2])
    monkeypatch.setattr(OneShotPlan, "end_step", as_one_each)
    assert charged_after_a_crash(plan, tmp_path / "ledger.jsonl", (), 0) > 1.4


def as_one_each(self: OneShotPlan, next_step: int, lost_steps: tuple[int, ...] = ()) -> int:
    """The break, planted: a lost release costs what the first one does, however large its own share is."""
    shares = [release.share for release in self.releases]
    lost, most = len(lost_steps) * shares[0], sum(shares) * (1 + 1e-12)
    fits = (end for end in range(self.num_steps, next_step, -1) if sum(shares[:end]) + lost <= most)
    return min(next(fits, next_step), self.num_steps - len(lost_steps))


# ---- the command --------------------------------------------------------------------------------------------------


def train(gossamer: Any, run: Path, *more: object) -> Any:
    return gossamer(
        *("train", "dp-mixture", "--data", "digits", "--out", run, "--noise-multiplier", 3, "--num-rounds", 10),
        *("--generator.num-components", 2, *more),
    )


def crash_after(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die after so many releases of a process, before the last of them is kept."""
    release, count = OneShotReleaser.release, [0]

    def counted(self: OneShotReleaser, *arguments: Any, **named: Any) -> Any:
        released = release(self, *arguments, **named)
        count[0] += 1
        if count[0] == number:
            raise ZeroDivisionError
        return released

    monkeypatch.setattr(OneShotReleaser, "release", counted)


def test_a_crash_loses_one_release_and_the_ledger_names_it(
    gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        crash_after(patch, 8)
        with pytest.raises(ZeroDivisionError):
            train(gossamer, run)
    entries = read_ledger(run / "private" / "ledger.jsonl").entries
    assert [(entry.first_step, entry.num_steps) for entry in entries] == [(step, 1) for step in range(8)]
    assert max(path.name for path in (run / "private" / "checkpoints").glob("*.pt")) == "step-00000007.pt"
    said = gossamer("resume", run)
    assert said.code == 0, said.err
    assert "1 steps were paid for and lost in a crash" in said.err
    told = json.loads(gossamer("ledger", run, "--json").out)
    assert told["epsilon_charged"] <= told["epsilon_planned"] * (1 + 1e-9)
    (twice,) = [one for one in told["one_shot"] if len(one["charged_by"]) == 2]
    assert (twice["step"], twice["charged_by"]) == (7, [0, 1])
    assert gossamer("verify", run).code == 0


def test_what_costs_more_by_the_ledger_than_by_its_statement_is_not_released(
    gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        crash_after(patch, 12)
        with pytest.raises(ZeroDivisionError):
            train(gossamer, run, "--subspace-share", 9)
    plan = TrainingJob.read(RunFolder(run)).plan(slots_kept(RunFolder(run)))
    assert isinstance(plan, OneShotPlan)
    # As if an older program had gone on with it: two more of the dear release, and still no more releases than planned.
    ledger = run / "private" / "ledger.jsonl"
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert (len(lines), plan.num_steps) == (12, 13)
    state = {"step": 11}
    monkeypatch.setattr(OneShotPlan, "end_step", lambda self, next_step, lost_steps=(): state["step"])
    with monkeypatch.context() as patch:
        patch.setattr(driver, "load_checkpoint", dearer(run, ledger))
        said = gossamer("resume", run)
    assert said.code == 3, said.err
    assert "what is charged costs epsilon" in said.err
    assert "so nothing is released" in said.err
    assert list((run / "release").iterdir()) == []
    assert not (run / "private" / "released.jsonl").exists()


def dearer(run: Path, ledger: Path) -> Any:
    """The checkpoint, beside a ledger in which the dearest release was charged once more."""
    load = driver.load_checkpoint

    def loaded(*arguments: Any) -> Any:
        state = load(*arguments)
        with ledger.open("a") as file:
            file.write('{"first_step": 1, "num_steps": 1, "process_index": 1}\n')
        return state

    return loaded


def test_a_price_is_that_of_the_ledger_and_not_that_of_the_plan(tmp_path: Path) -> None:
    plan = plan_of([0.01, 5.0, 0.2])
    whole = plan.statement(ClaimTerms(delta=1e-4, method="dp-mixture", sample_size=3, is_secure=True))
    ledger = LedgerFile(tmp_path / "ledger.jsonl", num_planned_steps=3, stops=stops(plan))
    with pytest.raises(PrivacyError, match="nothing is charged"):
        check_price(plan, ledger, whole)
    for step in range(2):
        ledger.charge(step)
    check_price(plan, ledger, whole)
    again = LedgerFile(tmp_path / "ledger.jsonl", num_planned_steps=3, stops=stops(plan))
    again.charge(1)
    with pytest.raises(PrivacyError, match=r"more than the .* that the statement would say"):
        check_price(plan, again, whole)
