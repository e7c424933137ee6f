"""The coins of a Poisson sample: exact rate, independent over steps and units, secret, each block used once."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import COIN_DOMAIN, INCLUSION_DOMAIN, NOISE_DOMAIN, DeterministicNoise, KeyedNoise
from gossamer.privacy.keystream import Keystream

LEVEL = 1e-7
RATE, UNITS, STEPS = 0.3, 1000, 400


class Words:
    """A keystream that gives words of one's own."""

    def __init__(self, words: list[int]) -> None:
        self._words = np.array(words, dtype=np.uint64).reshape(-1, 2)

    def words(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        return self._words[low]


def included(words: list[int], num_units: int, rate: float) -> list[bool]:
    noise = DeterministicNoise(0)
    noise._stream = Words(words)  # type: ignore[assignment]
    return noise.inclusions(0, num_units, rate).tolist()


def test_a_unit_is_in_exactly_when_its_word_is_below_the_rate() -> None:
    limit = int(0.3 * 2.0**64)
    assert limit / 2**64 <= 0.3
    assert included([limit - 1, limit, 0, 2**64 - 1], 4, 0.3) == [True, False, True, False]
    assert included([2**63 - 1, 2**63], 1, 0.5) == [True]
    assert included([2**63 - 1, 2**63], 2, 0.5) == [True, False]


def test_the_rate_of_the_coins_is_never_above_the_stated_one() -> None:
    """Exact: 2^64 times a float64 is a whole number from 2^-11 on, and rounded down below."""
    for rate in (1e-300, 2.0**-65, 1e-19, 1 / 3, 0.01, 600 / 60_000, np.nextafter(1.0, 0.0)):
        assert int(rate * 2.0**64) <= rate * 2.0**64
    assert included([0, 1], 2, 2.0**-65) == [False, False]


def test_at_rate_one_everybody_is_in() -> None:
    assert included([2**64 - 1, 0], 2, 1.0) == [True, True]


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="sample_rate"):
        DeterministicNoise(0).inclusions(0, 3, rate)


def test_a_units_coin_depends_neither_on_the_number_of_units_nor_on_other_secrets() -> None:
    few = DeterministicNoise(4).inclusions(2, 11, RATE)
    busy = DeterministicNoise(4)
    busy.gaussian(2, (4, 4))
    busy.coins(2, 100, 3)
    busy.inclusions(1, 50, RATE)
    assert torch.equal(busy.inclusions(2, 500, RATE)[:11], few)
    assert len({COIN_DOMAIN, NOISE_DOMAIN, INCLUSION_DOMAIN}) == 3


def test_secret_coins_of_a_step_are_drawn_once_and_in_order() -> None:
    noise = KeyedNoise()
    noise.inclusions(0, 2, RATE)
    noise.inclusions(3, 2, RATE)
    for step in (3, 2, 0):
        with pytest.raises(PrivacyError, match="drawn before"):
            noise.inclusions(step, 2, RATE)


def test_sixty_thousand_coins_take_milliseconds() -> None:
    """The least of twenty, in time of this process, so that a busy machine does not fail it: 10 ms."""
    noise, least = DeterministicNoise(0), 1.0
    for step in range(20):
        start = time.process_time()
        noise.inclusions(step, 60_000, 0.01)
        least = min(least, time.process_time() - start)
    assert least < 0.010


# ---- the law ---------------------------------------------------------------------------------------------------------


def p_values(who: np.ndarray, rate: float) -> list[float]:
    """Total; spread of batch sizes over steps; of draws over units; agreement of neighbours in time and in number.

    Under the law: a binomial total; sums of squared standardised counts, chi-square for counts as large as here; and a
    binomial number of pairs that are both in, over pairs that share no unit and step.
    """
    steps, units = who.shape
    found = [float(stats.binomtest(int(who.sum()), who.size, rate).pvalue)]
    for axis, number in ((1, units), (0, steps)):
        counts = who.sum(axis=axis)
        spread = float(((counts - number * rate) ** 2).sum()) / (number * rate * (1 - rate))
        law = stats.chi2(len(counts))
        found.append(2 * float(min(law.cdf(spread), law.sf(spread))))
    for both in (who[0::2] & who[1::2], who[:, 0::2] & who[:, 1::2]):
        found.append(float(stats.binomtest(int(both.sum()), both.size, rate**2).pvalue))
    return found


def drawn(noise: DeterministicNoise | KeyedNoise, rate: float = RATE) -> np.ndarray:
    return np.stack([noise.inclusions(step, UNITS, rate).numpy() for step in range(STEPS)])


class OneCoinForTwo(DeterministicNoise):
    """Units 2i and 2i + 1 share a coin."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return super().inclusions(step, num_units, sample_rate)[torch.arange(num_units) // 2 * 2]


class OneCoinForTwoSteps(DeterministicNoise):
    """Steps 2t and 2t + 1 share their coins."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return super().inclusions(step // 2, num_units, sample_rate)


class FixedSize(DeterministicNoise):
    """Exactly the expected number, without replacement."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        order = torch.randperm(num_units, generator=torch.Generator().manual_seed(step))
        return order < round(num_units * sample_rate)


class EpochOfShuffledBatches(DeterministicNoise):
    """Everybody once in an epoch."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        num_batches = round(1 / sample_rate)
        epoch, batch = divmod(step, num_batches)
        order = torch.randperm(num_units, generator=torch.Generator().manual_seed(epoch))
        return order % num_batches == batch


@pytest.mark.parametrize("make", [KeyedNoise, lambda: DeterministicNoise(1)])
def test_coins_are_independent_and_of_the_stated_rate(make: type[KeyedNoise]) -> None:
    """False alarm at most 5e-7 a run with secret coins: five p-values against 1e-7."""
    assert min(p_values(drawn(make()), RATE)) > LEVEL


def test_a_rate_that_is_three_per_cent_off_is_rejected() -> None:
    assert min(p_values(drawn(DeterministicNoise(1), 1.03 * RATE), RATE)) < LEVEL


@pytest.mark.parametrize("kind", [OneCoinForTwo, OneCoinForTwoSteps, FixedSize, EpochOfShuffledBatches])
def test_coins_that_are_no_poisson_sample_are_rejected(kind: type[DeterministicNoise]) -> None:
    rate = 0.25 if kind is EpochOfShuffledBatches else RATE
    assert min(p_values(drawn(kind(1), rate), rate)) < LEVEL


def test_no_block_is_used_for_two_secrets() -> None:
    asked: list[int] = []

    class Spy(Keystream):
        def words(self, high: np.ndarray | np.uint64, low: np.ndarray) -> np.ndarray:
            asked.extend((int(high) << 64 | int(number)) for number in np.ravel(low))
            return super().words(high, low)

    noise = DeterministicNoise(0)
    noise._stream = Spy(bytes(32))
    for step in range(4):
        noise.inclusions(step, 9, RATE)
        noise.gaussian(step, (3, 5))
        noise.coins(step, 4, 7)
    assert len(set(asked)) == len(asked)
