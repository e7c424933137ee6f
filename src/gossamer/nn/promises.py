"""The promises of every network, tested on a network of the user's own: made-up samples go in, and no record."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from gossamer.errors import InputError
from gossamer.nn.settings import AbstractCriticConfig, AbstractGeneratorConfig, Shape

_ROWS: Final = 4
# Divided by all usual sizes of groups, so that layers which look at groups of records do so here.
_MANY: Final = 192
_ROUNDING: Final = {"rtol": 1e-3, "atol": 1e-4}
_PLAIN: Final = (bool, int, float, str, tuple, type(None))


class CannotBuild(InputError):
    """A network that is not made for a shape or a number of classes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Trial:
    """A network on trial.

    Attributes:
        where: its name and shape, for messages.
        build: seed -> a new network.
        x: made-up inputs, (rows, ...).
        label: classes of the inputs, or None.
        shape: of an output row.
    """

    where: str
    build: Callable[[int], nn.Module]
    x: Tensor
    label: Tensor | None
    shape: tuple[int, ...]

    def built(self, seed: int) -> nn.Module:
        """Build the network, or raise `CannotBuild`."""
        try:
            network = self.build(seed)
        except Exception as error:
            raise CannotBuild(f"{self.where}: cannot be built ({type(error).__name__}: {error})") from None
        if not isinstance(network, nn.Module):
            raise self.refuse(f"build returns {type(network).__name__}, not a module of torch")
        return network

    def refuse(self, fault: str) -> InputError:
        """Return the error that names network, shape and fault."""
        return InputError(f"{self.where}: {fault}; mend the network, and register it again")


def check_generator(
    config: AbstractGeneratorConfig, shape: Shape, num_classes: int, latent_dim: int
) -> AbstractGeneratorConfig:
    """Test that a generator keeps the promises of `AbstractGenerator` and `register_generator`, at one shape.

    Raises:
        InputError: it breaks a promise, or cannot be built or asked at this shape.
    """
    trial = _trial(
        config,
        shape,
        num_classes,
        build=lambda seed: config.build(shape, num_classes, latent_dim, _stream(seed)),
        x=torch.randn(_ROWS, latent_dim, generator=_stream(1)),
        row=tuple(shape),
    )
    with _told(trial):
        for answer in _kept_promises(trial):
            if not (float(answer.min()) >= 0 and float(answer.max()) <= 1):
                raise trial.refuse("draws values outside [0, 1]: end it with a sigmoid, for example")
    return config


def check_critic(config: AbstractCriticConfig, shape: Shape, num_classes: int) -> AbstractCriticConfig:
    """Test that a critic keeps the promises of `AbstractCritic` and `register_critic`, at one shape.

    Guarantee: none is made by the test. That of a training rests on the promise itself. A critic's answer, or the
    gradient of one record, is a function of the critic's state and of that record alone.

    Raises:
        InputError: it breaks a promise, or cannot be built or asked at this shape.
    """
    trial = _trial(
        config,
        shape,
        num_classes,
        build=lambda seed: config.build(shape, num_classes, _stream(seed)),
        x=torch.rand(_ROWS, *shape, generator=_stream(1)),
        row=(),
    )
    with _told(trial):
        for _ in _kept_promises(trial):
            pass
        _check_stacked(trial)
    return config


def _trial(
    config: object,
    shape: Shape,
    num_classes: int,
    *,
    build: Callable[[int], nn.Module],
    x: Tensor,
    row: tuple[int, ...],
) -> _Trial:
    label = torch.arange(_ROWS) % num_classes if num_classes else None
    where = f"{type(config).__name__} at shape {tuple(shape)} with {num_classes} classes"
    return _Trial(where=where, build=build, x=x, label=label, shape=row)


@contextlib.contextmanager
def _told(trial: _Trial) -> Iterator[None]:
    """Say errors of the user's own code as one line that names network and shape."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise trial.refuse(f"{type(error).__name__}: {error}") from None


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _kept_promises(trial: _Trial) -> Iterator[Tensor]:
    """Check all that generators and critics share, and yield the answers in training and in evaluation mode."""
    network = _check_built(trial)
    for is_training in (True, False):
        network.train(is_training)
        yield _check_pure(trial, network)
        _check_rows(trial, network)


def _check_built(trial: _Trial) -> nn.Module:
    """Check that initial weights come from the given stream alone, and that no layer looks at a batch."""
    before = torch.get_rng_state()
    network, again, other = trial.built(0), trial.build(0), trial.build(1)
    if not torch.equal(before, torch.get_rng_state()):
        raise trial.refuse("draws initial weights from torch's global stream: draw them from rng")
    states = [one.state_dict() for one in (network, again, other)]
    if not all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items()):
        raise trial.refuse("starts with other weights from the same stream")
    is_drawn = any(not torch.equal(tensor, states[2][name]) for name, tensor in states[0].items())
    if not is_drawn and any(parameter.numel() for parameter in network.parameters()):
        raise trial.refuse("starts with the same weights from another stream: draw them from rng")
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            # Privacy: a statistic over a batch makes the gradient of one record depend on the others.
            raise trial.refuse(f"holds {type(layer).__name__}, which normalises over a batch: use a norm of one record")
    return network


def _check_pure(trial: _Trial, network: nn.Module) -> Tensor:
    """Check that being asked changes nothing, and that the same question has the same answer."""
    # Privacy: what a query leaves behind would carry one record into the answer on another.
    before, stream = _state(network), torch.get_rng_state()
    first = _asked(trial, network, trial.x)
    _asked(trial, network, trial.x.flip(0) + 0.1)
    again = _asked(trial, network, trial.x)
    if not torch.equal(stream, torch.get_rng_state()):
        raise trial.refuse("draws random numbers when it is asked: leave dropout and noise out")
    if not _same(before, _state(network)):
        raise trial.refuse("changes a buffer, a parameter or an attribute when it is asked: it must keep nothing")
    if not torch.equal(first, again):
        raise trial.refuse("answers the same question in two ways: it must keep nothing and draw nothing")
    return first


def _asked(trial: _Trial, network: nn.Module, x: Tensor) -> Tensor:
    answer = network(x, trial.label).detach()
    if tuple(answer.shape) != (len(x), *trial.shape):
        raise trial.refuse(f"answers with shape {tuple(answer.shape)}, not (rows, {', '.join(map(str, trial.shape))})")
    if answer.dtype != torch.float32 or not bool(answer.isfinite().all()):
        raise trial.refuse("answers with something that is no finite float32")
    return answer


def _check_rows(trial: _Trial, network: nn.Module) -> None:
    """Check that the answer on a row is the same whatever stands in the other rows, and whether there are any."""
    whole = _asked(trial, network, trial.x)
    times = _MANY // _ROWS
    many = torch.cat([trial.x, torch.full_like(trial.x, torch.nan).repeat(times - 1, *[1] * (trial.x.dim() - 1))])
    in_many = network(many, None if trial.label is None else trial.label.repeat(times)).detach()[:_ROWS]
    fault = "answers on one row by the content of others: every record must be computed by itself"
    if not torch.allclose(whole, in_many, **_ROUNDING):
        raise trial.refuse(fault)
    for row in range(_ROWS):
        label = None if trial.label is None else trial.label[row : row + 1]
        alone = network(trial.x[row : row + 1], label).detach()[0]
        others = torch.full_like(trial.x, torch.nan).index_copy(0, torch.tensor([row]), trial.x[row : row + 1])
        labels = None if label is None else label.expand(_ROWS)
        asked = ((others, trial.label), (others.nan_to_num(50.0), trial.label), (trial.x, labels))
        among = [network(*one).detach()[row] for one in asked]
        # Privacy: the promise that per-record gradients, and with them the guarantee, rest on.
        if not all(torch.allclose(whole[row], one, **_ROUNDING) for one in (alone, *among)):
            raise trial.refuse(fault)
        x = trial.x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(network(x, trial.label)[row].sum(), x, allow_unused=True)
        if slope is not None and bool((slope != 0)[torch.arange(_ROWS) != row].any()):
            raise trial.refuse(fault)


def _check_stacked(trial: _Trial) -> None:
    """Check that stacked critics answer and learn as each does alone, as they are trained."""
    critics = [trial.build(seed).train() for seed in range(2)]
    parameters, buffers = stack_module_state(critics)
    x = torch.stack([trial.x, trial.x.flip(0)])

    def ask(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(critics[0], (parameters, buffers), (x, trial.label))

    def slope(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return grad(lambda x: ask(parameters, buffers, x).sum())(x).square().sum()

    try:
        answers = vmap(ask)(parameters, buffers, x)
        vmap(grad(slope))(parameters, buffers, x)
    except RuntimeError as error:
        raise trial.refuse(f"does not run under torch.func.vmap, as critics are trained ({error})") from None
    for number, critic in enumerate(critics):
        if not torch.allclose(answers[number], critic(x[number], trial.label), **_ROUNDING):
            raise trial.refuse("answers otherwise when critics are stacked: it must read its own tensors alone")


def _state(network: nn.Module) -> dict[str, Any]:
    """Gather all that a network could remember by: tensors, and plain attributes of every layer."""
    found: dict[str, Any] = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    for name, tensor in network.named_buffers():  # those that no state holds, too
        found[f"buffer {name}"] = tensor.detach().clone()
    for path, layer in network.named_modules():
        for name, value in vars(layer).items():
            if not (name.startswith("_") and hasattr(nn.Module(), name)):
                found[f"attribute {path}.{name}"] = _mark(value)
    return found


def _mark(value: object) -> object:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, list | dict | set | deque):
        return id(value), len(value), repr(value)
    if type(value).__module__ != "builtins" and not isinstance(value, nn.Module | type) and hasattr(value, "__dict__"):
        return id(value), repr(vars(value))
    return value if isinstance(value, _PLAIN) else id(value)


def _same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    def equal(one: object, other: object) -> bool:
        is_tensor = isinstance(one, Tensor) and isinstance(other, Tensor)
        return torch.equal(one, other) if is_tensor else type(one) is type(other) and one == other

    return before.keys() == after.keys() and all(equal(before[name], after[name]) for name in before)
