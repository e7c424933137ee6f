"""Losses of a network of dense layers, with the factors of the gradient of each unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from gossamer.mechanisms.poisson.factors import LayerFactors

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseLosses:
    """Losses of records, as `RecordLosses`, of a network with no parameter outside its dense layers.

    A layer is asked once for each record, and the loss reads the parameters through the layers alone. The caller
    promises both, for a network that it knows. With a broken promise the vectors are not the gradients. There is still
    one for each unit, within the clip.

    Guarantee: row u of the factors depends on row u of the records alone. Vmap keeps units apart, and refuses a loss
    that draws random numbers or changes buffers.

    Args:
        network: the network that ``losses`` asks, by `torch.func.functional_call`.
        losses: (parameters, *records of one unit) -> (m,).

    Raises:
        ValueError: a parameter that is not of a dense layer, or of two.
    """

    network: nn.Module
    losses: Callable[..., Tensor]

    def __post_init__(self) -> None:
        of_layers = {f"{name}.{kind}" for name, layer in self._layers() for kind, _ in layer.named_parameters()}
        once, every = (
            {name for name, _ in self.network.named_parameters(remove_duplicate=alone)} for alone in (True, False)
        )
        # A layer, or a weight, that has two names appears among `every` alone.
        if not of_layers == once == every:
            raise ValueError("a parameter does not belong to a dense layer")

    def __call__(self, parameters: Tensors, *records: Tensor) -> Tensor:
        """Compute the losses of the records of one unit, (m,)."""
        return self.losses(parameters, *records)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Numbers of inputs, the constant 1 of a bias included, and of outputs of every layer."""
        return tuple((layer.in_features + (layer.bias is not None), layer.out_features) for _, layer in self._layers())

    def factors(self, parameters: Tensors, records: tuple[Tensor, ...]) -> list[LayerFactors]:
        """Compute the factors of the gradients of single units: unbounded and private.

        Args:
            parameters: by name.
            records: each (units, m, ...).
        """
        layers = dict(self._layers())
        rows = records[0].shape[:2]
        # Zeros that are added to each layer's output: the slope at them is the delta.
        taps = {
            name: torch.zeros(*rows, layer.out_features, device=records[0].device) for name, layer in layers.items()
        }

        def mean_loss(taps: Tensors, *unit: Tensor) -> tuple[Tensor, Tensors]:
            """Compute the mean loss of one unit's records, with the inputs that its layers see.

            Raises:
                ValueError: a layer was not asked, so its factor would be missing.
            """
            with self._tapped(taps) as seen:
                loss = self.losses(parameters, *unit).mean()
            if seen.keys() != taps.keys():
                raise ValueError("a dense layer was not asked")
            return loss, seen

        deltas, seen = vmap(grad(mean_loss, has_aux=True))(taps, *records)
        return [
            LayerFactors(inputs=seen[name] if layer.bias is None else _with_one(seen[name]), deltas=deltas[name])
            for name, layer in layers.items()
        ]

    def gradients(self, products: Tensor) -> Tensors:
        """Split a vector of products, layer after layer, into tensors named and shaped as the parameters."""
        named = {}
        for (name, layer), shape in zip(self._layers(), self.shapes, strict=True):
            product, products = products.split([shape[0] * shape[1], len(products) - shape[0] * shape[1]])
            weight, bias = product.view(shape[1], shape[0]).split([layer.in_features, shape[0] - layer.in_features], 1)
            named[f"{name}.weight"] = weight
            if layer.bias is not None:
                named[f"{name}.bias"] = bias[:, 0]
        return {name: named[name].contiguous() for name, _ in self.network.named_parameters()}

    def _layers(self) -> list[tuple[str, nn.Linear]]:
        # A subclass or a layer with a parametrisation may use its weights otherwise, and is of another type.
        return [(name, part) for name, part in self.network.named_modules() if type(part) is nn.Linear]

    @contextmanager
    def _tapped(self, taps: Tensors) -> Iterator[Tensors]:
        """Add the taps to the outputs of the layers, and yield the inputs that they see."""
        seen: Tensors = {}

        def hook_of(name: str) -> Callable[..., Tensor]:
            """Make a hook that keeps the input of a layer and adds the tap to its output."""

            def hook(module: nn.Module, asked: tuple[Any, ...], output: Tensor) -> Tensor:
                if name in seen or output.shape != taps[name].shape:
                    raise ValueError(f"the dense layer {name} must be asked once for each record")
                seen[name] = asked[0]
                return output + taps[name]

            return hook

        with ExitStack() as stack:
            for name, layer in self._layers():
                stack.callback(layer.register_forward_hook(hook_of(name)).remove)
            yield seen


def _with_one(inputs: Tensor) -> Tensor:
    return torch.cat([inputs, inputs.new_ones((*inputs.shape[:-1], 1))], dim=-1)
