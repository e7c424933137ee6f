"""The public side of GS-WGAN: a generator that knows settings, public randomness and released vectors alone."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError
from gossamer.methods.averaged import AveragedGenerator
from gossamer.methods.gs_wgan.centre import AbstractTwins
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.starting import FRESH, PublicStart
from gossamer.methods.trained import GeneratorRecipe
from gossamer.nn.devices import mixed_precision
from gossamer.nn.ensemble import Tensors
from gossamer.nn.spectral_norm import advance, settled
from gossamer.nn.views import View

_WIDE_NETWORK: Final = 2_000_000
"""Weights from which samples are drawn a few at a time on a CPU, so that features of a layer stay in its caches."""
_AT_ONCE: Final = 16


class PublicGenerator(AveragedGenerator):
    """The generator in training, and the moving average that is released.

    Guarantee: the generator is built from public settings, and changed by `improve` alone. If settings are public and
    `improve` gets only released vectors and public things, the generator has the privacy of the released vectors.

    Args:
        config: settings.
        spec: shape and classes of the images.
        device: to compute on.
        precision: of the network.
        start: public weights to begin with.
    """

    def __init__(
        self,
        config: GSWGANConfig,
        spec: AbstractSpec,
        device: torch.device,
        precision: torch.dtype,
        start: PublicStart = FRESH,
    ) -> None:
        recipe = GeneratorRecipe.of(spec, network=config.generator, latent=config.latent)
        super().__init__(recipe, config.generator_adam, config.seed, device, start)
        self._config = config
        self._precision = precision

    def pool(self, view: View, step: int, times: int = 1) -> Tensor:
        """Draw samples without gradients in the view, (classes, times pool_per_class, *shape)."""
        per_class = times * self._config.pool_per_class
        shape, classes = self.recipe.spec.shape, max(self.recipe.spec.num_classes, 1)
        if not per_class:
            return torch.empty(classes, 0, *view.shape(shape), device=self._device)
        latent, labels = self.inputs_by_class("pool", per_class, step)
        return view.apply(self._drawn(latent, labels)).unflatten(0, (classes, per_class))

    def _drawn(self, latent: Tensor, labels: Tensor | None) -> Tensor:
        """Draw samples without gradients, a few at a time if they are large: (num, *shape) in float32."""
        num_weights = sum(parameter.numel() for parameter in self.network.parameters())
        is_wide = self._device.type == "cpu" and num_weights >= _WIDE_NETWORK
        at_once = _AT_ONCE if is_wide else len(latent)
        places = torch.arange(len(latent), device=latent.device).split(at_once)
        with torch.no_grad(), mixed_precision(self._device, self._precision), settled(self.network):
            parts = [self.network(latent[few], None if labels is None else labels[few]).float() for few in places]
        return torch.cat(parts)

    def twins(self, num: int) -> Tensor:
        """Draw so many samples without gradients, with all classes in turn, from the same latents at every step.

        Returns:
            (num, *shape) in float32, not in a view.
        """
        return self._drawn(*self.inputs_in_turn("centre", num, 0))

    def samples(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Draw the samples that critics answer at a step, with gradients, and their classes: all in turn, public."""
        latent, labels = self.inputs_in_turn("samples", self._config.batch_size, step)
        advance(self.network)
        with mixed_precision(self._device, self._precision):
            images = self.network(latent, labels)
        return images.float(), labels

    def improve(self, looked: Tensor, direction: Tensor, step: int) -> None:
        """Update by ``theta <- Adam(theta, -1/B sum_i J_i^T g_i)``, g the direction, and then the moving average.

        Args:
            looked: the samples in the view, with gradients.
            direction: that each of them should move in, same shape, public.
            step: number of the step.
        """
        config = self._config
        self.optimiser.zero_grad()
        # A gradient that is handed to `backward` would make torch import its symbolic shapes, a second of the start.
        (looked * (-direction / config.batch_size)).sum().backward()
        self.update(math.pi * step / config.num_steps, config.final_learning_rate)
        self.move_average(config.moving_average, step + 1)


def travels(config: GSWGANConfig, spec: AbstractSpec) -> Tensors:
    """Return the generator before its first update, as it travels between sites.

    Raises:
        InputError: settings with twins, which would begin anew in each round.
    """
    if isinstance(config.centre, AbstractTwins):
        raise InputError("centre does not work between sites: take NoCentre")
    return PublicGenerator(config, spec, torch.device("cpu"), torch.float32).travelling()


def apart(looked: Tensor, labels: Tensor | None, pool: Tensor) -> Tensor:
    """Average unit vectors from other samples of the class to each sample: the gradient of their mean distance. Public.

    Args:
        looked: samples in the view, (B, *shape).
        labels: int64 (B,), or None.
        pool: (classes, p, *shape).
    """
    others = pool[torch.zeros(len(looked), dtype=torch.int64) if labels is None else labels][:, :8]
    away = looked[:, None] - others
    distance = away.flatten(start_dim=2).norm(dim=2).view(*away.shape[:2], *(1,) * (away.dim() - 2))
    return (away / (distance + 1e-3)).mean(dim=1)
