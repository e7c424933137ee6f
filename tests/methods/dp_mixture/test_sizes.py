"""Sizes that follow from the noise: public facts alone, more with the budget, and numbers of the user's stand."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.dp_mixture.settings import DPMixtureConfig, plan, sized
from gossamer.methods.dp_mixture.sizes import (
    COARSE_RADIUS,
    FINE_RADIUS,
    MOST_COMPONENTS,
    NUM_ROUNDS,
    borne_components,
    borne_radius,
)
from gossamer.methods.dp_mixture.training import DPMixtureTraining
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.config_io import from_json_tree, to_json_tree

OPEN = DPMixtureConfig(
    generator=MixtureGeneratorConfig(num_directions=40, num_components=None), num_rounds=None, centre_noise=0.066
)
MANY = PublicSlots(60_000)


NOISE = {0.1: 33.0, 0.5: 7.1, 1.0: 3.73, 3.0: 1.39, 10.0: 0.5, 30.0: 0.21}
"""Noise multipliers of some epsilons at delta 1e-5."""


def settled(config: DPMixtureConfig, epsilon: float, slots: PublicSlots = MANY) -> DPMixtureConfig:
    return sized(replace(config, noise_multiplier=NOISE[epsilon]), slots)


def test_the_number_rises_with_the_budget_and_is_one_at_a_small_one() -> None:
    found = [settled(OPEN, epsilon).generator.components for epsilon in (0.1, 1.0, 3.0, 10.0, 30.0)]
    assert found == sorted(found)
    assert found[:2] == [1, 1]
    assert 10 <= found[3] <= 40


@pytest.mark.parametrize(
    ("facts", "more"),
    [
        ({"round_multiplier": 4.0}, {"round_multiplier": 2.0}),
        ({"num_records": 20_000}, {"num_records": 90_000}),
        ({"num_classes": 30}, {"num_classes": 3}),
        ({"dim": 100}, {"dim": 10}),
        ({"centre_noise": 0.03}, {"centre_noise": 0.3}),
    ],
)
def test_it_rises_with_records_and_room_and_falls_with_noise(facts: dict[str, float], more: dict[str, float]) -> None:
    usual = {"num_records": 60_000, "num_classes": 10, "dim": 40, "round_multiplier": 2.0, "centre_noise": 0.066}
    assert borne_components(**usual | facts) < borne_components(**usual | more)  # type: ignore[arg-type]


@pytest.mark.parametrize("num_records", [1, 2, 10**9])
@pytest.mark.parametrize("round_multiplier", [1e-9, 1.0, 1e9])
def test_at_the_edges_it_is_one_or_within_its_bounds(num_records: int, round_multiplier: float) -> None:
    found = borne_components(
        num_records=num_records, num_classes=1, dim=1, round_multiplier=round_multiplier, centre_noise=0.1
    )
    assert found == 1 or 8 <= found <= MOST_COMPONENTS


def test_no_input_of_the_rule_is_private() -> None:
    """Whoever hands it records must change this test."""
    assert set(inspect.signature(borne_components).parameters) == {
        "num_records", "num_classes", "dim", "round_multiplier", "centre_noise"
    }  # fmt: skip
    assert set(inspect.signature(sized).parameters) == {"config", "slots"}


def test_the_radius_of_frequencies_rises_with_the_records_and_falls_with_the_noise_within_two_numbers() -> None:
    gray = [
        borne_radius(num_records=4_000, num_channels=1, subspace_multiplier=one) for one in (1e9, 8.7, 3.3, 1.2, 1e-9)
    ]
    assert gray == [COARSE_RADIUS, COARSE_RADIUS, COARSE_RADIUS, FINE_RADIUS, FINE_RADIUS]
    assert borne_radius(num_records=12_000, num_channels=1, subspace_multiplier=3.3) == FINE_RADIUS
    assert borne_radius(num_records=4_000, num_channels=3, subspace_multiplier=1.2) == COARSE_RADIUS
    assert set(inspect.signature(borne_radius).parameters) == {"num_records", "num_channels", "subspace_multiplier"}


@pytest.mark.parametrize(("epsilon", "expected"), [(1.0, COARSE_RADIUS), (10.0, FINE_RADIUS)])
def test_own_images_take_the_radius_that_their_noise_bears(epsilon: float, expected: float) -> None:
    spec = ImageSpec(channels=1, height=32, width=32, class_names=("a", "b"))
    config = DP_MIXTURE.settings_for(spec, 4_000)
    found = DP_MIXTURE.calibrate(config, PublicSlots(4_000), PrivacyBudget(epsilon=epsilon, delta=1e-5))
    assert found.generator.radius == expected
    assert sized(found, PublicSlots(4_000)) == found


def test_a_small_image_has_no_radius_beyond_its_side_and_a_number_of_the_user_stands() -> None:
    small = replace(OPEN, records=RecordsExpected(shape=(1, 12, 8)), generator=replace(OPEN.generator, radius=None))
    assert settled(small, 10.0).generator.radius == 12
    assert settled(OPEN, 30.0).generator.radius == OPEN.generator.radius == 13


def test_several_components_get_rounds_and_one_gets_none() -> None:
    assert settled(OPEN, 10.0).num_rounds == NUM_ROUNDS
    alone = settled(OPEN, 1.0)
    assert (alone.num_rounds, alone.generator.num_components) == (0, 1)
    assert [release.name for release in plan(alone, MANY).releases] == ["class means", "subspace", "covariances"]


@pytest.mark.parametrize(
    ("components", "rounds", "expected"),
    [(7, None, (7, NUM_ROUNDS)), (1, None, (1, 0)), (None, 0, (1, 0)), (6, 2, (6, 2))],
)
def test_numbers_of_the_user_stand(components: int | None, rounds: int | None, expected: tuple[int, int]) -> None:
    given = replace(OPEN, generator=replace(OPEN.generator, num_components=components), num_rounds=rounds)
    for epsilon in (0.5, 10.0):
        found = settled(given, epsilon)
        assert (found.generator.num_components, found.num_rounds) == expected


def test_rounds_of_the_user_get_two_components_at_least() -> None:
    found = settled(replace(OPEN, num_rounds=3), 0.5)
    assert (found.generator.num_components, found.num_rounds) == (2, 3)


def test_settled_sizes_are_plain_numbers_that_are_priced_within_the_budget_and_go_to_disk_and_back() -> None:
    found = DP_MIXTURE.calibrate(OPEN, MANY, PrivacyBudget(epsilon=10.0, delta=1e-5))
    assert plan(found, MANY).budget_at(1e-5).epsilon <= 10.0
    assert sized(found, MANY) == found
    assert from_json_tree(DPMixtureConfig, to_json_tree(found), "settings") == found


def test_a_training_whose_noise_was_given_settles_them_too() -> None:
    spec = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b"))
    x, y = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 2
    config = DPMixtureConfig(
        records=RecordsExpected(shape=(1, 8, 8), num_classes=2),
        generator=MixtureGeneratorConfig(num_directions=3, num_components=None, radius=4),
        num_rounds=None,
        noise_multiplier=0.5,
        centre_noise=5.0,
    )
    context = RunContext(delta=1e-4, slots=PublicSlots(50))
    run = DPMixtureTraining(config, RecordSet(name="fixture", spec=spec, x=x, y=y), DeterministicNoise(0), context)
    assert run.config == sized(config, PublicSlots(50))
    assert run.config.generator.components > 1
    assert f"{run.config.generator.components} Gaussians" in run.sizes
    for _ in run:
        pass
    assert run.trained().recipe.network == run.config.generator
    assert run.sizes in str(run.trained().statement)


def test_sizes_that_nobody_settled_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="num_components is not chosen yet"):
        OPEN.generator.build((1, 28, 28), 10, 41, torch.Generator())
    with pytest.raises(InputError, match="radius is not chosen yet"):
        replace(OPEN.generator, radius=None).num_features((1, 28, 28))
    with pytest.raises(InputError, match="num_rounds is not chosen yet"):
        _ = OPEN.rounds
