"""The privacy profile of a whole mechanism: delta for every epsilon, as a table that is never below the truth."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PrivacyProfile:
    """Epsilons and deltas that hold at once.

    Guarantee:
        At every epsilon of the table the mechanism's true delta is at most the one beside it. Between two epsilons the
        true delta is at most the chord over e^epsilon, since a profile is convex there.

    Args:
        epsilons: (n,), n at least 1, rising from 0.
        deltas: (n,), falling, in [0, 1].
    """

    epsilons: Array
    deltas: Array

    def epsilon_at(self, delta: float) -> float:
        """Return the smallest epsilon that the table gives at a delta, infinite if the table ends above it.

        Example:
            >>> table = PrivacyProfile(epsilons=np.array([0.0, 1.0, 2.0]), deltas=np.array([0.4, 0.1, 0.01]))
            >>> table.epsilon_at(0.1), table.epsilon_at(0.5), table.epsilon_at(0.001)
            (1.0, 0.0, inf)
        """
        exceeding = np.flatnonzero(self.deltas > delta)
        if exceeding.size == 0:
            return 0.0
        last = int(exceeding[-1])
        if last + 1 == self.deltas.size:
            return math.inf
        start, end = float(self.epsilons[last]), float(self.epsilons[last + 1])
        above, below = float(self.deltas[last]), float(self.deltas[last + 1])
        share = (above - delta) / (above - below)
        return min(end, start + math.log1p(share * math.expm1(end - start)))
