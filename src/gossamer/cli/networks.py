"""Networks, critics, views and stages by a word each, in place of an edited file of settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from gossamer.errors import InputError
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig
from gossamer.nn.images.settings import (
    ConvCriticConfig,
    CosineGeneratorConfig,
    DCGANGeneratorConfig,
    MLPCriticConfig,
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.series.settings import (
    FoldedGeneratorConfig,
    SeriesConvCriticConfig,
    SeriesConvGeneratorConfig,
    StretchedGeneratorConfig,
)
from gossamer.nn.views import Folded, LowFrequencies, Pooled, Stretched, WholeImage

C = TypeVar("C")

GeneratorName = Literal["resnet", "dcgan", "mlp", "cosine", "series-conv", "folded", "stretched"]
CriticName = Literal["conv", "mlp", "distance", "series-conv"]
ViewName = Literal["whole", "pooled", "low-frequencies", "folded", "stretched"]

GENERATORS: Final[Mapping[GeneratorName, Callable[[], Any]]] = {
    "resnet": ResNetGeneratorConfig,
    "dcgan": DCGANGeneratorConfig,
    "mlp": MLPGeneratorConfig,
    "cosine": CosineGeneratorConfig,
    "series-conv": SeriesConvGeneratorConfig,
    "folded": FoldedGeneratorConfig,
    "stretched": StretchedGeneratorConfig,
}
CRITICS: Final[Mapping[CriticName, Callable[[], Any]]] = {
    "conv": ConvCriticConfig,
    "mlp": MLPCriticConfig,
    "distance": DistanceCritic,
    "series-conv": SeriesConvCriticConfig,
}
VIEWS: Final[Mapping[ViewName, Callable[[], Any]]] = {
    "whole": WholeImage,
    "pooled": lambda: Pooled(factor=2),
    "low-frequencies": lambda: LowFrequencies(radius=8.0),
    "folded": lambda: Folded(row=14),
    "stretched": Stretched,
}
_TRAINED: Final = ("gs-wgan", "dp-cgan")


@dataclass(frozen=True, kw_only=True)
class NetworkChoice:
    """Networks in place of those of the recipe. Their own sizes are further options, for instance --generator.width.

    Args:
        generator: network to release (gs-wgan, dp-cgan)
        critic: kind of the critics of all stages (gs-wgan)
        view: view of the critics in all stages (gs-wgan). Sizes: --stages.0.view.factor and the like
        num_stages: number of stages (gs-wgan), each a copy of the recipe's last one where there are more
    """

    generator: GeneratorName | None = None
    critic: CriticName | None = None
    view: ViewName | None = None
    num_stages: int | None = None

    def on(self, config: C) -> C:
        """Return settings with these networks in them.

        Raises:
            InputError: the method has no such network.
        """
        found: Any = config
        if self.generator is not None:
            # Mixtures and embeddings bring generators of their own, which no other can stand for.
            if not isinstance(found, GSWGANConfig | DPCGANConfig):
                raise InputError(f"--generator: this method has a generator of its own; {_of(_TRAINED)}")
            found = dataclasses.replace(found, generator=GENERATORS[self.generator]())
        if self.critic is None and self.view is None and self.num_stages is None:
            return found
        if not isinstance(found, GSWGANConfig):
            raise InputError(f"--critic, --view and --num-stages: this method has no stages; {_of(('gs-wgan',))}")
        stages: Any = tuple(map(self._stage, self._stages(found.stages)))
        changed: Any = dataclasses.replace(found, stages=stages)
        return changed

    def _stages(self, stages: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.num_stages is None:
            return stages
        if not 1 <= self.num_stages <= 100:
            raise InputError(f"--num-stages must be between 1 and 100, got {self.num_stages}")
        return (*stages[: self.num_stages], *(stages[-1],) * (self.num_stages - len(stages)))

    def _stage(self, stage: Any) -> Any:
        critic = {} if self.critic is None else {"critic": CRITICS[self.critic]()}
        view = {} if self.view is None else {"view": VIEWS[self.view]()}
        return dataclasses.replace(stage, **critic, **view)


AS_IN_RECIPE: Final = NetworkChoice()
"""No network named."""


def _of(names: tuple[str, ...]) -> str:
    return f"leave it out, or train {' or '.join(names)}"
