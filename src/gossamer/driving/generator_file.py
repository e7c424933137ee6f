"""A generator as one file that may be shared: written, and read back with checks against damage and malice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from gossamer.data.files import path_of
from gossamer.data.records import check_kind
from gossamer.errors import GossamerError, InputError
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.allowance import Allowance
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.runs.release import find_generator, read_generator, write_generator

_WEIGHT_TYPES = (torch.float32, torch.int64)
_MAX_RECIPE_DEPTH = 20
_MAX_RECIPE_ITEMS = 1000
_LARGEST_RECORD = 2**20
"""Numbers of a record that any file may be of. A larger one needs as many weights."""
_TOO_LARGE = "its recipe asks for more than its weights allow; fetch the file again"


def load_generator(path: Path) -> TrainedGenerator:
    """Read a generator that `save` or `gossamer train` wrote, in torch's terms. No code in the file is run.

    Args:
        path: as for `load`.

    Raises:
        InputError: there is no file, or it is damaged.
    """
    file = find_generator(path_of(path, "path"))
    weights, recipe, statement = read_generator(file)
    num_weights = sum(weight.numel() for weight in weights.values())
    _check_sizes(file, recipe, num_weights)
    _check_weights(file, weights)
    trained = TrainedGenerator(
        recipe=from_json_tree(GeneratorRecipe, recipe, str(file)),
        weights=weights,
        statement=_read_statement(file, statement),
    )
    if math.prod(trained.recipe.spec.shape) > max(num_weights, _LARGEST_RECORD):
        raise InputError(f"{file}: {_TOO_LARGE}")
    try:
        with Allowance(num_weights):
            trained.sample(1)
    except (RuntimeError, LookupError, TypeError, ValueError, ArithmeticError):
        raise InputError(f"{file}: the weights do not fit the recipe in its header; fetch the file again") from None
    return trained


def _read_statement(file: Path, document: dict[str, Any]) -> PrivacyStatement:
    try:
        return PrivacyStatement.from_json(document)
    except GossamerError as error:
        raise InputError(f"{file}: {error}") from None


def _check_weights(file: Path, weights: dict[str, torch.Tensor]) -> None:
    for weight in weights.values():
        if weight.dtype not in _WEIGHT_TYPES:
            raise InputError(f"{file}: a weight is of type {weight.dtype}; fetch the file again")
        # A part at a time: a mapped file may be larger than the memory.
        if not all(bool(part.isfinite().all()) for part in weight.flatten().split(2**22)):
            raise InputError(f"{file}: a weight is not a finite number; fetch the file again")


def _check_sizes(file: Path, recipe: Any, num_weights: int, depth: int = 0) -> None:
    """Refuse a recipe that names more units than there are weights, before memory is taken for them."""
    if depth > _MAX_RECIPE_DEPTH or len(recipe) > _MAX_RECIPE_ITEMS:
        raise InputError(f"{file}: its recipe is nested too deeply or too long; fetch the file again")
    for name, value in recipe.items() if isinstance(recipe, dict) else enumerate(recipe):
        if isinstance(value, dict | list):
            # A record may be longer than a mixture has weights, which are of its low frequencies alone.
            is_record = depth == 0 and name == "spec"
            _check_sizes(file, value, max(num_weights, _LARGEST_RECORD) if is_record else num_weights, depth + 1)
        elif isinstance(value, int) and value > num_weights:
            raise InputError(f"{file}: {_TOO_LARGE}")


def write_generator_file(trained: TrainedGenerator, path: Path) -> Path:
    """Write a generator with its recipe and statement in the header of one file."""
    check_kind("trained", trained, TrainedGenerator)
    path = path_of(path, "path")
    write_generator(
        path, weights=trained.weights, recipe=to_json_tree(trained.recipe), statement=trained.statement.to_json()
    )
    return path
