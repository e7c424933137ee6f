"""The privacy statement: complete, readable back, honest about what it does not cover."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy import PUBLISHED_CAVEAT, Adjacency, PrivacyStatement, Unit, describe_accountants


def make_statement(**changes: Any) -> PrivacyStatement:
    fields: dict[str, Any] = {
        "mechanism": "one-of-K subsampled Gaussian",
        "adjacency": Adjacency.SLOT,
        "unit": Unit.RECORD,
        "num_slots": 60_000,
        "epsilon": 9.99951,
        "delta": 1e-5,
        "epsilon_rdp": 14.2,
        "noise_multiplier": 0.816,
        "clip_norm": 1.0,
        "parameters": (("num_critics", 1000), ("num_steps", 20_000), ("batch_size", 32), ("draws_per_step", 32)),
        "accountants": describe_accountants(),
        "num_tuning_runs": 3,
        "public_inputs": ("the number of classes is ten",),
        "covered": ("the generator and everything sampled from it",),
        "not_covered": ("the critics",),
        "truncation_delta": 2e-9,
        "is_secure": True,
        "published_epsilon": 17.3,
        "published_caveat": PUBLISHED_CAVEAT,
    }
    return PrivacyStatement(**{**fields, **changes})


def test_a_statement_survives_json() -> None:
    for statement in (
        make_statement(),
        make_statement(
            unit=Unit.PERSON, clip_norm=None, epsilon_rdp=None, published_epsilon=None, published_caveat=None
        ),
    ):
        assert PrivacyStatement.from_json(json.loads(json.dumps(statement.to_json(), allow_nan=False))) == statement


ORIGIN: dict[str, Any] = {
    "gossamer_version": "1.2.3",
    "date": "2026-11-28",
    "run_id": "5f3a",
    "num_only_copies": 2,
    "mu": 1.23401,
    "rho": 0.76111,
    "epsilon_replaced": 17.00001,
}
"""What the second format says beside the first."""


def test_where_a_claim_comes_from_survives_json_and_is_printed_and_never_rounded_down() -> None:
    statement = make_statement(**ORIGIN)
    assert PrivacyStatement.from_json(json.loads(json.dumps(statement.to_json()))) == statement
    text = statement.to_markdown()
    for phrase in (
        "| run | 5f3a |",
        "| day (UTC) | 2026-11-28 |",
        "| version of gossamer | 1.2.3 |",
        "declared 2 times that no other copy goes on",
        "| mu of Gaussian DP | 1.2341 |",
        "| rho of zero-concentrated DP | 0.7612 |",
        "| epsilon for one record replaced by any other, at the same delta | 17.001 |",
    ):
        assert phrase in text
    without = make_statement().to_markdown()
    assert not any(word in without for word in ("day (UTC)", "Gaussian DP", "replaced by any other, at", "only copy"))


def test_a_claim_in_the_first_format_is_read_and_known_as_such() -> None:
    document = make_statement().to_json()
    first = {name: value for name, value in document.items() if name not in ORIGIN} | {"format_version": 1}
    statement = PrivacyStatement.from_json(first)
    assert statement.is_of_first_format
    assert statement == make_statement()
    assert not make_statement(**ORIGIN).is_of_first_format
    with pytest.raises(InputError, match="lacks"):
        PrivacyStatement.from_json({**first, "format_version": 2})


def test_json_carries_what_a_verifier_needs_in_plain_types() -> None:
    document = make_statement().to_json()
    assert document["epsilon"] == 9.99951
    assert (document["adjacency"], document["unit"]) == ("slot", "record")
    assert document["parameters"] == {"num_critics": 1000, "num_steps": 20_000, "batch_size": 32, "draws_per_step": 32}
    assert document["accountants"] == dict(describe_accountants())
    assert {"delta", "mechanism", "noise_multiplier", "clip_norm", "is_secure", "num_slots"} <= set(document)


def test_text_says_what_is_protected_shared_voided_and_assumed() -> None:
    text = make_statement().to_markdown()
    for phrase in (
        "one record",
        "one public slot",
        "the generator and everything sampled from it",
        "the critics",
        "proved for real arithmetic",
        "at most 2e-09 to delta",
        "rounded to a public grid, each by itself, and summed as integers",
        "a float64 approximation stands for the normal law",
        "keyed generator",
        "voids the guarantee",
        "declared here: 3",
        "| num critics | 1000 |",
        "17.3",
        PUBLISHED_CAVEAT,
        "dp-accounting 0.6.0",
    ):
        assert phrase in text
    assert "lattice" not in text
    assert "INSECURE" not in text
    assert "one person" in make_statement(unit=Unit.PERSON).to_markdown()


def test_printed_epsilon_is_never_rounded_down() -> None:
    assert "(10.000, 1e-05)" in make_statement(epsilon=9.99951).to_markdown()
    assert "(5.509, 1e-05)" in make_statement(epsilon=5.50801).to_markdown()


def test_a_statement_over_test_noise_is_stamped_in_its_first_line() -> None:
    text = make_statement(is_secure=False).to_markdown()
    assert text.splitlines()[0].startswith("INSECURE")
    assert "would be" in text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"delta": 1 / 60_000}, PrivacyError),
        ({"delta": 1e-9}, PrivacyError),
        ({"epsilon": float("inf")}, InputError),
        ({"epsilon": -1.0}, InputError),
        ({"epsilon_rdp": float("nan")}, InputError),
        ({"noise_multiplier": 0.0}, InputError),
        ({"clip_norm": 0.0}, InputError),
        ({"num_tuning_runs": -1}, InputError),
        ({"num_only_copies": -1}, InputError),
        ({"mu": -1.0}, InputError),
        ({"rho": float("nan")}, InputError),
        ({"epsilon_replaced": float("inf")}, InputError),
        ({"published_caveat": None}, InputError),
        ({"unit": Unit.PERSON, "parameters": (("num_records", 5),)}, PrivacyError),
    ],
)
def test_a_statement_that_cannot_be_true_is_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make_statement(**changes)


def test_a_damaged_document_is_refused() -> None:
    document = make_statement().to_json()
    for broken in (
        {key: value for key, value in document.items() if key != "delta"},
        {**document, "note": "x"},
        {**document, "format_version": 4},
        {**document, "format_version": 0},
        {**document, "format_version": True},
        {key: value for key, value in document.items() if key != "run_id"},
        {**document, "run_id": 5},
        {**document, "num_only_copies": -1},
        {**document, "epsilon_replaced": "ten"},
        {**document, "adjacency": "other"},
        {**document, "parameters": 3},
        {**document, "epsilon": "ten"},
    ):
        with pytest.raises(InputError):
            PrivacyStatement.from_json(broken)


def test_a_statement_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_statement().epsilon = 1.0  # type: ignore[misc]
