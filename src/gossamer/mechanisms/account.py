"""The questions that `gossamer account` asks of the settings of a mechanism, without torch."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

from dp_accounting.dp_event import DpEvent

from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.truncation import least_truncation


@dataclass(frozen=True, kw_only=True)
class AbstractAccount(abc.ABC):
    """The options that the accounts of all methods share, and the answers that they give.

    The docstring of a final class is the help text of its command. `summary` is its line in the list of methods.
    """

    summary: ClassVar[str]

    delta: float = 1e-5
    noise_multiplier: tuple[float, ...] = ()
    num_steps: int | None = None
    epsilon: tuple[float, ...] = ()
    json: bool = False

    @property
    def sized_by(self) -> tuple[str, int | None] | None:
        """Recipe with sizes to tell, and the number of slots if it was given. None if no sizes are asked for."""
        return None

    @abc.abstractmethod
    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Return the event of so many steps with that noise."""

    @abc.abstractmethod
    def check(self) -> None:
        """Refuse settings without a price, before any event is made of them.

        Raises:
            InputError: a number is out of range.
            PrivacyError: delta is too large for the number of slots.
        """

    def least_truncation(self, *, noise_multiplier: float, num_steps: int) -> float:
        """Bound from below the part of delta that the finite range of the noise adds in a training."""
        return least_truncation(self.event(noise_multiplier=noise_multiplier, num_steps=num_steps))

    @abc.abstractmethod
    def public(self) -> dict[str, Any]:
        """Return the settings beside noise, steps and budget, and the terms of the guarantee."""

    def other_epsilons(self, *, noise_multiplier: float, num_steps: int) -> dict[str, float]:
        """Return epsilons of other accountants, adjacencies or samplings, by name."""
        return {}

    def other_multipliers(self, num_steps: int, budget: PrivacyBudget) -> dict[str, float]:
        """Return noise multipliers that other accountants or samplings would ask for, by name."""
        return {}

    def published(self, noise_multiplier: float, num_steps: int) -> dict[str, Any]:
        """Return the claim of a published system, and the reason why it does not hold, or nothing."""
        return {}
