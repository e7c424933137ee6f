"""The learning of critics: the Wasserstein loss with gradient penalty, on shards, many critics at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gossamer.mechanisms.one_of_many.partition import ShardTable
from gossamer.mechanisms.one_of_many.tapes import CriticTapes, TapeUse
from gossamer.methods.gs_wgan.settings import WassersteinLoss
from gossamer.nn.ensemble import (
    Ensemble,
    Tensors,
    adam_step,
    differentiable,
    gradients,
    outputs,
    scores_and_slopes,
)
from gossamer.nn.settings import Adam
from gossamer.nn.spectral_norm import advanced_buffers


@dataclass(frozen=True, kw_only=True, eq=False)
class CriticBatch:
    """One batch for each of c critics, real and synthetic samples paired by class. Private: it holds records.

    Attributes:
        real: (c, n, *shape of the view).
        synthetic: (c, n, *shape of the view).
        labels: int64 (c, n), of the real and of the synthetic sample alike, or None.
        mix: (c, n, 1, ...) in [0, 1), place of the penalised points.
    """

    real: Tensor
    synthetic: Tensor
    labels: Tensor | None
    mix: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Shards:
    """The records as the critics of one stage see them, dealt to shards. Private.

    Attributes:
        images: (records, variants, *shape), in the stage's view, on the training device.
        labels: int64 (records,), or None.
        table: records of each shard, on the CPU.
        tapes: the critics' tapes.
    """

    images: Tensor
    labels: Tensor | None
    table: ShardTable
    tapes: CriticTapes

    def batches(
        self, critics: Tensor, pool: Tensor, use: TapeUse, step: int, *, num_batches: int, size: int
    ) -> Iterator[CriticBatch]:
        """Yield batches for each critic: records of its own shard, each with a synthetic sample of the same class.

        Guarantee: entry j of every batch is a function of critic j's shard, of the pool, of j, ``use`` and ``step``
        alone. The pool must be public, or critic j's part of it its own.

        Args:
            critics: int64 (c,), on the CPU.
            pool: synthetic samples in the view, (classes, p, ...) shared by all critics. Or (c, classes, p, ...), a
                pool for each critic. There is one class if there are no labels.
            use: purpose of the numbers on the tape.
            step: number of the step on the tape.
            num_batches: batches to draw.
            size: number n of pairs in a batch.
        """
        device = self.images.device
        uniform = self.tapes.uniform(use, critics, step, num_batches * 4 * size)
        uniform = uniform.view(len(critics), num_batches, 4, size)
        shared = pool.dim() == self.images.dim()
        own = torch.zeros(len(critics), 1, dtype=torch.int64) if shared else torch.arange(len(critics))[:, None]
        pools = pool.unsqueeze(0) if shared else pool
        for numbers in uniform.unbind(dim=1):
            draw, variant, choice, mix = numbers.unbind(dim=1)
            records = self.table.select(critics, draw.contiguous()).to(device)
            labels = None if self.labels is None else self.labels[records]
            sample = (choice * pools.shape[2]).long().to(device)
            yield CriticBatch(
                real=self.images[records, (variant * self.images.shape[1]).long().to(device)],
                synthetic=pools[own.to(device), torch.zeros_like(sample) if labels is None else labels, sample],
                labels=labels,
                mix=mix.float().to(device).view(*mix.shape, *(1,) * (self.images.dim() - 2)),
            )

    def spread(self, critics: Tensor, use: TapeUse, step: int, *, size: int) -> tuple[Tensor, Tensor | None]:
        """Draw records spread evenly over each critic's shard: every one of a shard of ``size`` alike records once.

        Guarantee: row j of the result is a function of critic j's shard, of j, ``use`` and ``step`` alone.

        Args:
            critics: int64 (c,), on the CPU.
            use: purpose of the numbers on the tape.
            step: number of the step on the tape.
            size: number n of records, public.

        Returns:
            Records in the view (c, n, *shape), and their labels, int64 (c, n), or None. Private.
        """
        uniform = self.tapes.uniform(use, critics, step, 1 + size)
        places = (uniform[:, :1] + torch.arange(size, dtype=torch.float64)) / size
        records = self.table.select(critics, places).to(self.images.device)
        variant = (uniform[:, 1:] * self.images.shape[1]).long().to(self.images.device)
        return self.images[records, variant], None if self.labels is None else self.labels[records]

    def knows(self, critics: Tensor, labels: Tensor | None) -> Tensor:
        """Mark the questions about a class that the critic's shard holds (about any record, without classes): bool.

        Args:
            critics: int64 (c,), on the CPU.
            labels: int64 (c, n), or None.

        Returns:
            (c, n), or (c, 1) without labels. Private: for use in the answers alone, before they are clipped.
        """
        if labels is None or self.labels is None:
            return ~self.table.is_empty(critics)[:, None].to(self.images.device)
        present = self.table.present(critics)
        classes = self.labels.cpu()[self.table.records[critics]]
        asked = labels.cpu()[:, :, None] == classes[:, None, :]
        return (asked & present[:, None, :]).any(dim=2).to(self.images.device)


def wasserstein_losses(loss: WassersteinLoss, critics: Ensemble, parameters: Tensors, batch: CriticBatch) -> Tensor:
    """Compute the loss of every critic on its own batch: (K,). See `WassersteinLoss`."""
    num_real = batch.real.shape[1]
    labels = None if batch.labels is None else batch.labels.repeat(1, 2)
    scored = torch.cat([batch.real, batch.synthetic], dim=1), labels
    between = torch.lerp(batch.synthetic, batch.real, batch.mix)
    scores, slope = scores_and_slopes(critics, parameters, scored, (between, batch.labels))
    real_score, synthetic_score = scores[:, :num_real], scores[:, num_real:]
    wasserstein = synthetic_score.mean(dim=1) - real_score.mean(dim=1) + loss.drift * real_score.square().mean(dim=1)
    return wasserstein + loss.gradient_penalty * _penalty(slope.to(between.dtype))


def _penalty(slope: Tensor) -> Tensor:
    # The small constant keeps the second derivative finite where a slope is zero.
    norm = (slope.flatten(start_dim=2).square().sum(dim=2) + 1e-12).sqrt()
    return (norm - 1).square().mean(dim=1)


def train_critics(critics: Ensemble, batch: CriticBatch, loss: WassersteinLoss, adam: Adam) -> tuple[Ensemble, Tensor]:
    """Update every critic once on its own batch.

    Guarantee: row j of the result depends on row j of the arguments alone: no statistic, scale, norm or decision is
    shared between critics.

    Returns:
        The critics after the update, and their losses before it (c,), which are private.
    """
    # Power iteration happens here, in training, and never when a critic answers.
    critics = advance_norms(critics)
    parameters = differentiable(critics.parameters)
    losses = wasserstein_losses(loss, critics, parameters, batch)
    return adam_step(critics, gradients(losses, parameters), adam), losses.detach()


def advance_norms(critics: Ensemble) -> Ensemble:
    """Take one power iteration in every spectrally normalised layer. Without such layers nothing changes."""
    if not critics.buffers:
        return critics
    return replace(critics, buffers=advanced_buffers(critics.template, critics.parameters, critics.buffers))


def answers(critics: Ensemble, samples: Tensor, labels: Tensor | None) -> Tensor:
    """Compute the critics' gradients at the generator's samples, ``dD_j/dx``: unbounded, private until sanitized.

    Answering is pure: no weight, buffer or stream changes. Every critic is asked at the same shape, in float32 with
    deterministic kernels, so that rounding in one answer cannot depend on another.

    Args:
        critics: c networks, one for each group.
        samples: (c, n, *shape of the view) in the stage's view.
        labels: int64 (c, n), or None.

    Returns:
        (c, n, *shape of the view).
    """
    points = samples.detach().clone().requires_grad_()
    with torch.autocast(points.device.type, enabled=False), _exact_float32():
        scores = outputs(critics, critics.parameters, points, labels)
        (slope,) = torch.autograd.grad(scores.sum(), points)
    return slope


@contextlib.contextmanager
def _exact_float32() -> Iterator[None]:
    """Use float32 without TF32, and deterministic kernels, whatever the caller's settings are."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
