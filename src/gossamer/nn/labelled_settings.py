"""The public settings of a labelled mixture and its teacher, without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig
from gossamer.nn.settings import AbstractGeneratorConfig, Shape, check_fractions, check_positive, checked_sizes

if TYPE_CHECKING:
    import torch

    from gossamer.nn.labelled import LabelledGenerator


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Settings of `Teacher`.

    Args:
        hidden_sizes: sizes of hidden layers.
        temper: factor on the log densities of the mixture. Gaussians in many directions are too sure of themselves.
        least_spread: smallest variance of a direction, as a part of the mean variance, that inputs are scaled by.
        reach: longest input, in standard deviations over all directions. Longer ones are shrunk to it.
    """

    hidden_sizes: tuple[int, ...] = (64,)
    temper: float = 0.25
    least_spread: float = 0.1
    reach: float = 2.0

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)
        check_positive(self, "temper", "reach")
        check_fractions(self, "least_spread")


@dataclass(frozen=True, kw_only=True)
class LabelledGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `LabelledGenerator`.

    Args:
        mixture: of the drawings.
        teacher: of their labels.
    """

    mixture: MixtureGeneratorConfig | SeriesMixtureGeneratorConfig = field(default_factory=MixtureGeneratorConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)

    def latent_dim(self, shape: Shape) -> int:
        """Count the latents, which are those of the mixture."""
        return self.mixture.latent_dim(shape)

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> LabelledGenerator:
        """Build a new generator of even samples, with a teacher that knows nothing.

        Raises:
            InputError: fewer than two classes, or a latent_dim that is not that of the mixture.
        """
        from gossamer.nn.labelled import LabelledGenerator

        return LabelledGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)
