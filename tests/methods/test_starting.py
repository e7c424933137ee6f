"""The facts of public starts: their sentences, and generators that do not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gossamer.data.images import ImageSpec
from gossamer.driving.job import TrainingJob, settings_digest
from gossamer.errors import InputError
from gossamer.methods.catalogue import find_method
from gossamer.methods.starting import FreshStart, StartFacts, StartFromRecords, StartFromRelease, check_same_generator
from gossamer.methods.trained import GeneratorRecipe
from gossamer.nn.images.settings import CosineGeneratorConfig, MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent, UniformLatent
from gossamer.runs.config_io import from_json_tree, to_json_tree

DIGEST = "ab" * 32
RELEASE = StartFromRelease(
    source="/home/somebody/gen.safetensors",
    sha256=DIGEST,
    method="gs-wgan",
    claim="(1.000, 1e-05)-differentially private for one record",
    run_id="12" * 16,
)
NAMED = StartFromRecords(source="mnist", sha256=DIGEST, num_steps=40)
OWN = StartFromRecords(source="/home/somebody/public.npz", sha256=DIGEST, num_steps=40)
SPEC = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b"))
NETWORK = CosineGeneratorConfig(hidden_sizes=(8, 8), radius=4.0)


def recipe(spec: ImageSpec = SPEC, network: Any = NETWORK, latent: Any = None) -> GeneratorRecipe:
    return GeneratorRecipe(network=network, latent=latent or NormalLatent(dim=4), spec=spec)


def test_a_release_is_said_with_digest_price_run_and_the_case_of_the_same_records() -> None:
    (sentence,) = RELEASE.sentences
    for words in (DIGEST, "gs-wgan", RELEASE.claim, "12" * 16, "That price is not in this statement", "add to these"):
        assert words in sentence
    assert "of no run" in replace(RELEASE, run_id=None).sentences[0]


def test_public_records_are_said_with_digest_steps_and_on_whose_word() -> None:
    (sentence,) = NAMED.sentences
    for words in ("40 steps without noise", "(mnist, sha256", DIGEST, "by the word of the person", "does not hold"):
        assert words in sentence


@pytest.mark.parametrize("facts", [RELEASE, OWN])
def test_no_sentence_names_a_path(facts: StartFacts) -> None:
    assert all("somebody" not in sentence for sentence in facts.sentences)
    assert FreshStart().sentences == ()


@pytest.mark.parametrize("facts", [FreshStart(), RELEASE, NAMED])
def test_facts_are_read_back_and_change_the_digest_of_the_settings(facts: StartFacts) -> None:
    job = TrainingJob(
        data="digits", data_dir=None, num_classes=None, delta=1e-4, device="cpu", precision="fp32",
        method=find_method("gs-wgan").recipes[0].config, start=facts,
    )  # fmt: skip
    assert from_json_tree(TrainingJob, json.loads(json.dumps(to_json_tree(job))), "config.json") == job
    is_fresh = isinstance(facts, FreshStart)
    assert (settings_digest(job) == settings_digest(replace(job, start=FreshStart()))) == is_fresh


@pytest.mark.parametrize("change", [{"sha256": "ab"}, {"source": ""}, {"claim": "two\nlines"}, {"run_id": "\x1b[2J"}])
def test_facts_that_nobody_wrote_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(InputError):
        replace(RELEASE, **change)
    with pytest.raises(InputError, match="1 step or more"):
        replace(NAMED, num_steps=0)


def test_the_same_network_fits_whatever_its_classes_are_called() -> None:
    check_same_generator(recipe(), recipe(replace(SPEC, class_names=("c", "d"))), "file")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (recipe(replace(SPEC, height=9)), r"file: its shape is \(1, 9, 8\), that of the data is \(1, 8, 8\)"),
        (recipe(replace(SPEC, class_names=("a",))), "its number of classes is 1, that of the data is 2"),
        (recipe(network=MLPGeneratorConfig()), "a MLPGeneratorConfig on a NormalLatent, the settings ask for a Cosine"),
        (recipe(latent=UniformLatent(dim=4)), "a CosineGeneratorConfig on a UniformLatent"),
        (recipe(latent=NormalLatent(dim=5)), "add --latent.dim 5$"),
        (
            recipe(network=replace(NETWORK, gain=2.0, hidden_sizes=(8, 9))),
            "add --generator.hidden-sizes 8 9 --generator.gain 2.0$",
        ),
    ],
)
def test_another_network_is_refused_with_what_differs_and_the_way_out(found: GeneratorRecipe, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_same_generator(found, recipe(), "file")
