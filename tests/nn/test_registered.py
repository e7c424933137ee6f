"""Networks of one's own: registered if they keep their promises, and refused in one line if one is broken."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import own_networks as own
import pytest
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn import promises, registered
from gossamer.nn.images.settings import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.registered import (
    check_own_critic,
    check_own_generator,
    members_of,
    register_critic,
    register_generator,
)
from gossamer.nn.settings import AbstractCriticConfig


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "_OWN", registered._OwnNetworks())


def broken_config(critic: type) -> AbstractCriticConfig:
    @dataclass(frozen=True, kw_only=True)
    class Config(own.OwnCriticConfig):
        kind = critic

    return Config()


def test_networks_that_keep_their_promises_are_registered_and_returned() -> None:
    assert register_generator(own.OwnGeneratorConfig) is own.OwnGeneratorConfig
    assert register_critic(own.OwnCriticConfig) is own.OwnCriticConfig
    assert members_of(registered.AbstractGeneratorConfig) == (own.OwnGeneratorConfig,)
    assert members_of(registered.AbstractCriticConfig) == (own.OwnCriticConfig,)
    assert members_of(int) == (int,)


def test_networks_of_the_library_keep_the_same_promises() -> None:
    promises.check_critic(MLPCriticConfig(hidden_sizes=(4,)), (1, 4, 4), 2)
    promises.check_generator(MLPGeneratorConfig(hidden_sizes=(4,)), (1, 4, 4), 2, 3)


@pytest.mark.parametrize(("critic", "line"), own.BROKEN.items())
def test_a_broken_promise_is_found(critic: type, line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        promises.check_critic(broken_config(critic), (1, 4, 4), 2)
    assert str(caught.value).isprintable()
    assert "Config at shape (1, 4, 4) with 2 classes" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda drawn: drawn * 2, r"outside \[0, 1\]"),
        (lambda drawn: drawn - 0.9, r"outside \[0, 1\]"),
        (lambda drawn: drawn.flatten(1), "answers with shape"),
        (lambda drawn: drawn.double(), "no finite float32"),
        (lambda drawn: drawn / drawn.sum(), "by the content of others"),
        (lambda drawn: drawn + torch.zeros(3, 3), "RuntimeError"),
    ],
)
def test_a_generator_that_breaks_a_promise_is_refused(change: Any, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = own.OwnGenerator.drawn

    def wrong(self: Any, hidden: Tensor) -> Tensor:
        return change(right(self, hidden))

    monkeypatch.setattr(own.OwnGenerator, "drawn", wrong)
    with pytest.raises(InputError, match=line):
        register_generator(own.OwnGeneratorConfig)
    assert members_of(registered.AbstractGeneratorConfig) == ()


def test_a_check_of_rows_that_is_left_out_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "_check_rows", lambda trial, network: None)
    promises.check_critic(broken_config(own.CentresTheBatch), (1, 4, 4), 2)


def test_only_frozen_dataclasses_of_the_right_kind_with_free_names_are_registered() -> None:
    @dataclass
    class Thawed(own.OwnCriticConfig.__mro__[1]):  # type: ignore[misc]
        pass

    @dataclass(frozen=True, kw_only=True)
    class Bare(own.OwnCriticConfig):
        depth: int

    for kind, line in (
        (own.OwnGeneratorConfig, "only a frozen dataclass of AbstractCriticConfig"),
        (own.OwnCriticConfig(), "only a frozen dataclass"),
        (Thawed, "is not frozen"),
        (Bare, "depth has no default"),
        (dataclasses.make_dataclass("MLPCriticConfig", [], bases=(own.OwnCriticConfig,), frozen=True), "the name of"),
    ):
        with pytest.raises(InputError, match=line):
            register_critic(kind)
    register_critic(own.OwnCriticConfig)
    namesake = dataclasses.make_dataclass("OwnCriticConfig", [], bases=(own.OwnCriticConfig,), frozen=True)
    with pytest.raises(InputError, match="the name of another network"):
        register_critic(namesake)
    register_critic(own.OwnCriticConfig)  # a cell of a notebook that runs again


def test_a_network_that_is_built_for_no_shape_asks_for_one() -> None:
    with pytest.raises(InputError, match=r"images alone.*give shapes="):
        register_critic(own.OwnCriticConfig, shapes=[(2, 24)])
    register_critic(own.OwnCriticConfig, shapes=[(2, 24), (1, 5, 7)])


def test_a_network_is_tested_again_at_the_shape_of_a_training_registered_or_not() -> None:
    check_own_critic(MLPCriticConfig(), (1, 4, 4), 2)
    with pytest.raises(InputError, match="by the content of others"):
        check_own_critic(broken_config(own.CentresTheBatch), (1, 4, 4), 2)
    check_own_generator(own.OwnGeneratorConfig(), (1, 4, 4), 2, 5)
    with pytest.raises(InputError, match="images alone"):
        check_own_critic(own.OwnCriticConfig(), (2, 24), 2)
