"""Synthetic series as a .ts file, the format of the UCR and UEA archives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.runs.files import whole_file
from gossamer.runs.pieces import Pieces
from gossamer.runs.series_files import in_own_units

# Marks that part names in the header, or a class from the values before it.
_PARTS: Final = re.compile(r"[\s:,]")


def write_ts(path: Path, x: np.ndarray | Pieces, y: np.ndarray | None, spec: SeriesSpec) -> None:
    """Write series in their own units as a .ts file, a line each.

    The format has no tags for bounds, names of channels and sample rate, so these stand in comments.

    Args:
        path: File ending in .ts.
        x: float32 (num_samples, channels, time) in [0, 1].
        y: int64 (num_samples,), or None.
        spec: Bounds and names.

    Raises:
        InputError: The name of a class cannot stand in the format.
    """
    for place, name in enumerate(spec.class_names):
        if _PARTS.search(name):
            raise InputError(
                f"--out {path}: class_names[{place}] holds a space, a colon or a comma, which part the names in a .ts "
                "file: write .npz, .csv or .parquet"
            )
    with whole_file(path) as file:
        file.write("".join(f"{line}\n" for line in _header(path, spec)).encode())
        for first, piece in Pieces.of(x).numbered():
            for place, channels in enumerate(in_own_units(piece, spec), start=first):
                # The shortest decimals that read back as the same float32.
                parts = [",".join(channel.astype(str)) for channel in channels]
                if y is not None:
                    parts.append(spec.class_names[y[place]])
                file.write((":".join(parts) + "\n").encode())


def _header(path: Path, spec: SeriesSpec) -> list[str]:
    rate = "none" if spec.sample_rate is None else f"{spec.sample_rate:g} Hz"
    classes = " ".join(("true", *spec.class_names)) if spec.class_names else "false"
    return [
        "# Synthetic series, drawn from a generator.",
        f"# channels: {', '.join(spec.shown_channels)}",
        f"# low: {', '.join(map(str, spec.low))}",
        f"# high: {', '.join(map(str, spec.high))}",
        f"# sample rate: {rate}",
        f"@problemName {re.sub(r'[^A-Za-z0-9_-]', '_', path.stem) or 'synthetic'}",
        "@timeStamps false",
        "@missing false",
        f"@univariate {str(spec.channels == 1).lower()}",
        *([] if spec.channels == 1 else [f"@dimensions {spec.channels}"]),
        "@equalLength true",
        f"@seriesLength {spec.length}",
        f"@classLabel {classes}",
        "@data",
    ]
