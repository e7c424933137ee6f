"""DP-CGAN as an iterator: run, interrupted, resumed, refused; and trainings that let data past the door are caught."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable
from dataclasses import replace

import dp_accounting
import pytest
import torch
from dp_accounting import pld, rdp
from torch import Tensor
from torch.nn import functional as F

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms import plan as priced_plan
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.poisson.door import PoissonReleaser, Tensors, unit_gradients
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.dp_cgan import DP_CGAN
from gossamer.methods.dp_cgan.settings import DPCGANConfig, GradientDescent, plan
from gossamer.methods.dp_cgan.training import DPCGANTraining, PublicNetworks
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import (
    MLPCriticConfig,
    MLPDiscriminatorConfig,
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.latents import UniformLatent
from gossamer.nn.settings import Adam
from gossamer.nn.views import LowFrequencies
from gossamer.privacy import PrivacyBudget, Unit
from gossamer.privacy.accounting import EpsilonBound, epsilon_by_pld
from gossamer.privacy.slots import PublicSlots

RECORDS, STEPS = 20, 4
BASE = DPCGANConfig(
    num_steps=STEPS,
    expected_batch_size=8,
    noise_multiplier=1.0,
    generator=MLPGeneratorConfig(hidden_sizes=(6,)),
    discriminator=MLPDiscriminatorConfig(hidden_sizes=(5,)),
    latent=UniformLatent(dim=4),
    synthetic_batch_size=7,
    generator_batch_size=6,
    chunk_size=3,
    seed=1,
)
TUNED = replace(
    BASE,
    view=LowFrequencies(radius=4.0),
    discriminator=MLPCriticConfig(hidden_sizes=(5,)),
    discriminator_steps=2,
    discriminator_optimiser=Adam(learning_rate=1e-2),
    final_learning_rate=0.1,
    moving_average=0.9,
)
SETTINGS = {"published": BASE, "tuned": TUNED}


@pytest.fixture(autouse=True)
def priced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training computes its price; here the same plans come again and again."""
    monkeypatch.setattr(priced_plan, "epsilon_by_pld", price_by_pld)
    monkeypatch.setattr(priced_plan, "proved_epsilon", price_by_pld)


@functools.cache
def price_by_pld(event: dp_accounting.DpEvent, delta: float) -> EpsilonBound:
    return epsilon_by_pld(event, delta)


def images(seed: int = 0, num: int = RECORDS, labelled: bool = True) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    x, y = torch.rand(num, 1, 8, 8, generator=rng), torch.randint(0, 2, (num,), generator=rng)
    spec = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b") if labelled else ())
    return RecordSet(name="fixture", spec=spec, x=x, y=y if labelled else None)


def training(
    config: DPCGANConfig = BASE,
    private: RecordSet | None = None,
    noise: AbstractNoise | None = None,
    kind: type[DPCGANTraining] = DPCGANTraining,
    **options: object,
) -> DPCGANTraining:
    context = RunContext(**{"delta": 1e-3, "slots": PublicSlots(RECORDS), **options})  # type: ignore[arg-type]
    return kind(config, private or images(), noise or DeterministicNoise(3), context)


def finished(made: DPCGANTraining) -> DPCGANTraining:
    for _ in made:
        pass
    return made


def flat(tree: object, path: str = "") -> dict[str, object]:
    if isinstance(tree, dict):
        return {name: leaf for key, value in tree.items() for name, leaf in flat(value, f"{path}/{key}").items()}
    return {path: tree}


def same(first: DPCGANTraining, second: DPCGANTraining) -> bool:
    one, two = flat(first.state_dict()), flat(second.state_dict())
    return one.keys() == two.keys() and all(
        torch.equal(a, two[name]) if isinstance(a, Tensor) else a == two[name] for name, a in one.items()
    )


# ---- the contract of every method ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_samples_in_bfloat16_are_seen_in_the_view_of_the_records(name: str) -> None:
    made = finished(training(SETTINGS[name], precision=torch.bfloat16))
    assert all(weight.isfinite().all() for weight in made.trained().weights.values())


@pytest.mark.parametrize("name", SETTINGS)
def test_three_steps_move_both_networks_and_are_reported_one_by_one(name: str) -> None:
    # Of seed 1 the tiny generator has no live unit: nothing moves it.
    made = training(replace(SETTINGS[name], num_steps=3, seed=0))
    before = copy.deepcopy(made.state_dict())
    reports = list(made)
    progress = [made.progress(report) for report in reports]
    assert [report.step for report in reports] == [0, 1, 2]
    assert [(at.num_done, at.num_all) for at in progress] == [(1, 3), (2, 3), (3, 3)]
    assert made.is_over
    assert made.step == made.end_step == made.num_paid_steps == 3
    after = flat(made.state_dict())
    for part in ("generator", "discriminator", "average"):
        moved = [n for n, t in flat(before).items() if f"/{part}/" in n and not torch.equal(t, after[n])]  # type: ignore[arg-type]
        assert moved, f"{part} did not move"
    sample, labels = made.trained().sample(5)
    assert sample.shape == (5, 1, 8, 8)
    assert labels is not None
    assert labels.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_is_a_function_of_settings_data_and_its_streams(name: str) -> None:
    torch.manual_seed(11)
    first = finished(training(SETTINGS[name]))
    torch.manual_seed(12)
    assert same(first, finished(training(SETTINGS[name])))
    assert not same(first, finished(training(SETTINGS[name], noise=DeterministicNoise(4))))
    assert not same(first, finished(training(replace(SETTINGS[name], seed=2))))


def test_steps_lost_in_a_crash_are_paid_and_shorten_the_run() -> None:
    made = training()
    next(iter(made))
    resumed = finished(training(state=copy.deepcopy(made.state_dict()), lost_steps=(1, 2)))
    assert (resumed.step, resumed.end_step, resumed.num_paid_steps) == (2, 2, 4)


def test_a_step_is_charged_before_it_is_taken_and_not_without_the_ledger() -> None:
    charged: list[int] = []

    def charge(step: int) -> None:
        if step == 2:
            raise PrivacyError("the ledger is full")
        charged.append(step)

    made = training(charge=charge)
    with pytest.raises(PrivacyError, match="ledger"):
        finished(made)
    assert charged == [0, 1]
    assert made.step == 2


@pytest.mark.parametrize("make", [KeyedNoise, lambda: DeterministicNoise(0)])
def test_the_statement_equals_that_of_an_independent_accountant(make: Callable[[], AbstractNoise]) -> None:
    claim = training(noise=make()).trained().statement
    event = dp_accounting.SelfComposedDpEvent(
        dp_accounting.PoissonSampledDpEvent(8 / RECORDS, dp_accounting.GaussianDpEvent(1.0)), STEPS
    )
    by_pld, by_rdp = (
        accountant.compose(event).get_epsilon(1e-3) for accountant in (pld.PLDAccountant(), rdp.RdpAccountant())
    )
    assert claim.epsilon == pytest.approx(by_pld, rel=0.01)
    assert claim.epsilon_rdp == pytest.approx(by_rdp, rel=0.01)
    assert claim.published_epsilon is not None
    assert claim.is_secure is (make is KeyedNoise)
    assert (claim.num_slots, claim.unit, claim.clip_norm) == (RECORDS, Unit.RECORD, 1.1)


def test_a_generator_taken_on_the_way_is_priced_for_the_steps_paid_until_then() -> None:
    made = training(lost_steps=(0,))
    with pytest.raises(InputError, match="not learnt anything"):
        made.trained_so_far()
    next(iter(made))
    claim = made.trained_so_far().statement
    assert dict(claim.parameters)["num_steps"] == 2
    assert claim.epsilon < made.trained().statement.epsilon


# ---- what it learns --------------------------------------------------------------------------------------------------


def test_an_update_of_the_discriminator_is_descent_on_the_released_gradient_and_the_synthetic_one() -> None:
    spec = images().spec
    networks = PublicNetworks(BASE, spec, torch.device("cpu"), torch.float32)
    before = {name: tensor.detach().clone() for name, tensor in networks.parameters().items()}
    released = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    latent = BASE.latent.draw(7, public_stream(1, "synthetic", 0))
    labels = torch.arange(7) % 2
    samples = BASE.generator.build(spec.shape, 2, 4, public_stream(1, "generator weights"))(latent, labels).detach()

    def loss(parameters: Tensors) -> Tensor:
        odds = torch.func.functional_call(networks._discriminator, parameters, (samples, labels))
        return F.binary_cross_entropy_with_logits(odds, torch.zeros(7))

    slope = torch.func.grad(loss)(before)
    networks.improve_discriminator(released, 0)
    for name, tensor in networks.parameters().items():
        assert torch.allclose(tensor, before[name] - 0.1 * (slope[name] + 1), atol=1e-6)


def test_the_loss_of_a_record_is_the_cross_entropy_of_being_real() -> None:
    networks = PublicNetworks(BASE, images().spec, torch.device("cpu"), torch.float32)
    private = images()
    assert private.y is not None
    odds = networks._discriminator(private.x, private.y)
    expected = F.binary_cross_entropy_with_logits(odds, torch.ones(RECORDS), reduction="none")
    assert torch.allclose(networks.losses_of_records(networks.parameters(), private.x, private.y), expected)


def test_the_generator_learns_after_every_so_many_steps_of_the_discriminator() -> None:
    made = training(TUNED)
    weights = [made.trained().weights]
    for _ in made:
        weights.append(made.trained().weights)
    moved = [any(not torch.equal(a[n], b[n]) for n in a) for a, b in itertools.pairwise(weights)]
    assert moved == [False, True, False, True]


def test_classes_of_synthetic_samples_are_all_in_turn_whatever_the_records() -> None:
    networks = PublicNetworks(BASE, images().spec, torch.device("cpu"), torch.float32)
    labels = [networks._synthetic("generator", 6, step)[1] for step in (0, 1)]
    assert [label.tolist() for label in labels if label is not None] == [[0, 1] * 3, [1, 0] * 3]


def test_images_without_classes_and_generators_with_spectral_norms_can_be_trained() -> None:
    made = finished(training(replace(BASE, generator=ResNetGeneratorConfig(width=4)), images(labelled=False)))
    sample, labels = made.trained().sample(3)
    assert sample.shape == (3, 1, 8, 8)
    assert labels is None


def test_persons_are_protected_as_wholes() -> None:
    private = replace(images(), people=torch.arange(RECORDS) % 9, num_people=10)
    made = finished(training(replace(BASE, records_per_person=2), private, slots=PublicSlots(10, Unit.PERSON)))
    claim = made.trained().statement
    assert (claim.unit, claim.num_slots) == (Unit.PERSON, 10)
    assert dict(claim.parameters)["sample_rate"] == 0.8
    assert dict(claim.parameters)["records_per_unit"] == 2


# ---- nothing of the records but through the door ---------------------------------------------------------------------


class InjectedGradient:
    """Asks for all gradients of the records, and releases vectors that nothing private went into."""

    def __init__(self, door: PoissonReleaser) -> None:
        self._records = door._records

    def release(self, step: int, parameters: Tensors, losses: Callable[..., Tensor]) -> Tensors:
        unit_gradients(losses, parameters, tuple(record[:, None] for record in self._records))
        rng = torch.Generator().manual_seed(step)
        return {name: torch.randn(tensor.shape, generator=rng) for name, tensor in parameters.items()}


def data_passes_the_door(kind: type[DPCGANTraining], config: DPCGANConfig = BASE) -> bool:
    """Whether networks, optimisers or average differ between two data sets when what is released does not."""
    runs = []
    for seed in (0, 1):
        made = training(config, images(seed), kind=kind)
        made.releaser = InjectedGradient(made.releaser)  # type: ignore[assignment]
        runs.append(finished(made))
    return not same(*runs)


class LabelsOfTheRecords(PublicNetworks):
    """Synthetic samples of one purpose take the classes of records, as the published code's do."""

    purpose: str
    labels: Tensor

    def _synthetic(self, purpose: str, num_samples: int, step: int) -> tuple[Tensor, Tensor | None]:
        looked, labels = super()._synthetic(purpose, num_samples, step)
        if purpose == self.purpose:
            labels = self.labels[:num_samples]
            latent = self._config.latent.draw(num_samples, public_stream(self._config.seed, purpose, step))
            looked = self._config.view.apply(self._generator.network(latent, labels))
        return looked, labels


def with_labels(of: str) -> type[DPCGANTraining]:
    class Broken(DPCGANTraining):
        def __init__(self, config: DPCGANConfig, private: RecordSet, *args: object, **options: object) -> None:
            super().__init__(config, private, *args, **options)  # type: ignore[arg-type]
            self._networks.__class__ = LabelsOfTheRecords
            self._networks.purpose, self._networks.labels = of, private.y  # type: ignore[attr-defined]

    return Broken


class NoiseOnOneBranch(DPCGANTraining):
    """The gradient on records is added a second time, as it is."""

    def __init__(self, config: DPCGANConfig, private: RecordSet, *args: object, **options: object) -> None:
        super().__init__(config, private, *args, **options)  # type: ignore[arg-type]
        networks, improve = self._networks, self._networks.improve_discriminator

        def improve_with_more(released: Tensors, step: int) -> float:
            raw = unit_gradients(networks.losses_of_records, networks.parameters(), (private.x[None], private.y[None]))  # type: ignore[index]
            return improve({name: part + raw[name][0].detach() for name, part in released.items()}, step)

        networks.improve_discriminator = improve_with_more  # type: ignore[method-assign]


@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_of_the_records_reaches_a_network_but_through_the_door(name: str) -> None:
    """Exact: two data sets, one transcript, the same networks bit for bit."""
    assert not data_passes_the_door(DPCGANTraining, SETTINGS[name])


@pytest.mark.parametrize("purpose", ["synthetic", "generator"])
def test_labels_of_records_on_synthetic_samples_are_caught(purpose: str) -> None:
    assert data_passes_the_door(with_labels(purpose))


def test_a_branch_of_the_discriminators_gradient_without_noise_is_caught() -> None:
    assert data_passes_the_door(NoiseOnOneBranch)


# ---- settings --------------------------------------------------------------------------------------------------------


def test_settings_are_calibrated_to_a_budget_by_their_own_plan() -> None:
    budget = PrivacyBudget(epsilon=3.0, delta=1e-3)
    config = DP_CGAN.calibrate(replace(BASE, noise_multiplier=None), PublicSlots(RECORDS), budget)
    assert 2.9 < plan(config, PublicSlots(RECORDS)).budget_at(1e-3).epsilon <= 3.0
    assert replace(config, noise_multiplier=None) == replace(BASE, noise_multiplier=None)


def test_a_batch_of_more_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="expected_batch_size"):
        plan(BASE, PublicSlots(7))


@pytest.mark.parametrize(
    "name",
    ["expected_batch_size", "synthetic_batch_size", "generator_batch_size", "discriminator_steps", "chunk_size"],
)
def test_a_count_below_one_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(InputError, match=name):
        replace(BASE, **{name: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"moving_average": 1.1}, {"final_learning_rate": -0.1}, {"seed": -1}])
def test_a_number_out_of_range_is_refused_by_its_name(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        replace(BASE, **change)  # type: ignore[arg-type]


def test_the_published_learning_rate_falls_in_a_line_and_stays() -> None:
    descent = GradientDescent()
    assert [descent.rate(step) for step in (0, 10_000, 150_000)] == [0.1, 0.052, 0.052]
    assert descent.rate(2_500) == pytest.approx(0.088)
    for change in ({"learning_rate": 0.0}, {"final_learning_rate": -1.0}, {"num_decay_steps": 0}):
        with pytest.raises(InputError):
            replace(descent, **change)
