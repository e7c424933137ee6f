"""DP-mixture: a few releases, their price and their door; nothing else leaves; planted breaks."""

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
from gossamer.mechanisms.one_shot.contributions import GroupedMoments, Slots
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.dp_mixture.fit import Mixture, _with_signs
from gossamer.methods.dp_mixture.settings import DPMixtureConfig, plan
from gossamer.methods.dp_mixture.training import DPMixtureReport, DPMixtureTraining
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.training import RunContext
from gossamer.nn.images.postures import AsItStands, Upright
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.privacy import Adjacency, PrivacyBudget, epsilon_by_rdp
from gossamer.privacy.slots import PublicSlots

RECORDS = 90
CONFIG = DPMixtureConfig(
    records=RecordsExpected(shape=(1, 8, 8), num_classes=3),
    generator=MixtureGeneratorConfig(num_directions=5, num_components=2, radius=4, posture=Upright(), remainder=0.5),
    num_rounds=2,
    noise_multiplier=0.5,
)


FORM = {"form": "with a shrunk second moment"}
"""The reading of the sums in a state."""


def images(seed: int = 0, num_records: int = RECORDS) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    return RecordSet(
        name="fixture",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(num_records, 1, 8, 8, generator=rng),
        y=torch.randint(0, 3, (num_records,), generator=rng),
    )


def neighbour(private: RecordSet, slot: int) -> RecordSet:
    x, y = private.x.clone(), private.y.clone()  # type: ignore[union-attr]
    x[slot], y[slot] = (x[slot] < 0.3).float(), (y[slot] + slot % 3) % 3
    return replace(private, x=x, y=y)


def training(
    private: RecordSet | None = None,
    noise: AbstractNoise | None = None,
    config: DPMixtureConfig = CONFIG,
    kind: type[DPMixtureTraining] = DPMixtureTraining,
    **options: object,
) -> DPMixtureTraining:
    chosen = private or images()
    context = RunContext(**{"delta": 1e-4, "slots": PublicSlots(chosen.num_records), **options})  # type: ignore[arg-type]
    return kind(config, chosen, noise or DeterministicNoise(0), context)


def finished(run: DPMixtureTraining) -> DPMixtureTraining:
    for _ in run:
        pass
    return run


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ---- the price ------------------------------------------------------------------------------------------------------


def test_the_statement_equals_the_closed_form_of_the_merged_gaussian() -> None:
    claim = finished(training()).trained().statement
    priced = plan(CONFIG, PublicSlots(RECORDS))
    merged = sum(priced.release_multiplier(step) ** -2 for step in range(priced.num_steps)) ** -0.5
    mu, epsilon = 1 / merged, claim.epsilon
    delta = stats.norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)
    assert delta == pytest.approx(1e-4, rel=1e-6)
    assert claim.epsilon_rdp == epsilon_by_rdp(priced.event, 1e-4).epsilon >= epsilon
    assert claim.adjacency is Adjacency.SLOT
    assert not claim.is_secure
    assert training(noise=KeyedNoise())._statement.is_secure


@pytest.mark.parametrize(("epsilon", "multiplier"), [(1.0, 3.73), (10.0, 0.50)])
def test_settings_are_calibrated_as_the_contract_says(epsilon: float, multiplier: float) -> None:
    found = DP_MIXTURE.calibrate(
        DPMixtureConfig(), PublicSlots(60_000), PrivacyBudget(epsilon=epsilon, delta=1e-5)
    ).noise_multiplier
    assert found == pytest.approx(multiplier, rel=0.005)


def test_the_releases_are_those_that_the_page_names_with_its_sensitivities() -> None:
    sums = [(release.name, release.contribution.sensitivity) for release in plan(CONFIG, PublicSlots(RECORDS)).releases]
    assert sums == [
        ("class means", pytest.approx(2.0)),
        ("subspace", pytest.approx(math.sqrt(2))),
        ("centres 1", pytest.approx(2.0)),
        ("centres 2", pytest.approx(2.0)),
        ("covariances", pytest.approx(math.sqrt(2))),
    ]


# ---- sensitivity by brute force -------------------------------------------------------------------------------------


def distances(kind: type[DPMixtureTraining], step: int) -> list[float]:
    """How far a released sum moves, over its stated sensitivity, when the content of one slot is replaced.

    Earlier releases are held fixed, as the composition theorem asks; the same noise cancels.
    """
    earlier = finished(training(kind=kind)).state_dict()["released"][:step]

    def released(private: RecordSet) -> Tensor:
        run = training(private, kind=kind, state=FORM | {"step": step, "released": earlier})
        next(iter(run))
        return run.state_dict()["released"][step].double()

    base, bound = released(images()), plan(CONFIG, PublicSlots(RECORDS)).releases[step].contribution.sensitivity
    return [float((released(neighbour(images(), slot)) - base).norm()) / bound for slot in range(0, RECORDS, 7)]


@pytest.mark.parametrize("step", range(5))
def test_replacing_one_record_moves_no_release_by_more_than_its_sensitivity(step: int) -> None:
    moves = distances(DPMixtureTraining, step)
    assert max(moves) <= 1 + 1e-5
    assert max(moves) > 0.2


class CentresByTrueMeans(DPMixtureTraining):
    """The break: records are taken from the true mean of their class, which moves with every record of it."""

    def _slots(self, step: int) -> Iterator[Slots]:
        features, groups = self._described
        true = torch.stack([features[groups == group].mean(dim=0) for group in range(3)]).double()
        self._known = replace(self._known, means=30 * true)
        return super()._slots(step)


def test_centring_by_true_means_is_caught() -> None:
    assert max(distances(CentresByTrueMeans, 1)) > 1.01


# ---- what leaves ----------------------------------------------------------------------------------------------------


def noise_alone(total: Tensor, noise_std: float, normals: Tensor, step: object) -> Tensor:
    """What is released where the sum is left out: the same for any two data sets, and counts above zero."""
    return 100 * noise_std * (1.5 + normals.abs())


def leaves_equal_from_any_data(kind: type[DPMixtureTraining]) -> bool:
    """Whether what leaves is the same for two data sets when what is released is: nothing goes past the door."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gossamer.mechanisms.one_shot.door.noisy_sum", noise_alone)
        runs = [finished(training(images(seed), DeterministicNoise(0), kind=kind)) for seed in (0, 1)]
    for first, second in zip(*(run.state_dict()["released"] for run in runs), strict=True):
        assert torch.equal(first, second)
    return equal(runs[0].trained().weights, runs[1].trained().weights)


class Peeking(DPMixtureTraining):
    """A training that looks at the records behind the door after every release."""

    def __iter__(self) -> Iterator[DPMixtureReport]:
        for report in super().__iter__():
            self._peek()
            yield report

    def _peek(self) -> None:
        raise NotImplementedError


class TrueHistogram(Peeking):
    """The break: the class histogram for free."""

    def _peek(self) -> None:
        counts = torch.bincount(self._described[1], minlength=3).double()
        self._known = replace(self._known, counts=counts)


class TrueSubspace(Peeking):
    """The break: principal directions of the records themselves."""

    def _peek(self) -> None:
        if self.step == 2:
            directions = torch.linalg.svd(self._described[0].double(), full_matrices=False).Vh[:5]
            self._known = replace(self._known, directions=directions.contiguous())


class NearestRecord(Peeking):
    """The break: centres are put on records."""

    def _peek(self) -> None:
        if self.step == 4:
            places = self._described[0].double() @ self._known.directions.T
            self._known = replace(self._known, centres=places[:6].view(3, 2, 5))


class TrueRemainder(Peeking):
    """The break: the spread beyond the directions is that of the records themselves."""

    def _peek(self) -> None:
        if self.step == 2:
            self._known = replace(self._known, beyond=torch.cov(self._described[0].double().T))


@pytest.mark.parametrize("broken", [TrueHistogram, TrueSubspace, NearestRecord, TrueRemainder])
def test_nothing_private_passes_the_door_and_what_does_is_caught(broken: type[DPMixtureTraining]) -> None:
    assert leaves_equal_from_any_data(DPMixtureTraining)
    assert not leaves_equal_from_any_data(broken)


def test_what_leaves_holds_no_record_and_no_training() -> None:
    trained = finished(training()).trained()
    assert set(trained.weights) == {"centres", "factors", "shares", "directions", "offset", "beyond"}
    assert set(vars(trained)) == {"recipe", "weights", "statement"}
    assert all(tensor.dtype is torch.float32 for tensor in trained.weights.values())


def test_the_state_is_what_was_released_and_nothing_else() -> None:
    state = finished(training()).state_dict()
    assert list(state) == ["form", "step", "released"]
    assert len(state["released"]) == 5


def test_a_state_whose_sums_older_code_asked_for_is_refused_in_one_line() -> None:
    state = finished(training()).state_dict()
    del state["form"]
    with pytest.raises(InputError, match=r"^this run of dp-mixture was begun by an older version [^\n]*new run$"):
        training(state=state)


def test_equal_streams_give_equal_generators_and_other_noise_another() -> None:
    first, second = (finished(training()).trained().weights for _ in range(2))
    assert equal(first, second)
    assert not equal(first, finished(training(noise=DeterministicNoise(1))).trained().weights)
    assert not equal(first, finished(training(config=replace(CONFIG, seed=1))).trained().weights)


def test_every_release_is_charged_before_it_is_made_and_lost_ones_shorten_the_run() -> None:
    events: list[str] = []

    class Watched(DPMixtureTraining):
        def _slots(self, step: int) -> Iterator[Slots]:
            events.append(f"read {step}")
            yield from super()._slots(step)

    run = training(kind=Watched, charge=lambda step: events.append(f"pay {step}"))
    reports = list(run)
    assert events == [text for step in range(5) for text in (f"pay {step}", f"read {step}")]
    assert [report.step for report in reports] == list(range(5))
    assert [(p.num_done, p.num_all) for p in map(run.progress, reports)] == [(n, 5) for n in range(1, 6)]
    state = FORM | {"step": 3, "released": run.state_dict()["released"][:3]}
    lost = training(state=state, lost_steps=(3,))
    assert (lost.step, lost.end_step, lost.num_paid_steps) == (3, 4, 4)
    assert finished(lost).trained().sample(4)[0].shape == (4, 1, 8, 8)


def test_a_generator_of_some_releases_costs_less_and_none_comes_of_fewer_than_two() -> None:
    run = training()
    with pytest.raises(InputError, match="not learnt anything"):
        run.trained_so_far()
    epsilons = []
    for report in run:
        if report.step < 1:
            with pytest.raises(PrivacyError, match="class means and subspace"):
                run.trained_so_far()
        else:
            part = run.trained_so_far()
            epsilons.append(part.statement.epsilon)
            assert part.sample(3)[0].shape == (3, 1, 8, 8)
    assert epsilons == sorted(epsilons)
    assert epsilons[0] < 0.8 * epsilons[-1]
    assert epsilons[-1] == run.trained().statement.epsilon
    assert "2 of the 5 sums" in training_after(2).statement.covered[0]


def training_after(num_releases: int):  # type: ignore[no-untyped-def]
    run = training()
    reports = iter(run)
    for _ in range(num_releases):
        next(reports)
    return run.trained_so_far()


# ---- what it learns -------------------------------------------------------------------------------------------------


def two_shapes(num_records: int) -> RecordSet:
    """Every class has two shapes, a bright band of rows here or there, and a little spread."""
    rng = torch.Generator().manual_seed(4)
    y, shape = torch.arange(num_records) % 3, torch.arange(num_records) // 3 % 2
    x = 0.05 * torch.rand(num_records, 1, 8, 8, generator=rng)
    for label in range(3):
        x[(y == label) & (shape == 0), :, label : label + 2] += 0.8
        x[(y == label) & (shape == 1), :, 4 + label % 2 : 6 + label % 2, 2 * label : 2 * label + 3] += 0.8
    return replace(images(num_records=num_records), x=x, y=y)


def test_with_little_noise_it_learns_means_and_covariances_of_the_features() -> None:
    config = replace(
        CONFIG,
        generator=replace(CONFIG.generator, num_components=1, num_directions=99, posture=AsItStands()),
        num_rounds=0,
        noise_multiplier=0.2,
        mean_radius=1.0,
        subspace_radius=1.0,
        covariance_radius=1.0,
    )
    private = two_shapes(6000)
    run = finished(training(private, config=config))
    weights = run.trained().weights
    features = config.generator.features(private.x)
    for label in range(3):
        own = features[private.y == label]
        centre = weights["offset"] + weights["centres"][label, 0] @ weights["directions"]
        assert torch.allclose(centre, own.mean(dim=0), atol=0.25)
        places = own @ weights["directions"].T
        spread = torch.cov(places.T)
        learnt = weights["factors"][label, 0] @ weights["factors"][label, 0].T
        assert float((learnt - spread).norm() / spread.norm()) < 0.05


def test_components_find_the_shapes_of_a_class() -> None:
    """With two components a sample is nearer to its shape than with one, which draws the mean of both."""
    private = two_shapes(6000)
    gap = []
    for components, rounds in ((1, 0), (2, 3)):
        generator = replace(CONFIG.generator, num_components=components, num_directions=6, posture=AsItStands())
        config = replace(CONFIG, generator=generator, num_rounds=rounds, noise_multiplier=0.2)
        weights = finished(training(private, config=config)).trained().weights
        places = (config.generator.features(private.x) - weights["offset"]) @ weights["directions"].T
        centres = weights["centres"][private.y]  # type: ignore[index]
        gap.append(float((places[:, None] - centres).norm(dim=2).min(dim=1).values.mean()))
    assert gap[1] < 0.5 * gap[0]


def test_images_without_labels_and_of_three_channels_are_drawn_too() -> None:
    spec = ImageSpec(channels=3, height=6, width=9)
    private = RecordSet(name="f", spec=spec, x=torch.rand(40, 3, 6, 9, generator=torch.Generator().manual_seed(0)))
    config = replace(CONFIG, records=RecordsExpected(shape=(3, 6, 9), num_classes=0))
    samples, labels = finished(training(private, config=config)).trained().sample(5)
    assert samples.shape == (5, 3, 6, 9)
    assert labels is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_rounds", -1),
        ("num_rounds", 0),
        ("mean_share", 0.0),
        ("covariance_radius", math.nan),
        ("centre_noise", 0.0),
        ("spread", -1.0),
        ("seed", -1),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(CONFIG, **{name: value})  # type: ignore[arg-type]


def test_data_of_another_shape_and_half_precision_are_refused() -> None:
    with pytest.raises(InputError, match="take the recipe"):
        training(config=replace(CONFIG, records=replace(CONFIG.records, num_classes=4)))
    with pytest.raises(InputError, match="take the recipe"):
        training(config=replace(CONFIG, records=replace(CONFIG.records, shape=(1, 9, 8))))
    with pytest.raises(InputError, match="float32"):
        training(precision=torch.bfloat16)


def test_the_plan_names_the_types_it_is_made_of() -> None:
    made = plan(CONFIG, PublicSlots(RECORDS))
    assert isinstance(made, OneShotPlan)
    assert all(isinstance(release.contribution, GroupedMoments) for release in made.releases)
    assert isinstance(training()._known, Mixture)


def test_a_direction_has_the_same_sign_whatever_sign_the_library_gave_it() -> None:
    rows = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    assert torch.equal(_with_signs(rows), torch.tensor([[-0.6, 0.8], [0.8, 0.6]], dtype=torch.float64))
    assert torch.equal(_with_signs(-rows), _with_signs(rows))
