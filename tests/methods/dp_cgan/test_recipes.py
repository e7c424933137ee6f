"""Recipes of DP-CGAN: the published ones are as published, all fit their data sets, none carries noise of its own."""

from __future__ import annotations

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.methods.dp_cgan import DP_CGAN
from gossamer.methods.dp_cgan.recipes import PUBLISHED, RECIPES, recipe_for
from gossamer.methods.dp_cgan.settings import GradientDescent, plan
from gossamer.methods.dp_cgan.training import PublicNetworks
from gossamer.nn.settings import Adam
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.config_io import from_json_tree, to_json_tree


def spec(side: int, num_classes: int = 10) -> ImageSpec:
    return ImageSpec(channels=1, height=side, width=side, class_names=tuple(map(str, range(num_classes))))


BEATS = SeriesSpec(channels=1, length=187, low=(0.0,), high=(1.0,), class_names=tuple("NSVFQ"))
DATA = {
    "digits": (spec(8), 1437), "mnist": (spec(28), 60_000), "fashion-mnist": (spec(28), 60_000),
    "mitdb": (BEATS, 87_554),
}  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_fits_its_data_and_its_noise_follows_from_the_budget(recipe) -> None:  # type: ignore[no-untyped-def]
    described, num_records = DATA[recipe.name.rsplit("-published", 1)[0].rsplit("-revisited", 1)[0]]
    assert recipe.config.noise_multiplier is None
    assert plan(recipe.config, PublicSlots(num_records)).expected_batch_size == pytest.approx(
        recipe.config.expected_batch_size
    )
    PublicNetworks(recipe.config, described, torch.device("cpu"), torch.float32).improve_generator(
        recipe.config.discriminator_steps - 1
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_read_back_from_json_as_it_was(recipe) -> None:  # type: ignore[no-untyped-def]
    assert from_json_tree(type(recipe.config), to_json_tree(recipe.config), "config.json") == recipe.config


def test_the_published_recipe_has_the_published_sizes() -> None:
    networks = PublicNetworks(PUBLISHED, spec(28), torch.device("cpu"), torch.float32)
    assert {name: tuple(t.shape) for name, t in networks.parameters().items()} == {
        "trunk.0.weight": (128, 794),
        "trunk.0.bias": (128,),
        "log_odds.weight": (1, 128),
        "log_odds.bias": (1,),
    }
    sizes = sum(tensor.numel() for tensor in networks.state_dict()["generator"].values())
    assert sizes == (110 + 1) * 128 + (128 + 1) * 784
    assert (PUBLISHED.expected_batch_size, PUBLISHED.clip_norm) == (600, 1.1)
    assert PUBLISHED.discriminator_optimiser == GradientDescent(
        learning_rate=0.1, final_learning_rate=0.052, num_decay_steps=10_000
    )
    assert PUBLISHED.generator_adam == Adam(learning_rate=1e-3, beta1=0.9, beta2=0.999)
    assert (PUBLISHED.discriminator_steps, PUBLISHED.moving_average) == (1, 0.0)


@pytest.mark.parametrize(("side", "num_records", "classes"), [(8, 30, 2), (28, 500, 0), (64, 20_000, 4)])
def test_own_images_get_settings_that_fit_them(side: int, num_records: int, classes: int) -> None:
    recipe = recipe_for(spec(side, classes), num_records)
    assert recipe.config.expected_batch_size <= num_records // 6
    plan(recipe.config, PublicSlots(num_records))


def test_recipes_are_found_by_name() -> None:
    assert DP_CGAN.find("mnist-published").config is PUBLISHED
    assert DP_CGAN.find_for("mnist").name == "mnist-revisited"
    with pytest.raises(InputError, match="mnist-revisited"):
        DP_CGAN.find("nothing")
