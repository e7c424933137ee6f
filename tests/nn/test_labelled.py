"""The generator of a labelled mixture: drawings that the teacher names as asked, soft labels, and the fallback."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.nn.labelled import LabelledGenerator
from gossamer.nn.labelled_settings import LabelledGeneratorConfig, TeacherConfig
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig

IMAGES = LabelledGeneratorConfig(
    mixture=MixtureGeneratorConfig(num_directions=3, radius=4), teacher=TeacherConfig(hidden_sizes=(5,))
)
SERIES = LabelledGeneratorConfig(mixture=SeriesMixtureGeneratorConfig(num_directions=3, radius=9, num_components=2))


def built(config: LabelledGeneratorConfig = IMAGES, shape: tuple[int, ...] = (1, 8, 8)) -> LabelledGenerator:
    """Three classes whose Gaussians overlap, in a row along the first direction."""
    network = config.build(shape, 3, config.mixture.latent_dim(shape), torch.Generator().manual_seed(0))
    mixture = network.mixture
    mixture.directions.copy_(torch.linalg.qr(torch.randn(mixture.directions.shape).T).Q.T)
    mixture.factors.copy_(torch.eye(3).expand_as(mixture.factors))
    mixture.centres[..., 0] = 1.5 * torch.arange(3.0)[:, None]
    return network.requires_grad_(False)


def drawn(network: LabelledGenerator, labels: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return network.chosen(labels, lambda num: torch.randn(num, network.latent_dim, generator=rng), rng)


@pytest.mark.parametrize(("config", "shape"), [(IMAGES, (1, 8, 8)), (SERIES, (2, 24))])
def test_every_drawing_has_the_name_that_was_asked_for(config: LabelledGeneratorConfig, shape: tuple[int, ...]) -> None:
    network, labels = built(config, shape), torch.tensor([0, 1, 2] * 50 + [2] * 100)
    latent, source = drawn(network, labels)
    assert network(latent, source).shape == (250, *shape)
    soft = network.probabilities(latent, source)
    assert torch.equal(soft.argmax(dim=1), labels)
    assert torch.allclose(soft.sum(dim=1), torch.ones(250))
    # Some come from the Gaussians of other classes: those on the border that a label by source would call otherwise.
    assert 0.02 < float((source != labels).float().mean()) < 0.5


def test_samples_of_a_class_have_the_law_that_the_whole_mixture_gives_them() -> None:
    network = built()
    network.class_shares.copy_(torch.tensor([0.6, 0.3, 0.1]))
    _, source = drawn(network, torch.full((2000,), 1))
    rng = torch.Generator().manual_seed(9)
    every = torch.randn(40_000, network.latent_dim, generator=rng)
    sources = torch.multinomial(network.class_shares, 40_000, replacement=True, generator=rng)
    is_named = network.probabilities(every, sources).argmax(dim=1) == 1
    expected = sources[is_named].bincount(minlength=3) / is_named.sum()
    assert (source.bincount(minlength=3) / 2000 - expected).abs().max() < 0.05


def test_a_class_that_the_teacher_never_names_is_drawn_from_its_own_gaussians() -> None:
    network = built()
    network.teacher.layers[-1].bias[2] = -1e4  # type: ignore[index]
    latent, source = drawn(network, torch.tensor([2] * 20 + [0] * 20))
    assert source[:20].tolist() == [2] * 20
    assert network.probabilities(latent, source).argmax(dim=1)[20:].tolist() == [0] * 20


def test_the_same_stream_chooses_the_same_drawings() -> None:
    network, labels = built(), torch.arange(30) % 3
    first, again, other = (drawn(network, labels, seed) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_an_untrained_teacher_is_the_tempered_mixture() -> None:
    network = built()
    features = torch.randn(7, network.mixture.directions.shape[1])
    place, base = network.inputs_of(features)
    assert torch.equal(network.teacher(place, base), base)
    assert float(place.norm(dim=1).max()) <= 2 * 3**0.5 * (1 + 1e-6)


def test_fewer_than_two_classes_are_refused() -> None:
    for classes in (0, 1):
        with pytest.raises(InputError, match="dp-mixture"):
            IMAGES.build((1, 8, 8), classes, IMAGES.mixture.latent_dim((1, 8, 8)), torch.Generator())


@pytest.mark.parametrize("setting", [{"temper": 0.0}, {"reach": -1.0}, {"least_spread": 1.0}, {"hidden_sizes": ()}])
def test_settings_of_a_teacher_out_of_range_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(InputError):
        TeacherConfig(**setting)  # type: ignore[arg-type]
