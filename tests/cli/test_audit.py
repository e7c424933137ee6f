"""`gossamer audit`: bounds on paper, in private/audit, and refused where they exceed the claim."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from gossamer.driving import audited
from gossamer.mechanisms.noise import KeyedNoise

KEYS = {
    "kind", "lower_bound_epsilon", "claimed_epsilon", "delta", "confidence", "num_games", "lower_bound_mu",
    "claimed_mu", "details", "note", "is_within_claim",
}  # fmt: skip
FEW = ("--num-games", "200", "--num-bits", "30")


@pytest.fixture(scope="module")
def run(finished: Path, tmp_path_factory: Any) -> Path:
    """A finished tiny GS-WGAN run of our own."""
    path = tmp_path_factory.mktemp("audited") / "run"
    shutil.copytree(finished, path)
    return path


def kept(run: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in (run / "private" / "audit").glob("*.json")}


def test_the_mechanism_of_a_run_is_audited_without_its_records(
    gossamer: Callable[..., Any], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer.driving.job.TrainingJob.load", lambda job: pytest.fail("a record was read"))
    said = gossamer("audit", "mechanism", run, *FEW)
    assert said.code == 0, said.err
    assert "mechanism: one answer" in said.out
    found = kept(run)
    assert {"mechanism-one-answer", "mechanism-composition"} <= set(found)
    statement = json.loads((run / "release" / "privacy.json").read_text())
    assert found["mechanism-composition"]["claimed_epsilon"] == pytest.approx(statement["epsilon"])
    assert found["mechanism-composition"]["delta"] == statement["delta"]
    assert all(set(tree) == KEYS for name, tree in found.items() if name.startswith("mechanism"))


def test_json_is_what_is_kept(gossamer: Callable[..., Any], run: Path) -> None:
    said = gossamer("audit", "mechanism", run, *FEW, "--json")
    assert said.code == 0
    assert {tree["kind"] for tree in json.loads(said.out)} == {"mechanism: one answer", "mechanism: composition"}


def test_a_bound_above_the_claim_is_written_and_refused_and_fails_verify(
    gossamer: Callable[..., Any], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build whose noise is a fifth of what it says."""
    broken = tmp_path / "run"
    shutil.copytree(run, broken)
    assert gossamer("verify", broken).code == 0

    class Quiet(KeyedNoise):
        def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
            return 0.2 * super().gaussian(step, shape)

    monkeypatch.setattr("gossamer.auditing.mechanism.KeyedNoise", Quiet)
    said = gossamer("audit", "mechanism", broken, "--num-games", "2000", "--num-bits", "30")
    assert said.code == 3
    assert "lower bound exceeds" in said.err
    assert said.err.count("\n") == 1
    assert not kept(broken)["mechanism-one-answer"]["is_within_claim"]
    told = gossamer("verify", broken)
    assert told.code == 3
    assert "mechanism-one-answer.json" in told.err


def test_whole_trainings_are_audited_on_random_records(
    gossamer: Callable[..., Any], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer.driving.job.TrainingJob.load", lambda job: pytest.fail("a record was read"))
    said = gossamer("audit", "training", run, "--num-bits", 40)
    assert said.code == 0, said.err
    assert "2 trainings with 30 canaries each" in said.err
    tree = kept(run)["training"]
    assert set(tree) == KEYS
    assert (tree["num_games"], tree["details"]["trainings"]) == (60, 2)
    assert tree["lower_bound_epsilon"] <= tree["claimed_epsilon"]


def test_one_shot_methods_are_audited_by_their_releases(
    gossamer: Callable[..., Any], uneven: Path, copy_run: Any, tmp_path: Path
) -> None:
    own = copy_run(uneven, tmp_path / "own")
    assert gossamer("audit", "training", own).code == 2
    said = gossamer("audit", "mechanism", own, "--num-games", 100)
    assert said.code == 0, said.err
    assert "mechanism: one-shot sums" in said.out
    assert "mechanism: sum" in said.out


def test_members_are_guessed_and_a_warning_says_what_that_proves(gossamer: Callable[..., Any], run: Path) -> None:
    said = gossamer("audit", "membership", run, "--num-samples", 100, "--num-records", 100)
    assert said.code == 0, said.err
    assert "proves nothing" in said.out
    tree = kept(run)["membership"]
    assert tree["lower_bound_epsilon"] is None
    assert [attack["name"] for attack in tree["attacks"]] == ["distance", "density ratio"]
    assert all(attack["low"] <= attack["auc"] <= attack["high"] for attack in tree["attacks"])
    assert gossamer("verify", run).code == 0


def test_records_held_out_may_be_named(gossamer: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((80, 1, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "other.npz", x=x, y=np.arange(80) % 10)
    few = ("--num-samples", 60, "--num-records", 40, "--json")
    said = gossamer("audit", "membership", run, "--held-out", tmp_path / "other.npz", *few)
    assert said.code == 0, said.err
    np.savez(tmp_path / "wide.npz", x=x.repeat(2, axis=3), y=np.arange(80) % 10)
    said = gossamer("audit", "membership", run, "--held-out", tmp_path / "wide.npz", *few)
    assert (said.code, "another shape" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the kind of audit first"),
        (("epsilon",), "not 'epsilon'"),
        (("mechanism", "nowhere"), "no run here"),
        (("mechanism", "RUN", "--num-games", "1"), "num_games"),
        (("training", "RUN", "--num-bits", "0"), "num_bits"),
        (("membership", "RUN", "--num-records", "3"), "20 members"),
        (("membership", "RUN", "--num-samples", "0"), "--num-samples"),
        (("membership", "RUN", "--confidence", "2"), "--confidence"),
    ],
)
def test_what_cannot_be_audited_gets_one_line(
    gossamer: Callable[..., Any], run: Path, words: tuple[str, ...], said: str
) -> None:
    told = gossamer("audit", *(run if word == "RUN" else word for word in words))
    assert told.code == 2
    assert said in told.err
    assert told.err.count("\n") == 1


def test_an_audit_leaves_no_trace_in_the_release_and_takes_no_step(gossamer: Callable[..., Any], run: Path) -> None:
    before = {path: path.read_bytes() for path in (run / "release").rglob("*") if path.is_file()}
    ledger = (run / "private" / "ledger.jsonl").read_bytes()
    assert gossamer("audit", "mechanism", run, *FEW).code == 0
    assert {path: path.read_bytes() for path in (run / "release").rglob("*") if path.is_file()} == before
    assert (run / "private" / "ledger.jsonl").read_bytes() == ledger


def test_every_plan_that_can_be_run_can_be_audited() -> None:
    from gossamer.auditing.mechanism import Effort
    from gossamer.errors import InputError
    from gossamer.methods.catalogue import METHODS
    from gossamer.privacy.slots import PublicSlots

    effort = Effort(num_games=8, num_bits=1)
    for method in METHODS:
        recipe = next(recipe for recipe in method.recipes if recipe.name.startswith("digits"))
        plan = method.plan(recipe.config, PublicSlots(1437))
        with pytest.raises(InputError, match="noise_multiplier"):
            audited.audit_plan(plan, 1e-5, effort, lambda done, all: None)
