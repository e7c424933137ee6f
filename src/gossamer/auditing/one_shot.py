"""Audits of one-shot sums: the two contents of a slot that are farthest apart, told apart by a plan's releases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gossamer.auditing.mechanism import Effort, Watch, audits_of, games_by_side, of_games
from gossamer.auditing.result import AuditResult
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.mechanisms.one_shot.contributions import Contribution, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.privacy.adjacency import Adjacency, Unit

NOTE = (
    "All releases of the plan, one after the other, on two data sets that differ in one slot as far as can be. "
    "Nothing is sampled: epsilon is that of Gaussian noise with this mu."
)

_TOO_LONG = 10.0
_MOST_AT_ONCE = 32

_GRID = 2.0**-8
"""Pairs of contents count as equally far apart if their distances differ by no more than the door's grid moves them."""


MakeReleaser = Callable[[OneShotPlan], OneShotReleaser]


def guard_sums(plan: OneShotPlan) -> OneShotReleaser:
    """Make the door of the library, with a key of its own."""
    return OneShotReleaser(plan, KeyedNoise(), gate=StepGate(plan))


@audits_of.register
def _audits_of_sums(plan: OneShotPlan, delta: float, effort: Effort, watch: Watch) -> Sequence[AuditResult]:
    return audit_sums(plan, delta, effort)


def audit_sums(
    plan: OneShotPlan, delta: float, effort: Effort, make: MakeReleaser = guard_sums
) -> tuple[AuditResult, ...]:
    r"""Audit how far releases tell two contents of a slot apart, by the likelihood ratio of Gaussians: all, and each.

    The two contents add :math:`a_i` and :math:`b_i` to release i, and :math:`\tau_i` is the standard deviation of its
    noise as claimed. The statistic is :math:`\sum_i \langle x_i, a_i - b_i \rangle / \tau_i^2`, and each of its terms
    if there are several. Several slots play at once, each in coordinates that the others leave alone.

    Guarantee: let the claim be true and the noise independent over coordinates. Then some bound exceeds its own claim
    with a probability of at most one minus the confidence.

    Args:
        plan: the plan with the claim. People's slots have the price of records' slots: each slot plays one record.
        delta: of the claim.
        effort: games and confidence.
        make: the door for a plan.
    """
    board = _board_of(plan)
    rng = np.random.default_rng(effort.seed)
    rounds = []
    for _ in range(-(-effort.num_games // board.num_at_once)):
        sides = rng.integers(0, 2, size=board.num_at_once)
        rounds.append(np.column_stack([board.play(make(board.plan), sides), sides]))
    scores, is_first = np.concatenate(rounds)[:, :-1], np.concatenate(rounds)[:, -1] > 0
    claims = [("mechanism: one-shot sums", scores.sum(axis=1), plan.sensitivity / plan.noise_std)]
    if len(plan.releases) > 1:
        claims += [
            (f"mechanism: sum {release.name}", scores[:, i], 1 / plan.release_multiplier(i))
            for i, release in enumerate(plan.releases)
        ]
    confidence = 1 - (1 - effort.confidence) / len(claims)
    return tuple(
        of_games(kind, games_by_side(score, is_first), claimed_mu, delta, confidence, NOTE)
        for kind, score, claimed_mu in claims
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """Games of one-shot sums that are played at once.

    Attributes:
        plan: the plan with vectors just wide enough, and the noise of the audited plan.
        contents: for each release, the second and the first content of every slot that plays.
        directions: for each release, the move of the sum when a slot changes from second to first: (slots, size).
    """

    plan: OneShotPlan
    contents: tuple[tuple[Slots, Slots], ...]
    directions: tuple[Tensor, ...]

    @property
    def num_at_once(self) -> int:
        """Slots that play."""
        return len(self.contents[0][0].groups)

    def likelihood_ratio(self, door: OneShotReleaser, sides: np.ndarray) -> np.ndarray:
        """Run the plan once, and compute the log likelihood ratio of the first content for every slot, (slots,)."""
        lengths = [
            (direction.square().sum(dim=1) / self.plan.release_noise_std(step) ** 2).numpy()
            for step, direction in enumerate(self.directions)
        ]
        return self.play(door, sides).sum(axis=1) - np.stack(lengths).sum(axis=0) / 2

    def play(self, door: OneShotReleaser, sides: np.ndarray) -> np.ndarray:
        """Run the plan once, slot s with its first content if ``sides[s]`` is 1: (slots, releases)."""
        return np.stack([self._score(step, door, sides) for step in range(len(self.contents))], axis=1)

    def _score(self, step: int, door: OneShotReleaser, sides: np.ndarray) -> np.ndarray:
        second, first = self.contents[step]
        is_first = torch.from_numpy(sides > 0)
        chosen = Slots(
            vectors=torch.where(is_first[:, None], first.vectors, second.vectors),
            groups=torch.where(is_first, first.groups, second.groups),
        )
        released = door.release(step, [chosen]).double()
        return (self.directions[step] @ released / self.plan.release_noise_std(step) ** 2).numpy()


def _board_of(plan: OneShotPlan) -> Board:
    """Lay out as many slots as may play without meeting."""
    if plan.adjacency is Adjacency.ADD_OR_REMOVE_ONE:
        return coming_or_leaving(plan, min(_MOST_AT_ONCE, plan.num_slots))
    return _any_change(plan)


def coming_or_leaving(plan: OneShotPlan, num: int) -> Board:
    """Lay out slots that are empty or hold a unit that moves the sum the farthest, each in a group of its own.

    Args:
        plan: the plan with the claim.
        num: slots that play.
    """
    small = [replace(release.contribution, dim=1, num_groups=num) for release in plan.releases]
    groups = torch.arange(num)

    def content(contribution: Contribution, length: float) -> Slots:
        return Slots(vectors=torch.full((num, 1), length * contribution.radius, dtype=torch.float64), groups=groups)

    contents = tuple((content(one, math.nan), content(one, _TOO_LONG)) for one in small)
    directions = tuple(_totals(one, first) for one, (_, first) in zip(small, contents, strict=True))
    releases = zip(plan.releases, small, strict=True)
    narrow = tuple(replace(release, contribution=contribution) for release, contribution in releases)
    return Board(plan=replace(plan, unit=Unit.RECORD, releases=narrow), contents=contents, directions=directions)


def _any_change(plan: OneShotPlan) -> Board:
    """Lay out slots with the worst pair of contents: one slot if that pair lies in two groups."""
    whole = (release.contribution for release in plan.releases)
    # Two coordinates and two groups at most have the same bound and sensitivity.
    small = [replace(one, dim=min(one.dim, 2), num_groups=min(one.num_groups, 2)) for one in whole]
    pairs = [worst_pair(contribution) for contribution in small]
    is_apart = all(torch.equal(first.groups, second.groups) for first, second in pairs)
    num = min(_MOST_AT_ONCE, plan.num_slots) if is_apart else 1
    wide = tuple(
        replace(release, contribution=replace(contribution, dim=num * contribution.dim))
        for release, contribution in zip(plan.releases, small, strict=True)
    )
    contents = tuple((_spread(second, num), _spread(first, num)) for first, second in pairs)
    directions = tuple(
        _totals(release.contribution, first) - _totals(release.contribution, second)
        for release, (second, first) in zip(wide, contents, strict=True)
    )
    narrow = replace(plan, unit=Unit.RECORD, releases=wide)
    return Board(plan=narrow, contents=contents, directions=directions)


def _totals(contribution: Contribution, slots: Slots) -> Tensor:
    """Compute the contribution of each row by itself, (rows, size)."""
    rows = zip(slots.vectors, slots.groups, strict=True)
    return torch.stack([contribution.total(Slots(vectors=row[None], groups=group[None])) for row, group in rows])


def _spread(content: Slots, num: int) -> Slots:
    """Spread the content over so many slots, each in coordinates of its own."""
    return Slots(vectors=torch.block_diag(*[content.vectors] * num), groups=content.groups.repeat(num))


def worst_pair(contribution: Contribution) -> tuple[Slots, Slots]:
    """Find two contents of one slot that move the sum the farthest, by trying: the claimed sensitivity is not used.

    Opposite vectors are tried, and vectors at every angle, of one group or of two, all longer than the radius. So is an
    empty slot: a row that is not finite.
    """
    candidates = [(_distance(contribution, pair), pair) for pair in _candidates(contribution)]
    best = max(distance for distance, _ in candidates)
    far = [found for found in candidates if found[0] >= (1 - _GRID) * best]
    # Among equally distant pairs, a pair of a single group is taken: then many slots can play at once.
    of_one_group = [found for found in far if torch.equal(found[1][0].groups, found[1][1].groups)]
    return max(of_one_group or far, key=lambda found: found[0])[1]


def _candidates(contribution: Contribution) -> list[tuple[Slots, Slots]]:
    reach = _TOO_LONG * contribution.radius

    def content(cosine: float, group: int) -> Slots:
        """Return a slot with one vector, too long, at an angle to the first axis. It is empty if the cosine is nan."""
        vector = torch.zeros(1, contribution.dim, dtype=torch.float64)
        vector[0, 0] = reach * cosine
        if contribution.dim > 1:
            vector[0, 1] = reach * math.sqrt(max(0.0, 1 - cosine**2))
        return Slots(vectors=vector, groups=torch.tensor([group]))

    cosines = np.linspace(-1, 1, 201) if contribution.dim > 1 else np.array([-1.0, 1.0])
    groups = range(min(2, contribution.num_groups))
    others = [content(float(cosine), group) for group in groups for cosine in cosines]
    return [(content(1.0, 0), other) for other in [*others, content(math.nan, 0)]]


def _distance(contribution: Contribution, pair: tuple[Slots, Slots]) -> float:
    first, second = (contribution.total(content) for content in pair)
    return float((first - second).norm())
