"""The transposed-convolution generator of GS-WGAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.devices import in_use
from gossamer.nn.images.network import checked_image_shape, conv_transpose, cropped
from gossamer.nn.network import RELU_GAIN, AbstractGenerator, channel_norm, linear, transposed_product
from gossamer.nn.settings import Shape

_LARGEST_UNDOUBLED_GRID = 13


class DCGANGenerator(AbstractGenerator):
    """A generator of transposed convolutions upon a small grid from a dense layer, with a sigmoid at the end.

    Each transposed convolution stands after ReLU and pixel norm. At 28x28 and width 64 it is the published network,
    with grids 4 -> 7 -> 11 -> 28. Its kernels are 5, 5 and 8 (stride 2), its channels 256, 128, 64, 1. At another size:

    - The last grid before the image is the smallest that reaches it and not below 11/28 of it.
    - While that grid exceeds 13 (sides over 32), a doubling layer (kernel 4, stride 2, `width` channels) makes it from
      one of half its size.
    - The grids before it keep the proportions 4 : 7 : 11, or come as near as a kernel of 5 reaches.
    - The part of a layer's output beyond the next grid is cropped evenly.
    - The longer side sets the number of doublings.

    Weights start uniform with the scale kept through every ReLU (He), biases at zero.

    It draws images (channels, height, width). The published length of a latent is 10.
    The arguments are those of `AbstractGeneratorConfig.build`, and the settings.

    References:
        Chen, Orekondy, Fritz 2020, "GS-WGAN", appendix, generator "DCGAN".
    """

    def __init__(self, *, shape: Shape, num_classes: int, latent_dim: int, width: int, rng: torch.Generator) -> None:
        super().__init__(shape=checked_image_shape(shape), num_classes=num_classes, latent_dim=latent_dim)
        channels, *sides = self.shape
        num_doublings = _num_doublings(max(sides))
        first, *self.grids = zip(*(_grids(side, num_doublings) for side in sides), strict=True)
        self.start = (4 * width, *first)
        self.dense = linear(self.input_features, 4 * width * first[0] * first[1], gain=RELU_GAIN, rng=rng)
        layers = [conv_transpose(4 * width, 2 * width, 5, gain=RELU_GAIN, rng=rng)]
        layers += [conv_transpose(2 * width, width, 5, gain=RELU_GAIN, rng=rng)]
        for _ in range(num_doublings):
            layers += [conv_transpose(width, width, 4, stride=2, padding=1, gain=RELU_GAIN, rng=rng)]
        layers += [conv_transpose(width, channels, 8, stride=2, gain=1.0, rng=rng)]
        self.layers = nn.ModuleList(layers)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw images (batch, channels, height, width) in [0, 1]. See `AbstractGenerator.forward`."""
        features = self.dense(self.joined(latent, label)).unflatten(-1, self.start)
        # Channels last in memory, as in the residual generator.
        features = F.relu(features.movedim(-3, -1).contiguous().movedim(-1, -3))
        *layers, last = self.layers
        *grids, sides = self.grids
        for layer, grid in zip(layers, grids, strict=True):
            features = cropped(layer(channel_norm(features)).relu_(), grid)
        image = self._image(channel_norm(features), last)
        return torch.sigmoid(cropped(image, sides))

    @staticmethod
    def _image(features: Tensor, layer: nn.Module) -> Tensor:
        """Compute the last layer, to few channels, as one product and sums."""
        assert isinstance(layer, nn.ConvTranspose2d)
        assert layer.bias is not None
        sides = tuple(2 * (side - 1) + 8 for side in features.shape[2:])
        return transposed_product(in_use(features), in_use(layer.weight), sides, stride=2) + layer.bias[:, None, None]


def _last_grid(side: int) -> int:
    return max(-(-11 * side // 28), -(-(side - 6) // 2))


def _num_doublings(side: int) -> int:
    grid, count = _last_grid(side), 0
    while grid > _LARGEST_UNDOUBLED_GRID:
        grid, count = -(-grid // 2), count + 1
    return count


def _grids(side: int, num_doublings: int) -> tuple[int, ...]:
    """Return the grids of one axis, from the first to the image.

    >>> _grids(28, 0), _grids(8, 0), _grids(64, 2)
    ((4, 7, 11, 28), (2, 3, 4, 8), (3, 6, 8, 15, 29, 64))
    """
    grids = [_last_grid(side), side]
    for _ in range(num_doublings):
        grids.insert(0, -(-grids[0] // 2))
    third = grids[0]
    second = max(-(-7 * third // 11), third - 4)
    first = max(-(-4 * third // 11), second - 4)
    return (first, second, *grids)
