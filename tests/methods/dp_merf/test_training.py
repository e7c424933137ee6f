"""DP-MERF: one release, its price and its door; what follows is post-processing; planted breaks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from scipy import stats
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.one_shot.contributions import Slots
from gossamer.methods.dp_merf import DP_MERF
from gossamer.methods.dp_merf import training as dp_merf
from gossamer.methods.dp_merf.settings import DPMERFConfig, plan
from gossamer.methods.dp_merf.training import DPMERFTraining, RandomFeatures
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import MERFGeneratorConfig
from gossamer.privacy import PrivacyBudget, epsilon_by_rdp
from gossamer.privacy.slots import PublicSlots

RECORDS = 60
CONFIG = DPMERFConfig(
    records=RecordsExpected(shape=(1, 8, 8), num_classes=3),
    num_features=40,
    squared_bandwidth=8.0,
    noise_multiplier=0.5,
    generator=MERFGeneratorConfig(hidden_size=12, width=4),
    num_fit_steps=30,
    samples_per_class=4,
)

UNLABELLED = RecordsExpected(shape=(1, 8, 8), num_classes=0)


def images(seed: int = 0, num_records: int = RECORDS) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    return RecordSet(
        name="fixture",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(num_records, 1, 8, 8, generator=rng),
        y=torch.randint(0, 3, (num_records,), generator=rng),
    )


def neighbour(private: RecordSet, slot: int = 17) -> RecordSet:
    x, y = private.x.clone(), private.y.clone()  # type: ignore[union-attr]
    x[slot], y[slot] = 1 - x[slot], (y[slot] + 1) % 3
    return replace(private, x=x, y=y)


def training(private: RecordSet | None = None, noise: AbstractNoise | None = None, **options: object) -> DPMERFTraining:
    chosen = noise or DeterministicNoise(0)
    context = RunContext(**{"delta": 1e-3, "slots": PublicSlots(RECORDS), **options})  # type: ignore[arg-type]
    return DPMERFTraining(CONFIG, private or images(), chosen, context)


def finished(run: DPMERFTraining) -> DPMERFTraining:
    for _ in run:
        pass
    return run


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ---- the price ------------------------------------------------------------------------------------------------------


def test_the_statement_is_the_analytic_gaussian_mechanisms_and_above_no_other_accountants() -> None:
    claim = finished(training()).trained().statement
    mu, epsilon = 1 / 0.5, claim.epsilon
    delta = stats.norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)
    assert delta == pytest.approx(1e-3, rel=1e-6)
    assert claim.epsilon_rdp == epsilon_by_rdp(plan(CONFIG, PublicSlots(RECORDS)).event, 1e-3).epsilon
    assert claim.epsilon_rdp is not None
    assert claim.epsilon_rdp >= epsilon
    assert not claim.is_secure
    assert training(noise=KeyedNoise())._statement.is_secure


@pytest.mark.parametrize(("epsilon", "multiplier"), [(1.0, 3.73), (10.0, 0.50)])
def test_settings_are_calibrated_as_the_contract_says(epsilon: float, multiplier: float) -> None:
    found = DP_MERF.calibrate(
        DPMERFConfig(), PublicSlots(60_000), PrivacyBudget(epsilon=epsilon, delta=1e-5)
    ).noise_multiplier
    assert found == pytest.approx(multiplier, rel=0.005)


def test_the_class_counts_cost_nothing_beside_the_features_and_are_in_the_price() -> None:
    with_counts = plan(CONFIG, PublicSlots(RECORDS)).releases[0].contribution
    assert with_counts.sensitivity == 2.0
    assert replace(with_counts, count_weight=0.0).sensitivity == 2.0  # type: ignore[arg-type]
    assert replace(with_counts, count_weight=1.1).sensitivity > 2.0  # type: ignore[arg-type]


def test_features_have_norm_one_whatever_the_image() -> None:
    features = RandomFeatures.drawn(CONFIG, images().spec)
    for scale in (0.0, 1.0, 1e3):
        norms = features(scale * images().x).norm(dim=1)
        assert torch.allclose(norms, torch.ones_like(norms), atol=1e-5)


def test_frequencies_have_the_variance_of_their_bandwidth() -> None:
    """A fixed seed: the same at every run."""
    config = replace(CONFIG, num_features=4000)
    frequencies = RandomFeatures.drawn(config, images().spec).frequencies
    assert float(frequencies.square().mean() * 8.0) == pytest.approx(1.0, abs=0.02)


def released(private: RecordSet, seed: int = 0) -> Tensor:
    run = training(private, DeterministicNoise(seed))
    next(iter(run))
    return run.state_dict()["released"]


def test_replacing_one_record_moves_the_release_by_two_at_most() -> None:
    base = released(images())
    moves = [float((released(neighbour(images(), slot)) - base).norm()) for slot in range(0, RECORDS, 5)]
    assert max(moves) <= 2.0 + 1e-5
    assert min(moves) == pytest.approx(2.0, abs=2 * 2**-10)  # to another class: 2, but for what is left to rounding


# ---- what leaves ----------------------------------------------------------------------------------------------------


def test_after_the_release_no_record_is_read() -> None:
    """Records are replaced by others as soon as the release is made; nothing moves."""
    plain = finished(training()).trained().weights
    run = training()
    steps = iter(run)
    next(steps)
    run._records = images(seed=9)
    for _ in steps:
        pass
    assert equal(run.trained().weights, plain)


def noise_alone(total: Tensor, noise_std: float, normals: Tensor, step: object) -> Tensor:
    """What is released where the sum is left out: the same for any two data sets, to the last bit."""
    return noise_std * normals


def leaves_equal_from_any_data(kind: type[DPMERFTraining]) -> bool:
    """Whether what leaves is the same for two data sets when what is released is: nothing goes past the door."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gossamer.mechanisms.one_shot.door.noisy_sum", noise_alone)
        around = RunContext(delta=1e-3)
        runs = [finished(kind(CONFIG, images(seed), DeterministicNoise(0), around)) for seed in (0, 1)]
    assert torch.equal(runs[0].state_dict()["released"], runs[1].state_dict()["released"])
    return equal(runs[0].trained().weights, runs[1].trained().weights)


class NormalisesByTrueCounts(DPMERFTraining):
    """The break: the class histogram for free."""

    def _target(self, released: Tensor) -> Tensor:
        assert self._records.y is not None
        target = super()._target(released)
        return target / target.norm() * torch.bincount(self._records.y, minlength=3)[:, None]


class FitsItsBandwidth(DPMERFTraining):
    """The break: features scaled by the spread of the data."""

    def _target(self, released: Tensor) -> Tensor:
        spread = float(self._records.x.std())
        self._fit._features = RandomFeatures(frequencies=self._fit._features.frequencies / spread)
        return super()._target(released)


def test_nothing_private_passes_the_door_and_a_free_histogram_or_bandwidth_is_caught() -> None:
    assert leaves_equal_from_any_data(DPMERFTraining)
    assert not leaves_equal_from_any_data(NormalisesByTrueCounts)
    assert not leaves_equal_from_any_data(FitsItsBandwidth)


def test_equal_streams_give_equal_generators_and_other_noise_another() -> None:
    first, second = (finished(training()).trained().weights for _ in range(2))
    assert equal(first, second)
    assert not equal(first, finished(training(noise=DeterministicNoise(1))).trained().weights)


def test_it_is_charged_once_before_records_are_read_and_a_lost_release_is_not_made_again() -> None:
    events: list[str] = []

    class Watched(DPMERFTraining):
        def _slots(self) -> Iterator[Slots]:
            events.append("read")
            yield from super()._slots()

    context = RunContext(delta=1e-3, charge=lambda step: events.append(f"pay {step}"))
    run = Watched(CONFIG, images(), DeterministicNoise(0), context)
    assert (run.step, run.end_step, run.num_paid_steps) == (0, 1, 0)
    finished(run)
    assert events == ["pay 0", "read"]
    assert (run.step, run.num_paid_steps) == (1, 1)
    lost = training(lost_steps=(0,))
    assert list(lost) == []
    assert lost.num_paid_steps == 1
    with pytest.raises(PrivacyError, match="start another run"):
        lost.trained()


def test_reports_say_how_far_it_is() -> None:
    run = training()
    progress, steps, is_over = [], [], []
    for report in run:
        seen = run.progress(report)
        progress.append((seen.part, seen.num_done, seen.num_all))
        steps.append(report.step)
        is_over.append(run.is_over)
    assert progress == [("release", 1, 1), ("generator", 25, 30), ("generator", 30, 30)]
    assert steps == [0, 1, 1]
    assert is_over == [False, False, True]


def test_it_learns_what_classes_look_like() -> None:
    """Three classes, each bright in a part of its own, little noise: samples are brightest where their class is."""
    private = images(num_records=600)
    y = torch.arange(600) % 3
    x = 0.1 * private.x
    for label in range(3):
        x[y == label, :, 2 * label : 2 * label + 2] += 0.8
    config = replace(CONFIG, num_features=400, noise_multiplier=0.2, num_fit_steps=250)
    run = finished(DPMERFTraining(config, replace(private, x=x, y=y), DeterministicNoise(0), RunContext(delta=1e-4)))  # type: ignore[arg-type]
    samples, labels = run.trained().sample(300)
    assert labels is not None
    bands = torch.stack([samples[:, 0, 2 * k : 2 * k + 2].mean(dim=(1, 2)) for k in range(3)], dim=1)
    assert float((bands.argmax(dim=1) == labels).float().mean()) > 0.9


def test_images_without_labels_are_one_class() -> None:
    private = replace(images(), y=None, spec=replace(images().spec, class_names=()))
    run = finished(
        DPMERFTraining(replace(CONFIG, records=UNLABELLED), private, DeterministicNoise(0), RunContext(delta=1e-3))
    )
    samples, labels = run.trained().sample(5)
    assert samples.shape == (5, 1, 8, 8)
    assert labels is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_features", 3),
        ("num_features", 0),
        ("squared_bandwidth", 0.0),
        ("num_fit_steps", 0),
        ("samples_per_class", 1),
        ("moving_average", 1.5),
        ("seed", -1),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(CONFIG, **{name: value})  # type: ignore[arg-type]


def test_data_of_another_number_of_classes_and_half_precision_are_refused() -> None:
    with pytest.raises(InputError, match="num_classes"):
        DPMERFTraining(
            replace(CONFIG, records=replace(CONFIG.records, num_classes=4)),
            images(),
            DeterministicNoise(0),
            RunContext(delta=1e-3),
        )
    with pytest.raises(InputError, match="float32"):
        training(precision=torch.bfloat16)


def test_the_module_names_its_parts() -> None:
    assert dp_merf.plan(CONFIG, PublicSlots(60)).num_steps == 1
