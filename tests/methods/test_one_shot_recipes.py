"""Recipes of DP-MERF and DP-mixture: each fits its data, prices itself, and goes to disk and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from gossamer.data.catalogue import NAMED_DATA, load_records
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.dp_merf import DP_MERF
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.labelled_mixture import LABELLED_MIXTURE
from gossamer.methods.method import Method
from gossamer.methods.trained import GeneratorRecipe
from gossamer.methods.training import RunContext
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.config_io import from_json_tree, to_json_tree

both = pytest.mark.parametrize("method", [DP_MERF, DP_MIXTURE], ids=lambda method: method.name)
SPECS = [
    ImageSpec(channels=3, height=20, width=31, class_names=("a", "b")),
    ImageSpec(channels=1, height=4, width=4),
    ImageSpec(channels=1, height=64, width=64, class_names=tuple("abcdefghijklmno")),
]


@both
def test_there_is_a_recipe_for_every_published_set_that_spends_its_budget(method: Method[Any]) -> None:
    for data in NAMED_DATA:
        config = method.find(data.name).config
        budget = PrivacyBudget(epsilon=1.0, delta=1e-5)
        calibrated = method.calibrate(config, PublicSlots(data.num_train), budget)
        assert calibrated.noise_multiplier == pytest.approx(3.73, rel=0.005)
        assert 0.99 < method.plan(calibrated, PublicSlots(data.num_train)).budget_at(1e-5).epsilon <= 1.0
    with pytest.raises(InputError, match="no such"):
        method.find("no such")


@both
def test_settings_go_to_disk_and_back(method: Method[Any]) -> None:
    for recipe in method.recipes:
        assert from_json_tree(method.config, to_json_tree(recipe.config), "file") == recipe.config


@both
def test_digits_are_learnt_in_seconds_and_the_generators_recipe_goes_to_disk_and_back(method: Method[Any]) -> None:
    """Deterministic noise at epsilon 10: the same at every run. Mean images of classes are told apart."""
    data = load_records("digits")
    config = method.calibrate(
        method.find("digits").config, PublicSlots(data.train.num_records), PrivacyBudget(epsilon=10.0, delta=1e-5)
    )
    run = method.start(config, data.train, DeterministicNoise(0), RunContext(delta=1e-5))
    for _ in run:
        pass
    trained = run.trained()
    assert trained.statement.epsilon <= 10
    assert from_json_tree(GeneratorRecipe, to_json_tree(trained.recipe), "file") == trained.recipe
    samples, labels = trained.sample(2000)
    assert labels is not None
    assert data.test is not None
    means = torch.stack([samples[labels == k].mean(dim=0) for k in range(10)]).flatten(start_dim=1)
    nearest = torch.cdist(data.test.x.flatten(start_dim=1), means).argmin(dim=1)
    assert float((nearest == data.test.y).float().mean()) > 0.8


@both
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.shape))
def test_own_images_of_any_shape_are_drawn(method: Method[Any], spec: ImageSpec) -> None:
    config = method.settings_for(spec, 50)
    if method is DP_MERF:
        config = replace(config, num_fit_steps=2, num_features=20)
    rng = torch.Generator().manual_seed(0)
    private = RecordSet(
        name="own",
        spec=spec,
        x=torch.rand(50, *spec.shape, generator=rng),
        y=torch.randint(0, spec.num_classes, (50,), generator=rng) if spec.num_classes else None,
    )
    config = method.calibrate(config, PublicSlots(50), PrivacyBudget(epsilon=5.0, delta=1e-3))
    run = method.start(config, private, DeterministicNoise(0), RunContext(delta=1e-3))
    for _ in run:
        pass
    assert run.is_over
    assert run.trained().sample(3)[0].shape == (3, *spec.shape)


@pytest.mark.parametrize(
    ("channels", "num_records", "expected"),
    [(1, 5, 5), (1, 1_000, 20), (1, 4_000, 40), (1, 60_000, 40), (3, 1_000, 35), (3, 4_000, 69), (3, 60_000, 69)],
)
def test_more_records_and_colours_have_more_directions(channels: int, num_records: int, expected: int) -> None:
    config = DP_MIXTURE.settings_for(ImageSpec(channels=channels, height=32, width=32), num_records)
    assert isinstance(config, DPMixtureConfig)
    assert config.generator.num_directions == expected


def test_the_recipe_before_of_clothes_keeps_its_numbers() -> None:
    """A run or figure that names `fashion-mnist-wide` is that of the recipe before, which the labelled mixture has."""
    now, wide = (DP_MIXTURE.find(name).config for name in ("fashion-mnist", "fashion-mnist-wide"))
    spread = [(one.contrast, one.scatter, one.remainder) for one in (now.generator, wide.generator)]
    assert spread == [(1.85, 1.2, 0.9), (1.25, 1.25, 1.6)]
    size = [(one.num_directions, one.radius) for one in (now.generator, wide.generator)]
    assert size == [(60, 18), (40, 13)]
    assert replace(now, generator=wide.generator) == wide
    assert DP_MIXTURE.find_for("fashion-mnist", (1, 28, 28)).name == "fashion-mnist"
    # The labelled mixture is there for classifiers, which learn most from the wide clothes.
    assert LABELLED_MIXTURE.find("fashion-mnist").config.mixture == wide
