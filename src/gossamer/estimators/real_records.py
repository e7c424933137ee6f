"""Real records beside which a fitted model is scored, read as those that it was fitted to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch

from gossamer.data.files import path_of
from gossamer.data.frames import ArrowStream, is_frame
from gossamer.data.images import ImageSpec
from gossamer.data.likeness import brings_facts
from gossamer.data.records import AbstractSpec, RecordData, RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.driving.run import check_held_out
from gossamer.errors import InputError, told
from gossamer.estimators.advice import DRAWN_ANEW
from gossamer.estimators.arguments import Arguments
from gossamer.estimators.data_sets import DataSet, is_data_set
from gossamer.estimators.records import Array, Source, read_source
from gossamer.estimators.tables import COLUMNS, Said, is_path
from gossamer.privacy.adjacency import Unit
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

HeldOut = tuple[Array, ...] | RecordSet | RecordData | ArrowStream | DataSet | None
"""Records held out: arrays (x, y) or (x, y, people), a frame, a data set or records. None for those that come along."""
_OF_TABLES: Final = COLUMNS | {"shape", "pad_shorter", "length", "annotator"}


def read_real(
    x: Source,
    y: Array | None,
    people: Array | None,
    said: Said,
    run: str | Path | None,
    asked: Arguments,
    spec: AbstractSpec,
) -> tuple[RecordData, tuple[str, ...]]:
    """Read the records that a model was fitted to, divided as its run did, and return a line to be warned with.

    Args:
        x: as for `fit`.
        y: as for `fit`.
        people: as for `fit`.
        said: public facts, as for `fit`. Those that are left out are the generator's.
        run: folder of the run that says by its key who was held out.
        asked: arguments of the estimator.
        spec: of the generator.

    Raises:
        InputError: records that break a rule, or others than the run began with.
    """
    folder = None if run is None else RunFolder.open(path_of(run, "run"))
    key = None if folder is None else read_key(folder)
    said, num_classes = _completed(x, said, asked.num_classes, spec)
    data = read_source(x, y, people, num_classes, asked.unit or Unit.RECORD, key, said)
    if not data.is_split_by_key:
        return data, ()
    if folder is not None:
        check_held_out(folder, data.train)
    return data, (DRAWN_ANEW,) if folder is None and isinstance(x, str | Path) else ()


def read_test(test: HeldOut, said: Said, num_classes: int | None, spec: AbstractSpec) -> RecordSet | None:
    """Return records held out as records.

    Args:
        test: arrays, a frame, a data set or records.
        said: public facts, those of the other records.
        num_classes: public number of classes that the user gave.
        spec: of the generator.

    Raises:
        InputError: they are of another kind, or break a rule.
    """
    x, y, people = (*test, None, None)[:3] if isinstance(test, tuple) and len(test) in (1, 2, 3) else (test, None, None)
    if isinstance(x, RecordSet | RecordData | None) and y is None and people is None:
        return x.train if isinstance(x, RecordData) else x
    if not (_is_array(x) or is_frame(x) or is_data_set(x)):
        raise InputError(
            f"test must be (x, y) or (x, y, people), a frame, a data set of torch or records, not {told(test)}"
        )
    if _is_array(x):
        said = cast("Said", {name: value for name, value in said.items() if name not in _OF_TABLES})
    said, num_classes = _completed(x, said, num_classes, spec)
    return read_source(cast("Source", x), y, people, num_classes, said=said).train


def _completed(x: Any, said: Said, num_classes: int | None, spec: AbstractSpec) -> tuple[Said, int | None]:
    """Fill in the public facts that the user did not say again, from the generator that knows them.

    Records that bring their own facts, such as a name or a folder, are read as they are.
    """
    is_told = _is_array(x) or is_frame(x) or is_data_set(x) or (said and is_path(x))
    if not is_told or _is_of_beats(x, said):
        return said, num_classes
    known: dict[str, Any] = {}
    if num_classes is None and "class_names" not in said and spec.class_names:
        # Classes that are numbers are read as numbers, and not as names that look like them.
        if spec.class_names == tuple(map(str, range(spec.num_classes))):
            num_classes = spec.num_classes
        else:
            known["class_names"] = list(spec.class_names)
    if isinstance(spec, SeriesSpec):
        known |= {"low": list(spec.low), "high": list(spec.high), "sample_rate": spec.sample_rate}
        known |= {"length": spec.length} if "time" in said and "window" not in said else {}
    elif isinstance(spec, ImageSpec) and is_frame(x):
        known["shape"] = list(spec.shape)
    return cast("Said", {name: value for name, value in known.items() if value is not None} | said), num_classes


def _is_of_beats(x: object, said: Said) -> bool:
    """Return True for a published set, and for a folder of recordings with beats: no public fact of them is said."""
    return isinstance(x, str | Path) and brings_facts(str(x), is_windowed="window" in said)


def _is_array(x: object) -> bool:
    return isinstance(x, np.ndarray | torch.Tensor)
