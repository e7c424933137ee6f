"""Time series from a CSV table, a row each, to a generator and a synthetic table of the same columns.

    python examples/series.py                                   made-up heartbeats, of which it writes a table first
    python examples/series.py mine.csv out.csv --low=-5 --high 5 --class-column kind --class-names calm,wild

The bounds are public: take them from the device or from what is possible, never from the data. The names of the classes
are public too. Without a column of classes leave both of their options out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gossamer import DPMixture, GossamerError, load_records, load_series


def main(table: Path, out: Path, **public: Any) -> None:
    """Read, with what is public about it, learn, and draw as many again."""
    records = load_series(table, **public)
    model = DPMixture(epsilon=3.0).fit(records)
    model.released.to_frame(model.statement.num_slots).to_csv(out, index=False)
    model.save(out.with_suffix(".safetensors"))
    print(f"{model.statement.num_slots} series in {out}; the generator is {model.statement.claim}")


def write_made_up_beats(table: Path) -> tuple[str, ...]:
    """A table to try it with, of heartbeats that nobody is behind; and the names of their classes."""
    beats = load_records("beats").train
    assert beats.y is not None
    rows = ["kind," + ",".join(f"t{time}" for time in range(96))]
    for beat, label in zip(beats.x, beats.y, strict=True):
        millivolts = (beat[0] * 3 - 1).tolist()  # kept in [0, 1], between their bounds of -1 and 2
        rows.append(beats.spec.class_names[label] + "," + ",".join(f"{value:.4f}" for value in millivolts))
    table.write_text("\n".join(rows), encoding="utf-8")
    return beats.spec.class_names


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Learn a generator of time series from a CSV table.")
    parser.add_argument("table", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?", default=Path("synthetic-beats.csv"))
    parser.add_argument("--low", type=float)
    parser.add_argument("--high", type=float)
    parser.add_argument("--class-column")
    parser.add_argument("--class-names", type=lambda names: names.split(","), default=[])
    public = vars(parser.parse_args())
    table, out = public.pop("table"), public.pop("out")
    if table is None:
        table = Path("beats.csv")
        public.update(low=-1.0, high=2.0, class_column="kind", class_names=write_made_up_beats(table))
    try:
        main(table, out, **public)
    except GossamerError as error:
        sys.exit(str(error))
