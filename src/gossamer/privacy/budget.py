"""The privacy budget (epsilon, delta), and the rule for honest deltas."""

from __future__ import annotations

import dataclasses
import math
from numbers import Real

from gossamer.errors import InputError, PrivacyError, told

SMALLEST_DELTA = 1e-200
"""Smallest delta that is priced. The millionth of one step of it must still be a float."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrivacyBudget:
    """The epsilon and delta that may be spent: epsilon > 0, finite, and delta in (0, 1).

    Args:
        epsilon: largest privacy loss allowed, in nats.
        delta: probability with which that loss may be exceeded.

    Raises:
        InputError: epsilon is not a finite number above 0.
        PrivacyError: delta is outside (0, 1).

    Example:
        >>> PrivacyBudget(epsilon=10.0, delta=1e-5)
        PrivacyBudget(epsilon=10.0, delta=1e-05)
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon)
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise InputError(f"epsilon must be a finite number above 0, not {self.epsilon}: give for example 10")
        check_delta_range(self.delta)


def check_delta_range(delta: float) -> None:
    """Refuse a delta outside (0, 1), NaN included, and one too small for its parts to be floats.

    Raises:
        PrivacyError: delta is outside (0, 1), or below 1e-200. Gaussian noise cannot reach delta = 0, and delta >= 1
            promises nothing.
    """
    check_number("delta", delta)
    if not 0.0 < delta < 1.0:
        raise PrivacyError(f"delta must lie strictly between 0 and 1, not {delta}: give for example 1e-5")
    if delta < SMALLEST_DELTA:
        raise PrivacyError(
            f"delta {delta:g} is below {SMALLEST_DELTA:g}, the smallest that is priced: give for example 1e-9"
        )


def check_number(name: str, value: object) -> None:
    """Refuse a value that is no number, without a word of its content.

    Raises:
        InputError: naming the parameter.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{name} must be a number, not {told(value)}")


def check_delta(delta: float, num_slots: int) -> None:
    """Refuse a delta that would allow publishing one slot outright: delta >= 1 / num_slots.

    Raises:
        InputError: num_slots is below 1.
        PrivacyError: delta is outside (0, 1) or not below 1 / num_slots.
    """
    _check_num_slots(num_slots)
    check_delta_range(delta)
    # Privacy: releasing one slot picked at random, with no noise, satisfies delta = 1 / num_slots.
    if delta >= 1.0 / num_slots:
        raise PrivacyError(
            f"delta {delta:g} is not below 1/{num_slots} (one over the number of slots), which would allow publishing "
            f"a slot outright: use {default_delta(num_slots):g}"
        )


def default_delta(num_slots: int) -> float:
    """Return the largest power of ten that is at most 1 / (10 num_slots).

    It is a power of ten, and not 1 / (10 num_slots) itself, so that people can compare the figures of statements.

    Example:
        >>> default_delta(60_000), default_delta(10)
        (1e-06, 0.01)
    """
    _check_num_slots(num_slots)
    num_digits = len(str(10 * num_slots - 1))
    return float(f"1e-{num_digits}")


def chosen_delta(delta: float | None, num_slots: int) -> float:
    """Return a delta that may be claimed: the one given, or the usual one of so many slots.

    Raises:
        PrivacyError: one over the number of slots, or more.
    """
    chosen = default_delta(num_slots) if delta is None else delta
    check_delta(chosen, num_slots)
    return chosen


def _check_num_slots(num_slots: int) -> None:
    check_number("num_slots", num_slots)
    if num_slots < 1:
        raise InputError(f"num_slots must be at least 1, not {num_slots}: give the public number of slots")
