"""What contracts of several files ask: that a resumed run equals an unbroken one, and that nothing private leaves."""

from __future__ import annotations

import gc
import io
import itertools
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gossamer.data.records import RecordSet
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.partition import ShardTable
from gossamer.mechanisms.one_of_many.tapes import CriticTapes
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.sum_of_many.door import SumOfManyReleaser
from gossamer.methods.dp_cgan.training import PublicNetworks
from gossamer.methods.gs_wgan.critics import Shards
from gossamer.methods.gs_wgan.private_critics import PrivateCritics
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractStepReport, AbstractTraining
from gossamer.nn.ensemble import Ensemble
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.keystream import Keystream

# ---- resumed equals unbroken ----------------------------------------------------------------------------------------


def leaves_of(tree: Any, path: str = "") -> dict[str, Any]:
    """Leaves of dictionaries and lists by their path."""
    if isinstance(tree, dict):
        return {name: leaf for key, value in tree.items() for name, leaf in leaves_of(value, f"{path}/{key}").items()}
    if isinstance(tree, list | tuple):
        return leaves_of(dict(enumerate(tree)), path)
    return {path: tree}


def are_equal(first: Any, second: Any) -> bool:
    """Whether two trees of tensors and numbers are equal bit for bit."""
    one, two = leaves_of(first), leaves_of(second)
    return one.keys() == two.keys() and all(
        isinstance(two[name], Tensor) and leaf.dtype == two[name].dtype and torch.equal(leaf, two[name])
        if isinstance(leaf, Tensor)
        else leaf == two[name]
        for name, leaf in one.items()
    )


def written_and_read(state: dict[str, Any]) -> dict[str, Any]:
    """A state as it comes back from a checkpoint's file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def resumed_equals_unbroken(start: Callable[..., AbstractTraining]) -> None:
    """Interrupt a training after each of its reports, resume it from a file, and compare all that it comes to.

    Args:
        start: begins the training; takes ``state``.
    """
    unbroken = start()
    reports = list(unbroken)
    weights, end = unbroken.trained().weights, written_and_read(unbroken.state_dict())
    for number in range(1, len(reports) + 1):
        left, place = start(), f"interrupted after report {number} of {len(reports)}"
        assert len(list(itertools.islice(left, number))) == number
        state = written_and_read(left.state_dict())
        assert state["step"] == left.step  # whoever resumes reads what the ledger is held against
        resumed = start(state=state)
        assert (resumed.step, resumed.end_step) == (left.step, unbroken.end_step), place
        rest = list(resumed)
        assert are_equal(resumed.trained().weights, weights), place
        assert are_equal(written_and_read(resumed.state_dict()), end), place
        assert resumed.step == resumed.num_paid_steps == unbroken.num_paid_steps
        assert len([r for r in rest if isinstance(r, AbstractStepReport)]) <= len(reports) - number + 1


@pytest.fixture(scope="session")
def check_resumed() -> Callable[[Callable[..., AbstractTraining]], None]:
    """See `resumed_equals_unbroken`."""
    return resumed_equals_unbroken


# ---- what leaves ----------------------------------------------------------------------------------------------------

CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)
PRIVATE = (
    # of every method
    RecordSet, AbstractTraining, AbstractNoise, Keystream, UnitKey, nn.Module, torch.Generator, torch.optim.Optimizer,
    # of mechanisms
    OneOfManyReleaser, OneShotReleaser, PoissonReleaser, SumOfManyReleaser, ShardTable, CriticTapes,
    # of one method
    PrivateCritics, Ensemble, Shards, PublicNetworks,
)  # fmt: skip


def reachable_from(root: object) -> Iterator[object]:
    """Every object that can be reached from another by references, code and types apart."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, CODE):
            continue
        seen.add(id(thing))
        yield thing
        waiting += gc.get_referents(thing)
        if isinstance(thing, Tensor):
            waiting += [thing.grad_fn, thing.grad, thing._base]


def private_parts_of(trained: TrainedGenerator) -> list[str]:
    """What a released generator holds beside weights, public settings and the statement: nothing, when all is well."""
    weights = {id(tensor) for tensor in trained.weights.values()}
    found = [name for name in vars(trained) if name not in ("recipe", "weights", "statement")]
    for thing in reachable_from(trained):
        if isinstance(thing, PRIVATE) or callable(getattr(thing, "release", None)):
            found.append(type(thing).__name__)
        if isinstance(thing, Tensor) and (id(thing) not in weights or thing.requires_grad):
            found.append("tensor")
    return found


@pytest.fixture(scope="session")
def reachable() -> Callable[[object], Iterator[object]]:
    """See `reachable_from`."""
    return reachable_from


@pytest.fixture(scope="session")
def private_parts() -> Callable[[TrainedGenerator], list[str]]:
    """See `private_parts_of`."""
    return private_parts_of
