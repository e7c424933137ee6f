"""The released generator: samples by seed and class, and nothing else."""

from __future__ import annotations

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.mechanisms.plan import OneOfManyPlan
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.images.mlp import MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.adjacency import Unit

PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=100, num_critics=9, num_steps=2, batch_size=2, draws_per_step=2, clip_norm=1.0,
    noise_multiplier=2.0,
)  # fmt: skip


@pytest.fixture(scope="module", params=[("a", "b", "c"), ()], ids=["classes", "no classes"])
def trained(request: pytest.FixtureRequest) -> TrainedGenerator:
    recipe = GeneratorRecipe(
        network=MLPGeneratorConfig(hidden_sizes=(8,)),
        latent=NormalLatent(dim=4),
        spec=ImageSpec(channels=1, height=8, width=8, class_names=request.param),
    )
    return TrainedGenerator(
        recipe=recipe,
        weights=dict(recipe.build(torch.Generator().manual_seed(3)).state_dict()),
        statement=PLAN.statement(1e-3, method="gs-wgan", sample_size=64, is_secure=True),
    )


def test_samples_are_images_with_classes_in_turn_and_no_gradients(trained: TrainedGenerator) -> None:
    images, labels = trained.sample(7)
    assert images.shape == (7, 1, 8, 8)
    assert images.dtype == torch.float32
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert not images.requires_grad
    if trained.recipe.spec.num_classes:
        assert labels is not None
        assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    else:
        assert labels is None


def test_a_seed_gives_the_same_samples_and_another_seed_others(trained: TrainedGenerator) -> None:
    before = torch.get_rng_state()
    first, again, other = (trained.sample(5, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_many_samples_are_all_different(trained: TrainedGenerator) -> None:
    images, _ = trained.sample(1100)
    assert len(images.flatten(start_dim=1).unique(dim=0)) == 1100


def test_sampling_changes_no_weight(trained: TrainedGenerator) -> None:
    before = {name: tensor.clone() for name, tensor in trained.weights.items()}
    trained.sample(3)
    for tensor in trained.network().parameters():
        tensor.fill_(0.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained.weights.items())


def test_labels_may_be_chosen_and_are_checked(trained: TrainedGenerator) -> None:
    if not trained.recipe.spec.num_classes:
        with pytest.raises(InputError, match="no classes"):
            trained.sample(2, labels=torch.tensor([0, 0]))
        return
    chosen = torch.tensor([2, 2, 0])
    images, labels = trained.sample(3, labels=chosen)
    assert labels is not None
    assert torch.equal(labels, chosen)
    assert not torch.equal(images[:2], trained.sample(3, labels=torch.tensor([1, 1, 0]))[0][:2])
    for wrong in (torch.tensor([0, 1]), torch.tensor([0, 1, 3]), torch.tensor([-1, 0, 1])):
        with pytest.raises(InputError, match="labels"):
            trained.sample(3, labels=wrong)


def test_no_samples_is_bad_input(trained: TrainedGenerator) -> None:
    with pytest.raises(InputError, match="num_samples"):
        trained.sample(0)
