"""A score: one number, its interval, and what is needed to read it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gossamer.errors import InputError

_NORMAL_QUANTILE_975 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Score:
    """A measured quality with a 95 % interval.

    Args:
        name: what was measured.
        value: the measurement, between `low` and `high`.
        low: lower end of the interval.
        high: upper end of the interval.
        higher_is_better: the direction of improvement.
        num_samples: how many test samples the value was computed on, at least 1.
        seed: seed of the randomness used.

    Raises:
        InputError: if the three numbers are not finite and in order, or there is no sample.
    """

    name: str
    value: float
    low: float
    high: float
    higher_is_better: bool
    num_samples: int
    seed: int

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.low, self.value, self.high)):
            raise InputError(f"score {self.name}: value and interval must be finite; check the data that were scored")
        if not self.low <= self.value <= self.high:
            raise InputError(f"score {self.name}: {self.value} lies outside its interval {self.low} .. {self.high}")
        if self.num_samples < 1:
            raise InputError(f"score {self.name}: num_samples {self.num_samples} must be at least 1")

    def __str__(self) -> str:
        """The value and its interval in one line."""
        return f"{self.name} {self.value:.3f} (95 % interval {self.low:.3f} to {self.high:.3f}, n = {self.num_samples})"


def proportion_score(name: str, num_successes: int, num_samples: int, *, seed: int) -> Score:
    """A proportion k/n with Wilson's 95 % interval; higher is better.

    With p = k/n and z the 97.5 % quantile of the normal law, the interval is::

        (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)

    It covers the choice of the n test samples, taken as independent. It does not cover the randomness of whatever was
    trained before the test.

    Args:
        name: what is counted.
        num_successes: k, in 0 .. n.
        num_samples: n, at least 1.
        seed: seed of the randomness used before the count.

    Raises:
        InputError: if k or n is out of range.

    References:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> print(proportion_score("accuracy", 80, 100, seed=0))
    accuracy 0.800 (95 % interval 0.711 to 0.867, n = 100)
    """
    if num_samples < 1 or not 0 <= num_successes <= num_samples:
        raise InputError(f"score {name}: {num_successes} of {num_samples} is no proportion; give 0 <= k <= n, n >= 1")
    value = num_successes / num_samples
    spread = _NORMAL_QUANTILE_975**2 / num_samples
    centre = value + spread / 2
    half_width = math.sqrt(spread * value * (1 - value) + spread**2 / 4)
    return Score(
        name=name,
        value=value,
        low=max(0.0, min(value, (centre - half_width) / (1 + spread))),
        high=min(1.0, max(value, (centre + half_width) / (1 + spread))),
        higher_is_better=True,
        num_samples=num_samples,
        seed=seed,
    )
