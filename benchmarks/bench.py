"""Speed and memory beside those of others, a row for each: `make bench`, in under five minutes on a CPU.

    OMP_NUM_THREADS=1 python benchmarks/bench.py [--before SRC] [--only WORD] [--json FILE]

Two ways of one piece of work take turns in one process, and a row gives the medians of their CPU seconds and the ratio.
Memory is the operating system's own figure of a process of its own. Random records stand in for data: time does not
depend on them. Everything is measured and printed, and nothing is asserted: a row that misses its mark says so.

``--before`` names the `src` of another build, for rows that compare with it. A new row is a function that returns
`Row`s, named in `ROWS`.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from plain_gs_wgan import PlainDCGAN, PlainLoop, PlainResNet

HERE = Path(__file__).resolve().parent
SRC = HERE.parent / "src"
START_RECORDS, MNIST_STEPS = 60_000, 40


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        what: is compared.
        theirs: what it is compared with: CPU seconds, or megabytes.
        ours: likewise.
        unit: of both.
        ratio: ours over theirs. None if nothing stands beside it.
        reach: the ratio, or the figure if there is none, to be reached.
        note: a remark, for example why nothing was measured.
    """

    what: str
    theirs: float | None = None
    ours: float | None = None
    unit: str = "s"
    ratio: float | None = None
    reach: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for on the command line."""

    before: Path | None
    rounds: int


Rows = Callable[[Asked], Iterator[Row]]


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
    from gossamer.nn.images.dcgan import DCGANGeneratorConfig

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
        yield Row(what=what, reach=0.5, note="needs --before SRC")
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


def steps_of(config: Any, num_records: int, precision: torch.dtype, store: Any = None) -> Callable[[], object]:
    """Return a function that takes the next step of a training on random images, after its warm start."""
    from gossamer.data.images import ImageSpec
    from gossamer.mechanisms.noise import KeyedNoise
    from gossamer.methods.cost import random_records
    from gossamer.methods.gs_wgan.training import GSWGANTraining, StepReport
    from gossamer.methods.training import RunContext

    spec = ImageSpec(channels=1, height=28, width=28, class_names=tuple("0123456789"))
    settings = replace(config, noise_multiplier=1000.0)
    kept = {} if store is None else {"store": store}
    context = RunContext(delta=0.5 / num_records, precision=precision, **kept)
    reports = iter(GSWGANTraining(settings, random_records(spec, num_records), KeyedNoise(), context))

    def step() -> None:
        while not isinstance(next(reports), StepReport):
            pass

    return step


# ---- memory ----------------------------------------------------------------------------------------------------------


def memory(asked: Asked) -> Iterator[Row]:
    """Compare the peak memory of published critics with what a dry run says of it."""
    for num_critics in (200, 1000):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--peak", str(num_critics), "--folder", folder]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            yield Row(what=f"peak memory, {num_critics} published critics", note=done.stderr.strip()[-100:])
            continue
        found = json.loads(done.stdout)
        what = f"peak memory, {num_critics} published critics, over the dry run's figure"
        yield compared(what, found["said"] / 2**20, found["peak"] / 2**20, 1.15, unit="MiB")


def peak_of(num_critics: int, folder: Path) -> dict[str, float]:
    """Train so many published critics for a step in this process, and return its peak memory in bytes.

    The warm start makes no update and the step asks few critics, since neither holds more memory for longer.
    """
    from gossamer.data.images import ImageSpec
    from gossamer.methods.gs_wgan.cost import peak_memory
    from gossamer.methods.gs_wgan.recipes import PAPER
    from gossamer.methods.training import NoStore

    class InFolder(NoStore):
        def place(self, name: str) -> Path:
            return folder / name

    (stage,) = PAPER.stages
    config = replace(
        PAPER,
        num_critics=num_critics,
        draws_per_step=2,
        renewals_per_step=2,
        stages=(replace(stage, warm_start=replace(stage.warm_start, num_updates=0)),),
    )
    steps_of(config, START_RECORDS, torch.float32, InFolder())()
    spec = ImageSpec(channels=1, height=28, width=28, class_names=tuple("0123456789"))
    said = peak_memory(config, spec, START_RECORDS, torch.device("cpu"))
    return {"said": said, "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


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
            (("sample", str(run), "--num", "10", "--out", f"{folder}/samples.npz"), 2.5),
        ):
            seconds, said = gossamer(*words)
            name = " ".join(word for word in words[:3] if "/" not in word)
            yield Row(what=f"gossamer {name}", ours=seconds, reach=reach, note=said)


def gossamer(*words: str) -> tuple[float, str]:
    """Run the command in a process of its own, and return its CPU seconds, and its last error if it failed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "import sys; from gossamer.cli.main import main; sys.exit(main())", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, "" if done.returncode == 0 else f"failed: {done.stderr.strip()[-100:]}"


# ---- accounting ------------------------------------------------------------------------------------------------------


def prices(asked: Asked) -> Iterator[Row]:
    """Measure the seconds of prices of DP-SGD at great epsilons."""
    for epsilon in ("100", "1000"):
        words = ("account", "dp-cgan", "--num-slots", "60000", "--num-steps", "30300", "--epsilon", epsilon)
        seconds, said = gossamer(*words)
        # Two seconds for the price, beside the start.
        yield Row(what=f"gossamer account dp-cgan --epsilon {epsilon}", ours=seconds, reach=3.2, note=said)


# Memory comes first, while this process is small: on Linux a child's peak begins at its parent's.
ROWS: tuple[Rows, ...] = (memory, published_steps, mnist_recipe, dp_cgan, start, prices)


# ---- how rows are made -----------------------------------------------------------------------------------------------


def in_turn(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Do each piece of work once to warm up, then all in turn, and return the medians of their CPU seconds."""
    for do in work.values():
        do()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, do in work.items():
            began = time.process_time()
            do()
            times[name].append(time.process_time() - began)
    return {name: statistics.median(found) for name, found in times.items()}


def compared(what: str, theirs: float, ours: float, reach: float, unit: str = "s") -> Row:
    """Return the row of two figures."""
    return Row(what=what, theirs=theirs, ours=ours, unit=unit, ratio=ours / theirs, reach=reach)


def from_source(source: Path, make: Callable[[], Any]) -> Any:
    """Call a function with `gossamer` imported anew from a source tree, which its result keeps."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "gossamer"]:
        del sys.modules[name]
    sys.path.insert(0, str(source))
    try:
        return make()
    finally:
        sys.path.remove(str(source))


def line(row: Row) -> str:
    """Return a row as a line of the table."""
    figure = row.ours if row.ratio is None else row.ratio
    missed = "" if figure is None or row.reach is None or figure <= row.reach else "missed"
    parts = [f"{row.what:<62}"]
    parts += ["-" if one is None else f"{one:.3g} {row.unit}" for one in (row.theirs, row.ours)]
    parts += ["-" if row.ratio is None else f"{row.ratio:.2f}", "-" if row.reach is None else f"{row.reach:g}"]
    return f"{parts[0]} {parts[1]:>10} {parts[2]:>10} {parts[3]:>6} {parts[4]:>6} {missed or row.note}"


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


def main(arguments: list[str] | None = None) -> int:
    """Measure and print every row."""
    parser = argparse.ArgumentParser(description="Speed and memory beside those of others.")
    parser.add_argument("--before", type=Path, default=None, help="src of another build to compare with")
    parser.add_argument("--only", default="", help="rows of functions whose name has this word")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here, too")
    parser.add_argument("--peak", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=None, help=argparse.SUPPRESS)
    said = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if said.peak:
        print(json.dumps(peak_of(said.peak, said.folder)))
        return 0
    print(" ".join(f"{name} {value}" for name, value in machine().items()))
    print(f"{'what':<62} {'theirs':>10} {'ours':>10} {'ratio':>6} {'reach':>6}")
    rows = []
    for measure in (one for one in ROWS if said.only in one.__name__):
        for row in measure(Asked(before=said.before, rounds=said.rounds)):
            rows.append(row)
            print(line(row), flush=True)
    if said.json is not None:
        said.json.write_text(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
