"""Scores by small networks: told from real, next value, the fixed encoder; each of a fixed size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from gossamer.evaluation.frechet import frechet_distance
from gossamer.evaluation.series import networks
from gossamer.evaluation.series.discriminative import discriminative_score
from gossamer.evaluation.series.encoder import NUM_FEATURES, encode
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.series.networks import CONTEXT, NextValue, SeriesCNN
from gossamer.evaluation.series.predictive import predictive_score


@pytest.fixture(autouse=True, scope="module")
def few_updates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_MIN_UPDATES", 60)
        patch.setattr(networks, "_NUM_EPOCHS", 1)
        yield


def test_the_discriminator_finds_spoilt_series_and_not_fresh_ones(pulses: Callable, spoil: Callable) -> None:
    """Of 300 tested series a coin's share is off by more than 0.12 with a chance of 4e-5."""
    real, other = pulses(500, 0), pulses(500, 1)
    fresh = discriminative_score(other, real, seed=0)
    assert fresh.value < 0.12
    for how in ("noised", "reversed", "shuffled"):
        found = discriminative_score(spoil(other, how), real, seed=0)
        assert found.low > fresh.high, how
        assert 0.4 < found.value <= found.high <= 0.5, how


def test_the_discriminator_agrees_with_an_independent_one(pulses: Callable) -> None:
    # An offset: a linear classifier and a network both see it in almost every series.
    real, other = pulses(500, 0), pulses(500, 1)
    moved = SeriesSet(name="moved", x=(0.85 * other.x).astype(np.float32))
    x = np.concatenate([moved.x, real.x]).reshape(1000, -1)
    y = np.repeat([0, 1], 500)
    order = np.random.default_rng(0).permutation(1000)
    linear = LogisticRegression(max_iter=2000).fit(x[order[:700]], y[order[:700]])
    expected = linear.score(x[order[700:]], y[order[700:]]) - 0.5
    assert discriminative_score(moved, real, seed=0).value == pytest.approx(expected, abs=0.1)


def test_sets_of_unequal_size_give_a_coin_its_half(pulses: Callable) -> None:
    """Without equal numbers, always saying the larger side would be right in 0.9 of the cases."""
    score = discriminative_score(pulses(1800, 1), pulses(200, 0), seed=0)
    assert (score.num_synthetic, score.num_real) == (200, 200)
    assert score.low == 0.0
    assert score.value < 0.2


def test_a_predictor_that_learnt_from_spoilt_series_errs_more(pulses: Callable, spoil: Callable) -> None:
    real, other = pulses(400, 0), pulses(400, 1)
    best = predictive_score(other, real, seed=0)
    repeating = np.abs(np.diff(real.x, axis=2)).mean()
    assert best.high < 0.8 * repeating
    for how in ("reversed", "shuffled", "noised"):
        assert predictive_score(spoil(other, how), real, seed=0).low > best.high, how


def test_the_error_is_of_the_next_value_and_the_future_is_not_seen() -> None:
    x = np.random.default_rng(0).random((6, 2, 60)).astype(np.float32)
    untrained = NextValue(0)
    torch_rng = torch.Generator().manual_seed(0)
    untrained._network = networks._predictor(2, torch_rng)
    # Untrained it repeats the last value: the error has a closed form.
    assert untrained.errors(x) == pytest.approx(np.abs(np.diff(x, axis=2)).mean(axis=(1, 2)), rel=1e-5)
    network = untrained._network
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, generator=torch_rng)
    seen = torch.from_numpy(x)
    changed = seen.clone()
    changed[:, :, 40] += 0.5
    is_moved = (network(seen) != network(changed)).any(dim=0).any(dim=0)
    # A change at 40 reaches what is said from 40 on, and CONTEXT values in all.
    assert is_moved.nonzero().flatten().tolist() == list(range(40, min(60, 40 + CONTEXT)))


def test_sizes_do_not_depend_on_the_number_of_channels() -> None:
    rng = torch.Generator().manual_seed(0)
    inner = [
        [tuple(parameter.shape) for parameter in networks._predictor(channels, rng).parameters()][2:-2]
        for channels in (1, 8)
    ]
    assert inner[0] == inner[1]
    assert all(shape[0] == networks.HIDDEN > 0 for shape in inner[0])


def test_equal_seeds_give_equal_networks_whatever_else_was_drawn(pulses: Callable) -> None:
    series = pulses(200, 0)
    assert series.y is not None
    said = []
    for seed in (3, 3, 4):
        torch.rand(5)
        network = SeriesCNN(seed)
        network.fit(series.x, series.y)
        said.append(network.probabilities(series.x))
    assert (said[0] == said[1]).all()
    assert (said[0] != said[2]).any()
    assert said[0].sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(("channels", "length"), [(1, 4), (1, 187), (3, 25)])
def test_the_encoder_takes_any_shape_and_sees_each_series_alone(channels: int, length: int) -> None:
    x = np.random.default_rng(0).random((7, channels, length)).astype(np.float32)
    features = encode(x)
    assert features.shape == (7, NUM_FEATURES)
    assert encode(x[3:4]) == pytest.approx(features[3:4], abs=1e-4)
    assert (encode(x) == features).all()


@pytest.mark.parametrize("how", ["noised", "reversed", "collapsed", "shuffled"])
def test_spoilt_series_are_far_in_the_features_of_the_encoder(how: str, pulses: Callable, spoil: Callable) -> None:
    real, other = pulses(600, 0), pulses(600, 1)
    best, found = (
        frechet_distance(encode(one.x), encode(real.x), seed=0, features="f") for one in (other, spoil(other, how))
    )
    assert found.low > 2 * best.high
