"""A score: one number, its interval, and all that is needed to read it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from gossamer.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Score:
    """A measured quality with a 95 % interval.

    Args:
        name: of the measure, a word that JSON and tables use (``inception_score``).
        value: the measurement, between `low` and `high`.
        low: lower end of the interval.
        high: upper end of the interval.
        higher_is_better: the direction of improvement.
        num_synthetic: synthetic images behind the value, 0 if it tells of real ones alone.
        num_real: real images behind the value.
        seeds: one for each repetition, at least one. A repetition draws new synthetic images and trains anew.
        source: one sentence: origin of the definition, the features or the classifier, and the choices that the
            interval covers.

    Raises:
        InputError: if the three numbers are not finite and in order, or there is no image or no seed.
    """

    name: str
    value: float
    low: float
    high: float
    higher_is_better: bool
    num_synthetic: int
    num_real: int
    seeds: tuple[int, ...]
    source: str

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.low, self.value, self.high)):
            raise InputError(f"{self.name}: value and interval must be finite; check the images that were scored")
        if not self.low <= self.value <= self.high:
            raise InputError(f"{self.name}: {self.value} lies outside its interval {self.low} .. {self.high}")
        if min(self.num_synthetic, self.num_real) < 0 or self.num_synthetic + self.num_real < 1:
            raise InputError(
                f"{self.name}: {self.num_synthetic} synthetic and {self.num_real} real images score nothing"
            )
        if not self.seeds:
            raise InputError(f"{self.name}: a score needs the seed of its randomness")

    def __str__(self) -> str:
        """Show the value and its interval in one line."""
        return f"{self.name} {self.value:.3f} (95 % interval {self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Basis:
    """Counts, seeds and source of a score. They go into the score as they are.

    Args:
        num_synthetic: synthetic records behind the value, 0 if it tells of real ones alone.
        num_real: real records behind the value.
        seeds: one for each repetition.
        source: where the definition comes from and with which classifier.
    """

    num_synthetic: int
    num_real: int
    seeds: tuple[int, ...]
    source: str

    def score(self, name: str, interval: tuple[float, float, float]) -> Score:
        """Return the score of that name, given its value and the ends of its interval. More is better."""
        value, low, high = interval
        return Score(name=name, value=value, low=low, high=high, higher_is_better=True, **vars(self))

    def distance(self, name: str, interval: tuple[float, float, float]) -> Score:
        """Return a score of which less is better, as `score` does."""
        return dataclasses.replace(self.score(name, interval), higher_is_better=False)
