"""Recipes of GS-WGAN started from a one-shot release: one for each published data set, and one for own records."""

from __future__ import annotations

from dataclasses import replace

from gossamer.data.records import AbstractSpec
from gossamer.methods.distillation import DistillationConfig
from gossamer.methods.dp_mixture import DPMixtureConfig
from gossamer.methods.gs_wgan import GSWGANConfig
from gossamer.methods.started_gs_wgan import GS_WGAN_STARTED, StartedGSWGANConfig
from gossamer.nn.ensemble import Adam
from gossamer.nn.images.cosine import CosineGeneratorConfig
from gossamer.nn.images.mixture import MixtureGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.recipes import dp_mixture, gs_wgan
from gossamer.recipes.recipe import Recipe, RecipeBook


def _started(start: DPMixtureConfig, critics: GSWGANConfig, *, num_steps: int) -> StartedGSWGANConfig:
    """Settings of both parts put together: a generator of images draws all frequencies of the release.

    Its motions are left out: the release has seen how its images stand. Its learning rate is lower than that of a
    generator that begins at nothing. For series it is the network that GS-WGAN has for them.
    """
    generator = critics.generator
    if isinstance(start.generator, MixtureGeneratorConfig):
        radius = start.generator.radius
        generator = CosineGeneratorConfig(hidden_sizes=(512, 512), radius=radius, smoothness=6, gain=5, label_gain=2)
    rest = replace(
        critics,
        num_steps=num_steps,
        generator=generator,
        latent=NormalLatent(dim=start.generator.latent_dim(start.records.shape)),
        generator_adam=Adam(learning_rate=2e-4, beta1=0.5, beta2=0.99),
    )
    return StartedGSWGANConfig(start=start, fit=DistillationConfig(), gs_wgan=rest)


DIGITS = _started(dp_mixture.DIGITS, gs_wgan.DIGITS_CPU, num_steps=500)
"""The 8x8 digits of scikit-learn."""

MNIST = _started(dp_mixture.MNIST, gs_wgan.MNIST_CPU, num_steps=1000)
"""MNIST on two cores."""

FASHION_MNIST = _started(dp_mixture.FASHION_MNIST, gs_wgan.FASHION_MNIST_CPU, num_steps=1000)
"""As for MNIST, from the release for clothes."""

RECIPES = (
    Recipe(name="digits", summary="8x8 digits of scikit-learn, a minute on two cores", config=DIGITS),
    Recipe(name="mnist", summary="MNIST on two cores", config=MNIST),
    Recipe(name="fashion-mnist", summary="Fashion-MNIST on two cores", config=FASHION_MNIST),
)


def recipe_for(spec: AbstractSpec, num_records: int) -> Recipe[StartedGSWGANConfig]:
    """Settings for a user's own records: those that DP-mixture and GS-WGAN take for them, put together."""
    start = dp_mixture.recipe_for(spec, num_records).config
    critics = gs_wgan.recipe_for(spec, num_records).config
    config = _started(start, critics, num_steps=DIGITS.gs_wgan.num_steps)
    return Recipe(name="own", summary="own records on two cores", config=config)


STARTED_GS_WGAN_BOOK = RecipeBook(method=GS_WGAN_STARTED, recipes=RECIPES, for_own=recipe_for)
