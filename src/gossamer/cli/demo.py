"""`gossamer demo`: a whole run on the digits that ship with scikit-learn, or on made-up heartbeats."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gossamer.cli import evaluate, train
from gossamer.cli.arguments import read_arguments
from gossamer.errors import InputError
from gossamer.extras import need
from gossamer.runs.folder import RunFolder

NUM_SAMPLES = 2000
_IMAGES = ("gs-wgan", "digits", Path("runs/demo"))
_SERIES = ("dp-mixture", "beats", Path("runs/demo-series"))


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Train GS-WGAN on 1,437 small digits at epsilon 10, and end with samples, a picture, a score and a statement.

    With --series the same for time series: DP-mixture on 2,400 heartbeats that a formula made up.

    Example: gossamer demo

    Args:
        series: made-up heartbeats in place of digits
        out: run folder, runs/demo or runs/demo-series. A demo that is there already is replaced
        epsilon: privacy budget
    """

    series: bool = False
    out: Path | None = None
    epsilon: float = 10.0


def run(arguments: Sequence[str]) -> int:
    """Train, sample, score, state."""
    asked = read_arguments(Demo, arguments, program="demo")
    need("evaluate", "gossamer demo")
    method, data, usual = _SERIES if asked.series else _IMAGES
    out = asked.out or usual
    # Its tensors are so small that a second thread mostly waits, and on a busy machine for long.
    torch.set_num_threads(1)
    _clear(out)
    code = train.run([method, "--data", data, "--epsilon", str(asked.epsilon), "--out", str(out)])
    if code != 0:
        return code
    print()
    code = evaluate.run([str(out), "--data", data, "--quick", "--num-samples", str(NUM_SAMPLES), "--num-workers", "1"])
    folder = RunFolder(out)
    print(f"Look at {folder.release / 'samples' / 'grid.png'}, read {folder.release / 'PRIVACY.md'}")
    return code


def _clear(path: Path) -> None:
    """Remove an earlier demo, and nothing that is not one."""
    if not path.exists():
        return
    config = path / "config.json"
    if not (config.is_file() and any(f'"data": "{data}"' in config.read_text() for _, data, _ in (_IMAGES, _SERIES))):
        raise InputError(f"{path}: exists and is no earlier demo; name another --out")
    shutil.rmtree(path)
