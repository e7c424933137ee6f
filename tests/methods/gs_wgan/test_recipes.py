"""Recipes: a CPU and a paper size for every named data set, each of which can be priced and built."""

from __future__ import annotations

import pytest
import torch

from gossamer.data.catalogue import NAMED_DATA, NamedData
from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.methods.gs_wgan.recipes import RECIPES, recipe_for
from gossamer.methods.gs_wgan.settings import DistanceCritic, plan
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.slots import PublicSlots


def test_every_recipe_has_a_name_of_its_own_and_a_summary() -> None:
    names = [recipe.name for recipe in RECIPES]
    assert len(set(names)) == len(names)
    assert all(recipe.summary for recipe in RECIPES)


def test_no_recipe_decides_the_noise() -> None:
    """It follows from the budget of whoever trains."""
    assert all(recipe.config.noise_multiplier is None for recipe in RECIPES)


@pytest.mark.parametrize("size", ["cpu", "paper"])
@pytest.mark.parametrize("data", NAMED_DATA, ids=lambda data: data.name)
def test_every_named_data_set_has_a_recipe_of_either_size_that_fits_it(data: NamedData, size: str) -> None:
    config = GS_WGAN.find(f"{data.name}-{size}").config
    assert plan(config, PublicSlots(data.num_train)).num_critics <= data.num_train
    rng = torch.Generator().manual_seed(0)
    generator = config.generator.build(data.spec.shape, data.spec.num_classes, config.latent.dim, rng)
    label = torch.tensor([0, 1])
    assert generator(config.latent.draw(2, rng), label).shape == (2, *data.spec.shape)
    for stage in config.stages:
        shape = stage.view.shape(data.spec.shape)
        if isinstance(stage.critic, DistanceCritic):
            assert config.batch_size // config.draws_per_step >= data.spec.num_classes  # samples of every class
            continue
        score = stage.critic.build(shape, data.spec.num_classes, rng)(torch.zeros(2, *shape), label)
        assert score.shape == (2,)


@pytest.mark.parametrize("name", ["digits-cpu", "mnist5k-cpu", "mnist-cpu"])
def test_a_recipe_keeps_within_a_budget_of_ten(name: str) -> None:
    data = next(data for data in NAMED_DATA if name.startswith(f"{data.name}-"))
    settled = plan(GS_WGAN.find(name).config, PublicSlots(data.num_train)).calibrated(
        PrivacyBudget(epsilon=10.0, delta=1e-5)
    )
    assert 9.99 < epsilon_by_pld(settled.event, 1e-5).epsilon <= 10.0


def test_the_paper_recipe_is_the_published_one_but_for_coins_and_forks() -> None:
    config = GS_WGAN.find("mnist-paper").config
    assert (config.num_critics, config.num_steps, config.batch_size, config.clip_norm) == (1000, 20_000, 32, 1.0)
    assert config.draws_per_step == 32
    assert config.critic_adam.learning_rate == config.generator_adam.learning_rate == 1e-4
    assert config.stages[0].warm_start.num_updates == 2000


def test_an_unknown_recipe_is_refused_with_the_names_of_the_known() -> None:
    with pytest.raises(InputError, match="mnist-cpu"):
        GS_WGAN.find("nonsense")


@pytest.mark.parametrize("side", [4, 8, 16, 17, 28, 64, 128])
@pytest.mark.parametrize("num_records", [1, 2, 100, 1_000_000])
def test_the_recipe_for_own_images_fits_every_size_and_number(side: int, num_records: int) -> None:
    spec = ImageSpec(channels=3, height=side, width=side)
    config = recipe_for(spec, num_records).config
    assert 1 <= plan(config, PublicSlots(num_records)).num_critics <= num_records
    rng = torch.Generator().manual_seed(0)
    assert config.generator.build(spec.shape, 0, config.latent.dim, rng) is not None
    for stage in config.stages:
        assert min(stage.view.shape(spec.shape)) >= 1
