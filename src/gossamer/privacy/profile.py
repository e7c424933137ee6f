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

    def deltas_at(self, epsilons: Array) -> Array:
        """Return upper bounds on delta at epsilons of any order, (n,) to (n,), each at least 0.

        Between two epsilons of the table the chord counts. The last delta holds for all larger epsilons.
        """
        if self.epsilons.size == 1:
            return np.full(epsilons.shape, self.deltas[0])
        last = np.clip(np.searchsorted(self.epsilons, epsilons, side="right") - 1, 0, self.epsilons.size - 2)
        start, end = self.epsilons[last], self.epsilons[last + 1]
        share = np.clip(np.expm1(np.minimum(epsilons, end) - start) / np.expm1(end - start), 0.0, 1.0)
        return self.deltas[last] + share * (self.deltas[last + 1] - self.deltas[last])


def larger_profile(one: PrivacyProfile, other: PrivacyProfile) -> PrivacyProfile:
    """Return a profile that is at least each of two, at every epsilon of either.

    Guarantee:
        If each is above the profile of one order of the neighbours, the result is above the larger of the two. That one
        is convex, too, so the chords of the result hold.

    Example:
        >>> one = PrivacyProfile(epsilons=np.array([0.0, 1.0]), deltas=np.array([0.4, 0.1]))
        >>> other = PrivacyProfile(epsilons=np.array([0.0, 2.0]), deltas=np.array([0.3, 0.2]))
        >>> larger_profile(one, other).epsilons.tolist()
        [0.0, 1.0, 2.0]
        >>> float(larger_profile(one, other).deltas[-1])
        0.2
    """
    epsilons = np.union1d(one.epsilons, other.epsilons)
    return _falling(epsilons, np.maximum(one.deltas_at(epsilons), other.deltas_at(epsilons)))


def smaller_profile(one: PrivacyProfile, other: PrivacyProfile) -> PrivacyProfile:
    """Return the smaller delta of two profiles of one mechanism, at every epsilon of either.

    Guarantee:
        If both are above one profile, the result is, too. That profile is convex, so the chords of the result hold.
    """
    epsilons = np.union1d(one.epsilons, other.epsilons)
    return _falling(epsilons, np.minimum(one.deltas_at(epsilons), other.deltas_at(epsilons)))


def _falling(epsilons: Array, deltas: Array) -> PrivacyProfile:
    """Return a profile of deltas that fall: rounding could make one smaller than the next, and then it is raised."""
    return PrivacyProfile(epsilons=epsilons, deltas=np.maximum.accumulate(deltas[::-1])[::-1])
