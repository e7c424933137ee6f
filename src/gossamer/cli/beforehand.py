"""All of a training that can be checked before its records are read: words, places, and a budget."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from gossamer.cli.arguments import check_arguments
from gossamer.data.catalogue import check_exists
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.extras import need
from gossamer.methods.method import Method
from gossamer.privacy.budget import PrivacyBudget
from gossamer.runs.config_io import from_json_tree
from gossamer.runs.files import read_json
from gossamer.runs.zoo import is_in_zoo

C = TypeVar("C")

DEFAULT_EPSILON: Final = 10.0
"""Privacy budget of a training if none was given."""
# Any records do for the names of options. Labelled, since unlabelled ones have no settings of classes.
_EXAMPLES: Final = (
    ImageSpec(channels=1, height=28, width=28, class_names=("0", "1")),
    SeriesSpec(channels=1, length=64, low=(0.0,), high=(1.0,), class_names=("0", "1")),
)
_ANY_NUMBER: Final = 10_000
_ANY_DELTA: Final = 1e-6


@dataclass(frozen=True, kw_only=True)
class Begun:
    """All of a training that can be checked before its records are read.

    Args:
        out: run folder to make
        key_of: an earlier run of which the key is taken
        dry_run: nothing is trained
        epsilon: privacy budget
        delta: of the guarantee
        start_from: public start
        tensorboard: write event files
    """

    out: Path | None = None
    key_of: Path | None = None
    dry_run: bool = False
    epsilon: float | None = None
    delta: float | None = None
    start_from: str | None = None
    tensorboard: bool = False

    def check(self) -> None:
        """Refuse now all that would be refused after the records were read, which may take minutes.

        Raises:
            InputError: a place for the run is missing, a budget is none, or a public start is not there.
        """
        if self.out is None and not self.dry_run:
            raise InputError("--out is missing: name a folder for the run, for example --out runs/first")
        if self.tensorboard:
            need("tensorboard", "--tensorboard")
        PrivacyBudget(epsilon=_or(self.epsilon, DEFAULT_EPSILON), delta=_or(self.delta, _ANY_DELTA))
        # A generator that is not there is refused where generators are read, in their own words.
        if self.start_from is not None and not (self.start_from.endswith(".safetensors") or is_in_zoo(self.start_from)):
            check_exists(self.start_from)


def _or(given: float | None, usual: float) -> float:
    return usual if given is None else given


def check_words(kind: type[Any], possible: Iterable[Any], words: Sequence[str], program: str) -> None:
    """Refuse a word that is no option of a training, whatever the records are.

    Args:
        kind: dataclass of the options.
        possible: settings that may be those of the method, the likely ones first.
        words: the words that were typed.
        program: the words before them.

    Raises:
        InputError: a word fits none of the settings.
    """
    refused = []
    for config in possible:
        try:
            check_arguments(kind, words, program=program, method=config)
            return
        except InputError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def possible_settings(method: Method[Any], recipe: str | None, *, is_series: bool) -> Iterator[Any]:
    """List settings with all options that a method may have.

    Args:
        method: the method.
        recipe: that was named, or the file of settings, or None.
        is_series: True if the records are likely to be series. Their settings come first.
    """
    if recipe is not None:
        yield settings_in(method, Path(recipe)) if recipe.endswith(".json") else method.find(recipe).config
        return
    for spec in _EXAMPLES[:: -1 if is_series else 1]:
        with contextlib.suppress(InputError):
            yield method.settings_for(spec, _ANY_NUMBER)
    yield from (recipe.config for recipe in method.recipes)


def settings_in(method: Method[C], file: Path) -> C:
    """Read a method's settings in a run's `config.json`, without the noise: that follows from the budget."""
    tree = read_json(file)
    settings: Any = from_json_tree(method.config, tree.get("method") if isinstance(tree, dict) else None, str(file))
    return dataclasses.replace(settings, noise_multiplier=None)
