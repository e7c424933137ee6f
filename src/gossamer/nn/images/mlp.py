"""Small dense networks: a generator, a generator that draws coarse before fine, and a projection critic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.errors import InputError
from gossamer.nn.images.network import (
    RELU_GAIN,
    AbstractCritic,
    AbstractCriticConfig,
    AbstractGenerator,
    AbstractGeneratorConfig,
    ImageShape,
    checked_sizes,
    encoded_label,
    linear,
)

_PYRAMID_STEPS = (4, 2, 1)
_LEAK = 0.2
_LEAKY_GAIN = math.sqrt(2.0 / (1.0 + _LEAK**2))


@dataclass(frozen=True, kw_only=True)
class MLPGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `MLPGenerator`.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
    """

    hidden_sizes: tuple[int, ...] = (256, 256)

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)

    def build(self, image_shape: ImageShape, num_classes: int, latent_dim: int, rng: torch.Generator) -> MLPGenerator:
        """A new generator, its weights drawn from `rng`."""
        return MLPGenerator(
            image_shape=image_shape,
            num_classes=num_classes,
            latent_dim=latent_dim,
            hidden_sizes=self.hidden_sizes,
            rng=rng,
        )


class MLPGenerator(AbstractGenerator):
    """Latent and one-hot class -> hidden layers with ReLU -> one logit per value of the image -> sigmoid.

    Weights start uniform with the scale kept through every ReLU (He), biases at zero.

    Args:
        image_shape: (channels, height, width).
        num_classes: 0 for an unconditional network.
        latent_dim: length of a latent.
        hidden_sizes: units of each hidden layer, first to last.
        rng: the stream of initial weights.
    """

    def __init__(
        self,
        *,
        image_shape: ImageShape,
        num_classes: int,
        latent_dim: int,
        hidden_sizes: tuple[int, ...],
        rng: torch.Generator,
    ) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, latent_dim=latent_dim)
        self.trunk = _trunk((self.input_features, *hidden_sizes), rng)
        self.to_image = linear(hidden_sizes[-1], math.prod(self.image_shape), gain=1.0, rng=rng)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw images (batch, channels, height, width) in [0, 1]; see `AbstractGenerator.forward`."""
        hidden = self.trunk(self.joined(latent, label))
        return torch.sigmoid(self.to_image(hidden)).unflatten(-1, self.image_shape)


@dataclass(frozen=True, kw_only=True)
class PyramidGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `PyramidGenerator`.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
        detail_scale: how much slower than the draft the details are learnt, in (0, 1].
    """

    hidden_sizes: tuple[int, ...] = (256, 256)
    detail_scale: float = 0.3

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)
        if not 0.0 < self.detail_scale <= 1.0:
            raise InputError(f"detail_scale: {self.detail_scale} must lie in (0, 1]; 1 learns draft and details alike")

    def build(
        self, image_shape: ImageShape, num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> PyramidGenerator:
        """A new generator, its weights drawn from `rng`."""
        return PyramidGenerator(
            image_shape=image_shape,
            num_classes=num_classes,
            latent_dim=latent_dim,
            hidden_sizes=self.hidden_sizes,
            detail_scale=self.detail_scale,
            rng=rng,
        )


class PyramidGenerator(AbstractGenerator):
    """An image as the sum of a coarse draft and two layers of detail, all drawn from the same hidden features h.

    With up() bilinear interpolation to the full size and s the scale of details::

        image = sigmoid( up(A_4 h) + s up(A_2 h) + s A_1 h )

    A_4, A_2 and A_1 give logits at the size divided by 4, 2 and 1, rounded up (7, 14 and 28 pixels for 28). The details
    start at zero, so the untaught generator draws smooth images, and s slows them down against the draft, because an
    optimiser that rescales gradients (Adam) moves all three alike. A critic that sees averages over blocks cannot say
    what happens inside a block: leave the parameters named by `untaught_at` alone while it teaches, and the image stays
    smooth there.

    Weights start uniform with the scale kept through every ReLU (He); biases and the two layers of detail at zero.

    Args:
        image_shape: (channels, height, width).
        num_classes: 0 for an unconditional network.
        latent_dim: length of a latent.
        hidden_sizes: units of each hidden layer, first to last.
        detail_scale: s, in (0, 1].
        rng: the stream of initial weights.
    """

    def __init__(
        self,
        *,
        image_shape: ImageShape,
        num_classes: int,
        latent_dim: int,
        hidden_sizes: tuple[int, ...],
        detail_scale: float,
        rng: torch.Generator,
    ) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, latent_dim=latent_dim)
        channels, height, width = self.image_shape
        self.detail_scale = detail_scale
        self.grids = [(channels, -(-height // step), -(-width // step)) for step in _PYRAMID_STEPS]
        self.trunk = _trunk((self.input_features, *hidden_sizes), rng)
        self.draft = linear(hidden_sizes[-1], math.prod(self.grids[0]), gain=1.0, rng=rng)
        self.details = nn.ModuleList(
            linear(hidden_sizes[-1], math.prod(grid), gain=0.0, rng=rng) for grid in self.grids[1:]
        )

    def untaught_at(self, factor: int) -> frozenset[str]:
        """Names of the detail layers finer than blocks of `factor` x `factor`; see `AbstractGenerator.untaught_at`.

        >>> generator = PyramidGeneratorConfig().build((1, 28, 28), 10, 10, torch.Generator().manual_seed(0))
        >>> sorted(generator.untaught_at(2)), sorted(generator.untaught_at(1))
        (['details.1.bias', 'details.1.weight'], [])
        """
        finer = [level for level, step in enumerate(_PYRAMID_STEPS[1:]) if step < factor]
        return frozenset(f"details.{level}.{kind}" for level in finer for kind in ("weight", "bias"))

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw images (batch, channels, height, width) in [0, 1]; see `AbstractGenerator.forward`."""
        hidden = self.trunk(self.joined(latent, label))
        logits = self._enlarged(self.draft(hidden), self.grids[0])
        for layer, grid in zip(self.details, self.grids[1:], strict=True):
            logits = logits + self.detail_scale * self._enlarged(layer(hidden), grid)
        return torch.sigmoid(logits)

    def _enlarged(self, logits: Tensor, grid: tuple[int, int, int]) -> Tensor:
        return F.interpolate(
            logits.unflatten(-1, grid), size=self.image_shape[1:], mode="bilinear", align_corners=False
        )


@dataclass(frozen=True, kw_only=True)
class MLPCriticConfig(AbstractCriticConfig):
    """Settings of `MLPCritic`.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
    """

    hidden_sizes: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)

    def build(self, image_shape: ImageShape, num_classes: int, rng: torch.Generator) -> MLPCritic:
        """A new critic, its weights drawn from `rng`."""
        return MLPCritic(image_shape=image_shape, num_classes=num_classes, hidden_sizes=self.hidden_sizes, rng=rng)


class MLPCritic(AbstractCritic):
    """Flattened image -> hidden layers with leaky ReLU 0.2 -> a linear score plus a projection on the class.

    With h(x) the last hidden features, w and b a dense layer, e a class embedding::

        score(x, y) = w . h(x) + b + e_y . h(x)

    No spectral norm and no buffers; a gradient penalty alone holds its slope. Weights start uniform with the scale kept
    through every leaky ReLU (He), each class vector with standard deviation 1 / sqrt(features), biases at zero.

    Args:
        image_shape: (channels, height, width).
        num_classes: 0 for an unconditional network.
        hidden_sizes: units of each hidden layer, first to last.
        rng: the stream of initial weights.

    References:
        Miyato, Koyama 2018, "cGANs with projection discriminator".
    """

    def __init__(
        self, *, image_shape: ImageShape, num_classes: int, hidden_sizes: tuple[int, ...], rng: torch.Generator
    ) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes)
        sizes = (math.prod(self.image_shape), *hidden_sizes)
        self.hidden = nn.ModuleList(
            linear(before, after, gain=_LEAKY_GAIN, rng=rng) for before, after in pairwise(sizes)
        )
        self.score = linear(sizes[-1], 1, gain=1.0, rng=rng)
        self.embedding = _class_vectors(num_classes, sizes[-1], rng) if num_classes else None

    def forward(self, image: Tensor, label: Tensor | None) -> Tensor:
        """Score images; see `AbstractCritic.forward`. Returns (batch,)."""
        features = image.flatten(start_dim=-3)
        for layer in self.hidden:
            features = F.leaky_relu(layer(features), _LEAK)
        score = self.score(features).squeeze(-1)
        one_hot = encoded_label(label, self.num_classes, features.dtype)
        if one_hot is None or self.embedding is None:
            return score
        # A product with one-hot rows, not a look-up: the gradient of a look-up sums in no fixed order on a GPU.
        return score + ((one_hot @ self.embedding) * features).sum(dim=-1)


def _trunk(sizes: tuple[int, ...], rng: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [linear(before, after, gain=RELU_GAIN, rng=rng), nn.ReLU()]
    return nn.Sequential(*layers)


def _class_vectors(num_classes: int, features: int, rng: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(num_classes, features, generator=rng) / math.sqrt(features))
