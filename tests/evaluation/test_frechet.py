"""The Frechet distance: what it is, what others make of it, and that it moves the right way."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import scipy.linalg
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from gossamer.errors import InputError
from gossamer.evaluation.frechet import extrapolated_frechet_distance, frechet, frechet_distance
from gossamer.evaluation.score import Score


def distance(synthetic: NDArray, real: NDArray, seed: int = 0, **choices: bool) -> Score:
    return frechet_distance(synthetic, real, seed=seed, features="test features", num_resamples=10, **choices)


def extrapolated(synthetic: NDArray, real: NDArray, seed: int = 0, **choices: bool) -> Score:
    return extrapolated_frechet_distance(
        synthetic, real, seed=seed, features="test features", num_resamples=10, **choices
    )


both = pytest.mark.parametrize("measure", [distance, extrapolated])


@pytest.fixture(scope="module")
def clouds() -> tuple[NDArray, NDArray]:
    """Correlated features of unequal scale, far from the origin, as those of a network are."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(64, 64)) * np.geomspace(0.05, 2, 64)
    synthetic, real = rng.normal(size=(700, 64)) @ mixed + 5, rng.gumbel(size=(900, 64)) @ mixed + 5.2
    return synthetic.astype(np.float32), real.astype(np.float32)


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray, NDArray]:
    pixels = np.random.default_rng(0).permutation(load_digits().data / 16).astype(np.float32)
    return pixels[:898], pixels[898:1796]


@pytest.mark.usefixtures("torch_fidelity")
def test_torchmetrics_gives_the_same(clouds: tuple[NDArray, NDArray]) -> None:
    class Passing(torch.nn.Module):
        num_features = 64

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features

    synthetic, real = clouds
    metric = importlib.import_module("torchmetrics.image.fid").FrechetInceptionDistance(Passing())
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(real).double(), real=True)
    metric.update(torch.from_numpy(synthetic).double(), real=False)
    assert distance(synthetic, real).value == pytest.approx(float(metric.compute()), rel=1e-4, abs=1e-4)


def test_a_matrix_square_root_gives_the_same(clouds: tuple[NDArray, NDArray]) -> None:
    synthetic, real = (cloud.astype(np.float64) for cloud in clouds)
    one, other = np.cov(synthetic, rowvar=False), np.cov(real, rowvar=False)
    shift = np.sum((synthetic.mean(0) - real.mean(0)) ** 2)
    expected = shift + np.trace(one + other - 2 * scipy.linalg.sqrtm(one @ other).real)
    assert distance(*clouds).value == pytest.approx(expected, rel=1e-6)


def test_torch_fidelity_gives_the_same(clouds: tuple[NDArray, NDArray], torch_fidelity: object) -> None:
    theirs = importlib.import_module("torch_fidelity.metric_fid")
    statistics = [theirs.fid_features_to_statistics(torch.from_numpy(cloud)) for cloud in clouds]
    expected = theirs.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert distance(*clouds).value == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_closed_forms_of_gaussians() -> None:
    # Diagonal covariances: the sum of (difference of means)^2 and (difference of deviations)^2.
    rng = np.random.default_rng(1)
    means, deviations = rng.normal(size=(2, 8)), rng.uniform(0.1, 3, size=(2, 8))
    expected = np.sum((means[0] - means[1]) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2)
    turn = scipy.stats.ortho_group.rvs(8, random_state=2)
    gaussians = [(turn @ m, turn @ np.diag(d**2) @ turn.T) for m, d in zip(means, deviations, strict=True)]
    assert frechet(*gaussians[0], *gaussians[1]) == pytest.approx(expected, rel=1e-12)
    assert frechet(*gaussians[1], *gaussians[0]) == pytest.approx(expected, rel=1e-12)
    assert frechet(*gaussians[0], *gaussians[0]) == pytest.approx(0, abs=1e-12)


def test_singular_covariances_lose_no_digits() -> None:
    # Rank 3 of 40: S2 = 4 S1, so the distance is tr S1. The root of the product alone is good to about 1e-7.
    root = np.random.default_rng(3).normal(size=(40, 3))
    covariance = root @ root.T
    zero = np.zeros(40)
    assert frechet(zero, covariance, zero, 4 * covariance) == pytest.approx(np.trace(covariance), rel=1e-12)
    assert frechet(zero, covariance, zero, np.zeros((40, 40))) == pytest.approx(np.trace(covariance), rel=1e-12)
    assert frechet(zero, covariance, zero, covariance) == pytest.approx(0, abs=1e-10)


def test_shift_and_scale_move_it_by_what_they_must(clouds: tuple[NDArray, NDArray]) -> None:
    cloud = clouds[0].astype(np.float64)
    variance = cloud.var(axis=0, ddof=1).sum()
    assert distance(cloud, cloud).value == pytest.approx(0, abs=1e-9)
    assert distance(cloud + 0.5, cloud).value == pytest.approx(64 * 0.25, rel=1e-9)
    centred = cloud - cloud.mean(axis=0)
    assert distance(1.5 * centred, centred).value == pytest.approx(0.25 * variance, rel=1e-9)
    # A covariance over n and not n - 1 would be off by more than the tolerance.
    assert 0.25 * variance * 699 / 700 != pytest.approx(0.25 * variance, rel=1e-9)


@both
def test_collapse_noise_and_inversion_make_digits_worse(measure, digits: tuple[NDArray, NDArray]) -> None:
    synthetic, real = digits
    rng = np.random.default_rng(4)
    good = measure(synthetic, real)
    worse = {
        "little noise": synthetic + rng.normal(scale=0.1, size=synthetic.shape),
        "much noise": synthetic + rng.normal(scale=0.3, size=synthetic.shape),
        "ten images": synthetic[rng.integers(10, size=len(synthetic))],
        "inverted": 1 - synthetic,
    }
    scores = {name: measure(images, real) for name, images in worse.items()}
    assert all(score.low > good.high for score in scores.values())
    assert scores["much noise"].low > scores["little noise"].high


def test_few_samples_bias_the_plain_distance_and_not_the_extrapolated_one() -> None:
    # Both sets follow one law, so the true distance is 0: 20 features, 400 samples each.
    rng = np.random.default_rng(5)
    plain, intercepts = [], []
    for seed in range(20):
        synthetic, real = rng.normal(size=(2, 400, 20))
        plain.append(distance(synthetic, real).value)
        intercepts.append(extrapolated(synthetic, real, seed=seed).value)
    # Five standard errors of a mean of twenty: false alarm below 1e-4 by Student's law.
    assert abs(np.mean(intercepts)) < 5 * np.std(intercepts, ddof=1) / np.sqrt(20)
    assert abs(np.mean(intercepts)) < 0.1 * np.mean(plain)
    assert min(plain) > 0.1
    assert min(intercepts) < 0


def test_extrapolation_finds_a_known_distance() -> None:
    # Means 0.5 apart in each of 20 features: the true distance is 5, and the plain one is above it.
    rng = np.random.default_rng(6)
    pairs = [(rng.normal(size=(400, 20)) + 0.5, rng.normal(size=(800, 20))) for _ in range(20)]
    found = np.array([[distance(*pair).value, extrapolated(*pair).value] for pair in pairs])
    error = found[:, 1].std(ddof=1) / np.sqrt(20)
    # False alarm below 1e-4, as above.
    assert abs(found[:, 1].mean() - 5) < 5 * error
    assert found[:, 0].mean() - 5 > 0.1


def test_the_interval_is_as_wide_as_repetitions_spread() -> None:
    # The half-width over 1.96 estimates the standard deviation. With 40 repetitions and 10 resamples each, the ratio of
    # root mean squares leaves [0.65, 1.5] with probability below 1e-3; an interval half or twice as wide would fail.
    rng = np.random.default_rng(7)
    scores = [distance(rng.normal(size=(300, 5)) + 0.5, rng.normal(size=(300, 5))) for _ in range(40)]
    spread = np.std([score.value for score in scores], ddof=1)
    claimed = np.sqrt(np.mean([((score.high - score.value) / 1.96) ** 2 for score in scores]))
    assert 0.65 < claimed / spread < 1.5


@both
def test_same_seed_same_score_and_inputs_are_left_alone(measure, clouds: tuple[NDArray, NDArray]) -> None:
    kept = [cloud.copy() for cloud in clouds]
    first = measure(*clouds, seed=5)
    assert first == measure(*clouds, seed=5)
    assert first != measure(*clouds, seed=6)
    assert all(np.array_equal(a, b) for a, b in zip(kept, clouds, strict=True))
    assert (first.num_synthetic, first.num_real, first.seeds) == (700, 900, (5,))
    assert "test features" in first.source
    assert not first.higher_is_better
    assert "fid" not in f"{first.name} {first.source}".lower()


@both
@pytest.mark.parametrize("place", [0, 1])
def test_fewer_samples_than_features_need_permission(measure, place: int) -> None:
    sets = [np.random.default_rng(8).normal(size=(64, 16)) for _ in range(2)]
    measure(*sets)
    sets[place] = sets[place][:15]
    with pytest.raises(InputError, match="allow-few-samples") as error:
        measure(*sets)
    assert "\n" not in str(error.value)
    assert measure(*sets, permit_few_samples=True).value > 0


@both
def test_bad_clouds_are_refused_in_one_line(measure) -> None:
    good = np.random.default_rng(9).normal(size=(64, 4))
    broken = good.copy()
    broken[7, 2] = np.nan
    for synthetic, real, says in [
        (broken, good, "synthetic: the features of sample 7"),
        (good, np.where(np.isnan(broken), np.inf, broken), "real: the features of sample 7"),
        (good[:, :3], good, "3 synthetic and 4 real"),
        (good[:1], good, "1 samples"),
        (good[None], good, "shape"),
    ]:
        with pytest.raises(InputError) as error:
            measure(synthetic, real, permit_few_samples=True)
        assert says in str(error.value)
        assert "\n" not in str(error.value)


def test_one_image_for_everything_gives_a_finite_score(digits: tuple[NDArray, NDArray]) -> None:
    score = distance(np.repeat(digits[0][:1], 200, axis=0), digits[1])
    assert score.low <= score.value <= score.high
    assert score.value > 1
