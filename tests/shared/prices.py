"""Prices that are computed once, for tests that make the same plans again and again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from gossamer.mechanisms import plan as priced_plan
from gossamer.privacy import priceable

_COMPUTED = (
    (priced_plan, ("proved_epsilon", "epsilon_by_pld", "epsilon_by_rdp", "mu_of")),
    (priceable, ("proved_epsilon", "epsilon_by_rdp")),
)


@contextlib.contextmanager
def priced_once() -> Iterator[None]:
    """Keep the price of each event while the block lasts."""
    prices: dict[Any, Any] = {}

    def once(name: str, compute: Any) -> Any:
        def price(event: Any, *rest: Any) -> Any:
            key = name, repr(event), rest
            return prices[key] if key in prices else prices.setdefault(key, compute(event, *rest))

        return price

    with pytest.MonkeyPatch.context() as patch:
        for module, names in _COMPUTED:
            for name in names:
                patch.setattr(module, name, once(name, getattr(module, name)))
        yield
