"""The two orders in which a plan asks its sites: all of them in every round, or one after the other."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass


class AbstractTurns(abc.ABC):
    """The order in which sites are asked. Public, and fixed by the plan.

    Each site does each part of the work once: first the sums, then blocks of private steps. Sums are those of all sites
    and add, so a round of a sum asks all of them in any order.
    """

    @abc.abstractmethod
    def num_rounds(self, num_sums: int, num_blocks: int, num_sites: int) -> int:
        """Return the rounds in which each site does all parts."""

    @abc.abstractmethod
    def part_of(self, number: int, num_sums: int, num_sites: int) -> int:
        """Return the part that a round asks for, both from 0."""

    @abc.abstractmethod
    def asked(self, number: int, num_sums: int, names: Sequence[str]) -> tuple[str, ...]:
        """Return the sites that a round asks, by name, from those of the plan in order."""

    @abc.abstractmethod
    def may_pass(self, number: int, num_sums: int) -> bool:
        """Tell if a round may go on without any answer."""


@dataclass(frozen=True)
class AllAtOnce(AbstractTurns):
    """Every round asks every site."""

    def num_rounds(self, num_sums: int, num_blocks: int, num_sites: int) -> int:
        """Return a round for each part."""
        return num_sums + num_blocks

    def part_of(self, number: int, num_sums: int, num_sites: int) -> int:
        """Return the number of the round."""
        return number

    def asked(self, number: int, num_sums: int, names: Sequence[str]) -> tuple[str, ...]:
        """Return all sites."""
        return tuple(names)

    def may_pass(self, number: int, num_sums: int) -> bool:
        """Return False."""
        return False


@dataclass(frozen=True)
class InTurn(AbstractTurns):
    """After the sums every round asks one site, in the order of the plan, and again from the first after the last.

    A site goes on from the networks of the one before it. If it gives no answer, its turn passes.

    Example:
        >>> [InTurn().asked(number, 1, ("berlin", "paris")) for number in range(4)]
        [('berlin', 'paris'), ('berlin',), ('paris',), ('berlin',)]
    """

    def num_rounds(self, num_sums: int, num_blocks: int, num_sites: int) -> int:
        """Return a round for each sum, and one for each block of each site."""
        return num_sums + num_blocks * num_sites

    def part_of(self, number: int, num_sums: int, num_sites: int) -> int:
        """Return the number of the sum, and after all sums how often each site was asked before."""
        return number if number < num_sums else num_sums + (number - num_sums) // num_sites

    def asked(self, number: int, num_sums: int, names: Sequence[str]) -> tuple[str, ...]:
        """Return all sites for a sum, and one site alone for networks."""
        return tuple(names) if number < num_sums else (names[(number - num_sums) % len(names)],)

    def may_pass(self, number: int, num_sums: int) -> bool:
        """Return True for a round of networks."""
        return number >= num_sums
