"""The recipe that was taken: by the public name of records, and said with the settings that were changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gossamer.data.catalogue import load_records
from gossamer.errors import InputError
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.method import FROM_FILE, OWN, Method, TakenRecipe
from gossamer.runs.config_io import from_json_tree, to_json_tree


@pytest.fixture(params=[one.name for one in METHODS])
def method(request: Any) -> Method[Any]:
    return find_method(request.param)


def test_records_of_a_published_set_have_its_recipe_and_others_the_own_one(method: Method[Any]) -> None:
    digits = load_records("digits").train
    assert method.recipe_of(None, digits, 1437) == method.find_for("digits", (1, 8, 8))
    without_name = replace(digits)
    own = method.recipe_of(None, without_name, 1437)
    assert own.name.partition("-")[0] == OWN
    assert own.config == method.settings_for(digits.spec, 1437)
    resized = load_records("digits", resize=(12, 12)).train
    assert method.recipe_of(None, resized, 1437).name == own.name
    named = method.recipes[-1]
    assert method.recipe_of(named.name, digits, 1437) == named
    with pytest.raises(InputError, match="no recipe 'none'"):
        method.recipe_of("none", digits, 1437)


def test_changes_are_named_but_for_noise_and_seed(method: Method[Any]) -> None:
    recipe = method.recipes[0]
    config: Any = recipe.config
    assert recipe.taken(replace(config, noise_multiplier=3.0, seed=7)) == TakenRecipe(name=recipe.name)
    changed = from_json_tree(method.config, to_json_tree(config), "here")
    assert recipe.taken(changed) == TakenRecipe(name=recipe.name)
    other = next(field for field in vars(config) if field.endswith("steps") or field.endswith("share"))
    assert recipe.taken(replace(config, **{other: 2 * getattr(config, other)})).changed == (other,)


def test_a_statement_says_where_settings_are_from() -> None:
    notes = [TakenRecipe(name=name).note for name in ("mnist-cpu", "own-cpu", FROM_FILE)]
    assert notes == [
        "The settings are those of the recipe mnist-cpu.",
        "The settings follow from the shape of the records and the public number of slots (recipe own-cpu).",
        "The settings were read from a file.",
    ]
    assert TakenRecipe(name="mnist", changed=("a", "b")).note.endswith("recipe mnist, with changes (a, b).")


@pytest.mark.parametrize("name", ["", "two words", "<b>", "a\nb", "ü", "x" * 61])
def test_a_name_that_is_none_is_no_word_of_a_statement(name: str) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        TakenRecipe(name=name)
    with pytest.raises(InputError, match=r"config\.json"):
        TakenRecipe(name="own", changed=(name,))
