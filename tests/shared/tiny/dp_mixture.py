"""Tiny settings of DP-mixture."""

from __future__ import annotations

from dataclasses import replace

from gossamer.methods.dp_mixture.components import ComponentCovariances
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.records_expected import RecordsExpected
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.nn.series.endings import BeforeZeros
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig
from tiny import Tiny

IMAGES = DPMixtureConfig(
    records=RecordsExpected(shape=(1, 8, 8), num_classes=3),
    generator=MixtureGeneratorConfig(num_directions=5, radius=4),
    noise_multiplier=0.7,
)

TINY = Tiny(
    images=IMAGES,
    people=IMAGES,
    series=DPMixtureConfig(
        records=RecordsExpected(shape=(2, 24), num_classes=3),
        generator=SeriesMixtureGeneratorConfig(num_directions=5, radius=9, ending=BeforeZeros(), num_components=2),
        num_rounds=2,
        noise_multiplier=0.7,
        covariances=ComponentCovariances(),
    ),
    crashes=replace(IMAGES, noise_multiplier=4.0),
    words=("--epsilon", "10", "--generator.num-directions", "5"),
)
