"""Recipes of DP-MERF: one for each published data set, and for own images and series."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.methods.dp_merf.settings import DPMERFConfig, plan
from gossamer.methods.method import Recipe
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.working import Working
from gossamer.nn.latents import NormalLatent
from gossamer.nn.series.settings import SeriesMERFGeneratorConfig

if TYPE_CHECKING:
    import torch

    from gossamer.data.records import RecordSet
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.methods.dp_merf.training import DPMERFTraining
    from gossamer.methods.starting import Networks
    from gossamer.methods.training import RunContext


MNIST = DPMERFConfig(squared_bandwidth=105.0)
"""The published kernel and generator. Steps and averaging were chosen on the public test accuracy of MNIST."""

FASHION_MNIST = replace(MNIST, squared_bandwidth=127.0)
"""As for MNIST, with the published kernel for clothes."""

SERIES = replace(MNIST, generator=SeriesMERFGeneratorConfig(), latent=NormalLatent(dim=10))
"""The published method with its generator in one dimension."""

MITDB = replace(SERIES, records=RecordsExpected(shape=(1, 187), num_classes=5), squared_bandwidth=105.0 * 187 / 784)
"""The published squared bandwidth per value: 25. Two beats of a class are about 12 apart."""

RECIPES = (
    Recipe(
        name="digits",
        summary="8x8 digits of scikit-learn, seconds on one core",
        config=replace(
            MNIST,
            records=RecordsExpected(shape=(1, 8, 8)),
            squared_bandwidth=105.0 * 64 / 784,
            num_features=500,
            num_fit_steps=500,
        ),
    ),
    Recipe(name="mnist", summary="MNIST, two minutes on one core", config=MNIST),
    Recipe(name="mnist5k", summary="5,000 digits of MNIST by its settings, two minutes on one core", config=MNIST),
    Recipe(name="fashion-mnist", summary="Fashion-MNIST, two minutes on one core", config=FASHION_MNIST),
    Recipe(
        name="mitdb",
        summary="MIT-BIH beats in the Kaggle layout, two minutes on one core",
        config=MITDB,
        shape=(1, 187),
    ),
)


_LEAST_BATCH = 60
"""Synthetic samples in an update, at least. With ten of one class, samples spread twice as wide about a constant."""


def recipe_for(spec: AbstractSpec, num_records: int) -> Recipe[DPMERFConfig]:
    """Return settings for a user's own records: the published squared bandwidth per pixel value, ``105 values / 784``.

    Squared distances of records grow with the number of their values, and so does the bandwidth. Both are public. Few
    classes get more samples each, because batch norm ties the samples of a small batch to each other.
    """
    records = RecordsExpected.of(spec)
    config = replace(
        SERIES if isinstance(spec, SeriesSpec) else MNIST,
        records=records,
        squared_bandwidth=MNIST.squared_bandwidth * math.prod(spec.shape) / 784,
        samples_per_class=max(MNIST.samples_per_class, math.ceil(_LEAST_BATCH / records.num_groups)),
    )
    return Recipe(name="own", summary=f"own records, {num_records} slots", config=config)


# Here and below: training imports torch, which options, plans and ledgers do without.
def _start(config: DPMERFConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> DPMERFTraining:
    from gossamer.methods.dp_merf.training import DPMERFTraining

    return DPMERFTraining(config, records, noise, context)


def _pretrain(config: DPMERFConfig, public: RecordSet, num_steps: int, device: torch.device) -> Networks:
    from gossamer.methods.dp_merf.pretraining import pretrain

    return pretrain(config, public, num_steps, device)


WORKING = Working(
    config=DPMERFConfig,
    plan=plan,
    start=_start,
    recipes=RECIPES,
    for_own=recipe_for,
    pretrain=_pretrain,
    shares_work=True,
)
