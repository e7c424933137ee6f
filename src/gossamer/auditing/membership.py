"""Membership inference: do training records lie closer to a generator's records than records that it never saw?"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gossamer.auditing.bounds import proportion_bounds
from gossamer.errors import InputError
from gossamer.extras import from_extra
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.mechanisms.jobs import perform_in_order

Floats = NDArray[np.floating]

WARNING = (
    "Passing this proves nothing: a leak that these two attacks do not look for stays unseen. What protects is the "
    "guarantee in the privacy statement. These figures saw private records and are not covered by it."
)

_LEAST = 20
_NUM_DIRECTIONS = 16
_NEIGHBOUR = 5
_FALSE_ALARMS = 0.01


@dataclass(frozen=True, kw_only=True)
class AttackScore:
    """The success of one attack at telling members from others.

    Attributes:
        name: of the attack.
        auc: probability that a member scores above another record. 0.5 is chance.
        low: lower end of the interval of `auc`.
        high: upper end.
        caught: share of members recognised while one in a hundred of the others is taken for a member.
        caught_low: lower end of the interval of `caught`. The threshold counts as given.
        caught_high: upper end.
    """

    name: str
    auc: float
    low: float
    high: float
    caught: float
    caught_low: float
    caught_high: float


def attack_by_distance(records: Floats, synthetic: Floats, reference: Floats) -> Floats:
    """Score records by their distance to the nearest synthetic record, beside the nearest reference record.

    The score is ``log d(x, reference) - log d(x, synthetic)``: records that are near to everything are no sign.

    Args:
        records: (n, d), to be scored.
        synthetic: (m, d).
        reference: (r, d), real records that are neither members nor scored.

    Returns:
        (n,), large speaks for a member.

    References: Chen, Yu, Zhang, Fritz 2020, "GAN-Leaks" (calibrated distance).
    """
    return _log_distance(records, reference, 1) - _log_distance(records, synthetic, 1)


def attack_by_density_ratio(records: Floats, synthetic: Floats, reference: Floats) -> Floats:
    """Score records by the synthetic records' density over the reference records', by distances to fifth neighbours.

    Both densities are estimated in the first principal directions of the synthetic records. Arguments and result are as
    of `attack_by_distance`.

    References: van Breugel, Sun, Qian, van der Schaar 2023, "Membership inference attacks against synthetic data
        through overfitting detection".
    """
    with from_extra("evaluate", "an attack on members"):
        from sklearn.decomposition import PCA

    num_directions = min(_NUM_DIRECTIONS, synthetic.shape[1], len(synthetic) - 1)
    directions = PCA(n_components=num_directions, svd_solver="full").fit(synthetic.astype(np.float64))
    seen, made, others = (directions.transform(part.astype(np.float64)) for part in (records, synthetic, reference))
    return num_directions * (_log_distance(seen, others, _NEIGHBOUR) - _log_distance(seen, made, _NEIGHBOUR))


ATTACKS: tuple[tuple[str, Callable[[Floats, Floats, Floats], Floats]], ...] = (
    ("distance", attack_by_distance),
    ("density ratio", attack_by_density_ratio),
)


def infer_membership(
    members: Floats,
    held_out: Floats,
    synthetic: Floats,
    confidence: float,
    seed: int = 0,
    crew: AbstractCrew = ALONE,
) -> tuple[AttackScore, ...]:
    """Run both attacks on equal numbers of members and held-out records. The other held-out ones are the reference.

    Args:
        members: (n, ...), training records.
        held_out: (h, ...), of the same law, seen by no training.
        synthetic: (m, ...), drawn from the generator.
        confidence: of the intervals.
        seed: of the choice of records.
        crew: the processes of this command, which share the attacks.

    Raises:
        InputError: too few records, or of different shapes.
    """
    members, held_out, synthetic = (part.reshape(len(part), -1) for part in (members, held_out, synthetic))
    if not members.shape[1] == held_out.shape[1] == synthetic.shape[1]:
        raise InputError("members, held-out and synthetic records have different shapes: name records of one kind")
    size = min(len(members), len(held_out) // 2)
    if size < _LEAST or len(synthetic) < _LEAST:
        raise InputError(
            f"a membership score needs {_LEAST} members, {2 * _LEAST} held-out and {_LEAST} synthetic records at least"
        )
    rng = np.random.default_rng(seed)
    chosen, others = members[rng.permutation(len(members))[:size]], held_out[rng.permutation(len(held_out))]
    reference, outside = others[size:], others[:size]
    jobs = [(attack, part, synthetic, reference) for _, attack in ATTACKS for part in (chosen, outside)]
    found = iter(perform_in_order(crew, operator.call, jobs))
    return tuple(score_attack(name, next(found), next(found), confidence) for name, _ in ATTACKS)


def score_attack(name: str, members: Floats, others: Floats, confidence: float) -> AttackScore:
    """Compute the area under the curve with DeLong's interval, and members caught at one false alarm in a hundred.

    Args:
        name: of the attack.
        members: (n,), scores, large for members.
        others: (m,).
        confidence: of the intervals.

    References: DeLong, DeLong, Clarke-Pearson 1988.
    """
    auc, error = _area(members, others)
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * error
    num_caught = int((members > np.quantile(others, 1 - _FALSE_ALARMS, method="higher")).sum())
    caught_low, caught_high = proportion_bounds(num_caught, len(members), (1 - confidence) / 2)
    return AttackScore(
        name=name,
        auc=auc,
        low=max(0.0, auc - reach),
        high=min(1.0, auc + reach),
        caught=num_caught / len(members),
        caught_low=float(caught_low),
        caught_high=float(caught_high),
    )


def _area(members: Floats, others: Floats) -> tuple[float, float]:
    """Compute the area under the curve and its standard error, ties counted half."""
    ranks = stats.rankdata(np.concatenate([members, others]))
    n, m = len(members), len(others)
    above = (ranks[:n] - stats.rankdata(members)) / m
    below = 1 - (ranks[n:] - stats.rankdata(others)) / n
    variance = float(above.var(ddof=1)) / n + float(below.var(ddof=1)) / m
    return float(above.mean()), variance**0.5


def _log_distance(records: Floats, to: Floats, neighbour: int) -> Floats:
    """Compute the log distance to a nearest neighbour. A copy counts as very near, not as infinitely near."""
    with from_extra("evaluate", "an attack on members"):
        from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=min(neighbour, len(to))).fit(to)
    distance = found.kneighbors(records)[0][:, -1]
    return np.log(np.maximum(distance, 1e-9))
