"""A generator network fitted to another generator, latent by latent: public from end to end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.mechanisms.sampling import public_stream
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.ensemble import Adam
from gossamer.nn.spectral_norm import advance


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    r"""How a network G learns to draw what a teacher T draws, :math:`\min \mathbb{E}\,|G(u, y) - T(u_{1..d}, y)|^2`.

    Both are given the same latents and classes, so there is a right answer for each and no critic is needed.

    Attributes:
        num_updates: of the network, free of charge.
        batch_size: samples in an update, classes in turn.
        adam: optimiser.
        final_learning_rate: fraction of the learning rate that a cosine schedule ends at.
    """

    num_updates: int = 3000
    batch_size: int = 200
    adam: Adam = field(default_factory=lambda: Adam(learning_rate=2e-3, beta1=0.9, beta2=0.99))
    final_learning_rate: float = 0.01

    def __post_init__(self) -> None:
        for name in ("num_updates", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a distillation must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.final_learning_rate <= 1:
            raise InputError(f"final_learning_rate must lie between 0 and 1, got {self.final_learning_rate}")


class Distillation:
    """A network while it is fitted to a teacher.

    Guarantee: it is built from public settings, and sees of anything else only the teacher that `update` is given: it
    has the privacy of that teacher.

    Args:
        config: settings.
        recipe: of the network; its latents begin with those of the teacher.
        seed: public; weights, latents and nothing else follow from it.
        device: where to compute.
    """

    def __init__(self, config: DistillationConfig, recipe: GeneratorRecipe, seed: int, device: torch.device) -> None:
        self._config, self._seed, self._device = config, seed, device
        self._recipe = recipe
        self._num_classes = recipe.spec.num_classes
        self._network = recipe.build(public_stream(seed, "generator weights")).to(device)
        adam = config.adam
        self._optimiser = torch.optim.Adam(
            self._network.parameters(), lr=adam.learning_rate, betas=(adam.beta1, adam.beta2), eps=adam.stabiliser
        )
        self._teacher: tuple[nn.Module, int] | None = None
        self.num_done = 0

    @property
    def is_over(self) -> bool:
        """Whether all updates are done."""
        return self.num_done >= self._config.num_updates

    def update(self, teacher: TrainedGenerator) -> float:
        """One update towards the teacher; its loss, the mean squared distance of a sample."""
        config, progress = self._config, self.num_done / self._config.num_updates
        decay = config.final_learning_rate + (1 - config.final_learning_rate) * 0.5 * (1 + math.cos(math.pi * progress))
        self._optimiser.param_groups[0]["lr"] = config.adam.learning_rate * decay
        latent, labels = self._inputs()
        with torch.no_grad():
            target = self._taught(teacher, latent, labels)
        advance(self._network)
        loss = (self._network(latent, labels) - target).square().sum() / config.batch_size
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        self.num_done += 1
        return float(loss.detach())

    def _inputs(self) -> tuple[Tensor, Tensor | None]:
        """Latents of an update from a public stream, and the classes in turn."""
        size = self._config.batch_size
        latent = self._recipe.latent.draw(size, public_stream(self._seed, "distillation", self.num_done))
        if not self._num_classes:
            return latent.to(self._device), None
        labels = (self.num_done + torch.arange(size)) % self._num_classes
        return latent.to(self._device), labels.to(self._device)

    def _taught(self, teacher: TrainedGenerator, latent: Tensor, labels: Tensor | None) -> Tensor:
        if self._teacher is None:
            self._teacher = teacher.network().to(self._device), teacher.recipe.latent.dim
        network, dim = self._teacher
        return network(latent[:, :dim], labels)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the network's weights, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self._network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """Network, optimiser and how far it is, the tensors in use."""
        return {
            "num_done": self.num_done,
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a copy of what `state_dict` returned."""
        self.num_done = state["num_done"]
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
