"""Epsilon by Rényi differential privacy: by dp-accounting, or by quadrature where that has no formula."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from dp_accounting.dp_event import DpEvent
from dp_accounting.privacy_accountant import NeighboringRelation

from gossamer.errors import PrivacyError
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.events import GaussianPart, Part, ReplacedPoissonPart, flatten
from gossamer.privacy.replaced_poisson import ReplacedPoissonPair

# For one-of-K sampling integer orders suffice: the bound is interpolated between them. Gaussians gain from the others.
SPARSE_ORDERS = (1.1, 1.5, *map(float, (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 512, 1024, 4096)))
# Those that dp-accounting takes by itself, in words of our own, since its module imports much.
_USUAL_ORDERS = (*(1 + tenth / 10 for tenth in range(1, 100)), *range(11, 64), 128, 256, 512, 1024)
ORDERS = tuple(sorted({1.02, 1.05, *_USUAL_ORDERS, *SPARSE_ORDERS, 80.0, 2048.0}))


def epsilon_by_orders(event: DpEvent, delta: float, orders: tuple[float, ...], adjacency: Adjacency | None) -> float:
    """Compute epsilon by dp-accounting's Rényi accountant. It is the least of the bounds by each order.

    Args:
        event: made by the functions of ``events``, and not priced for a replacement of Poisson samples.
        delta: in (0, 1).
        orders: of the divergences, above 1.
        adjacency: that of the event, or None if only Gaussians were released.
    """
    # Privacy: under REPLACE_ONE dp-accounting 0.6.0 reads a Gaussian's multiplier as noise / sensitivity here, which is
    # our meaning, but as noise / clip in its PLD accountant (issue 378 there); golden tests hold this line.
    from dp_accounting.rdp import RdpAccountant  # not at the beginning: it imports scipy.special

    is_slot = adjacency is Adjacency.SLOT
    relation = NeighboringRelation.REPLACE_ONE if is_slot else NeighboringRelation.ADD_OR_REMOVE_ONE
    accountant = RdpAccountant(orders=orders, neighboring_relation=relation)
    with _orders_left_out_in_silence():
        accountant.compose(event)
    return float(accountant.get_epsilon(delta))


@contextlib.contextmanager
def _orders_left_out_in_silence() -> Iterator[None]:
    """Silence dp-accounting's line for each order with a series that does not converge, and no other line.

    Privacy: for such an order `_compute_log_a_frac` returns infinity. Every order gives an upper bound, that order an
    infinite one. Epsilon is the least of the bounds. Without that order epsilon can only be larger, and remains an
    upper bound.
    """
    logger = logging.getLogger("absl")
    logger.addFilter(_says_more_than_an_order_left_out)
    try:
        yield
    finally:
        logger.removeFilter(_says_more_than_an_order_left_out)


def _says_more_than_an_order_left_out(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("_compute_log_a_frac failed to converge")


def replaced_epsilon_by_orders(event: DpEvent, delta: float, orders: tuple[float, ...]) -> float:
    """Compute epsilon of an event that is priced for a replacement. dp-accounting converts the divergences.

    Args:
        event: Poisson samples and Gaussians, made by the functions of ``events``.
        delta: in (0, 1).
        orders: of the divergences, above 1.

    Raises:
        PrivacyError: a part has no price for a replacement.
    """
    from dp_accounting.rdp import compute_epsilon  # as above

    parts = tuple(flatten(event))
    divergences = [sum(_renyi_divergence(part, order) for part in parts) for order in orders]
    return float(compute_epsilon(orders, divergences, delta)[0])


def _renyi_divergence(part: Part, order: float) -> float:
    """Compute the Rényi divergence of all repetitions of one part of an event that is priced for a replacement."""
    match part:
        case ReplacedPoissonPart():
            pair = ReplacedPoissonPair(probability=part.sample_rate, noise_multiplier=part.noise_multiplier)
            return part.count * pair.log_moment(order) / (order - 1.0)
        case GaussianPart():
            return part.count * order / (2.0 * part.noise_multiplier**2)
        case _:
            raise PrivacyError(f"a {type(part).__name__} is not priced for the replacement of one unit")
