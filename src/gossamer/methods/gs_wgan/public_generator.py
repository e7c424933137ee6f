"""The public side of GS-WGAN: a generator that knows settings, public randomness and released vectors alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.trained import GeneratorRecipe
from gossamer.nn.precision import mixed_precision
from gossamer.nn.spectral_norm import advance
from gossamer.nn.views import View


class PublicGenerator:
    """The generator in training, and the moving average that is released.

    Guarantee: the generator is built from public settings, and changed by `improve` alone. If settings are public and
    `improve` gets only released vectors and public things, the generator has the privacy of the released vectors.

    Args:
        config: settings.
        spec: shape and classes of the images.
        device: to compute on.
        precision: of the network.
    """

    def __init__(self, config: GSWGANConfig, spec: AbstractSpec, device: torch.device, precision: torch.dtype) -> None:
        self._config = config
        self._device = device
        self._precision = precision
        self._num_classes = spec.num_classes
        self.recipe = GeneratorRecipe.of(spec, network=config.generator, latent=config.latent)
        self._network = self.recipe.build(public_stream(config.seed, "generator weights")).to(device)
        self._average = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}
        adam = config.generator_adam
        self._optimiser = torch.optim.Adam(
            self._network.parameters(), lr=adam.learning_rate, betas=(adam.beta1, adam.beta2), eps=adam.stabiliser
        )

    def pool(self, view: View, step: int, times: int = 1) -> Tensor:
        """Draw samples without gradients in the view, (classes, times pool_per_class, *shape)."""
        classes = max(self._num_classes, 1)
        labels = torch.arange(classes).repeat_interleave(times * self._config.pool_per_class).to(self._device)
        latent = self._config.latent.draw(len(labels), public_stream(self._config.seed, "pool", step)).to(self._device)
        with torch.no_grad(), mixed_precision(self._device, self._precision):
            images = self._network(latent, labels if self._num_classes else None)
        return view.apply(images.float()).unflatten(0, (classes, -1))

    def samples(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Draw the samples that critics answer at a step, with gradients, and their classes: all in turn, public."""
        config, rng = self._config, public_stream(self._config.seed, "samples", step)
        latent = config.latent.draw(config.batch_size, rng).to(self._device)
        labels = None
        if self._num_classes:
            labels = ((step + torch.arange(config.batch_size)) % self._num_classes).to(self._device)
        advance(self._network)
        with mixed_precision(self._device, self._precision):
            images = self._network(latent, labels)
        return images.float(), labels

    def improve(self, looked: Tensor, direction: Tensor, step: int) -> None:
        """Update by ``theta <- Adam(theta, -1/B sum_i J_i^T g_i)``, g the direction, and then the moving average.

        Args:
            looked: the samples in the view, with gradients.
            direction: that each of them should move in, same shape, public.
            step: number of the step.
        """
        config = self._config
        cosine = 0.5 * (1 + math.cos(math.pi * step / config.num_steps))
        decay = config.final_learning_rate + (1 - config.final_learning_rate) * cosine
        self._optimiser.param_groups[0]["lr"] = config.generator_adam.learning_rate * decay
        self._optimiser.zero_grad()
        looked.backward(gradient=-direction / config.batch_size)
        self._optimiser.step()
        weight = min(config.moving_average, 1 - 1 / (step + 1))
        for name, tensor in self._network.state_dict().items():
            self._average[name].lerp_(tensor, 1 - weight)

    def released_weights(self) -> dict[str, Tensor]:
        """Return a copy of the moving average, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self._average.items()}

    def state_dict(self) -> dict:
        """Return network, average and optimiser, the tensors in use."""
        return {
            "network": self._network.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: dict) -> None:
        """Take up a copy of a state that `state_dict` returned."""
        self._network.load_state_dict(state["network"])
        self._average = {name: tensor.to(self._device, copy=True) for name, tensor in state["average"].items()}
        self._optimiser.load_state_dict(state["optimiser"])


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
