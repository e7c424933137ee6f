"""The public side of GS-WGAN: a generator that knows settings, public randomness and released vectors alone."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError
from gossamer.mechanisms.crew import ALONE, AbstractCrew, Order, Task
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
_POOL_PIECES: Final = 3
"""Pieces of a step's pool on a CPU. With the samples of the step they are four, for two processes or four."""


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
        crew: the processes that draw pools together. The first holds the generator.
    """

    def __init__(
        self,
        config: GSWGANConfig,
        spec: AbstractSpec,
        device: torch.device,
        precision: torch.dtype,
        start: PublicStart = FRESH,
        crew: AbstractCrew = ALONE,
    ) -> None:
        recipe = GeneratorRecipe.of(spec, network=config.generator, latent=config.latent)
        super().__init__(recipe, config.generator_adam, config.seed, device, start)
        self._config, self._crew = config, crew
        self._precision = precision

    def pool(self, view: View, step: int, times: int = 1) -> Tensor:
        """Draw samples without gradients in the view, (classes, times pool_per_class, *shape)."""
        per_class = times * self._config.pool_per_class
        shape, classes = self.recipe.spec.shape, max(self.recipe.spec.num_classes, 1)
        if not per_class:
            return torch.empty(classes, 0, *view.shape(shape), device=self._device)
        latent, labels = self.inputs_by_class("pool", per_class, step)
        return view.apply(self._drawn(latent, labels)).unflatten(0, (classes, per_class))

    def pool_and_samples(self, stage: int, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Draw the pool of a step in the view of its stage, by all processes, and the samples of the step.

        The pool is drawn in pieces that depend on public sizes and the device alone, so any number of processes draws
        the same bits. The samples count as one piece more, the first, which falls to this process.

        Returns:
            As `pool` and `samples`.
        """
        weights = torch.cat([one.flatten() for one in self._numbers()])
        self._crew.order(Order(task=Task.DRAW, number=step, tensors=(torch.tensor(stage), weights)))
        part = self._part_of_pool(stage, step)
        samples, labels = self.samples(step)
        return self._crew.total(part), samples, labels

    def help(self, order: Order) -> None:
        """Draw this process's part of a pool from the weights of the first process."""
        stage, weights = order.tensors
        assert stage is not None
        assert weights is not None
        numbers = self._numbers()
        for own, sent in zip(numbers, weights.split([one.numel() for one in numbers]), strict=True):
            own.copy_(sent.view_as(own))
        self._crew.total(self._part_of_pool(int(stage), order.number))

    def _part_of_pool(self, stage: int, step: int) -> Tensor:
        """Return the pool of a step with zeros in the places that other processes draw."""
        view, per_class = self._config.stages[stage].view, self._config.pool_per_class
        latent, labels = self.inputs_by_class("pool", per_class, step)
        part = torch.zeros(len(latent), *view.shape(self.recipe.spec.shape), device=self._device)
        places = torch.arange(len(latent), device=self._device)
        pieces = places.tensor_split(_POOL_PIECES if self._device.type == "cpu" else 1)
        for piece in self._crew.share([places[:0], *pieces]):
            if len(piece):
                part[piece] = view.apply(self._drawn(latent[piece], None if labels is None else labels[piece]))
        return part.view(self._num_groups, per_class, *part.shape[1:])

    def _numbers(self) -> list[Tensor]:
        """Return the tensors in use of the network but its counters, which no result depends on."""
        return [one for one in self.network.state_dict().values() if one.is_floating_point()]

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
