"""Generators saved on the way: at the right steps, at an honest price, each once, through interrupts and crashes."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any, NoReturn

import dp_accounting
import numpy as np
import pytest
import torch
from dp_accounting import rdp

from gossamer.driving import driver, releasing
from gossamer.driving.milestones import find_milestones
from gossamer.errors import InputError, PrivacyError
from gossamer.estimators import load, load_generator
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy.accounting import epsilon_by_pld, fixed_pair_epsilon
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.events import one_of_many_event
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.release import saved_generators

FILES = {"PRIVACY.md", "README.md", "generator.safetensors", "manifest.json", "privacy.json"}
TINY = {"num_critics": 30, "batch_size": 20, "draws_per_step": 4, "noise_multiplier": 1.2}
DELTA = 1e-5


@functools.cache
def epsilon_of(num_steps: int) -> float:
    return epsilon_by_pld(one_of_many_event(**TINY, num_steps=num_steps), DELTA).epsilon


@functools.cache
def independent_bounds(num_steps: int) -> tuple[float, float]:
    """One fixed pair's epsilon and dp-accounting's own by RDP, of the contract's event written down anew."""
    draw = dp_accounting.SelfComposedDpEvent(dp_accounting.GaussianDpEvent(1.2), 5)
    event = dp_accounting.SelfComposedDpEvent(
        dp_accounting.SampledWithoutReplacementDpEvent(30, 1, draw), num_steps * 4
    )
    accountant = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    accountant.compose(event)
    fixed = fixed_pair_epsilon(one_of_many_event(**TINY, num_steps=num_steps), DELTA).epsilon
    return fixed, float(accountant.get_epsilon(DELTA))


def statement_at(path: Path) -> dict[str, Any]:
    return json.loads((path / "privacy.json").read_text())


def steps_saved(run: Path) -> list[int]:
    return [saved.step for saved in saved_generators(RunFolder(run))]


def contents(run: Path) -> dict[str, bytes]:
    folder = run / "release" / "checkpoints"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def deterministic(monkeypatch: Any) -> None:
    """Noise that a resumed run draws again, so that two runs can be compared."""
    monkeypatch.setattr(driver, "KeyedNoise", lambda: DeterministicNoise(5))


@pytest.fixture(scope="module")
def run(tmp_path_factory: Any, train_tiny: Any, shared_folders: Any) -> tuple[Path, Any]:
    """A finished run with milestones of both kinds. To be looked at, never to be changed."""
    path = tmp_path_factory.mktemp("milestones") / "run"
    between = (epsilon_of(5) + epsilon_of(6)) / 2
    said = train_tiny("digits", path, "--save-at-epsilon", f"{between},", "--save-at-step", "3,12", "7", 3)
    assert said.code == 0
    return shared_folders.add(path), said


# ---- where they lie, and what is in them ----------------------------------------------------------------------------


def test_a_generator_is_saved_at_every_milestone_and_nowhere_else(run: Any) -> None:
    path, said = run
    assert steps_saved(path) == [3, 5, 7, 12]
    assert [saved.path.name for saved in saved_generators(RunFolder(path))] == [
        f"step-{step:06d}" for step in (3, 5, 7, 12)
    ]
    folder = path / "release" / "checkpoints"
    assert {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()} == {
        Path(f"step-{step:06d}") / name for step in (3, 5, 7, 12) for name in FILES
    }
    assert {file.name for file in (path / "release").iterdir()} == {*FILES, "samples", "checkpoints"}
    assert str(folder) in said.out


def test_each_statement_prices_the_steps_until_then(run: Any) -> None:
    for saved in saved_generators(RunFolder(run[0])):
        statement = statement_at(saved.path)
        assert statement["parameters"]["num_steps"] == saved.step
        assert statement["epsilon"] == pytest.approx(epsilon_of(saved.step), rel=1e-9)
        low, high = independent_bounds(saved.step)
        assert low <= statement["epsilon"] <= high
        assert statement["epsilon_rdp"] == pytest.approx(high, rel=0.05)
        assert statement["num_slots"] == 1437
        assert statement["is_secure"] is True
        assert load_generator(saved.path).statement.to_json() == statement


def test_each_says_what_it_is_and_what_it_is_not(run: Any) -> None:
    path, _ = run
    for saved in saved_generators(RunFolder(path)):
        text = (saved.path / "PRIVACY.md").read_text()
        assert f"as it was after {saved.step} of the 12 steps" in text
        assert "do not add up" in text
        assert "scores on private data: that is tuning" in text
        assert "3, 5, 7, 12 of 12" in text
    whole = (path / "release" / "PRIVACY.md").read_text()
    assert "3, 5, 7, 12 of 12" in whole
    assert "release/generator.safetensors" in whole


def test_the_last_one_is_the_released_generator(run: Any) -> None:
    path, _ = run
    last, released = load_generator(saved_generators(RunFolder(path))[-1].path), load_generator(path)
    assert all(torch.equal(last.weights[name], weight) for name, weight in released.weights.items())
    assert last.statement.epsilon == released.statement.epsilon
    first = load_generator(saved_generators(RunFolder(path))[0].path)
    assert not all(torch.equal(first.weights[name], weight) for name, weight in released.weights.items())


def test_each_loads_by_folder_and_by_file_and_draws_samples(run: Any, gossamer: Any, tmp_path: Path) -> None:
    folder = run[0] / "release" / "checkpoints" / "step-000003"
    x, y = load(folder).sample(5)
    assert x.shape == (5, 1, 8, 8)
    assert y is not None
    assert np.array_equal(load(folder / "generator.safetensors").sample(5)[0], x)
    assert gossamer("sample", folder, "--num-samples", 5, "--out", tmp_path / "x.npz").code == 0
    with np.load(tmp_path / "x.npz") as found:
        assert np.array_equal(found["x"], x)


def test_they_are_announced_with_their_real_price(run: Any) -> None:
    lines = [line.split() for line in run[1].out.splitlines()]
    assert ["step", "3", "3", f"{np.ceil(epsilon_of(3) * 1000) / 1000:.3f}"] in lines
    assert any(line[:1] == ["epsilon"] and line[-2:-1] == ["5"] for line in lines)


def test_a_dry_run_announces_them_and_writes_nothing(train_tiny: Any, tmp_path: Path) -> None:
    said = train_tiny("digits", tmp_path / "run", "--save-at-step", "3,7", "--dry-run")
    assert said.code == 0
    assert "after step" in said.out
    assert "tuning" in said.out
    assert not (tmp_path / "run").exists()


def test_a_run_without_milestones_saves_none(finished: Path) -> None:
    assert saved_generators(RunFolder(finished)) == ()
    assert not (finished / "release" / "checkpoints").exists()


# ---- which step an epsilon means -------------------------------------------------------------------------------------


def plan(num_steps: int = 12) -> OneOfManyPlan:
    return OneOfManyPlan(unit=Unit.RECORD, num_slots=1437, num_steps=num_steps, clip_norm=1.0, **TINY)


@pytest.mark.parametrize("epsilon", [5.5, 7.0, 12.0, 20.0])
def test_an_epsilon_means_the_last_step_within_it(epsilon: float) -> None:
    (found,) = find_milestones(plan(200), DELTA, at_epsilon=(epsilon,))
    assert epsilon_of(found.step) <= epsilon < epsilon_of(found.step + 1)
    assert found.epsilon == epsilon_of(found.step)


def test_the_budget_itself_means_the_last_step() -> None:
    whole = epsilon_of(12)
    (by_figure,) = find_milestones(plan(), DELTA, at_epsilon=(np.ceil(whole * 1000) / 1000,))
    (by_target,) = find_milestones(plan(), DELTA, at_epsilon=(whole * 1.01,), target_epsilon=whole * 1.01)
    assert by_figure.step == by_target.step == 12


def test_milestones_rise_and_none_comes_twice() -> None:
    found = find_milestones(plan(), DELTA, at_step=(12, 3, 3), at_epsilon=(epsilon_of(3),))
    assert [(milestone.step, len(milestone.asked)) for milestone in found] == [(3, 2), (12, 1)]


def test_an_epsilon_beyond_the_run_or_below_one_step_is_refused_with_the_figure() -> None:
    with pytest.raises(InputError, match=f"spends {np.ceil(epsilon_of(12) * 1000) / 1000:.3f}"):
        find_milestones(plan(), DELTA, at_epsilon=(epsilon_of(12) + 0.01,))
    with pytest.raises(InputError, match=f"one step spends {np.ceil(epsilon_of(1) * 1000) / 1000:.3f}"):
        find_milestones(plan(), DELTA, at_epsilon=(epsilon_of(1) - 0.01,))


@pytest.mark.parametrize(
    ("more", "said_of_it"),
    [
        ("--save-at-epsilon 100", "--save-at-epsilon 100: the whole run spends"),
        ("--save-at-epsilon 0.001", "one step spends"),
        ("--save-at-epsilon 0", "epsilon"),
        ("--save-at-epsilon -1", "epsilon"),
        ("--save-at-epsilon nan", "epsilon"),
        ("--save-at-epsilon inf", "epsilon"),
        ("--save-at-epsilon 3,many", "'many' is no number"),
        ("--save-at-epsilon", "--save-at-epsilon"),
        ("--save-at-epsilon ,", "--save-at-epsilon"),
        ("--save-at-step 0", "--save-at-step 0: the run has steps 1 to 12"),
        ("--save-at-step 13", "--save-at-step 13: the run has steps 1 to 12"),
        ("--save-at-step 1.5", "'1.5' is no whole number"),
    ],
)
def test_bad_milestones_get_one_line_and_nothing_is_written(
    train_tiny: Any, tmp_path: Path, more: str, said_of_it: str
) -> None:
    said = train_tiny("digits", tmp_path / "run", *more.split())
    assert said.code == 2
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
    assert said_of_it in said.err
    assert not (tmp_path / "run").exists()


# ---- interrupts and crashes ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("deterministic")
def test_interrupted_and_resumed_the_saved_generators_are_those_of_an_unbroken_run(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    flags = ("--save-at-step", "2,3,9,12")
    assert train_tiny("digits", tmp_path / "unbroken", *flags).code == 0
    broken = tmp_path / "broken"
    at_step.interrupt(3)
    # One key, so that both deal the same shards.
    assert train_tiny("digits", broken, *flags, "--key-of", tmp_path / "unbroken").code == 130
    assert steps_saved(broken) == [2, 3, 9]  # to the end of the block that was paid for
    before = {path: path.stat().st_mtime_ns for path in (broken / "release" / "checkpoints").rglob("*.*")}
    assert gossamer("resume", broken).code == 0
    assert steps_saved(broken) == [2, 3, 9, 12]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for saved in saved_generators(RunFolder(tmp_path / "unbroken")):
        # By weights: the order of keys in a file's header is not fixed.
        here, there = (
            load_generator(path) for path in (broken / saved.path.relative_to(tmp_path / "unbroken"), saved.path)
        )
        # Two runs, so two ids.
        assert dataclasses.replace(here.statement, run_id=None) == dataclasses.replace(there.statement, run_id=None)
        assert all(torch.equal(here.weights[name], weight) for name, weight in there.weights.items())
    assert "INSECURE" in (broken / "release" / "checkpoints" / "step-000003" / "PRIVACY.md").read_text()


def test_steps_lost_in_a_crash_count_and_no_price_is_too_small(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    """Checkpoint at 10 of 30; crash after step 13, when 17 are paid for; 7 are lost, so 17 is reached at once."""
    run = tmp_path / "run"
    at_step.interrupt(0)
    flags = ("--num-steps", 30, "--save-at-step", "12,17,20,30")
    assert train_tiny("digits", run, *flags).code == 130
    at_step.crash(13)
    with pytest.raises(ZeroDivisionError):
        gossamer("resume", run)
    assert steps_saved(run) == [12]
    assert read_ledger(run / "private" / "ledger.jsonl").num_charged_steps == 17
    kept = contents(run)
    interrupted = torch.load(run / "private" / "checkpoints" / "step-00000010.pt", weights_only=True)["state"]
    assert gossamer("resume", run).code == 0
    assert steps_saved(run) == [12, 17, 20, 30]
    assert kept.items() <= contents(run).items()
    for saved in saved_generators(RunFolder(run)):
        assert statement_at(saved.path)["parameters"]["num_steps"] == saved.step
        assert statement_at(saved.path)["epsilon"] == pytest.approx(epsilon_of(saved.step), rel=1e-9)
    # What was lost is paid for and not learnt: the generator is that of ten steps at the price of seventeen.
    at_seventeen = load_generator(run / "release" / "checkpoints" / "step-000017").weights
    assert all(torch.equal(at_seventeen[name], tensor) for name, tensor in interrupted["generator"]["average"].items())


def test_a_crash_before_the_write_is_mended_by_resume_at_the_price_that_was_paid(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run, "--num-steps", 20, "--save-at-step", "13,20").code == 130
    with monkeypatch.context() as patch:
        patch.setattr(driver.Releases, "release_due", lambda self, training: None)
        at_step.crash(12)
        with pytest.raises(ZeroDivisionError):
            gossamer("resume", run)
    leftover = run / "release" / "checkpoints" / ".step-000013.partial"
    leftover.mkdir(parents=True)
    (leftover / "privacy.json").write_text("{}")
    assert steps_saved(run) == []
    assert gossamer("resume", run).code == 0
    assert steps_saved(run) == [13, 20]
    assert statement_at(run / "release" / "checkpoints" / "step-000013")["parameters"]["num_steps"] == 13
    assert not leftover.exists()


def test_a_generator_that_learnt_nothing_is_not_saved(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.crash(1)
    with pytest.raises(ZeroDivisionError):
        train_tiny("digits", run, "--save-at-step", "4,12")
    said = gossamer("resume", run)
    assert said.code == 0
    assert "no generator is saved at step 4" in said.err
    assert steps_saved(run) == [12]


def test_nothing_is_written_that_the_ledger_has_not_charged(train_tiny: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(driver, "LedgerFile", functools.partial(_forgetful, driver.LedgerFile))
    said = train_tiny("digits", tmp_path / "run", "--save-at-step", "4")
    assert said.code == 3
    assert "steps are charged" in said.err
    assert steps_saved(tmp_path / "run") == []


def _forgetful(kind: Any, *arguments: Any, **options: Any) -> Any:
    """A ledger whose blocks cross milestones."""
    return kind(*arguments, **(options | {"marks": ()}))


def test_a_training_that_diverged_saves_nothing(train_tiny: Any, tmp_path: Path) -> None:
    said = train_tiny("digits", tmp_path / "run", "--generator-adam.learning-rate", 1e30, "--save-at-step", "11")
    assert said.code == 2
    assert "the training diverged" in said.err
    assert list((tmp_path / "run" / "release").iterdir()) == []


@pytest.mark.parametrize("steps", [[], [3], [3, 7, 12]])
def test_milestones_cannot_be_changed_in_mid_run(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path, steps: list[int]
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run, "--save-at-step", "3,12").code == 130
    config = run / "config.json"
    tree = json.loads(config.read_text())
    assert tree["save_at_steps"] == [3, 12]
    config.write_text(json.dumps(tree | {"save_at_steps": steps}))
    said = gossamer("resume", run)
    assert said.code == 2
    assert "not the settings" in said.err


@pytest.mark.parametrize("steps", [[0], [13], [7, 3], [3, 3], "3", [3.5]])
def test_milestones_that_no_run_can_have_are_refused(
    gossamer: Any, finished: Path, tmp_path: Path, copy_run: Any, steps: object
) -> None:
    run = copy_run(finished, tmp_path / "run")
    (run / "release" / "generator.safetensors").unlink()
    tree = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(tree | {"save_at_steps": steps}))
    said = gossamer("resume", run)
    assert said.code == 2
    assert said.err.count("\n") == 1


def test_a_run_from_before_there_were_milestones_goes_on(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run).code == 130
    tree = json.loads((run / "config.json").read_text())
    del tree["save_at_steps"]
    (run / "config.json").write_text(json.dumps(tree))
    assert gossamer("resume", run).code == 0
    assert steps_saved(run) == []


def test_nothing_is_saved_on_the_way_that_costs_more_than_it_says(
    train_tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def refuse(plan: Any, ledger: Any, statement: Any) -> NoReturn:
        seen.append(statement.epsilon)
        raise PrivacyError("it costs more")

    monkeypatch.setattr(releasing, "check_price", refuse)
    said = train_tiny("digits", tmp_path / "run", "--save-at-step", "3")
    assert said.code == 3
    assert len(seen) == 1
    assert list((tmp_path / "run" / "release").iterdir()) == []
