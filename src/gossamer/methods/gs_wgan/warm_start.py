"""The learning of critics before the first answer, chunk by chunk, so that it can be interrupted and shared out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.mechanisms.one_of_many.tapes import TapeUse
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.gs_wgan.critics import Shards, train_critics
from gossamer.methods.gs_wgan.settings import AgainstOwnGenerator, AgainstPresentGenerator, WassersteinLoss
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


def against_present(
    config: AgainstPresentGenerator, critics: Ensemble, numbers: Tensor, opponents: Opponents
) -> Ensemble:
    """Return critics after a warm start by `AgainstPresentGenerator`."""
    batches = opponents.shards.batches(
        numbers,
        opponents.pool,
        TapeUse.WARM_START,
        0,
        num_batches=config.num_updates,
        size=opponents.batch_size,
    )
    for batch in batches:
        critics, _ = train_critics(critics, batch, opponents.loss, opponents.adam)
    return critics


def against_own(config: AgainstOwnGenerator, critics: Ensemble, numbers: Tensor, opponents: Opponents) -> Ensemble:
    """Return critics after a warm start by `AgainstOwnGenerator`."""
    # Privacy: these generators see gradients without noise, and nothing of them is returned or kept.
    generators = _generators(config, numbers, opponents)
    for step in range(config.num_updates):
        latent, label = _inputs(step, opponents)
        with torch.no_grad():
            pool = _look(generators, generators.parameters, latent, label, opponents)
        classes = max(opponents.num_classes, 1)
        pool = pool.unflatten(1, (classes, -1))
        for batch in opponents.shards.batches(
            numbers, pool, TapeUse.WARM_START, step, num_batches=1, size=opponents.batch_size
        ):
            critics, _ = train_critics(critics, batch, opponents.loss, opponents.adam)
        if (step + 1) % config.updates_per_generator_update == 0:
            generators = _improve(generators, critics, latent, label, opponents)
    return critics


def _generators(config: AgainstOwnGenerator, numbers: Tensor, opponents: Opponents) -> Ensemble:
    architecture = MLPGeneratorConfig(hidden_sizes=(config.hidden, config.hidden))
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


def _inputs(step: int, opponents: Opponents) -> tuple[Tensor, Tensor | None]:
    classes = max(opponents.num_classes, 1)
    per_class = max(1, -(-opponents.batch_size // classes))
    device = opponents.shards.images.device
    latent = torch.randn(classes * per_class, 10, generator=public_stream(opponents.seed, "own latents", step))
    label = torch.arange(classes).repeat_interleave(per_class).to(device) if opponents.num_classes else None
    return latent.to(device), label


def _look(
    generators: Ensemble, parameters: Tensors, latent: Tensor, label: Tensor | None, opponents: Opponents
) -> Tensor:
    num = generators.num_networks
    labels = None if label is None else label.expand(num, -1)
    images = outputs(generators, parameters, latent.expand(num, -1, -1), labels)
    return opponents.view.apply(images.flatten(end_dim=1)).unflatten(0, (num, -1))


def _improve(
    generators: Ensemble, critics: Ensemble, latent: Tensor, label: Tensor | None, opponents: Opponents
) -> Ensemble:
    parameters = differentiable(generators.parameters)
    looked = _look(generators, parameters, latent, label, opponents)
    labels = None if label is None else label.expand(generators.num_networks, -1)
    losses = -outputs(critics, critics.parameters, looked, labels).mean(dim=1)
    return adam_step(generators, gradients(losses, parameters), opponents.adam)
