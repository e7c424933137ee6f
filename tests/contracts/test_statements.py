"""One statement for all methods: the words that are not the mechanism's own are the same, early and at the end."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any, cast

import pytest
from tiny import every

from gossamer.driving import claims
from gossamer.driving.claims import Known, check_claim
from gossamer.errors import PrivacyError
from gossamer.mechanisms.plan import TUNING, AbstractPlan
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.earlier import earlier_epsilon, earlier_profile
from gossamer.privacy.gaussian_dp import mu_of_profile
from gossamer.privacy.restated import event_of, is_in_keeping, is_same_event
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.findings import Verdict

TINY = every(lambda tiny: tiny.images)
NAMES = [one.name for one in METHODS]
every_method = pytest.mark.parametrize("name", NAMES)
both_sources = pytest.mark.parametrize("source", CountSource)


def plan_of(name: str, source: CountSource, unit: Unit = Unit.RECORD) -> AbstractPlan:
    method = find_method(name)
    return method.plan(TINY[name], PublicSlots(90, unit, source))


def claim(name: str, source: CountSource, *, is_early: bool, **terms: Any) -> PrivacyStatement:
    plan = plan_of(name, source)
    given = ClaimTerms(
        delta=1e-4, method=name, is_secure=True, sample_size=4, num_planned_steps=plan.num_steps if is_early else None,
        date="2026-11-28", gossamer_version="1", **terms,
    )  # fmt: skip
    return (plan.first_steps(1) if is_early else plan).statement(given)


def common(statement: PrivacyStatement, plan: AbstractPlan, *, is_early: bool) -> tuple[Any, ...]:
    """All words of a statement but those that the mechanism's description says."""
    says = (plan.first_steps(1) if is_early else plan)._description
    not_covered = tuple(one for one in statement.not_covered if one not in says.secret_draws)
    covered = tuple(
        one.replace(says.part.format(plan.num_steps), "PART").replace(says.released, "RELEASED")
        for one in statement.covered
    )
    return (
        covered,
        tuple(one.replace(says.kept_private, "KEPT") for one in not_covered),
        tuple(one for one in statement.public_inputs if one not in says.public_settings),
        tuple(re.sub(r"adds at most \S+ to delta", "", one) for one in statement.assumptions()),
        statement.voids(),
    )


@both_sources
@pytest.mark.parametrize("is_early", [False, True], ids=["whole", "early"])
@pytest.mark.parametrize("adjacency", Adjacency, ids=lambda adjacency: adjacency.value)
def test_methods_of_one_adjacency_say_the_same(is_early: bool, source: CountSource, adjacency: Adjacency) -> None:
    plans = {name: plan_of(name, source) for name in NAMES}
    alike = [name for name in NAMES if plans[name].adjacency is adjacency]
    said = {common(claim(name, source, is_early=is_early), plans[name], is_early=is_early) for name in alike}
    assert len(said) == (1 if alike else 0)


@both_sources
@every_method
def test_only_an_early_generator_warns_that_choosing_is_tuning(name: str, source: CountSource) -> None:
    assert TUNING in claim(name, source, is_early=True).not_covered
    assert TUNING not in claim(name, source, is_early=False).not_covered
    assert any(one.startswith("together with other generators") for one in claim(name, source, is_early=True).covered)


@both_sources
@every_method
def test_the_event_is_carried_and_the_printed_numbers_are_in_keeping_with_it(name: str, source: CountSource) -> None:
    for is_early in (False, True):
        statement = PrivacyStatement.from_json(claim(name, source, is_early=is_early).to_json())
        plan = plan_of(name, source)
        assert statement.event is not None
        assert is_same_event(event_of(statement), (plan.first_steps(1) if is_early else plan).event)
        assert is_in_keeping(statement)


@pytest.mark.parametrize(
    ("name", "number", "value"),
    [("gs-wgan", "num_critics", 1000), ("dp-cgan", "num_steps", 1), ("dp-cgan", "sample_rate", 1e-4)],
)
def test_printed_numbers_that_were_edited_are_told_from_the_event(name: str, number: str, value: Any) -> None:
    document: dict[str, Any] = claim(name, CountSource.GIVEN, is_early=False).to_json()
    document["parameters"] = {**document["parameters"], number: value}
    assert not is_in_keeping(PrivacyStatement.from_json(document))


def test_a_number_of_critics_in_a_draw_that_was_edited_is_told_from_the_event() -> None:
    """Fewer critics in a draw cost less, and a statement without their number is one of one critic a draw."""
    slots, summed = PublicSlots(90), replace(TINY["gs-wgan"], critics_per_draw=3)
    terms = ClaimTerms(delta=1e-4, method="gs-wgan", is_secure=True, sample_size=4)
    document: dict[str, Any] = find_method("gs-wgan").plan(summed, slots).statement(terms).to_json()
    assert document["event"][0]["mechanism"] == "replaced-poisson"
    honest = PrivacyStatement.from_json(document)
    assert is_in_keeping(honest)
    assert not [found for found in check_claim(honest, Known(), None) if found.verdict is Verdict.BROKEN]
    for edited in ({"critics_per_draw": 1}, {"critics_per_draw": 4}, {"num_critics": 60}, {}):
        numbers = {
            name: value for name, value in document["parameters"].items() if edited or name != "critics_per_draw"
        }
        statement = PrivacyStatement.from_json(document | {"parameters": numbers | edited})
        assert is_in_keeping(statement) is False, edited
        assert Verdict.BROKEN in {finding.verdict for finding in check_claim(statement, Known(), None)}


def test_a_noise_multiplier_that_was_edited_is_told_from_the_event() -> None:
    for name in NAMES:
        document: dict[str, Any] = claim(name, CountSource.GIVEN, is_early=False).to_json()
        assert not is_in_keeping(PrivacyStatement.from_json(document | {"noise_multiplier": 50.0})), name


def test_an_event_of_another_kind_is_not_in_keeping_with_the_printed_numbers() -> None:
    other = {"mechanism": "gaussian", "noise_multiplier": 50.0, "count": 1}
    for name in ("gs-wgan", "dp-cgan"):
        document: dict[str, Any] = claim(name, CountSource.GIVEN, is_early=False).to_json()
        assert is_in_keeping(PrivacyStatement.from_json(document | {"event": [other]})) is False, name


def test_printed_numbers_that_cannot_be_read_are_said_to_be_unchecked() -> None:
    document: dict[str, Any] = claim("gs-wgan", CountSource.GIVEN, is_early=False).to_json()
    renamed = {name.replace("num_critics", "critics"): value for name, value in document["parameters"].items()}
    statement = PrivacyStatement.from_json(document | {"parameters": renamed})
    assert is_in_keeping(statement) is None
    assert Verdict.UNCHECKED in {finding.verdict for finding in check_claim(statement, Known(), None)}


@pytest.mark.parametrize("claimed", ["replace-one", "slot"])
def test_the_price_of_coming_and_leaving_is_claimed_for_nothing_else(claimed: str) -> None:
    document: dict[str, Any] = claim("dp-cgan", CountSource.GIVEN, is_early=False).to_json()
    edited = document | {"adjacency": claimed, "epsilon_replaced": None}
    with pytest.raises(PrivacyError, match="does not cover"):
        PrivacyStatement.from_json(edited)
    older = PrivacyStatement.from_json({**edited, "event": None})
    assert not is_same_event(event_of(older), plan_of("dp-cgan", CountSource.GIVEN).event)


@pytest.mark.parametrize("name", ["dp-cgan", "labelled-mixture"])
def test_a_statement_priced_by_the_rule_of_earlier_versions_still_holds(name: str) -> None:
    honest = claim(name, CountSource.GIVEN, is_early=False)
    event = event_of(honest)
    epsilon = earlier_epsilon(event, 1e-4)
    mu = mu_of_profile(event, 1e-4, earlier_profile(event, 1e-4))
    assert epsilon != honest.epsilon
    assert not math.isclose(mu, cast(float, honest.mu), rel_tol=1e-9)
    earlier = replace(honest, epsilon=epsilon, mu=mu)
    findings = list(check_claim(earlier, Known(), None))
    assert not [found for found in findings if found.verdict is Verdict.BROKEN]
    for edited in (replace(earlier, epsilon=0.99 * epsilon), replace(earlier, mu=0.98 * mu)):
        assert Verdict.BROKEN in {found.verdict for found in check_claim(edited, Known(), None)}


def test_without_the_earlier_rule_such_a_statement_would_fail(monkeypatch) -> None:
    honest = claim("dp-cgan", CountSource.GIVEN, is_early=False)
    earlier = replace(honest, epsilon=honest.epsilon * (1 + 1e-4))
    monkeypatch.setattr(claims, "earlier_epsilon", lambda *_: earlier.epsilon)
    assert any("by the rule of earlier versions" in found.what for found in check_claim(earlier, Known(), None))
    monkeypatch.setattr(claims, "has_earlier_price", lambda *_: False)
    assert Verdict.BROKEN in {found.verdict for found in check_claim(earlier, Known(), None)}
