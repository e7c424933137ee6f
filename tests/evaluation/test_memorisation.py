"""Memorisation: copies are found, fresh samples are not accused."""

from __future__ import annotations

import numpy as np
import pytest
from crews import linked
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

from gossamer.errors import InputError
from gossamer.evaluation import memorisation as of_memorisation
from gossamer.evaluation.memorisation import memorisation


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray, NDArray, NDArray]:
    """Images of one law in three parts: train, held out, fresh."""
    images = (load_digits().data / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    mixed = np.random.default_rng(0).permutation(images)
    return mixed[:600], mixed[600:1200], mixed[1200:]


def test_fresh_images_are_not_accused(digits: tuple[NDArray, NDArray, NDArray]) -> None:
    train, held_out, fresh = digits
    score = memorisation(fresh, train, held_out, seed=0).score
    assert score.low < 0.5 < score.high
    assert score.high - score.low < 0.15


def test_copies_are_found_even_with_noise(digits: tuple[NDArray, NDArray, NDArray]) -> None:
    train, held_out, _ = digits
    assert memorisation(train[:300].copy(), train, held_out, seed=0).score.value == 1.0
    noised = train[:300] + np.random.default_rng(1).normal(scale=0.1, size=(300, 1, 8, 8)).astype(np.float32)
    assert memorisation(noised, train, held_out, seed=0).score.low > 0.9
    # The mirror: a copy of what was held out is no memorisation.
    assert memorisation(held_out[:300].copy(), train, held_out, seed=0).score.value == 0.0


def test_one_planted_copy_comes_first_among_the_pairs(digits: tuple[NDArray, NDArray, NDArray]) -> None:
    train, held_out, fresh = digits
    synthetic = fresh.copy()
    synthetic[41] = train[7]
    synthetic[13] = train[400]
    synthetic[13, 0, 0, 0] += 0.125
    found = memorisation(synthetic, train, held_out, seed=0)
    first, second = found.pairs[:2]
    assert (first.synthetic_index, first.train_index, first.distance) == (41, 7, 0.0)
    assert (second.synthetic_index, second.train_index) == (13, 400)
    assert second.distance == pytest.approx(0.125, rel=1e-6)
    # Two copies in 597 are too few for the share, which is what the pairs are for.
    assert found.score.low < 0.5 < found.score.high


def test_pairs_are_the_nearest_over_all_training_records(digits: tuple[NDArray, NDArray, NDArray]) -> None:
    train, held_out, fresh = digits
    # Fifty held-out records: most of the training set lies outside the draw.
    pairs = memorisation(fresh, train, held_out[:50], seed=0, num_pairs=30).pairs
    distances = cdist(fresh.reshape(len(fresh), -1), train.reshape(len(train), -1))
    # Digits have sixteen levels, so that several records may be equally near: distances are compared, not indices.
    attained = [distances[pair.synthetic_index, pair.train_index] for pair in pairs]
    assert attained == pytest.approx(np.sort(distances.min(axis=1))[:30], rel=1e-5)
    assert [pair.distance for pair in pairs] == pytest.approx(attained, rel=1e-5)
    assert len({pair.synthetic_index for pair in pairs}) == 30


def test_share_agrees_with_its_definition_and_takes_features() -> None:
    rng = np.random.default_rng(2)
    synthetic, train, held_out = (rng.normal(size=(n, 6)) + 100 for n in (700, 90, 90))
    share = np.mean(cdist(synthetic, train).min(axis=1) < cdist(synthetic, held_out).min(axis=1))
    score = memorisation(synthetic, train, held_out, seed=0).score
    assert score.value == pytest.approx(share, abs=1e-12)
    assert (score.num_synthetic, score.num_real) == (700, 180)


def test_unequal_sets_do_not_tilt_the_share() -> None:
    # All of one law, four times as many training records. The value lies within four standard deviations of its null
    # law, whose size the interval states: false alarm below 1e-4. Without equal numbers it would be 0.8.
    rng = np.random.default_rng(3)
    synthetic, train, held_out = (rng.normal(size=(n, 4)) for n in (2000, 1600, 400))
    score = memorisation(synthetic, train, held_out, seed=0).score
    assert abs(score.value - 0.5) < 4 * (score.high - score.low) / (2 * 1.96)
    assert abs(0.8 - 0.5) > 4 * (score.high - score.low) / (2 * 1.96)


def test_a_large_training_set_dilutes_copies_as_stated() -> None:
    # c = 4: a generator that only copies is promised 1/2 + 1/8. 3,200 copies and 800 held-out records.
    rng = np.random.default_rng(4)
    train, held_out = rng.normal(size=(3200, 10)), rng.normal(size=(800, 10))
    score = memorisation(train.copy(), train, held_out, seed=0).score
    assert score.value == pytest.approx(0.625, abs=0.05)
    assert score.low > 0.5


def test_ties_count_half(digits: tuple[NDArray, NDArray, NDArray]) -> None:
    train, _, fresh = digits
    assert memorisation(fresh, train, train.copy(), seed=0).score.value == 0.5


@pytest.mark.parametrize("is_collapsed", [False, True])
def test_interval_holds_one_half_where_nothing_is_memorised(is_collapsed: bool) -> None:
    rng = np.random.default_rng(5)
    misses, shrunk_misses = 0, 0
    for seed in range(100):
        train, held_out = rng.normal(size=(2, 60, 2))
        synthetic = rng.normal(size=(1 if is_collapsed else 1200, 2)).repeat(1200 if is_collapsed else 1, axis=0)
        score = memorisation(synthetic, train, held_out, seed=seed).score
        misses += not score.low <= 0.5 <= score.high
        # What a binomial law over the images would claim: records attract several images each.
        shrunk_misses += abs(score.value - 0.5) > 1.96 * 0.5 / np.sqrt(1200)
    # Binomial(100, 0.05): more than 14 with probability 1e-4.
    assert misses <= 14
    assert shrunk_misses > 20


def test_same_seed_same_result_and_inputs_are_left_alone(digits: tuple[NDArray, NDArray, NDArray]) -> None:
    train, held_out, fresh = digits
    kept = [images.copy() for images in digits]
    first = memorisation(fresh, train, held_out[:100], seed=5)
    assert first == memorisation(fresh, train, held_out[:100], seed=5)
    assert first.score != memorisation(fresh, train, held_out[:100], seed=6).score
    assert all(np.array_equal(a, b) for a, b in zip(kept, digits, strict=True))
    assert (first.score.name, first.score.higher_is_better, len(first.pairs)) == ("memorisation", False, 16)
    assert "proves no privacy" in first.score.source


def test_no_more_pairs_than_samples(digits: tuple[NDArray, NDArray, NDArray]) -> None:
    train, held_out, fresh = digits
    assert len(memorisation(fresh[:3], train, held_out, seed=0).pairs) == 3
    assert memorisation(fresh[:3], train, held_out, seed=0, num_pairs=0).pairs == ()


def test_bad_sets_are_refused_in_one_line() -> None:
    good = np.random.default_rng(6).random((20, 1, 4, 4))
    broken = good.copy()
    broken[7, 0, 2, 2] = np.nan
    for sets, says in [
        ((broken, good, good), "synthetic: sample 7"),
        ((good, broken, good), "train: sample 7"),
        ((good, good, broken), "held_out: sample 7"),
        ((good, good[:0], good), "train: shape"),
        ((good, good, good[..., :3]), "held_out: samples of shape"),
    ]:
        with pytest.raises(InputError) as error:
            memorisation(*sets, seed=0)
        assert says in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_records_in_parts_by_any_number_of_processes_are_those_of_one_part(
    digits: tuple[NDArray, NDArray, NDArray], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """More parts than processes, a last one that is not whole, and records equally near in different parts."""
    train, held_out, fresh = digits
    train = np.concatenate([train, train[:50]])
    whole = memorisation(fresh, train, held_out[:150], seed=0)
    monkeypatch.setattr(of_memorisation, "_RECORDS_AT_ONCE", 64)
    with linked(size) as ranks:
        assert memorisation(fresh, train, held_out[:150], seed=0, crew=ranks[0]) == whole
    assert (sum(rank.num_received for rank in ranks) > 0) == (size > 1)
