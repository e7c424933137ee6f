"""The event of a mechanism as data: what is written is what is read, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy import PrivacyStatement, epsilon_by_pld
from gossamer.privacy.event_data import event_of_parts, from_data, to_data
from gossamer.privacy.events import (
    GaussianPart,
    OneOfManyPart,
    Part,
    PoissonPart,
    ReplacedPoissonPart,
    flatten,
    one_of_many_event,
)
from gossamer.privacy.priceable import check_priceable
from gossamer.privacy.restated import event_of, is_same_event

PARTS: tuple[Part, ...] = (
    GaussianPart(noise_multiplier=2.5, count=3),
    OneOfManyPart(num_critics=50, noise_multiplier=0.8, count=60),
    PoissonPart(sample_rate=0.01, noise_multiplier=1.1, count=300),
    ReplacedPoissonPart(sample_rate=1.0, noise_multiplier=1.1, count=1),
)
STATEMENTS = sorted((Path(__file__).parent / "statements").glob("format-2-*.json"))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_a_part_comes_back_from_json_and_is_one_event(part: Part) -> None:
    assert from_data(json.loads(json.dumps(to_data(part)))) == part
    assert list(flatten(event_of_parts((part,)))) == [part]


def test_a_draw_of_several_answers_is_one_part_of_the_same_price() -> None:
    event = one_of_many_event(num_critics=50, noise_multiplier=1.3, num_steps=20, batch_size=6, draws_per_step=3)
    again = event_of_parts(tuple(map(from_data, map(to_data, flatten(event)))))
    assert is_same_event(event, again)
    assert epsilon_by_pld(again, 1e-4).epsilon == pytest.approx(epsilon_by_pld(event, 1e-4).epsilon, rel=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"mechanism": "laplace"},
        {"mechanism": None},
        {"mechanism": ["poisson"]},
        {"count": 0},
        {"count": True},
        {"count": 2.0},
        {"sample_rate": 0.0},
        {"sample_rate": 1.5},
        {"sample_rate": "0.1"},
        {"noise_multiplier": 0},
        {"noise_multiplier": -1.0},
        {"noise_multiplier": float("nan")},
        {"noise_multiplier": True},
        {"noise_multiplier": None},
        {"num_critics": 5},
    ],
    ids=str,
)
def test_a_part_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((InputError, PrivacyError)):
        from_data(to_data(PARTS[2]) | changes)


@pytest.mark.parametrize(
    "event", [[], [{}], ["poisson"], {"mechanism": "poisson"}, "poisson", [to_data(PARTS[0])] * 101]
)
def test_a_statement_with_an_event_that_is_none_is_refused(event: Any) -> None:
    document = json.loads(STATEMENTS[0].read_text()) | {"format_version": 3, "event": event}
    with pytest.raises((InputError, PrivacyError)):
        PrivacyStatement.from_json(document)


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.stem)
def test_statements_of_format_2_are_read_and_priced_as_they_were(path: Path) -> None:
    statement = PrivacyStatement.from_json(json.loads(path.read_text()))
    assert statement.event is None
    assert epsilon_by_pld(event_of(statement), statement.delta).epsilon == pytest.approx(statement.epsilon, rel=1e-4)


def test_an_event_of_very_many_samplings_is_refused_before_it_takes_an_hour() -> None:
    draws = tuple(OneOfManyPart(num_critics=1000 + more, noise_multiplier=1.0, count=10) for more in range(100))
    samples = tuple(PoissonPart(sample_rate=0.01, noise_multiplier=0.01 + more / 1e4, count=1) for more in range(10))
    with pytest.raises(InputError, match="100 samplings"):
        check_priceable(event_of_parts(draws), 1e-5)
    with pytest.raises(InputError, match="epsilon is above 10000 by RDP"):
        check_priceable(event_of_parts(samples), 1e-5)
    assert check_priceable(event_of_parts(draws[:2]), 1e-5) > 0
