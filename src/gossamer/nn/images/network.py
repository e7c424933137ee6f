"""The common parts of networks of images: the check of a shape, transposed convolutions and crops."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.nn.network import initialised
from gossamer.nn.settings import Shape

MIN_SIDE = 4
MAX_SIDE = 128

ImageShape = tuple[int, int, int]


def checked_image_shape(image_shape: Shape) -> ImageShape:
    """Return the shape as a tuple of ints, or raise an InputError that names the broken rule."""
    if len(image_shape) != 3:
        raise InputError(f"image_shape: {tuple(image_shape)} must be (channels, height, width)")
    channels, height, width = image_shape
    if channels < 1:
        raise InputError(f"image_shape: {channels} channels; at least 1 is needed")
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise InputError(
            f"image_shape: {height} x {width} pixels, but sides must lie in {MIN_SIDE} .. {MAX_SIDE}; resize the images"
        )
    return channels, height, width


def conv_transpose(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0, gain: float,
    rng: torch.Generator,
) -> nn.ConvTranspose2d:  # fmt: skip
    """Build a transposed convolution, initialised as `linear` is.

    An output pixel has (kernel / stride)^2 inputs for each input channel.
    """
    layer = nn.ConvTranspose2d(in_channels, out_channels, kernel_size, stride, padding, device="meta")
    return initialised(layer, gain * stride / (kernel_size * math.sqrt(in_channels)), rng)


def cropped(features: Tensor, size: Shape) -> Tensor:
    """Crop (batch, channels, at least height, at least width) to the central (height, width) window.

    If the surplus is odd, the window lies one pixel nearer to the top left.
    """
    height, width = size
    top = (features.shape[-2] - height) // 2
    left = (features.shape[-1] - width) // 2
    return features[..., top : top + height, left : left + width]


def num_halvings(height: int, width: int) -> int:
    """Count the halvings of the longer side, rounding up, until it is at most 4, at least one.

    >>> [num_halvings(side, side) for side in (4, 7, 8, 14, 28, 32, 64, 128)]
    [1, 1, 1, 2, 3, 3, 4, 5]
    """
    return max(1, math.ceil(math.log2(max(height, width) / 4)))
