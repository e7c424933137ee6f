"""Networks, critics, views and stages by a word each."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import pytest

from gossamer.cli.networks import (
    AS_IN_RECIPE,
    CRITICS,
    GENERATORS,
    VIEWS,
    CriticName,
    GeneratorName,
    NetworkChoice,
    ViewName,
)
from gossamer.errors import InputError
from gossamer.methods.catalogue import find_method
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.gs_wgan.settings import GSWGANConfig, Stage
from gossamer.nn.images.settings import DCGANGeneratorConfig

TINY = GSWGANConfig(stages=(Stage(share=1.0), Stage(share=3.0)))


@pytest.mark.parametrize(("name", "makers"), [(GeneratorName, GENERATORS), (CriticName, CRITICS), (ViewName, VIEWS)])
def test_every_word_has_a_network_and_every_network_a_word(name: Any, makers: dict[str, Any]) -> None:
    assert set(typing.get_args(name)) == set(makers)


def test_a_word_takes_the_place_of_the_recipes_network_and_of_nothing_else() -> None:
    found = NetworkChoice(generator="dcgan").on(TINY)
    assert found == dataclasses.replace(TINY, generator=DCGANGeneratorConfig())
    assert AS_IN_RECIPE.on(TINY) is TINY
    assert isinstance(NetworkChoice(generator="dcgan").on(DPCGANConfig()).generator, DCGANGeneratorConfig)


def test_stages_are_cut_or_the_last_one_is_repeated() -> None:
    assert [stage.share for stage in NetworkChoice(num_stages=1).on(TINY).stages] == [1.0]
    assert [stage.share for stage in NetworkChoice(num_stages=4).on(TINY).stages] == [1.0, 3.0, 3.0, 3.0]
    found = NetworkChoice(view="pooled", critic="distance").on(TINY)
    assert {type(stage.view) for stage in found.stages} == {type(VIEWS["pooled"]())}
    assert {type(stage.critic) for stage in found.stages} == {type(CRITICS["distance"]())}


@pytest.mark.parametrize("number", [0, -1, 101])
def test_a_number_of_stages_that_is_none_is_refused(number: int) -> None:
    with pytest.raises(InputError, match="--num-stages"):
        NetworkChoice(num_stages=number).on(TINY)


def test_a_method_without_such_a_network_refuses_the_word() -> None:
    mixture = find_method("dp-mixture").find("digits").config
    for choice in (NetworkChoice(generator="dcgan"), NetworkChoice(critic="mlp")):
        with pytest.raises(InputError, match="leave it out"):
            choice.on(mixture)
    with pytest.raises(InputError, match="leave it out, or train gs-wgan"):
        NetworkChoice(num_stages=2).on(DPCGANConfig())


def test_help_shows_the_sizes_of_the_named_network(gossamer: Any) -> None:
    assert "--generator.hidden-sizes" in gossamer("train", "gs-wgan", "--recipe", "digits-cpu", "--help").out
    said = gossamer("train", "gs-wgan", "--recipe", "digits-cpu", "--generator", "dcgan", "--help").out
    assert "--generator.width" in said
    assert "--generator.hidden-sizes" not in said


def test_a_run_is_trained_with_the_named_network_and_says_so(gossamer: Any, tmp_path: Any) -> None:
    words = [
        "--recipe",
        "digits-trained",
        "--num-critics",
        "30",
        "--num-steps",
        "2",
        "--batch-size",
        "20",
        "--draws-per-step",
        "4",
        "--renewals-per-step",
        "1",
        "--noise-multiplier",
        "1.2",
        "--critic-batch-size",
        "4",
        "--pool-per-class",
        "4",
        "--fork-steps",
        "1",
        "--critics-at-once",
        "10",
        "--generator",
        "mlp",
        "--generator.hidden-sizes",
        "8",
        "--view",
        "whole",
        "--stages.0.critic.hidden-sizes",
        "8",
        "--stages.0.warm-start.num-updates",
        "1",
        "--device",
        "cpu",
    ]
    run = tmp_path / "run"
    assert gossamer("train", "gs-wgan", "--data", "digits", "--out", run, *words).code == 0
    assert "MLPGeneratorConfig" in (run / "config.json").read_text()
    assert "with changes (" in (run / "release" / "privacy.json").read_text()
    assert gossamer("verify", run).code == 0


def test_auto_chooses_networks_by_itself(gossamer: Any) -> None:
    said = gossamer("train", "auto", "--data", "digits", "--generator", "dcgan", "--dry-run")
    assert said.code == 2
    assert "in place of auto" in said.err
