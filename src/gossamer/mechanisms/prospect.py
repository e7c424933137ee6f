"""The longest possible signal beside the noise: the gain that a price can buy at a number of slots. All is public."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dp_accounting.dp_event import DpEvent

from gossamer.privacy.accounting import calibrate_noise_multiplier
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import gaussian_event

WINDOW_STEPS = 100
"""Steps over which noise may average out while the signal still points the same way: the memory of an optimiser."""
CLEAR_RATIO = 10.0
"""Ratio of one-shot sums below which some of the records tried gave noise (docs/concepts/verdict.md)."""
LEAST_SLOTS_A_CRITIC = 3
"""Slots of the smallest shards with which any recipe here learns: a critic of one slot knows nothing but that slot."""


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """The best result that settings allow. It is a function of public settings: no record is looked at.

    Attributes:
        ratio: length of the longest possible signal over the length of the noise. Below 1 the noise is longer for any
            data: little can be learnt, since only a part of long noise lies along the signal. Above 1 something may be
            learnt: the ratio is a bound and no forecast.
        num_slots: public number of slots.
        num_slots_needed: rough number of slots from which, with these settings and this budget, the ratio is 1 and
            every critic has slots enough.
        clear_ratio: ratio below which some of the records tried gave noise. 1 if nothing was measured.
    """

    ratio: float
    num_slots: int
    num_slots_needed: int
    clear_ratio: float = 1.0

    @property
    def is_hopeless(self) -> bool:
        """True if these settings can teach little at best at this number of slots."""
        return self.ratio < 1 or self.num_slots < self.num_slots_needed


def affordable_rate(noise_multiplier: float, num_draws: int, budget: PrivacyBudget) -> float:
    r"""Estimate the sampling rate, at most 1, at which so many draws with this noise keep within a budget.

    The noise is put into the central limit theorem of composition, :math:`\mu = q \sqrt{T (e^{1/\sigma^2} - 1)}`, and
    the rate q is solved for. It is near enough for advice, and no part of any claim.

    References: Bu, Dong, Long, Su 2020, "Deep learning with Gaussian differential privacy", for the limit.
    """
    # The Gaussian with the budget's curve stands for all draws together.
    together = 1 / calibrate_noise_multiplier(_gaussian, budget).noise_multiplier
    spread = math.sqrt(num_draws * math.expm1(min(700.0, noise_multiplier**-2)))
    return min(1.0, together / spread)


def _gaussian(noise_multiplier: float) -> DpEvent:
    return gaussian_event(noise_multiplier=noise_multiplier)
