"""The residual generator of GS-WGAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.images.network import checked_image_shape, cropped, num_halvings
from gossamer.nn.network import AbstractGenerator, channel_norm
from gossamer.nn.settings import Shape
from gossamer.nn.spectral_norm import SpectralNormConv2d, SpectralNormDoublingConv2d, SpectralNormLinear


class ResNetGenerator(AbstractGenerator):
    """A generator of residual blocks that double a small grid from a dense layer, with a sigmoid at the end.

    A convolution to the image stands before the sigmoid. At 28x28 and width 256 it is the published network: 4x4 grid,
    three blocks, the central 28x28 of 32x32. At another size the longer side is halved, rounding up, until it is at
    most 4 (at least once), and the shorter side as often. That gives the starting grid and the number of blocks. The
    surplus is cropped evenly (the published code crops at the bottom right).

    Every layer has spectral norm, and its power iteration does not run in `forward`. Call
    `gossamer.nn.spectral_norm.advance` after each update of the weights. Weights start Xavier-uniform, biases at zero.

    It draws images (channels, height, width). The published length of a latent is 10.
    The arguments are those of `AbstractGeneratorConfig.build`, and the settings.

    References:
        Chen, Orekondy, Fritz 2020, "GS-WGAN", appendix, generator "ResNet".
    """

    def __init__(self, *, shape: Shape, num_classes: int, latent_dim: int, width: int, rng: torch.Generator) -> None:
        super().__init__(shape=checked_image_shape(shape), num_classes=num_classes, latent_dim=latent_dim)
        channels, height, image_width = self.shape
        num_blocks = num_halvings(height, image_width)
        self.grid = (width, -(-height // 2**num_blocks), -(-image_width // 2**num_blocks))
        self.dense = SpectralNormLinear(self.input_features, width * self.grid[1] * self.grid[2], rng=rng)
        self.blocks = nn.Sequential(*(_UpsamplingBlock(width, rng=rng) for _ in range(num_blocks)))
        self.to_image = SpectralNormConv2d(width, channels, 3, padding=1, rng=rng)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw images (batch, channels, height, width) in [0, 1]. See `AbstractGenerator.forward`."""
        features = self.dense(self.joined(latent, label)).unflatten(-1, self.grid)
        # Channels last in memory: the convolutions of a CPU take half the time on it in bfloat16, and less in float32.
        features = features.movedim(-3, -1).contiguous().movedim(-1, -3)
        features = self.blocks[:-1](channel_norm(F.relu(features)))
        return torch.sigmoid(cropped(self._image(features), self.shape[1:]))

    def _image(self, features: Tensor) -> Tensor:
        """Return the logits of the image, without a margin of two pixels if it would be cropped anyway."""
        last = self.blocks[-1]
        assert isinstance(last, _UpsamplingBlock)
        margins = (2 * grid - side for grid, side in zip(features.shape[2:], self.shape[1:], strict=True))
        if min(margins) >= 4:
            return self.to_image.inside(last.inside(features))
        return self.to_image(last(features))


class _UpsamplingBlock(nn.Module):
    """A residual block that doubles the sides: conv(relu(norm(conv(up(norm(x)))))) + conv1x1(up(x)).

    The input is x (batch, width, h, w), and `up` goes to (2h, 2w). The first convolution and its `up` are one layer.
    The shortcut is computed before its `up`, where it is a quarter of the work, since a kernel of 1 sees each pixel
    alone. Sums and rectified features take the place of their input, which nothing needs again. Fresh memory for each
    of them took a tenth of the time of a draw.
    """

    def __init__(self, width: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self.first = SpectralNormDoublingConv2d(width, width, rng=rng)
        self.second = SpectralNormConv2d(width, width, 3, padding=1, rng=rng)
        self.shortcut = SpectralNormConv2d(width, width, 1, rng=rng)

    def forward(self, features: Tensor) -> Tensor:
        return self.second(self._main(features)).add_(self._short(features))

    def inside(self, features: Tensor) -> Tensor:
        """Compute `forward` without the outermost pixels: (batch, width, 2h - 2, 2w - 2)."""
        return self.second.inside(self._main(features)).add_(self._short(features)[..., 1:-1, 1:-1])

    def _main(self, features: Tensor) -> Tensor:
        return channel_norm(self.first(channel_norm(features))).relu_()

    def _short(self, features: Tensor) -> Tensor:
        return F.interpolate(self.shortcut(features), scale_factor=2)
