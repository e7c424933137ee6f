"""The secret randomness of a run: coins that name critics or include units, and Gaussian noise."""

from __future__ import annotations

import abc
import math
import os

import numpy as np
import torch
from torch import Tensor

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.keystream import KEY_BYTES, Keystream, key_from_seed, unit_interval

# One domain for each kind of secret, so that a coin never shares a block with noise.
COIN_DOMAIN = 1
NOISE_DOMAIN = 2
INCLUSION_DOMAIN = 3


class AbstractNoise(abc.ABC):
    """Coins and noise addressed by step, each a function of key and step alone.

    Use one instance for one run in one process. Secure noise answers steps in rising order, each once, so that two runs
    that share an instance by mistake are refused.
    """

    def __init__(self, stream: Keystream) -> None:
        self._stream = stream
        self._process = os.getpid()
        self._last_step: dict[int, int] = {}

    @property
    @abc.abstractmethod
    def is_secure(self) -> bool:
        """True if the numbers are secret, so that a guarantee may be stated."""

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        """Draw standard normal numbers by Box and Muller, in float64.

        ``r = sqrt(-2 ln u)``, ``(r cos 2 pi v, r sin 2 pi v)`` with 128 random bits in u and 53 in v. So the radius
        reaches 13.3. A 24-bit u, as in float32, would stop at 5.77 and break delta = 1e-5 by itself.

        Args:
            step: number of the step, 0 to 2^48 - 1.
            shape: (samples, ...). Sample i gets the same numbers for any number of samples.

        Returns:
            float64 tensor of that shape.

        Raises:
            PrivacyError: in a forked process, or if secure noise is asked for a step that is not after the last one.
        """
        self._enter(NOISE_DOMAIN, step)
        num_samples, size = shape[0], math.prod(shape[1:])
        pairs = (size + 1) // 2
        pair = np.arange(num_samples * pairs).reshape(num_samples, pairs)
        words = self._words(NOISE_DOMAIN, step, np.stack([2 * pair, 2 * pair + 1], axis=-1))
        coarse, fine, direction = words[..., 0, 0], words[..., 0, 1], words[..., 1, 0]
        uniform = coarse.astype(np.float64) * 2.0**-64 + (fine.astype(np.float64) + 0.5) * 2.0**-128
        radius, angle = np.sqrt(-2.0 * np.log(uniform)), 2.0 * np.pi * unit_interval(direction)
        normals = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(num_samples, 2 * pairs)
        return torch.from_numpy(np.ascontiguousarray(normals[:, :size])).reshape(shape)

    def coins(self, step: int, num_draws: int, num_critics: int) -> Tensor:
        """Draw critics independently and uniformly, with replacement, by rejection (no modulo bias).

        Returns:
            int64 tensor (num_draws,) with values in [0, num_critics). Secret: never to be stored or released.

        Raises:
            PrivacyError: as `gaussian`.
        """
        self._enter(COIN_DOMAIN, step)
        limit = 2**64 - 2**64 % num_critics
        accepted: list[int] = []
        block = 0
        while len(accepted) < num_draws:
            words = self._words(COIN_DOMAIN, step, np.arange(block, block + num_draws))
            accepted += [int(word) % num_critics for word in words.ravel() if int(word) < limit]
            block += num_draws
        return torch.tensor(accepted[:num_draws], dtype=torch.int64)

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        """Draw a Poisson sample: each unit is in it with probability q, whatever the others do.

        Unit i is in when its own 64-bit word is below ``floor(q 2^64)``. The probability is rounded down, by less than
        2^-64, so the stated rate is an upper bound. A sample of a lower rate costs no more. It is a sample of the
        stated rate from those units that coins of their own kept in the data.

        Args:
            step: number of the step, 0 to 2^48 - 1.
            num_units: public number N of slots. Unit i has the same coin for any number.
            sample_rate: q, in (0, 1], public.

        Returns:
            bool tensor (num_units,). Secret, and so is its sum: never to be stored or released.

        Raises:
            InputError: a rate out of range.
            PrivacyError: as `gaussian`.
        """
        if not 0.0 < sample_rate <= 1.0:
            raise InputError(f"sample_rate must lie in (0, 1], not {sample_rate}: give expected batch size / units")
        self._enter(INCLUSION_DOMAIN, step)
        words = self._words(INCLUSION_DOMAIN, step, np.arange((num_units + 1) // 2)).reshape(-1)[:num_units]
        # Exact: multiplying a float64 by a power of two rounds nothing, int() rounds down.
        limit = int(sample_rate * 2.0**64)
        # 2^64 is no 64-bit word: at rate 1 the largest word counts as below it.
        return torch.from_numpy(words < np.uint64(limit) if limit < 2**64 else np.ones(num_units, dtype=bool))

    def _enter(self, domain: int, step: int) -> None:
        # Privacy: the same noise on two signals cancels in their difference.
        if self.is_secure and step <= self._last_step.get(domain, -1):
            raise PrivacyError(f"the noise of step {step} was drawn before: every run needs a noise object of its own")
        self._last_step[domain] = step

    def _words(self, domain: int, step: int, low: np.ndarray) -> np.ndarray:
        if os.getpid() != self._process:
            # Privacy: a forked child would repeat its parent's noise on another signal, which cancels it.
            raise PrivacyError("the noise of a run was used in a forked process; draw a new key in every process")
        return self._stream.words(np.uint64((domain << 48) | step), low.astype(np.uint64))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key hidden)"

    def __reduce__(self) -> tuple[()]:
        # Privacy: a copy would use the same blocks again, a pickle would carry the key out of this process.
        raise TypeError("noise cannot be pickled or copied: draw a new key for every run")


class KeyedNoise(AbstractNoise):
    """Noise by a key that the operating system draws for this process. The key is written nowhere.

    Guarantee: under the assumption that AES-256 in counter mode is indistinguishable from random, coins and noise are
    independent of everything else and of each other.

    References: NIST SP 800-38A (counter mode).
    """

    def __init__(self) -> None:
        # Privacy: no name is ever bound to the key here, so that no traceback that shows locals can show it.
        super().__init__(Keystream(os.urandom(KEY_BYTES)))

    @property
    def is_secure(self) -> bool:
        """True: nobody can recompute the noise."""
        return True


class DeterministicNoise(AbstractNoise):
    """Noise that anyone can recompute from a seed: for tests alone.

    Guarantee: none. Everything made with it is stamped insecure.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(Keystream(key_from_seed(seed, "insecure noise")))

    @property
    def is_secure(self) -> bool:
        """False: the seed gives the noise away."""
        return False
