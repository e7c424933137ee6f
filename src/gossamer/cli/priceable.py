"""Whether a mechanism that was read from a file can be priced with the memory and time of a small machine."""

from __future__ import annotations

from dp_accounting import DpEvent

from gossamer.cli.arguments import accountable, check_accountable
from gossamer.errors import InputError
from gossamer.privacy.accounting import epsilon_by_pld, epsilon_by_rdp
from gossamer.privacy.events import OneOfManyPart, Part, PoissonPart, flatten

MAX_EPSILON = 1e4
MAX_GRID = 3e6
"""Points of the loss of one Poisson sample; a million takes about a minute."""


def price(event: DpEvent, delta: float) -> tuple[float, float]:
    """Epsilon by PLD and by RDP of a mechanism that a file describes.

    Raises:
        InputError: its numbers are beyond what is computed here, in one line and before memory is taken.
        PrivacyError: it has no price.
    """
    by_rdp = check_priceable(event, delta)
    with accountable():
        return epsilon_by_pld(event, delta).epsilon, by_rdp


def check_priceable(event: DpEvent, delta: float) -> float:
    """Refuse what takes too much memory or time; epsilon by RDP, which takes little of either.

    Raises:
        InputError: its numbers are beyond what is computed here.
        PrivacyError: it has no price.
    """
    for part in flatten(event):
        check_part(part, part.noise_multiplier)
        if isinstance(part, PoissonPart) and _num_points(part) > MAX_GRID:
            raise InputError(
                f"noise multiplier {part.noise_multiplier:g} at rate {part.sample_rate:g}: too little noise to "
                "compute the price again"
            )
    with accountable():
        by_rdp = epsilon_by_rdp(event, delta).epsilon
    if not by_rdp <= MAX_EPSILON:
        raise InputError(f"epsilon is above {MAX_EPSILON:g} by RDP: too large to compute again; do not rely on it")
    return by_rdp


def check_numbers(event: DpEvent, noise_multiplier: float | None, epsilon: float | None) -> None:
    """Refuse settings that no accountant here can compute with, before they are priced.

    Args:
        event: of the settings with any noise.
        noise_multiplier: of the settings, or None.
        epsilon: budget, or None.

    Raises:
        InputError: a number is beyond its limit.
    """
    for part in flatten(event):
        check_part(part, noise_multiplier, epsilon)


def check_part(part: Part, noise_multiplier: float | None, epsilon: float | None = None) -> None:
    """Refuse a part of an event with too many critics or repetitions, too much or too little noise.

    Raises:
        InputError: a number is beyond its limit.
    """
    num_critics = part.num_critics if isinstance(part, OneOfManyPart) else 1
    check_accountable(num_critics=num_critics, answers=part.count, noise_multiplier=noise_multiplier, epsilon=epsilon)


def _num_points(part: PoissonPart) -> float:
    """Reach of the loss of one sample over the interval that the accountant takes."""
    noise = part.noise_multiplier
    interval = min(1e-4, max(1e-6, 0.1 * part.sample_rate / noise))
    return (0.5 / noise**2 + 10 / noise) / interval
