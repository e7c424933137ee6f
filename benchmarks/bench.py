"""Speed and memory beside those of others, a row for each: `make bench`, in under five minutes on a CPU.

    OMP_NUM_THREADS=1 python benchmarks/bench.py [--before SRC] [--only WORD] [--json FILE]

Two ways of one piece of work take turns in one process, and a row gives the medians of their CPU seconds and the ratio.
Memory is the operating system's own figure of a process of its own. Random records stand in for data: time does not
depend on them. Nothing is asserted: a row that misses its mark is printed with it and says so. The exit code is 1 only
if a row could not be measured, because something broke.

``--before`` names the `src` of another build, for rows that compare with it. Without it they compare with an earlier
commit. A new row is a function that returns `Row`s, named in `ROWS`.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import io
import json
import platform
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from bench_critics import START_RECORDS, checkpoint, memory, steps, training_of
from bench_rows import Asked, Row, Rows, compared, in_turn, line
from plain_gs_wgan import PlainDCGAN, PlainLoop, PlainResNet

HERE = Path(__file__).resolve().parent
SRC = HERE.parent / "src"
MNIST_STEPS, MOST_SERIES = 40, 2000
EARLIER = "f5af923"
"""Commit of the build that the recipe of MNIST is compared with, if none is named."""


# ---- GS-WGAN ---------------------------------------------------------------------------------------------------------


def published_steps(asked: Asked) -> Iterator[Row]:
    """Compare a step of the published networks with a plain loop that does the same work."""
    for name, marks in (("ResNet", (0.65, 0.25)), ("DCGAN", (0.65, 0.35))):
        work = {
            "plain": PlainLoop(PlainResNet() if name == "ResNet" else PlainDCGAN()).step,
            "fp32": own_step(name, torch.float32),
            "bf16": own_step(name, torch.bfloat16),
        }
        found = in_turn(work, asked.rounds)
        for precision, reach in zip(("fp32", "bf16"), marks, strict=True):
            yield compared(f"GS-WGAN step, {name}, {precision}", found["plain"], found[precision], reach)


def own_step(network: str, precision: torch.dtype) -> Callable[[], object]:
    """Return a step of the recipe that does the published code's amount of work, on random images."""
    from gossamer.methods.gs_wgan.recipes import REFERENCE_WORK
    from gossamer.nn.images.settings import DCGANGeneratorConfig

    (stage,) = REFERENCE_WORK.stages
    config = replace(
        REFERENCE_WORK, num_critics=4, stages=(replace(stage, warm_start=replace(stage.warm_start, num_updates=0)),)
    )
    return steps_of(
        config if network == "ResNet" else replace(config, generator=DCGANGeneratorConfig()), 400, precision
    )


def mnist_recipe(asked: Asked) -> Iterator[Row]:
    """Compare the recipe of MNIST on two cores with another build: steps, and all that stands before the first."""
    what = "GS-WGAN, recipe mnist-cpu, 2,000 steps"
    if asked.before is None:
        yield Row(what=what, reach=0.5, note="needs --before SRC, or the history of this repository")
        return
    ways = {"before": from_source(asked.before, mnist_step), "now": from_source(SRC, mnist_step)}
    found = in_turn({name: step for name, (step, _) in ways.items()}, MNIST_STEPS)
    whole = {name: ways[name][1] + 2000 * found[name] for name in ways}
    yield compared(what, whole["before"], whole["now"], 0.5)


def mnist_step() -> tuple[Callable[[], object], float]:
    """Return a step of the recipe, and the CPU seconds before the first."""
    from gossamer.methods.gs_wgan.recipes import MNIST_CPU

    began = time.process_time()
    step = steps_of(MNIST_CPU, START_RECORDS, torch.float32)
    step()
    return step, time.process_time() - began


def steps_of(config: Any, num_records: int, precision: torch.dtype) -> Callable[[], object]:
    """Return a function that takes the next step of a training on random images, after its warm start."""
    return steps(training_of(config, num_records, precision))


# ---- DP-CGAN ---------------------------------------------------------------------------------------------------------


def dp_cgan(asked: Asked) -> Iterator[Row]:
    """Compare a private step of the published discriminator with Opacus' on the same batch."""
    what = "DP-CGAN private step over Opacus'"
    try:
        theirs = importlib.import_module("dp_sgd")
    except ModuleNotFoundError as error:
        yield Row(what=what, reach=0.33, note=f"not measured: {error}")
        return
    rng = torch.Generator().manual_seed(0)
    private = (
        torch.rand(START_RECORDS, 1, 28, 28, generator=rng),
        torch.randint(0, 10, (START_RECORDS,), generator=rng),
    )
    takes = {"opacus": theirs.opacus_step(private), "ours": theirs.own_step(private, is_dense=True)}
    counts = dict.fromkeys(takes, -1)

    def counted(name: str) -> Callable[[], object]:
        def step() -> None:
            counts[name] += 1
            takes[name](counts[name])

        return step

    found = in_turn({name: counted(name) for name in takes}, theirs.ROUNDS)
    yield compared(what, found["opacus"], found["ours"], 0.33)


# ---- the command line ------------------------------------------------------------------------------------------------


def start(asked: Asked) -> Iterator[Row]:
    """Measure the CPU seconds of commands that compute little."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        gossamer("train", "dp-merf", "--data", "digits", "--epsilon", "10", "--out", str(run))
        for words, reach in (
            (("account", "gs-wgan", "--num-critics", "1000", "--num-steps", "20000", "--epsilon", "10"), 1.2),
            (("ledger", str(run)), 1.2),
            (("train", "gs-wgan", "--help"), 1.2),
            (("sample", str(run), "--num-samples", "10", "--out", f"{folder}/samples.npz"), 2.5),
        ):
            seconds, said = gossamer(*words)
            name = " ".join(word for word in words[:3] if "/" not in word)
            yield Row(what=f"gossamer {name}", ours=seconds, reach=reach, note=said, is_broken=bool(said))


def gossamer(*words: str) -> tuple[float, str]:
    """Run the command in a process of its own, and return its CPU seconds, and its last error if it failed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "import sys; from gossamer.cli.main import main; sys.exit(main())", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, "" if done.returncode == 0 else f"failed: {done.stderr.strip()[-100:]}"


# ---- evaluation ------------------------------------------------------------------------------------------------------


def second_target(asked: Asked) -> Iterator[Row]:
    """Compare the classifiers of a second target with those of the first on the same made-up heartbeats."""
    from gossamer.data.catalogue import load_records
    from gossamer.evaluation.listed import SyntheticRecords
    from gossamer.privacy.dealing import UnitKey

    data, found = load_records("beats", key=UnitKey(bytes(32))), []
    x, y = data.train.x[:MOST_SERIES], data.train.y
    assert y is not None
    with tempfile.TemporaryDirectory() as warm, tempfile.TemporaryDirectory() as folder:
        for cache, seed in ((warm, 0), (folder, 0), (folder, 1)):
            rng = torch.Generator().manual_seed(seed)
            blurred = (x + 0.05 * torch.rand(x.shape, generator=rng)).clamp(0, 1)
            draw = SyntheticRecords(x=blurred.numpy(), y=y[:MOST_SERIES].numpy())
            found.append(fits_of(data, draw, Path(cache)))
    (_, _), (first, first_fits), (second, second_fits) = found
    what = "series evaluation, second target over the first"
    yield compared(f"{what}: fits", first_fits, second_fits, 0.5, unit="fits")
    yield compared(f"{what}: classifiers", first, second)


def fits_of(data: Any, draw: Any, folder: Path) -> tuple[float, int]:
    """Score what series teach two quick classifiers, and return the CPU seconds and the number of fits."""
    from gossamer.evaluation.listed import needing
    from gossamer.evaluation.series import suite
    from gossamer.evaluation.series.use import SeriesAnswers
    from gossamer.runs.cache import CacheFolder
    from gossamer.scoring.findings import RealRecords, Terms
    from gossamer.scoring.series import SeriesBench

    class Quick(SeriesBench):
        quick = replace(suite.QUICK, classifiers=(suite.RANDOM_FOREST, suite.LOGISTIC_REGRESSION))

    terms = Terms(
        is_quick=True,
        seeds=(0,),
        num_samples=MOST_SERIES,
        permit_few_samples=True,
        inception_weights=None,
        num_workers=1,
    )
    of, fits = Quick(terms=terms, real=RealRecords(train=data.train, test=data.test), cache=CacheFolder(folder)), [0]
    began = time.process_time()
    of.score(needing(of.listed, SeriesAnswers), {"made": [draw]}, lambda part, done, number: fits.append(number))
    return time.process_time() - began, max(fits)


# ---- accounting ------------------------------------------------------------------------------------------------------


def prices(asked: Asked) -> Iterator[Row]:
    """Measure the seconds of prices of DP-SGD at great epsilons."""
    for epsilon in ("100", "1000"):
        words = ("account", "dp-cgan", "--num-slots", "60000", "--num-steps", "30300", "--epsilon", epsilon)
        seconds, said = gossamer(*words)
        # Two seconds for the price, beside the start.
        yield Row(
            what=f"gossamer account dp-cgan --epsilon {epsilon}",
            ours=seconds,
            reach=3.2,
            note=said,
            is_broken=bool(said),
        )


# Memory comes first, while this process is small: on Linux a child's peak begins at its parent's.
ROWS: tuple[Rows, ...] = (
    memory,
    checkpoint,
    published_steps,
    mnist_recipe,
    dp_cgan,
    start,
    second_target,
    prices,
)


# ---- how rows are made -----------------------------------------------------------------------------------------------


def earlier_source(folder: Path) -> Path | None:
    """Return the source of the build to compare with, from the history of this repository, None if it is not there."""
    command = ["git", "-C", str(HERE.parent), "archive", "--format=tar", EARLIER, "src"]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def from_source(source: Path, make: Callable[[], Any]) -> Any:
    """Call a function with `gossamer` imported anew from a source tree, which its result keeps."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "gossamer"]:
        del sys.modules[name]
    sys.path.insert(0, str(source))
    try:
        return make()
    finally:
        sys.path.remove(str(source))


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": platform.machine(),
        "bfloat16": [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags],
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def measured(measure: Rows, asked: Asked) -> Iterator[Row]:
    """Yield the rows of a function, and one that says why if it breaks. The others are still to be measured."""
    try:
        yield from measure(asked)
    except Exception as error:
        yield Row(what=measure.__name__, note=f"broke: {type(error).__name__}: {error}", is_broken=True)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print every row."""
    parser = argparse.ArgumentParser(description="Speed and memory beside those of others.")
    parser.add_argument("--before", type=Path, default=None, help="src of another build to compare with")
    parser.add_argument("--only", default="", help="rows of functions whose name has this word")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here, too")
    said = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(" ".join(f"{name} {value}" for name, value in machine().items()))
    print(f"{'what':<68} {'theirs':>10} {'ours':>10} {'ratio':>6} {'reach':>6}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        asked = Asked(before=said.before or earlier_source(Path(folder)), rounds=said.rounds)
        for measure in (one for one in ROWS if said.only in one.__name__):
            for row in measured(measure, asked):
                rows.append(row)
                print(line(row), flush=True)
    if said.json is not None:
        said.json.write_text(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    return int(any(row.is_broken for row in rows))


if __name__ == "__main__":
    sys.exit(main())
