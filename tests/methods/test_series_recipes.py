"""Recipes for series: for a user's own of any shape, and for beats in the layout that they name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from gossamer.data.records import RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.method import Method
from gossamer.methods.trained import GeneratorRecipe
from gossamer.methods.training import RunContext
from gossamer.runs.config_io import from_json_tree, to_json_tree

RECORDS = 90
KAGGLE = (1, 187)


def spec(channels: int, length: int, classes: int) -> SeriesSpec:
    return SeriesSpec(
        channels=channels,
        length=length,
        low=(0.0,) * channels,
        high=(1.0,) * channels,
        class_names=tuple("abcdefghij"[:classes]),
    )


SPECS = [spec(1, 187, 5), spec(2, 24, 3), spec(12, 100, 0), spec(1, 8, 2), spec(40, 9, 2), spec(1, 2, 0)]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def short(config: Any) -> Any:
    """The same settings with few steps, of what costs time alone."""
    if isinstance(config, GSWGANConfig):
        (stage,) = config.stages
        warm_start = replace(stage.warm_start, num_updates=1)
        return replace(
            config,
            num_critics=9,
            num_steps=2,
            batch_size=8,
            draws_per_step=4,
            critics_at_once=9,
            stages=(replace(stage, warm_start=warm_start),),
        )
    if isinstance(config, DPCGANConfig):
        return replace(config, num_steps=2)
    if isinstance(config, DPMERFConfig):
        return replace(config, num_fit_steps=2, num_features=20)
    return config


def drawn_from(method: Method[Any], own: SeriesSpec) -> None:
    """Train by the recipe for own series, shortened, and look at what comes out."""
    config = short(method.settings_for(own, RECORDS))
    rng = torch.Generator().manual_seed(0)
    private = RecordSet(
        name="own",
        spec=own,
        x=torch.rand(RECORDS, *own.shape, generator=rng),
        y=torch.randint(0, own.num_classes, (RECORDS,), generator=rng) if own.num_classes else None,
    )
    config = replace(config, noise_multiplier=2.0)
    run = method.start(config, private, DeterministicNoise(0), RunContext(delta=1e-3))
    for _ in run:
        pass
    trained = run.trained()
    assert trained.sample(3)[0].shape == (3, *own.shape)
    assert from_json_tree(GeneratorRecipe, to_json_tree(trained.recipe), "file") == trained.recipe


@each_method
def test_own_series_are_drawn_by_every_method(method: Method[Any]) -> None:
    drawn_from(method, SPECS[1])


@pytest.mark.parametrize("name", ["dp-merf", "dp-mixture"])
@pytest.mark.parametrize("own", SPECS, ids=lambda own: str(own.shape))
def test_own_series_of_any_shape_are_drawn(name: str, own: SeriesSpec) -> None:
    drawn_from(find_method(name), own)


@pytest.mark.parametrize("own", SPECS, ids=lambda own: str(own.shape))
def test_networks_for_own_series_fit_any_shape(own: SeriesSpec) -> None:
    rng = torch.Generator().manual_seed(0)
    label = torch.tensor([0, 1]) if own.num_classes else None
    for config in (find_method(name).settings_for(own, RECORDS) for name in ("gs-wgan", "dp-cgan")):
        generator = config.generator.build(own.shape, own.num_classes, config.latent.dim, rng)
        samples = generator(config.latent.draw(2, rng), label)
        assert samples.shape == (2, *own.shape)
        looks = [(one.view, one.critic) for one in config.stages] if isinstance(config, GSWGANConfig) else []
        looks += [(config.view, config.discriminator)] if isinstance(config, DPCGANConfig) else []
        for view, network in looks:
            looked = view.apply(samples)
            assert looked.shape == (2, *view.shape(own.shape))
            assert network.build(view.shape(own.shape), own.num_classes, rng)(looked, label).shape == (2,)


@each_method
def test_settings_for_beats_go_to_disk_and_back_and_leave_the_noise_to_the_budget(method: Method[Any]) -> None:
    for recipe in method.recipes:
        if recipe.name.startswith("mitdb"):
            assert recipe.shape == KAGGLE
            assert recipe.config.noise_multiplier is None
            assert from_json_tree(method.config, to_json_tree(recipe.config), "file") == recipe.config


@each_method
def test_beats_in_another_layout_do_not_get_the_recipe_of_the_kaggle_layout(method: Method[Any]) -> None:
    assert method.find_for("mitdb", (1, 192)) is None
    named = [recipe for recipe in method.recipes if recipe.name.startswith("mitdb")]
    assert (method.find_for("mitdb", KAGGLE) is not None) == bool(named)
    if named:
        assert method.find_for("mitdb", KAGGLE) == named[0]
        assert method.find_for("mitdb") == named[0]


def test_every_method_of_its_own_has_a_recipe_for_beats() -> None:
    have = {method.name for method in METHODS if method.find_for("mitdb", KAGGLE)}
    assert {"gs-wgan", "dp-cgan", "dp-merf", "dp-mixture"} <= have
