"""Drawn records on their way to a file: the classes that are asked for, and the pieces that a writer takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path

import numpy as np
import torch

from gossamer.data.files import path_of
from gossamer.data.series import SeriesSpec
from gossamer.driving.handing_over import drawn_pieces, write_folder_cards, write_records
from gossamer.errors import GossamerWarning, InputError, told
from gossamer.estimators.values import numbers_to_draw, whole
from gossamer.methods.trained import TrainedGenerator
from gossamer.runs.pieces import Pieces

Labels = int | str | Sequence[int] | Sequence[str] | np.ndarray | torch.Tensor | None
"""Classes to draw: one for all records, or one each, by number or by name. None for all classes in turn."""
SeriesWriter = Callable[[Path, Pieces, np.ndarray | None, SeriesSpec], tuple[str, ...] | None]


def chosen_labels(
    trained: TrainedGenerator, num_samples: int, labels: Labels, evenness: float | None, seed: int
) -> torch.Tensor | None:
    """Return the classes to draw, int64 (num_samples,), None for all in turn.

    Raises:
        InputError: labels and evenness together, or one of them is out of range.
    """
    if evenness is None:
        chosen = numbers_to_draw(labels, num_samples, trained.recipe.spec.class_names)
        return None if chosen is None else torch.from_numpy(chosen)
    if labels is not None:
        raise InputError("labels and evenness both say which classes to draw: give one of them")
    return uneven_labels(trained, num_samples, evenness, seed)


def uneven_labels(trained: TrainedGenerator, num_samples: int, evenness: float, seed: int) -> torch.Tensor:
    """Return labels between the released shares of the classes and equal shares. See `TrainedGenerator`.

    Raises:
        InputError: a number out of range, or a generator of a method that released no shares.
    """
    num_samples, seed = whole("num_samples", num_samples), whole("seed", seed)
    if isinstance(evenness, bool) or not isinstance(evenness, Real):
        raise InputError(f"evenness must be a number from 0 to 1, not {told(evenness)}")
    return trained.uneven_labels(num_samples, evenness=float(evenness), seed=seed)


def write_drawn(
    trained: TrainedGenerator, path: str | Path, num_samples: int, labels: Labels, evenness: float | None, seed: int
) -> Path:
    """Draw records into a file or folder, as its ending says. See `write_records`.

    Raises:
        InputError: labels or a number out of range, or an ending that records of this kind are not written as.
        ResourceError: the file cannot be written.
    """
    file = path_of(path, "path")
    x, y = _in_pieces(trained, num_samples, labels, evenness, seed)
    _tell(write_records(file, x, y, trained.recipe.spec))
    write_folder_cards(file, trained, len(x))
    return file


def write_drawn_series(
    trained: TrainedGenerator,
    path: str | Path,
    num_samples: int,
    labels: Labels,
    evenness: float | None,
    seed: int,
    *,
    write: SeriesWriter,
    what: str,
) -> Path:
    """Draw series into a file by a format's own writer, and warn with its notes.

    Raises:
        InputError: the samples are images, or as the writer.
        ResourceError: the file cannot be written.
    """
    spec = trained.recipe.spec
    if not isinstance(spec, SeriesSpec):
        raise InputError(f"{what} is of time series, and these samples are images: take to_frame")
    file = path_of(path, "path")
    x, y = _in_pieces(trained, num_samples, labels, evenness, seed)
    _tell(write(file, x, y, spec) or ())
    return file


def _in_pieces(
    trained: TrainedGenerator, num_samples: int, labels: Labels, evenness: float | None, seed: int
) -> tuple[Pieces, np.ndarray | None]:
    num_samples, seed = whole("num_samples", num_samples), whole("seed", seed)
    chosen = chosen_labels(trained, num_samples, labels, evenness, seed)
    drawn = trained.drawn_labels(num_samples, chosen)
    return drawn_pieces(trained, num_samples, chosen, seed), None if drawn is None else drawn.numpy()


def _tell(notes: tuple[str, ...]) -> None:
    for note in notes:
        warnings.warn(note, GossamerWarning, stacklevel=4)
