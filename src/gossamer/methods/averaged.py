"""A generator in training: Adam on a cosine schedule, and the moving average of weights that is released."""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import Tensor, nn

from gossamer.mechanisms.streams import public_stream
from gossamer.methods.starting import FRESH, GENERATOR, PublicStart
from gossamer.methods.trained import GeneratorRecipe
from gossamer.nn.descent import AbstractDescent, AdamDescent
from gossamer.nn.ensemble import Tensors
from gossamer.nn.registered import check_own_generator
from gossamer.nn.settings import Adam

_STATISTICS: Final = ("running_mean", "running_var", "num_batches_tracked")
"""Tensors of batch norm. They follow from the weights that are released, and are not averaged."""
_NETWORK: Final = "network."
_AVERAGE: Final = "average."
_SQUARE: Final = "exp_avg_sq"
_MOMENTS: Final = {"mean.": "exp_avg", "square.": _SQUARE}
"""Moments of Adam, by the beginning of the names that they travel under."""


class TrainedNetwork:
    """A network in training, its optimiser and the average of its weights, as they travel between sites.

    Args:
        optimiser: Adam or plain gradient descent, of all parameters of the network.
        average: moving average of the weights by name, on the same device. None for a network that has none.
    """

    def __init__(self, optimiser: AbstractDescent, average: Tensors | None = None) -> None:
        self.network, self.optimiser = optimiser.network, optimiser
        self.average = {} if average is None else average

    def travelling(self) -> Tensors:
        """Return network, moments of its optimiser, and average. Plain gradient descent has no moments.

        Returns:
            float32 by name, the tensors in use. Moments are zeros before the first update.
        """
        found = {f"{_NETWORK}{name}": tensor for name, tensor in self._numbers().items()}
        for name, parameter in self._with_moments().items():
            kept = self.optimiser.moments.get(name, {})
            for prefix, moment in _MOMENTS.items():
                found[f"{prefix}{name}"] = kept.get(moment, torch.zeros_like(parameter, requires_grad=False))
        return found | {f"{_AVERAGE}{name}": tensor for name, tensor in self.average.items()}

    def take_up(self, tensors: Tensors, num_updates: int) -> None:
        """Go on from tensors that `travelling` returned, or from a mean of several of them.

        Args:
            tensors: of the declared names and shapes, others among them. Any numbers will do: a square below zero, of
                which Adam draws the root, counts as zero.
            num_updates: updates that led to them, public.
        """
        numbers = {name: tensors[f"{_NETWORK}{name}"] for name in self._numbers()}
        self.network.load_state_dict(self.network.state_dict() | numbers)
        self.optimiser.moments.clear()
        for name, parameter in self._with_moments().items() if num_updates else ():
            moments = {
                moment: tensors[f"{prefix}{name}"].to(parameter.device, copy=True)
                for prefix, moment in _MOMENTS.items()
            }
            moments[_SQUARE].clamp_min_(0.0)
            self.optimiser.moments[name] = {"step": torch.tensor(float(num_updates))} | moments
        for name, old in self.average.items():
            self.average[name] = tensors[f"{_AVERAGE}{name}"].to(old.device, copy=True)

    def _with_moments(self) -> dict[str, nn.Parameter]:
        return dict(self.network.named_parameters()) if isinstance(self.optimiser, AdamDescent) else {}

    def _numbers(self) -> Tensors:
        """Return the tensors of the network but its counters, which no result depends on."""
        return {name: one for name, one in self.network.state_dict().items() if one.is_floating_point()}


class AveragedGenerator:
    """A generator in training, its optimiser, and the moving average of its weights, which is released.

    Guarantee: built from public settings and a public stream, and changed by its user's updates alone.

    Args:
        recipe: network and latent.
        adam: of the optimiser.
        seed: public. The initial weights follow from it, unless the start has some.
        device: where to compute.
        start: public weights to begin with. The moving average begins with them too.
    """

    def __init__(
        self, recipe: GeneratorRecipe, adam: Adam, seed: int, device: torch.device, start: PublicStart = FRESH
    ) -> None:
        self.recipe, self._adam, self._seed, self._device = recipe, adam, seed, device
        check_own_generator(recipe.network, recipe.spec.shape, recipe.spec.num_classes, recipe.latent.dim)
        self.network = recipe.build(public_stream(seed, "generator weights"))
        start.put_into(self.network, GENERATOR)
        self.network.to(device)
        self.optimiser = AdamDescent(adam, self.network)
        self.average = {name: tensor.clone() for name, tensor in self._averaged().items()}

    def _averaged(self) -> dict[str, Tensor]:
        state = self.network.state_dict()
        return {name: tensor for name, tensor in state.items() if name.rpartition(".")[2] not in _STATISTICS}

    def inputs_in_turn(self, purpose: str, num: int, step: int) -> tuple[Tensor, Tensor | None]:
        """Draw latents, with all classes in turn from a place that moves on with the step. Public.

        Returns:
            (num, latent dim), and int64 (num,) or None for a generator without classes.
        """
        return self._inputs(purpose, (step + torch.arange(num)) % self._num_groups, step)

    def inputs_by_class(self, purpose: str, num_per_class: int, step: int) -> tuple[Tensor, Tensor | None]:
        """Draw latents as `inputs_in_turn` does, class after class, so many of each."""
        return self._inputs(purpose, torch.arange(self._num_groups).repeat_interleave(num_per_class), step)

    @property
    def _num_groups(self) -> int:
        return max(self.recipe.spec.num_classes, 1)

    def _inputs(self, purpose: str, labels: Tensor, step: int) -> tuple[Tensor, Tensor | None]:
        latent = self.recipe.latent.draw(len(labels), public_stream(self._seed, purpose, step)).to(self._device)
        return latent, labels.to(self._device) if self.recipe.spec.num_classes else None

    def update(self, angle: float, final: float) -> None:
        """Update the weights by their gradients, at the learning rate of `cosine_decay`."""
        self.optimiser.step(self._adam.learning_rate * cosine_decay(angle, final))

    def move_average(self, decay: float, num_updates: int) -> None:
        """Let the average follow the weights: their plain mean at first, until ``decay`` is longer."""
        weight = min(decay, 1 - 1 / num_updates)
        for name, tensor in self._averaged().items():
            self.average[name].lerp_(tensor, 1 - weight)

    def released_weights(self) -> dict[str, Tensor]:
        """Return a copy of the moving average, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.average.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return network, average and optimiser, the tensors in use."""
        return {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a copy of a state that `state_dict` returned."""
        self.network.load_state_dict(state["network"])
        self.average = {name: tensor.to(self._device, copy=True) for name, tensor in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])

    def travelling(self) -> Tensors:
        """Return network, average and moments of the optimiser: all of a generator that travels between sites.

        Returns:
            float32 by name, the tensors in use. Moments are zeros before the first update.
        """
        return self._trained.travelling()

    def take_up(self, tensors: Tensors, num_updates: int) -> None:
        """Go on from tensors that `travelling` returned, or from a mean of several of them.

        Args:
            tensors: of the declared names and shapes. Any numbers will do.
            num_updates: updates that led to them, public.
        """
        self._trained.take_up(tensors, num_updates)

    @property
    def _trained(self) -> TrainedNetwork:
        return TrainedNetwork(self.optimiser, self.average)


def cosine_decay(angle: float, final: float) -> float:
    """Return the fraction of the learning rate at an angle from 0, at the beginning, to pi, at the end.

    >>> cosine_decay(0.0, 0.1), cosine_decay(math.pi, 0.1)
    (1.0, 0.1)
    """
    return final + (1 - final) * 0.5 * (1 + math.cos(angle))
