"""Typed settings: names and types are those of the methods' configurations, for every method of the catalogue."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest

from gossamer.estimators import DPCGAN, DPMERF, GSWGAN, AbstractEstimator, DPMixture, LabelledMixture, settings
from gossamer.estimators.arguments import DEFAULTS
from gossamer.methods.catalogue import METHODS

KINDS: tuple[type[AbstractEstimator], ...] = (GSWGAN, DPCGAN, DPMERF, DPMixture, LabelledMixture)
OWN = {"noise_multiplier", "seed"}


def drifted(kind: type[AbstractEstimator]) -> set[str]:
    """Names that a configuration and the typed keywords of its estimator do not share, or not with one type."""
    typed = typing.get_type_hints(getattr(settings, f"{kind.__name__}Settings"))
    shared = typing.get_type_hints(settings.SharedArguments)
    fields = {name: hint for name, hint in typing.get_type_hints(kind.method.config).items() if name not in OWN}
    kept = {name: hint for name, hint in typed.items() if name not in shared}
    return {name for name in fields.keys() | kept.keys() if fields.get(name) != kept.get(name)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_typed_keywords_are_the_fields_of_the_configuration(kind: type[AbstractEstimator]) -> None:
    assert drifted(kind) == set()
    source = inspect.getsource(kind)
    assert f"**settings: Unpack[{kind.__name__}Settings]" in source, "a type checker reads them from here"


def test_every_method_of_the_catalogue_is_held_so() -> None:
    assert {kind.method.name for kind in KINDS} == {method.name for method in METHODS}


@pytest.mark.parametrize("wrong", [{"num_steps": float}, {"num_step": int}])
def test_a_name_or_type_that_drifts_is_seen(wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    changed = settings.GSWGANSettings.__annotations__ | wrong
    monkeypatch.setattr(settings.GSWGANSettings, "__annotations__", changed)
    assert drifted(GSWGAN) == set(wrong)


def test_the_shared_arguments_stand_in_the_signature_with_their_types_and_defaults() -> None:
    parameters = inspect.signature(GSWGAN).parameters
    assert {name: one.default for name, one in parameters.items() if name != "settings"} == dict(DEFAULTS)
    hints = typing.get_type_hints(AbstractEstimator.__init__)
    shared = typing.get_type_hints(settings.SharedArguments)
    assert {name: hints[name] for name in shared} == shared
    assert set(shared) == set(DEFAULTS) - {"epsilon", "delta"}
