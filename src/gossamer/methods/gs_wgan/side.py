"""The private side of critics by their kind: all that a kind of critics does with the records of its shards."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gossamer.mechanisms.pieces import Answers
from gossamer.methods.gs_wgan.critics import Shards
from gossamer.methods.gs_wgan.distances import Asked
from gossamer.nn.ensemble import Tensors


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """The samples that critics are asked about at a step. All of it is public.

    Attributes:
        looked: samples in the view, (c, B/c, *shape), group after group.
        labels: their classes, int64 (c, B/c), or None.
        pool: samples of the present generator in the view, (classes, p, *shape).
        step: number of the step.
        centre: public prediction of the answers, (c, B/c, *shape), or None.
    """

    looked: Tensor
    labels: Tensor | None
    pool: Tensor
    step: int
    centre: Tensor | None = None

    @cached_property
    def asked(self) -> Asked:
        """The samples as distance critics are asked about them."""
        points = self.looked.flatten(start_dim=2)
        labels = torch.zeros_like(points[..., 0], dtype=torch.int64) if self.labels is None else self.labels
        return Asked(points=points, labels=labels, pool=self.pool.flatten(start_dim=2))


class AbstractSide(abc.ABC):
    """The private side of the critics of one stage.

    Guarantee: critic j's state at a step is a function of its own shard, its tape at (j, step), public things and
    earlier released vectors. Beyond those vectors, draws do not enter the state. Answering changes nothing.
    """

    @abc.abstractmethod
    def check(self) -> None:
        """Refuse at once critics that could not begin, without a look at any record.

        Raises:
            InputError: they do not fit the view or the classes.
        """

    @property
    def asks_each_alone(self) -> bool:
        """True if an answer is computed by itself, so that it cannot depend on its place among others."""
        return False

    @abc.abstractmethod
    def begin(self, shards: Shards, pool: Tensor) -> Iterator[int]:
        """Warm-start all critics, and yield the number of those that are ready.

        Args:
            shards: records in the stage's view.
            pool: public samples of the generator as it stands, in the view, (classes, p, ...).
        """

    @abc.abstractmethod
    def warm_up(self, shards: Shards, pool: Tensor, number: int, kept: Tensors | None) -> None:
        """Warm-start this process's own critics of a chunk, or take them from those that the leader has kept.

        Args:
            shards: as of `begin`.
            pool: as of `begin`.
            number: of the chunk.
            kept: the chunk's critics, from the leader's store. Empty in a helper, which gets its own. None if there are
                none yet.
        """

    @abc.abstractmethod
    def warm_for_store(self, shards: Shards, pool: Tensor, number: int) -> None:
        """Warm-start a chunk by itself, for the store alone, beside a training that may go on in the same folder.

        Args:
            shards: as of `begin`.
            pool: as of `begin`.
            number: of the chunk.
        """

    @abc.abstractmethod
    def renew(self, shards: Shards, pool: Tensor, step: int) -> float:
        """Renew critics in turn on a public schedule, and return their mean loss, private. NaN if none was renewed."""

    @abc.abstractmethod
    def answer(self, shards: Shards, numbers: Tensor, rows: Tensor, question: Question) -> Answers:
        """Ask critics about the samples of their groups.

        Args:
            shards: records in the stage's view.
            numbers: of the asked critics, int64 (n,), on the CPU. Secret.
            rows: the group that each of them answers, int64 (n,), on the device.
            question: samples and pool.

        Returns:
            Gradients (n, B/c, *shape), whole or in pieces: private, for the releaser alone.
        """

    @abc.abstractmethod
    def state(self) -> Tensors | None:
        """Return the tensors in use, None if the critics have no state."""

    @abc.abstractmethod
    def restore(self, tensors: Tensors) -> None:
        """Take up a copy of a state. A helper hands over none, and gets its own critics from the leader."""


NOTHING_RENEWED = math.nan
"""The mean loss of no critic."""
