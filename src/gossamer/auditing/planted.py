"""Gradients of DP-SGD with canaries among them: those of a function that are held, and those of dense layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from gossamer.mechanisms.poisson.dense import DenseLosses
from gossamer.mechanisms.poisson.door import RecordLosses, Tensors
from gossamer.mechanisms.poisson.factors import LayerFactors

HONEST, ABSENT = -1, -2
"""Tags of records: one that is no canary, and a canary that is not there, as its bit says."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlantedFactors(DenseLosses):
    """Losses of dense layers, with canaries in the place of tagged records. The last tensor of the records is the tag.

    A canary's gradient is `length` along one coordinate of the parameters, its own. So the door adds it as it adds all
    gradients of dense layers.

    Attributes:
        num_canaries: as many as coordinates of the parameters at most.
        length: of a canary's gradient.
    """

    num_canaries: int
    length: float

    def factors(self, parameters: Tensors, records: tuple[Tensor, ...]) -> list[LayerFactors]:
        """Compute the factors of honest records, and put those of canaries beside them."""
        *honest, tags = records
        places, found = self._places().to(tags.device), []
        for layer, shape in zip(super().factors(parameters, tuple(honest)), self.shapes, strict=True):
            found.append(self._planted(layer, tags, places))
            places = places - shape[0] * shape[1]
        return found

    def _places(self) -> Tensor:
        """Return the place of each canary's coordinate among the products, which stand layer after layer."""
        products = torch.arange(sum(inputs * outputs for inputs, outputs in self.shapes))
        return torch.cat([part.flatten() for part in self.gradients(products).values()])[: self.num_canaries]

    def _planted(self, layer: LayerFactors, tags: Tensor, places: Tensor) -> LayerFactors:
        num_inputs, num_outputs = layer.inputs.shape[2], layer.deltas.shape[2]
        own = places[tags.clamp_min(0)]
        is_here = (tags >= 0) & (own >= 0) & (own < num_inputs * num_outputs)
        own = torch.where(is_here, own, 0)
        # The loss of a unit is the mean over its records.
        size = is_here * self.length / tags.shape[1]
        inputs = F.one_hot(own % num_inputs, num_inputs).to(layer.inputs)
        deltas = F.one_hot(own // num_inputs, num_outputs).to(layer.deltas) * size[..., None]
        is_honest = (tags == HONEST)[..., None]
        return LayerFactors(
            inputs=torch.where(is_honest, layer.inputs, inputs), deltas=torch.where(is_honest, layer.deltas, deltas)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Silence:
    """A loss with gradients of zero for canaries to be planted in, of records of one number each.

    Attributes:
        kind: of the audit that it serves.
        parameters: to ask it at, with a coordinate for each canary.
        losses: as the door takes them.
    """

    kind: str
    parameters: Tensors
    losses: RecordLosses | DenseLosses


def silent_function(num_canaries: int) -> Silence:
    """Return a function of which the door holds every gradient."""
    return Silence(
        kind="mechanism: one gradient",
        parameters={"weights": torch.zeros(num_canaries)},
        losses=lambda parameters, blank: 0 * parameters["weights"].sum() + blank[:, 0],
    )


def silent_layer(num_canaries: int) -> Silence:
    """Return a dense layer, of which the door holds no gradient."""
    network = nn.Sequential(nn.Linear(1, num_canaries, bias=False))

    def losses(parameters: Tensors, blank: Tensor) -> Tensor:
        return 0 * functional_call(network, parameters, (blank,)).sum(dim=1)

    return Silence(
        kind="mechanism: one gradient of dense layers",
        parameters={"0.weight": torch.zeros(num_canaries, 1)},
        losses=DenseLosses(network=network, losses=losses),
    )
