"""Finding a released generator: a run folder, or the file itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gossamer.errors import GossamerError, InputError
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.config_io import from_json_tree
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import read_generator


def load_generator(path: Path) -> TrainedGenerator:
    """The generator of a run, or of a file; only `release/` is read.

    Raises:
        InputError: there is none, or its weights do not fit its recipe.
    """
    file = RunFolder(path).generator_file if path.is_dir() else path
    weights, recipe, statement = read_generator(file)
    _check_sizes(file, recipe, sum(weight.numel() for weight in weights.values()))
    if not all(bool(weight.isfinite().all()) for weight in weights.values()):
        raise InputError(f"{file}: a weight is not a finite number; fetch the file again")
    trained = TrainedGenerator(
        recipe=from_json_tree(GeneratorRecipe, recipe, str(file)),
        weights=weights,
        statement=_statement(file, statement),
    )
    try:
        trained.network()
    except (RuntimeError, InputError, OverflowError):
        raise InputError(f"{file}: the weights do not fit the recipe in its header; fetch the file again") from None
    return trained


def _statement(file: Path, document: dict[str, Any]) -> PrivacyStatement:
    try:
        return PrivacyStatement.from_json(document)
    except GossamerError as error:
        raise InputError(f"{file}: {error}") from None


def _check_sizes(file: Path, recipe: Any, num_weights: int) -> None:
    """Refuse a recipe that names more units than there are weights, before memory is taken for them."""
    for value in recipe.values() if isinstance(recipe, dict) else recipe:
        if isinstance(value, (dict, list)):
            _check_sizes(file, value, num_weights)
        elif isinstance(value, int) and value > num_weights:
            raise InputError(f"{file}: its recipe asks for more than its {num_weights} weights; fetch the file again")
