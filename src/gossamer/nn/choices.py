"""The networks that a configuration can name: those of this library, and those that a user registers."""

from __future__ import annotations

from gossamer.nn.images.settings import (
    ConvCriticConfig,
    CosineGeneratorConfig,
    DCGANGeneratorConfig,
    MERFGeneratorConfig,
    MixtureGeneratorConfig,
    MLPCriticConfig,
    MLPDiscriminatorConfig,
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.labelled_settings import LabelledGeneratorConfig
from gossamer.nn.series.settings import (
    FoldedGeneratorConfig,
    SeriesConvCriticConfig,
    SeriesConvDiscriminatorConfig,
    SeriesConvGeneratorConfig,
    SeriesMERFGeneratorConfig,
    SeriesMixtureGeneratorConfig,
    StretchedGeneratorConfig,
)
from gossamer.nn.settings import AbstractCriticConfig, AbstractGeneratorConfig

GeneratorConfig = (
    ResNetGeneratorConfig
    | DCGANGeneratorConfig
    | MLPGeneratorConfig
    | CosineGeneratorConfig
    | MERFGeneratorConfig
    | MixtureGeneratorConfig
    | LabelledGeneratorConfig
    | SeriesConvGeneratorConfig
    | FoldedGeneratorConfig
    | StretchedGeneratorConfig
    | SeriesMERFGeneratorConfig
    | SeriesMixtureGeneratorConfig
    | AbstractGeneratorConfig
)
"""The last member stands for the generators that a user registers (`nn/registered.py`)."""
CriticConfig = ConvCriticConfig | MLPCriticConfig | SeriesConvCriticConfig | AbstractCriticConfig
"""The last member stands for the critics that a user registers."""
DiscriminatorConfig = MLPDiscriminatorConfig | MLPCriticConfig | SeriesConvDiscriminatorConfig | AbstractCriticConfig
"""Likewise."""
EmbeddingGeneratorConfig = MERFGeneratorConfig | SeriesMERFGeneratorConfig
AnyMixtureGeneratorConfig = MixtureGeneratorConfig | SeriesMixtureGeneratorConfig
