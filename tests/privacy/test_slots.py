"""The public number of units: who says it decides what may be claimed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gossamer.errors import InputError
from gossamer.privacy import Adjacency, Unit
from gossamer.privacy.slots import CountSource, PublicSlots


def test_a_number_that_was_given_covers_any_change_and_one_that_was_counted_a_replacement() -> None:
    assert CountSource.GIVEN.of_slots is Adjacency.SLOT
    assert CountSource.GIVEN.of_samples is Adjacency.ADD_OR_REMOVE_ONE
    assert CountSource.READ.of_slots is CountSource.READ.of_samples is Adjacency.REPLACE_ONE


def test_a_number_alone_is_one_of_records_that_somebody_gave() -> None:
    slots = PublicSlots(50)
    assert (slots.unit, slots.source, slots.training_share) == (Unit.RECORD, CountSource.GIVEN, 1.0)
    assert PublicSlots(50, training_share=0.8).expected_training == pytest.approx(40)


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "5", None])
def test_a_number_of_slots_that_is_none_is_refused(number: Any) -> None:
    with pytest.raises(InputError, match="positive integer"):
        PublicSlots(number)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, math.nan])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="training_share"):
        PublicSlots(5, training_share=share)


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("adjacency", Adjacency)
def test_an_adjacency_speaks_of_coming_and_leaving_where_it_covers_them_alone(adjacency: Adjacency, unit: Unit) -> None:
    text = adjacency.describe(unit)
    assert unit.protected in text
    is_replaced = adjacency is Adjacency.REPLACE_ONE
    assert ("added" in text) == ("removed" in text) == (not is_replaced)
    assert ("is public" in text) == is_replaced
