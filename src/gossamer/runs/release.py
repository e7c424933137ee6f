"""What leaves: a generator file with its recipe and statement in its header, and the statement beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.runs.files import whole_file, write_json
from gossamer.runs.folder import RunFolder

FORMAT = "gossamer-generator-1"


def write_release(
    folder: RunFolder, *, weights: dict[str, Tensor], recipe: dict[str, Any], statement: dict[str, Any], text: str
) -> Path:
    """Write `generator.safetensors`, `privacy.json` and `PRIVACY.md` into `release/`.

    Args:
        folder: the run.
        weights: tensors of the released generator.
        recipe: how to build it, as JSON.
        statement: what is claimed, as JSON.
        text: the same in plain words.
    """
    write_json(folder.release / "privacy.json", statement)
    with whole_file(folder.release / "PRIVACY.md") as file:
        file.write(text.encode())
    # The generator comes last: where it is, its statement stands beside it.
    write_generator(folder.generator_file, weights=weights, recipe=recipe, statement=statement)
    return folder.generator_file


def write_generator(
    path: Path, *, weights: dict[str, Tensor], recipe: dict[str, Any], statement: dict[str, Any]
) -> None:
    """Write a generator file alone."""
    header = {"format": FORMAT, "recipe": json.dumps(recipe), "statement": json.dumps(statement)}
    content = safetensors.torch.save({name: tensor.contiguous() for name, tensor in weights.items()}, metadata=header)
    with whole_file(path) as file:
        file.write(content)


def read_generator(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Weights, recipe and statement of a generator file. No code is run.

    Raises:
        InputError: no such file, or not one that gossamer wrote.
    """
    if not path.is_file():
        raise InputError(f"{path}: no released generator here; `gossamer train` writes one when it ends")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.get("format") != FORMAT:
            raise InputError(f"{path}: a safetensors file, but not a generator of gossamer")
        recipe, statement = json.loads(header["recipe"]), json.loads(header["statement"])
    except InputError:
        raise
    except (safetensors.SafetensorError, ValueError, LookupError, OSError, RecursionError, AttributeError) as error:
        raise InputError(f"{path}: not a generator of gossamer ({type(error).__name__})") from None
    if not (isinstance(recipe, dict) and isinstance(statement, dict)):
        raise InputError(f"{path}: not a generator of gossamer (its header holds no recipe or no statement)")
    return weights, recipe, statement
