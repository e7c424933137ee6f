"""Precision, recall, density and coverage: by hand, as others compute them, and moving the right way."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from prdc import compute_prdc
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

from gossamer.errors import InputError
from gossamer.evaluation import manifold
from gossamer.evaluation.manifold import ManifoldScores, manifold_scores

NAMES = ("precision", "recall", "density", "coverage")


def scores(synthetic: NDArray, real: NDArray, num_neighbours: int = 5, seed: int = 0) -> ManifoldScores:
    return manifold_scores(synthetic, real, num_neighbours=num_neighbours, seed=seed, features="test features")


def values(found: ManifoldScores) -> dict[str, float]:
    return {name: getattr(found, name).value for name in NAMES}


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray, NDArray]:
    pixels = np.random.default_rng(0).permutation(load_digits().data / 16).astype(np.float32)
    return pixels[:898], pixels[898:1796]


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.7, 0.1), (1.3, 30.0)])
def test_prdc_gives_the_same(scale: float, offset: float) -> None:
    # Features of effective dimension about 5, so that all four values lie inside their range.
    rng = np.random.default_rng(1)
    mixed = rng.normal(size=(5, 64))
    real = rng.normal(size=(800, 5)) @ mixed + 0.1 * rng.normal(size=(800, 64)) + 30
    synthetic = scale * rng.normal(size=(700, 5)) @ mixed + 0.1 * rng.normal(size=(700, 64)) + 30 + 0.01 * offset
    expected = compute_prdc(real, synthetic, nearest_k=5)
    assert values(scores(synthetic, real)) == pytest.approx(expected, abs=1e-4)
    assert all(0.05 < expected[name] < 2 for name in NAMES)


def test_prdc_gives_the_same_on_digits_in_float32(digits: tuple[NDArray, NDArray]) -> None:
    # Jittered, because equal distances are counted in here and left out there.
    rng = np.random.default_rng(2)
    synthetic, real = ((d + rng.normal(scale=0.02, size=d.shape)).astype(np.float32) for d in digits)
    expected = compute_prdc(real.astype(np.float64), synthetic.astype(np.float64), nearest_k=5)
    assert values(scores(synthetic, real)) == pytest.approx(expected, abs=1e-4)


def test_four_points_on_a_line_by_hand() -> None:
    # One neighbour. Real 0, 1, 10, 12 have radii 1, 1, 2, 2; synthetic 1.5, 2, 40, 43 have radii 0.5, 0.5, 3, 3.
    real, synthetic = np.array([[0.0], [1], [10], [12]]), np.array([[1.5], [2], [40], [43]])
    assert values(scores(synthetic, real, num_neighbours=1)) == {
        "precision": 0.5,  # 1.5 and 2 lie within 1 of 1
        "recall": 0.25,  # 1 lies within 0.5 of 1.5
        "density": 0.5,  # two balls over 1 x 4
        "coverage": 0.25,  # of 1 alone
    }


@pytest.mark.parametrize("distances_at_once", [1, 1000, 2**22])
def test_parts_of_any_size_give_the_plain_definition(monkeypatch: pytest.MonkeyPatch, distances_at_once: int) -> None:
    monkeypatch.setattr(manifold, "_DISTANCES_AT_ONCE", distances_at_once)
    rng = np.random.default_rng(3)
    synthetic, real = rng.normal(size=(41, 3)), rng.normal(size=(67, 3)) + 0.5
    real_radii = np.sort(cdist(real, real), axis=1)[:, 5]
    synthetic_radii = np.sort(cdist(synthetic, synthetic), axis=1)[:, 5]
    between = cdist(real, synthetic)
    inside = between <= real_radii[:, None]
    assert values(scores(synthetic, real)) == pytest.approx(
        {
            "precision": inside.any(axis=0).mean(),
            "recall": (between <= synthetic_radii).any(axis=1).mean(),
            "density": inside.sum() / (5 * 41),
            "coverage": inside.any(axis=1).mean(),
        },
        abs=1e-12,
    )


def test_digits_lose_what_they_must(digits: tuple[NDArray, NDArray]) -> None:
    synthetic, real = digits
    rng = np.random.default_rng(4)
    good = scores(synthetic, real)
    collapsed = scores(synthetic[rng.integers(10, size=898)] + rng.normal(scale=0.001, size=synthetic.shape), real)
    noised = scores(synthetic + rng.normal(scale=0.3, size=synthetic.shape), real)
    assert min(values(good).values()) > 0.85
    assert collapsed.recall.high < 0.1 < good.recall.low
    assert collapsed.coverage.high < 0.2 < good.coverage.low
    assert noised.precision.high < 0.1 < good.precision.low
    assert noised.density.high < 0.1 < good.density.low


def test_fidelity_and_diversity_are_told_apart(digits: tuple[NDArray, NDArray]) -> None:
    synthetic, real = digits
    is_low = load_digits().target[np.random.default_rng(0).permutation(1797)][:898] < 5
    half = scores(synthetic[is_low], real)
    assert half.precision.low > 0.85
    assert half.recall.high < 0.75
    assert half.coverage.high < 0.75


@pytest.mark.parametrize("offset", [0.0, 0.1, 1000.0])
def test_equal_images_have_closed_balls_of_radius_zero(offset: float) -> None:
    rng = np.random.default_rng(5)
    one = rng.normal(size=(1, 64)) + offset
    same = np.repeat(one, 20, axis=0)
    assert values(scores(same[:7], same)) == {"precision": 1, "recall": 1, "density": 20 / 5, "coverage": 1}
    assert values(scores(same + 1e-3, same)) == dict.fromkeys(NAMES, 0.0)


def test_copies_of_the_real_set_lie_on_the_edge_of_their_balls() -> None:
    # Each ball holds its centre's copy and those of its five neighbours, the fifth exactly at the radius.
    real = np.random.default_rng(6).normal(size=(300, 64)).astype(np.float32) + 3
    assert values(scores(real.copy(), real)) == pytest.approx(
        {"precision": 1, "recall": 1, "density": 6 / 5, "coverage": 1}
    )


def test_an_outlier_does_not_swallow_the_others() -> None:
    # A squared norm of 1e16 rounds by more than the radii, for the outlier itself and for nothing else.
    rng = np.random.default_rng(7)
    synthetic, real = rng.normal(size=(200, 8)), rng.normal(size=(200, 8))
    far = np.concatenate([synthetic, np.full((1, 8), 1e8)])
    without, added = values(scores(synthetic, real)), values(scores(far, real))
    assert added["precision"] == pytest.approx(without["precision"] * 200 / 201)
    assert added["coverage"] == without["coverage"]


def test_intervals_cover_95_percent_of_what_they_are_over() -> None:
    """One set is held fixed, the other is drawn 80 times; precision and recall are each other's mirror."""
    rng = np.random.default_rng(8)
    fixed = rng.normal(size=(150, 3))
    inside = cdist(fixed, rng.normal(size=(50_000, 3)) * 1.2) <= np.sort(cdist(fixed, fixed), axis=1)[:, 5, None]
    truth = {"precision": inside.any(axis=0).mean(), "density": inside.sum() / (5 * 50_000)}
    truth["recall"] = truth["precision"]
    hits = dict.fromkeys(truth, 0)
    shrunk = 0
    for seed in range(80):
        drawn = rng.normal(size=(200, 3)) * 1.2
        found, mirrored = scores(drawn, fixed, seed=seed), scores(fixed, drawn, seed=seed)
        pairs = {"precision": found.precision, "density": found.density, "recall": mirrored.recall}
        for name, score in pairs.items():
            hits[name] += score.low <= truth[name] <= score.high
        shrunk += abs(found.density.value - truth["density"]) <= (found.density.high - found.density.low) / 4
    # Binomial(80, 0.95): below 67 with probability 1e-4. Half the width covers 0.67: 67 or more with probability 1e-3.
    assert min(hits.values()) >= 67
    assert shrunk < 67


def test_same_seed_same_scores_and_inputs_are_left_alone(digits: tuple[NDArray, NDArray]) -> None:
    kept = [cloud.copy() for cloud in digits]
    first = scores(*digits, seed=5)
    assert first == scores(*digits, seed=5)
    assert first.precision != scores(*digits, seed=6).precision
    assert all(np.array_equal(a, b) for a, b in zip(kept, digits, strict=True))
    for name in NAMES:
        score = getattr(first, name)
        assert (score.name, score.seeds, score.num_synthetic, score.num_real) == (name, (5,), 898, 898)
        assert score.higher_is_better
        assert "test features" in score.source
        assert "held fixed" in score.source


def test_bad_clouds_are_refused_in_one_line() -> None:
    good = np.random.default_rng(9).normal(size=(64, 4))
    broken = good.copy()
    broken[7, 2] = np.nan
    for synthetic, real, neighbours, says in [
        (broken, good, 5, "synthetic: the features of sample 7"),
        (good, np.where(np.isnan(broken), np.inf, broken), 5, "real: the features of sample 7"),
        (good[:, :3], good, 5, "3 synthetic and 4 real"),
        (good[:5], good, 5, "at least 6"),
        (good, good[:5], 5, "at least 6"),
        (good, good, 0, "num_neighbours"),
        (good[None], good, 5, "shape"),
    ]:
        with pytest.raises(InputError) as error:
            scores(synthetic, real, num_neighbours=neighbours)
        assert says in str(error.value)
        assert "\n" not in str(error.value)
    scores(good[:6], good)
