"""The interface of a generator that chooses its inputs for the classes that it is asked for, and of soft labels."""

from __future__ import annotations

import abc
from collections.abc import Callable

import torch
from torch import Tensor

DrawLatents = Callable[[int], Tensor]
"""(number) -> latents float32 (number, latent_dim), from the generator's law and a public stream."""


class AbstractChoosingGenerator(abc.ABC):
    """A generator with a classifier of its own, which names every sample. It stands beside its base class.

    A sample of a class is a drawing that the classifier calls so. Inputs are therefore chosen, and not only drawn.
    """

    @abc.abstractmethod
    def chosen(self, labels: Tensor, draw: DrawLatents, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Choose the inputs of samples that the classifier names as asked.

        Args:
            labels: int64 (batch,), the classes that are asked for.
            draw: draws latents.
            rng: public stream of all other choices.

        Returns:
            Latents (batch, latent_dim) and labels int64 (batch,), to call the generator with.
        """

    @abc.abstractmethod
    def probabilities(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return the classifier's probabilities of all classes for each drawing, float32 (batch, num_classes).

        Args:
            latent: (batch, latent_dim).
            label: int64 (batch,), as the generator is called.
        """
