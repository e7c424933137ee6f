"""The public settings of networks, without torch: their interface, their checks, and parts that several share."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.errors import InputError

if TYPE_CHECKING:
    import torch

    from gossamer.nn.network import AbstractCritic, AbstractGenerator


Shape = tuple[int, ...]
"""Shape of a sample: (channels, height, width) of an image, (channels, length) of a series."""


class AbstractGeneratorConfig(abc.ABC):
    """The public settings of a generator, without the shape of its data."""

    @abc.abstractmethod
    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> AbstractGenerator:
        """Build a new generator.

        Args:
            shape: of a sample, (channels, height, width) or (channels, length).
            num_classes: number of classes, 0 for an unconditional network.
            latent_dim: length of a latent.
            rng: the stream of initial weights (on the CPU). No other randomness is used.

        Raises:
            InputError: if a number is out of range.
        """


class AbstractCriticConfig(abc.ABC):
    """The public settings of a critic, without the shape of its data."""

    @abc.abstractmethod
    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> AbstractCritic:
        """Build a new critic.

        Args:
            shape: of the critic's input: a sample, or a smaller view of it.
            num_classes: number of classes, 0 for an unconditional network.
            rng: the stream of initial weights (on the CPU). No other randomness is used.

        Raises:
            InputError: if a number is out of range.
        """


def checked_shape(shape: Shape) -> Shape:
    """Return the shape of a sample or of a view of one as a tuple of ints, or raise an InputError."""
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise InputError(
            f"shape: {tuple(shape)} must be (channels, height, width) or (channels, length), each at least 1"
        )
    return tuple(shape)


def checked_num_classes(num_classes: int) -> int:
    """Return the number of classes, or raise an InputError if it is negative."""
    if num_classes < 0:
        raise InputError(f"num_classes: {num_classes} is negative; use 0 for data without labels")
    return num_classes


def checked_count(name: str, count: int) -> int:
    """Return a count of at least 1, or raise an InputError that names it."""
    if count < 1:
        raise InputError(f"{name}: {count} must be at least 1")
    return count


def checked_sizes(name: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes of at least one layer of at least one unit, or raise an InputError that names the parameter."""
    if not sizes:
        raise InputError(f"{name}: at least one layer is needed")
    return tuple(checked_count(name, size) for size in sizes)


def check_positive(settings: object, *names: str) -> None:
    """Refuse a setting that is no finite number above 0, with an InputError that names it."""
    for name in names:
        if not 0 < getattr(settings, name) < math.inf:
            raise InputError(f"{name} must be a positive number, got {getattr(settings, name)}")


def check_fractions(settings: object, *names: str) -> None:
    """Refuse a setting outside [0, 1), with an InputError that names it."""
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            raise InputError(f"{name} must lie between 0 and 1, got {getattr(settings, name)}")


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Settings of the Adam optimiser (Kingma and Ba 2015, algorithm 1)."""

    learning_rate: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.9
    stabiliser: float = 1e-8

    def __post_init__(self) -> None:
        check_positive(self, "learning_rate")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise InputError(f"beta1 and beta2 must lie between 0 and 1, got {self.beta1} and {self.beta2}")
        check_positive(self, "stabiliser")


@dataclass(frozen=True, kw_only=True)
class AbstractTableGeneratorConfig(AbstractGeneratorConfig):
    """Settings that all generators with a table have.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
        smoothness: frequency at which the weight of a function has fallen to a half.
        gain: scale of the network's addition to the table, in units of the coefficients.
        num_styles: rows of the class table for each class. The first latent chooses among them.
        table_gain: scale of the class table. Under Adam it sets how much faster the table learns than the network.
        label_gain: value of the hot entry in the network's input.
        brightness: logit of a sample with all coefficients 0.
    """

    hidden_sizes: tuple[int, ...] = (256, 256)
    smoothness: float = 4.0
    gain: float = 20.0
    num_styles: int = 1
    table_gain: float = 60.0
    label_gain: float = 3.0
    brightness: float = -2.0

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)
        checked_count("num_styles", self.num_styles)
        for name in ("smoothness", "gain"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class AbstractMERFGeneratorConfig(AbstractGeneratorConfig):
    """Settings of a generator of DP-MERF.

    Args:
        hidden_size: units of the first dense layer.
        width: channels of the small drawing that the second dense layer makes. The first doubling leaves half as many.
    """

    hidden_size: int = 200
    width: int = 16

    def __post_init__(self) -> None:
        checked_count("hidden_size", self.hidden_size)
        checked_count("width", self.width)
