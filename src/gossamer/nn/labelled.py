"""A mixture generator with a teacher beside it, which names the drawings and classifies records."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from gossamer.nn.choosing import AbstractChoosingGenerator, DrawLatents
from gossamer.nn.classifying import AbstractClassifyingGenerator
from gossamer.nn.densities import MixtureDensities
from gossamer.nn.labelled_settings import LabelledGeneratorConfig
from gossamer.nn.network import AbstractGenerator
from gossamer.nn.settings import Shape
from gossamer.nn.teacher import Teacher

_ROUNDS: Final = 8
"""Rounds of draws, each of twice as many for a sample as the one before: 510 draws for a sample at most."""
_MOST_AT_ONCE: Final = 20_000
_LEAST_SHARE: Final = 1e-6


class LabelledGenerator(AbstractGenerator, AbstractClassifyingGenerator, AbstractChoosingGenerator):
    r"""A mixture that draws, and a teacher that names the drawings by their places in its subspace.

    Let z be the place of a record or drawing, and p the released shares of classes. In standard form, u, the place is
    taken less the mean of the whole mixture, over its standard deviation in each direction. It is shrunk to the reach
    times :math:`\sqrt d` if it is longer. The teacher's probabilities of classes are

    .. math:: P(y \mid z) \propto p_y \exp\bigl(a \log p(z \mid y) + \mathrm{MLP}_y(u)\bigr),

    with the temper a and the mixture's densities (`MixtureDensities`).

    Drawings are of the whole mixture, its classes in the released shares. A sample of class c is one that the teacher
    finds most likely to be of c. So the law of samples of a class is :math:`p(x \mid c)` of the pair of mixture and
    teacher, with any other classes beside it. At most 510 drawings are made for a sample. Samples that are left then
    are drawn from the Gaussians of c, as a mixture without a teacher draws them.

    Args:
        config: settings.
        shape: of a sample.
        num_classes: at least 2.
        latent_dim: that of the mixture.
        rng: the stream of the teacher's initial weights.
    """

    class_shares: Tensor

    def __init__(
        self,
        config: LabelledGeneratorConfig,
        *,
        shape: Shape,
        num_classes: int,
        latent_dim: int,
        rng: torch.Generator,
    ) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=latent_dim)
        self._teacher_config, self._features = config.teacher, config.mixture.features
        self.mixture = config.mixture.build(shape, num_classes, latent_dim, rng)
        dim = config.mixture.num_kept(self.shape)
        self.teacher = Teacher(config.teacher, dim=dim, num_classes=num_classes, rng=rng)
        self.register_buffer("class_shares", torch.full((num_classes,), 1 / num_classes))

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw samples of the Gaussians of a class. See `AbstractGenerator.forward`."""
        return self.mixture(latent, label)

    # ---- the teacher ------------------------------------------------------------------------------------------------

    def inputs_of(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the teacher's inputs for records with features (batch, features), each from its own row alone.

        Returns:
            Places in standard form, float32 (batch, dim), and logits of the mixture, float32 (batch, num_classes).
        """
        densities = self._densities()
        return self._inputs(densities, densities.places(features))

    def looks(self, samples: Tensor) -> Iterator[Tensor]:
        """Yield the looks of the mixture. See `AbstractClassifyingGenerator.looks`."""
        return self.mixture.looks(samples)

    def log_likelihoods(self, samples: Tensor, class_shares: Tensor) -> Tensor:
        """Return the teacher's logits less the logarithms of the shares that it learnt under.

        See `AbstractClassifyingGenerator.log_likelihoods`.
        """
        return self.teacher(*self.inputs_of(self._features(samples))).double() - self._log_shares()

    def _densities(self) -> MixtureDensities:
        return self.mixture.densities(self.class_shares.double())

    def _inputs(self, densities: MixtureDensities, places: Tensor) -> tuple[Tensor, Tensor]:
        middle, deviations = self._standard()
        standard = (places - middle) / deviations
        longest = self._teacher_config.reach * math.sqrt(len(middle))
        # Privacy: norms of rows, each by itself.
        norms = standard.square().sum(dim=1, keepdim=True).sqrt()
        standard = standard * (longest / norms.clamp_min(1e-12)).clamp_max(1.0)
        base = self._teacher_config.temper * densities.of_places(places) + self._log_shares()
        return standard.float(), base.float()

    def _standard(self) -> tuple[Tensor, Tensor]:
        """Return the mean of the whole mixture and its standard deviation in each direction, float64 (dim,)."""
        mixture = self.mixture
        shares = mixture.shares.double() / mixture.shares.double().sum(dim=1, keepdim=True)
        weights = (self._shares()[:, None] * shares)[..., None]
        centres = mixture.centres.double()
        middle = (weights * centres).sum(dim=(0, 1))
        within = mixture.factors.double().square().sum(dim=-1)
        variances = (weights * ((centres - middle).square() + within)).sum(dim=(0, 1))
        least = self._teacher_config.least_spread * variances.mean()
        return middle, variances.clamp_min(float(least)).clamp_min(1e-12).sqrt()

    def _shares(self) -> Tensor:
        shares = self.class_shares.double().clamp_min(_LEAST_SHARE)
        return shares / shares.sum()

    def _log_shares(self) -> Tensor:
        return self._shares().log()

    # ---- drawing ----------------------------------------------------------------------------------------------------

    def probabilities(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return the teacher's probabilities for drawings. See `AbstractChoosingGenerator.probabilities`."""
        return self._logits(self._densities(), latent, label).softmax(dim=1)

    def chosen(self, labels: Tensor, draw: DrawLatents, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Choose drawings that the teacher names as asked. See `AbstractChoosingGenerator.chosen`.

        Drawings are made in rounds, and each sample takes the next one with its name.
        """
        densities, shares = self._densities(), self._shares()
        latents, sources = draw(len(labels)), labels.clone()
        left = torch.arange(len(labels))
        for number in range(_ROUNDS):
            num = min(_MOST_AT_ONCE, len(left) << (number + 1))
            drawn, source = draw(num), torch.multinomial(shares, num, replacement=True, generator=rng)
            named = self._logits(densities, drawn, source).argmax(dim=1)
            taken, used = _matched(labels[left], named, self.num_classes)
            latents[left[taken]], sources[left[taken]] = drawn[used], source[used]
            is_left = torch.ones(len(left), dtype=torch.bool)
            is_left[taken] = False
            left = left[is_left]
            if len(left) == 0:
                break
        return latents, sources

    def _logits(self, densities: MixtureDensities, latent: Tensor, label: Tensor) -> Tensor:
        return self.teacher(*self._inputs(densities, self.mixture.drawn_places(latent, label).double()))


def _matched(asked: Tensor, named: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Pair those who ask for a class with drawings of that name, both in their order.

    Returns:
        Places of the pairs among the asked, and among the drawings, int64 (pairs,) both.
    """
    pairs = []
    for group in range(num_classes):
        askers, drawings = (asked == group).nonzero()[:, 0], (named == group).nonzero()[:, 0]
        num = min(len(askers), len(drawings))
        pairs.append((askers[:num], drawings[:num]))
    taken, used = zip(*pairs, strict=True)
    return torch.cat(taken), torch.cat(used)
