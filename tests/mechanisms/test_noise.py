"""Coins and noise: each block used once, for one run, in one process."""

from __future__ import annotations

import copy
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gossamer.errors import PrivacyError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import COIN_DOMAIN, NOISE_DOMAIN, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.keystream import key_from_seed
from gossamer.privacy.truncation import truncation_delta


class SpyStream:
    """Records every block that is asked of a keystream."""

    def __init__(self, stream: object) -> None:
        self.stream = stream
        self.blocks: list[tuple[int, int]] = []

    def words(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        pairs = np.broadcast_arrays(high, low)
        self.blocks += list(zip(pairs[0].ravel().tolist(), pairs[1].ravel().tolist(), strict=True))
        return self.stream.words(high, low)  # type: ignore[attr-defined]


def spied(noise: DeterministicNoise | KeyedNoise) -> SpyStream:
    spy = SpyStream(noise._stream)
    noise._stream = spy  # type: ignore[assignment]
    return spy


def each_block_is_used_once(noise: DeterministicNoise | KeyedNoise, num_steps: int = 6) -> bool:
    """Over a run of the releaser; exact, no false alarms."""
    plan = OneOfManyPlan(
        unit=Unit.RECORD, num_slots=9, num_critics=7, num_steps=num_steps, batch_size=6, draws_per_step=3,
        clip_norm=1.0, noise_multiplier=1.0,
    )  # fmt: skip
    spy = spied(noise)
    releaser = OneOfManyReleaser(plan, noise, gate=StepGate(plan))
    for step in range(num_steps):
        releaser.release(step, lambda coins: torch.zeros(3, 2, 1, 3, 3))
    domains = {high >> 48 for high, _ in spy.blocks}
    steps = {high & (2**48 - 1) for high, _ in spy.blocks}
    assert domains == {COIN_DOMAIN, NOISE_DOMAIN}
    assert steps <= set(range(num_steps))
    return len(set(spy.blocks)) == len(spy.blocks)


class ForgetsTheStep(DeterministicNoise):
    """Uses the blocks of step 0 at every step."""

    def _words(self, domain: int, step: int, low: np.ndarray) -> np.ndarray:
        return super()._words(domain, 0, low)


def test_every_block_of_every_domain_and_step_is_used_once_in_a_run() -> None:
    assert each_block_is_used_once(KeyedNoise())
    assert each_block_is_used_once(DeterministicNoise(0))


def test_a_block_used_at_two_steps_is_caught() -> None:
    assert not each_block_is_used_once(ForgetsTheStep(0))


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (1, 1, 5, 5), (1, 3)])
def test_the_noise_of_a_sample_does_not_depend_on_the_number_of_samples(shape: tuple[int, ...]) -> None:
    few = DeterministicNoise(4).gaussian(2, (2, *shape[1:]))
    many = DeterministicNoise(4).gaussian(2, (9, *shape[1:]))
    assert torch.equal(few, many[:2])


def test_the_noise_of_a_step_does_not_depend_on_other_steps_or_on_coins() -> None:
    plain = DeterministicNoise(4).gaussian(5, (2, 3))
    busy = DeterministicNoise(4)
    busy.gaussian(1, (4, 4))
    busy.coins(5, 100, 3)
    assert torch.equal(busy.gaussian(5, (2, 3)), plain)


@pytest.mark.parametrize("draw", [lambda n, step: n.gaussian(step, (1, 2)), lambda n, step: n.coins(step, 2, 3)])
def test_secret_noise_of_a_step_is_drawn_once_and_in_order(draw: Callable[[KeyedNoise, int], Tensor]) -> None:
    noise = KeyedNoise()
    draw(noise, 0)
    draw(noise, 3)
    for step in (3, 2, 0):
        with pytest.raises(PrivacyError, match="drawn before"):
            draw(noise, step)
    draw(noise, 4)


def test_two_runs_that_share_one_noise_object_are_refused() -> None:
    plan = OneOfManyPlan(
        unit=Unit.RECORD, num_slots=4, num_critics=2, num_steps=2, batch_size=1, draws_per_step=1, clip_norm=1.0,
        noise_multiplier=1.0,
    )  # fmt: skip
    noise = KeyedNoise()
    OneOfManyReleaser(plan, noise, gate=StepGate(plan)).release(0, lambda coins: torch.zeros(1, 1, 2))
    with pytest.raises(PrivacyError, match="noise object of its own"):
        OneOfManyReleaser(plan, noise, gate=StepGate(plan)).release(0, lambda coins: torch.ones(1, 1, 2))


def test_every_keyed_noise_has_a_key_of_its_own_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def urandom(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    assert not torch.equal(KeyedNoise().gaussian(0, (1, 8)), KeyedNoise().gaussian(0, (1, 8)))
    monkeypatch.setattr(os, "urandom", urandom)
    KeyedNoise()
    assert asked == [32]


@pytest.mark.parametrize("leave", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("make", [KeyedNoise, lambda: DeterministicNoise(0)])
def test_noise_is_neither_copied_nor_pickled(leave: Callable[[object], object], make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        leave(make())


def test_the_key_shows_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_from_seed(0, "insecure noise")
    monkeypatch.setattr(os, "urandom", lambda size: key)
    for noise in (KeyedNoise(), DeterministicNoise(0)):
        text = f"{noise!r} {noise} {vars(noise)}"
        assert "key hidden" in text
        assert key.hex() not in text
        assert repr(key) not in text


FORK = """
import os, sys
from gossamer.errors import PrivacyError
from gossamer.mechanisms.noise import KeyedNoise
noise = KeyedNoise()
child = os.fork()
if child == 0:
    refused = 0
    for draw in (lambda: noise.gaussian(0, (1, 2)), lambda: noise.coins(0, 1, 2)):
        try:
            draw()
        except PrivacyError as error:
            refused += "forked process" in str(error)
    os._exit(40 + refused)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
noise.gaussian(0, (1, 2)), noise.coins(0, 1, 2)
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_noise_is_refused_in_a_forked_process_and_goes_on_in_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 42, done.stderr


def test_only_the_keyed_kind_calls_itself_secure() -> None:
    assert KeyedNoise().is_secure
    assert not DeterministicNoise(0).is_secure
    with pytest.raises(AttributeError):
        DeterministicNoise(0).is_secure = True  # type: ignore[misc]


def largest_truncation(pairs: int, shift: float, num_samples: int) -> float:
    """The sum that `truncation_delta` bounds, at a shift in one pair and at one spread over all pairs, by log-sums."""
    radius = math.sqrt(2 * 128 * math.log(2))
    one = math.exp(-((radius - shift) ** 2) / 2) + (pairs - 1) * 2.0**-128
    spread = pairs * math.exp(-((radius - shift / math.sqrt(pairs)) ** 2) / 2)
    return num_samples * max(one, spread)


@pytest.mark.parametrize("noise_multiplier", [0.2, 0.5, 0.816, 3.0])
@pytest.mark.parametrize("size", [1, 2, 49, 784])
def test_the_truncation_bound_is_above_what_it_bounds(noise_multiplier: float, size: int) -> None:
    exact = largest_truncation((size + 1) // 2, 1 / noise_multiplier, 1000)
    assert exact <= truncation_delta(1000, size, noise_multiplier)


def test_the_truncation_is_far_below_any_delta_in_use_and_never_above_one() -> None:
    assert truncation_delta(640_000, 784, 0.5) < 2e-9
    assert truncation_delta(640_000, 784, 1e-3) == 1.0
