"""Labelled mixture: sums and then a teacher, in one budget; what leaves; inputs of single records; planted breaks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny.labelled_mixture import IMAGES
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms import plan as priced_plan
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.dp_mixture.training import DPMixtureReport
from gossamer.methods.labelled_mixture import LABELLED_MIXTURE
from gossamer.methods.labelled_mixture.settings import LabelledMixtureConfig, plan
from gossamer.methods.labelled_mixture.training import LabelledMixtureTraining, TeacherReport
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.training import RunContext
from gossamer.nn.classifying import AbstractClassifyingGenerator
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.nn.labelled import LabelledGenerator
from gossamer.privacy import Adjacency, Unit
from gossamer.privacy.slots import CountSource, PublicSlots

RECORDS = 90


@pytest.fixture(autouse=True, scope="module")
def priced_once() -> Iterator[None]:
    """Every training computes its price; here the same plans come again and again."""
    prices: dict[Any, Any] = {}

    def once(name: str) -> Any:
        compute = getattr(priced_plan, name)

        def price(event: Any, *rest: Any) -> Any:
            key = name, repr(event), rest
            return prices[key] if key in prices else prices.setdefault(key, compute(event, *rest))

        return price

    with pytest.MonkeyPatch.context() as patch:
        for name in ("epsilon_by_pld", "epsilon_by_rdp", "mu_of"):
            patch.setattr(priced_plan, name, once(name))
        yield


SPEC = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c"))


def images(seed: int = 0, num_records: int = RECORDS) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(num_records, 1, 8, 8, generator=rng)
    return RecordSet(name="fixture", spec=SPEC, x=x, y=torch.randint(0, 3, (num_records,), generator=rng))


def training(
    private: RecordSet | None = None,
    config: LabelledMixtureConfig = IMAGES,
    kind: type[LabelledMixtureTraining] = LabelledMixtureTraining,
    **options: Any,
) -> LabelledMixtureTraining:
    given = {"delta": 1e-4, "slots": PublicSlots(RECORDS + 10), **options}
    return kind(config, private or images(), DeterministicNoise(0), RunContext(**given))


def finished(run: LabelledMixtureTraining) -> LabelledMixtureTraining:
    for _ in run:
        pass
    return run


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ---- plan and loop --------------------------------------------------------------------------------------------------


def test_sums_come_first_and_then_the_teacher_each_with_progress_of_its_own() -> None:
    run = training()
    reports = list(run)
    assert [type(report) for report in reports] == [DPMixtureReport] * 3 + [TeacherReport] * 2
    assert [report.step for report in reports] == list(range(5))
    told = [run.progress(report) for report in reports]
    assert [(one.part, one.num_done, one.num_all) for one in told] == [
        ("releases", 1, 3), ("releases", 2, 3), ("releases", 3, 3), ("teacher", 1, 2), ("teacher", 2, 2),
    ]  # fmt: skip


def test_the_statement_names_mixture_and_teacher_and_how_each_learns() -> None:
    says = training().statement.to_markdown()
    assert "the mixture, which draws samples, by Gaussian noise on 3 sums" in says
    assert "the teacher, which names their classes, by Gaussian noise on the sum of the clipped gradients" in says


def test_the_sums_have_less_noise_than_those_of_a_mixture_with_the_same_multiplier() -> None:
    """The weaker promise: the radius of a slot's contribution in place of the diameter of all."""
    priced = plan(IMAGES, PublicSlots(RECORDS))
    assert priced.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    own = IMAGES.own_mixture
    assert own.noise_multiplier == pytest.approx(0.9 * math.sqrt(2))
    for step, release in enumerate(priced.of_sums.releases):
        multiplier = priced.of_sums.release_multiplier(step)
        assert priced.of_sums.release_noise_std(step) == pytest.approx(release.contribution.norm_bound * multiplier)
    counted = plan(IMAGES, PublicSlots(RECORDS, source=CountSource.READ))
    assert counted.adjacency is Adjacency.REPLACE_ONE


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("teacher_share", 1.0, "share"),
        ("teacher_steps", 0, "teacher_steps"),
        ("sample_rate", 0.0, "sample_rate"),
        ("moving_average", 1.5, "moving_average"),
        ("seed", -1, "seed"),
        ("mixture", replace(IMAGES.mixture, noise_multiplier=1.0), "those of the whole"),
        ("mixture", replace(IMAGES.mixture, seed=3), "those of the whole"),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(IMAGES, **{name: value})


def test_records_without_two_classes_are_refused_with_the_way_out() -> None:
    for classes in ((), ("a",)):
        spec = replace(SPEC, class_names=classes)
        with pytest.raises(InputError, match="dp-mixture"):
            LABELLED_MIXTURE.settings_for(spec, RECORDS)
        mixture = replace(IMAGES.mixture, records=RecordsExpected.of(spec))
        y = torch.zeros(RECORDS, dtype=torch.int64) if classes else None
        private = RecordSet(name="f", spec=spec, x=images().x, y=y)
        with pytest.raises(InputError, match="dp-mixture"):
            training(private, replace(IMAGES, mixture=mixture))


def test_a_lost_sum_leaves_a_mixture_without_a_teacher_and_a_lost_sample_one_update_fewer() -> None:
    lost_sum = training(lost_steps=(0,))
    assert all(isinstance(report, DPMixtureReport) for report in lost_sum)
    weights = lost_sum.trained().weights
    assert not weights["teacher.layers.2.weight"].any()
    whole = finished(training())
    begun = training()
    for _, _report in zip(range(3), begun, strict=False):
        pass
    resumed = finished(training(state=begun.state_dict(), lost_steps=(3,)))
    assert (resumed.step, resumed.num_paid_steps) == (4, 5)
    assert resumed.statement.epsilon == whole.statement.epsilon


# ---- inputs of single records ---------------------------------------------------------------------------------------


def inputs_of(private: RecordSet, state: dict[str, Any], kind: type[LabelledMixtureTraining]) -> tuple[Tensor, ...]:
    return training(private, kind=kind, state=state)._inputs()


def state_after_sums(kind: type[LabelledMixtureTraining] = LabelledMixtureTraining) -> dict[str, Any]:
    run = training(kind=kind)
    for _, _report in zip(range(3), run, strict=False):
        pass
    return run.state_dict()


def others_that_move(kind: type[LabelledMixtureTraining] = LabelledMixtureTraining) -> int:
    """Records with inputs that are not the same bits when another record leaves, given the same releases."""
    private, state = images(), state_after_sums()
    whole = inputs_of(private, state, kind)
    moved = 0
    for left in (0, 41, 89):
        kept = torch.arange(RECORDS) != left
        rest = inputs_of(replace(private, x=private.x[kept], y=private.y[kept]), state, kind)  # type: ignore[index]
        rows = zip(whole, rest, strict=True)
        moved += sum(int((one[kept] != other).any(dim=1).sum()) for one, other in rows)
    return moved


def test_the_inputs_of_a_record_are_the_same_to_the_last_bit_whatever_stands_beside_it() -> None:
    assert others_that_move() == 0


class UnreleasedSubspace(LabelledMixtureTraining):
    """The break: coordinates of the records' own principal directions, which no release defines."""

    def _labelled(self) -> LabelledGenerator:
        network = super()._labelled()
        directions = torch.linalg.svd(self._described[0], full_matrices=False).Vh[: len(network.mixture.directions)]
        network.mixture.directions.copy_(directions)
        return network


class TrueStandardForm(LabelledMixtureTraining):
    """The break: inputs in the standard form of the records themselves."""

    def _inputs(self) -> tuple[Tensor, ...]:
        place, *others = super()._inputs()
        return ((place - place.mean(dim=0)) / place.std(dim=0), *others)


@pytest.mark.parametrize("broken", [UnreleasedSubspace, TrueStandardForm])
def test_coordinates_of_an_unreleased_subspace_are_caught(broken: type[LabelledMixtureTraining]) -> None:
    assert others_that_move(broken) > 100


def test_people_have_inputs_of_their_own_too() -> None:
    people = torch.arange(RECORDS) % 30
    private = replace(images(), people=people, num_people=30)
    slots = PublicSlots(40, Unit.PERSON)
    run = training(private, slots=slots)
    assert finished(run).trained().statement.unit is Unit.PERSON
    state = run.state_dict()
    whole = training(private, slots=slots, state=state)._inputs()
    kept = people != 7
    rest = replace(private, x=private.x[kept], y=private.y[kept], people=people[kept])  # type: ignore[index]
    found = training(rest, slots=slots, state=state)._inputs()
    assert all(torch.equal(one[kept], other) for one, other in zip(whole, found, strict=True))


# ---- what leaves ----------------------------------------------------------------------------------------------------


def noise_alone(total: Tensor, noise_std: float, normals: Tensor, step: object) -> Tensor:
    """What is released where the sum is left out: the same for any two data sets, and counts above zero."""
    return 100 * noise_std * (1.5 + normals.abs())


def leaves_equal_from_any_data(kind: type[LabelledMixtureTraining]) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        for door in ("one_shot", "poisson"):
            patch.setattr(f"gossamer.mechanisms.{door}.door.noisy_sum", noise_alone)
        runs = [finished(training(images(seed), kind=kind)) for seed in (0, 1)]
    return equal(runs[0].trained().weights, runs[1].trained().weights)


class TeacherSeesRecords(LabelledMixtureTraining):
    """The break: an update by the records' own gradient, past the door."""

    def _teach(self) -> TeacherReport:
        report = super()._teach()
        place, base, one_hot = self._inputs()
        loss = self.losses_of_records(self._parameters(), place, base, one_hot).mean()
        gradients = torch.autograd.grad(loss, list(self._network.teacher.parameters()))
        for name, gradient in zip(self._average, gradients, strict=True):
            self._average[name] -= gradient
        return report


def test_nothing_private_passes_the_doors_and_what_does_is_caught() -> None:
    assert leaves_equal_from_any_data(LabelledMixtureTraining)
    assert not leaves_equal_from_any_data(TeacherSeesRecords)


def test_the_generator_is_a_mixture_with_its_teacher_and_classifies() -> None:
    trained = finished(training()).trained()
    names = {name.partition(".")[0] for name in trained.weights}
    assert names == {"mixture", "teacher", "class_shares"}
    assert all(tensor.dtype is torch.float32 for tensor in trained.weights.values())
    network = trained.network()
    assert isinstance(network, AbstractClassifyingGenerator)
    shares = torch.tensor(trained.recipe.class_shares, dtype=torch.float64)
    found = network.log_likelihoods(images().x, shares)
    assert found.shape == (RECORDS, 3)
    assert found.isfinite().all()


# ---- what it learns -------------------------------------------------------------------------------------------------


def rings(num_records: int) -> RecordSet:
    """Two classes that no Gaussian of each tells apart: the second lies about the first on all sides."""
    rng = torch.Generator().manual_seed(5)
    y = torch.arange(num_records) % 2
    angle = 2 * math.pi * torch.rand(num_records, generator=rng)
    radius = torch.where(y == 0, 0.12, 0.3) + 0.01 * torch.randn(num_records, generator=rng)
    x = 0.5 + 0.02 * torch.randn(num_records, 1, 8, 8, generator=rng)
    x[:, :, :4] += (radius * angle.cos())[:, None, None, None]
    x[:, :, :, :4] += (radius * angle.sin())[:, None, None, None]
    spec = replace(SPEC, class_names=("in", "out"))
    return RecordSet(name="rings", spec=spec, x=x.clamp(0, 1), y=y)


def test_with_little_noise_the_teacher_mends_the_gaussians_and_names_samples_as_it_classifies() -> None:
    private = rings(2000)
    mixture = DPMixtureConfig(
        records=RecordsExpected.of(private.spec), mean_radius=0.6, covariance_radius=0.6, subspace_radius=0.6,
        generator=MixtureGeneratorConfig(num_directions=4, radius=4, brightness=0.5),
    )  # fmt: skip
    config = LabelledMixtureConfig(mixture=mixture, teacher_steps=60, sample_rate=0.1, noise_multiplier=0.15)
    config = replace(config, adam=replace(config.adam, learning_rate=2e-2))
    run = training(private, config, slots=PublicSlots(2000), delta=1e-4)
    accuracies = []
    for report in run:
        if report.step in (2, 62):
            network = run.trained().network()
            assert isinstance(network, LabelledGenerator)
            named = network.log_likelihoods(private.x, network.class_shares.double()).argmax(dim=1)
            accuracies.append(float((named == private.y).float().mean()))
    assert accuracies[1] > 0.97
    assert accuracies[1] >= accuracies[0]
    trained = run.trained()
    _, labels = trained.sample(200)
    assert labels is not None
    assert labels.tolist() == [0, 1] * 100
    soft = trained.probabilities(200)
    assert torch.equal(soft.argmax(dim=1), labels)
