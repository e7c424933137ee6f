"""The command in this process, watched: a hostile file ends it with one line, soon, in little memory, unharmed."""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.trained import GeneratorRecipe
from gossamer.nn.images.settings import (
    CosineGeneratorConfig,
    DCGANGeneratorConfig,
    MERFGeneratorConfig,
    MixtureGeneratorConfig,
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.latents import NormalLatent
from gossamer.nn.mixture_settings import AbstractMixtureGeneratorConfig
from gossamer.nn.series.settings import (
    SeriesConvGeneratorConfig,
    SeriesMERFGeneratorConfig,
    SeriesMixtureGeneratorConfig,
)
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.release import FORMAT, HEADER

MAX_BYTES = 2**30
"""Memory that a hostile file may take at most, beside what the process had before."""
MAX_SECONDS = 20.0
"""Processor time that it may take at most; none of the files here needs a tenth of it."""
HANGS_AFTER = 180
"""Seconds on the clock after which a command is taken for hanging, whatever else the machine does."""


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"/proc/self/status has no {name}")


@contextlib.contextmanager
def watched(max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Whatever happens within takes little memory and time, and ends."""

    def hang(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it hangs: {HANGS_AFTER} s and no end")

    gc.collect()  # what others left behind must not go back within
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    memory, seconds = _memory("VmRSS"), time.process_time()
    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(HANGS_AFTER)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    taken, spent = _memory("VmHWM") - memory, time.process_time() - seconds
    assert taken < max_bytes, f"it took {taken / 2**20:.0f} MiB"
    assert spent < max_seconds, f"it took {spent:.1f} s of processor time"


def is_one_line(text: str) -> bool:
    return text.endswith("\n") and text[:-1].isprintable() and len(text) < 2500


@pytest.fixture(scope="session")
def gossamer(gossamer: Callable[..., Any]) -> Callable[..., Any]:
    """Run the command line on some words, watched."""

    def run(*arguments: object) -> Any:
        with watched(), warnings.catch_warnings(record=True) as seen:
            # As for a user, not as errors: a decoder's error would be caught, a warning would be a second line.
            warnings.simplefilter("default")
            said = gossamer(*arguments)
        assert not seen, f"a warning would stand beside the line: {seen[0].message}"
        return said

    return run


@pytest.fixture(scope="session")
def watch() -> Any:
    """A context in which nothing may take much memory or time."""
    return watched


@pytest.fixture(scope="session")
def refused(gossamer: Callable[..., Any]) -> Callable[..., str]:
    """Run a command that must end with exit code 2 and one line; return the line.

    `at` has to stand in the line (the file, the place), and nothing of `hides` may.
    """

    def run(*arguments: object, at: str, hides: tuple[str, ...] = (), code: int = 2) -> str:
        said = gossamer(*arguments)
        assert said.code == code, (said.code, said.err)
        assert not said.out
        assert said.err.startswith("gossamer: ")
        assert is_one_line(said.err), said.err[:500]
        assert at in said.err, said.err
        for secret in hides:
            assert secret not in said.err, said.err
        return said.err

    return run


IMAGES = ImageSpec(channels=1, height=4, width=5, class_names=("a", "b"))
LARGER = ImageSpec(channels=3, height=8, width=8)
SERIES = SeriesSpec(
    channels=2, length=20, low=(0.0, -1.0), high=(1.0, 1.0), sample_rate=50.0, channel_names=("l", "r"),
    class_names=("a", "b"),
)  # fmt: skip
NETWORKS: tuple[tuple[Any, Any], ...] = (
    (MLPGeneratorConfig(hidden_sizes=(5,)), IMAGES),
    (ResNetGeneratorConfig(width=2), IMAGES),
    (DCGANGeneratorConfig(width=1), LARGER),
    (CosineGeneratorConfig(hidden_sizes=(4,), radius=2.0, num_styles=2, rotation=0.1), IMAGES),
    (MERFGeneratorConfig(hidden_size=3, width=2), LARGER),
    (MixtureGeneratorConfig(num_directions=2, num_components=2, radius=2.0, shift=0.1), IMAGES),
    (SeriesConvGeneratorConfig(width=2), SERIES),
    (SeriesMERFGeneratorConfig(hidden_size=3, width=2), SERIES),
    (SeriesMixtureGeneratorConfig(num_directions=2, radius=3.0), SERIES),
)
"""A small generator of each kind, and what it makes."""


@dataclass(frozen=True, kw_only=True)
class Released:
    """The parts of a small released generator, and the file that they make.

    Attributes:
        weights: by name.
        recipe: how to build it, as JSON.
        statement: what is claimed, as JSON.
    """

    weights: dict[str, torch.Tensor]
    recipe: dict[str, Any]
    statement: dict[str, Any]

    def content(self, **changes: Any) -> bytes:
        """The bytes of the file, with `recipe`, `statement` (trees, or any text) or `weights` in place of its own."""
        texts = {"format": json.dumps(FORMAT)}
        for name in ("recipe", "statement"):
            tree = changes.get(name, getattr(self, name))
            texts[name] = tree if isinstance(tree, str) else json.dumps(tree)
        header = "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}"
        return safetensors.torch.save(changes.get("weights", self.weights), metadata={HEADER: header})


@pytest.fixture(scope="session")
def every_released() -> tuple[Released, ...]:
    """A small generator of each kind, released."""
    plan = OneOfManyPlan(
        unit=Unit.RECORD, num_slots=100, num_critics=10, num_steps=3, batch_size=4, draws_per_step=4, clip_norm=1.0,
        noise_multiplier=2.0,
    )  # fmt: skip
    statement = plan.statement(ClaimTerms(delta=1e-4, method="gs-wgan", sample_size=20, is_secure=True)).to_json()
    found = []
    for network, spec in NETWORKS:
        dim = network.latent_dim(spec.shape) if isinstance(network, AbstractMixtureGeneratorConfig) else 7
        recipe = GeneratorRecipe(network=network, latent=NormalLatent(dim=dim), spec=spec)
        weights = dict(recipe.build(torch.Generator().manual_seed(1)).state_dict())
        found.append(Released(weights=weights, recipe=to_json_tree(recipe), statement=statement))
    return tuple(found)


@pytest.fixture(scope="session")
def released(every_released: tuple[Released, ...]) -> Released:
    """A dense generator of 4 x 5 pixels and two classes."""
    return every_released[0]


VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 10**6, 10**12, 2**63, 10**400, -0.5, 0.5, 1e300, float("nan"), float("inf"), "",
    "NaN", "x", "\x1b[2J\x07", "two\nlines", "\ud800", "../../x", "a" * 20_000, [], {}, [[]],
    {"type": "MLPGeneratorConfig"}, [1] * 2000, ["a", "a"],
)  # fmt: skip
"""What stands where something else belongs."""


def mangled(tree: Any, rng: np.random.Generator) -> Any:
    """A copy of plain JSON with one place changed: another kind of value, or a thing missing, renamed or doubled."""
    tree = copy.deepcopy(tree)
    holders = [one for one in _parts(tree) if one]
    holder = holders[rng.integers(len(holders))]
    key = list(holder)[rng.integers(len(holder))] if isinstance(holder, dict) else int(rng.integers(len(holder)))
    match rng.integers(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[str(rng.choice(["type", "x", "\x1b[31m", "hidden_sizes"]))] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder.append(holder[key])
        case 3 if isinstance(holder[key], int | float):
            holder[key] = holder[key] * 10.0 ** rng.integers(-20, 20)
        case _:
            holder[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return tree


def _parts(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        yield tree
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _parts(value)


@pytest.fixture(scope="session")
def mangle() -> Callable[[Any, np.random.Generator], Any]:
    """Change one place of plain JSON."""
    return mangled


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy of a file with a few bytes changed, cut, put in or moved."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 7))):
        place, other = (int(one) for one in rng.integers(0, max(1, len(changed)), size=2))
        match rng.integers(5):
            case 0:
                del changed[place : place + int(rng.integers(1, 20))]
            case 1:
                changed[place:place] = rng.bytes(int(rng.integers(1, 20)))
            case 2:
                changed[place : place + 8] = changed[other : other + 8]
            case _ if changed:
                changed[place] = int(rng.integers(0, 256))
    return bytes(changed)


@pytest.fixture(scope="session")
def damage() -> Callable[[bytes, np.random.Generator], bytes]:
    """Damage some bytes of a file."""
    return damaged
