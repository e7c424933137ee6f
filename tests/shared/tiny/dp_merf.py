"""Tiny settings of DP-MERF."""

from __future__ import annotations

import shlex
from dataclasses import replace

from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.records_expected import RecordsExpected
from gossamer.nn.images.settings import MERFGeneratorConfig
from gossamer.nn.series.settings import SeriesMERFGeneratorConfig
from tiny import Tiny

IMAGES = DPMERFConfig(
    records=RecordsExpected(shape=(1, 8, 8), num_classes=3), num_features=40, squared_bandwidth=8.0,
    noise_multiplier=0.7, generator=MERFGeneratorConfig(hidden_size=12, width=4), num_fit_steps=60,
    samples_per_class=4,
)  # fmt: skip


def soon(settings: DPMERFConfig) -> DPMERFConfig:
    """Shorten the fit: fewer updates of a smaller network."""
    generator = replace(settings.generator, hidden_size=24, width=6)
    return replace(settings, generator=generator, num_features=200, num_fit_steps=500)


TINY = Tiny(
    images=IMAGES,
    people=replace(IMAGES, num_fit_steps=30),
    series=replace(
        IMAGES,
        records=RecordsExpected(shape=(2, 24), num_classes=3),
        generator=SeriesMERFGeneratorConfig(hidden_size=12, width=4),
        num_fit_steps=30,
    ),
    crashes=replace(IMAGES, noise_multiplier=4.0),
    words=tuple(
        shlex.split(
            "--epsilon 10 --num-features 40 --num-fit-steps 60 --samples-per-class 2 --generator.hidden-size 12 "
            "--generator.width 4"
        )
    ),
    soon=soon,
)
