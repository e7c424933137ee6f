"""GS-WGAN: many critics on disjoint shards, and a generator that sees only their sanitized gradients.

Chen, Orekondy, Fritz, "GS-WGAN: a gradient-sanitized approach for learning differentially private generators", NeurIPS
2020; with one secret coin for each group of samples, and with forks that are thrown away in place of critics that
remember having been drawn (docs/concepts/one-of-many.md says why).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from gossamer.data.images import ImageSet
from gossamer.errors import InputError
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.partition import partition_slots
from gossamer.mechanisms.plan import OneOfManyPlan
from gossamer.mechanisms.sampling import CriticTapes, TapeUse, public_stream
from gossamer.mechanisms.sanitizer import GradientSanitizer
from gossamer.methods.augmentation import Augmentation, NoAugmentation
from gossamer.methods.critics import Shards, WassersteinLoss, answers, train_critics
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.methods.warm_start import (
    AgainstPresentGenerator,
    MemoryStore,
    Opponents,
    WarmStart,
    WarmStartChunk,
    WarmStartStore,
)
from gossamer.nn.choices import CriticConfig, GeneratorConfig
from gossamer.nn.ensemble import Adam, Ensemble, concatenate, stack
from gossamer.nn.images.mlp import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.latents import Latent, NormalLatent
from gossamer.nn.spectral_norm import advance
from gossamer.nn.views import View, WholeImage
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of the training in which all critics look through one view.

    Attributes:
        view: public linear view in which critics learn and answer.
        critic: architecture of the critics.
        share: part of the steps that this stage gets; shares need not add up to 1.
        warm_start: how its critics start.
    """

    view: View = field(default_factory=WholeImage)
    critic: CriticConfig = field(default_factory=MLPCriticConfig)
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
        draws_per_step: c, secret coins in a step, a divisor of B; each draw answers B/c samples.
        noise_multiplier: standard deviation of the noise over the sensitivity 2 ``clip_norm``; None until `calibrate`.
        clip_norm: C, bound on an answer's norm.
        generator: architecture of the released network.
        latent: law of its input.
        stages: views and critics, one stage after the other.
        critic_batch_size: pairs of real and synthetic samples in a critic's batch.
        pool_per_class: synthetic samples of each class that critics learn from, drawn anew at every step.
        fork_steps: updates of the copy of a drawn critic before it answers; the copy is thrown away.
        renewals_per_step: critics renewed at every step in turn, whichever were drawn.
        renewal_steps: updates of a renewed critic.
        critic_adam: optimiser of every critic.
        generator_adam: optimiser of the generator.
        final_learning_rate: fraction of the generator's learning rate that a cosine schedule ends at; 1 keeps it.
        loss: of the critics.
        augmentation: variants of a record inside its shard.
        variety: weight of a public force that drives samples of a class apart, in units of an answer at the clip.
        moving_average: decay of the average of the generator's weights, which is what is released.
        critics_at_once: critics computed together, for speed and memory.
        seed: public; weights, latents, shards and tapes follow from it, coins and noise never.
    """

    num_critics: int = 1000
    num_steps: int = 20_000
    batch_size: int = 32
    draws_per_step: int = 32
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
    critics_at_once: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("critic_batch_size", "pool_per_class", "critics_at_once"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("fork_steps", "renewals_per_step", "renewal_steps"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.renewals_per_step > self.num_critics:
            raise InputError(f"renewals_per_step must not exceed num_critics = {self.num_critics}")
        if not (self.variety >= 0 and math.isfinite(self.variety)):
            raise InputError(f"variety must be 0 or more, got {self.variety}")
        for name in ("final_learning_rate", "moving_average"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if not self.stages:
            raise InputError("stages must name at least one stage")

    def stage_starts(self) -> tuple[int, ...]:
        """First step of every stage, and the number of steps at the end."""
        total, starts, so_far = sum(stage.share for stage in self.stages), [], 0.0
        for stage in self.stages:
            starts.append(round(self.num_steps * so_far / total))
            so_far += stage.share
        return (*starts, self.num_steps)


def plan(config: GSWGANConfig, num_slots: int, unit: Unit = Unit.RECORD) -> OneOfManyPlan:
    """What the settings cost, for a public number of slots: the object that the run is then made from."""
    return OneOfManyPlan(
        unit=unit,
        num_slots=num_slots,
        num_critics=config.num_critics,
        num_steps=config.num_steps,
        batch_size=config.batch_size,
        draws_per_step=config.draws_per_step,
        clip_norm=config.clip_norm,
        noise_multiplier=config.noise_multiplier,
    )


def calibrate(config: GSWGANConfig, num_slots: int, budget: PrivacyBudget) -> GSWGANConfig:
    """The same settings with the smallest noise multiplier that keeps within the budget."""
    return replace(config, noise_multiplier=plan(config, num_slots).calibrated(budget).noise_multiplier)


@dataclass(frozen=True, kw_only=True)
class WarmStartReport:
    """A chunk of critics is ready: progress, nothing private."""

    stage: int
    num_ready: int
    num_critics: int


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step is done.

    Attributes:
        step: number of the step, from 0.
        stage: number of its stage.
        answer_norm: mean norm of the sanitized gradients, public.
        critic_loss: mean loss of the critics renewed at this step, private; NaN when none was.
    """

    step: int
    stage: int
    answer_norm: float
    critic_loss: float


class GSWGANTraining:
    """A training that the caller drives: iterate over it, and take the generator at the end.

    >>> # for report in GSWGANTraining(config, images, noise=KeyedNoise(), delta=1e-5): print(report)

    Args:
        config: settings.
        images: private records.
        noise: secret randomness of this process.
        delta: of the statement.
        device: where to compute.
        store: keeps finished warm-start chunks.
        precision: torch.float32, or torch.bfloat16 for training critics and generator; answers are in float32 always.
        public_notes: sentences on public inputs, for the statement.
        state: what `state_dict` returned, to go on from there.
        num_lost_steps: steps charged before and lost in a crash; the run ends so many steps earlier.
        charge: called before every step, to write the ledger.

    Raises:
        InputError: fewer records than critics, or settings that do not fit.
        PrivacyError: settings without a guarantee.
    """

    def __init__(
        self,
        config: GSWGANConfig,
        images: ImageSet,
        noise: AbstractNoise,
        *,
        delta: float,
        device: torch.device | None = None,
        store: WarmStartStore | None = None,
        precision: torch.dtype = torch.float32,
        public_notes: tuple[str, ...] = (),
        state: dict | None = None,
        num_lost_steps: int = 0,
        charge: Callable[[int], None] = lambda step: None,
    ) -> None:
        self.config = config
        self.plan = plan(config, images.num_records)
        # Before anything is spent: settings without an honest statement are refused here.
        self._statement = self.plan.statement(
            delta,
            method="gs-wgan",
            is_secure=noise.is_secure,
            sample_size=max(math.prod(stage.view.shape(images.spec.shape)) for stage in config.stages),
            public_inputs=public_notes,
        )
        self._device = device or torch.device("cpu")
        self._store = store or MemoryStore()
        self._precision = precision
        self._images = images
        self._tapes = CriticTapes(config.seed)
        partition = partition_slots(images.num_records, config.num_critics, config.seed)
        self._table = partition.shard_table(images.y)
        self.recipe = GeneratorRecipe(network=config.generator, latent=config.latent, spec=images.spec)
        self._generator = self.recipe.build(public_stream(config.seed, "generator weights")).to(self._device)
        self._average = {name: tensor.clone() for name, tensor in self._generator.state_dict().items()}
        self._optimiser = torch.optim.Adam(
            self._generator.parameters(),
            lr=config.generator_adam.learning_rate,
            betas=(config.generator_adam.beta1, config.generator_adam.beta2),
            eps=config.generator_adam.stabiliser,
        )
        self.step = 0
        self._critics: Ensemble | None = None
        self._critics_stage: int | None = None
        if state is not None:
            self._restore(state)
        self.end_step = max(self.step, config.num_steps - num_lost_steps)
        self._sanitizer = GradientSanitizer(
            self.plan, noise, next_step=self.step, num_lost_steps=num_lost_steps, charge=charge
        )

    # ---- the iterator -------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[WarmStartReport | StepReport]:
        """Warm starts and steps to the end of the plan, a report after each."""
        starts = self.config.stage_starts()
        for stage, stage_end in enumerate(starts[1:]):
            end = min(stage_end, self.end_step)
            if self.step >= end:
                continue
            shards = self._shards(stage)
            if self._critics_stage != stage:
                yield from self._warm_start(stage, shards)
            while self.step < end:
                yield self._train_step(stage, shards)

    def _train_step(self, stage: int, shards: Shards) -> StepReport:
        step, config = self.step, self.config
        assert self._critics is not None
        view = config.stages[stage].view
        pool = self._pool(view, step)
        critic_loss = self._renew(self._critics, shards, pool, step)
        samples, labels = self._samples(step)
        looked = view.look(samples)

        def ask(coins: Tensor) -> Tensor:
            return self._ask_forks(coins, shards, pool, step, looked.detach(), labels)

        sanitized = self._sanitizer.release(step, ask)
        # Privacy: from here on only `sanitized` and public things are used.
        direction = sanitized / config.clip_norm + config.variety * _apart(looked.detach(), labels, pool)
        self._improve_generator(looked, direction, step)
        self.step += 1
        if self.step in self.config.stage_starts():
            self._critics = None  # Another stage begins: its critics start afresh, also for a caller who stops here.
        norm = float(sanitized.flatten(start_dim=1).norm(dim=1).mean())
        return StepReport(step=step, stage=stage, answer_norm=norm, critic_loss=critic_loss)

    # ---- critics: private -----------------------------------------------------------------------------------------

    def _shards(self, stage: int) -> Shards:
        view, augmentation, x = self.config.stages[stage].view, self.config.augmentation, self._images.x
        variants = [augmentation.variant(x, number, self.config.seed) for number in range(augmentation.num_variants)]
        images = torch.stack([view.look(variant) for variant in variants], dim=1).to(self._device)
        labels = None if self._images.y is None else self._images.y.to(self._device)
        return Shards(images=images, labels=labels, table=self._table, tapes=self._tapes)

    def chunks(self, stage: int) -> list[WarmStartChunk]:
        """The public ranges of critics that are warm-started together."""
        at_once, num_critics = self.config.critics_at_once, self.config.num_critics
        return [
            WarmStartChunk(stage=stage, first=first, last=min(first + at_once, num_critics))
            for first in range(0, num_critics, at_once)
        ]

    def warm_start_part(self, rank: int, num_processes: int) -> Iterator[WarmStartReport]:
        """This process's part of the first stage's warm start: every ``num_processes``-th chunk, kept in the store."""
        shards = self._shards(0)
        for chunk in self.chunks(0)[rank::num_processes]:
            self._warm_chunk(chunk, shards)
            yield WarmStartReport(stage=0, num_ready=chunk.last, num_critics=self.config.num_critics)

    def _warm_start(self, stage: int, shards: Shards) -> Iterator[WarmStartReport]:
        ready = []
        for chunk in self.chunks(stage):
            ready.append(self._warm_chunk(chunk, shards))
            yield WarmStartReport(stage=stage, num_ready=chunk.last, num_critics=self.config.num_critics)
        self._critics, self._critics_stage = concatenate(ready), stage

    def _warm_chunk(self, chunk: WarmStartChunk, shards: Shards) -> Ensemble:
        fresh = self._fresh_critics(chunk)
        kept = self._store.load(chunk)
        if kept is not None:
            return fresh.with_state({name: tensor.to(self._device) for name, tensor in kept.items()})
        stage = self.config.stages[chunk.stage]
        opponents = Opponents(
            shards=shards,
            view=stage.view,
            image_shape=self._images.spec.shape,
            num_classes=self._images.spec.num_classes,
            pool=self._pool(stage.view, self.config.stage_starts()[chunk.stage], times=8),
            batch_size=self.config.critic_batch_size,
            loss=self.config.loss,
            adam=self.config.critic_adam,
            seed=self.config.seed,
        )
        with self._autocast():
            critics = stage.warm_start.train(fresh, chunk.critics(), opponents)
        self._store.save(chunk, critics.state_dict())
        return critics

    def _fresh_critics(self, chunk: WarmStartChunk) -> Ensemble:
        stage, spec = self.config.stages[chunk.stage], self._images.spec
        purpose = f"critic weights of stage {chunk.stage}"
        return stack(
            [
                stage.critic.build(
                    stage.view.shape(spec.shape), spec.num_classes, public_stream(self.config.seed, purpose, critic)
                )
                for critic in range(chunk.first, chunk.last)
            ]
        ).to(self._device)

    def _renew(self, critics: Ensemble, shards: Shards, pool: Tensor, step: int) -> float:
        """Round-robin renewal on a public schedule: which critics learn at a step does not depend on who was drawn."""
        config = self.config
        if not (config.renewals_per_step and config.renewal_steps):
            return math.nan
        turn = (step * config.renewals_per_step + torch.arange(config.renewals_per_step)) % config.num_critics
        losses = []
        for part in turn.split(config.critics_at_once):
            rows = part.to(self._device)
            changed, loss = self._tuned(critics.select(rows), part, shards, pool, TapeUse.RENEWAL, step)
            critics.update_(rows, changed)
            losses.append(loss)
        return float(torch.cat(losses).mean())

    def _ask_forks(
        self, coins: Tensor, shards: Shards, pool: Tensor, step: int, looked: Tensor, labels: Tensor | None
    ) -> Tensor:
        """Copies of the drawn critics, tuned on the present generator, answer and are forgotten.

        The tape of a fork is indexed by critic and step: two groups that drew one critic get the same fork.
        """
        assert self._critics is not None
        points = looked.unflatten(0, (self.config.draws_per_step, -1))
        classes = None if labels is None else labels.view(points.shape[:2])
        found = []
        for group in torch.arange(len(coins)).split(self.config.critics_at_once):
            drawn, rows = coins[group], group.to(self._device)
            forks = self._critics.select(drawn.to(self._device))
            forks, _ = self._tuned(forks, drawn, shards, pool, TapeUse.FORK, step)
            answer = answers(forks, points[rows], None if classes is None else classes[rows])
            # A critic without a record of a class has nothing to say about it: a function of its own shard.
            knows = shards.knows(drawn, None if classes is None else classes[rows])
            found.append(torch.where(knows[:, :, None, None, None], answer, 0.0))
        return torch.cat(found)

    def _tuned(
        self, critics: Ensemble, numbers: Tensor, shards: Shards, pool: Tensor, use: TapeUse, step: int
    ) -> tuple[Ensemble, Tensor]:
        config = self.config
        num_updates = config.fork_steps if use is TapeUse.FORK else config.renewal_steps
        losses = torch.full((len(numbers),), math.nan)
        with self._autocast():
            for batch in shards.batches(
                numbers, pool, use, step, num_batches=num_updates, size=config.critic_batch_size
            ):
                critics, losses = train_critics(critics, batch, config.loss, config.critic_adam)
        return critics, losses

    # ---- generator: public ----------------------------------------------------------------------------------------

    def _pool(self, view: View, step: int, times: int = 1) -> Tensor:
        """Samples of the present generator in the view, (classes, times pool_per_class, channels, height, width)."""
        classes = max(self._images.spec.num_classes, 1)
        labels = torch.arange(classes).repeat_interleave(times * self.config.pool_per_class).to(self._device)
        latent = self.config.latent.draw(len(labels), public_stream(self.config.seed, "pool", step)).to(self._device)
        with torch.no_grad(), self._autocast():
            looked = view.look(self._generator(latent, labels if self._images.spec.num_classes else None).float())
        return looked.unflatten(0, (classes, -1))

    def _samples(self, step: int) -> tuple[Tensor, Tensor | None]:
        """The samples that are answered, with gradients, and their classes: all public ones in turn."""
        rng, num_classes = public_stream(self.config.seed, "samples", step), self._images.spec.num_classes
        latent = self.config.latent.draw(self.config.batch_size, rng).to(self._device)
        labels = None
        if num_classes:
            labels = ((step + torch.arange(self.config.batch_size)) % num_classes).to(self._device)
        advance(self._generator)
        with self._autocast():
            samples = self._generator(latent, labels)
        return samples.float(), labels

    def _improve_generator(self, looked: Tensor, direction: Tensor, step: int) -> None:
        """``theta <- Adam(theta, -1/B sum_i J_i^T g_i)``, g the direction, and the moving average after it."""
        config = self.config
        progress = step / config.num_steps
        decay = config.final_learning_rate + (1 - config.final_learning_rate) * 0.5 * (1 + math.cos(math.pi * progress))
        self._optimiser.param_groups[0]["lr"] = config.generator_adam.learning_rate * decay
        self._optimiser.zero_grad()
        looked.backward(gradient=-direction / config.batch_size)
        self._optimiser.step()
        weight = min(config.moving_average, 1 - 1 / (step + 1))
        for name, tensor in self._generator.state_dict().items():
            self._average[name].lerp_(tensor, 1 - weight)

    def _autocast(self) -> torch.autocast:
        # No cache of casts: what one critic did must not be seen when another answers.
        return torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._precision == torch.bfloat16, cache_enabled=False
        )

    # ---- what is kept and what leaves ------------------------------------------------------------------------------

    def state_dict(self) -> dict:
        """Everything needed to go on, but the key of the noise. Private: it holds critics.

        The tensors are those in use: save or copy them before the next step.
        """
        return {
            "step": self.step,
            "critics": None if self._critics is None else self._critics.state_dict(),
            "critics_stage": self._critics_stage,
            "generator": self._generator.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
        }

    def _restore(self, state: dict) -> None:
        self.step = state["step"]
        self._generator.load_state_dict(state["generator"])
        self._average = {name: tensor.to(self._device, copy=True) for name, tensor in state["average"].items()}
        self._optimiser.load_state_dict(state["optimiser"])
        if state["critics"] is not None:
            self._critics_stage = state["critics_stage"]
            fresh = self._fresh_critics(WarmStartChunk(stage=self._critics_stage, first=0, last=1))
            self._critics = fresh.with_state(
                {key: value.to(self._device, copy=True) for key, value in state["critics"].items()}
            )

    def trained(self) -> TrainedGenerator:
        """The moving average of the generator with its statement, priced as planned whatever the step."""
        return TrainedGenerator(
            recipe=self.recipe,
            weights={name: tensor.detach().cpu().clone() for name, tensor in self._average.items()},
            statement=self._statement,
        )


def _apart(looked: Tensor, labels: Tensor | None, pool: Tensor) -> Tensor:
    """Mean unit vector from other samples of the class to each sample: the gradient of their mean distance. Public.

    Args:
        looked: samples in the view, (B, channels, height, width).
        labels: int64 (B,), or None.
        pool: (classes, p, channels, height, width).
    """
    others = pool[torch.zeros(len(looked), dtype=torch.int64) if labels is None else labels][:, :8]
    away = looked[:, None] - others
    return (away / (away.flatten(start_dim=2).norm(dim=2)[:, :, None, None, None] + 1e-3)).mean(dim=1)
