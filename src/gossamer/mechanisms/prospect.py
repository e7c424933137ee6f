"""What a price can buy at a number of slots: the longest possible signal beside the noise. All of it is public."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dp_accounting import DpEvent

from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.privacy.accounting import calibrate_noise_multiplier
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import gaussian_event

WINDOW_STEPS = 100
"""Steps over which noise may average out while the signal still points the same way: the memory of an optimiser."""
CLEAR_RATIO = 10.0
"""Below it what DP-mixture drew looked like noise in the cases that were tried (docs/experiments.md, few records)."""
LEAST_SLOTS_A_CRITIC = 3
"""Slots of the smallest shards with which any recipe here learns: a critic of one slot knows nothing but that slot."""


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What can be hoped for. A function of public settings: no record is looked at.

    Attributes:
        ratio: length of the longest possible signal over the length of the noise. Below 1 the noise is the longer,
            whatever the data: little can be learnt, since only a part of long noise lies along the signal. Above 1
            something may be: it is a bound and no forecast.
        num_slots: public number of slots.
        num_slots_needed: from about how many slots on, with these settings and this budget, the ratio is 1 and every
            critic has slots enough.
    """

    ratio: float
    num_slots: int
    num_slots_needed: int

    @property
    def is_hopeless(self) -> bool:
        """Whether these settings can teach little at best at this number of slots."""
        return self.ratio < 1 or self.num_slots < self.num_slots_needed


def prospect(plan: OneShotPlan | OneOfManyPlan | PoissonPlan, budget: PrivacyBudget, sample_size: int) -> Prospect:
    r"""Signal and noise of a plan.

    One-shot sums: a class of average size, :math:`n / G` slots that all add the same vector of the largest norm,
    against the norm :math:`s \sqrt{d}` of the noise on its d numbers, for matrices :math:`s \sqrt{2 d}`, both in the
    spectral norm; the worst of the releases. Trainings: the updates of `WINDOW_STEPS` steps, all of the largest norm
    and in one direction, against the noise of as many.

    How many slots would do follows for sums from the ratio, which grows as n. For trainings the noise at which the
    ratio is 1 is put into the central limit theorem of composition, :math:`\mu = q \sqrt{T (e^{1/\sigma^2} - 1)}`,
    solved for the rate q: near enough for advice, and no part of any claim.

    Args:
        plan: with its noise.
        budget: what it spends.
        sample_size: coordinates of one released vector of a training.

    References: Bu, Dong, Long, Su 2020, "Deep learning with Gaussian differential privacy", for the limit.
    """
    if isinstance(plan, OneShotPlan):
        return _of_sums(plan)
    if isinstance(plan, PoissonPlan):
        return _of_samples(plan, budget, sample_size)
    return _of_critics(plan, budget, sample_size)


def _of_sums(plan: OneShotPlan) -> Prospect:
    ratios = []
    for step, release in enumerate(plan.releases):
        sums = release.contribution
        ratios.append(plan.num_slots / sums.num_groups * sums.clarity / plan.release_noise_std(step))
    ratio = min(ratios)
    return Prospect(ratio=ratio, num_slots=plan.num_slots, num_slots_needed=math.ceil(plan.num_slots / ratio))


def _of_critics(plan: OneOfManyPlan, budget: PrivacyBudget, sample_size: int) -> Prospect:
    largest = math.sqrt(min(plan.num_steps, WINDOW_STEPS) * plan.batch_size / sample_size) / 2
    a_draw = largest / math.sqrt(plan.batch_size / plan.draws_per_step)
    num_critics = math.ceil(1 / _rate(a_draw, plan.num_steps * plan.draws_per_step, budget))
    return Prospect(
        ratio=largest * plan.sensitivity / plan.noise_std,
        num_slots=plan.num_slots,
        num_slots_needed=LEAST_SLOTS_A_CRITIC * num_critics,
    )


def _of_samples(plan: PoissonPlan, budget: PrivacyBudget, sample_size: int) -> Prospect:
    largest = math.sqrt(min(plan.num_steps, WINDOW_STEPS) / sample_size) * plan.expected_batch_size
    rate = _rate(largest, plan.num_steps, budget)
    return Prospect(
        ratio=largest * plan.sensitivity / plan.noise_std,
        num_slots=plan.num_slots,
        num_slots_needed=math.ceil(plan.expected_batch_size / rate),
    )


def _rate(noise_multiplier: float, num_draws: int, budget: PrivacyBudget) -> float:
    """The sampling rate, at most 1, at which so many draws with this noise keep about within the budget."""
    # The Gaussian with the budget's curve stands for all draws together.
    together = 1 / calibrate_noise_multiplier(_gaussian, budget).noise_multiplier
    spread = math.sqrt(num_draws * math.expm1(min(700.0, noise_multiplier**-2)))
    return min(1.0, together / spread)


def _gaussian(noise_multiplier: float) -> DpEvent:
    return gaussian_event(noise_multiplier=noise_multiplier)
