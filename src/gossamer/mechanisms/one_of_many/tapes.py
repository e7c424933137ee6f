"""Random tapes of the critics, indexed by critic and step. They are not secret."""

from __future__ import annotations

import enum

import numpy as np
import torch
from torch import Tensor

from gossamer.privacy.keystream import Keystream, key_from_seed, unit_interval


class TapeUse(enum.IntEnum):
    """Purpose of a stretch of a critic's tape. Each use has numbers of its own."""

    WARM_START = 1
    FORK = 2
    RENEWAL = 3


class CriticTapes:
    """One random tape for each critic, addressed by (use, critic, step).

    Guarantee: the numbers of critic j at step t depend on j, t and the public seed alone, not on draws and not on data.
    The tapes are independent of coins and noise. Two groups that drew the same critic read the same tape, as the
    theorem of the one-of-many mechanism asks.

    Args:
        seed: public.
    """

    def __init__(self, seed: int) -> None:
        self._stream = Keystream(key_from_seed(seed, "critic tapes"))

    def uniform(self, use: TapeUse, critics: Tensor, step: int, count: int) -> Tensor:
        """Return uniform numbers for each of the critics.

        Args:
            use: purpose of the numbers.
            critics: int64 (c,).
            step: number of the step.
            count: numbers for each critic.

        Returns:
            float64 (c, count) in [0, 1), on the CPU.
        """
        critic = critics.cpu().numpy().astype(np.uint64)[:, None]
        high = (np.uint64(use) << np.uint64(48)) | np.uint64(step)
        low = (critic << np.uint64(32)) | np.arange((count + 1) // 2, dtype=np.uint64)
        words = self._stream.words(high, low).reshape(len(critics), -1)[:, :count]
        return torch.from_numpy(unit_interval(words))
