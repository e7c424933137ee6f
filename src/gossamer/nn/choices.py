"""The networks that a configuration can name: those of this library, and those that a user registers."""

from __future__ import annotations

from gossamer.nn.images.cosine import CosineGeneratorConfig
from gossamer.nn.images.critic import ConvCriticConfig
from gossamer.nn.images.dcgan import DCGANGeneratorConfig
from gossamer.nn.images.discriminator import MLPDiscriminatorConfig
from gossamer.nn.images.merf import MERFGeneratorConfig
from gossamer.nn.images.mixture import MixtureGeneratorConfig
from gossamer.nn.images.mlp import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.images.resnet import ResNetGeneratorConfig
from gossamer.nn.labelled import LabelledGeneratorConfig
from gossamer.nn.network import AbstractCriticConfig, AbstractGeneratorConfig
from gossamer.nn.series.critic import SeriesConvCriticConfig
from gossamer.nn.series.discriminator import SeriesConvDiscriminatorConfig
from gossamer.nn.series.folded import FoldedGeneratorConfig
from gossamer.nn.series.generator import SeriesConvGeneratorConfig
from gossamer.nn.series.merf import SeriesMERFGeneratorConfig
from gossamer.nn.series.mixture import SeriesMixtureGeneratorConfig
from gossamer.nn.series.stretched import StretchedGeneratorConfig

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
