"""Settings of DP-MERF and their price. Everything here is public."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gossamer.errors import InputError
from gossamer.mechanisms.one_shot.contributions import GroupedMoments
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.methods.records_expected import RecordsExpected
from gossamer.nn.choices import EmbeddingGeneratorConfig
from gossamer.nn.images.settings import MERFGeneratorConfig
from gossamer.nn.latents import Latent, NormalLatent
from gossamer.nn.settings import Adam
from gossamer.privacy.slots import PublicSlots


@dataclass(frozen=True, kw_only=True)
class DPMERFConfig:
    """All settings of DP-MERF. Every one of them is public.

    Attributes:
        records: shape and classes of the data.
        num_features: d, an even number: half cosines and half sines.
        squared_bandwidth: s of the kernel ``exp(-|x - x'|^2 / (2 s))``. A constant, never fitted on private data.
        noise_multiplier: standard deviation of the noise over the sensitivity 2. None until `calibrate`.
        generator: architecture of the released network.
        latent: law of its input.
        num_fit_steps: updates of the generator, free of charge.
        samples_per_class: synthetic samples of each class in an update, at least 2.
        adam: optimiser of the generator.
        final_learning_rate: fraction of the learning rate that a cosine schedule ends at.
        moving_average: decay of the average of the generator's weights. The average is released.
        seed: public. Weights, latents and frequencies follow from it, noise never.
    """

    records: RecordsExpected = field(default_factory=RecordsExpected)
    num_features: int = 2000
    squared_bandwidth: float = 105.0
    noise_multiplier: float | None = None
    generator: EmbeddingGeneratorConfig = field(default_factory=MERFGeneratorConfig)
    latent: Latent = field(default_factory=lambda: NormalLatent(dim=5))
    num_fit_steps: int = 1500
    samples_per_class: int = 10
    adam: Adam = field(default_factory=lambda: Adam(learning_rate=1e-2, beta1=0.9, beta2=0.999))
    final_learning_rate: float = 0.01
    moving_average: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("num_fit_steps", 1), ("samples_per_class", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.num_features < 2 or self.num_features % 2:
            raise InputError(f"num_features must be an even number, 2 or more, got {self.num_features}")
        if not 0 < self.squared_bandwidth < math.inf:
            raise InputError(f"squared_bandwidth must be a positive number, got {self.squared_bandwidth}")
        for name in ("final_learning_rate", "moving_average"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")


def plan(config: DPMERFConfig, slots: PublicSlots) -> OneShotPlan:
    r"""Return the plan of the settings for a public number of slots: their price, and the source of the run.

    There is one release. A slot with image x and class y adds :math:`e_y \otimes (1, \varphi(x))`: the count of the
    class and its summed features. The sensitivity is 2, that of the features alone. Contents of different classes are
    :math:`\sqrt{2 (1 + 1)} = 2` apart, and contents of one class agree in the count. So the class histogram is in the
    price and adds nothing to it.
    """
    features = GroupedMoments(
        num_groups=config.records.num_groups, dim=config.num_features, radius=1.0, count_weight=1.0, mean_weight=1.0
    )
    release = Release(name="mean embedding", contribution=features)
    return OneShotPlan(
        unit=slots.unit,
        num_slots=slots.number,
        source=slots.source,
        releases=(release,),
        noise_multiplier=config.noise_multiplier,
    )
