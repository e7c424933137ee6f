"""Many networks of one shape as stacked tensors, trained and queried together, each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gossamer.nn.network import AbstractSlopedCritic
from gossamer.nn.settings import Adam

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    """K networks of one architecture with their Adam states, as tensors with networks along the first axis.

    An ensemble is never changed in place, except by `update_`. Training returns a new one, so that a fork is a value
    that is dropped.

    Attributes:
        template: a module that gives the architecture, its own weights unused.
        parameters: name -> (K, ...).
        buffers: name -> (K, ...), vectors of spectral norms for instance.
        first_moment: as parameters.
        second_moment: as parameters.
        num_updates: int64 (K,).
    """

    template: nn.Module
    parameters: Tensors
    buffers: Tensors
    first_moment: Tensors
    second_moment: Tensors
    num_updates: Tensor

    @property
    def num_networks(self) -> int:
        """Number of networks, K."""
        return self.num_updates.shape[0]

    @property
    def num_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.state_dict().values())

    def select(self, networks: Tensor) -> Ensemble:
        """Copy the chosen networks, in the order given, repeats allowed: int64 (c,)."""
        return self._map(lambda tensor: tensor.index_select(0, networks))

    def update(self, networks: Tensor, changed: Ensemble) -> Ensemble:
        """Return the ensemble with the chosen distinct networks replaced."""
        return self._map(lambda old, new: old.index_copy(0, networks, new), changed)

    def update_(self, networks: Tensor, changed: Ensemble) -> None:
        """Update the present tensors in place, since a thousand critics are too many to copy at every step."""
        self._map(lambda old, new: old.index_copy_(0, networks, new), changed)

    def room_for(self, num_networks: int) -> Ensemble:
        """Return an ensemble of so many networks of this architecture, their tensors not yet filled."""
        return self._map(lambda tensor: tensor.new_empty(num_networks, *tensor.shape[1:]))

    def to(self, device: torch.device) -> Ensemble:
        """Return the ensemble on a device."""
        return self._map(lambda tensor: tensor.to(device))

    def state_dict(self) -> Tensors:
        """Return all tensors under flat names, for a checkpoint. Private as soon as the networks saw data."""
        groups = {name: getattr(self, name) for name in _GROUPS}
        flat = {f"{group}/{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}
        return flat | {"num_updates": self.num_updates}

    def with_state(self, state: Tensors) -> Ensemble:
        """Return the ensemble of this architecture with the tensors of a `state_dict` (of any number of networks)."""
        groups: dict[str, Tensors] = {group: {} for group in _GROUPS}
        for key, tensor in state.items():
            if key != "num_updates":
                group, name = key.split("/", 1)
                groups[group][name] = tensor
        return replace(self, **groups, num_updates=state["num_updates"])

    def _map(self, change: Callable[..., Tensor], *others: Ensemble) -> Ensemble:
        """Return the ensemble with each tensor changed, beside those of the same name in other ensembles."""
        states = [ensemble.state_dict() for ensemble in (self, *others)]
        return self.with_state({key: change(*(state[key] for state in states)) for key in states[0]})


_GROUPS = ("parameters", "buffers", "first_moment", "second_moment")


def stack(networks: Sequence[nn.Module]) -> Ensemble:
    """Stack modules of one architecture into an ensemble, with fresh Adam states."""
    parameters, buffers = torch.func.stack_module_state(list(networks))
    parameters = {name: tensor.detach() for name, tensor in parameters.items()}
    return Ensemble(
        template=networks[0],
        parameters=parameters,
        buffers=buffers,
        first_moment={name: torch.zeros_like(tensor) for name, tensor in parameters.items()},
        second_moment={name: torch.zeros_like(tensor) for name, tensor in parameters.items()},
        num_updates=torch.zeros(len(networks), dtype=torch.int64),
    )


def outputs(ensemble: Ensemble, parameters: Tensors, *inputs: Tensor | None) -> Tensor:
    """Compute every network's output on its own inputs, ``f_k(x_k)``.

    Args:
        ensemble: gives architecture and buffers.
        parameters: stacked parameters to use, those of the ensemble or a differentiable copy.
        inputs: each (K, batch, ...) or None.

    Returns:
        (K, batch, ...).
    """

    return _of_each(ensemble.template, parameters, ensemble.buffers, inputs)


def scores_and_slopes(
    ensemble: Ensemble, parameters: Tensors, scored: tuple[Tensor, Tensor | None], sloped: tuple[Tensor, Tensor | None]
) -> tuple[Tensor, Tensor]:
    """Compute every critic's scores, and the gradient of its scores by other samples of its own.

    Both are differentiable by the parameters. A critic that writes its slope out is taken at its word. For any other
    one, autograd derives the slope twice.

    Args:
        ensemble: critics.
        parameters: as for `outputs`.
        scored: samples (K, batch, ...) and their labels, int64 (K, batch), or None.
        sloped: likewise. No gradient flows back to these samples.

    Returns:
        Scores (K, batch), and slopes (K, batch, ...) as the samples.
    """
    if isinstance(ensemble.template, AbstractSlopedCritic) and _is_slope_of_forward(ensemble.template):
        first, second = (
            {f"critic.{name}": one for name, one in each.items()} for each in (parameters, ensemble.buffers)
        )
        return _of_each(_ScoresAndSlope(ensemble.template), first, second, (*scored, *sloped))
    samples, labels = sloped
    points = samples.detach().requires_grad_()
    scores = outputs(ensemble, parameters, points, labels)
    (slope,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    return outputs(ensemble, parameters, *scored), slope


def _is_slope_of_forward(critic: AbstractSlopedCritic) -> bool:
    """Tell if one class has both: a subclass with a score of its own would inherit the slope of another score."""
    names = ("forward", "slope", "scores_and_slope")
    scoring, sloping, both = (next(kind for kind in type(critic).__mro__ if name in vars(kind)) for name in names)
    return scoring is sloping and (both is scoring or both is AbstractSlopedCritic)


class _ScoresAndSlope(nn.Module):
    """A critic that gives the scores of samples and its slope at others."""

    def __init__(self, critic: AbstractSlopedCritic) -> None:
        super().__init__()
        self.critic = critic

    def forward(
        self, sample: Tensor, label: Tensor | None, between: Tensor, its_label: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return self.critic.scores_and_slope(sample, label, between, its_label)


def _of_each(template: nn.Module, parameters: Tensors, buffers: Tensors, inputs: tuple[Tensor | None, ...]) -> Any:
    """Compute the output of a module, or its two, with each of K stacked weights on its own inputs."""

    def one(parameters: Tensors, buffers: Tensors, *inputs: Tensor | None) -> Any:
        return functional_call(template, (parameters, buffers), inputs)

    if len(next(iter(parameters.values()))) == 1:
        # A stack of one would take the grouped kernels of many, which are slower.
        first, second = (
            {name: tensor.squeeze(0) for name, tensor in tensors.items()} for tensors in (parameters, buffers)
        )
        found = one(first, second, *(None if value is None else value.squeeze(0) for value in inputs))
        return found[None] if isinstance(found, Tensor) else tuple(part[None] for part in found)
    axes = (0, 0, *(None if value is None else 0 for value in inputs))
    return vmap(one, in_dims=axes)(parameters, buffers, *inputs)


def differentiable(parameters: Tensors) -> Tensors:
    """Copy the parameters so that they record gradients."""
    return {name: tensor.detach().requires_grad_() for name, tensor in parameters.items()}


def gradients(losses: Tensor, parameters: Tensors) -> Tensors:
    """Compute the gradient of every network's own loss, in one backward pass.

    The sum over networks has the gradient of each term alone, since no network's loss knows another's parameters.

    Args:
        losses: (K,), computed from ``parameters``.
        parameters: as made by `differentiable`.
    """
    found = torch.autograd.grad(losses.sum(), list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(tensor) if gradient is None else gradient
        for (name, tensor), gradient in zip(parameters.items(), found, strict=True)
    }


def adam_step(ensemble: Ensemble, gradient: Tensors, adam: Adam) -> Ensemble:
    """Take one step of Adam for every network.

    A network with a gradient that is not finite keeps its state, and the other networks are not affected.

    Guarantee: row k of the result depends on row k of the arguments alone.

    References: Kingma and Ba 2015, algorithm 1.
    """
    flat = [g.flatten(start_dim=1) if g.dim() > 1 else g[:, None] for g in gradient.values() if g.numel()]
    # Not by `vector_norm`, which takes twenty times as long for the largest number.
    largest = torch.stack([g.abs().amax(dim=1) for g in flat])
    is_finite = largest.isfinite().all(dim=0)
    count = (ensemble.num_updates + 1).double()
    correction1, correction2 = 1 - adam.beta1**count, 1 - adam.beta2**count
    step_size = torch.where(is_finite, (adam.learning_rate * correction2.sqrt() / correction1).float(), 0.0)
    stabiliser = (adam.stabiliser * correction2.sqrt()).float()
    # Weights of 1 and a step of 0 keep the state of a network bit for bit, without another pass over all weights.
    weight1, weight2 = (torch.where(is_finite, beta, 1.0) for beta in (adam.beta1, adam.beta2))
    parameters, first, second = {}, {}, {}
    for name, one in gradient.items():
        rows = (-1,) + (1,) * (one.dim() - 1)
        g = torch.where(is_finite.view(rows), one, 0.0)
        second[name] = (g * g).lerp_(ensemble.second_moment[name], weight2.view(rows))
        first[name] = g.lerp_(ensemble.first_moment[name], weight1.view(rows))
        change = (step_size.view(rows) * first[name]).div_(second[name].sqrt().add_(stabiliser.view(rows)))
        parameters[name] = torch.sub(ensemble.parameters[name], change, out=change)
    return replace(
        ensemble,
        parameters=parameters,
        first_moment=first,
        second_moment=second,
        num_updates=ensemble.num_updates + is_finite,
    )
