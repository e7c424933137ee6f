"""Black is 0 in what is released, and no wall in training."""

from __future__ import annotations

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.nn.images.cosine import CosineGenerator
from gossamer.nn.images.settings import CosineGeneratorConfig


def dark_generator(black: float) -> CosineGenerator:
    config = CosineGeneratorConfig(hidden_sizes=(8,), radius=3, gain=40, brightness=-2, black=black)
    return config.build((1, 8, 8), 2, 4, torch.Generator().manual_seed(0))


LATENT = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
LABEL = torch.arange(50) % 2


def test_a_finished_generator_draws_what_is_darker_than_black_as_exactly_zero() -> None:
    plain, cut = dark_generator(0).eval(), dark_generator(0.1).eval()
    before, after = plain(LATENT, LABEL), cut(LATENT, LABEL)
    assert not (before == 0).any(), "a sigmoid alone never reaches black"
    torch.testing.assert_close(after == 0, before <= 0.1)
    assert 0.05 < (after == 0).float().mean() < 0.95, "the test sees both sides"
    torch.testing.assert_close(after[after > 0], (before[before > 0.1] - 0.1) / 0.9)
    assert after.max() <= 1


def test_training_sees_no_black_so_that_dark_pixels_can_still_learn() -> None:
    cut = dark_generator(0.1).train()
    torch.testing.assert_close(cut(LATENT, LABEL), dark_generator(0).train()(LATENT, LABEL))
    cut(LATENT, LABEL).sum().backward()
    assert cut.table.grad is not None
    assert cut.table.grad.abs().min() > 0


def test_black_is_a_share_of_the_range() -> None:
    with pytest.raises(InputError, match="black must lie between 0 and 1"):
        CosineGeneratorConfig(black=1.0)


def test_images_are_written_on_the_256_levels_of_their_format() -> None:
    spec = ImageSpec(channels=1, height=4, width=4)
    x = torch.rand(100, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    written = spec.as_written(x)
    assert torch.equal(written * 255, (written * 255).round())
    assert (written - x).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(spec.as_written(written), written), "an image from a file stays as it is"
    assert float(spec.as_written(torch.full((1, 1, 4, 4), 0.0019)).max()) == 0
