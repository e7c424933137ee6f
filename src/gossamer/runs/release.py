"""What leaves: a generator file with its recipe and statement in its header, and the statement beside it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.runs.files import whole_file, whole_folder, write_json
from gossamer.runs.folder import RunFolder

FORMAT = "gossamer-generator-1"
GENERATOR = "generator.safetensors"


@dataclass(frozen=True, kw_only=True)
class SavedGenerator:
    """A generator that was released as it was on the way.

    Attributes:
        step: steps of the plan that were paid for by then; its statement prices so many.
        path: its folder, `release/checkpoints/step-000500`: a release of its own.
    """

    step: int
    path: Path


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
    return _write_into(folder.release, weights, recipe, statement, text)


def write_saved_generator(
    folder: RunFolder,
    step: int,
    *,
    weights: dict[str, Tensor],
    recipe: dict[str, Any],
    statement: dict[str, Any],
    text: str,
) -> SavedGenerator:
    """Write the generator as it is after so many paid steps, with its own statement, into `release/checkpoints/`.

    The folder is whole or absent, and nothing is written over one that is there.

    Args:
        folder: the run.
        step: steps of the plan paid for so far, as in the statement.
        weights: as in `write_release`, like all that follows.
    """
    saved = SavedGenerator(step=step, path=saved_path(folder, step))
    with whole_folder(saved.path) as partial:
        _write_into(partial, weights, recipe, statement, text)
    return saved


def clear_unfinished(folder: RunFolder) -> None:
    """Remove what a crash left of a generator that was being saved."""
    for partial in folder.saved.glob(".step-*.partial"):
        shutil.rmtree(partial, ignore_errors=True)


def saved_path(folder: RunFolder, step: int) -> Path:
    """Where the generator after so many paid steps stands, if it was saved."""
    return folder.saved / f"step-{step:06d}"


def saved_generators(folder: RunFolder) -> tuple[SavedGenerator, ...]:
    """Generators that a run saved on the way, in rising order of steps; empty where it was not asked to."""
    named = {path: re.fullmatch(r"step-(\d{6,})", path.name) for path in folder.saved.glob("step-*")}
    found = [
        SavedGenerator(step=int(name[1]), path=path)
        for path, name in named.items()
        if name is not None and (path / GENERATOR).is_file()
    ]
    return tuple(sorted(found, key=lambda saved: saved.step))


def find_generator(path: Path) -> Path:
    """The generator's file in a run folder, a release, a saved generator's folder, or the file itself."""
    if not path.is_dir():
        return path
    beside = path / GENERATOR
    return beside if beside.is_file() else RunFolder(path).generator_file


def _write_into(
    folder: Path, weights: dict[str, Tensor], recipe: dict[str, Any], statement: dict[str, Any], text: str
) -> Path:
    write_json(folder / "privacy.json", statement)
    with whole_file(folder / "PRIVACY.md") as file:
        file.write(text.encode())
    # The generator comes last: where it is, its statement stands beside it.
    write_generator(folder / GENERATOR, weights=weights, recipe=recipe, statement=statement)
    return folder / GENERATOR


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
