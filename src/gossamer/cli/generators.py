"""Finding a released generator: a run folder, or the file itself."""

from __future__ import annotations

from pathlib import Path

from gossamer.errors import InputError
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
    trained = TrainedGenerator(
        recipe=from_json_tree(GeneratorRecipe, recipe, str(file)),
        weights=weights,
        statement=PrivacyStatement.from_json(statement),
    )
    try:
        trained.network()
    except RuntimeError:
        raise InputError(f"{file}: the weights do not fit the recipe in its header; fetch the file again") from None
    return trained
