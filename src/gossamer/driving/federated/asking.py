"""The two orders in which a plan asks its sites: all of them in every round, or one after the other."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass


class AbstractTurns(abc.ABC):
    """The order in which sites are asked. Public, and fixed by the plan.

    Each site does each part of the work once: a sum, or a block of private steps.
    """

    may_pass: bool
    """True if a round may go on without any answer."""

    @abc.abstractmethod
    def num_rounds(self, num_parts: int, num_sites: int) -> int:
        """Return the rounds in which each site does all parts."""

    @abc.abstractmethod
    def part_of(self, number: int, num_sites: int) -> int:
        """Return the part that a round asks for, both from 0."""

    @abc.abstractmethod
    def asked(self, number: int, names: Sequence[str]) -> tuple[str, ...]:
        """Return the sites that a round asks, by name, from those of the plan in order."""


@dataclass(frozen=True)
class AllAtOnce(AbstractTurns):
    """Every round asks every site."""

    may_pass = False

    def num_rounds(self, num_parts: int, num_sites: int) -> int:
        """Return a round for each part."""
        return num_parts

    def part_of(self, number: int, num_sites: int) -> int:
        """Return the number of the round."""
        return number

    def asked(self, number: int, names: Sequence[str]) -> tuple[str, ...]:
        """Return all sites."""
        return tuple(names)


@dataclass(frozen=True)
class InTurn(AbstractTurns):
    """Every round asks one site, in the order of the plan, and again from the first after the last.

    A site goes on from the networks of the one before it. If it gives no answer, its turn passes.

    Example:
        >>> [InTurn().asked(number, ("berlin", "paris")) for number in range(3)]
        [('berlin',), ('paris',), ('berlin',)]
    """

    may_pass = True

    def num_rounds(self, num_parts: int, num_sites: int) -> int:
        """Return a round for each part of each site."""
        return num_parts * num_sites

    def part_of(self, number: int, num_sites: int) -> int:
        """Return how often each site was asked before."""
        return number // num_sites

    def asked(self, number: int, names: Sequence[str]) -> tuple[str, ...]:
        """Return one site alone."""
        return (names[number % len(names)],)
