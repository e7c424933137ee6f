"""Settings of GS-WGAN, their price, and the settings that a budget asks for. Everything here is public."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.methods.gs_wgan.augmentation import Augmentation, NoAugmentation
from gossamer.methods.gs_wgan.centre import AbstractTwins, Centre, NoCentre
from gossamer.nn.choices import CriticConfig, GeneratorConfig
from gossamer.nn.images.settings import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.latents import Latent, NormalLatent
from gossamer.nn.settings import Adam
from gossamer.nn.views import View, WholeImage
from gossamer.privacy.slots import PublicSlots

if TYPE_CHECKING:
    from torch import Tensor

    from gossamer.methods.gs_wgan.warm_start import Opponents
    from gossamer.nn.ensemble import Ensemble


@dataclass(frozen=True, kw_only=True)
class DistanceCritic:
    r"""Critics that need no training: each is the potential of the energy distance on its own shard.

    With z the generator's samples of class y and x_j the shard's records of that class, in the stage's view,

    .. math:: D(x, y) = E_z |x - z| - \mathrm{mean}_j |x - x_j|, \qquad
        \nabla D(x, y) = \mathrm{mean}_j\, e(x_j - x) - E_z\, e(z - x), \qquad e(v) = v / |v|.

    The answer is linear in the records. So the mean answer of many small shards points where that of one large shard
    does. It vanishes if records and samples have one law. A trained critic of ten records promises neither. The
    generator's side is an expectation over public samples, and carries no noise of a shard's own. Clipping shortens the
    long answers alone, so after it both hold nearly.

    References: Szekely, Rizzo 2013, "Energy statistics". Bellemare et al. 2017, "The Cramer distance as a solution to
    biased Wasserstein gradients".
    """


@dataclass(frozen=True, kw_only=True)
class WassersteinLoss:
    """The critic's loss of WGAN-GP with a drift term, as published for GS-WGAN.

    ``L(D) = mean D(synthetic) - mean D(real) + penalty mean (|grad D(x^)| - 1)^2 + drift mean D(real)^2``,
    ``x^ = mix real + (1 - mix) synthetic`` with the label of the real sample.

    References: Gulrajani et al. 2017, algorithm 1. Karras et al. 2018, appendix A.1 (drift).
    """

    gradient_penalty: float = 10.0
    drift: float = 0.001

    def __post_init__(self) -> None:
        if not (0 <= self.gradient_penalty < float("inf") and 0 <= self.drift < float("inf")):
            raise InputError("gradient_penalty and drift must be finite and 0 or more")


@dataclass(frozen=True, kw_only=True)
class AbstractWarmStart(abc.ABC):
    """A way to start critics. Each critic's result depends on its own shard, its own tape and public things alone.

    Attributes:
        num_updates: updates of every critic, 0 or more.
    """

    num_pools: ClassVar[int]
    """Number of pools of samples of the present generator that the warm start learns from, 0 if it reads none."""
    num_updates: int

    def __post_init__(self) -> None:
        if self.num_updates < 0:
            raise InputError(f"num_updates of a warm start must be 0 or more, got {self.num_updates}")

    @abc.abstractmethod
    def train(self, critics: Ensemble, numbers: Tensor, opponents: Opponents) -> Ensemble:
        """Return the critics with the given numbers (c,) after the warm start."""


@dataclass(frozen=True, kw_only=True)
class AgainstPresentGenerator(AbstractWarmStart):
    """Warm start against the public generator as it stands when the stage of the critics begins."""

    num_pools = 8
    num_updates: int = 100

    def train(self, critics: Ensemble, numbers: Tensor, opponents: Opponents) -> Ensemble:
        """Return the critics after `num_updates` updates against one public pool of samples."""
        from gossamer.methods.gs_wgan.warm_start import against_present

        return against_present(self, critics, numbers, opponents)


@dataclass(frozen=True, kw_only=True)
class AgainstOwnGenerator(AbstractWarmStart):
    """Warm start as published: each critic against a private generator of its own, which is thrown away.

    Attributes:
        hidden: width of the private generators' two layers.
        updates_per_generator_update: critic updates between two generator updates.
    """

    num_pools = 0
    num_updates: int = 300
    hidden: int = 64
    updates_per_generator_update: int = 5

    def train(self, critics: Ensemble, numbers: Tensor, opponents: Opponents) -> Ensemble:
        """Return the critics after `num_updates` rounds against generators made here and forgotten here."""
        from gossamer.methods.gs_wgan.warm_start import against_own

        return against_own(self, critics, numbers, opponents)


WarmStart = AgainstPresentGenerator | AgainstOwnGenerator


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of the training in which all critics see one view.

    Attributes:
        view: public linear view in which critics learn and answer.
        critic: architecture of the critics, or `DistanceCritic` for critics that need no training.
        share: part of the steps that this stage gets. Shares need not add up to 1.
        warm_start: of its critics.
    """

    view: View = field(default_factory=WholeImage)
    critic: CriticConfig | DistanceCritic = field(default_factory=MLPCriticConfig)
    share: float = 1.0
    warm_start: WarmStart = field(default_factory=AgainstPresentGenerator)

    def __post_init__(self) -> None:
        if not (self.share > 0 and math.isfinite(self.share)):
            raise InputError(f"share of a stage must be positive, got {self.share}")


@dataclass(frozen=True, kw_only=True)
class GSWGANConfig:
    """All settings of GS-WGAN. Every one of them is public.

    Attributes:
        num_critics: K, critics and shards.
        num_steps: T, updates of the generator, over all stages.
        batch_size: B, samples answered in a step.
        draws_per_step: c, draws in a step, a divisor of B. Each draw answers B/c samples.
        critics_per_draw: m, expected number of critics in a draw, which sums their answers. All critics if there are
            fewer. Each has a secret coin of its own. None for one critic a draw, named by one coin (one of K, as
            published), which costs more noise.
        noise_multiplier: standard deviation of the noise over the sensitivity 2 ``clip_norm``. None until `calibrate`.
        clip_norm: C, bound on an answer's norm.
        generator: architecture of the released network.
        latent: law of its input.
        stages: views and critics, one stage after the other.
        critic_batch_size: pairs of real and synthetic samples in a critic's batch. Of a distance critic, records drawn
            evenly from its shard.
        pool_per_class: synthetic samples of each class that critics learn from, drawn anew at every step.
        fork_steps: updates of the copy of a drawn critic before it answers. The copy is thrown away.
        renewals_per_step: critics renewed at every step in turn, independent of the draws. All critics if there are
            fewer.
        renewal_steps: updates of a renewed critic.
        critic_adam: optimiser of every critic.
        generator_adam: optimiser of the generator.
        final_learning_rate: fraction of the generator's learning rate that a cosine schedule ends at. 1 keeps the rate.
        loss: of the critics.
        augmentation: variants of a record inside its shard.
        variety: weight of a public force that drives samples of a class apart, in units of an answer at the clip.
        moving_average: decay of the average of the generator's weights. The average is released.
        centre: public prediction of the answers that is subtracted before the clip. Only sums of critics have one.
        critics_at_once: critics computed together, for speed and memory.
        seed: public. Weights, latents and tapes follow from it, shards, coins and noise never.
    """

    num_critics: int = 1000
    num_steps: int = 20_000
    batch_size: int = 32
    draws_per_step: int = 32
    critics_per_draw: int | None = None
    noise_multiplier: float | None = None
    clip_norm: float = 1.0
    generator: GeneratorConfig = field(default_factory=MLPGeneratorConfig)
    latent: Latent = field(default_factory=NormalLatent)
    stages: tuple[Stage, ...] = (Stage(),)
    critic_batch_size: int = 32
    pool_per_class: int = 32
    fork_steps: int = 5
    renewals_per_step: int = 50
    renewal_steps: int = 1
    critic_adam: Adam = field(default_factory=Adam)
    generator_adam: Adam = field(default_factory=Adam)
    final_learning_rate: float = 1.0
    loss: WassersteinLoss = field(default_factory=WassersteinLoss)
    augmentation: Augmentation = field(default_factory=NoAugmentation)
    variety: float = 0.0
    moving_average: float = 0.999
    centre: Centre = field(default_factory=NoCentre)
    critics_at_once: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("critic_batch_size", "pool_per_class", "critics_at_once"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, got {self.seed}")
        for name in ("fork_steps", "renewals_per_step", "renewal_steps"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not (self.variety >= 0 and math.isfinite(self.variety)):
            raise InputError(f"variety must be 0 or more, got {self.variety}")
        for name in ("final_learning_rate", "moving_average"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if not self.stages:
            raise InputError("stages must name at least one stage")
        if isinstance(self.centre, AbstractTwins):
            self._check_twins()

    def _check_twins(self) -> None:
        if self.critics_per_draw is None:
            raise InputError("centre needs a sum of critics: give critics_per_draw, or take NoCentre")
        if all(isinstance(stage.critic, DistanceCritic) for stage in self.stages):
            raise InputError("centre is for trained critics, and all stages have distance critics: take NoCentre")

    def stage_starts(self) -> tuple[int, ...]:
        """Return the first step of every stage, and the number of steps at the end."""
        total, starts, so_far = sum(stage.share for stage in self.stages), [], 0.0
        for stage in self.stages:
            starts.append(round(self.num_steps * so_far / total))
            so_far += stage.share
        return (*starts, self.num_steps)


def plan(config: GSWGANConfig, slots: PublicSlots) -> OneOfManyPlan | SumOfManyPlan:
    """Return the plan of the settings for a public number of slots: their price, and the source of the run."""
    one_of_many = OneOfManyPlan(
        unit=slots.unit,
        num_slots=slots.number,
        source=slots.source,
        num_critics=config.num_critics,
        num_steps=config.num_steps,
        batch_size=config.batch_size,
        draws_per_step=config.draws_per_step,
        clip_norm=config.clip_norm,
        noise_multiplier=config.noise_multiplier,
    )
    if config.critics_per_draw is None:
        return one_of_many
    critics_per_draw = min(config.critics_per_draw, config.num_critics)
    return SumOfManyPlan(critics_per_draw=critics_per_draw, **vars(one_of_many))
