"""`gossamer predict`: the classes of records, named by a release that classifies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.cli.outputs import say
from gossamer.cli.scoring import ScoringChoice, load_divided
from gossamer.cli.series_options import AS_STORED, NOTHING_SAID, ImageOptions, SeriesOptions
from gossamer.data.likeness import brings_facts, doubt, facts_of_classes, facts_of_series, taken_by_order
from gossamer.data.npz import has_unnamed_classes
from gossamer.data.records import AbstractSpec, RecordData, RecordSet
from gossamer.driving.job import data_of_run, whole_path
from gossamer.evaluation.record import score_to_json
from gossamer.runs.files import check_is_none_of
from gossamer.runs.prediction_files import check_prediction_file, write_predictions

if TYPE_CHECKING:
    from gossamer.scoring.predictions import Predictions

_NOT_KEPT = (
    "Nothing was spent, and the records were not kept. The named classes tell of these records: no guarantee covers "
    "them."
)


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Name the class of each record by a release of dp-mixture or labelled-mixture.

    The classifier is computed from the release alone, so it spends nothing. The records are read, and not kept. The
    classes that are named tell of these records, and are as private as the records are.

    Example: gossamer predict runs/mnist --data mnist --out predictions.csv

    Args:
        source: run folder, the folder of a generator saved on the way, or a generator.safetensors
        data: the records: a name such as mnist, or your own. Those held out if the data are divided, else all of them
        out: X.csv or X.npz: number, class and probabilities of each record
        evenness: shares that the classes are taken to have: those released (0), all alike (1), or between them.
            Default: those released, or all alike if none were released
        data_dir: folder of published sets. Default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data. Default: that of the release
        images: how images are read. Default: as the run read its own
        series: how series are read, as in training. Bounds and rate are those of the release if nothing is said
        json: print JSON
    """

    source: Annotated[Path, Mark.POSITIONAL]
    data: str
    out: Path | None = None
    evenness: float | None = None
    data_dir: Path | None = None
    num_classes: int | None = None
    images: ImageOptions = AS_STORED
    series: SeriesOptions = NOTHING_SAID
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Classify records, and score the named classes if the records have labels."""
    asked = read_arguments(Predict, arguments, program="predict")
    from gossamer.estimators import load_generator
    from gossamer.methods.classifier import ReleasedClassifier
    from gossamer.scoring.predictions import Predictions
    from gossamer.scoring.write_up import check_outside_releases

    if asked.out is not None:
        check_prediction_file(asked.out)
        check_is_none_of(asked.out, (asked.data, *data_of_run(asked.source)))
        check_outside_releases(asked.out, "what is said of real records")
    classifier = ReleasedClassifier.of(load_generator(asked.source), asked.evenness, where=str(asked.source))
    data = _read(asked, classifier.spec)
    found = Predictions.of(classifier, _records(asked, data), asked.data)
    for line in (doubt(data), *taken_by_order(asked.data, data.train.spec, classifier.spec)):
        if line is not None:
            say(line)
    if asked.out is not None:
        write_predictions(asked.out, found.probabilities, found.class_names)
    if asked.json:
        print(json.dumps(_tree(asked, found), indent=2))
        return 0
    _show(asked, found)
    return 0


def _read(asked: Predict, spec: AbstractSpec) -> RecordData:
    """Read the data, with the public facts of the release if nothing else was said."""
    choice = ScoringChoice(
        data=asked.data,
        data_dir=asked.data_dir,
        num_classes=asked.num_classes,
        images=asked.images,
        series=asked.series,
    )
    return load_divided(_with_facts(choice, spec), (asked.source,))[0]


def _records(asked: Predict, data: RecordData) -> RecordSet:
    """Return the records to classify: those held out if the data are divided, else all."""
    if data.test is None:
        if whole_path(asked.data) in data_of_run(asked.source):
            say("the run learnt from these very records: of others it names fewer rightly")
        return data.train
    say(f"{asked.data}: the {data.test.num_records} records held out are classified")
    return data.test


def _with_facts(choice: ScoringChoice, spec: AbstractSpec) -> ScoringChoice:
    """Return the choice with the public facts of the release, if nothing else was said."""
    series = choice.series
    if brings_facts(choice.data, is_windowed=series.window is not None):
        return choice
    known = facts_of_series(spec, is_long=series.time_column is not None and series.window is None)
    unsaid = {name: value for name, value in known.items() if getattr(series, name) in (None, ())}
    is_numbered = Path(choice.data).suffix.lower() == ".npz" and has_unnamed_classes(Path(choice.data))
    if choice.num_classes is None and not series.class_names:
        names, number = facts_of_classes(spec)
        if is_numbered:
            choice = replace(choice, num_classes=spec.num_classes)
        elif series.class_column is not None:
            choice, unsaid = replace(choice, num_classes=number), unsaid | {"class_names": names}
    return replace(choice, series=replace(series, **unsaid))


def _tree(asked: Predict, found: Predictions) -> dict[str, Any]:
    return {
        "source": str(asked.source),
        "data": asked.data,
        "num_records": len(found.probabilities),
        "evenness": found.evenness,
        "counts": found.counts,
        "scores": {name: score_to_json(score) for name, score in found.scores().items()},
        "out": None if asked.out is None else str(asked.out),
        "note": _NOT_KEPT,
    }


def _show(asked: Predict, found: Predictions) -> None:
    print(f"{len(found.probabilities)} records of {asked.data}, classes taken at evenness {found.evenness:g}")
    print(f"named: {', '.join(f'{name} {number}' for name, number in found.counts.items())}")
    for score in found.scores().values():
        print(score)
    if found.num_absent:
        print(f"{found.num_absent} classes occur in no record, and no mean over classes is over them.")
    if found.true is None:
        print("The records have no labels, so nothing tells how many are right.")
    print(f"\n{_NOT_KEPT}")
    print("Nothing was written; --out X.csv keeps it." if asked.out is None else f"Written: {asked.out}")
