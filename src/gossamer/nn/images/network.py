"""What every image network promises: its inputs, its output, its configuration, its initial weights."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gossamer.errors import InputError

MIN_SIDE = 4
MAX_SIDE = 128
RELU_GAIN = math.sqrt(2.0)

ImageShape = tuple[int, int, int]


class AbstractGenerator(nn.Module, abc.ABC):
    """A network that draws images from latents: (latent, label) -> image in [0, 1].

    Args:
        image_shape: (channels, height, width) of an image; sides from 4 to 128.
        num_classes: number of classes, 0 for an unconditional network.
        latent_dim: length of a latent, at least 1.
    """

    def __init__(self, *, image_shape: ImageShape, num_classes: int, latent_dim: int) -> None:
        super().__init__()
        self.image_shape = checked_image_shape(image_shape)
        self.num_classes = checked_num_classes(num_classes)
        self.latent_dim = checked_count("latent_dim", latent_dim)

    @abc.abstractmethod
    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw images.

        Args:
            latent: (batch, latent_dim).
            label: (batch,) int64 in 0 .. num_classes - 1, or None if the network is unconditional.

        Returns:
            (batch, channels, height, width) in [0, 1].
        """

    @property
    def input_features(self) -> int:
        """Length of a latent with its one-hot class behind it."""
        return self.latent_dim + self.num_classes

    def joined(self, latent: Tensor, label: Tensor | None, label_gain: float = 1.0) -> Tensor:
        """The latent with its one-hot class, times ``label_gain``, behind it: (batch, input_features)."""
        if latent.shape[-1] != self.latent_dim:
            raise InputError(
                f"latent: length {latent.shape[-1]}, but this generator takes {self.latent_dim}; draw that many numbers"
            )
        encoded = encoded_label(label, self.num_classes, latent.dtype)
        return latent if encoded is None else torch.cat([latent, label_gain * encoded], dim=-1)


class AbstractCritic(nn.Module, abc.ABC):
    """A network that scores images without bound: (image, label) -> score.

    **Guarantee.** Scoring changes no parameter, no buffer and no random stream, in training mode too.

    Args:
        image_shape: (channels, height, width) of what it sees, an image or a public view of one.
        num_classes: number of classes, 0 for an unconditional network.
    """

    def __init__(self, *, image_shape: ImageShape, num_classes: int) -> None:
        super().__init__()
        self.image_shape = checked_view_shape(image_shape)
        self.num_classes = checked_num_classes(num_classes)

    @abc.abstractmethod
    def forward(self, image: Tensor, label: Tensor | None) -> Tensor:
        """Score images.

        Args:
            image: (batch, channels, height, width).
            label: (batch,) int64 in 0 .. num_classes - 1, or None if the network is unconditional.

        Returns:
            (batch,) scores; higher means more like the real images the critic has seen.
        """


class AbstractGeneratorConfig(abc.ABC):
    """The public settings of a generator, without the shape of its data."""

    @abc.abstractmethod
    def build(
        self, image_shape: ImageShape, num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> AbstractGenerator:
        """A new generator.

        Args:
            image_shape: (channels, height, width); sides from 4 to 128.
            num_classes: number of classes, 0 for an unconditional network.
            latent_dim: length of a latent.
            rng: the stream of initial weights (on the CPU); no other randomness is used.

        Raises:
            InputError: if a number is out of range.
        """


class AbstractCriticConfig(abc.ABC):
    """The public settings of a critic, without the shape of its data."""

    @abc.abstractmethod
    def build(self, image_shape: ImageShape, num_classes: int, rng: torch.Generator) -> AbstractCritic:
        """A new critic.

        Args:
            image_shape: (channels, height, width) of what the critic sees: an image, or a smaller view of it.
            num_classes: number of classes, 0 for an unconditional network.
            rng: the stream of initial weights (on the CPU); no other randomness is used.

        Raises:
            InputError: if a number is out of range.
        """


def checked_image_shape(image_shape: ImageShape) -> ImageShape:
    """The shape as a tuple of ints, or an InputError that says which rule it breaks."""
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


def checked_view_shape(image_shape: ImageShape) -> ImageShape:
    """The shape of what a critic sees as a tuple of ints, or an InputError: a view may be smaller than any image."""
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise InputError(f"image_shape: {tuple(image_shape)} must be (channels, height, width), each at least 1")
    channels, height, width = image_shape
    return channels, height, width


def checked_num_classes(num_classes: int) -> int:
    """The number of classes, or an InputError if it is negative."""
    if num_classes < 0:
        raise InputError(f"num_classes: {num_classes} is negative; use 0 for data without labels")
    return num_classes


def checked_count(name: str, count: int) -> int:
    """A count of at least 1, or an InputError that names it."""
    if count < 1:
        raise InputError(f"{name}: {count} must be at least 1")
    return count


def checked_sizes(name: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """At least one layer, each of at least one unit, or an InputError that names the parameter."""
    if not sizes:
        raise InputError(f"{name}: at least one layer is needed")
    return tuple(checked_count(name, size) for size in sizes)


def encoded_label(label: Tensor | None, num_classes: int, dtype: torch.dtype) -> Tensor | None:
    """One-hot rows (batch, num_classes), or None for an unconditional network.

    Compares instead of scattering, so that it runs under `torch.func.vmap` and never waits for a GPU; a label out of
    range therefore gives a row of zeros and no error: check labels where data come in.

    Raises:
        InputError: if a label is missing, or given to an unconditional network.

    >>> encoded_label(torch.tensor([2, 0]), 3, torch.float32)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if label is None:
        if num_classes:
            raise InputError(f"label: missing, but this network has {num_classes} classes; pass one label per sample")
        return None
    if not num_classes:
        raise InputError("label: given, but this network is unconditional; pass None")
    return (label.unsqueeze(-1) == torch.arange(num_classes, device=label.device)).to(dtype)


def linear(in_features: int, out_features: int, *, gain: float, rng: torch.Generator) -> nn.Linear:
    """A dense layer, weights uniform with standard deviation gain / sqrt(in_features), bias zero.

    With gain sqrt(2) before a ReLU the scale of the signal is kept (He, Zhang, Ren, Sun 2015).
    """
    layer = nn.Linear(in_features, out_features, device="meta").to_empty(device="cpu")
    _initialise(layer.parameters(), gain / math.sqrt(in_features), rng)
    return layer


def conv_transpose(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0, gain: float,
    rng: torch.Generator,
) -> nn.ConvTranspose2d:  # fmt: skip
    """A transposed convolution, initialised as `linear` is; an output pixel has in x (kernel / stride)^2 inputs."""
    layer = nn.ConvTranspose2d(
        in_channels, out_channels, kernel_size, stride=stride, padding=padding, device="meta"
    ).to_empty(device="cpu")
    _initialise(layer.parameters(), gain * stride / (kernel_size * math.sqrt(in_channels)), rng)
    return layer


def pixel_norm(features: Tensor) -> Tensor:
    """features / sqrt(mean over channels of features^2 + 1e-8), per pixel; (batch, channels, height, width).

    References:
        Karras, Aila, Laine, Lehtinen 2018, "Progressive growing of GANs", section 4.2.
    """
    return features * torch.rsqrt(features.square().mean(dim=-3, keepdim=True) + 1e-8)


def cropped(features: Tensor, size: tuple[int, int]) -> Tensor:
    """The central (height, width) window of (batch, channels, at least height, at least width).

    Where the surplus is odd, the window lies one pixel nearer to the top left.
    """
    height, width = size
    top = (features.shape[-2] - height) // 2
    left = (features.shape[-1] - width) // 2
    return features[..., top : top + height, left : left + width]


def num_halvings(height: int, width: int) -> int:
    """How often the longer side is halved, rounding up, until it is at most 4; at least once.

    >>> [num_halvings(side, side) for side in (4, 7, 8, 14, 28, 32, 64, 128)]
    [1, 1, 1, 2, 3, 3, 4, 5]
    """
    return max(1, math.ceil(math.log2(max(height, width) / 4)))


def _initialise(parameters: Iterable[nn.Parameter], deviation: float, rng: torch.Generator) -> None:
    """Weights uniform with the given standard deviation, biases (the vectors) zero."""
    bound = deviation * math.sqrt(3.0)
    for parameter in parameters:
        if parameter.dim() == 1:
            nn.init.zeros_(parameter)
        else:
            nn.init.uniform_(parameter, -bound, bound, generator=rng)
