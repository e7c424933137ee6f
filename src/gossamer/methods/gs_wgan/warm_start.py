"""The learning of critics before the first answer, chunk by chunk, so that it can be interrupted and shared out."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.tapes import TapeUse
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.gs_wgan.critics import Shards, WassersteinLoss, train_critics
from gossamer.nn.ensemble import Ensemble, Tensors, adam_step, differentiable, gradients, outputs, stack
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.settings import Adam
from gossamer.nn.views import AbstractView


@dataclass(frozen=True, kw_only=True, order=True)
class WarmStartChunk:
    """A public range of critics of one stage, warm-started together.

    Attributes:
        stage: number of the stage.
        first: first critic.
        last: one past the last critic.
    """

    stage: int
    first: int
    last: int

    @property
    def name(self) -> str:
        """Name of the chunk in a store."""
        return f"stage-{self.stage}-critics-{self.first:06d}-{self.last:06d}"

    def critics(self) -> Tensor:
        """Return the numbers of its critics, int64."""
        return torch.arange(self.first, self.last)


@dataclass(frozen=True, kw_only=True, eq=False)
class Opponents:
    """The sources that a chunk may learn from: its shards, and public random numbers.

    Attributes:
        shards: private records.
        view: of the stage.
        sample_shape: of a whole sample.
        num_classes: 0 without labels.
        pool: public samples of the generator as it stands, in the view, (classes, p, ...).
        batch_size: pairs in a batch.
        loss: of the critics.
        adam: of the critics.
        seed: public.
    """

    shards: Shards
    view: AbstractView
    sample_shape: tuple[int, ...]
    num_classes: int
    pool: Tensor
    batch_size: int
    loss: WassersteinLoss
    adam: Adam
    seed: int


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
        batches = opponents.shards.batches(
            numbers,
            opponents.pool,
            TapeUse.WARM_START,
            0,
            num_batches=self.num_updates,
            size=opponents.batch_size,
        )
        for batch in batches:
            critics, _ = train_critics(critics, batch, opponents.loss, opponents.adam)
        return critics


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
        # Privacy: these generators see gradients without noise, and nothing of them is returned or kept.
        generators = self._generators(numbers, opponents)
        for step in range(self.num_updates):
            latent, label = self._inputs(step, opponents)
            with torch.no_grad():
                pool = self._look(generators, generators.parameters, latent, label, opponents)
            classes = max(opponents.num_classes, 1)
            pool = pool.unflatten(1, (classes, -1))
            for batch in opponents.shards.batches(
                numbers, pool, TapeUse.WARM_START, step, num_batches=1, size=opponents.batch_size
            ):
                critics, _ = train_critics(critics, batch, opponents.loss, opponents.adam)
            if (step + 1) % self.updates_per_generator_update == 0:
                generators = self._improve(generators, critics, latent, label, opponents)
        return critics

    def _generators(self, numbers: Tensor, opponents: Opponents) -> Ensemble:
        architecture = MLPGeneratorConfig(hidden_sizes=(self.hidden, self.hidden))
        networks: list[nn.Module] = [
            architecture.build(
                opponents.sample_shape,
                opponents.num_classes,
                10,
                public_stream(opponents.seed, "own generator", int(k)),
            )
            for k in numbers
        ]
        return stack(networks).to(opponents.shards.images.device)

    def _inputs(self, step: int, opponents: Opponents) -> tuple[Tensor, Tensor | None]:
        classes = max(opponents.num_classes, 1)
        per_class = max(1, -(-opponents.batch_size // classes))
        device = opponents.shards.images.device
        latent = torch.randn(classes * per_class, 10, generator=public_stream(opponents.seed, "own latents", step))
        label = torch.arange(classes).repeat_interleave(per_class).to(device) if opponents.num_classes else None
        return latent.to(device), label

    @staticmethod
    def _look(
        generators: Ensemble, parameters: Tensors, latent: Tensor, label: Tensor | None, opponents: Opponents
    ) -> Tensor:
        num = generators.num_networks
        labels = None if label is None else label.expand(num, -1)
        images = outputs(generators, parameters, latent.expand(num, -1, -1), labels)
        return opponents.view.apply(images.flatten(end_dim=1)).unflatten(0, (num, -1))

    def _improve(
        self, generators: Ensemble, critics: Ensemble, latent: Tensor, label: Tensor | None, opponents: Opponents
    ) -> Ensemble:
        parameters = differentiable(generators.parameters)
        looked = self._look(generators, parameters, latent, label, opponents)
        labels = None if label is None else label.expand(generators.num_networks, -1)
        losses = -outputs(critics, critics.parameters, looked, labels).mean(dim=1)
        return adam_step(generators, gradients(losses, parameters), opponents.adam)


WarmStart = AgainstPresentGenerator | AgainstOwnGenerator
