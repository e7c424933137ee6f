"""A release as a classifier: its prior, its refusals, and the one method by which any method may bring one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from tiny import tiny_of
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.mechanisms.one_shot.contributions import GroupedMoments
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.classifier import ReleasedClassifier
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.classifying import AbstractClassifyingGenerator
from gossamer.nn.images.mlp import MLPGenerator
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.labelled_settings import LabelledGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.nn.mixture_settings import AbstractMixtureGeneratorConfig
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.slots import CountSource

SPEC = ImageSpec(channels=1, height=8, width=8, class_names=("well", "ill", "dead"))
X = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
STATEMENT = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=100,
    source=CountSource.GIVEN,
    releases=(Release(name="a", contribution=GroupedMoments(num_groups=1, dim=1, radius=1.0, count_weight=1.0)),),
    noise_multiplier=2.0,
).statement(ClaimTerms(delta=1e-3, method="a method", sample_size=64, is_secure=True))


class BrightMeansIll(MLPGenerator, AbstractClassifyingGenerator):
    """A generator that brings a classifier of its own: bright images are ill."""

    def log_likelihoods(self, samples: Tensor, class_shares: Tensor) -> Tensor:
        brightness = samples.double().flatten(start_dim=1).mean(dim=1, keepdim=True)
        return brightness * torch.tensor([0.0, 4.0, 0.0], dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class BrightMeansIllConfig(MLPGeneratorConfig):
    """Its settings."""

    def build(self, shape: Any, num_classes: int, latent_dim: int, rng: torch.Generator) -> BrightMeansIll:
        return BrightMeansIll(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


def released(
    network: MLPGeneratorConfig, spec: ImageSpec = SPEC, shares: tuple[float, ...] = (0.7, 0.2, 0.1)
) -> TrainedGenerator:
    recipe = GeneratorRecipe(network=network, latent=NormalLatent(dim=4), spec=spec, class_shares=shares)
    weights = dict(recipe.build(torch.Generator().manual_seed(3)).state_dict())
    return TrainedGenerator(recipe=recipe, weights=weights, statement=STATEMENT)


OWN = released(BrightMeansIllConfig(hidden_sizes=(8,)))


def test_any_network_that_implements_the_one_method_classifies() -> None:
    found = ReleasedClassifier.of(OWN).probabilities(X)
    brightness = X.double().flatten(start_dim=1).mean(dim=1)
    expected = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).repeat(7, 1)
    expected[:, 1] *= torch.exp(4 * brightness)
    assert torch.allclose(found, expected / expected.sum(dim=1, keepdim=True))
    assert found.dtype == torch.float64


def test_a_sureness_below_one_brings_probabilities_nearer_and_changes_no_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bare = ReleasedClassifier.of(OWN).probabilities(X)
    monkeypatch.setattr(BrightMeansIll, "sureness", 0.25)
    found = ReleasedClassifier.of(OWN).probabilities(X)
    powers = bare**0.25
    assert torch.allclose(found, powers / powers.sum(dim=1, keepdim=True))
    assert torch.equal(found.argsort(dim=1), bare.argsort(dim=1))
    assert (found.amax(dim=1) < bare.amax(dim=1)).all()


@pytest.mark.parametrize(
    ("evenness", "prior"), [(None, (0.7, 0.2, 0.1)), (0.0, (0.7, 0.2, 0.1)), (1.0, (1 / 3, 1 / 3, 1 / 3))]
)
def test_the_prior_lies_between_released_shares_and_equal_ones(evenness: float | None, prior: tuple) -> None:
    assert ReleasedClassifier.of(OWN, evenness).prior.tolist() == pytest.approx(prior)
    roots = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).sqrt()
    assert torch.allclose(ReleasedClassifier.of(OWN, 0.5).prior, roots / roots.sum())


def test_without_released_shares_all_classes_are_alike_and_others_are_refused() -> None:
    """Releases of methods and versions that gave none."""
    older = released(BrightMeansIllConfig(hidden_sizes=(8,)), shares=())
    assert ReleasedClassifier.of(older).prior.tolist() == pytest.approx([1 / 3] * 3)
    assert ReleasedClassifier.of(older, 1.0).evenness == 1.0
    with pytest.raises(InputError, match="without shares of classes: leave evenness out"):
        ReleasedClassifier.of(older, 0.0)


@pytest.mark.parametrize("evenness", [-0.1, 1.1, float("nan")])
def test_an_evenness_out_of_range_is_refused(evenness: float) -> None:
    with pytest.raises(InputError, match="evenness must lie between 0"):
        ReleasedClassifier.of(OWN, evenness)


def test_a_release_without_classes_and_one_without_densities_are_refused_in_one_line() -> None:
    without = released(BrightMeansIllConfig(hidden_sizes=(8,)), replace(SPEC, class_names=()), ())
    with pytest.raises(InputError, match=r"^file: was learnt without classes"):
        ReleasedClassifier.of(without, where="file")
    with pytest.raises(InputError, match=r"^file: its method .*; dp-mixture, labelled-mixture can classify"):
        ReleasedClassifier.of(released(MLPGeneratorConfig(hidden_sizes=(8,))), where="file")


def test_probabilities_that_are_no_numbers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = lambda self, samples, class_shares: torch.full((len(samples), 3), torch.nan)  # noqa: E731
    monkeypatch.setattr(BrightMeansIll, "log_likelihoods", broken)
    with pytest.raises(InputError, match="no numbers: fetch the file again"):
        ReleasedClassifier.of(OWN).probabilities(X)


def test_a_record_of_a_batch_has_the_probabilities_that_it_has_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ReleasedClassifier.of(OWN).probabilities(X)
    monkeypatch.setattr("gossamer.methods.classifier._BATCH", 2)
    assert torch.allclose(ReleasedClassifier.of(OWN).probabilities(X), whole)


def test_the_likelihood_of_a_record_is_the_mean_over_its_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    brighter = torch.stack([X, (X + 0.2).clamp_max(1), (X + 0.4).clamp_max(1)])
    monkeypatch.setattr(BrightMeansIll, "looks", lambda self, samples: iter(brighter))
    monkeypatch.setattr(BrightMeansIll, "sureness", 0.5)
    found = ReleasedClassifier.of(OWN).probabilities(X)
    likelihoods = torch.exp(0.5 * 4 * brighter.double().flatten(start_dim=2).mean(dim=2)).mean(dim=0)
    expected = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).sqrt().repeat(7, 1)
    expected[:, 1] *= likelihoods
    assert torch.allclose(found, expected / expected.sum(dim=1, keepdim=True))


@pytest.mark.parametrize("name", [method.name for method in METHODS])
def test_a_method_says_that_it_classifies_if_its_generator_does(name: str) -> None:
    """The refusal of one method names the others by this word."""
    generator = tiny_of(name).images.generator
    is_mixture = isinstance(generator, AbstractMixtureGeneratorConfig | LabelledGeneratorConfig)
    latent_dim = generator.latent_dim((1, 8, 8)) if is_mixture else 4
    network = generator.build((1, 8, 8), 3, latent_dim, torch.Generator().manual_seed(0))
    assert isinstance(network, AbstractClassifyingGenerator) is find_method(name).classifies
