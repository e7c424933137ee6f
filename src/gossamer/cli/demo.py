"""`gossamer demo`: a whole run on the digits that ship with scikit-learn."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gossamer.cli import evaluate, train
from gossamer.cli.arguments import read_arguments
from gossamer.errors import InputError
from gossamer.runs.folder import RunFolder

NUM_SAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Train GS-WGAN on 1,437 small digits at epsilon 10, and end with samples, a picture, a score and a statement.

    Example: gossamer demo

    Args:
        out: run folder; a demo that is there already is replaced
        epsilon: privacy budget
    """

    out: Path = Path("runs/demo")
    epsilon: float = 10.0


def run(arguments: Sequence[str]) -> int:
    """Train, sample, score, state."""
    asked = read_arguments(Demo, arguments, program="demo")
    # Its tensors are so small that a second thread mostly waits, and on a busy machine for long.
    torch.set_num_threads(1)
    _clear(asked.out)
    code = train.run(["gs-wgan", "--data", "digits", "--epsilon", str(asked.epsilon), "--out", str(asked.out)])
    if code != 0:
        return code
    print()
    code = evaluate.run(
        [str(asked.out), "--data", "digits", "--quick", "--num-samples", str(NUM_SAMPLES), "--num-workers", "1"]
    )
    folder = RunFolder(asked.out)
    print(f"Look at {folder.release / 'samples' / 'grid.png'}, read {folder.release / 'PRIVACY.md'}")
    return code


def _clear(path: Path) -> None:
    """Remove an earlier demo, and nothing that is not one."""
    if not path.exists():
        return
    config = path / "config.json"
    if not (config.is_file() and '"data": "digits"' in config.read_text()):
        raise InputError(f"{path}: exists and is no earlier demo; name another --out")
    shutil.rmtree(path)
