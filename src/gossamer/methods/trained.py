"""The only object that leaves a training: a generator, its public recipe, and its privacy statement."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.verdict import Verdict
from gossamer.nn.choices import GeneratorConfig
from gossamer.nn.choosing import AbstractChoosingGenerator
from gossamer.nn.latents import Latent
from gossamer.nn.spectral_norm import advance
from gossamer.privacy.statement import PrivacyStatement

BATCH = 500
MAX_BATCH_VALUES = 2**24
"""Most values of a batch of samples or latents that is drawn at once. 500 samples of 33,554 values have as many."""
PIECE_VALUES = 2**22
"""Values of a piece, of which many samples are written one after the other: 16 MiB as float32. A batch at least."""
_ROUNDING = 1e-5

Spec = ImageSpec | SeriesSpec
"""Specifications of samples. A file tells them apart by their type's name."""


@dataclass(frozen=True, kw_only=True)
class GeneratorRecipe:
    """All that is needed, beside the weights, to build a generator again. Public.

    Attributes:
        network: architecture.
        latent: law of its input.
        spec: shape and classes of its samples.
        class_shares: shares of the classes among the records, as released under noise. Empty if a method releases none.
        verdict: on the worth of the samples. None if the method gives none, and in files of earlier versions.
    """

    network: GeneratorConfig
    latent: Latent
    spec: Spec
    class_shares: tuple[float, ...] = ()
    verdict: Verdict | None = None

    def __post_init__(self) -> None:
        shares = self.class_shares
        if shares and not (len(shares) == self.spec.num_classes and min(shares) >= 0 and abs(sum(shares) - 1) < 1e-6):
            raise InputError("class_shares must be a share of at least 0 for every class, together 1, or be left out")

    @classmethod
    def of(
        cls, spec: AbstractSpec, *, network: GeneratorConfig, latent: Latent, noisy_counts: Tensor | None = None
    ) -> GeneratorRecipe:
        """Return the recipe of a network for records of a specification.

        Args:
            spec: of the records.
            network: architecture.
            latent: law of its input.
            noisy_counts: released counts of classes, (classes,). None for a method that releases none.

        Raises:
            InputError: a specification that a file could not hold.
        """
        if not isinstance(spec, ImageSpec | SeriesSpec):
            raise InputError(
                f"{type(spec).__name__} cannot be written to a file: hand over an ImageSpec or a SeriesSpec"
            )
        shares: tuple[float, ...] = ()
        if noisy_counts is not None and spec.num_classes:
            # Privacy: counts are released sums, noise included. A count that noise made negative becomes 0.
            kept = noisy_counts.double().clamp_min(0) + 1e-9
            shares = tuple((kept / kept.sum()).tolist())
        return cls(network=network, latent=latent, spec=spec, class_shares=shares)

    def build(self, rng: torch.Generator) -> nn.Module:
        """Build a fresh network with weights drawn from ``rng``."""
        return self.network.build(self.spec.shape, self.spec.num_classes, self.latent.dim, rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedGenerator:
    """A released generator. It holds no critic, no optimiser, no record and no path to any of them.

    Guarantee: its weights were computed from released vectors and public randomness alone. `statement` has the price.
    Samples are post-processing and cost nothing more.
    """

    recipe: GeneratorRecipe
    weights: dict[str, Tensor]
    statement: PrivacyStatement

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the worth of the samples, None if there is none. It was released with the generator."""
        return self.recipe.verdict

    def check_finite(self) -> None:
        """Refuse weights that are no numbers, which a training that diverged leaves.

        Raises:
            InputError: a weight is no number.
        """
        if not all(bool(weight.isfinite().all()) for weight in self.weights.values()):
            raise InputError(
                "the training diverged: a weight of the generator is no number; train anew with a smaller "
                "learning rate (its epsilon adds to this one's)"
            )

    def sample(self, num_samples: int, *, labels: Tensor | None = None, seed: int = 0) -> tuple[Tensor, Tensor | None]:
        """Draw synthetic records.

        Args:
            num_samples: number of samples, >= 1.
            labels: int64 (num_samples,), or None for classes in turn: as balanced as the number allows.
            seed: the same seed gives the same samples.

        Returns:
            Records float32 (num_samples, *recipe.spec.shape) in [0, 1], and labels int64 (num_samples,), None for a
            generator without classes.

        Raises:
            InputError: a number below 1, labels of another length or outside the classes, or damaged weights.
        """
        pieces = self.pieces(num_samples, labels=labels, seed=seed)
        records = torch.empty(num_samples, *self.recipe.spec.shape)
        first = 0
        for piece in pieces:
            records[first : first + len(piece)] = piece
            first += len(piece)
        return records, self.drawn_labels(num_samples, labels)

    def pieces(self, num_samples: int, *, labels: Tensor | None = None, seed: int = 0) -> Iterator[Tensor]:
        """Draw the records of `sample` piece by piece, so that any number of them needs the memory of one piece.

        Args:
            num_samples: as for `sample`, and so are the others.
            labels: as for `sample`.
            seed: as for `sample`.

        Returns:
            An iterator of records float32 (some, *recipe.spec.shape) in [0, 1], together ``num_samples``. A value that
            is no number raises `InputError` with its piece.

        Raises:
            InputError: as `sample`.
        """
        labels = self.drawn_labels(num_samples, labels)
        network = self.network()
        batches = (network(*inputs) for inputs in self._batches(network, num_samples, labels, seed))
        return (self._checked(piece) for piece in self._gathered(batches))

    def _checked(self, records: Tensor) -> Tensor:
        low, high = torch.aminmax(records)
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # a NaN makes both comparisons false
            raise InputError(
                "this generator draws values that are no numbers in [0, 1]: its weights are damaged; fetch the file "
                "again"
            )
        return self.recipe.spec.as_written(records)

    def _gathered(self, batches: Iterator[Tensor]) -> Iterator[Tensor]:
        """Yield batches together, a piece at a time."""
        num = max(1, PIECE_VALUES // (self._batch * math.prod(self.recipe.spec.shape)))
        while gathered := list(islice(batches, num)):
            yield torch.cat(gathered)

    def probabilities(self, num_samples: int, *, labels: Tensor | None = None, seed: int = 0) -> Tensor:
        """Return soft labels of the samples that `sample` draws with the same arguments.

        They are the probabilities that the classifier of the release gives to each class, under the shares of classes
        that it learnt.

        Args:
            num_samples: as for `sample`, and so are the others.
            labels: as for `sample`.
            seed: as for `sample`.

        Returns:
            float32 (num_samples, num_classes).

        Raises:
            InputError: as `sample`, or a generator of a method that names no samples.
        """
        return torch.cat(list(self.probability_pieces(num_samples, labels=labels, seed=seed)))

    def probability_pieces(self, num_samples: int, *, labels: Tensor | None = None, seed: int = 0) -> Iterator[Tensor]:
        """Return the soft labels of `probabilities` piece by piece, each for a piece of `pieces`.

        Raises:
            InputError: as `probabilities`.
        """
        network = self.network()
        if not isinstance(network, AbstractChoosingGenerator):
            raise InputError("this generator has no teacher, so its samples have no soft labels: leave them out")
        inputs = self._batches(network, num_samples, self.drawn_labels(num_samples, labels), seed)
        return self._gathered(network.probabilities(latent, label) for latent, label in inputs if label is not None)

    def uneven_labels(self, num_samples: int, *, evenness: float = 0.5, seed: int = 0) -> Tensor:
        r"""Draw classes in the released shares p, or between those and equal shares: in numbers as :math:`p^{1 - e}`.

        Suppose that one class outnumbers another a hundred times. Records of the rare class teach a classifier nothing
        if they are as rare among the samples, and too much if they are as frequent. Between the two a classifier learns
        both.

        Args:
            num_samples: number of samples, >= 1.
            evenness: e from 0, the released shares, to 1, equal shares.
            seed: of their order.

        Returns:
            int64 (num_samples,).

        Raises:
            InputError: a number out of range, or a generator of a method that released no shares.
        """
        if num_samples < 1:
            raise InputError(f"num_samples must be at least 1, got {num_samples}")
        if not 0 <= evenness <= 1:
            raise InputError(f"evenness must lie between 0 and 1, got {evenness}")
        if not self.recipe.class_shares:
            raise InputError("this generator was released without shares of classes: draw its classes in turn")
        weights = torch.tensor(self.recipe.class_shares, dtype=torch.float64) ** (1 - evenness)
        ends = (num_samples * weights.cumsum(0) / weights.sum()).round()
        labels = torch.searchsorted(ends, torch.arange(num_samples, dtype=torch.float64), right=True)
        return labels[torch.randperm(num_samples, generator=public_stream(seed, "labels"))]

    def network(self) -> nn.Module:
        """Return the generator as a module in evaluation mode, without gradients."""
        network = self.recipe.build(torch.Generator().manual_seed(0))
        network.load_state_dict(self.weights)
        # The moving average of unit vectors is a little short of unit length, so spectral norms need them renewed.
        advance(network, num_iterations=10)
        return network.requires_grad_(False).eval()

    @property
    def _batch(self) -> int:
        """Number of samples that are drawn at once. The samples of a seed depend on it."""
        largest = max(self.recipe.latent.dim, math.prod(self.recipe.spec.shape))
        return max(1, min(BATCH, MAX_BATCH_VALUES // largest))

    def _batches(
        self, network: nn.Module, num_samples: int, labels: Tensor | None, seed: int
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield latents and labels to call the network with."""
        rng = public_stream(seed, "samples")
        for start in range(0, num_samples, self._batch):
            size = min(self._batch, num_samples - start)
            label = None if labels is None else labels[start : start + size]
            if isinstance(network, AbstractChoosingGenerator) and label is not None:
                yield network.chosen(label, lambda num: self.recipe.latent.draw(num, rng), rng)
            else:
                yield self.recipe.latent.draw(size, rng), label

    def drawn_labels(self, num_samples: int, labels: Tensor | None) -> Tensor | None:
        """Return the labels of the samples that `sample` draws, int64 (num_samples,), None without classes.

        Args:
            num_samples: as for `sample`.
            labels: as for `sample`.

        Raises:
            InputError: as `sample`.
        """
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
