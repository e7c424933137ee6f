"""Recipes of DP-CGAN: the published networks and numbers, and settings that later work and two cores ask for.

Later work: Bie, Kamath, Zhang 2023, "Private GANs, revisited". Its advice taken here is large batches, Adam and a
discriminator kept as good as the generator needs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.methods.dp_cgan.settings import DPCGANConfig, plan
from gossamer.methods.gs_wgan.recipes import DIGITS_CPU as GS_WGAN_DIGITS
from gossamer.methods.gs_wgan.recipes import LARGE_GENERATOR, TRAINED_CLOTHES, TRAINED_GENERATOR, is_large
from gossamer.methods.gs_wgan.recipes import MITDB_CPU as GS_WGAN_MITDB
from gossamer.methods.gs_wgan.recipes import SERIES_CPU as GS_WGAN_SERIES
from gossamer.methods.method import Recipe
from gossamer.methods.working import Working
from gossamer.nn.images.settings import MLPDiscriminatorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.nn.settings import Adam
from gossamer.nn.views import LowFrequencies

if TYPE_CHECKING:
    import torch

    from gossamer.data.records import RecordSet
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.methods.dp_cgan.training import DPCGANTraining
    from gossamer.methods.starting import Networks
    from gossamer.methods.training import RunContext
    from gossamer.nn.ensemble import Tensors


PUBLISHED = DPCGANConfig(num_steps=30_000)
"""The published networks, losses, optimisers, clip and expected batch of 600.

The published run with noise multiplier 1.12 stops after about 30,300 steps, where its own accountant says 9.6.
"""

PUBLISHED_SHORT = replace(PUBLISHED, num_steps=3_000)
"""As published but for a tenth of the steps, for two cores: fewer steps of less noise."""

MNIST_REVISITED = DPCGANConfig(
    num_steps=3_000,
    expected_batch_size=1_000,
    clip_norm=1.0,
    generator=TRAINED_GENERATOR,
    discriminator=MLPDiscriminatorConfig(hidden_sizes=(128,)),
    latent=NormalLatent(dim=16),
    view=LowFrequencies(radius=9, scale=0.25),
    synthetic_batch_size=500,
    generator_batch_size=500,
    discriminator_steps=1,
    discriminator_optimiser=Adam(learning_rate=1e-3, beta1=0.5, beta2=0.99),
    generator_adam=Adam(learning_rate=2e-3, beta1=0.5, beta2=0.99),
    final_learning_rate=0.1,
    moving_average=0.99,
    chunk_size=64,
)
"""Larger Poisson batches, Adam and a moving average. The discriminator sees 71 cosine coefficients, not 784 pixels.

That means a tenth of the weights, so a third of the noise's length and a tenth of the work. The generator is that of
GS-WGAN's trained critics. Three updates of the discriminator for one of the generator, with twice its learning rate,
were tried once. They were worse at equal numbers of releases: the noise is small here, and the generator lagged behind.
"""

FASHION_MNIST_REVISITED = replace(MNIST_REVISITED, generator=TRAINED_CLOTHES)
"""As for MNIST, with the generator for clothes."""

LARGE_REVISITED = replace(MNIST_REVISITED, num_steps=2_000, generator=LARGE_GENERATOR)
"""Settings for own images of more than 2,000 values, as `gs_wgan.recipes.LARGE_CPU` has them."""

DIGITS_REVISITED = replace(
    MNIST_REVISITED,
    num_steps=600,
    expected_batch_size=240,
    generator=GS_WGAN_DIGITS.generator,
    discriminator=MLPDiscriminatorConfig(hidden_sizes=(64,)),
    latent=NormalLatent(dim=10),
    view=LowFrequencies(radius=6),
    synthetic_batch_size=200,
    generator_batch_size=200,
)
"""Settings for 1,437 images of 8x8: a sixth of them in a batch."""

DIGITS_PUBLISHED = replace(PUBLISHED, num_steps=2_000, expected_batch_size=60, synthetic_batch_size=60)
"""The published networks at 8x8, with a batch that fits so few records."""

SERIES_REVISITED = replace(
    MNIST_REVISITED, generator=GS_WGAN_SERIES.generator, view=LowFrequencies(radius=48, scale=0.5)
)
"""As for MNIST, with cosines of time. Set once and not tuned."""

MITDB_REVISITED = replace(
    SERIES_REVISITED, generator=GS_WGAN_MITDB.generator, view=LowFrequencies(radius=20, scale=0.5)
)
"""With the calm generator and the coarse view of GS-WGAN's recipe for these beats."""

RECIPES = (
    Recipe(name="digits-revisited", summary="8x8 digits of scikit-learn, a minute", config=DIGITS_REVISITED),
    Recipe(name="digits-published", summary="the published networks at 8x8", config=DIGITS_PUBLISHED),
    Recipe(name="mnist-revisited", summary="MNIST on two cores, tuned", config=MNIST_REVISITED),
    Recipe(name="mnist-published", summary="MNIST as published: 30,000 steps, hours", config=PUBLISHED),
    Recipe(name="mnist-published-short", summary="MNIST as published, a tenth of the steps", config=PUBLISHED_SHORT),
    Recipe(name="fashion-mnist-revisited", summary="Fashion-MNIST on two cores", config=FASHION_MNIST_REVISITED),
    Recipe(name="fashion-mnist-published", summary="Fashion-MNIST as published, hours", config=PUBLISHED),
    Recipe(
        name="fashion-mnist-published-short",
        summary="Fashion-MNIST as published, a tenth of the steps",
        config=PUBLISHED_SHORT,
    ),
    Recipe(name="mitdb-revisited", summary="MIT-BIH beats on two cores", config=MITDB_REVISITED, shape=(1, 187)),
)


def recipe_for(spec: AbstractSpec, num_records: int) -> Recipe[DPCGANConfig]:
    """Return settings for a user's own records on a CPU, sized by the shape and the number of slots, both public."""
    side = max(spec.shape[1:])
    tuned = DIGITS_REVISITED if side <= 16 else MNIST_REVISITED
    view = LowFrequencies(radius=min(9.0, 0.75 * side), scale=min(1.0, 7 / side))
    if is_large(spec):
        tuned = LARGE_REVISITED if num_records >= 10_000 else replace(LARGE_REVISITED, num_steps=1_000)
    if isinstance(spec, SeriesSpec):
        radius = max(2.0, min(48.0, 0.75 * spec.length, 96 / spec.channels))
        tuned, view = SERIES_REVISITED, LowFrequencies(radius=radius, scale=0.5)
    expected = max(1, min(tuned.expected_batch_size, num_records // 6))
    return Recipe(
        name="own-revisited",
        summary="a user's own records on a CPU",
        config=replace(tuned, expected_batch_size=expected, view=view),
    )


# Here and below: training imports torch, which options, plans and ledgers do without.
def _start(config: DPCGANConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> DPCGANTraining:
    from gossamer.methods.dp_cgan.training import DPCGANTraining

    return DPCGANTraining(config, records, noise, context)


def _pretrain(config: DPCGANConfig, public: RecordSet, num_steps: int, device: torch.device) -> Networks:
    from gossamer.methods.dp_cgan.pretraining import pretrain

    return pretrain(config, public, num_steps, device)


def _travels(config: DPCGANConfig, spec: AbstractSpec) -> Tensors:
    from gossamer.methods.dp_cgan.training import travels

    return travels(config, spec)


WORKING = Working(
    config=DPCGANConfig,
    plan=plan,
    start=_start,
    recipes=RECIPES,
    for_own=recipe_for,
    pretrain=_pretrain,
    travels=_travels,
    shares_work=True,
)
