"""Tiny settings of DP-CGAN."""

from __future__ import annotations

import shlex
from dataclasses import replace

from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.nn.images.settings import MLPDiscriminatorConfig, MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.nn.series.settings import SeriesConvDiscriminatorConfig, SeriesConvGeneratorConfig
from tiny import Tiny

IMAGES = DPCGANConfig(
    num_steps=3, expected_batch_size=15, noise_multiplier=1.0, generator=MLPGeneratorConfig(hidden_sizes=(6,)),
    latent=NormalLatent(dim=4), discriminator=MLPDiscriminatorConfig(hidden_sizes=(5,)), synthetic_batch_size=7,
    generator_batch_size=6,
)  # fmt: skip

TINY = Tiny(
    images=IMAGES,
    people=replace(IMAGES, expected_batch_size=8, records_per_person=3),
    series=replace(
        IMAGES,
        generator=SeriesConvGeneratorConfig(width=2),
        discriminator=SeriesConvDiscriminatorConfig(width=3),
    ),
    crashes=replace(IMAGES, num_steps=13, expected_batch_size=6, noise_multiplier=4.0),
    words=tuple(
        shlex.split(
            "--noise-multiplier 2 --num-steps 12 --expected-batch-size 20 --synthetic-batch-size 20 --chunk-size 20 "
            "--generator-batch-size 20 --generator.hidden-sizes 8 --discriminator.hidden-sizes 8"
        )
    ),
    level_error=None,
)
