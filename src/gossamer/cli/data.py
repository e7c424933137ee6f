"""`gossamer data`: what is there, and what of it will be public."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gossamer.cli.arguments import choose, read_arguments
from gossamer.data.catalogue import NAMED_DATA, describe, load_images


@dataclass(frozen=True, kw_only=True)
class DescribeData:
    """Read a data set as a training would, and say what it holds and what will be public.

    Example: gossamer data describe scans.npz --num-classes 3

    Args:
        source: name from `gossamer data list`, an NPZ file, or a folder of PNGs
        data_dir: folder of published sets; default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        json: print JSON
    """

    source: Annotated[str, tyro.conf.Positional]
    data_dir: Path | None = None
    num_classes: int | None = None
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """List data sets, or describe one."""
    verb, rest = choose(arguments, ("list", "describe"), program="data", what="action")
    return _list() if verb == "list" else _describe(read_arguments(DescribeData, rest, program="data describe"))


def _list() -> int:
    table = Table("name", "images", "shape", "classes", "what", box=None, pad_edge=False)
    for data in NAMED_DATA:
        shape = "x".join(map(str, data.spec.shape))
        table.add_row(data.name, f"{data.num_train} + {data.num_test}", shape, str(data.spec.num_classes), data.summary)
    Console().print(table)
    print("\nYour own: --data FILE.npz (x, and y if labelled) or --data FOLDER (PNGs, one sub-folder a class)")
    return 0


def _describe(asked: DescribeData) -> int:
    found = describe(load_images(asked.source, asked.data_dir, asked.num_classes))
    if asked.json:
        print(json.dumps(found, indent=2))
        return 0
    table = Table(show_header=False, box=None, pad_edge=False)
    for name in ("name", "num_records", "num_test_records", "shape", "classes"):
        table.add_row(name, escape(str(found[name])))
    table.add_row("class counts (private)", escape(str(found["private"]["class_counts"])))
    Console().print(table)
    for sentence in found["public"]:
        print(f"public: {sentence}")
    return 0
