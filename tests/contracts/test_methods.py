"""One suite for all methods: whatever can be asked for by name runs, resumes, pays and releases as the others do.

Its tiny settings are in tests/shared/tiny, a file for each method. Every comparison is exact but where a figure of
another accountant is compared; nothing here has a false alarm.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import dp_accounting
import pytest
import torch
from dp_accounting import pld, rdp
from tiny import every
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms import plan as priced_plan
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.methods.catalogue import METHODS, find_method, method_of
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.dp_cgan.training import PublicNetworks
from gossamer.methods.gs_wgan.settings import AgainstOwnGenerator, AgainstPresentGenerator, Stage
from gossamer.methods.method import Method
from gossamer.methods.training import AbstractStepReport, AbstractTraining, RunContext
from gossamer.nn.images.postures import Upright
from gossamer.nn.images.settings import ConvCriticConfig, MLPCriticConfig, MLPDiscriminatorConfig, MLPGeneratorConfig
from gossamer.nn.latents import UniformLatent
from gossamer.nn.settings import Adam
from gossamer.nn.views import LowFrequencies, Pooled
from gossamer.privacy import Adjacency, PrivacyBudget
from gossamer.privacy.accounting import EpsilonBound, epsilon_by_pld, epsilon_by_rdp
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.events import compose_events, gaussian_event
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.runs.config_io import from_json_tree, to_json_tree

RECORDS, DELTA, SEED = 60, 1e-3, 3
SLOTS, KEY = PublicSlots(RECORDS), UnitKey(bytes(32))
TINY = every(lambda tiny: tiny.images)


SMALL_STAGE = Stage(critic=MLPCriticConfig(hidden_sizes=(5,)), warm_start=AgainstPresentGenerator(num_updates=1))
FOUR_STEPS = replace(
    TINY["gs-wgan"], num_critics=7, num_steps=4, batch_size=6, draws_per_step=3, noise_multiplier=1.0, fork_steps=1,
    pool_per_class=2, critics_at_once=3, seed=1,
)  # fmt: skip
DP_CGAN = DPCGANConfig(
    num_steps=4, expected_batch_size=8, noise_multiplier=1.0, generator=MLPGeneratorConfig(hidden_sizes=(6,)),
    latent=UniformLatent(dim=4),
    discriminator=MLPDiscriminatorConfig(hidden_sizes=(5,)), synthetic_batch_size=7, generator_batch_size=6,
    chunk_size=3, seed=1,
)  # fmt: skip
VARIANTS: dict[str, tuple[str, Any]] = {
    **{name: (name, settings) for name, settings in TINY.items()},
    "gs-wgan, one stage": ("gs-wgan", replace(FOUR_STEPS, stages=(SMALL_STAGE,))),
    "gs-wgan, two views": ("gs-wgan", replace(FOUR_STEPS, stages=(
        replace(SMALL_STAGE, view=Pooled(factor=2), critic=ConvCriticConfig(width=2)),
        replace(SMALL_STAGE, warm_start=AgainstOwnGenerator(num_updates=2, hidden=4, updates_per_generator_update=1)),
    ))),
    "gs-wgan, equal stages": ("gs-wgan", replace(FOUR_STEPS, stages=(
        SMALL_STAGE, replace(SMALL_STAGE, warm_start=AgainstPresentGenerator(num_updates=2)),
    ))),
    "dp-cgan, published": ("dp-cgan", DP_CGAN),
    "dp-cgan, tuned": ("dp-cgan", replace(
        DP_CGAN, view=LowFrequencies(radius=4.0), discriminator=MLPCriticConfig(hidden_sizes=(5,)),
        discriminator_steps=2, discriminator_optimiser=Adam(learning_rate=1e-2), final_learning_rate=0.1,
        moving_average=0.9,
    )),
    "dp-mixture, five sums": ("dp-mixture", replace(
        TINY["dp-mixture"], num_rounds=2, noise_multiplier=0.5,
        generator=replace(TINY["dp-mixture"].generator, num_components=2, posture=Upright()),
    )),
}  # fmt: skip
"""Settings that are resumed: those above, and others whose states hold more."""


@pytest.fixture(autouse=True, scope="module")
def priced_once() -> Iterator[None]:
    """Every training computes its price; here the same plans come again and again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(priced_plan, "epsilon_by_pld", price_by_pld)
        patch.setattr(priced_plan, "proved_epsilon", price_by_pld)
        patch.setattr(priced_plan, "epsilon_by_rdp", price_by_rdp)
        yield


PRICES: dict[tuple[str, float], EpsilonBound] = {}


def price_by_pld(event: dp_accounting.DpEvent, delta: float) -> EpsilonBound:
    key = repr(event), delta
    if key not in PRICES:
        PRICES[key] = epsilon_by_pld(event, delta)
    return PRICES[key]


def price_by_rdp(event: dp_accounting.DpEvent, delta: float) -> EpsilonBound:
    key = f"RDP {event!r}", delta
    if key not in PRICES:
        PRICES[key] = epsilon_by_rdp(event, delta)
    return PRICES[key]


@pytest.fixture(params=[one.name for one in METHODS])
def method(request: Any) -> Method[Any]:
    """Each method that can be asked for by name."""
    return find_method(request.param)


def images(seed: int = 0) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    return RecordSet(
        name="fixture",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(RECORDS, 1, 8, 8, generator=rng),
        y=torch.randint(0, 3, (RECORDS,), generator=rng),
    )


def start(
    method: Method[Any],
    private: RecordSet | None = None,
    noise: AbstractNoise | None = None,
    settings: Any = None,
    **given: Any,
) -> AbstractTraining:
    context = RunContext(**{"delta": DELTA, "slots": SLOTS, "key": KEY, **given})
    return method.start(settings or TINY[method.name], private or images(), noise or DeterministicNoise(SEED), context)


def finished(training: AbstractTraining) -> AbstractTraining:
    for _ in training:
        pass
    return training


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def num_steps(method: Method[Any]) -> int:
    return method.plan(TINY[method.name], SLOTS).num_steps


# ---- every method is here -------------------------------------------------------------------------------------------


def test_every_method_that_can_be_asked_for_has_tiny_settings_of_its_own_here() -> None:
    assert [one.name for one in METHODS] == list(TINY)
    for one in METHODS:
        settings = TINY[one.name]
        assert type(settings) is one.config
        assert method_of(settings) is one
        assert 1 <= num_steps(one) <= 5


def test_settings_are_read_back_as_they_were_written(method: Method[Any]) -> None:
    settings = TINY[method.name]
    tree = json.loads(json.dumps(to_json_tree(settings)))
    assert from_json_tree(method.config, tree, "settings") == settings
    assert all(settings_field.name in tree for settings_field in fields(settings))


# ---- running --------------------------------------------------------------------------------------------------------


def test_a_few_steps_give_a_generator_of_images_with_classes_in_turn(method: Method[Any]) -> None:
    training = start(method)
    assert (training.step, training.is_over) == (0, False)
    claim = training.statement
    reports = list(training)
    assert training.is_over
    assert training.step == training.end_step == training.num_paid_steps == num_steps(method)
    done = [training.progress(report) for report in reports]
    assert all(progress.part and 0 < progress.num_done <= progress.num_all for progress in done)
    assert done[-1].num_done == done[-1].num_all
    steps = [report.step for report in reports if isinstance(report, AbstractStepReport)]
    assert steps == sorted(steps)
    assert set(range(num_steps(method))) <= set(steps)
    assert training.trained().statement == training.statement == claim
    made, labels = training.trained().sample(10, seed=1)
    assert made.shape == (10, 1, 8, 8)
    assert made.dtype == torch.float32
    assert bool(made.isfinite().all())
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert list(training) == []


def test_a_training_is_a_function_of_its_streams_and_moves_none_but_them(method: Method[Any]) -> None:
    global_stream = torch.get_rng_state()
    weights = finished(start(method)).trained().weights
    assert torch.equal(global_stream, torch.get_rng_state())
    torch.manual_seed(99)
    assert equal(weights, finished(start(method)).trained().weights)
    assert not equal(weights, finished(start(method, noise=DeterministicNoise(SEED + 1))).trained().weights)
    assert not equal(weights, finished(start(method, private=images(1))).trained().weights)


@pytest.mark.parametrize("name", VARIANTS)
def test_interrupted_after_any_report_and_resumed_equals_uninterrupted(name: str, check_resumed: Any) -> None:
    method, settings = VARIANTS[name]
    check_resumed(functools.partial(start, find_method(method), settings=settings))


def test_a_resumed_run_that_forgets_an_optimiser_is_caught(monkeypatch: pytest.MonkeyPatch, check_resumed: Any) -> None:
    restore = PublicNetworks.restore

    def forgetful(self: PublicNetworks, state: dict[str, Any]) -> None:
        restore(self, state | {"adam": self._generator.optimiser.state_dict()})

    monkeypatch.setattr(PublicNetworks, "restore", forgetful)
    with pytest.raises(AssertionError, match="interrupted after report 1"):
        check_resumed(functools.partial(start, find_method("dp-cgan")))


def test_secret_noise_of_one_run_is_refused_in_another(method: Method[Any]) -> None:
    noise = KeyedNoise()
    assert finished(start(method, noise=noise)).trained().statement.is_secure
    with pytest.raises(PrivacyError, match="noise object of its own"):
        finished(start(method, noise=noise))


# ---- paying ---------------------------------------------------------------------------------------------------------


@dataclass
class Journal:
    """What happened in which order: ("charge", step) and ("draw", step)."""

    entries: list[tuple[str, int]] = field(default_factory=list)
    refuse_at: int | None = None

    def charge(self, step: int) -> None:
        if step == self.refuse_at:
            raise OSError("the ledger cannot be written")
        self.entries.append(("charge", step))

    def drawn_unpaid(self) -> list[int]:
        """Steps of which something was drawn before they were charged."""
        paid: set[int] = set()
        unpaid = []
        for kind, step in self.entries:
            if kind == "charge":
                paid.add(step)
            elif step not in paid:
                unpaid.append(step)
        return unpaid

    def charged(self) -> list[int]:
        return [step for kind, step in self.entries if kind == "charge"]


class WatchedNoise(DeterministicNoise):
    """Noise that writes down whatever is drawn of it."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(SEED)
        self._journal = journal

    def _enter(self, domain: int, step: int) -> None:
        self._journal.entries.append(("draw", step))
        super()._enter(domain, step)


def test_every_step_is_charged_once_in_order_and_before_anything_of_it_is_drawn(method: Method[Any]) -> None:
    journal = Journal()
    finished(start(method, noise=WatchedNoise(journal), charge=journal.charge))
    assert journal.charged() == list(range(num_steps(method)))
    assert {step for kind, step in journal.entries if kind == "draw"} == set(range(num_steps(method)))
    assert journal.drawn_unpaid() == []


def test_a_step_that_cannot_be_charged_is_not_taken(method: Method[Any]) -> None:
    for refused in range(num_steps(method)):
        journal = Journal(refuse_at=refused)
        training = start(method, noise=WatchedNoise(journal), charge=journal.charge)
        with pytest.raises(OSError, match="ledger"):
            finished(training)
        assert training.step == training.num_paid_steps == refused
        assert max((step for _, step in journal.entries), default=-1) == refused - 1


def test_noise_drawn_before_the_ledger_is_written_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    release = OneShotReleaser.release

    def rash(self: OneShotReleaser, step: int, chunks: Any) -> Tensor:
        self._noise.gaussian(step, (1, 1))
        return release(self, step, chunks)

    monkeypatch.setattr(OneShotReleaser, "release", rash)
    journal = Journal()
    finished(start(find_method("dp-merf"), noise=WatchedNoise(journal), charge=journal.charge))
    assert journal.drawn_unpaid() == [0]


def test_steps_lost_in_a_crash_are_paid_and_shorten_the_run(method: Method[Any]) -> None:
    journal = Journal()
    training = finished(start(method, lost_steps=(0,), charge=journal.charge))
    assert training.step == training.end_step <= num_steps(method) - 1
    assert training.num_paid_steps == training.step + 1
    assert journal.charged() == list(range(training.step))


def test_a_run_whose_steps_are_all_lost_takes_none_and_releases_nothing_on_the_way(method: Method[Any]) -> None:
    journal = Journal()
    lost = {"lost_steps": tuple(range(num_steps(method))), "charge": journal.charge}
    training = finished(start(method, noise=WatchedNoise(journal), **lost))
    assert training.step == 0
    assert training.num_paid_steps == num_steps(method)
    assert journal.entries == []
    with pytest.raises((InputError, PrivacyError)):
        training.trained_so_far()


def cost_of(method: Method[Any], paid: tuple[int, ...]) -> float:
    """Epsilon of these steps, each paid for as often as it is named, from events made anew."""
    priced = method.plan(TINY[method.name], SLOTS)
    if isinstance(priced, OneShotPlan):
        gaussians = [gaussian_event(noise_multiplier=priced.release_multiplier(step)) for step in paid]
        return epsilon_by_pld(compose_events(*gaussians), DELTA).epsilon
    if isinstance(priced, SumsThenSamplesPlan):
        sums, samples = priced.of_sums, priced.of_samples
        gaussians = [
            gaussian_event(noise_multiplier=sums.release_multiplier(step)) for step in paid if step < priced.num_sums
        ]
        num_samples = len(paid) - len(gaussians)
        drawn = [replace(samples, num_steps=num_samples).event] if num_samples else []
        return epsilon_by_pld(compose_events(*gaussians, *drawn), DELTA).epsilon
    return method.plan(replace(TINY[method.name], num_steps=len(paid)), SLOTS).budget_at(DELTA).epsilon


@pytest.mark.parametrize("lost", [(), (0,), (1, 1), (2,)])
def test_what_is_taken_on_the_way_is_priced_for_what_was_charged_and_no_less(
    method: Method[Any], lost: tuple[int, ...]
) -> None:
    journal = Journal()
    if max(lost, default=0) >= num_steps(method) or len(lost) >= num_steps(method):
        lost = ()
    training = start(method, lost_steps=lost, charge=journal.charge)
    claims: list[float] = []
    for _ in training:
        paid = (*lost, *journal.charged())
        assert training.num_paid_steps == len(paid)
        try:
            claim = training.trained_so_far().statement
        except (InputError, PrivacyError):
            continue  # too early to be a generator
        assert claim.epsilon >= cost_of(method, paid) * (1 - 1e-9)
        assert claim.epsilon == pytest.approx(cost_of(method, paid), rel=1e-6)
        assert claim.delta == DELTA
        assert claim.epsilon <= training.trained().statement.epsilon * (1 + 1e-9)
        claims.append(claim.epsilon)
    assert claims or lost
    assert claims == sorted(claims)
    if not lost:
        assert claims[-1] == pytest.approx(training.trained().statement.epsilon, rel=1e-9)


# ---- the statement --------------------------------------------------------------------------------------------------


def by_others(event: dp_accounting.DpEvent, adjacency: Adjacency, accountant: Any) -> float | None:
    """Epsilon by an accountant of dp-accounting, called directly; None where it cannot price the event."""
    is_slot = adjacency is Adjacency.SLOT
    relation = dp_accounting.NeighboringRelation
    ledger = accountant(neighboring_relation=relation.REPLACE_ONE if is_slot else relation.ADD_OR_REMOVE_ONE)
    return ledger.compose(event).get_epsilon(DELTA) if ledger.supports(event) else None


def test_the_statement_is_that_of_the_plan_and_of_independent_accountants(method: Method[Any]) -> None:
    priced = method.plan(TINY[method.name], SLOTS)
    claim = finished(start(method)).trained().statement
    assert claim.epsilon == epsilon_by_pld(priced.event, DELTA).epsilon == priced.budget_at(DELTA).epsilon
    assert (claim.adjacency, claim.unit, claim.num_slots) == (priced.adjacency, priced.unit, RECORDS)
    assert (claim.delta, claim.noise_multiplier) == (DELTA, TINY[method.name].noise_multiplier)
    assert claim.noise_multiplier == priced.noise_multiplier
    assert method.name in claim.mechanism
    assert not claim.is_secure
    assert claim.truncation_delta < 1e-12
    by_rdp = by_others(priced.event, priced.adjacency, rdp.RdpAccountant)
    assert by_rdp is not None
    assert by_rdp / 3 <= claim.epsilon <= by_rdp
    assert claim.epsilon_rdp is not None
    assert claim.epsilon <= claim.epsilon_rdp
    assert claim.epsilon_rdp == pytest.approx(by_rdp, rel=0.05)


def test_who_says_the_number_of_records_decides_what_is_claimed(method: Method[Any]) -> None:
    given = start(method).statement
    counted = start(method, slots=None).statement
    assert counted == start(method, slots=PublicSlots(RECORDS, source=CountSource.READ)).statement
    assert given.num_slots == counted.num_slots == RECORDS
    assert given.adjacency is method.plan(TINY[method.name], SLOTS).adjacency is not Adjacency.REPLACE_ONE
    assert counted.adjacency is Adjacency.REPLACE_ONE
    assert re.search(r"\b(added|removed)\b", given.to_markdown())
    assert not re.search(r"\b(added|removed)\b", counted.to_markdown())
    assert "the number of slots is that of the records in the data" in counted.public_inputs[0]
    with pytest.raises(InputError, match="--num-records"):
        start(method, slots=PublicSlots(RECORDS - 1))


def test_the_statement_is_made_of_its_circumstances(method: Method[Any]) -> None:
    terms: dict[str, Any] = {"run_id": "5f3a", "num_only_copies": 2, "date": "2026-01-02", "num_tuning_runs": 4}
    claim = start(method, version="9.9", public_notes=("a note",), **terms).statement
    assert {name: getattr(claim, name) for name in terms} == terms
    assert claim.gossamer_version == "9.9"
    assert claim.public_inputs[-1] == "a note"


@pytest.mark.parametrize("name", ["dp-cgan", "dp-merf", "dp-mixture", "labelled-mixture"])
def test_the_claim_is_that_of_another_accountant_by_loss_distributions(name: str) -> None:
    """One-of-K draws are beyond it; tests of the accountants hold those to golden figures."""
    chosen = find_method(name)
    priced = chosen.plan(TINY[name], SLOTS)
    # Gaussians have one price under every adjacency, once their multiplier is derived for it.
    other = pld.PLDAccountant().compose(priced.event).get_epsilon(DELTA)
    assert finished(start(chosen)).trained().statement.epsilon == pytest.approx(other, rel=1e-3)


def unpriced(settings: Any) -> Any:
    """Settings without any noise multiplier."""
    return replace(settings, noise_multiplier=None)


def test_settings_are_calibrated_to_a_budget_and_claim_it(method: Method[Any]) -> None:
    open_settings = unpriced(TINY[method.name])
    found = method.calibrate(open_settings, SLOTS, PrivacyBudget(epsilon=1.0, delta=DELTA))
    assert unpriced(found) == open_settings
    assert 0.995 < method.plan(found, SLOTS).budget_at(DELTA).epsilon <= 1.0


def test_settings_without_a_guarantee_are_refused_before_anything_is_drawn(method: Method[Any]) -> None:
    journal = Journal()
    watched = {"noise": WatchedNoise(journal), "charge": journal.charge}
    for delta, slots in itertools.product((1 / RECORDS, 0.1, 0.5, 0.0, 1.0, math.nan), (SLOTS, None)):
        with pytest.raises(PrivacyError, match="delta"):
            start(method, delta=delta, slots=slots, **watched)
    unpriced = replace(TINY[method.name], noise_multiplier=None)
    with pytest.raises(InputError, match="noise_multiplier is not chosen yet: calibrate"):
        method.start(unpriced, images(), watched["noise"], RunContext(delta=DELTA, charge=journal.charge))
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        method.plan(replace(unpriced, noise_multiplier=0.0), SLOTS)
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        start(method, settings=replace(unpriced, noise_multiplier=0.0), **watched)
    assert journal.entries == []


# ---- what leaves ----------------------------------------------------------------------------------------------------


def records_in(weights: dict[str, Tensor], private: RecordSet) -> list[int]:
    """Records of which a row of eight pixels stands in the weights, in any tensor or the memory behind it."""
    blobs = [bytes(tensor.untyped_storage().tolist()) for tensor in weights.values()]
    rows = private.x.flatten(end_dim=2).reshape(RECORDS, 8, 8)
    return [
        index
        for index, record in enumerate(rows)
        if any(row.numpy().tobytes() in blob for row in record for blob in blobs)
    ]


@pytest.fixture
def memory_of(reachable: Any) -> Callable[[object], set[int]]:
    """Where the tensors lie that can be reached from a thing."""
    return lambda thing: {one.untyped_storage().data_ptr() for one in reachable(thing) if isinstance(one, Tensor)} - {0}


def test_what_is_released_holds_nothing_private(method: Method[Any], private_parts: Any, memory_of: Any) -> None:
    private = images()
    training = finished(start(method, private))
    for trained in (training.trained(), training.trained_so_far()):
        assert private_parts(trained) == []
        assert records_in(trained.weights, private) == []
        sizes = {size for tensor in trained.weights.values() for size in tensor.shape}
        assert RECORDS not in sizes
        assert not memory_of(trained) & (memory_of(training.state_dict()) | memory_of(private))
        assert from_json_tree(type(trained.recipe), to_json_tree(trained.recipe), "recipe") == trained.recipe
        assert all(bool(tensor.isfinite().all()) for tensor in trained.weights.values())


def test_a_record_or_a_way_to_one_in_what_is_released_is_caught(private_parts: Any) -> None:
    private = images()
    trained = finished(start(find_method("dp-merf"), private)).trained()
    leak = {**trained.weights, "hidden": torch.cat([torch.zeros(5), private.x[17].flatten()])}
    assert records_in(leak, private) == [17]
    assert private_parts(replace(trained, weights={**trained.weights, "way": private.x[:0]})) == ["tensor"]
    assert len(records_in({"view": private.x[:0]}, private)) == RECORDS
    object.__setattr__(trained, "data", private)
    assert {"data", "RecordSet", "tensor"} <= set(private_parts(trained))


def test_the_statement_says_nothing_of_the_records_but_what_is_public(method: Method[Any]) -> None:
    private = images()
    one_class = replace(private, x=1 - private.x, y=torch.zeros_like(private.y))  # type: ignore[arg-type]
    claims = [finished(start(method, records)).trained().statement for records in (private, one_class)]
    assert claims[0] == claims[1]
    text = json.dumps(claims[0].to_json()) + claims[0].to_markdown()
    assert not re.search(r"[0-9a-f]{32}", text)
    assert "digest" not in text
    assert "sha256" not in text
