"""Hostile generator files: lying headers, recipes of networks that fill any memory, statements that are none."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.estimators import load_generator
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.images.settings import CosineGeneratorConfig, MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.release import MAX_GENERATOR_BYTES, MAX_HEADER_BYTES, MAX_TENSORS


def packed(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def rewritten(change: Callable[[dict[str, Any]], Any]) -> Callable[[Any], bytes]:
    """The file with its header changed, tensors and metadata as they are."""

    def write(released: Any) -> bytes:
        header, data = parts(released.content())
        change(header)
        return packed(header, data)

    return write


def tensor(**changes: Any) -> Callable[[Any], bytes]:
    return rewritten(lambda header: header["to_image.bias"].update(changes))


def recipe(**changes: Any) -> Callable[[Any], bytes]:
    """The recipe with some entries changed; `a__b` is entry b of entry a."""

    def write(released: Any) -> bytes:
        tree = json.loads(json.dumps(released.recipe))
        for path, value in changes.items():
            *way, last = path.split("__")
            place = tree
            for name in way:
                place = place[name]
            place[last] = value
        return released.content(recipe=tree)

    return write


def statement(**changes: Any) -> Callable[[Any], bytes]:
    return lambda released: released.content(statement=released.statement | changes)


def weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], bytes]:
    return lambda released: released.content(weights={name: change(one) for name, one in released.weights.items()})


def raw(**texts: str) -> Callable[[Any], bytes]:
    return lambda released: released.content(**texts)


def wide(num_weights: int, sizes: list[int]) -> Callable[[Any], bytes]:
    """So many weights that no layer of the recipe is wider; what they multiply to would fill any memory."""

    def write(released: Any) -> bytes:
        tree = released.recipe | {"network": released.recipe["network"] | {"hidden_sizes": sizes}}
        return released.content(recipe=tree, weights=released.weights | {"more": torch.zeros(num_weights)})

    return write


def square(released: Any) -> bytes:
    """Cosine functions of every frequency on a large plane: a basis of terabytes that no weight stands for."""
    tree = to_json_tree(
        GeneratorRecipe(
            network=CosineGeneratorConfig(radius=1e6),
            latent=NormalLatent(dim=3),
            spec=ImageSpec(channels=1, height=1024, width=1024),
        )
    )
    return released.content(recipe=tree, weights={"more": torch.zeros(10**6 + 1)})


NEST = "[" * 100_000 + "]" * 100_000
FORGED: dict[str, Callable[[Any], bytes]] = {
    "nothing": lambda released: b"",
    "eight bytes": lambda released: bytes(8),
    "a header of 2^63 bytes": lambda released: struct.pack("<Q", 2**63) + b"{}",
    "a header longer than the file": lambda released: struct.pack("<Q", 10**6) + b"{}",
    "a header longer than any": lambda released: packed(b"{" + b" " * MAX_HEADER_BYTES + b"}"),
    "a header that is no JSON": lambda released: packed(b"hello"),
    "a header nested without end": lambda released: packed(NEST.encode()),
    "a header in another alphabet": lambda released: packed(b'{"\xff\xfe": {}}'),
    "metadata that are no text": rewritten(lambda header: header.update(__metadata__={"format": 3})),
    "metadata that are none": rewritten(lambda header: header.update(__metadata__=[])),
    "no metadata": rewritten(lambda header: header.pop("__metadata__")),
    "one tensor twice": lambda released: packed(
        json.dumps(parts(released.content())[0]).replace("to_image.weight", "to_image.bias").encode(),
        parts(released.content())[1],
    ),
    "tensors that overlap": tensor(data_offsets=[8, 88]),
    "a tensor behind the end": tensor(data_offsets=[2**40, 2**40 + 80]),
    "a tensor that ends before it begins": tensor(data_offsets=[80, 0]),
    "a negative shape": tensor(shape=[-20]),
    "a shape of 2^64": tensor(shape=[2**64]),
    "a shape whose product goes round": tensor(shape=[2**32, 2**32, 20]),
    "an empty shape of 2^62": tensor(shape=[0, 2**62], data_offsets=[0, 0]),
    "another shape": tensor(shape=[4, 5]),
    "a type that is none": tensor(dtype="F31"),
    "a type of half the bytes": tensor(dtype="F16"),
    "tensors without end": rewritten(
        lambda header: header.update(
            {f"{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(MAX_TENSORS)}
        )
    ),
    "weights that are no numbers": weights(lambda one: torch.full_like(one, torch.nan)),
    "weights without end": weights(lambda one: torch.full_like(one, torch.inf)),
    "weights whose sums have no end": weights(lambda one: torch.full_like(one, 3e38) * torch.randn(one.shape).sign()),
    "complex weights": weights(lambda one: one.to(torch.complex64)),
    "weights of eight bits": weights(lambda one: one.to(torch.float8_e4m3fn)),
    "weights of other shapes": weights(lambda one: one[:1]),
    "no weights": lambda released: released.content(weights={}),
    "a hidden layer of 10^12": recipe(network__hidden_sizes=[10**12]),
    "hidden layers without end": recipe(network__hidden_sizes=[1] * 100_000),
    "layers that multiply to terabytes": wide(10**6, [10**6, 10**6]),
    "layers that multiply to gigabytes": wide(60_000, [60_000, 30_000]),
    "a basis of terabytes": square,
    "a negative layer": recipe(network__hidden_sizes=[-5]),
    "a latent of 10^12": recipe(latent__dim=10**12),
    "a latent of 10^400": recipe(latent__dim=10**400),
    "a latent of truth": recipe(latent__dim=True),
    "images of 10^6 pixels a side": recipe(spec__height=10**6),
    "another network": recipe(network__type="os.system"),
    "a network that a terminal obeys": recipe(network__type="\x1b[2J\x1b]0;x\x07"),
    "a key that a terminal obeys": lambda released: released.content(
        recipe=released.recipe | {"\x1b[31mred\x1b[0m\u202e": 1}
    ),
    "a class that a terminal obeys": recipe(spec__class_names=["a", "\x1b[2J"]),
    "classes with one name": recipe(spec__class_names=["a", "a"]),
    "classes without end": recipe(spec__class_names=[str(n) for n in range(5000)]),
    "shares that are no shares": recipe(class_shares=[2.0, -1.0]),
    "a recipe nested without end": raw(recipe=NEST),
    "a recipe nested nine hundred deep": raw(recipe="[" * 900 + "]" * 900),
    "a recipe nested thirty deep": raw(recipe='{"network":' + "[" * 30 + "]" * 30 + "}"),
    "a recipe that is no number": raw(recipe="NaN"),
    "a statement nested without end": raw(statement=NEST),
    "a statement nested nine hundred deep": raw(statement='{"mechanism":' + "[" * 900 + "]" * 900 + "}"),
    "a statement that is a list": raw(statement="[]"),
    "an epsilon that is no number": statement(epsilon=float("nan")),
    "an epsilon without end": statement(epsilon=float("inf")),
    "an epsilon of 10^400": statement(epsilon=10**400),
    "an epsilon beyond 10^308": lambda released: released.content(
        statement=json.dumps(released.statement | {"epsilon": 7e77}).replace("7e+77", "1e999")
    ),
    "an epsilon of text": statement(epsilon="0.1"),
    "an epsilon of truth": statement(epsilon=True),
    "a negative epsilon": statement(epsilon=-1.0),
    "a delta of text": statement(delta="small"),
    "slots of 10^400": statement(num_slots=10**400),
    "slots that are no count": statement(num_slots=100.5),
    "slots of nothing": statement(num_slots=0),
    "a mechanism that a terminal obeys": statement(mechanism="\x1b[2J\x1b]0;x\x07"),
    "a mechanism of two lines": statement(mechanism="all is well\nnothing is released"),
    "a mechanism that cannot be printed": statement(mechanism="\ud800"),
    "a mechanism that is a list": statement(mechanism=["a"]),
    "a mechanism without end": statement(mechanism="a" * 10**6),
    "parameters that are lists": statement(parameters={"num_steps": [[[]]]}),
    "parameters without end": statement(parameters={str(n): n for n in range(10_000)}),
    "sentences that are numbers": statement(covered=[1, 2]),
    "a sentence that a terminal obeys": statement(not_covered=["\x1b[8mhidden"]),
    "an unknown unit": statement(unit="galaxy"),
    "a unit that is a list": statement(unit=[]),
    "an unknown key": statement(surprise=1),
    "noise that may or may not be secure": statement(is_secure="yes"),
    "a format of 10^400": statement(format_version=10**400),
}


@pytest.fixture
def forged(tmp_path: Path, released: Any) -> Callable[[str], Path]:
    """A hostile generator file, by name."""

    def write(name: str) -> Path:
        path = tmp_path / "generator.safetensors"
        path.write_bytes(FORGED[name](released))
        return path

    return write


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_generator_ends_in_one_line(forged: Any, watch: Any, name: str) -> None:
    path = forged(name)
    with watch(), pytest.raises(InputError) as caught:
        load_generator(path)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 2000
    assert str(path) in line


COMMANDS = (
    "layers that multiply to gigabytes", "a key that a terminal obeys", "weights whose sums have no end",
    "a statement nested nine hundred deep", "a mechanism that a terminal obeys", "an epsilon of 10^400",
)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_it(tmp_path: Path, forged: Any, refused: Any, name: str) -> None:
    path = forged(name)
    out = tmp_path / "drawn.npz"
    refused("sample", path, "--num-samples", 3, "--out", out, at=str(path))
    refused("evaluate", path, "--data", "digits", "--quick", at=str(path))
    refused("compare", path, path, "--data", "digits", "--quick", at=str(path))
    assert not out.exists()


def test_a_file_of_a_hundred_gigabytes_that_takes_no_room_is_refused(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "generator.safetensors"
    size = 100 * 2**30
    path.write_bytes(packed({"x": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}))
    os.truncate(path, path.stat().st_size + size)
    line = refused("sample", path, "--num-samples", 3, "--out", tmp_path / "drawn.npz", at=str(path))
    assert str(MAX_GENERATOR_BYTES) in line


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_in_its_place_is_refused(tmp_path: Path, refused: Any, make: Any) -> None:
    path = tmp_path / "generator.safetensors"
    make(path)
    refused("sample", path, "--num-samples", 3, "--out", tmp_path / "drawn.npz", at=str(path))


def test_an_honest_file_is_read_and_its_statement_is_the_one_written(
    forged: Any, released: Any, tmp_path: Path
) -> None:
    path = tmp_path / "generator.safetensors"
    path.write_bytes(released.content())
    trained = load_generator(path)
    assert trained.statement == PrivacyStatement.from_json(released.statement)
    assert to_json_tree(trained.recipe) == released.recipe


def test_large_images_are_drawn_a_few_at_a_time(released: Any, watch: Any) -> None:
    found = GeneratorRecipe(
        network=MLPGeneratorConfig(hidden_sizes=(1,)),
        latent=NormalLatent(dim=3),
        spec=ImageSpec(channels=3, height=512, width=512),
    )
    weights = dict(found.build(torch.Generator().manual_seed(0)).state_dict())
    trained = TrainedGenerator(recipe=found, weights=weights, statement=PrivacyStatement.from_json(released.statement))
    with watch():
        x, _ = trained.sample(25)
    assert torch.equal(x[:1], trained.sample(25)[0][:1])
