"""Networks of one's own in estimators: trained, saved, loaded after they were registered again, and named in claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_networks import CentresTheBatch, OwnCriticConfig, OwnGeneratorConfig

import gossamer
from gossamer.errors import InputError
from gossamer.estimators import DPCGAN, GSWGAN, load
from gossamer.methods.gs_wgan.settings import Stage
from gossamer.nn import registered

NUM_RECORDS = 90
TINY: dict[str, Any] = {"num_critics": 5, "num_steps": 2, "batch_size": 4, "draws_per_step": 4, "device": "cpu"}
POISSON: dict[str, Any] = {
    "num_steps": 2, "expected_batch_size": NUM_RECORDS, "synthetic_batch_size": 7, "generator_batch_size": 6,
}  # fmt: skip
OWN = {"generator": OwnGeneratorConfig(hidden=5)}


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "_OWN", registered._OwnNetworks())


@pytest.fixture
def known() -> None:
    gossamer.register_generator(OwnGeneratorConfig)
    gossamer.register_critic(OwnCriticConfig)


@pytest.mark.usefixtures("known")
def test_own_networks_train_and_a_critic_stands_in_the_statement(images: np.ndarray, labels: np.ndarray) -> None:
    stages = (Stage(critic=OwnCriticConfig(hidden=4)),)
    of_many = GSWGAN(epsilon=10.0, num_classes=3, stages=stages, **TINY, **OWN).fit(images, labels)
    one = DPCGAN(epsilon=10.0, num_classes=3, discriminator=OwnCriticConfig(), **POISSON, **OWN).fit(images, labels)
    for model in (of_many, one):
        assert model.sample(3)[0].shape == (3, 1, 8, 8)
        assert any(
            "The critic OwnCriticConfig is code of the user's own" in line for line in model.statement.public_inputs
        )
        assert "is not proved" in model.statement.to_markdown()
    ours = GSWGAN(epsilon=10.0, num_classes=3, **TINY, **OWN).fit(images, labels)
    assert "code of the user's own" not in ours.statement.to_markdown(), "a generator sees no record"


@pytest.mark.usefixtures("known")
def test_a_file_is_read_after_the_generator_was_registered_again(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = GSWGAN(epsilon=10.0, **TINY, **OWN).fit(images, run=tmp_path / "run")
    path = model.save(tmp_path / "generator.safetensors")
    assert b"OwnGenerator(" not in path.read_bytes(), "a file holds no code"
    monkeypatch.setattr(registered, "_OWN", registered._OwnNetworks())  # another process
    for place in (path, tmp_path / "run"):
        with pytest.raises(InputError) as caught:
            load(place)
        said = str(caught.value)
        assert "and OwnGeneratorConfig is none of them" in said
        assert "register it first, in Python (gossamer.register_generator" in said
        assert said.isprintable()
    gossamer.register_generator(OwnGeneratorConfig)
    assert np.array_equal(load(path).sample(4)[0], model.sample(4)[0])


def test_a_network_that_nobody_registered_is_refused_before_anything_is_spent(images: np.ndarray) -> None:
    with pytest.raises(InputError, match="OwnGeneratorConfig is none of them; if it is a network of your own"):
        GSWGAN(epsilon=10.0, **TINY, **OWN).fit(images)


@pytest.mark.usefixtures("known")
def test_a_promise_that_was_broken_after_registering_is_found_when_a_training_begins(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OwnCriticConfig, "kind", CentresTheBatch)
    for model in (
        GSWGAN(epsilon=10.0, stages=(Stage(critic=OwnCriticConfig()),), **TINY),
        DPCGAN(epsilon=10.0, discriminator=OwnCriticConfig(), **POISSON),
    ):
        with pytest.raises(InputError, match="every record must be computed by itself"):
            model.start(images)


@pytest.mark.usefixtures("known")
def test_a_training_that_did_not_test_its_critic_would_be_seen(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OwnCriticConfig, "kind", CentresTheBatch)
    monkeypatch.setattr("gossamer.methods.gs_wgan.trained_side.check_own_critic", lambda *given: None)
    GSWGAN(epsilon=10.0, stages=(Stage(critic=OwnCriticConfig()),), **TINY).start(images)
