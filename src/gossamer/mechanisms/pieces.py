"""Answers that are zero but for a few pieces, which are clipped and added without the zeros."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.mechanisms.clipping import clipped_sums
from gossamer.mechanisms.grid import PublicGrid


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Answers of n critics to r samples of their groups, zero outside a few pieces. Private.

    The samples of a group lie in k blocks, and a piece is the answer to the samples of one block. For critics that
    answer about the classes of their records alone, a block is a class.

    Attributes:
        values: (n, s, m, *shape), the pieces of each critic. Numbers that no sample gets should be zeros: they count in
            the norm, so that the answer is clipped to less than its bound.
        blocks: int64 (n, s), the block of each piece. A piece of no block, k for example, is not added. Of several
            pieces of one block the first alone is.
        places: int64 (c, k, m), public: the samples of each block of each group, in [0, r), each once at most. Where a
            block has fewer than m, r.
        num_samples: r, public.
    """

    values: Tensor
    blocks: Tensor
    places: Tensor
    num_samples: int

    @classmethod
    def whole(cls, answers: Tensor, num_groups: int) -> Pieces:
        """Return answers (n, r, *shape) as one piece each, of a block of all samples."""
        places = torch.arange(answers.shape[1], device=answers.device).expand(num_groups, 1, -1)
        blocks = torch.zeros(len(answers), 1, dtype=torch.int64, device=answers.device)
        return cls(values=answers[:, None], blocks=blocks, places=places, num_samples=answers.shape[1])

    @property
    def vector_shape(self) -> torch.Size:
        """Shape of the answer to one sample."""
        return self.values.shape[3:]

    def check_places(self) -> None:
        """Refuse blocks that share a sample: a critic could then add to it twice, beyond the bound of its answer.

        Raises:
            ValueError: a sample lies in two blocks of its group, or there is no such sample.
        """
        in_order = self.places.flatten(start_dim=1).sort(dim=1).values
        is_shared = (in_order.diff(dim=1) == 0) & (in_order[:, 1:] < self.num_samples)
        if bool(is_shared.any()) or bool(((in_order < 0) | (in_order > self.num_samples)).any()):
            raise ValueError(f"blocks of samples must hold each of {self.num_samples} once at most")

    def no_sums(self) -> Tensor:
        """Return zeros in the shape of `clipped_sums`."""
        num_groups, num_blocks, most = self.places.shape
        shape = (num_groups * num_blocks, most, self.vector_shape.numel())
        return torch.zeros(shape, dtype=torch.int64, device=self.values.device)

    def clipped_sums(self, groups: Tensor, is_included: Tensor, grid: PublicGrid) -> Tensor:
        """Sum the clipped answers for each group and block, over the grid's spacing. See `clipping.clipped_sums`.

        Guarantee: as of that function, for the answer of a critic to its group as one vector, on the condition that
        `check_places` passes. Whatever blocks the pieces name, none adds to a sample twice or to another group.

        Args:
            groups: the group of each critic, int64 (n,), on any device.
            is_included: bool (n,), the critics that count, on any device.
            grid: of the ball of one critic's answer to a group.

        Returns:
            int64 (c k, m, d), with d the numbers of one answer.
        """
        is_included = is_included.to(self.blocks.device)
        rows = torch.where(is_included[:, None], self._rows(groups), -1).flatten()
        num_sums, pieces = self.places.shape[:2].numel(), self.values.flatten(end_dim=1)
        total = clipped_sums([pieces], rows, grid, num_sums=num_sums, together=self.blocks.shape[1])
        return total.unflatten(1, (self.values.shape[2], -1))

    def placed(self, total: Tensor) -> Tensor:
        """Return sums of `clipped_sums` in the order of groups and samples, (c r, *shape)."""
        groups = torch.arange(len(self.places), device=total.device).repeat_interleave(self.places.shape[1])
        placed = self._scattered(total, groups, self.places.flatten(end_dim=1), len(self.places))
        return placed.flatten(end_dim=1).unflatten(1, self.vector_shape)

    def whole_answers(self, groups: Tensor) -> Tensor:
        """Return the answers with their zeros, (n, r, *shape).

        Args:
            groups: the group of each critic, int64 (n,), on any device.
        """
        rows, nowhere = self._rows(groups), torch.tensor(self.num_samples, device=self.places.device)
        places = torch.where(rows[..., None] < 0, nowhere, self.places.flatten(end_dim=1)[rows])
        owners = torch.arange(len(groups), device=rows.device).repeat_interleave(self.blocks.shape[1])
        values = self.values.flatten(start_dim=3).flatten(end_dim=1)
        whole = self._scattered(values, owners, places.flatten(end_dim=1), len(groups))
        return whole.unflatten(2, self.vector_shape)

    def _rows(self, groups: Tensor) -> Tensor:
        """Return the number of each piece's block among those of all groups, int64 (n, s), -1 if it does not count."""
        groups, num_blocks = groups.to(self.blocks.device), self.places.shape[1]
        same = self.blocks[:, :, None] == self.blocks[:, None, :]
        # Privacy: of several pieces of one block the first alone counts. Their sum could leave the ball.
        is_first = ~same.tril(diagonal=-1).any(dim=2)
        counts = is_first & (self.blocks >= 0) & (self.blocks < num_blocks)
        return torch.where(counts, groups[:, None] * num_blocks + self.blocks, -1)

    def _scattered(self, values: Tensor, owners: Tensor, places: Tensor, num_owners: int) -> Tensor:
        """Put values (p, m, d) to their owners' samples, and zeros elsewhere: (owners, r, d)."""
        # The last sample of each owner is no sample.
        rows = owners[:, None] * (self.num_samples + 1) + places
        found = values.new_zeros(num_owners * (self.num_samples + 1), values.shape[2])
        found.index_add_(0, rows.flatten(), values.flatten(end_dim=1))
        return found.unflatten(0, (num_owners, -1))[:, : self.num_samples]


Answers = Tensor | Pieces
"""Answers of critics to the samples of their groups, (n, r, *shape) if they are one tensor. Private."""


def in_pieces(answers: Answers, num_groups: int) -> Pieces:
    """Return answers in pieces, whatever they come in."""
    return answers if isinstance(answers, Pieces) else Pieces.whole(answers, num_groups)


def whole(answers: Answers, groups: Tensor) -> Tensor:
    """Return answers as one tensor, (n, r, *shape), whatever they come in."""
    return answers.whole_answers(groups) if isinstance(answers, Pieces) else answers
