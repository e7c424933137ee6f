"""The encoder: a small classifier of the real images. Scores are made of its features and class probabilities.

Frechet distance, precision, recall, density and coverage are computed in its last features, the inception score from
its class probabilities. It is not the Inception network: its numbers compare with each other, never with a published
FID.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from gossamer.errors import InputError
from gossamer.evaluation.classifiers import channels_last, equal_batches, updates
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.mechanisms.jobs import perform_parts

ENCODER_FORMAT: Final = 1
"""Part of every cache key and state: changes when equal settings no longer mean an equal encoder."""
MIN_SIDE: Final = 4
_ENCODING_BATCH_SIZE: Final = 500
_POOLED_SIDE: Final = 4


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """Settings of an encoder and its training. The default is one for MNIST, Fashion-MNIST and the 8x8 digits alike.

    Args:
        num_features: units of the last layer before the classes, the *encoder features*.
        width: channels of the first convolution. The second has twice, the third four times as many.
        num_epochs: passes over the images.
        min_updates: updates at least, for small sets.
        batch_size: images in an update, at most all of them.
        peak_learning_rate: of Adam, reached after three tenths of the updates. One cycle.
        max_shift: training images are shifted at random by up to this fraction of their sides, rounded to pixels.
        seed: of initial weights, batches and shifts.

    Raises:
        InputError: a number is out of range.
    """

    num_features: int = 64
    width: int = 16
    num_epochs: int = 5
    min_updates: int = 600
    batch_size: int = 128
    peak_learning_rate: float = 5e-3
    max_shift: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        least_of = {"num_features": 2, "width": 1, "num_epochs": 1, "min_updates": 1, "batch_size": 2}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} of the encoder must be at least {least}, not {getattr(self, name)}")
        if not (self.peak_learning_rate > 0 and math.isfinite(self.peak_learning_rate)):
            raise InputError(f"peak_learning_rate of the encoder must be positive, not {self.peak_learning_rate}")
        if not 0 <= self.max_shift < 0.5:
            raise InputError(f"max_shift of the encoder must be from 0 to below 0.5, not {self.max_shift}")

    def num_updates(self, num_images: int) -> int:
        """Count the updates in all for so many training images.

        >>> EncoderSettings(num_epochs=2, min_updates=10, batch_size=50).num_updates(1000)
        40
        """
        return max(self.min_updates, math.ceil(self.num_epochs * num_images / min(self.batch_size, num_images)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """Images as an encoder sees them.

    Attributes:
        features: float64 (num_images, num_features), the layer before the classes. Neither scaled nor centred.
        probabilities: float64 (num_images, num_classes), each row a law over the classes.
    """

    features: NDArray[np.float64]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """A trained encoder.

    A 5x5 convolution of stride 2 with batch norm and ReLU. Twice a 3x3 convolution with batch norm, 2x2 max pooling and
    ReLU. Average pooling to at most 4 x 4. A dense layer of `num_features`, batch norm, GELU: the features. A dense
    layer to the classes, softmax: the probabilities.

    Guarantee:
        None: it was trained on real images without noise. Keep it, and all that it says, as private as they are.

    Args:
        settings: how it was trained.
        image_shape: (channels, height, width).
        num_classes: at least 2.
        weights: parameters and the moments of batch norm, by name.

    Raises:
        InputError: the weights do not fit the rest, or are not finite.
    """

    settings: EncoderSettings
    image_shape: tuple[int, int, int]
    num_classes: int
    weights: dict[str, Tensor]

    def __post_init__(self) -> None:
        _check_shape(self.image_shape, self.num_classes)
        try:
            self._network()
        except RuntimeError:
            raise InputError("encoder: these weights are not those of its settings; train it again") from None
        if not all(bool(weight.isfinite().all()) for weight in self.weights.values()):
            raise InputError("encoder: its training diverged; train it again with a smaller peak_learning_rate")

    def encode(self, x: NDArray[np.floating], crew: AbstractCrew = ALONE) -> Encoded:
        """Features and class probabilities of images, each independent of the others.

        Args:
            x: (num_images, *image_shape) in [0, 1], as in training: nothing is scaled here.
            crew: the processes of this command, which share the images.

        Raises:
            InputError: images of another shape or type, or a value that is NaN or outside [0, 1].
        """
        _check_images(x, self.image_shape)
        parts = np.array_split(x, math.ceil(len(x) / _ENCODING_BATCH_SIZE))
        features = torch.from_numpy(np.concatenate(perform_parts(crew, _features_of, parts, self)))
        with torch.no_grad():
            probabilities = self._network().head(features).double().softmax(dim=1)
        return Encoded(features=features.double().numpy(), probabilities=probabilities.numpy())

    def state_tree(self) -> dict[str, Any]:
        """Return all but the weights, as plain JSON. With `weights` it is all that `from_state` needs."""
        return {
            "format": ENCODER_FORMAT,
            "settings": asdict(self.settings),
            "image_shape": list(self.image_shape),
            "num_classes": self.num_classes,
        }

    @classmethod
    def from_state(cls, weights: Mapping[str, Tensor], tree: Any) -> Encoder:
        """Return the encoder of which these are `weights` and `state_tree`.

        Raises:
            InputError: they are of no encoder, or of another version.
        """
        try:
            if tree["format"] != ENCODER_FORMAT:
                raise InputError("encoder: written by another version; train it again")
            channels, height, width = tree["image_shape"]
            return cls(
                settings=EncoderSettings(**tree["settings"]),
                image_shape=(channels, height, width),
                num_classes=tree["num_classes"],
                weights=dict(weights),
            )
        except (LookupError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"encoder: its state is not whole ({type(error).__name__}); train it again") from None

    def _network(self) -> _Network:
        network = _Network(self.settings, self.image_shape, self.num_classes)
        network.load_state_dict(self.weights)
        return network.eval()


class EncoderTraining:
    """A training that the caller drives: iterate over it, and take the encoder at the end.

    Cross-entropy of randomly shifted images, Adam, learning rate up and down again in one cycle. Equal inputs give
    equal weights on one machine with one number of threads.

    Guarantee:
        None: see `Encoder`.

    Args:
        x: (num_images, channels, height, width) in [0, 1], sides at least 4, at least two images.
        y: (num_images,) integers in 0 .. num_classes - 1. Some class may be absent, but not all but one.
        num_classes: at least 2.
        settings: see `EncoderSettings`.

    Raises:
        InputError: images or labels break a rule, naming the first one that does.
    """

    def __init__(
        self, x: NDArray[np.floating], y: NDArray[np.integer], num_classes: int, settings: EncoderSettings | None = None
    ) -> None:
        _check_images(x, x.shape[1:])
        image_shape = x.shape[1], x.shape[2], x.shape[3]
        _check_shape(image_shape, num_classes)
        _check_labels(y, len(x), num_classes)
        if len(np.unique(y)) < 2:
            raise InputError("encoder: all labels are of one class; a classifier needs at least two")
        self.settings = settings or EncoderSettings()
        self.num_updates = self.settings.num_updates(len(x))
        self._image_shape, self._num_classes = image_shape, num_classes
        self._images, self._targets = channels_last(x), torch.from_numpy(np.array(y, dtype=np.int64))
        self._rng = torch.Generator().manual_seed(self.settings.seed)
        self._network = _Network(self.settings, image_shape, num_classes)
        self._network.initialise(self._rng)

    def __iter__(self) -> Iterator[int]:
        """Do all updates. The number done is told after each."""
        self._network.train()

        def loss(batch: Tensor) -> Tensor:
            return F.cross_entropy(self._network(self._shifted(self._images[batch])), self._targets[batch])

        yield from updates(self._network, self._batches(), self.num_updates, loss, self.settings.peak_learning_rate)

    def encoder(self) -> Encoder:
        """Return the encoder as it is now. Take it when the iteration has ended.

        Raises:
            InputError: the training diverged.
        """
        return Encoder(
            settings=self.settings,
            image_shape=self._image_shape,
            num_classes=self._num_classes,
            weights={name: weight.detach().clone() for name, weight in self._network.state_dict().items()},
        )

    def _batches(self) -> Iterator[Tensor]:
        # Of one size: batch norm cannot do with a single image.
        return equal_batches(len(self._images), self.settings.batch_size, self.num_updates, self._rng)

    def _shifted(self, images: Tensor) -> Tensor:
        """Move each image on its own. The pixels that come in at an edge repeat the edge."""
        num_images, _, height, width = images.shape
        down, right = (round(side * self.settings.max_shift) for side in (height, width))
        if down == right == 0:
            return images
        padded = F.pad(images, (right, right, down, down), mode="replicate")
        rows = torch.randint(2 * down + 1, (num_images, 1), generator=self._rng) + torch.arange(height)
        columns = torch.randint(2 * right + 1, (num_images, 1), generator=self._rng) + torch.arange(width)
        moved = padded[torch.arange(num_images)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        # Indices beside a slice come first: (batch, height, width, channels), which is channels last already.
        return moved.permute(0, 3, 1, 2)


class _Network(nn.Module):
    def __init__(self, settings: EncoderSettings, image_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = image_shape
        first, second, third = (settings.width * factor for factor in (1, 2, 4))
        pooled = [min(_POOLED_SIDE, math.ceil(side / 8)) for side in (height, width)]
        self.features = nn.Sequential(
            # A stride in place of pooling: twice as fast, for 0.1 points of accuracy on MNIST.
            skip_init(nn.Conv2d, channels, first, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            *_pooled_block(first, second),
            *_pooled_block(second, third),
            nn.AdaptiveAvgPool2d((pooled[0], pooled[1])),
            nn.Flatten(),
            skip_init(nn.Linear, third * pooled[0] * pooled[1], settings.num_features, bias=False),
            nn.BatchNorm1d(settings.num_features),
            # Smooth and never flat, so that no feature dies: the distance of Frechet needs a covariance of full rank.
            nn.GELU(),
        )
        self.head = skip_init(nn.Linear, settings.num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def initialise(self, rng: torch.Generator) -> None:
        """Draw the weights of all layers anew from `rng`, by He's rule for rectifiers, and set biases to 0."""
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _features_of(parts: Sequence[NDArray[np.floating]], encoder: Encoder) -> list[NDArray[np.float32]]:
    network = encoder._network()
    with torch.no_grad():
        return [network.features(channels_last(part)).numpy() for part in parts]


def _pooled_block(num_in: int, num_out: int) -> list[nn.Module]:
    # Pooling before the rectifier: the same result for a quarter of its work. A side that is odd keeps its last row.
    return [
        skip_init(nn.Conv2d, num_in, num_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(num_out),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.ReLU(),
    ]


def _check_shape(image_shape: tuple[int, int, int], num_classes: int) -> None:
    if len(image_shape) != 3 or image_shape[0] < 1 or min(image_shape[1:]) < MIN_SIDE:
        raise InputError(f"encoder: images of shape {image_shape}; sides must be at least {MIN_SIDE} pixels")
    if num_classes < 2:
        raise InputError(f"encoder: {num_classes} classes; a classifier needs at least 2")


def _check_images(x: NDArray[np.floating], image_shape: tuple[int, ...]) -> None:
    if x.ndim != 4 or 0 in x.shape:
        raise InputError(f"encoder: images of shape {x.shape}; give at least one as (batch, channels, height, width)")
    if x.shape[1:] != image_shape:
        raise InputError(f"encoder: images of shape {x.shape[1:]}, but it was trained on {image_shape}; resize them")
    if not np.issubdtype(x.dtype, np.floating):
        raise InputError(f"encoder: images of type {x.dtype}; give floats in [0, 1] (divide uint8 by 255, once)")
    wrong = np.flatnonzero(~((x >= 0) & (x <= 1)).all(axis=(1, 2, 3)))
    if wrong.size:
        raise InputError(f"encoder: image {wrong[0]} has a value that is NaN or outside [0, 1]; mend or remove it")


def _check_labels(y: NDArray[np.integer], num_images: int, num_classes: int) -> None:
    if y.shape != (num_images,) or not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"encoder: labels of shape {y.shape} and type {y.dtype}; give an integer for each image")
    wrong = np.flatnonzero((y < 0) | (y >= num_classes))
    if wrong.size:
        raise InputError(f"encoder: label {wrong[0]} is outside 0 .. {num_classes - 1}; mend it or remove its image")
