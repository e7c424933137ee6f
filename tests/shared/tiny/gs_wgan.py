"""Tiny settings of GS-WGAN."""

from __future__ import annotations

import shlex
from dataclasses import replace

from gossamer.methods.gs_wgan.augmentation import SmallMotions
from gossamer.methods.gs_wgan.settings import AgainstOwnGenerator, AgainstPresentGenerator, GSWGANConfig, Stage
from gossamer.nn.images.settings import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.series.settings import SeriesConvCriticConfig, SeriesConvGeneratorConfig
from gossamer.nn.views import LowFrequencies, Pooled, WholeImage
from tiny import Tiny

IMAGES = GSWGANConfig(
    num_critics=6, num_steps=3, batch_size=8, draws_per_step=4, noise_multiplier=1.0,
    generator=MLPGeneratorConfig(hidden_sizes=(6,)),
    stages=(Stage(critic=MLPCriticConfig(hidden_sizes=(6,)), warm_start=AgainstPresentGenerator(num_updates=2)),),
    critic_batch_size=3, pool_per_class=3, fork_steps=2, renewals_per_step=2, critics_at_once=4,
)  # fmt: skip

TINY = Tiny(
    images=IMAGES,
    people=replace(IMAGES, augmentation=SmallMotions(count=3)),
    series=replace(
        IMAGES,
        num_steps=4,
        variety=0.1,
        generator=SeriesConvGeneratorConfig(width=2),
        stages=(
            Stage(
                view=Pooled(factor=2),
                critic=SeriesConvCriticConfig(width=2),
                warm_start=AgainstOwnGenerator(num_updates=2, hidden=4),
            ),
            Stage(
                view=LowFrequencies(radius=6),
                critic=MLPCriticConfig(hidden_sizes=(5,)),
                warm_start=AgainstPresentGenerator(num_updates=2),
            ),
        ),
    ),
    crashes=replace(
        IMAGES,
        num_steps=13,
        noise_multiplier=4.0,
        stages=tuple(
            Stage(
                view=view,
                critic=MLPCriticConfig(hidden_sizes=(4,)),
                warm_start=AgainstPresentGenerator(num_updates=1),
            )
            for view in (Pooled(factor=2), WholeImage())
        ),
        fork_steps=1,
    ),
    words=tuple(
        shlex.split(
            "--recipe digits-trained --num-critics 30 --num-steps 12 --batch-size 20 --draws-per-step 4 "
            "--renewals-per-step 5 "
            "--noise-multiplier 1.2 --critic-batch-size 4 --pool-per-class 4 --fork-steps 1 --critics-at-once 10 "
            "--generator.hidden-sizes 16 --stages.0.critic.hidden-sizes 8 --stages.0.warm-start.num-updates 2"
        )
    ),
    level_error=None,
)
