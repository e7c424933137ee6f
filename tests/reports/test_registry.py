"""An entry for the public registry of deployments: valid by the facts of its schema, whatever the owner writes."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import yaml
from two_sites import two_sites

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.statement import PrivacyStatement
from gossamer.reports.page.owner import OwnerWords
from gossamer.reports.page.registry import MISSING, registry_entry
from gossamer.reports.page.registry_words import Sector, TrustModel, Variant

SITES = two_sites(delta=1e-5)
TEXT, NUMBER, TEXTS = str, (int, float), list
REQUIRED = {
    "": {"url_slug", "status", "tier", "deployment"},
    "deployment": {"basic"},
    "deployment/basic": {
        "name", "data_curators", "description", "intended_use", "data_product_type", "data_product_region",
        "publication_date",
    },
    "deployment/administrative": {"registry_authors"},
}  # fmt: skip
ALLOWED: dict[str, Any] = {
    "url_slug": TEXT,
    "status": ("Converted", "Draft", "Pending", "Changes Required", "Approved"),
    "tier": (1, 2, 3),
    "deployment": {
        "basic": {
            "name": TEXT,
            "data_curators": TEXTS,
            "intended_use": TEXT,
            "data_product_type": (
                "Summary statistics", "Machine learning model", "Dataset", "Synthetic data", "Interactive API",
                "SQL queries",
            ),
            "data_product_region": TEXT,
            "description": TEXT,
            "publication_date": TEXT,
            "data_product_sector": get_args(Sector),
        },
        "dp_variant": {"variant_name": get_args(Variant), "data_domain": TEXT, "unprotected_quantities": TEXT},
        "privacy_loss": {
            "privacy_unit": TEXT,
            "privacy_unit_details": TEXT,
            "privacy_parameters": {"epsilon": NUMBER, "delta": NUMBER, "rho": NUMBER},
            "privacy_parameters_details": TEXT,
        },
        "deployment_model": {
            "model_name": get_args(TrustModel),
            "model_name_details": TEXT,
            "actors": TEXT,
            "release_type": ("One release", "Many releases"),
            "release_type_details": TEXT,
            "data_source_type": ("Static", "Dynamic"),
            "data_source_type_details": TEXT,
            "access_type": ("Interactive", "Non-interactive"),
            "access_type_details": TEXT,
        },
        "accounting": {"post_processing": TEXT, "composition": TEXT},
        "implementation": {"preprocessing_and_hyperparameter_tuning": TEXT, "mechanisms": TEXT, "justification": TEXT},
        "administrative": {"sources": TEXT, "notes": TEXT, "registry_authors": TEXTS},
    },
}  # fmt: skip
"""Facts of the registry's schema of 15 July 2026: each object takes the named keys and no other."""
WORDS = ('a "quoted": #word', "- x\\n", "{{ a }} & *b", "plain", "é ß 漢 😀", "'single'", "yes", "1e-5", "<b>bold</b>")


def faults(tree: Any, allowed: Any, path: str = "") -> list[str]:
    """All places at which a tree is not as the schema says."""
    if isinstance(allowed, dict):
        if not isinstance(tree, dict):
            return [path]
        found = [f"{path}/{name}" for name in REQUIRED.get(path, set()) - set(tree)]
        for name, value in tree.items():
            below = f"{path}/{name}" if path else name
            found += faults(value, allowed[name], below) if name in allowed else [f"{below} is unknown"]
        return found
    if allowed is TEXTS:
        return [] if isinstance(tree, list) and tree and all(isinstance(one, str) for one in tree) else [path]
    if isinstance(allowed, tuple) and not isinstance(allowed[0], type):
        return [] if tree in allowed else [path]
    return [] if isinstance(tree, allowed) and not isinstance(tree, bool) else [path]


def release(spec: Any = None, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "mechanism": "dp-merf: a noisy sum", "adjacency": Adjacency.SLOT, "unit": Unit.RECORD, "num_slots": 1000,
        "epsilon": 1.00001, "delta": 1e-5, "epsilon_rdp": 1.5, "noise_multiplier": 10.0, "clip_norm": None,
        "parameters": (), "accountants": (("dp-accounting", "0.6.0"),), "num_tuning_runs": 2,
        "public_inputs": ("the number of slots",), "covered": (), "not_covered": (), "truncation_delta": 1e-20,
        "is_secure": True, "gossamer_version": "1.0", "date": "2026-11-29", "run_id": "0" * 32,
    }  # fmt: skip
    spec = spec or ImageSpec(channels=1, height=8, width=8, class_names=("a", "b"))
    files = {"manifest.json": "f" * 64}
    return SimpleNamespace(
        statement=PrivacyStatement(**values | changes), recipe=SimpleNamespace(spec=spec), files=files
    )


def read(text: str) -> Any:
    tree = yaml.safe_load(text)
    assert faults(tree, ALLOWED) == []
    assert datetime.date.fromisoformat(tree["deployment"]["basic"]["publication_date"])
    for token in yaml.scan(text):
        assert getattr(token, "style", None) in (None, '"'), "the registry's check refuses other styles"
    return tree


@pytest.mark.parametrize("word", WORDS)
def test_an_owner_writes_what_they_like_and_the_entry_stays_valid(word: str) -> None:
    owner = OwnerWords(curator=word, purpose=word, region=word, why_this_epsilon=word, registry_authors=(word, word))
    tree = read(registry_entry(release(), word, owner))
    basic = tree["deployment"]["basic"]
    assert (basic["data_curators"], basic["intended_use"], basic["data_product_region"]) == ([word], word, word)
    assert tree["deployment"]["administrative"]["registry_authors"] == [word, word]
    assert tree["deployment"]["implementation"]["justification"] == word
    assert tree["tier"] == 3


def test_an_entry_without_the_owners_words_is_valid_and_says_what_is_missing() -> None:
    series = SeriesSpec(channels=1, length=30, low=(0.0,), high=(1.0,), sample_rate=10.0, class_names=("N", "V"))
    tree = read(registry_entry(release(series, unit=Unit.PERSON), "beats", OwnerWords()))
    assert tree["deployment"]["basic"]["data_curators"] == [MISSING]
    assert tree["deployment"]["privacy_loss"]["privacy_unit"] == "Person"
    assert (tree["tier"], tree["status"]) == (2, "Draft")


def test_numbers_are_numbers_and_epsilon_is_rounded_up() -> None:
    text = registry_entry(release(), "digits", OwnerWords())
    assert read(text)["deployment"]["privacy_loss"]["privacy_parameters"] == {"epsilon": 1.001, "delta": 1e-5}
    assert "delta: 1.0e-05" in text
    assert isinstance(yaml.safe_load("1e-05"), str), "as Python writes it, YAML 1.1 reads a text"


def test_a_two_site_release_is_federated() -> None:
    tree = read(registry_entry(release(sites=SITES), "sites", OwnerWords()))
    assert tree["deployment"]["deployment_model"]["model_name"] == "Federated"


def test_a_statement_without_a_day_has_no_entry() -> None:
    with pytest.raises(InputError, match="no day"):
        registry_entry(release(date=None), "old", OwnerWords())


def test_the_facts_catch_an_entry_of_another_form() -> None:
    tree = read(registry_entry(release(), "digits", OwnerWords()))
    tree["deployment"]["basic"]["surprise"] = "x"
    del tree["status"]
    assert faults(tree, ALLOWED) == ["/status", "deployment/basic/surprise is unknown"]
