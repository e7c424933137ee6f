"""The private side of distance critics: they keep nothing, and answer from records of their shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gossamer.mechanisms.one_of_many.tapes import TapeUse
from gossamer.mechanisms.pieces import Pieces
from gossamer.methods.gs_wgan.critics import Shards
from gossamer.methods.gs_wgan.side import NOTHING_RENEWED, AbstractSide, Question
from gossamer.nn.ensemble import Tensors


class DistanceSide(AbstractSide):
    """The private side of distance critics. There is nothing to warm-start, to renew or to keep.

    Args:
        num_records: records that a critic answers from, drawn evenly from its shard.
    """

    def __init__(self, num_records: int) -> None:
        self._num_records = num_records

    def check(self) -> None:
        """Do nothing: distance critics suit every view."""

    def begin(self, shards: Shards, pool: Tensor) -> Iterator[int]:
        """Yield nothing."""
        yield from ()

    def warm_up(self, shards: Shards, pool: Tensor, number: int, kept: Tensors | None) -> None:
        """Do nothing."""

    def warm_for_store(self, shards: Shards, pool: Tensor, number: int) -> None:
        """Do nothing."""

    def renew(self, shards: Shards, pool: Tensor, step: int) -> float:
        """Return NaN."""
        return NOTHING_RENEWED

    def answer(self, shards: Shards, numbers: Tensor, rows: Tensor, question: Question) -> Pieces:
        """Compute the slopes of potentials on records that each critic's tape draws."""
        size = self._num_records
        records, labels = shards.spread(numbers, TapeUse.FORK, question.step, size=size)
        classes = torch.zeros(len(numbers), size, dtype=torch.int64, device=rows.device) if labels is None else labels
        # A critic of an empty shard answers zero, as does every critic about a class that it lacks.
        is_empty = shards.table.is_empty(numbers).to(rows.device)
        pieces = question.asked.pieces(rows, records.flatten(start_dim=2), classes, is_empty)
        return replace(pieces, values=pieces.values.unflatten(-1, question.looked.shape[2:]))

    def state(self) -> Tensors | None:
        """Return None."""
        return None

    def restore(self, tensors: Tensors) -> None:
        """Do nothing: there is no state."""
