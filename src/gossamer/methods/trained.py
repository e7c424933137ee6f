"""The only object that leaves a training: a generator, what it was told in public, and its privacy statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.mechanisms.sampling import public_stream
from gossamer.nn.choices import GeneratorConfig
from gossamer.nn.latents import Latent
from gossamer.nn.spectral_norm import advance
from gossamer.privacy.statement import PrivacyStatement

BATCH = 500


@dataclass(frozen=True, kw_only=True)
class GeneratorRecipe:
    """All that is needed, beside the weights, to build a generator again. Public.

    Attributes:
        network: architecture.
        latent: law of its input.
        spec: shape and classes of what it makes.
    """

    network: GeneratorConfig
    latent: Latent
    spec: ImageSpec

    def build(self, rng: torch.Generator) -> nn.Module:
        """A fresh network with weights drawn from ``rng``."""
        return self.network.build(self.spec.shape, self.spec.num_classes, self.latent.dim, rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedGenerator:
    """A released generator. It holds no critic, no optimiser, no record and no path to any of them.

    Guarantee: its weights were computed from sanitized gradients and public randomness alone; `statement` says at what
    price. Samples are post-processing and cost nothing more.
    """

    recipe: GeneratorRecipe
    weights: dict[str, Tensor]
    statement: PrivacyStatement

    def sample(self, num_samples: int, *, labels: Tensor | None = None, seed: int = 0) -> tuple[Tensor, Tensor | None]:
        """Draw synthetic images.

        Args:
            num_samples: how many, >= 1.
            labels: int64 (num_samples,), or None for classes in turn: as balanced as the number allows.
            seed: the same seed gives the same samples.

        Returns:
            Images float32 (num_samples, channels, height, width) in [0, 1], and labels int64 (num_samples,), None for a
            generator without classes.

        Raises:
            InputError: a number below 1, or labels of another length or outside the classes.
        """
        labels = self._labels(num_samples, labels)
        network = self.network()
        parts = [network(latent, label) for latent, label in self._batches(num_samples, labels, seed)]
        return torch.cat(parts), labels

    def network(self) -> nn.Module:
        """The generator as a module in evaluation mode, without gradients."""
        network = self.recipe.build(torch.Generator().manual_seed(0))
        network.load_state_dict(self.weights)
        # The moving average of unit vectors is a little short of unit length: spectral norms want them renewed.
        advance(network, num_iterations=10)
        return network.requires_grad_(False).eval()

    def _batches(self, num_samples: int, labels: Tensor | None, seed: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        rng = public_stream(seed, "samples")
        for start in range(0, num_samples, BATCH):
            size = min(BATCH, num_samples - start)
            yield self.recipe.latent.draw(size, rng), None if labels is None else labels[start : start + size]

    def _labels(self, num_samples: int, labels: Tensor | None) -> Tensor | None:
        num_classes = self.recipe.spec.num_classes
        if num_samples < 1:
            raise InputError(f"num_samples must be at least 1, got {num_samples}")
        if num_classes == 0:
            if labels is not None:
                raise InputError("this generator has no classes: leave labels out")
            return None
        if labels is None:
            return torch.arange(num_samples) % num_classes
        if labels.shape != (num_samples,):
            raise InputError(f"labels must be {num_samples} whole numbers, got shape {tuple(labels.shape)}")
        if labels.min() < 0 or labels.max() >= num_classes:
            raise InputError(f"labels must lie between 0 and {num_classes - 1}, the classes of this generator")
        return labels.long()
