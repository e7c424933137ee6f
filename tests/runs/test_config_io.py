"""Configurations on disk: what was written is read back, and nothing else is."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.methods.gs_wgan.augmentation import NoAugmentation, SmallMotions
from gossamer.methods.gs_wgan.recipes import RECIPES
from gossamer.methods.gs_wgan.settings import AgainstOwnGenerator, AgainstPresentGenerator, GSWGANConfig, Stage
from gossamer.methods.trained import GeneratorRecipe
from gossamer.nn.choices import (
    ConvCriticConfig,
    CosineGeneratorConfig,
    DCGANGeneratorConfig,
    MLPCriticConfig,
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.latents import BernoulliLatent, NormalLatent
from gossamer.nn.views import LowFrequencies, Pooled, WholeImage
from gossamer.runs.config_io import from_json_tree, to_json_tree

PLAIN = GSWGANConfig()
MEMBERS_OF_UNIONS = [
    replace(PLAIN, generator=ResNetGeneratorConfig(width=8)),
    replace(PLAIN, generator=DCGANGeneratorConfig()),
    replace(PLAIN, generator=MLPGeneratorConfig(hidden_sizes=(3, 5, 7))),
    replace(PLAIN, generator=CosineGeneratorConfig(radius=4.5)),
    replace(PLAIN, latent=NormalLatent(dim=3)),
    replace(PLAIN, latent=BernoulliLatent(dim=4)),
    replace(PLAIN, augmentation=NoAugmentation()),
    replace(PLAIN, augmentation=SmallMotions(count=2)),
    replace(
        PLAIN,
        noise_multiplier=0.5,
        stages=(
            Stage(view=WholeImage(), critic=ConvCriticConfig(width=4), warm_start=AgainstOwnGenerator(num_updates=1)),
            Stage(view=Pooled(factor=2), critic=MLPCriticConfig(hidden_sizes=(9,))),
            Stage(view=LowFrequencies(radius=3.5), share=0.5, warm_start=AgainstPresentGenerator(num_updates=4)),
        ),
    ),
]


def back_from_text(config: GSWGANConfig) -> GSWGANConfig:
    return from_json_tree(GSWGANConfig, json.loads(json.dumps(to_json_tree(config))), "text")


def damaged(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A complete tree with one value replaced, or added."""
    tree = copy.deepcopy(to_json_tree(MEMBERS_OF_UNIONS[-1]))
    place: Any = tree
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return tree


def refusal(tree: Any) -> str:
    with pytest.raises(InputError) as caught:
        from_json_tree(GSWGANConfig, tree, "config.json")
    line = str(caught.value)
    assert line.startswith("config.json: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_comes_back_as_it_was(recipe: Any) -> None:
    assert back_from_text(recipe.config) == recipe.config


@pytest.mark.parametrize("config", MEMBERS_OF_UNIONS)
def test_every_member_of_every_union_comes_back_as_itself(config: GSWGANConfig) -> None:
    back = back_from_text(config)
    assert back == config
    assert type(back.generator) is type(config.generator)
    assert type(back.latent) is type(config.latent)
    assert [type(stage.view) for stage in back.stages] == [type(stage.view) for stage in config.stages]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("surprise",), 1, "surprise"),
        (("generator", "surprise"), 1, "surprise"),
        (("stages", 1, "view", "surprise"), 1, "surprise"),
        (("num_steps",), "20", "expected int"),
        (("num_steps",), 3.5, "expected int"),
        (("num_steps",), True, "expected int"),
        (("num_steps",), None, "expected int"),
        (("clip_norm",), "1", "expected float"),
        (("clip_norm",), False, "expected float"),
        (("noise_multiplier",), [1.0], "float"),
        (("generator", "hidden_sizes"), "128", "list"),
        (("generator", "hidden_sizes"), {"128": 1}, "list"),
        (("generator", "hidden_sizes"), [0], "at least 1"),
        (("generator", "type"), "LSTM", "type must be one of"),
        (("generator", "type"), ["MLPGeneratorConfig"], "type must be one of"),
        (("generator",), 3, "type must be one of"),
        (("latent",), None, "type must be one of"),
        (("type",), "Stage", "GSWGANConfig"),
        (("stages",), [], "at least one stage"),
        (("stages", 0, "share"), -1.0, "share"),
        (("stages", 0, "share"), math.nan, "share"),
        (("fork_steps",), -1, "fork_steps"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(path: tuple[Any, ...], value: Any, said: str) -> None:
    assert said in refusal(damaged(path, value))


def test_a_missing_tag_is_refused() -> None:
    tree = to_json_tree(PLAIN)
    del tree["generator"]["type"]
    assert "type must be one of" in refusal(tree)


def test_names_are_no_list_of_letters() -> None:
    recipe = GeneratorRecipe(
        network=MLPGeneratorConfig(),
        latent=NormalLatent(),
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b")),
    )
    tree = to_json_tree(recipe)
    assert from_json_tree(GeneratorRecipe, tree, "file") == recipe
    with pytest.raises(InputError):
        from_json_tree(GeneratorRecipe, tree | {"spec": tree["spec"] | {"class_names": "ab"}}, "file")


def test_a_tree_nested_beyond_reason_is_refused() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    refusal(damaged(("num_steps",), deep))
    refusal(deep)
    while isinstance(deep, list):  # taken apart by hand: the interpreter would recurse
        deep = deep.pop()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
PLACES = st.sampled_from(
    [
        ("num_critics",),
        ("clip_norm",),
        ("generator",),
        ("generator", "type"),
        ("generator", "hidden_sizes"),
        ("latent",),
        ("stages",),
        ("stages", 0),
        ("stages", 0, "view"),
        ("stages", 2, "view", "radius"),
        ("loss",),
        ("seed",),
        ("type",),
    ]
)


@given(tree=JSON_VALUES)
def test_garbage_is_refused_and_raises_nothing_else(tree: Any) -> None:
    refusal(tree)


@given(path=PLACES, value=JSON_VALUES)
def test_garbage_in_one_place_is_refused_or_is_a_configuration(path: tuple[Any, ...], value: Any) -> None:
    found: GSWGANConfig | InputError
    try:
        found = from_json_tree(GSWGANConfig, damaged(path, value), "config.json")
    except InputError as error:
        found = error
    assert isinstance(found, GSWGANConfig) or str(found).startswith("config.json: ")


@given(number=st.integers(min_value=10**309, max_value=10**400))
def test_whole_numbers_beyond_every_float_are_refused(number: int) -> None:
    refusal(damaged(("clip_norm",), number))


@dataclass(frozen=True)
class Flagged:
    """Settings with a switch."""

    flag: bool = False


def test_a_switch_comes_back_as_it_was_and_a_number_is_none() -> None:
    for flag in (True, False):
        assert from_json_tree(Flagged, to_json_tree(Flagged(flag)), "file") == Flagged(flag)
    with pytest.raises(InputError, match="expected bool"):
        from_json_tree(Flagged, {"type": "Flagged", "flag": 1}, "file")
