"""Settings of DP-CGAN and their price. Everything here is public."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gossamer.errors import InputError
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.nn.choices import DiscriminatorConfig, GeneratorConfig
from gossamer.nn.images.settings import MLPDiscriminatorConfig, MLPGeneratorConfig
from gossamer.nn.latents import Latent, UniformLatent
from gossamer.nn.settings import Adam
from gossamer.nn.views import View, WholeImage
from gossamer.privacy.published import PUBLISHED_DP_CGAN
from gossamer.privacy.slots import PublicSlots


@dataclass(frozen=True, kw_only=True)
class GradientDescent:
    """Gradient descent with a learning rate that falls in a straight line and then stays.

    Attributes:
        learning_rate: at the first step.
        final_learning_rate: from ``num_decay_steps`` on.
        num_decay_steps: steps over which the rate falls, >= 1.
    """

    learning_rate: float = 0.1
    final_learning_rate: float = 0.052
    num_decay_steps: int = 10_000

    def __post_init__(self) -> None:
        if not (0 < self.learning_rate < math.inf and 0 < self.final_learning_rate < math.inf):
            raise InputError("learning_rate and final_learning_rate must be positive numbers")
        if self.num_decay_steps < 1:
            raise InputError(f"num_decay_steps must be at least 1, got {self.num_decay_steps}")

    def rate(self, step: int) -> float:
        """Compute the learning rate at a step.

        >>> round(GradientDescent().rate(5_000), 3), GradientDescent().rate(20_000)
        (0.076, 0.052)
        """
        fallen = min(1.0, step / self.num_decay_steps)
        return (1 - fallen) * self.learning_rate + fallen * self.final_learning_rate


@dataclass(frozen=True, kw_only=True)
class DPCGANConfig:
    """All settings of DP-CGAN. Every one of them is public.

    Attributes:
        num_steps: T, updates of the discriminator, each a release.
        expected_batch_size: records that a Poisson sample holds on average, q N.
        clip_norm: C, bound on the norm of one record's gradient, over all parameters.
        noise_multiplier: standard deviation of the noise on the sum over ``clip_norm``. None until `calibrate`.
        generator: architecture of the released network.
        discriminator: architecture of the discriminator, which is not released.
        latent: law of the generator's input.
        view: public linear view that is applied before the discriminator.
        synthetic_batch_size: synthetic samples of the discriminator's loss. More samples cost time and no privacy.
        generator_batch_size: samples of an update of the generator.
        discriminator_steps: updates of the discriminator before each of the generator.
        discriminator_optimiser: plain descent as published, or Adam.
        generator_adam: optimiser of the generator.
        final_learning_rate: fraction of the learning rates of Adam that a cosine schedule ends at. 1 keeps the rates.
        moving_average: decay of the average of the generator's weights. The average is released, and 0 makes it the
            last weights.
        records_per_person: records of a drawn person that are averaged in the clipped gradient, if people are
            protected. More records cost time and no privacy.
        chunk_size: units that have their gradients in memory at once.
        seed: public. Weights and latents follow from it, samples of records and noise never.
    """

    num_steps: int = 35_000
    expected_batch_size: int = 600
    clip_norm: float = 1.1
    noise_multiplier: float | None = None
    generator: GeneratorConfig = field(default_factory=lambda: MLPGeneratorConfig(hidden_sizes=(128,)))
    discriminator: DiscriminatorConfig = field(default_factory=MLPDiscriminatorConfig)
    latent: Latent = field(default_factory=UniformLatent)
    view: View = field(default_factory=WholeImage)
    synthetic_batch_size: int = 600
    generator_batch_size: int = 600
    discriminator_steps: int = 1
    discriminator_optimiser: GradientDescent | Adam = field(default_factory=GradientDescent)
    generator_adam: Adam = field(default_factory=lambda: Adam(learning_rate=1e-3, beta1=0.9, beta2=0.999))
    final_learning_rate: float = 1.0
    moving_average: float = 0.0
    records_per_person: int = 8
    chunk_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "expected_batch_size", "synthetic_batch_size", "generator_batch_size", "discriminator_steps",
            "records_per_person", "chunk_size",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("final_learning_rate", "moving_average"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, got {self.seed}")


def plan(config: DPCGANConfig, slots: PublicSlots) -> PoissonPlan:
    """Return the plan of the settings for a public number of slots: their price, and the source of the run.

    The rate is the expected batch over the expected number of units on the training side. Both are public, and neither
    depends on the true number of units.

    Raises:
        InputError: a batch is expected to hold more units than there are slots.
    """
    if config.expected_batch_size > slots.expected_training:
        most = math.floor(slots.expected_training)
        raise InputError(
            f"expected_batch_size = {config.expected_batch_size} but there are {most} slots to learn from: "
            f"expect {most} or fewer"
        )
    return PoissonPlan(
        unit=slots.unit,
        num_slots=slots.number,
        source=slots.source,
        training_share=slots.training_share,
        sample_rate=config.expected_batch_size / slots.expected_training,
        num_steps=config.num_steps,
        clip_norm=config.clip_norm,
        noise_multiplier=config.noise_multiplier,
        records_per_unit=config.records_per_person if slots.unit.is_group else 1,
        published=PUBLISHED_DP_CGAN,
    )
