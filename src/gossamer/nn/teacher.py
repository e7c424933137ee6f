"""The teacher of a labelled mixture: tempered log densities of the mixture, and a small network that mends them."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.nn.labelled_settings import TeacherConfig
from gossamer.nn.network import RELU_GAIN, linear


class Teacher(nn.Module):
    r"""A classifier of places in a subspace: ``base + MLP(u)``. It begins with the base alone.

    The last layer starts at zero. So an untrained teacher adds nothing to the base, and one that was trained with much
    noise little.

    Args:
        config: settings.
        dim: coordinates of a place.
        num_classes: at least 2.
        rng: the stream of initial weights.

    Raises:
        InputError: fewer than two classes.
    """

    def __init__(self, config: TeacherConfig, *, dim: int, num_classes: int, rng: torch.Generator) -> None:
        super().__init__()
        if num_classes < 2:
            raise InputError(
                f"num_classes: {num_classes}, but a teacher tells two classes apart at least; take dp-mixture"
            )
        sizes = (dim, *config.hidden_sizes)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [linear(before, after, gain=RELU_GAIN, rng=rng), nn.ReLU()]
        last = linear(sizes[-1], num_classes, gain=1.0, rng=rng)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, place: Tensor, base: Tensor) -> Tensor:
        """Return logits (batch, num_classes).

        Args:
            place: in standard form, (batch, dim).
            base: logits of the mixture, (batch, num_classes).
        """
        return base + self.layers(place)
