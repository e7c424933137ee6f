"""Laws of the generator's input: a normal one, and the published Bernoulli and uniform codes."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class AbstractLatent(abc.ABC):
    """A public law on vectors.

    Attributes:
        dim: number of coordinates, >= 1.
    """

    dim: int

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise InputError(f"latent dim must be at least 1, got {self.dim}")

    @abc.abstractmethod
    def draw(self, num_samples: int, rng: torch.Generator) -> Tensor:
        """Draw a float32 tensor (num_samples, dim)."""


@dataclass(frozen=True, kw_only=True)
class NormalLatent(AbstractLatent):
    """Independent standard normal coordinates."""

    dim: int = 10

    def draw(self, num_samples: int, rng: torch.Generator) -> Tensor:
        """Draw a float32 tensor (num_samples, dim)."""
        import torch

        return torch.randn(num_samples, self.dim, generator=rng)


@dataclass(frozen=True, kw_only=True)
class BernoulliLatent(AbstractLatent):
    """Independent fair coins, as published, with at most ``2^dim`` different images of a class."""

    dim: int = 10

    def draw(self, num_samples: int, rng: torch.Generator) -> Tensor:
        """Draw a float32 tensor (num_samples, dim) of zeros and ones."""
        import torch

        return torch.randint(0, 2, (num_samples, self.dim), generator=rng).float()


@dataclass(frozen=True, kw_only=True)
class UniformLatent(AbstractLatent):
    """Independent coordinates, uniform on [-1, 1): the input of DP-CGAN as published."""

    dim: int = 100

    def draw(self, num_samples: int, rng: torch.Generator) -> Tensor:
        """Draw a float32 tensor (num_samples, dim) in [-1, 1)."""
        import torch

        return 2 * torch.rand(num_samples, self.dim, generator=rng) - 1


Latent = NormalLatent | BernoulliLatent | UniformLatent
