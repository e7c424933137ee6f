"""Recipes of GS-WGAN started from a release: there for every published set and any own records, and their parts fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gossamer.data.catalogue import NAMED_DATA, load_records
from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.method import Circumstances
from gossamer.methods.started_gs_wgan import StartedGSWGANConfig, StartedGSWGANTraining, plan
from gossamer.privacy.slots import PublicSlots
from gossamer.recipes.started_gs_wgan import RECIPES, STARTED_GS_WGAN_BOOK
from gossamer.runs.config_io import from_json_tree, to_json_tree

SPECS: list[AbstractSpec] = [
    SeriesSpec(channels=2, length=40, class_names=("a", "b"), low=(0.0, 0.0), high=(1.0, 1.0)),
    ImageSpec(channels=3, height=20, width=31, class_names=("a", "b")),
    ImageSpec(channels=1, height=4, width=4),
    ImageSpec(channels=1, height=64, width=64, class_names=tuple("abcdefghijklmno")),
]


def builds(config: StartedGSWGANConfig, spec: AbstractSpec) -> bool:
    """Whether the network draws records of the shape from the latents of the release."""
    parts = config.gs_wgan
    network = parts.generator.build(spec.shape, spec.num_classes, parts.latent.dim, torch.Generator().manual_seed(0))
    labels = torch.zeros(2, dtype=torch.int64) if spec.num_classes else None
    return network(parts.latent.draw(2, torch.Generator().manual_seed(1)), labels).shape == (2, *spec.shape)


def test_there_is_a_recipe_for_every_published_set_that_goes_to_disk_and_back() -> None:
    for data in NAMED_DATA:
        if not isinstance(data.spec, ImageSpec):
            continue
        config = STARTED_GS_WGAN_BOOK.find(data.name).config
        assert config.noise_multiplier is None
        assert config.start.records.shape == data.spec.shape
        assert builds(config, data.spec)
        assert plan(config, PublicSlots(data.num_train)).num_steps == 1 + config.gs_wgan.num_steps
    for recipe in RECIPES:
        assert from_json_tree(StartedGSWGANConfig, to_json_tree(recipe.config), "file") == recipe.config


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.shape))
def test_own_records_of_any_shape_get_settings_that_fit(spec: AbstractSpec) -> None:
    config = STARTED_GS_WGAN_BOOK.for_own(spec, 50).config
    assert builds(config, spec)
    assert plan(config, PublicSlots(50)).num_slots == 50


def test_the_fitted_digits_are_told_apart_by_their_mean_images() -> None:
    """Deterministic noise, fixed before: the same at every run."""
    data = load_records("digits")
    recipe = STARTED_GS_WGAN_BOOK.find("digits").config
    config = replace(
        recipe,
        start=replace(recipe.start, noise_multiplier=1.0),
        noise_multiplier=5.0,
        fit=replace(recipe.fit, num_updates=400, batch_size=100),
    )
    run = StartedGSWGANTraining(config, data.train, DeterministicNoise(0), Circumstances(delta=1e-5))
    next(iter(run))
    samples, labels = run.trained_so_far().sample(1000)
    assert labels is not None
    assert data.test is not None
    means = torch.stack([samples[labels == k].mean(dim=0) for k in range(10)]).flatten(start_dim=1)
    nearest = torch.cdist(data.test.x.flatten(start_dim=1), means).argmin(dim=1)
    assert float((nearest == data.test.y).float().mean()) > 0.7
