"""Generator files changed at random: each is refused in one line that names it, or draws numbers in [0, 1]."""

from __future__ import annotations

import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.errors import InputError
from gossamer.estimators import load_generator

FEW, MANY = 100, 10_000
THROUGH_THE_COMMAND = 10


def mutated(number: int, every_released: Any, mangle: Any, damage: Any) -> bytes:
    """The file of this number: bytes damaged, or JSON mangled in recipe, statement or the header itself."""
    rng = np.random.default_rng([17, number])
    released = every_released[number // 5 % len(every_released)]
    content = released.content()
    match number % 5:
        case 0:
            return damage(content, rng)
        case 1:
            # What comes first is the header, and most of the file: damage there alone.
            length = 8 + int.from_bytes(content[:8], "little")
            return damage(content[:length], rng) + content[length:]
        case 2:
            return released.content(recipe=mangle(released.recipe, rng))
        case 3:
            return released.content(statement=mangle(released.statement, rng))
        case _:
            length = 8 + int.from_bytes(content[:8], "little")
            text = json.dumps(mangle(json.loads(content[8:length]), rng)).encode()
            return struct.pack("<Q", len(text)) + text + content[length:]


def outcome(path: Path) -> str:
    """Read and draw: what came of it. Anything but a line or numbers in [0, 1] is an error here."""
    try:
        trained = load_generator(path)
        x, _ = trained.sample(2)
    except InputError as error:
        line = str(error)
        assert line.isprintable(), line[:500]
        assert len(line) < 2000
        assert str(path) in line, line
        return "refused"
    assert float(x.min()) >= -1e-5
    assert float(x.max()) <= 1 + 1e-5
    assert all(line.isprintable() for line in trained.statement.to_markdown().splitlines())
    return "read"


def count(numbers: range, tmp_path: Path, every_released: Any, mangle: Any, damage: Any, watch: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for number in numbers:
        # A file of its own for each: what is read may stay mapped.
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(mutated(number, every_released, mangle, damage))
        try:
            with watch():
                found[outcome(path)] += 1
        except Exception as error:
            raise AssertionError(f"the file of number {number}: {type(error).__name__}: {error}") from error
        path.unlink()
    return found


def test_a_hundred_are_refused_or_harmless(
    tmp_path: Path, every_released: Any, mangle: Any, damage: Any, watch: Any
) -> None:
    found = count(range(FEW), tmp_path, every_released, mangle, damage, watch)
    assert found["refused"] > FEW / 3
    assert found["read"] > 5, "the changes are too coarse to come near what is legal"


def test_the_command_says_one_line(
    tmp_path: Path, every_released: Any, mangle: Any, damage: Any, gossamer: Any
) -> None:
    for number in range(THROUGH_THE_COMMAND):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(mutated(number, every_released, mangle, damage))
        said = gossamer("sample", path, "--num-samples", 2, "--out", tmp_path / f"{number}.npz")
        assert said.code in (0, 2)
        assert said.err.count("\n") == (said.code == 2)
        assert said.code == 0 or str(path) in said.err


@pytest.mark.slow
def test_ten_thousand_are_refused_or_harmless(
    tmp_path: Path, every_released: Any, mangle: Any, damage: Any, watch: Any
) -> None:
    found = count(range(FEW, FEW + MANY), tmp_path, every_released, mangle, damage, watch)
    assert found["refused"] > MANY / 3
    assert found["read"] > MANY / 100


def test_numbers_outside_the_range_would_be_seen(tmp_path: Path, every_released: Any, monkeypatch: Any) -> None:
    path = tmp_path / "generator.safetensors"
    path.write_bytes(every_released[0].content())
    assert outcome(path) == "read"
    monkeypatch.setattr(torch, "aminmax", lambda x: (torch.tensor(0.0), torch.tensor(1.0)))
    monkeypatch.setattr(torch, "sigmoid", lambda x: 2 + x)
    with pytest.raises(AssertionError):
        outcome(path)
