"""The updates of one network by its gradients: plain descent, and Adam.

They compute the same as the classes of `torch.optim`, to the last bit. Those import torch's compiler at their first
use, a second at the start of every training.
"""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn
from torch.optim.adam import adam as adam_update

from gossamer.nn.settings import Adam

Moments = dict[str, Tensor]
"""Mean, mean square and number of updates of one parameter, by the names that torch gives them."""


class AbstractDescent(abc.ABC):
    """Updates of a network. Parameters without a gradient stay as they are.

    Attributes:
        network: on its device.
        moments: of Adam, by the name of the parameter. Empty before the first update, and for plain descent.

    Args:
        network: as above.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.moments: dict[str, Moments] = {}

    @abc.abstractmethod
    def step(self, learning_rate: float) -> None:
        """Update the parameters by their gradients."""

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.network.zero_grad()

    def state_dict(self) -> dict[str, Moments]:
        """Return the moments, the tensors in use."""
        return {name: dict(kept) for name, kept in self.moments.items()}

    def load_state_dict(self, state: dict[str, Moments]) -> None:
        """Take up a copy of a state that `state_dict` returned."""
        devices = {name: parameter.device for name, parameter in self.network.named_parameters()}
        self.moments = {
            # The number of updates stays on the CPU, where torch reads it.
            name: {key: one.to("cpu" if key == "step" else devices[name], copy=True) for key, one in kept.items()}
            for name, kept in state.items()
        }

    def _with_gradients(self) -> dict[str, nn.Parameter]:
        return {name: one for name, one in self.network.named_parameters() if one.grad is not None}


class PlainDescent(AbstractDescent):
    """Gradient descent: the weights less the learning rate times the gradient."""

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update the parameters by their gradients."""
        for parameter in self._with_gradients().values():
            assert parameter.grad is not None
            parameter.add_(parameter.grad, alpha=-learning_rate)


class AdamDescent(AbstractDescent):
    """Adam (Kingma and Ba 2015, algorithm 1), by torch's own function.

    Args:
        adam: settings. The learning rate is given at every step.
        network: on its device.
    """

    def __init__(self, adam: Adam, network: nn.Module) -> None:
        super().__init__(network)
        self._adam = adam

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update the parameters by their gradients."""
        updated = self._with_gradients()
        fresh = {name: _fresh(parameter) for name, parameter in updated.items() if name not in self.moments}
        self.moments |= fresh
        kept = [self.moments[name] for name in updated]
        adam_update(
            list(updated.values()),
            [parameter.grad for parameter in updated.values() if parameter.grad is not None],
            [one["exp_avg"] for one in kept],
            [one["exp_avg_sq"] for one in kept],
            [],
            [one["step"] for one in kept],
            amsgrad=False,
            beta1=self._adam.beta1,
            beta2=self._adam.beta2,
            lr=learning_rate,
            weight_decay=0.0,
            eps=self._adam.stabiliser,
            maximize=False,
        )


def _fresh(parameter: Tensor) -> Moments:
    zeros = torch.zeros_like(parameter, requires_grad=False)
    return {"step": torch.tensor(0.0), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}
