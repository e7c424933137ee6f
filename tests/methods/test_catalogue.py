"""The list of methods: found by name and by settings, retired ones are still called by their names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_of

from gossamer.errors import InputError
from gossamer.methods import catalogue
from gossamer.methods.catalogue import METHODS, RETIRED, find_method, method_of, names_of, settings_types
from gossamer.methods.dp_cgan import DP_CGAN
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.runs.config_io import to_json_tree


def test_names_and_settings_are_those_of_one_method_each() -> None:
    names = [one.name for one in (*METHODS, *RETIRED)]
    assert len(set(names)) == len(names)
    assert len(set(settings_types())) == len(METHODS)
    for method in METHODS:
        assert find_method(method.name) is method
        assert method.title
        assert method.summary


def test_what_is_in_no_list_is_refused() -> None:
    with pytest.raises(InputError, match="no method 'gs-wgan-started'; the methods are gs-wgan, "):
        find_method("gs-wgan-started")
    with pytest.raises(InputError, match="int are settings of no method"):
        method_of(3)


def test_lookups_see_what_is_added_to_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "METHODS", (replace(GS_WGAN, name="another"),))
    assert find_method("another").name == method_of(tiny_of("gs-wgan").images).name == "another"
    assert settings_types() == (GS_WGAN.config,)


def test_a_retired_method_keeps_its_title_and_cites_its_paper() -> None:
    started = names_of("gs-wgan-started")
    assert started.title == "GS-WGAN, started from DP-mixture"
    assert started.paper == GS_WGAN.paper
    assert names_of("something else").title == "something else"
    assert names_of("something else").paper is None


@pytest.fixture
def without_recipes() -> Iterator[None]:
    """DP-CGAN, whose settings have no default for the number of steps, without a recipe."""
    work = DP_CGAN.working()
    before = work.recipes, work.for_own
    object.__setattr__(work, "recipes", ())
    object.__setattr__(work, "for_own", None)
    yield
    for name, value in zip(("recipes", "for_own"), before, strict=True):
        object.__setattr__(work, name, value)


def test_a_method_without_recipes_has_help_and_is_trained_by_a_file_of_settings(
    gossamer: Any, without_recipes: None, tmp_path: Path
) -> None:
    said = gossamer("train", "dp-cgan", "--help")
    assert said.code == 0
    assert "--num-steps INT" in said.out
    words = ("train", "dp-cgan", "--data", "digits", "--epsilon", 10, "--device", "cpu", "--out", tmp_path / "run")
    refused = gossamer(*words)
    assert refused.code == 2
    assert "give a config.json by --recipe" in refused.err
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"method": to_json_tree(tiny_of("dp-cgan").images)}))
    assert gossamer(*words, "--recipe", settings).code == 0
