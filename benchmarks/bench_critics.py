"""Rows of the benchmark on critics in files: their memory and their checkpoints, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bench_rows import Asked, Row, compared

START_RECORDS = 60_000
SMALL_CRITICS, STEPS_BETWEEN = 6000, 5


# ---- trainings on random images --------------------------------------------------------------------------------------


def steps(training: Any) -> Callable[[], object]:
    """Return a function that takes the next step of a training, after its warm start."""
    from gossamer.methods.gs_wgan.training import StepReport

    reports = iter(training)

    def step() -> None:
        while not isinstance(next(reports), StepReport):
            pass

    return step


def training_of(config: Any, num_records: int, precision: torch.dtype, store: Any = None) -> Any:
    """Return a training on random images, which keeps its critics in the store if there is one."""
    from gossamer.data.images import ImageSpec
    from gossamer.mechanisms.noise import KeyedNoise
    from gossamer.methods.cost import random_records
    from gossamer.methods.gs_wgan.training import GSWGANTraining
    from gossamer.methods.training import RunContext

    spec = ImageSpec(channels=1, height=28, width=28, class_names=tuple("0123456789"))
    settings = replace(config, noise_multiplier=1000.0)
    kept = {} if store is None else {"store": store}
    context = RunContext(delta=0.5 / num_records, precision=precision, **kept)
    return GSWGANTraining(settings, random_records(spec, num_records), KeyedNoise(), context)


def in_folder(folder: Path) -> Any:
    """Return a store with a place for large critics in a folder. Finished chunks are not kept."""
    from gossamer.methods.training import NoStore

    class InFolder(NoStore):
        def place(self, name: str) -> Path:
            return folder / name

    return InFolder()


# ---- memory ----------------------------------------------------------------------------------------------------------


def memory(asked: Asked) -> Iterator[Row]:
    """Compare the peak memory of published critics with what a dry run says of it."""
    for num_critics in (200, 1000):
        with tempfile.TemporaryDirectory() as folder:
            found, said = in_child("--peak", str(num_critics), "--folder", folder)
        if not found:
            yield Row(what=f"peak memory, {num_critics} published critics", note=said, is_broken=True)
            continue
        what = f"peak memory, {num_critics} published critics, over the dry run's figure"
        yield compared(what, found["said"] / 2**20, found["peak"] / 2**20, 1.15, unit="MiB")


def in_child(*words: str) -> tuple[dict[str, float], str]:
    """Measure in a process of its own. Return what it found, or nothing and why."""
    command = [sys.executable, __file__, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return ({}, f"broke: {done.stderr.strip()[-100:]}") if done.returncode else (json.loads(done.stdout), "")


def peak_of(num_critics: int, folder: Path) -> dict[str, float]:
    """Train so many published critics for a step in this process, and return its peak memory in bytes.

    The warm start makes no update and the step asks few critics, since neither holds more memory for longer.
    """
    from gossamer.data.images import ImageSpec
    from gossamer.methods.gs_wgan.cost import peak_memory
    from gossamer.methods.gs_wgan.recipes import PAPER

    (stage,) = PAPER.stages
    config = replace(
        PAPER,
        num_critics=num_critics,
        draws_per_step=2,
        renewals_per_step=2,
        stages=(replace(stage, warm_start=replace(stage.warm_start, num_updates=0)),),
    )
    steps(training_of(config, START_RECORDS, torch.float32, in_folder(folder)))()
    spec = ImageSpec(channels=1, height=28, width=28, class_names=tuple("0123456789"))
    said = peak_memory(config, spec, START_RECORDS, torch.device("cpu"))
    return {"said": said, "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def checkpoint(asked: Asked) -> Iterator[Row]:
    """Compare a checkpoint of 6,000 small critics with those that changed since the last, and with all of them."""
    with tempfile.TemporaryDirectory() as folder:
        found, said = in_child("--checkpoint", "--folder", folder)
    what = f"checkpoint of {SMALL_CRITICS:,} small critics"
    if not found:
        yield Row(what=what, note=said, is_broken=True)
        return
    written, changed, more, critics = (found[name] / 2**20 for name in ("written", "changed", "more", "critics"))
    yield compared(f"{what}: written, over those that changed", changed, written, 1.1, unit="MiB")
    yield compared(f"{what}: memory for it, over all critics", critics, more, 0.05, unit="MiB")


def checkpoint_of(folder: Path) -> dict[str, float]:
    """Write two checkpoints of small critics in this process, and count bytes by the system's figures.

    Written is all that this process wrote since the first one, the critics that learnt in between included.
    """
    from gossamer.methods.gs_wgan.recipes import TRAINED_CPU
    from gossamer.runs.checkpoint import save_checkpoint

    (stage,) = TRAINED_CPU.stages
    config = replace(
        TRAINED_CPU,
        num_critics=SMALL_CRITICS,
        draws_per_step=2,
        stages=(replace(stage, warm_start=replace(stage.warm_start, num_updates=0)),),
    )
    training = training_of(config, START_RECORDS, torch.float32, in_folder(folder))
    step, checkpoints = steps(training), folder / "checkpoints"
    checkpoints.mkdir()
    step()
    (file,) = folder.glob("critics-of-stage-*.bin")
    each = file.stat().st_size // SMALL_CRITICS  # before the first checkpoint, one place for each
    save_checkpoint(checkpoints, 1, training.state_dict())
    before = system_figure("io", "wchar")
    for _ in range(STEPS_BETWEEN):
        step()
    resident = system_figure("status", "VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    save_checkpoint(checkpoints, 1 + STEPS_BETWEEN, training.state_dict())
    return {
        "written": system_figure("io", "wchar") - before,
        "changed": each * STEPS_BETWEEN * config.renewals_per_step,
        "more": 1024 * (system_figure("status", "VmHWM") - resident),
        "critics": each * SMALL_CRITICS,
    }


def system_figure(file: str, name: str) -> int:
    """Return a figure that Linux keeps of this process."""
    (line,) = [one for one in Path(f"/proc/self/{file}").read_text().splitlines() if one.startswith(f"{name}:")]
    return int(line.split()[1])


def main() -> None:
    """Measure in this process, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peak", type=int, default=0)
    parser.add_argument("--checkpoint", action="store_true")
    parser.add_argument("--folder", type=Path, required=True)
    said = parser.parse_args()
    torch.set_num_threads(1)
    print(json.dumps(checkpoint_of(said.folder) if said.checkpoint else peak_of(said.peak, said.folder)))


if __name__ == "__main__":
    main()
