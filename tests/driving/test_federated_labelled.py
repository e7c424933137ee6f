"""Sites that train a labelled mixture: first sums that add, and then a teacher that is averaged, in one budget."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import DP_GAN, LABELLED, ONE, ZeroNoise, all_rounds, answer, joined, plan_for, records
from prices import priced_once
from torch import Tensor

from gossamer.driving.examination import examine
from gossamer.driving.federated.combining import combine, released, write_federated_release
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.federated.sending import SendingSumsThenNetworks
from gossamer.driving.federated.site_folder import JoinedPlan
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.methods.averaged import TrainedNetwork
from gossamer.methods.catalogue import METHODS
from gossamer.methods.labelled_mixture.training import LabelledMixtureTraining
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.events import flatten, under_replacement
from gossamer.privacy.priceable import price
from gossamer.privacy.restated import event_of
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.findings import Verdict
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key
from gossamer.runs.ledger_file import read_ledger

SLOTS = {"berlin": 30, "paris": 50}
HELD = {"berlin": records(30, 1), "paris": records(50, 2)}
NUM_SUMS = 3


@pytest.fixture(autouse=True, scope="module")
def _priced_once() -> Iterator[None]:
    with priced_once():
        yield


@functools.cache
def labelled_plan(*names: str, unit: Unit = Unit.RECORD, slots: int | None = None) -> FederatedPlan:
    """Three rounds of sums, and rounds of three, three and one step of the teacher."""
    wanted = {name: slots or number for name, number in SLOTS.items() if not names or name in names}
    return plan_for(LABELLED, wanted, unit=unit, steps_per_round=3)


def central(folder: Path, plan: FederatedPlan, config: Any = None, held: Any = HELD["berlin"]) -> dict[str, Tensor]:
    """The weights of the training in one place, with the coins of berlin and no noise."""
    context = RunContext(delta=1e-3, slots=PublicSlots(held.num_records), key=read_key(RunFolder(folder / "berlin")))
    config = config or plan.settings_of(plan.sites[0])
    training = plan.of_method.start(config, held, ZeroNoise(), context)
    for _ in training:
        pass
    return dict(training.trained().weights)


def differs(folder: Path) -> float:
    """The largest difference of a weight between one site over six rounds and the central training."""
    plan = labelled_plan("berlin")
    mine = released(all_rounds(folder, plan, {"berlin": HELD["berlin"]})).weights
    wanted = central(folder, plan)
    assert mine.keys() == wanted.keys()
    assert float(wanted["teacher.layers.2.weight"].abs().max()) > 0.01  # it begins at zero
    return max(float((mine[name] - wanted[name]).abs().max()) for name in wanted)


def test_one_site_over_several_rounds_is_the_central_training_bit_for_bit(tmp_path: Path) -> None:
    assert differs(tmp_path) == 0


def test_a_round_that_forgets_the_moments_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: the teacher's optimiser begins anew in each round."""
    take_up = TrainedNetwork.take_up
    monkeypatch.setattr(TrainedNetwork, "take_up", lambda self, tensors, num: take_up(self, tensors, 0))
    assert differs(tmp_path) > 1e-5


def test_an_average_that_begins_anew_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: what is released follows from the last round alone."""

    def without_average(self: LabelledMixtureTraining) -> TrainedNetwork:
        return TrainedNetwork(self._optimiser, dict(self._average))

    monkeypatch.setattr(LabelledMixtureTraining, "_trained_teacher", property(without_average))
    assert differs(tmp_path) > 1e-5


def test_without_noise_the_mixture_of_two_sites_is_that_of_one_place(tmp_path: Path) -> None:
    noise = {"berlin": 3.0, "paris": 4.0}
    plan = plan_for(LABELLED, SLOTS, noise=noise, steps_per_round=7)
    mine = released(all_rounds(tmp_path, plan, HELD)).weights
    # Noise of multiplier 5 is that of both together, and the settings say it.
    config = dataclasses.replace(plan.method, noise_multiplier=5.0)
    wanted = central(tmp_path, plan, config, joined(*HELD.values()))
    of_mixture = [name for name in wanted if not name.startswith("teacher.")]
    assert len(of_mixture) == 6
    # Each sum is rounded to float32 at each site, by 2^-24 of it.
    for name in of_mixture:
        torch.testing.assert_close(mine[name], wanted[name], rtol=1e-4, atol=2e-5)


def test_sums_are_added_and_the_teacher_is_averaged_by_public_slots(tmp_path: Path) -> None:
    now = Round(plan=labelled_plan())
    for number in range(NUM_SUMS + 1):
        content = now.to_bytes()
        files = [(name, answer(tmp_path, content, name, held).content) for name, held in HELD.items()]
        berlin, paris = (Contribution.read(one, name).tensors for name, one in files)
        before, now = now, Round.read(combine(content, files).round.to_bytes(), "next")
        if number < NUM_SUMS:
            total = berlin["sum"].double() + paris["sum"].double()
            assert torch.equal(now.tensors[f"sum {number + 1}"], total.float())
    assert all(torch.equal(now.tensors[name], one) for name, one in before.tensors.items())
    assert any(not torch.equal(berlin[name], paris[name]) for name in berlin)
    for name, one in berlin.items():
        torch.testing.assert_close(now.tensors[name], (30 * one + 50 * paris[name]) / 80, rtol=1e-6, atol=1e-7)
    known = now.context["networks"]
    assert (known.step, known.num_updates()) == (NUM_SUMS + 3, 3)
    assert now.tensors.keys() == before.tensors.keys() | berlin.keys()


def test_the_plan_has_rounds_of_sums_and_then_of_the_teacher() -> None:
    plan = labelled_plan()
    assert (plan.num_sums, plan.num_network_steps, plan.num_rounds) == (NUM_SUMS, 7, 6)
    steps = [range(1), range(1, 2), range(2, 3), range(3, 6), range(6, 9), range(9, 10)]
    assert [plan.steps_of(number) for number in range(6)] == steps
    usual = plan_for(dataclasses.replace(LABELLED, teacher_steps=50), SLOTS)
    assert (usual.steps_per_round, usual.num_rounds) == (3, NUM_SUMS + 17)


def test_methods_say_themselves_what_they_send() -> None:
    sent = {method.name: (method.sends_sums, method.sends_networks) for method in METHODS}
    assert sent == {
        "gs-wgan": (False, True),
        "dp-cgan": (False, True),
        "dp-merf": (True, False),
        "dp-mixture": (True, False),
        "labelled-mixture": (True, True),
    }


def test_a_teacher_before_its_first_update_is_that_of_the_training(tmp_path: Path) -> None:
    plan = labelled_plan("berlin")
    begun = plan.of_method.travelling(plan.method, plan.spec)
    context = RunContext(delta=1e-3, slots=PublicSlots(30))
    training = plan.of_method.start(plan.settings_of(plan.sites[0]), HELD["berlin"], ZeroNoise(), context)
    own = training.travelling()
    assert begun.keys() == own.keys()
    assert all(torch.equal(begun[name], own[name]) for name in own)


def test_the_statement_has_the_price_of_each_site_and_names_the_teacher(tmp_path: Path) -> None:
    """Berlin misses the second sum, and the second round of the teacher."""
    plan = labelled_plan()
    over = all_rounds(
        tmp_path, plan, HELD, noise=KeyedNoise, absent=lambda number, site: (number in (1, 4)) and site == "berlin"
    )
    statement = write_federated_release(tmp_path / "study", over, pytest.fail).statement
    assert statement.is_secure
    assert [claim.answered for claim in statement.sites] == [(1, 3, 4, 6), (1, 2, 3, 4, 5, 6)]
    assert all(claim.num_rounds == 6 for claim in statement.sites)
    assert all(4.9 < claim.epsilon <= 5.0001 <= statement.epsilon + 0.001 for claim in statement.sites)
    said = " ".join(statement.public_inputs)
    assert "Sums of the sites are added" in said
    assert "Then comes the teacher, which names their classes: each site trains it" in said
    assert "3 of its 7 steps in a round" in said
    (tmp_path / "study" / "plan.json").write_bytes(plan.to_bytes())
    findings = list(examine(tmp_path / "study"))
    assert {finding.verdict for finding in findings} == {Verdict.HOLDS, Verdict.UNCHECKED}
    assert any("site paris is computed again" in str(finding) for finding in findings)
    assert any("noise of the site paris are those of privacy.json" in str(finding) for finding in findings)
    # The sum that berlin missed was that of paris, for all slots, with its noise.
    paris = plan.site("paris")
    assert over.context["sums"].multipliers[1] == pytest.approx(paris.noise_multiplier * 80 / 50)
    ledger = read_ledger(next((tmp_path / "berlin").rglob("ledger.jsonl")))
    assert sorted(ledger.lost_steps(0)) == [0, 2, 3, 4, 5, 9]


def test_the_price_is_that_of_sums_and_samples_of_the_site(tmp_path: Path) -> None:
    """The site of the least noise is the dearest, and the first line has its event, at its own slots."""
    plan = labelled_plan()
    berlin, paris = plan.sites
    plan = dataclasses.replace(
        plan, sites=(berlin, dataclasses.replace(paris, noise_multiplier=2 * paris.noise_multiplier))
    )
    over = all_rounds(tmp_path, plan, HELD)
    statement = released(over).statement
    assert statement.sites[0].epsilon > 1.5 * statement.sites[1].epsilon
    assert statement.epsilon == pytest.approx(statement.sites[0].epsilon, rel=1e-9)
    assert tuple(flatten(event_of(statement))) == tuple(flatten(plan.part_of(berlin).event))
    assert statement.num_slots == 80


def test_people_are_protected_at_their_sites(tmp_path: Path) -> None:
    held = {name: records(n, n, people=torch.arange(n) // 2) for name, n in SLOTS.items()}
    plan = plan_for(LABELLED, {"berlin": 15, "paris": 25}, unit=Unit.PERSON, steps_per_round=4)
    trained = released(all_rounds(tmp_path, plan, held))
    assert trained.statement.unit is Unit.PERSON
    trained.check_finite()


# ---- what a site spends ----------------------------------------------------------------------------------------------


def known(plan: FederatedPlan, number: int, value: float = 5.0, giver: str = "paris") -> bytes:
    """The file of a round, whose sums and networks are all one number, from one site."""
    now = Round(plan=plan)
    for one in range(number):
        sent = {name: torch.full(shape, value) for name, shape in now.sending.sent(one).items()}
        tensors = now.sending.combined(now.tensors, [sent], (giver,), one)
        now = now.following(tensors, (giver,), is_secure=True)
    return now.to_bytes()


def charged(folder: Path) -> list[int]:
    return sorted(read_ledger(next(folder.rglob("ledger.jsonl"))).lost_steps(0))


def asked(folder: Path, *files: bytes) -> list[bool]:
    """Tell which of the files berlin answers, one after the other."""
    answered = []
    for content in files:
        with contextlib.suppress(PrivacyError):
            answer(folder, content, "berlin", HELD["berlin"], noise=KeyedNoise)
            answered.append(True)
            continue
        answered.append(False)
    return answered


def test_an_answer_is_sent_again_and_never_computed_again(tmp_path: Path) -> None:
    for content in (known(labelled_plan(), 1), known(labelled_plan(), 4, 0.1)):
        first = answer(tmp_path, content, "berlin", HELD["berlin"], noise=KeyedNoise)
        before = charged(tmp_path)

        def drawn() -> KeyedNoise:
            pytest.fail("noise was drawn")

        again = answer(tmp_path, content, "berlin", HELD["berlin"], noise=drawn)
        assert (again.content, again.is_sent_again, charged(tmp_path)) == (first.content, True, before)


def test_all_rounds_of_a_plan_are_paid_for_and_no_more(tmp_path: Path) -> None:
    plan = labelled_plan()
    every = [known(plan, number, 0.1) for number in range(6)]
    assert asked(tmp_path, *every) == [True] * 6
    assert charged(tmp_path) == list(range(10))
    others = [known(plan, number, 0.2) for number in range(1, 6)]
    assert asked(tmp_path, *others) == [False] * 5
    assert charged(tmp_path) == list(range(10))


def test_a_sum_asked_again_takes_the_place_of_the_teacher(tmp_path: Path) -> None:
    """The covariances are the dearest sum. The teacher is not paid for any more once a sum was made twice."""
    plan = labelled_plan()
    again = [known(plan, 1, value) for value in (5.0, 6.0)]
    assert asked(tmp_path, *again, known(plan, 2), known(plan, 3), known(plan, 4)) == [True, True, False, False, False]
    assert charged(tmp_path) == [1, 1]


def test_a_block_of_the_teacher_asked_again_is_charged_with_fresh_noise(tmp_path: Path) -> None:
    """Sums that were not asked, and steps of rounds that were not, count as paid."""
    plan = labelled_plan()
    first, second, third = (known(plan, 3, value) for value in (0.1, 0.100001, 0.2))
    assert asked(tmp_path, first, second, third, known(plan, 5, 0.1)) == [True, True, False, False]
    assert charged(tmp_path) == [3, 3, 4, 4, 5, 5]
    kept = [Contribution.read(path.read_bytes(), "one") for path in tmp_path.rglob("round-4-*.safetensors")]
    moved = [float((kept[0].tensors[name] - kept[1].tensors[name]).abs().max()) for name in kept[0].tensors]
    # The states differ by a millionth, and the noise moves the teacher much further.
    assert max(moved) > 1e-3


def test_going_back_to_a_sum_after_the_teacher_spends_what_the_sums_have_left(tmp_path: Path) -> None:
    """All of the teacher and two of three sums are charged: the third sum is still paid for, once."""
    plan = labelled_plan()
    rounds = [known(plan, number, 0.1) for number in (0, 1, 3, 4, 5)]
    assert asked(tmp_path, *rounds, known(plan, 2, 0.1), known(plan, 2, 0.2)) == [True] * 6 + [False]
    assert charged(tmp_path) == list(range(10))


@pytest.mark.parametrize("seed", [0, 1])
def test_no_order_of_rounds_costs_more_than_the_plan(tmp_path: Path, seed: int) -> None:
    """The sums charged are worth no more than those of the plan, and the steps of the teacher are no more."""
    plan, rng = labelled_plan(), random.Random(seed)
    part = plan.sums_of(plan.site("berlin"))
    asked(tmp_path, *(known(plan, rng.randrange(6), rng.choice((0.1, 0.2, 0.3))) for _ in range(14)))
    spent = charged(tmp_path)
    shares = [part.releases[step].share for step in spent if step < NUM_SUMS]
    assert sum(shares) <= sum(one.share for one in part.releases) + 1e-9
    assert sum(step >= NUM_SUMS for step in spent) <= plan.num_network_steps


def test_a_counter_of_the_coordinator_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: earlier charges are forgotten, because the file says which round it is."""
    monkeypatch.setattr(JoinedPlan, "lost_steps", lambda self, step: ())
    with pytest.raises(AssertionError):
        test_a_sum_asked_again_takes_the_place_of_the_teacher(tmp_path / "sums")
    with pytest.raises(AssertionError):
        test_a_block_of_the_teacher_asked_again_is_charged_with_fresh_noise(tmp_path / "teacher")


def test_a_false_price_is_refused_before_a_charge(tmp_path: Path) -> None:
    plan = labelled_plan()
    berlin, paris = plan.sites
    cheap = dataclasses.replace(plan, sites=(dataclasses.replace(berlin, epsilon=4.9), paris))
    with pytest.raises(PrivacyError, match=r"says epsilon 4\.9 for the site berlin"):
        answer(tmp_path, cheap.to_bytes(), "berlin", HELD["berlin"])
    assert not list(tmp_path.rglob("ledger.jsonl"))


@pytest.mark.parametrize("changes", [{"teacher_steps": 8}, {"sample_rate": 0.3}, {"teacher_share": 0.6}], ids=str)
def test_what_enters_the_price_is_pinned_with_the_plan(tmp_path: Path, changes: dict[str, Any]) -> None:
    plan = labelled_plan()
    answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"])
    method = dataclasses.replace(plan.method, **changes)
    sites = tuple(dataclasses.replace(site, epsilon=100.0) for site in plan.sites)
    other = dataclasses.replace(plan, method=method, sites=sites)
    with pytest.raises(PrivacyError, match="another plan"):
        answer(tmp_path, other.to_bytes(), "berlin", HELD["berlin"])


def test_a_labelled_mixture_adds_to_other_plans_and_is_priced_anew_beside_them(tmp_path: Path) -> None:
    """It has Poisson samples, so no composition is known to hold for plans made in between. Sums alone are Gaussians,
    priced for any change of a slot."""
    plan = labelled_plan()
    alone = answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"], cap=5.1).spent
    together = answer(tmp_path, plan_for(ONE, SLOTS).to_bytes(), "berlin", HELD["berlin"], cap=100.0).spent
    assert alone is not None
    assert together is not None
    assert alone.epsilon == pytest.approx(5, abs=0.01)
    part = plan.part_of(plan.sites[0])
    replaced, _ = price(under_replacement(part.event, part.adjacency), 1e-3)
    assert together.epsilon == pytest.approx(5 + replaced, abs=0.02)
    assert replaced > 6


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_a_teacher_needs_two_classes() -> None:
    one = dataclasses.replace(ONE, records=RecordsExpected(shape=(1, 4, 4), num_classes=1))
    plan = labelled_plan()
    single = dataclasses.replace(plan.spec, class_names=("a",))
    with pytest.raises(InputError, match="two classes"):
        dataclasses.replace(plan, method=dataclasses.replace(LABELLED, mixture=one), spec=single)
    with pytest.raises(InputError, match="at least 1"):
        plan_for(LABELLED, SLOTS, steps_per_round=0)
    with pytest.raises(InputError, match="num_classes"):
        dataclasses.replace(plan, spec=single)


@pytest.mark.parametrize("sizes", ["30000, 30000", "4000000000000", "-3"])
def test_a_teacher_too_large_for_a_plan_is_refused_before_it_takes_memory(sizes: str) -> None:
    content = labelled_plan().to_bytes().decode()
    found = """hidden_sizes": [
        4
      ]"""
    assert content.count(found) == 1
    with pytest.raises(InputError, match=r"^plan: ") as refusal:
        FederatedPlan.read(content.replace(found, f'hidden_sizes": [{sizes}]').encode(), "plan")
    assert refusal.value.exit_code == 2


def hostile(content: bytes, other: dict[str, Tensor]) -> dict[str, bytes]:
    one = Contribution.read(content, "good")
    name = next(iter(one.tensors))
    changed: dict[str, dict[str, Any]] = {
        "another plan": {"plan_digest": "0" * 64},
        "an old round": {"round_number": 0},
        "another state": {"round_digest": "0" * 64},
        "the other kind": {"tensors": other},
        "both kinds": {"tensors": one.tensors | other},
        "not finite": {"tensors": one.tensors | {name: torch.full_like(one.tensors[name], float("nan"))}},
        "another shape": {"tensors": one.tensors | {name: one.tensors[name][None]}},
        "none": {"tensors": {}},
    }
    files = {key: dataclasses.replace(one, **fields).to_bytes() for key, fields in changed.items()}
    if "sum" in one.tensors:
        files["too large"] = dataclasses.replace(
            one, tensors={"sum": torch.full_like(one.tensors["sum"], 1e6)}
        ).to_bytes()
    return files | {"nothing": b"", "cut": content[:-8]}


@pytest.mark.parametrize("number", [1, 4], ids=["sums", "teacher"])
def test_hostile_contributions_are_refused_by_name(tmp_path: Path, number: int) -> None:
    plan = plan_for(LABELLED, SLOTS | {"rome": 30}, steps_per_round=3)
    content = known(plan, number, 0.1, "rome")
    good = [(name, answer(tmp_path, content, name, held, noise=KeyedNoise).content) for name, held in HELD.items()]
    other = answer(tmp_path / "other", known(plan, 5 - number, 0.1, "rome"), "paris", HELD["paris"]).content
    for name, wrong in hostile(good[1][1], Contribution.read(other, "other").tensors).items():
        with pytest.raises(InputError, match=r"^wrong\.safetensors: ") as refusal:
            combine(content, [good[0], ("wrong.safetensors", wrong)])
        assert refusal.value.exit_code == 2, name
    with pytest.raises(InputError, match="a second contribution of the site berlin"):
        combine(content, [good[0], ("twice.safetensors", good[0][1])])
    assert combine(content, good[:1]).absent == ("paris", "rome")


def test_the_order_of_parts_is_that_of_the_plan() -> None:
    """Sums come before the teacher, and no file has a teacher in the place of a sum."""
    assert list(Round(plan=labelled_plan()).sending.sent(0)) == ["sum"]
    assert not isinstance(Round(plan=plan_for(DP_GAN, SLOTS)).sending, SendingSumsThenNetworks)
    before = Round.read(known(labelled_plan(), 3, 0.1), "third")
    assert list(before.tensors) == ["sum 1", "sum 2", "sum 3"]
    skipped = before.following(before.tensors, ("paris",), is_secure=True)
    with pytest.raises(InputError, match="7 tensors, and round 5 has 23"):
        Round.read(skipped.to_bytes(), "fourth")


LEFT_TO_THE_NOISE = dataclasses.replace(ONE, num_rounds=None, generator=dataclasses.replace(
    ONE.generator, radius=None, num_components=None
))  # fmt: skip


@pytest.mark.parametrize("config", [dataclasses.replace(LABELLED, mixture=LEFT_TO_THE_NOISE), LEFT_TO_THE_NOISE])
def test_sizes_that_are_left_to_the_noise_are_settled_by_that_of_all_sites(tmp_path: Path, config: Any) -> None:
    """As in the recipe of one's own images, whose radius follows from the noise."""
    plan = plan_for(config, SLOTS)
    settled = getattr(plan.method, "mixture", plan.method).generator
    assert (settled.radius, settled.num_components) == (4.0, 1)
    assert released(all_rounds(tmp_path, plan, HELD)).statement.sites


@pytest.mark.parametrize("lacking", ["radius", "num_components"])
def test_a_plan_that_leaves_a_size_to_each_site_is_refused(tmp_path: Path, lacking: str) -> None:
    plan = plan_for(ONE, SLOTS)
    tree = json.loads(plan.to_bytes())
    tree["method"]["generator"][lacking] = None
    with pytest.raises(InputError, match="leave a size to the noise"):
        answer(tmp_path, json.dumps(tree).encode(), "berlin", HELD["berlin"])
