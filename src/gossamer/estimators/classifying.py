"""Records to be classified by a release, read as those that it was learnt from, and the classes named for them."""

from __future__ import annotations

from numbers import Real
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch

from gossamer.data.columns import is_table
from gossamer.data.frames import is_frame
from gossamer.data.images import ImageSpec
from gossamer.data.likeness import brings_facts, check_like, doubt, facts_of_classes, facts_of_series
from gossamer.data.npz import has_unnamed_classes
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.errors import InputError, told
from gossamer.estimators.advice import warn
from gossamer.estimators.data_sets import gathered, is_data_set
from gossamer.estimators.records import Source, read_source
from gossamer.estimators.tables import COLUMNS, Said, check_said
from gossamer.estimators.values import column_of, names_in
from gossamer.methods.classifier import ReleasedClassifier
from gossamer.methods.trained import TrainedGenerator

_LABEL: Final = frozenset({"label"})


def probabilities_of(trained: TrainedGenerator, x: Source, evenness: float | None, said: Said) -> np.ndarray:
    """Return the probabilities of classes, as `ReleasedGenerator.predict_proba` describes them."""
    classifier = ReleasedClassifier.of(trained, _checked_evenness(evenness))
    return classifier.probabilities(read_to_classify(x, said, classifier.spec).x).numpy()


def classes_of(probabilities: np.ndarray, spec: AbstractSpec) -> np.ndarray:
    """Return the most probable class of each record: its name if somebody named the classes, else its number."""
    numbers = probabilities.argmax(axis=1)
    names, _ = facts_of_classes(spec)
    return np.array(names)[numbers] if names else numbers


def read_to_classify(x: Source, said: Said, spec: AbstractSpec) -> RecordSet:
    """Read records in any form that `fit` takes, with the public facts of the release where nothing else is said.

    Labels that come along are left aside.

    Args:
        x: the source.
        said: public facts, as for `fit`.
        spec: of the release.

    Raises:
        InputError: records that break a rule, or are unlike those of the release, or are divided.
    """
    check_said(said)
    if is_data_set(x):
        x, _, _ = gathered(x, said)
        said = _without(said, COLUMNS)
    is_array = isinstance(x, np.ndarray | torch.Tensor)
    if isinstance(x, str | Path) or is_array or is_frame(x):
        said, num_classes = _completed(x, said, spec)
        data = read_source(x, None, None, num_classes, said=said)
    else:
        data = read_source(x, None, None, None, said=said)
    if data.test is not None:
        raise InputError(
            "these records are divided in two: read them by load_records, and hand over .train or .test of the result"
        )
    check_like("x", data.train.spec, spec)
    line = doubt(data)
    warn(() if line is None else (line,))
    return data.train


def _completed(x: Any, said: Said, spec: AbstractSpec) -> tuple[Said, int | None]:
    """Return public facts with those of the release, and the number of classes if the source needs it."""
    if isinstance(x, str | Path) and brings_facts(str(x), is_windowed="window" in said):
        return said, None
    is_of_table = is_frame(x) or (isinstance(x, str | Path) and is_table(Path(x)))
    if is_of_table and "label" in said:
        label = column_of(said["label"], "label")
        drop = (*names_in(said.get("drop", ()), "drop"), *([] if label is None else [label]))
        said = cast("Said", {**_without(said, _LABEL), "drop": drop})
    known = facts_of_series(spec, is_long="time" in said and "window" not in said)
    if isinstance(spec, ImageSpec) and is_of_table:
        known |= {"shape": list(spec.shape)}
    return cast("Said", known | said), _num_classes(x, spec)


def _num_classes(x: Any, spec: AbstractSpec) -> int | None:
    """Return the number of classes for an NPZ file with labels that nobody named."""
    path = Path(x) if isinstance(x, str | Path) else None
    if path is None or path.suffix.lower() != ".npz" or not path.is_file():
        return None
    return spec.num_classes if has_unnamed_classes(path) else None


def _without(said: Said, words: frozenset[str]) -> Said:
    return cast("Said", {name: value for name, value in said.items() if name not in words})


def _checked_evenness(evenness: object) -> float | None:
    if evenness is None:
        return None
    if isinstance(evenness, bool) or not isinstance(evenness, Real):
        raise InputError(f"evenness must be a number from 0 to 1, not {told(evenness)}")
    return float(evenness)
