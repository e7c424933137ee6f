"""Sites that send networks: one site is the central training, several are averaged, and each pays for its steps."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import DP_GAN, GAN, ONE, TRAINED, ZeroNoise, all_rounds, answer, plan_for, records
from torch import Tensor

from gossamer.driving.examination import examine
from gossamer.driving.federated.combining import combine, released, write_federated_release
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.federated.sending import SendingNetworks
from gossamer.driving.federated.site_folder import JoinedPlan
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.methods.averaged import TrainedNetwork
from gossamer.methods.dp_cgan.settings import GradientDescent
from gossamer.methods.dp_cgan.training import PublicNetworks
from gossamer.methods.gs_wgan.centre import TwinsAddedBack
from gossamer.methods.of_sites import NetworksOfSites
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import MLPCriticConfig
from gossamer.privacy.events import under_replacement
from gossamer.privacy.priceable import price
from gossamer.privacy.restated import event_of
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.findings import Verdict
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key
from gossamer.runs.ledger_file import read_ledger

SLOTS = {"berlin": 30, "paris": 50}
HELD = {"berlin": records(30, 1), "paris": records(50, 2)}


PLAIN_DESCENT = dataclasses.replace(DP_GAN, discriminator_optimiser=GradientDescent(), discriminator_steps=1)
SQUARE = dataclasses.replace(DP_GAN, discriminator=MLPCriticConfig(hidden_sizes=(4,)))
"""A discriminator whose gradients are computed one by one."""
BOTH = pytest.mark.parametrize("config", [GAN, DP_GAN], ids=["gs-wgan", "dp-cgan"])


@functools.cache
def gan_plan(*names: str, steps: int = 3, config: Any = GAN) -> FederatedPlan:
    """Seven steps, in rounds of three, three and one."""
    slots = {name: number for name, number in SLOTS.items() if not names or name in names}
    return plan_for(config, slots, steps_per_round=steps)


def central(folder: Path, plan: FederatedPlan) -> dict[str, Tensor]:
    """The weights of the training in one place, with the shards and coins of berlin and no noise."""
    context = RunContext(delta=1e-3, slots=PublicSlots(30), key=read_key(RunFolder(folder / "berlin")))
    training = plan.of_method.start(plan.settings_of(plan.sites[0]), HELD["berlin"], ZeroNoise(), context)
    for _ in training:
        pass
    return dict(training.trained().weights)


def differs(folder: Path, config: Any = GAN) -> float:
    """The largest difference of a weight between one site over three rounds and the central training."""
    plan = gan_plan("berlin", config=config)
    mine = released(all_rounds(folder, plan, {"berlin": HELD["berlin"]})).weights
    wanted = central(folder, plan)
    assert mine.keys() == wanted.keys()
    return max(float((mine[name] - wanted[name]).abs().max()) for name in wanted)


@pytest.mark.parametrize(
    "config", [GAN, DP_GAN, PLAIN_DESCENT, SQUARE], ids=["gs-wgan", "dp-cgan", "plain descent", "one by one"]
)
def test_one_site_over_several_rounds_is_the_central_training_bit_for_bit(tmp_path: Path, config: Any) -> None:
    assert differs(tmp_path, config) == 0


@pytest.mark.slow
@BOTH
def test_a_round_that_forgets_the_moments_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Any
) -> None:
    """The break: an optimiser begins anew in each round."""
    take_up = TrainedNetwork.take_up
    monkeypatch.setattr(TrainedNetwork, "take_up", lambda self, tensors, num: take_up(self, tensors, 0))
    assert differs(tmp_path, config) > 1e-5


@pytest.mark.slow
def test_a_discriminator_that_stays_at_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: the discriminator begins anew in each round."""

    def of_the_generator(self: PublicNetworks, networks: NetworksOfSites) -> None:
        self._generator.take_up(networks.tensors, networks.num_updates(self._config.discriminator_steps))

    monkeypatch.setattr(PublicNetworks, "take_up", of_the_generator)
    assert differs(tmp_path, DP_GAN) > 1e-5


@BOTH
def test_networks_are_averaged_by_public_slots(tmp_path: Path, config: Any) -> None:
    content = gan_plan(config=config).to_bytes()
    files = [(name, answer(tmp_path, content, name, held).content) for name, held in HELD.items()]
    now = combine(content, files).round
    berlin, paris = (Contribution.read(one, name).tensors for name, one in files)
    assert any(not torch.equal(berlin[name], paris[name]) for name in berlin)
    for name, one in now.tensors.items():
        torch.testing.assert_close(one, (30 * berlin[name] + 50 * paris[name]) / 80, rtol=1e-6, atol=1e-7)
    assert now.context["networks"].step == 3


@pytest.mark.slow
def test_critics_that_are_trained_begin_anew_in_each_round(tmp_path: Path) -> None:
    plan = plan_for(TRAINED, {"berlin": 30}, steps_per_round=4)
    over = all_rounds(tmp_path, plan, {"berlin": HELD["berlin"]})
    assert over.number == 2
    released(over).check_finite()


@BOTH
def test_the_statement_has_the_price_of_each_site(tmp_path: Path, config: Any) -> None:
    plan = gan_plan(config=config)
    over = all_rounds(
        tmp_path, plan, HELD, noise=KeyedNoise, absent=lambda number, site: (number, site) == (1, "berlin")
    )
    statement = write_federated_release(tmp_path / "study", over, pytest.fail).statement
    assert statement.is_secure
    assert [claim.answered for claim in statement.sites] == [(1, 3), (1, 2, 3)]
    assert all(4.9 < claim.epsilon <= 5.0001 <= statement.epsilon + 0.001 for claim in statement.sites)
    assert any("averaged by public numbers of slots" in sentence for sentence in statement.public_inputs)
    findings = list(examine(tmp_path / "study"))
    assert {finding.verdict for finding in findings} == {Verdict.HOLDS, Verdict.UNCHECKED}
    assert any("site paris is computed again" in str(finding) for finding in findings)


def test_the_claim_for_all_is_that_of_the_dearest_site_at_its_own_rate(tmp_path: Path) -> None:
    """The same noise at both: the smaller site draws each of its units more often, so it pays more."""
    plan = gan_plan(config=DP_GAN)
    noise = max(site.noise_multiplier for site in plan.sites)
    alike = [dataclasses.replace(site, noise_multiplier=noise) for site in plan.sites]
    plan = dataclasses.replace(plan, sites=tuple(alike))
    statement = released(all_rounds(tmp_path, plan, HELD)).statement
    berlin, paris = (claim.epsilon for claim in statement.sites)
    assert berlin > 1.2 * paris
    assert statement.epsilon == pytest.approx(berlin, rel=1e-9)
    said = dict(statement.parameters)
    assert (statement.num_slots, said["expected_batch_size"]) == (80, pytest.approx(6))
    assert said["sample_rate"] == 6 / 30
    assert event_of(statement) == plan.part_of(plan.sites[0]).event


# ---- what a site spends ----------------------------------------------------------------------------------------------


def state(plan: FederatedPlan, value: float, *, rounds_done: int = 1) -> bytes:
    """A later round whose tensors are all one number."""
    now = Round(plan=plan)
    shapes = now.sending.sent(0)
    for _ in range(rounds_done):
        tensors = {name: torch.full(shape, value) for name, shape in shapes.items()}
        now = now.following(tensors, ("paris",), is_secure=True)
    return now.to_bytes()


def charged(folder: Path) -> int:
    return read_ledger(next(folder.rglob("ledger.jsonl"))).num_charged_steps


def test_a_round_is_charged_by_its_steps_and_sent_again_for_nothing(tmp_path: Path) -> None:
    content = gan_plan().to_bytes()
    first = answer(tmp_path, content, "berlin", HELD["berlin"], noise=KeyedNoise)
    assert charged(tmp_path) == 3

    def drawn() -> KeyedNoise:
        pytest.fail("noise was drawn")

    again = answer(tmp_path, content, "berlin", HELD["berlin"], noise=drawn)
    assert (again.content, again.is_sent_again, charged(tmp_path)) == (first.content, True, 3)


def spent_by_repeats(folder: Path) -> int:
    """Steps that are taken if one round of three steps is asked for again and again, of seven that are paid for."""
    plan = gan_plan()
    answered = 0
    for value in (0.1, 0.2, 0.3, 0.4):
        with contextlib.suppress(PrivacyError):
            answer(folder, state(plan, value), "berlin", HELD["berlin"], noise=KeyedNoise)
            answered += 3
    return answered


def test_a_round_asked_twice_is_charged_twice_with_fresh_noise(tmp_path: Path) -> None:
    """The site did not answer the first round, and what that would have cost is not handed to another."""
    assert spent_by_repeats(tmp_path) == charged(tmp_path) == 3


def test_a_site_that_answered_all_rounds_has_nothing_left(tmp_path: Path) -> None:
    plan = gan_plan()
    for content in (plan.to_bytes(), state(plan, 0.1), state(plan, 0.2, rounds_done=2)):
        answer(tmp_path, content, "berlin", HELD["berlin"], noise=KeyedNoise)
    assert charged(tmp_path) == 7
    with pytest.raises(PrivacyError, match="cannot be paid for"):
        answer(tmp_path, state(plan, 0.3), "berlin", HELD["berlin"])


@pytest.mark.slow
def test_a_counter_of_the_coordinator_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: earlier charges are forgotten, because the file says which round it is."""
    monkeypatch.setattr(JoinedPlan, "lost_steps", lambda self, step: ())
    with pytest.raises(AssertionError):
        test_a_round_asked_twice_is_charged_twice_with_fresh_noise(tmp_path)


def test_the_noise_of_an_answer_is_its_own(tmp_path: Path) -> None:
    made: list[KeyedNoise] = []

    def noise() -> KeyedNoise:
        made.append(KeyedNoise())
        return made[-1]

    plan = gan_plan(steps=2)
    sent = [answer(tmp_path, state(plan, value), "berlin", HELD["berlin"], noise=noise) for value in (0.1, 0.100001)]
    first, second = (Contribution.read(one.content, "one").tensors for one in sent)
    assert len(made) == 2
    # The states differ by a millionth, and the noise moves the generator much further.
    assert max(float((first[name] - second[name]).abs().max()) for name in first) > 1e-4


def test_a_plan_of_networks_adds_to_all_others(tmp_path: Path) -> None:
    """A plan may be made after the answers to another were seen: no composition tighter than the sum holds then."""
    first, second = plan_for(ONE, SLOTS), gan_plan()
    answer(tmp_path, first.to_bytes(), "berlin", HELD["berlin"], cap=5.1)
    with pytest.raises(PrivacyError, match="the 1 others of this site cost epsilon 1"):
        answer(tmp_path, second.to_bytes(), "berlin", HELD["berlin"], cap=9.9)
    spent = answer(tmp_path, second.to_bytes(), "berlin", HELD["berlin"], cap=10.1).spent
    assert spent is not None
    assert (spent.epsilon, spent.delta) == (pytest.approx(10, abs=0.01), pytest.approx(2e-3))


def test_a_unit_that_comes_or_leaves_is_priced_as_one_replaced_beside_other_plans(tmp_path: Path) -> None:
    """Sums are priced for any change of a slot, and Poisson samples alone for a unit that comes or leaves."""
    samples, sums = gan_plan(config=DP_GAN), plan_for(ONE, SLOTS)
    alone = answer(tmp_path, samples.to_bytes(), "berlin", HELD["berlin"], cap=5.1).spent
    together = answer(tmp_path, sums.to_bytes(), "berlin", HELD["berlin"], cap=100.0).spent
    assert alone is not None
    assert together is not None
    assert alone.epsilon == pytest.approx(5, abs=0.01)
    part = samples.part_of(samples.sites[0])
    replaced, _ = price(under_replacement(part.event, part.adjacency), 1e-3)
    assert together.epsilon == pytest.approx(5 + replaced, abs=0.02)
    assert replaced > 6


# ---- what is refused -------------------------------------------------------------------------------------------------


def hostile(plan: FederatedPlan, content: bytes) -> dict[str, bytes]:
    one = Contribution.read(content, "good")
    name = next(iter(one.tensors))
    fewer = {key: value for key, value in one.tensors.items() if key != name}
    changed = {
        "another plan": {"plan_digest": "0" * 64},
        "an old round": {"round_number": 5},
        "another state": {"round_digest": "0" * 64},
        "no site": {"site": "rome"},
        "not finite": {"tensors": one.tensors | {name: torch.full_like(one.tensors[name], float("nan"))}},
        "another shape": {"tensors": one.tensors | {name: one.tensors[name][None]}},
        "other numbers": {"tensors": one.tensors | {name: one.tensors[name].double()}},
        "one fewer": {"tensors": fewer},
        "one more": {"tensors": one.tensors | {"more": torch.zeros(1)}},
        "a sum": {"tensors": {"sum": torch.zeros(3)}},
        "none": {"tensors": {}},
    }
    files = {key: dataclasses.replace(one, **fields).to_bytes() for key, fields in changed.items()}
    return files | {"nothing": b"", "cut": content[:-8], "a plan": plan.to_bytes()}


@BOTH
def test_hostile_contributions_are_refused_by_name(tmp_path: Path, config: Any) -> None:
    plan = gan_plan(config=config)
    content = plan.to_bytes()
    good = [(name, answer(tmp_path, content, name, held, noise=KeyedNoise).content) for name, held in HELD.items()]
    for name, wrong in hostile(plan, good[1][1]).items():
        with pytest.raises(InputError, match=r"^wrong\.safetensors: ") as refusal:
            combine(content, [good[0], ("wrong.safetensors", wrong)])
        assert refusal.value.exit_code == 2, name
    with pytest.raises(InputError, match="a second contribution of the site berlin"):
        combine(content, [good[0], ("twice.safetensors", good[0][1])])
    assert combine(content, good[:1]).absent == ("paris",)


def test_plans_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 1"):
        plan_for(GAN, SLOTS, steps_per_round=0)
    with pytest.raises(InputError, match="centre does not work between sites"):
        plan_for(dataclasses.replace(TRAINED, critics_per_draw=4, centre=TwinsAddedBack()), SLOTS, steps_per_round=2)
    with pytest.raises(InputError, match="num_critics"):
        plan_for(GAN, {"berlin": 30, "rome": 7}, steps_per_round=2)
    with pytest.raises(InputError, match="1000 at most"):
        plan_for(dataclasses.replace(GAN, num_steps=1001), SLOTS, steps_per_round=1)
    plan = gan_plan()
    for old, new in (('"steps_per_round": 3', '"steps_per_round": null'), ('"steps_per_round": 3', '"other": 3')):
        with pytest.raises(InputError):
            FederatedPlan.read(plan.to_bytes().replace(old.encode(), new.encode()), "plan")


@pytest.mark.parametrize("sizes", ["30000, 30000", "4000000000000", "-3"])
def test_networks_too_large_for_a_plan_are_refused_before_they_take_memory(sizes: str) -> None:
    for config, hidden in ((DP_GAN, "5"), (DP_GAN, "6"), (GAN, "6")):
        content = gan_plan(config=config).to_bytes().decode()
        found = f"""hidden_sizes": [
        {hidden}
      ]"""
        assert content.count(found) == 1
        with pytest.raises(InputError, match=r"^plan: ") as refusal:
            FederatedPlan.read(content.replace(found, f'hidden_sizes": [{sizes}]').encode(), "plan")
        assert refusal.value.exit_code == 2


@pytest.mark.slow
def test_a_site_in_proportion_to_its_true_records_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The break: all sites count alike."""

    def plain(self: SendingNetworks, known: object, answers: list[dict[str, Tensor]], *more: object) -> object:
        return {name: torch.stack([one[name] for one in answers]).mean(dim=0) for name in answers[0]}

    monkeypatch.setattr(SendingNetworks, "combined", plain)
    with pytest.raises(AssertionError):
        test_networks_are_averaged_by_public_slots(tmp_path, GAN)
