"""The claims of sites: read as they were written, and refused where they say something else."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.events import GaussianPart
from gossamer.privacy.site_claims import SiteClaim, check_site_name, describe_sites, read_site_claims

CLAIM = SiteClaim(
    name="north",
    num_slots=50,
    epsilon=1.0,
    delta=1e-3,
    answered=(1, 3),
    num_rounds=3,
    event=(GaussianPart(noise_multiplier=3.7, count=1),),
)


def test_claims_come_back() -> None:
    south = dataclasses.replace(CLAIM, name="south", answered=(1, 2, 3))
    assert read_site_claims([CLAIM.to_json(), south.to_json()]) == (CLAIM, south)
    text = "\n".join(describe_sites((CLAIM, south), "record", str))
    assert "| north | 50 | 1.0 | 0.001 | 1, 3 of 3, priced as all |" in text
    assert "| south | 50 | 1.0 | 0.001 | all 3 |" in text
    assert describe_sites((), "record", str) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a b"},
        {"num_slots": True},
        {"epsilon": "1"},
        {"epsilon": -1.0},
        {"answered": [3, 1]},
        {"answered": [4]},
        {"answered": "1"},
        {"event": []},
        {"event": [3]},
        {"event": [{"mechanism": "none"}]},
        {"more": 1},
    ],
    ids=str,
)
def test_other_claims_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read_site_claims([CLAIM.to_json() | changes])


def test_lists_that_are_none_are_refused() -> None:
    for tree in (None, {}, [CLAIM.to_json()] * 2, [CLAIM.to_json()] * 65):
        with pytest.raises(InputError):
            read_site_claims(tree)
    with pytest.raises(PrivacyError):
        dataclasses.replace(CLAIM, delta=0.1)


def test_names_stand_in_files_and_options() -> None:
    assert check_site_name("north-2_b") == "north-2_b"
    for name in ("", "-north", "../north", "a:b", "a" * 41, "ü", 3, None, "a\n"):
        with pytest.raises(InputError):
            check_site_name(name)
