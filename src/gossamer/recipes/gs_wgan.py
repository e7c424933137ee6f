"""Recipes of GS-WGAN: for each published data set one for a CPU and one at the paper's size, and one for own images."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.methods.gs_wgan import GSWGANConfig, Stage
from gossamer.methods.warm_start import AgainstOwnGenerator, AgainstPresentGenerator
from gossamer.nn.ensemble import Adam
from gossamer.nn.images.critic import ConvCriticConfig
from gossamer.nn.images.mlp import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.images.resnet import ResNetGeneratorConfig
from gossamer.nn.latents import BernoulliLatent, NormalLatent
from gossamer.nn.views import LowFrequencies


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings with a name.

    Attributes:
        name: what to type after --recipe.
        summary: one line.
        config: settings, without a noise multiplier: that follows from the budget.
    """

    name: str
    summary: str
    config: GSWGANConfig


PAPER = GSWGANConfig(
    num_critics=1000,
    num_steps=20_000,
    batch_size=32,
    draws_per_step=32,
    clip_norm=1.0,
    generator=ResNetGeneratorConfig(width=256),
    latent=BernoulliLatent(dim=10),
    stages=(Stage(critic=ConvCriticConfig(width=64), warm_start=AgainstOwnGenerator(num_updates=2000)),),
    critic_batch_size=32,
    fork_steps=5,
    renewals_per_step=50,
    critic_adam=Adam(learning_rate=1e-4),
    generator_adam=Adam(learning_rate=1e-4),
)
"""The published networks, losses and numbers; one coin per sample, and forks in place of critics that remember."""

DIGITS_CPU = GSWGANConfig(
    num_critics=479,
    num_steps=1000,
    batch_size=50,
    draws_per_step=50,
    clip_norm=0.1,
    generator=MLPGeneratorConfig(hidden_sizes=(128, 128)),
    latent=NormalLatent(dim=10),
    stages=(
        Stage(
            view=LowFrequencies(radius=6),
            critic=MLPCriticConfig(hidden_sizes=(32, 32)),
            warm_start=AgainstPresentGenerator(num_updates=50),
        ),
    ),
    critic_batch_size=6,
    fork_steps=2,
    renewals_per_step=25,
    critic_adam=Adam(learning_rate=1e-3),
    generator_adam=Adam(learning_rate=1e-3),
    final_learning_rate=0.0,
)

MNIST_CPU = GSWGANConfig(
    num_critics=4000,
    num_steps=4000,
    batch_size=64,
    draws_per_step=64,
    clip_norm=0.1,
    generator=MLPGeneratorConfig(hidden_sizes=(256, 256)),
    latent=NormalLatent(dim=10),
    stages=(Stage(view=LowFrequencies(radius=10, scale=0.25)),),
    critic_batch_size=32,
    fork_steps=5,
    renewals_per_step=50,
    critic_adam=Adam(learning_rate=1e-3),
    generator_adam=Adam(learning_rate=1e-3),
    final_learning_rate=0.0,
)

RECIPES = (
    Recipe(name="digits-cpu", summary="8x8 digits of scikit-learn, a minute on two cores", config=DIGITS_CPU),
    Recipe(name="digits-paper", summary="the published networks and numbers, at 8x8", config=PAPER),
    Recipe(name="mnist-cpu", summary="MNIST on two cores", config=MNIST_CPU),
    Recipe(name="mnist-paper", summary="MNIST as published, for a GPU", config=PAPER),
    Recipe(name="fashion-mnist-cpu", summary="Fashion-MNIST on two cores", config=MNIST_CPU),
    Recipe(name="fashion-mnist-paper", summary="Fashion-MNIST as published, for a GPU", config=PAPER),
)


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        InputError: there is none.
    """
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    raise InputError(f"no recipe {name!r}; the recipes are {', '.join(recipe.name for recipe in RECIPES)}")


def recipe_for(spec: ImageSpec, num_records: int) -> Recipe:
    """Settings for a user's own images on a CPU: sizes follow from the shape and the public number of records."""
    config = DIGITS_CPU if max(spec.height, spec.width) <= 16 else MNIST_CPU
    fitted = replace(
        config, num_critics=max(1, min(config.num_critics, num_records // 3)),
    )
    fitted = replace(fitted, renewals_per_step=min(fitted.renewals_per_step, fitted.num_critics))
    return Recipe(name="own-cpu", summary="a user's own images on a CPU", config=fitted)
