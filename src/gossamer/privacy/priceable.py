"""Limits of prices: a mechanism from a file or an option must be priced with the memory of a small machine."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError
from gossamer.privacy.accounting import epsilon_by_rdp, proved_epsilon
from gossamer.privacy.events import GaussianPart, OneOfManyPart, Part, flatten

MAX_EPSILON = 1e4
MAX_SAMPLINGS = 10
"""Most samplings of one mechanism, each a part of its event. Each takes up to 20 seconds."""


def price(event: DpEvent, delta: float) -> tuple[float, float]:
    """Compute the epsilon to be claimed, and that by RDP, of a mechanism that a file describes.

    Raises:
        InputError: its numbers are beyond the limits, in one line and before memory is taken.
        PrivacyError: it has no price.
    """
    by_rdp = check_priceable(event, delta)
    with accountable():
        return proved_epsilon(event, delta).epsilon, by_rdp


def check_priceable(event: DpEvent, delta: float) -> float:
    """Refuse a mechanism that takes too much memory or time to price, and return its epsilon by RDP.

    Raises:
        InputError: its numbers are beyond the limits.
        PrivacyError: it has no price.
    """
    parts = tuple(flatten(event))
    for part in parts:
        _check_part(part, part.noise_multiplier)
    sampled = [part for part in parts if not isinstance(part, GaussianPart)]
    if len(sampled) > MAX_SAMPLINGS:
        raise InputError(f"{len(sampled)} samplings, at most {MAX_SAMPLINGS} are priced again: use the file as written")
    with accountable():
        by_rdp = epsilon_by_rdp(event, delta).epsilon
    if not by_rdp <= MAX_EPSILON:
        raise InputError(f"epsilon is above {MAX_EPSILON:g} by RDP: too large to compute again; do not rely on it")
    return by_rdp


def check_numbers(event: DpEvent, noise_multiplier: float | None, epsilon: float | None) -> None:
    """Refuse numbers that no accountant here can compute with. Settings without a guarantee are refused elsewhere.

    Args:
        event: of the settings with any noise, with 1e9 critics and 1e11 draws or releases at most.
        noise_multiplier: between 0.001 and 1e6 if it is above 0, or None.
        epsilon: at most 1e5, or None.

    Raises:
        InputError: a number is beyond its limit.
    """
    for part in flatten(event):
        _check_part(part, 1.0 if noise_multiplier is None else noise_multiplier)
    budget = 0.0 if epsilon is None else epsilon
    _check_range("--epsilon", budget, -math.inf, 1e5 if budget < math.inf else math.inf)


def _check_part(part: Part, noise: float) -> None:
    _check_range("--num-critics", part.num_critics if isinstance(part, OneOfManyPart) else 1, -math.inf, 1e9)
    _check_range("--num-steps times --batch-size", part.count, -math.inf, 1e11)
    _check_range("--noise-multiplier", noise, 1e-3 if noise > 0 else -math.inf, 1e6)


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if value < least or value > most:
        raise InputError(
            f"{name} is {value:g}: too {'small' if value < least else 'large'} to account for; give a "
            f"{'larger' if value < least else 'smaller'} one"
        )


@contextlib.contextmanager
def accountable() -> Iterator[None]:
    """Refuse in one line the numbers that an accountant cannot compute with, though each alone is in range.

    Raises:
        InputError: in place of an overflow or a division by zero.
    """
    try:
        yield
    except ArithmeticError:
        raise InputError("these numbers together are too large or too small to account for; change one") from None
