"""`gossamer data`: the data at hand, and the part of it that will be public."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gossamer.cli.arguments import choose, read_arguments
from gossamer.cli.options import Mark
from gossamer.cli.progress import progress
from gossamer.cli.series_options import AS_STORED, NOTHING_SAID, ImageOptions, SeriesOptions
from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES, describe, load_records
from gossamer.data.image_choice import Ground
from gossamer.data.records import RecordData
from gossamer.data.splits import WHOLE
from gossamer.runs.converting import Fit, convert_images

ACTIONS = {
    "list": "the data sets that have a name",
    "describe": "read one, or your own, and say what is understood",
    "convert": "make a folder of PNG files of one size from pictures of mixed sizes and kinds",
}
_MOST_CHANNELS = 12
_MOST_SHOWN = 10
_TIME_BASE = ("low", "high", "sample_rate", "channel_names", "units")


@dataclass(frozen=True, kw_only=True)
class DescribeData:
    """Read a data set as a training would, and describe its contents and the part that will be public.

    Example: gossamer data describe scans.npz --num-classes 3

    Args:
        source: name from `gossamer data list`, a file (NPZ, NPY, IDX, CSV, Parquet, .ts, EDF), or a folder (pictures,
            DICOM, IDX, WFDB, EDF)
        data_dir: folder of published sets. Default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        images: how images are read
        series: how series are read. Without --split, recordings are described whole
        json: print JSON
    """

    source: Annotated[str, Mark.POSITIONAL]
    data_dir: Path | None = None
    num_classes: int | None = None
    images: ImageOptions = AS_STORED
    series: SeriesOptions = NOTHING_SAID
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class ConvertPictures:
    """Convert pictures of mixed sizes and kinds into PNG files of one size, each by itself, by public rules.

    Example: gossamer data convert photos --out small --size 64 --fit crop --gray

    Args:
        source: folder of pictures, up to two levels of sub-folders. It is only read
        out: folder of the results. Nothing is overwritten. The same command again goes on where it stopped
        size: public height and width in pixels, one number or HxW
        fit: public way to bring another ratio of the sides to that size: stretch, crop at both ends, or pad
        gray: make colour gray
        ground: public ground under transparent pixels and beside padded pictures
        json: print JSON
    """

    source: Annotated[Path, Mark.POSITIONAL]
    out: Path
    size: str
    fit: Fit = "stretch"
    gray: bool = False
    ground: Ground = "white"
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """List data sets, describe one, or convert pictures."""
    verb, rest = choose(arguments, ACTIONS, program="data", what="action")
    match verb:
        case "list":
            return _list()
        case "convert":
            return _convert(read_arguments(ConvertPictures, rest, program="data convert"))
        case _:
            return _describe(read_arguments(DescribeData, rest, program="data describe"))


def _list() -> int:
    table = Table("name", "records", "shape", "classes", "what", box=None, pad_edge=False)
    for data in (*NAMED_DATA, *NAMED_SERIES):
        shape = "x".join(map(str, data.spec.shape))
        records = f"{data.num_train} + {data.num_test}" if data.num_test else str(data.num_train or "?")
        table.add_row(data.name, records, shape, str(data.spec.num_classes), data.summary)
    Console().print(table)
    print("\nYour own images: --data FILE.npz (x, and y if labelled) or FOLDER (pictures, or DICOM files)")
    print("Your own series: --data FILE.csv, .parquet, .npz, .ts, .arff, .tsv or .edf, or --data FOLDER (WFDB or EDF)")
    return 0


def _convert(asked: ConvertPictures) -> int:
    choice = {"fit": asked.fit, "gray": asked.gray, "ground": asked.ground}
    with progress() as watched:
        done = convert_images(asked.source, asked.out, size=asked.size, count=watched.count, **choice)
    if asked.json:
        print(json.dumps({**dataclasses.asdict(done), "folder": str(done.folder)}, indent=2))
        return 0
    kept = f", {done.num_kept} were there" if done.num_kept else ""
    print(f"{done.num_made} pictures made{kept}: {done.folder}")
    for what, counts in (("formats", done.formats), ("changes", done.changes), ("left out", done.left_out)):
        if counts:
            print(f"private: {what}: {', '.join(f'{name} {num}' for name, num in counts.items())}")
    return 0


def _read(asked: DescribeData) -> RecordData:
    reading = asked.series.reading(asked.source)
    if reading.split is None and asked.source in ("mitdb", "ptbdb", "kaggle-ptbdb"):
        reading = dataclasses.replace(reading, split=WHOLE)
    return load_records(asked.source, asked.data_dir, asked.num_classes, reading, images=asked.images)


def _add_columns(table: Table, columns: dict[str, Any]) -> None:
    """Add the meaning of each column of a table, as it was understood."""
    values = columns["values"]
    table.add_row("layout", columns["layout"])
    table.add_row("value columns", escape(f"{values['number']}, first {values['first']!r}, last {values['last']!r}"))
    for name in ("class", "person", "series", "time"):
        if columns[name] is not None:
            table.add_row(f"{name} column", escape(repr(columns[name])))
        elif name in ("class", "person"):
            table.add_row(f"{name} column", "none was named")
    if columns["left_out"]:
        more = ", ..." * (len(columns["left_out"]) > _MOST_SHOWN)
        table.add_row("left out", escape(", ".join(map(repr, columns["left_out"][:_MOST_SHOWN])) + more))


def _describe(asked: DescribeData) -> int:
    found = describe(_read(asked))
    if asked.json:
        print(json.dumps(found, indent=2))
        return 0
    table = Table(show_header=False, box=None, pad_edge=False)
    for name in ("name", "num_records", "num_test_records", "num_people", "num_recordings", "shape", *_TIME_BASE):
        if found.get(name) is not None:
            table.add_row(name, escape(str(found[name])))
    if found["num_test_records"] is None:
        table.add_row("num_test_records", "none: evaluate needs others, by --test-data or by a split")
    if found["columns"] is not None:
        _add_columns(table, found["columns"])
    table.add_row("classes", escape(", ".join(found["classes"])) or "none: there are no labels")
    if found["classes"]:
        table.add_row("class counts (private)", escape(str(found["private"]["class_counts"])))
    for reason, number in found["private"]["left_out"].items():
        table.add_row("left out (private)", escape(f"{number} {reason}"))
    _add_values(table, found["private"]["values"])
    Console().print(table)
    for sentence in found["public"]:
        print(f"public: {sentence}")
    if found["not_read"]:
        print(f"not read: {', '.join(found['not_read'])}")
    for sentence in found["private"]["warnings"]:
        print(f"private: {sentence}")
    print(f"private: {found['private']['note']}")
    return 0


def _add_values(table: Table, values: list[dict[str, Any]]) -> None:
    """Add a row for each channel, with the range of its values and the shares that were clipped."""
    for channel in values[:_MOST_CHANNELS]:
        said = f"{channel['least']:.6g} to {channel['greatest']:.6g}, mean {channel['mean']:.6g}"
        said += f", of {channel['low']:.6g} to {channel['high']:.6g}"
        if channel["share_below"] is not None:
            said += f"; clipped {channel['share_below']:.2%} below, {channel['share_above']:.2%} above"
        table.add_row(f"{escape(channel['channel'])} (private)", said)
    if len(values) > _MOST_CHANNELS:
        table.add_row("", f"and {len(values) - _MOST_CHANNELS} more channels: --json has them all")
