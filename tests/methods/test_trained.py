"""The released generator: samples by seed and class, and nothing else."""

from __future__ import annotations

import pytest
import torch

import gossamer.methods.trained
from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms

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
        statement=PLAN.statement(ClaimTerms(delta=1e-3, method="gs-wgan", sample_size=64, is_secure=True)),
    )


def test_samples_are_images_with_classes_in_turn_and_no_gradients(trained: TrainedGenerator) -> None:
    images, labels = trained.sample(7)
    assert images.shape == (7, 1, 8, 8)
    assert images.dtype == torch.float32
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert torch.equal(images * 255, (images * 255).round()), "on the levels of an image file"
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
    # Two of these faint images may round to the same 256 levels; a batch of latents drawn twice would leave 600.
    assert len(images.flatten(start_dim=1).unique(dim=0)) >= 1090


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


def with_shares(trained: TrainedGenerator, counts: list[float]) -> TrainedGenerator:
    recipe = GeneratorRecipe.of(
        trained.recipe.spec,
        network=trained.recipe.network,
        latent=trained.recipe.latent,
        noisy_counts=torch.tensor(counts),
    )
    return TrainedGenerator(recipe=recipe, weights=trained.weights, statement=trained.statement)


@pytest.mark.parametrize(("evenness", "expected"), [(0.0, [810, 90, 0]), (0.5, [675, 225, 0]), (1.0, [300, 300, 300])])
def test_classes_are_drawn_between_the_released_shares_and_all_alike(
    trained: TrainedGenerator, evenness: float, expected: list[int]
) -> None:
    """9 to 1 as released, 3 to 1 halfway; a count that noise made negative is none at all, unless all are alike."""
    if not trained.recipe.spec.num_classes:
        assert with_shares(trained, [5.0]).recipe.class_shares == ()
        return
    shared = with_shares(trained, [9000.0, 1000.0, -40.0])
    labels = shared.uneven_labels(900, evenness=evenness, seed=1)
    assert torch.bincount(labels, minlength=3).tolist() == expected
    assert torch.equal(labels, shared.uneven_labels(900, evenness=evenness, seed=1))
    assert not torch.equal(labels, labels.sort().values)
    assert shared.sample(900, labels=labels)[0].shape == (900, 1, 8, 8)


def test_a_generator_without_released_shares_draws_no_uneven_classes(trained: TrainedGenerator) -> None:
    with pytest.raises(InputError, match="in turn"):
        trained.uneven_labels(5)


@pytest.mark.parametrize(("num_samples", "evenness"), [(0, 0.5), (5, 1.5), (5, float("nan"))])
def test_uneven_labels_out_of_range_are_refused(trained: TrainedGenerator, num_samples: int, evenness: float) -> None:
    with pytest.raises(InputError):
        trained.uneven_labels(num_samples, evenness=evenness)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.5, -0.5, 0.0)])
def test_shares_that_are_none_are_refused(trained: TrainedGenerator, shares: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="class_shares"):
        GeneratorRecipe(
            network=trained.recipe.network,
            latent=trained.recipe.latent,
            spec=trained.recipe.spec,
            class_shares=shares,
        )


def test_pieces_are_the_samples_whatever_their_size(monkeypatch: pytest.MonkeyPatch, trained: TrainedGenerator) -> None:
    whole, _ = trained.sample(1100, seed=4)
    assert len(list(trained.pieces(1100, seed=4))) == 1
    # Batches of 500, of which a piece holds one or two.
    for values, sizes in ((1, [500, 500, 100]), (64 * 1000, [1000, 100])):
        monkeypatch.setattr(gossamer.methods.trained, "PIECE_VALUES", values)
        pieces = list(trained.pieces(1100, seed=4))
        assert [len(piece) for piece in pieces] == sizes
        assert torch.equal(torch.cat(pieces), whole)
        assert torch.equal(trained.sample(1100, seed=4)[0], whole)


def test_pieces_are_refused_at_once_and_drawn_later(trained: TrainedGenerator) -> None:
    with pytest.raises(InputError, match="at least 1"):
        trained.pieces(0)
    first = next(trained.pieces(10**12 if not trained.recipe.spec.num_classes else 10**5))
    assert len(first) == gossamer.methods.trained.PIECE_VALUES // 64 // 500 * 500
