"""Series as images: what the study did, without losing or inventing a sample."""

from __future__ import annotations

import pytest
import torch

from gossamer.errors import InputError
from gossamer.nn.images.settings import ResNetGeneratorConfig
from gossamer.nn.series.settings import FoldedGeneratorConfig
from gossamer.nn.views import Folded

SMALL = FoldedGeneratorConfig(row=14, image=ResNetGeneratorConfig(width=4))


def test_a_folded_beat_is_14_by_14_with_nine_zeros_behind_its_end() -> None:
    beats = torch.rand(3, 1, 187, generator=torch.Generator().manual_seed(0))
    images = Folded(row=14).apply(beats)
    assert images.shape[1:] == Folded(row=14).shape((1, 187)) == (1, 14, 14)
    assert torch.equal(images.flatten(start_dim=2)[..., :187], beats)
    assert images.flatten(start_dim=2)[..., 187:].abs().sum() == 0
    assert torch.equal(images[0, 0, 1], beats[0, 0, 14:28])


def test_folding_is_linear_and_keeps_channels_apart() -> None:
    one, two = torch.rand(2, 4, 2, 30, generator=torch.Generator().manual_seed(1)).unbind(0)
    look = Folded(row=7).apply
    assert torch.equal(look(one + two), look(one) + look(two))
    assert torch.equal(look(one)[:, 1:], look(one[:, 1:]))


@pytest.mark.parametrize(("row", "shape"), [(0, (1, 20)), (5, (1, 8, 8))])
def test_what_cannot_be_folded_is_refused(row: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        Folded(row=row).shape(shape)


@pytest.mark.parametrize("shape", [(1, 187), (2, 100)])
def test_the_generator_reads_its_image_row_by_row(shape: tuple[int, int]) -> None:
    generator = SMALL.build(shape, 3, 5, torch.Generator().manual_seed(0))
    latent, label = torch.randn(4, 5, generator=torch.Generator().manual_seed(2)), torch.tensor([0, 1, 2, 0])
    drawn = generator(latent, label)
    image = generator.image(latent, label)
    assert drawn.shape == (4, *shape)
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert torch.equal(drawn[:, 0, 14:28], image[:, 0, 1])
    assert drawn.std(dim=0).max() > 1e-4


def test_a_series_too_short_to_fold_is_refused() -> None:
    with pytest.raises(InputError):
        SMALL.build((1, 20), 0, 5, torch.Generator())
