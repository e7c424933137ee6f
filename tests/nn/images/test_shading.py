"""Shadings: dark ground sinks by its distance from light, a clip brings it back, and each image is by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gossamer.errors import InputError
from gossamer.nn.images.mixture import MixtureGeneratorConfig
from gossamer.nn.images.shading import AsStored, SunkenDark

SUNKEN = SunkenDark(depth=0.6, reach=3)


def test_dark_pixels_sink_by_steps_to_the_nearest_bright_one() -> None:
    image = torch.zeros(1, 1, 1, 7)
    image[..., 0] = 0.4
    expected = torch.tensor([0.4, -0.2, -0.4, -0.6, -0.6, -0.6, -0.6])
    assert torch.allclose(SUNKEN.shaded(image)[0, 0, 0], expected)


def test_diagonal_steps_count_as_one_and_channels_stand_alone() -> None:
    image = torch.zeros(1, 2, 5, 5)
    image[0, 0, 2, 2] = 1.0
    shaded = SUNKEN.shaded(image)
    assert float(shaded[0, 0, 1, 1]) == float(shaded[0, 0, 1, 2]) == pytest.approx(-0.2)
    assert torch.allclose(shaded[0, 1], torch.full((5, 5), -0.6))


def test_a_clip_brings_the_values_back_but_for_dark_ones() -> None:
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    back = SUNKEN.shaded(images).clamp(0, 1)
    assert torch.equal(back, torch.where(images > SUNKEN.dark, images, 0.0))


def test_images_without_dark_pixels_stay_as_they_are() -> None:
    images = 0.1 + 0.9 * torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(SUNKEN.shaded(images), images)
    assert torch.equal(AsStored().shaded(images), images)


def test_an_image_is_shaded_to_the_last_bit_whatever_stands_beside_it() -> None:
    images = torch.rand(9, 2, 8, 8, generator=torch.Generator().manual_seed(2)).square()
    alone = torch.cat([SUNKEN.shaded(image[None]) for image in images])
    assert torch.equal(SUNKEN.shaded(images), alone)


def test_features_are_of_shaded_images() -> None:
    config = MixtureGeneratorConfig(num_directions=4, radius=12, brightness=0.2)
    image = torch.zeros(1, 1, 8, 8)
    image[..., 2:6, 2:6] = 0.9
    sunken = replace(config, shading=SUNKEN)
    assert torch.equal(sunken.features(image), config.features(SUNKEN.shaded(image)))
    assert not torch.allclose(sunken.features(image), config.features(image))


@pytest.mark.parametrize(("name", "value"), [("depth", 0.0), ("reach", 0), ("dark", 1.0), ("dark", -0.1)])
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(SUNKEN, **{name: value})  # type: ignore[arg-type]
