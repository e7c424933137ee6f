"""Sites that take turns: a round asks one of them, which goes on from the networks of the one before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import DP_GAN, GAN, LABELLED, ONE, ZeroNoise, all_rounds, answer, plan_for, records
from torch import Tensor

from gossamer.driving.examination import examine
from gossamer.driving.federated.asking import InTurn
from gossamer.driving.federated.combining import combine, released, write_federated_release
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.federated.sending import sending_of
from gossamer.errors import InputError
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.methods.training import RunContext
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.findings import Verdict
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key
from gossamer.runs.ledger_file import read_ledger

SLOTS = {"berlin": 30, "paris": 50}
HELD = {"berlin": records(30, 1), "paris": records(50, 2)}
BOTH = pytest.mark.parametrize("config", [GAN, DP_GAN], ids=["gs-wgan", "dp-cgan"])


def turns(config: Any = DP_GAN, *, slots: dict[str, int] = SLOTS) -> FederatedPlan:
    """Seven steps of each site, four of them in its first round and three in its second."""
    return plan_for(config, slots, steps_per_round=4, turns=InTurn())


def charged(folder: Path, site: str) -> int:
    return read_ledger(next((folder / site).rglob("ledger.jsonl"))).num_charged_steps


def check_one_site_is_the_central_training(folder: Path, plan: FederatedPlan) -> None:
    """Go through all rounds with berlin alone, and compare the weights with those of a training at one place."""
    mine = released(all_rounds(folder, plan, {"berlin": HELD["berlin"]})).weights
    context = RunContext(delta=1e-3, slots=PublicSlots(30), key=read_key(RunFolder(folder / "berlin")))
    central = plan.of_method.start(plan.settings_of(plan.sites[0]), HELD["berlin"], ZeroNoise(), context)
    for _ in central:
        pass
    assert all(torch.equal(mine[name], wanted) for name, wanted in central.trained().weights.items())


@BOTH
def test_one_site_in_turn_is_the_central_training_bit_for_bit(tmp_path: Path, config: Any) -> None:
    plan = turns(config, slots={"berlin": 30})
    check_one_site_is_the_central_training(tmp_path, plan)


@BOTH
def test_each_site_goes_on_from_the_one_before_and_pays_for_its_own_rounds(tmp_path: Path, config: Any) -> None:
    plan = turns(config)
    assert (plan.num_rounds, plan.num_rounds_of_a_site) == (4, 2)
    assert [plan.asked(number) for number in range(4)] == [("berlin",), ("paris",)] * 2
    assert [plan.steps_of(number) for number in range(4)] == [range(4), range(4), range(4, 7), range(4, 7)]

    first = answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"], noise=KeyedNoise).content
    now = combine(plan.to_bytes(), [("one", first)]).round
    sent = Contribution.read(first, "one").tensors
    assert all(torch.equal(now.tensors[name], tensor) for name, tensor in sent.items())
    known = now.context["networks"]
    assert (known.step, known.num_updates()) == (0, 4)

    over = all_rounds(tmp_path / "rest", plan, HELD, noise=KeyedNoise)
    assert {site: charged(tmp_path / "rest", site) for site in SLOTS} == {"berlin": 7, "paris": 7}
    statement = write_federated_release(tmp_path / "study", over, pytest.fail).statement
    assert [(claim.answered, claim.num_rounds) for claim in statement.sites] == [((1, 2), 2)] * 2
    assert all(4.9 < claim.epsilon <= 5.0001 for claim in statement.sites)
    assert any("in turn" in sentence for sentence in statement.public_inputs)
    assert {finding.verdict for finding in examine(tmp_path / "study")} == {Verdict.HOLDS, Verdict.UNCHECKED}


def test_updates_of_a_generator_are_counted_as_each_site_makes_them() -> None:
    """It learns after every second step of a site: twice in a block of four, and once in the three that follow."""
    plan = turns(slots=SLOTS | {"rome": 40})
    begun = plan.of_method.travelling(plan.method, plan.spec)
    givers = [[name] for name in ("berlin", "paris", "rome", "berlin", "paris")]
    known = sending_of(plan).context(begun, givers)["networks"]
    assert known.num_updates(2) == 2 + 2 + 2 + 1 + 1
    assert known.num_updates() // 2 == 9  # the break: half of all steps


def moments_of(folder: Path, updates_before: int) -> Tensor:
    """What paris sends after berlin, with the updates that its optimiser is told of."""
    plan = turns()
    first = answer(folder, plan.to_bytes(), "berlin", HELD["berlin"]).content
    now = combine(plan.to_bytes(), [("one", first)]).round
    assert now.context["networks"].num_updates() == updates_before
    sent = Contribution.read(answer(folder, now.to_bytes(), "paris", HELD["paris"]).content, "two").tensors
    return torch.cat([tensor.flatten() for name, tensor in sent.items() if "square." in name])


def test_the_moments_of_the_site_before_are_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_them = moments_of(tmp_path / "right", 4)
    context = Round.context.fget  # type: ignore[attr-defined]

    def forgetting(self: Round) -> dict[str, Any]:
        """The break: the second site begins at step 0, so its optimiser begins anew."""
        found = context(self)
        for known in found.values():
            object.__setattr__(known, "blocks", (range(known.step),))
        return found  # type: ignore[no-any-return]

    monkeypatch.setattr(Round, "context", property(forgetting))
    assert not torch.equal(with_them, moments_of(tmp_path / "wrong", 0))


def test_a_site_whose_turn_it_is_not_spends_nothing_and_reads_nothing(tmp_path: Path) -> None:
    plan = turns()
    with pytest.raises(InputError, match="round 1 asks berlin alone: nothing is spent"):
        answer(tmp_path, plan.to_bytes(), "paris", HELD["paris"], noise=pytest.fail)
    assert not list(tmp_path.rglob("ledger.jsonl"))


def test_a_turn_passes_without_an_answer(tmp_path: Path) -> None:
    plan = turns()
    passed = combine(plan.to_bytes(), [])
    assert passed.absent == ("berlin",)
    begun = plan.of_method.travelling(plan.method, plan.spec)
    assert all(torch.equal(passed.round.tensors[name], tensor) for name, tensor in begun.items())
    assert passed.round.context["networks"].num_updates() == 0
    over = all_rounds(tmp_path, plan, HELD, absent=lambda number, site: number == 2)
    assert [claim.answered for claim in released(over).statement.sites] == [(1,), (1, 2)]
    assert (charged(tmp_path, "berlin"), charged(tmp_path, "paris")) == (4, 7)
    with pytest.raises(InputError, match="no contribution"):
        combine(plan_for(DP_GAN, SLOTS, steps_per_round=4).to_bytes(), [])


def test_files_of_a_site_that_was_not_asked_are_refused(tmp_path: Path) -> None:
    plan = turns()
    one = Contribution.read(answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"]).content, "one")
    false = Contribution(**{**vars(one), "site": "paris"}).to_bytes()
    with pytest.raises(InputError, match=r"^false: the site paris is not asked in round 1"):
        combine(plan.to_bytes(), [("false", false)])
    later = Round(plan=plan).following(one.tensors, ("paris",), is_secure=True).to_bytes()
    with pytest.raises(InputError, match=r"^later: a round names a site that it did not ask"):
        Round.read(later, "later")


def test_sums_are_not_asked_in_turn() -> None:
    with pytest.raises(InputError, match=r"dp-mixture sends sums alone, .* leave --in-turn out"):
        plan_for(ONE, SLOTS, turns=InTurn())


# ---- sums of all sites, and then a teacher in turn -------------------------------------------------------------------


def labelled_turns(*names: str) -> FederatedPlan:
    """Three sums, and then seven steps of the teacher at each site, four of them in its first round."""
    slots = {name: number for name, number in SLOTS.items() if not names or name in names}
    return plan_for(LABELLED, slots, steps_per_round=4, turns=InTurn())


def test_all_sites_answer_the_sums_and_then_teach_in_turn() -> None:
    plan = labelled_turns()
    assert (plan.num_rounds, plan.num_rounds_of_a_site) == (3 + 4, 3 + 2)
    assert [plan.asked(number) for number in range(7)] == [tuple(SLOTS)] * 3 + [("berlin",), ("paris",)] * 2
    steps = [range(1), range(1, 2), range(2, 3), range(3, 7), range(3, 7), range(7, 10), range(7, 10)]
    assert [plan.steps_of(number) for number in range(7)] == steps
    assert [plan.may_pass(number) for number in range(7)] == [False] * 3 + [True] * 4


def test_a_teacher_that_one_site_has_taught_in_turn_is_the_central_one(tmp_path: Path) -> None:
    plan = labelled_turns("berlin")
    check_one_site_is_the_central_training(tmp_path, plan)


def test_a_site_teaches_on_from_the_one_before_and_pays_for_its_own_rounds(tmp_path: Path) -> None:
    plan = labelled_turns()
    now = Round(plan=plan)
    for _ in range(3):
        content = now.to_bytes()
        now = combine(
            content, [(name, answer(tmp_path, content, name, held).content) for name, held in HELD.items()]
        ).round
    first = answer(tmp_path, now.to_bytes(), "berlin", HELD["berlin"]).content
    then = combine(now.to_bytes(), [("one", first)]).round
    sent = Contribution.read(first, "one").tensors
    assert all(torch.equal(then.tensors[name], tensor) for name, tensor in sent.items())
    assert {"sum 1", "sum 2", "sum 3"} < then.tensors.keys()
    known = then.context["networks"]
    assert (known.step, known.num_updates()) == (3, 4)

    over = all_rounds(tmp_path / "rest", plan, HELD, noise=KeyedNoise)
    assert {site: charged(tmp_path / "rest", site) for site in SLOTS} == {"berlin": 10, "paris": 10}
    statement = write_federated_release(tmp_path / "study", over, pytest.fail).statement
    assert [(claim.answered, claim.num_rounds) for claim in statement.sites] == [((1, 2, 3, 4, 5), 5)] * 2
    assert any("in turn: 4 of its 7 steps in a round" in sentence for sentence in statement.public_inputs)
    assert {finding.verdict for finding in examine(tmp_path / "study")} == {Verdict.HOLDS, Verdict.UNCHECKED}


def test_a_turn_of_the_teacher_passes_and_a_sum_does_not(tmp_path: Path) -> None:
    plan = labelled_turns()
    with pytest.raises(InputError, match="no contribution"):
        combine(plan.to_bytes(), [])
    over = all_rounds(tmp_path, plan, HELD, absent=lambda number, site: number == 3)
    assert [claim.answered for claim in released(over).statement.sites] == [(1, 2, 3, 5), (1, 2, 3, 4, 5)]
    assert (charged(tmp_path, "berlin"), charged(tmp_path, "paris")) == (3 + 3, 10)


def test_a_teacher_that_nobody_has_taught_yet_stays_as_it_begins(tmp_path: Path) -> None:
    """The sums that are known by then are no networks."""
    plan = labelled_turns()
    now = all_rounds(tmp_path, plan, HELD, absent=lambda number, site: number >= 3)
    begun = plan.of_method.travelling(plan.method, plan.spec)
    assert all(torch.equal(now.tensors[name], tensor) for name, tensor in begun.items())
    assert released(now).weights
