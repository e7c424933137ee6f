"""The interface of every network: its inputs, its output, its initial weights. Its configuration: `settings.py`."""

from __future__ import annotations

import abc
import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.errors import InputError
from gossamer.nn.settings import AbstractCriticConfig as AbstractCriticConfig
from gossamer.nn.settings import AbstractGeneratorConfig as AbstractGeneratorConfig
from gossamer.nn.settings import Shape, checked_count, checked_num_classes, checked_shape

RELU_GAIN = math.sqrt(2.0)

Layer = TypeVar("Layer", bound=nn.Module)


class AbstractGenerator(nn.Module, abc.ABC):
    """A network that draws samples, images or series, from latents: (latent, label) -> sample in [0, 1].

    Args:
        shape: of a sample, (channels, height, width) or (channels, length).
        num_classes: number of classes, 0 for an unconditional network.
        latent_dim: length of a latent, at least 1.
    """

    def __init__(self, *, shape: Shape, num_classes: int, latent_dim: int) -> None:
        super().__init__()
        self.shape = checked_shape(shape)
        self.num_classes = checked_num_classes(num_classes)
        self.latent_dim = checked_count("latent_dim", latent_dim)

    @abc.abstractmethod
    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw samples.

        Args:
            latent: (batch, latent_dim).
            label: (batch,) int64 in 0 .. num_classes - 1, or None if the network is unconditional.

        Returns:
            (batch, *shape) in [0, 1].
        """

    @property
    def input_features(self) -> int:
        """Length of a latent with its one-hot class behind it."""
        return self.latent_dim + self.num_classes

    def joined(self, latent: Tensor, label: Tensor | None, label_gain: float = 1.0) -> Tensor:
        """Join the latent with its one-hot class, times ``label_gain``, behind it: (batch, input_features)."""
        if latent.shape[-1] != self.latent_dim:
            raise InputError(
                f"latent: length {latent.shape[-1]}, but this generator takes {self.latent_dim}; draw that many numbers"
            )
        encoded = encoded_label(label, self.num_classes, latent.dtype)
        return latent if encoded is None else torch.cat([latent, label_gain * encoded], dim=-1)


class AbstractCritic(nn.Module, abc.ABC):
    """A network that scores samples without bound: (sample, label) -> score.

    **Guarantee.** Scoring changes no parameter, no buffer and no random stream, in training mode too.

    Args:
        shape: of its input, a sample or a public view of one.
        num_classes: number of classes, 0 for an unconditional network.
    """

    def __init__(self, *, shape: Shape, num_classes: int) -> None:
        super().__init__()
        self.shape = checked_shape(shape)
        self.num_classes = checked_num_classes(num_classes)

    @abc.abstractmethod
    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Score samples.

        Args:
            sample: (batch, *shape).
            label: (batch,) int64 in 0 .. num_classes - 1, or None if the network is unconditional.

        Returns:
            (batch,) scores. A higher score means more like the real samples that the critic has seen.
        """


class AbstractSlopedCritic(AbstractCritic):
    """A critic that is linear in the sample but for kinks, and that writes its slope out.

    A gradient penalty needs the gradient of a slope by the weights. Autograd takes it as a second derivative of the
    score. Here the slope is an expression of its own, a pass from the last layer to the first. The signs at the kinks
    have no derivative, so one derivative of this expression is the whole of it.
    """

    @abc.abstractmethod
    def slope(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Compute the gradient of each score by its own sample, differentiable by the weights.

        Args:
            sample: (batch, *shape). No gradient flows back to it.
            label: as for `forward`.

        Returns:
            (batch, *shape).
        """

    def scores_and_slope(
        self, sample: Tensor, label: Tensor | None, between: Tensor, its_label: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Compute the scores of samples, and the slope at others. A critic may share work between the two.

        Args:
            sample: as for `forward`.
            label: as for `forward`.
            between: as for `slope`.
            its_label: its classes.
        """
        return self(sample, label), self.slope(between, its_label)


def encoded_label(label: Tensor | None, num_classes: int, dtype: torch.dtype) -> Tensor | None:
    """Return one-hot rows (batch, num_classes), or None for an unconditional network.

    The label is compared instead of scattered, so that the function runs under `torch.func.vmap` and never waits for a
    GPU. A label out of range therefore gives a row of zeros and no error. Labels are checked where data come in.

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
    """Build a dense layer, weights uniform with standard deviation gain / sqrt(in_features), bias zero.

    With gain sqrt(2) before a ReLU the scale of the signal is kept (He, Zhang, Ren, Sun 2015).
    """
    return initialised(nn.Linear(in_features, out_features, device="meta"), gain / math.sqrt(in_features), rng)


def convolution(
    kind: type[nn.Conv1d | nn.Conv2d],
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    gain: float,
    rng: torch.Generator,
) -> nn.Conv1d | nn.Conv2d:
    """Build a convolution that keeps the size at stride 1, initialised as `linear` is.

    Args:
        kind: of images or of series.
        in_channels: channels of an input.
        out_channels: channels of an output.
        kernel_size: side of the kernel, an odd number.
        stride: distance between two positions of the kernel.
        gain: scale, for example the root of 2 before a ReLU.
        rng: the stream of initial weights.
    """
    layer = kind(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, device="meta")
    return initialised(layer, gain / math.sqrt(layer.weight[0].numel()), rng)


def initialised(layer: Layer, deviation: float, rng: torch.Generator) -> Layer:
    """Give a layer on the device "meta" its memory, uniform weights of this deviation, and biases (vectors) of zero."""
    bound = deviation * math.sqrt(3.0)
    for name, shape in [(name, one.shape) for name, one in layer.named_parameters()]:
        # Not by `to_empty`, which imports all of sympy to compute nothing but this shape.
        parameter = nn.Parameter(torch.empty(shape, device="cpu"))
        if parameter.dim() == 1:
            nn.init.zeros_(parameter)
        else:
            nn.init.uniform_(parameter, -bound, bound, generator=rng)
        setattr(layer, name, parameter)
    return layer


def channel_norm(features: Tensor) -> Tensor:
    """Compute features / sqrt(mean over channels of features^2 + 1e-8), at each place, (batch, channels, *sides).

    References:
        Karras, Aila, Laine, Lehtinen 2018, "Progressive growing of GANs", section 4.2, there for pixels.
    """
    # Not by `mean`, which gives the same bits and whose gradient takes four times as long where channels lie last.
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) / features.shape[1] + 1e-8)


def transposed_product(x: Tensor, weight: Tensor, sides: Shape, *, stride: int = 1, padding: int = 0) -> Tensor:
    """Compute a transposed convolution of images as one product of matrices. Its columns are then added at places.

    To few channels it takes a third of the time or less: a CPU's own kernels compute sixteen of them at least.

    Args:
        x: (batch, in_channels, height, width).
        weight: (in_channels, out_channels, *kernel).
        sides: of the result.
        stride: pixels of the result between two positions of the kernel.
        padding: pixels left out on every side of it.

    Returns:
        (batch, out_channels, *sides), the sums in float32 or better.
    """
    columns = weight.flatten(start_dim=1).T @ x.flatten(start_dim=2)
    exact = torch.promote_types(columns.dtype, torch.float32)
    return F.fold(columns.to(exact), sides, weight.shape[2:], stride=stride, padding=padding)


def resized(features: Tensor, size: Shape) -> Tensor:
    """Stretch features (batch, channels, *sides) to other sides, linear between samples or pixels."""
    mode = "linear" if features.dim() == 3 else "bilinear"
    return F.interpolate(features, size=list(size), mode=mode, align_corners=False)
