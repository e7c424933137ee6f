"""An entry for the public registry of deployments of differential privacy, as YAML, from a release alone.

The registry of OpenDP and NIST takes one YAML file for each deployment (github.com/opendp/deployments-registry-data,
schema of July 2026). All that the statement knows is filled in. Words that only the owner has come from the owner, or
are marked as missing. The entry is a draft: the registry's board reads every entry.
"""

from __future__ import annotations

import json
import re
from typing import Final

from gossamer.errors import InputError
from gossamer.privacy.statement import JsonValue, PrivacyStatement, round_up, shown_epsilon
from gossamer.reports.page.marks import REGISTRY_MARK
from gossamer.reports.page.officer import currencies, trust_of
from gossamer.reports.page.owner import OwnerWords
from gossamer.reports.page.registry_words import Variant
from gossamer.reports.page.released import ReleasedRun
from gossamer.reports.page.wording import kind_of, method_name, shape_of
from gossamer.runs.manifest import MANIFEST

MISSING: Final = "TO BE FILLED IN BY THE OWNER"
"""Text in a field that the registry requires and the owner left open."""
_VARIANT: Final[Variant] = "Approximate DP"
_LIBRARY: Final = "Gossamer"


def registry_entry(run: ReleasedRun, title: str, owner: OwnerWords) -> str:
    """Write the entry of one release as YAML.

    Guarantee:
        Post-processing: computed from the release and the owner's words. Epsilon is rounded up.

    Args:
        run: the release.
        title: name of the data product.
        owner: words of the owner, each in its own fields alone.

    Returns:
        YAML in UTF-8. Every text stands in double quotes with JSON's escapes, which YAML shares.

    Raises:
        InputError: the statement has no day, since an older version wrote it.
    """
    if run.statement.date is None:
        raise InputError(
            "the statement of this release has no day, which the registry asks for: release again with this version, "
            "or write the entry by hand"
        )
    return "\n".join(
        [f"{REGISTRY_MARK}, from a release and its owner's words.", *_lines(_entry(run, title, owner)), ""]
    )


def _entry(run: ReleasedRun, title: str, owner: OwnerWords) -> dict[str, JsonValue]:
    statement = run.statement
    deployment: dict[str, JsonValue] = {
        "basic": _basic(run, title, owner),
        "dp_variant": _variant(run),
        "privacy_loss": _loss(statement),
        "deployment_model": _model(statement),
        "accounting": _accounting(statement),
        "implementation": _implementation(statement, owner),
        "administrative": {
            "notes": f"Run {statement.run_id or 'without an id'}. SHA-256 of {MANIFEST}: "
            f"{run.files.get(MANIFEST, 'none')}",
            "registry_authors": list(owner.registry_authors) or [owner.curator or MISSING],
        },
    }
    year = (statement.date or "")[:4]
    slug = "_".join(_clean(part) for part in (title, owner.curator or MISSING, year)).replace("_", "-")
    return {
        "url_slug": slug,
        "status": "Draft",
        "tier": 2 if owner.why_this_epsilon is None else 3,
        "deployment": deployment,
    }


def _clean(text: str) -> str:
    """Return a part of the address as the registry's own script makes it."""
    return re.sub(r"\W+", "_", text.lower())


def _basic(run: ReleasedRun, title: str, owner: OwnerWords) -> dict[str, JsonValue]:
    spec = run.recipe.spec
    kind = kind_of(spec)
    found: dict[str, JsonValue] = {
        "name": title,
        "data_curators": [owner.curator or MISSING],
        "intended_use": owner.purpose or MISSING,
        "data_product_type": "Synthetic data",
        "data_product_region": owner.region or MISSING,
        "description": f"A generator of synthetic {kind} ({shape_of(spec)}), and {kind} drawn from it.",
        "publication_date": run.statement.date,
    }
    if owner.sector is not None:
        found["data_product_sector"] = owner.sector
    return found


def _variant(run: ReleasedRun) -> dict[str, JsonValue]:
    spec, unit = run.recipe.spec, run.statement.unit
    return {
        "variant_name": _VARIANT,
        "data_domain": f"All data sets of {kind_of(spec)} ({shape_of(spec)}) with at most {run.statement.num_slots:,} "
        f"{unit.plural}, whatever their values.",
        "unprotected_quantities": _sentences(run.statement.public_inputs) or "none",
    }


def _loss(statement: PrivacyStatement) -> dict[str, JsonValue]:
    parameters: dict[str, JsonValue] = {"epsilon": round_up(statement.epsilon), "delta": statement.delta}
    others = [f"{name}: {value}" for name, value in currencies(statement)]
    if statement.epsilon_rdp is not None:
        others.append(f"epsilon by Renyi divergence, a looser bound: {shown_epsilon(statement.epsilon_rdp)}")
    return {
        "privacy_unit": statement.unit.value.capitalize(),
        "privacy_unit_details": statement.adjacency.describe(statement.unit),
        # Rho is exact for Gaussians alone, and the entry's variant is that of epsilon and delta.
        "privacy_parameters": parameters,
        "privacy_parameters_details": _sentences(["epsilon is rounded up to three decimals", *others]),
    }


def _model(statement: PrivacyStatement) -> dict[str, JsonValue]:
    trust = trust_of(statement)
    return {
        "model_name": trust.model,
        "actors": trust.actors,
        "release_type": "One release",
        "data_source_type": "Static",
        "access_type": "Non-interactive",
        "access_type_details": "The generator is handed over, and anybody draws from it without further cost.",
    }


def _accounting(statement: PrivacyStatement) -> dict[str, JsonValue]:
    versions = ", ".join(f"{name} {version}" for name, version in statement.accountants)
    tuning = f"{statement.num_tuning_runs} earlier runs on the same data are declared, and their cost is not included."
    return {
        "post_processing": "The generator was trained on released values alone, or is made of them. Samples are drawn "
        "from it.",
        "composition": "All steps of the run as one mechanism, by privacy loss distributions, rounded up "
        f"({versions}). {tuning} Other releases from the same data add to this one.",
    }


def _implementation(statement: PrivacyStatement, owner: OwnerWords) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        "preprocessing_and_hyperparameter_tuning": _sentences(
            [*statement.public_inputs, f"earlier runs that were declared: {statement.num_tuning_runs}"]
        ),
        "mechanisms": f"{method_name(statement)}. {statement.mechanism}. {_LIBRARY} {statement.gossamer_version}. "
        + _sentences(statement.assumptions()),
    }
    if owner.why_this_epsilon is not None:
        found["justification"] = owner.why_this_epsilon
    return found


def _sentences(parts: list[str] | tuple[str, ...]) -> str:
    whole = (f"{part[0].upper()}{part[1:]}" for part in parts if part)
    return " ".join(part if part[-1] in ".?!" else f"{part}." for part in whole)


# ---- YAML ----------------------------------------------------------------------------------------------------------


def _lines(tree: dict[str, JsonValue], indent: str = "") -> list[str]:
    """Write a tree of mappings, lists of texts, texts and numbers as lines of YAML."""
    found: list[str] = []
    for name, value in tree.items():
        match value:
            case dict():
                found += [f"{indent}{name}:", *_lines(value, f"{indent}  ")]
            case list():
                found += [f"{indent}{name}:", *(f"{indent}  - {_scalar(one)}" for one in value)]
            case _:
                found.append(f"{indent}{name}: {_scalar(value)}")
    return found


def _scalar(value: JsonValue) -> str:
    """Write a number or a text. A text is quoted always, so that it can end no line and begin no other field.

    >>> _scalar(1e-05), _scalar('a "b": #c')
    ('1.0e-05', '"a \\\\"b\\\\": #c"')
    """
    if isinstance(value, float):
        # YAML 1.1 reads 1e-05, without a point, as a text.
        mantissa, letter, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{letter}{exponent}"
    if isinstance(value, int):
        return str(value)
    # Without ASCII's escapes: YAML has none for a pair of surrogates.
    return json.dumps(value, ensure_ascii=False)
