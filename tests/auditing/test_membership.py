"""Attacks on membership: what they score, and that a generator which copies is caught."""

from __future__ import annotations

import numpy as np
import pytest
from crews import linked
from sklearn.metrics import roc_auc_score

from gossamer.auditing.membership import infer_membership, score_attack
from gossamer.errors import InputError


def records(num: int, seed: int) -> np.ndarray:
    """Of a law with some structure: images of 6 x 6 on a line, with noise."""
    rng = np.random.default_rng(seed)
    return (rng.random((num, 1, 1, 1)) + 0.2 * rng.standard_normal((num, 1, 6, 6))).astype(np.float32)


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_the_area_is_that_of_another_library_and_ties_count_half(shift: float) -> None:
    rng = np.random.default_rng(1)
    members, others = rng.normal(shift, 1, 150).round(1), rng.normal(0, 1, 90).round(1)
    expected = roc_auc_score([1] * 150 + [0] * 90, np.concatenate([members, others]))
    assert score_attack("x", members, others, 0.95).auc == pytest.approx(expected, abs=1e-12)


def test_the_interval_holds_as_often_as_it_says() -> None:
    """300 intervals of 90 %: 30 may miss. Rejected beyond 12 and 52: false-alarm rate 1e-4; seeded."""
    rng = np.random.default_rng(2)
    truth = 0.6381631951  # of N(0.5, 1) against N(0, 1): the normal law at 0.5 over the root of 2
    missed = 0
    for _ in range(300):
        score = score_attack("x", rng.normal(0.5, 1, 80), rng.normal(0, 1, 80), 0.9)
        missed += not score.low <= truth <= score.high
    assert 12 <= missed <= 52


def test_a_generator_that_copies_its_members_is_caught_by_both_attacks() -> None:
    members = records(300, 0)
    copies = members[:240] + 0.01 * np.random.default_rng(5).standard_normal((240, 1, 6, 6)).astype(np.float32)
    for score in infer_membership(members, records(500, 1), copies, 0.95):
        assert score.low > 0.5, score
        assert score.name != "distance" or score.caught_low > 0.5, score


def test_a_generator_that_knows_the_law_alone_is_not() -> None:
    """Seeded; with other seeds one of twenty intervals would miss one half."""
    scores = infer_membership(records(300, 0), records(500, 1), records(400, 2), 0.95)
    assert [score.name for score in scores] == ["distance", "density ratio"]
    for score in scores:
        assert score.low < 0.5 < score.high, score
        assert score.caught_low < 0.02


def test_the_same_seed_gives_the_same_scores() -> None:
    parts = records(60, 0), records(90, 1), records(50, 2)
    assert infer_membership(*parts, 0.9, seed=3) == infer_membership(*parts, 0.9, seed=3)
    assert infer_membership(*parts, 0.9, seed=3) != infer_membership(*parts, 0.9, seed=4)


def test_processes_share_the_attacks_and_find_the_same_scores() -> None:
    parts = records(60, 0), records(90, 1), records(50, 2)
    with linked(2) as ranks:
        assert infer_membership(*parts, 0.9, seed=3, crew=ranks[0]) == infer_membership(*parts, 0.9, seed=3)
    assert ranks[1].num_received > 0


def test_too_few_records_and_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="20 members"):
        infer_membership(records(60, 0), records(30, 1), records(50, 2), 0.95)
    with pytest.raises(InputError, match="different shapes"):
        infer_membership(records(60, 0), np.zeros((90, 3)), records(50, 2), 0.95)
