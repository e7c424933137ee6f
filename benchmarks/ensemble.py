"""Speed and memory of stacked critics, beside a plain loop over separate modules that does the same work.

    python benchmarks/ensemble.py [--json FILE]

A step is five updates of each critic, the work of one training step's forks. Stacked critics and the loop take turns in
one process, on the same batches and from the same weights; how far apart one update leaves them is printed. Memory is
that of a process of its own. Everything is measured and printed, nothing is asserted.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gossamer.methods.gs_wgan.critics import CriticBatch, train_critics
from gossamer.methods.gs_wgan.settings import WassersteinLoss
from gossamer.nn.choices import CriticConfig
from gossamer.nn.ensemble import Ensemble, stack
from gossamer.nn.images.settings import ConvCriticConfig, MLPCriticConfig
from gossamer.nn.settings import Adam
from gossamer.nn.spectral_norm import advance

NUM_CLASSES = 10
UPDATES_PER_STEP = 5
LOSS = WassersteinLoss()
ADAM = Adam(learning_rate=1e-3)


@dataclass(frozen=True, kw_only=True)
class Size:
    """One comparison: an architecture, what it sees, how many of it, and pairs in a batch."""

    name: str
    critic: CriticConfig
    shape: tuple[int, int, int]
    num_critics: int
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What was measured; seconds are medians over rounds."""

    size: str
    num_critics: int
    batch_size: int
    stacked_seconds_per_step: float
    loop_seconds_per_step: float
    stacked_updates_per_second: float
    loop_updates_per_second: float
    ratio: float
    ratio_of_rounds: tuple[float, ...]
    relative_difference: float


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table, and JSON where asked."""
    asked = _read(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    if asked.only_memory:
        print(json.dumps(hold_and_update(asked.held_critics, asked.cpu_batch)))
        return 0
    # First, while this process is small: on Linux a child's peak begins at its parent's.
    memory = _memory_of_a_process(asked)
    speeds = [compare(size, asked.rounds) for size in _sizes(asked)]
    found = {
        "machine": _machine(),
        "speed": [asdict(speed) for speed in speeds],
        "memory": memory,
        "computed_bytes": {
            "cpu": 1000 * bytes_of(stack(_critics(MLPCriticConfig(), (1, 1, 86), 1))),
            "paper": 1000 * bytes_of(stack(_critics(ConvCriticConfig(), (1, 28, 28), 1))),
        },
    }
    _show(found, speeds)
    text = json.dumps(found, indent=2)
    if asked.json is None:
        print(f"\n{text}")
    else:
        asked.json.write_text(text + "\n")
    return 0


def compare(size: Size, rounds: int) -> Speed:
    """Time both ways in turn, from the same weights on the same batches."""
    critics = _critics(size.critic, size.shape, size.num_critics)
    stacked = stack(critics)
    modules = [copy.deepcopy(critic) for critic in critics]
    optimisers = [_adam(module) for module in modules]
    apart = _difference_after_one_update(size)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):  # the first round warms up and is not counted
        batches = [_batch(size, number * UPDATES_PER_STEP + update) for update in range(UPDATES_PER_STEP)]
        begin = time.perf_counter()
        for batch in batches:
            stacked, _ = train_critics(stacked, batch, LOSS, ADAM)
        middle = time.perf_counter()
        for batch in batches:
            for row, (module, optimiser) in enumerate(zip(modules, optimisers, strict=True)):
                update_alone(module, optimiser, batch, row)
        end = time.perf_counter()
        if number:
            times[0].append(middle - begin)
            times[1].append(end - middle)
    fast, slow = (statistics.median(seconds) for seconds in times)
    updates = size.num_critics * UPDATES_PER_STEP
    return Speed(
        size=size.name,
        num_critics=size.num_critics,
        batch_size=size.batch_size,
        stacked_seconds_per_step=fast,
        loop_seconds_per_step=slow,
        stacked_updates_per_second=updates / fast,
        loop_updates_per_second=updates / slow,
        ratio=slow / fast,
        ratio_of_rounds=tuple(loop / together for together, loop in zip(*times, strict=True)),
        relative_difference=apart,
    )


def update_alone(module: nn.Module, optimiser: torch.optim.Adam, batch: CriticBatch, row: int) -> None:
    """One update of one critic as anybody would write it: the published loss, autograd, Adam."""
    advance(module)
    real, synthetic, mix = batch.real[row], batch.synthetic[row], batch.mix[row]
    labels = None if batch.labels is None else batch.labels[row]
    both = None if labels is None else labels.repeat(2)
    real_score, synthetic_score = module(torch.cat([real, synthetic]), both).split(len(real))
    between = torch.lerp(synthetic, real, mix).requires_grad_()
    (slope,) = torch.autograd.grad(module(between, labels).sum(), between, create_graph=True)
    norm = (slope.flatten(start_dim=1).square().sum(dim=1) + 1e-12).sqrt()
    loss = synthetic_score.mean() - real_score.mean() + LOSS.drift * real_score.square().mean()
    optimiser.zero_grad()
    (loss + LOSS.gradient_penalty * (norm - 1).square().mean()).backward()
    optimiser.step()


def hold_and_update(num_critics: int, batch_size: int, at_once: int = 50) -> dict[str, Any]:
    """Peak memory of this process that holds critics of the CPU's size and updates each once, a chunk at a time."""
    size = Size(name="cpu", critic=MLPCriticConfig(), shape=(1, 1, 86), num_critics=at_once, batch_size=batch_size)
    before = _peak_bytes()
    critics = stack(_critics(size.critic, size.shape, num_critics))
    begin = time.perf_counter()
    for first in range(0, num_critics, at_once):
        numbers = torch.arange(first, min(first + at_once, num_critics))
        batch = _batch(size, first)
        part = CriticBatch(
            real=batch.real[: len(numbers)],
            synthetic=batch.synthetic[: len(numbers)],
            labels=None if batch.labels is None else batch.labels[: len(numbers)],
            mix=batch.mix[: len(numbers)],
        )
        changed, _ = train_critics(critics.select(numbers), part, LOSS, ADAM)
        critics.update_(numbers, changed)
    return {
        "num_critics": num_critics,
        "bytes_of_critics": bytes_of(critics),
        "peak_bytes_before": before,
        "peak_bytes": _peak_bytes(),
        "seconds_to_update_all": time.perf_counter() - begin,
    }


def bytes_of(critics: Ensemble) -> int:
    """Bytes of weights, buffers and Adam's moments."""
    return sum(tensor.numel() * tensor.element_size() for tensor in critics.state_dict().values())


def _critics(config: CriticConfig, shape: tuple[int, int, int], num_critics: int) -> list[nn.Module]:
    rng = torch.Generator().manual_seed(0)
    return [config.build(shape, NUM_CLASSES, rng) for _ in range(num_critics)]


def _batch(size: Size, number: int) -> CriticBatch:
    rng = torch.Generator().manual_seed(number)
    count = (size.num_critics, size.batch_size)
    return CriticBatch(
        real=torch.rand(*count, *size.shape, generator=rng),
        synthetic=torch.rand(*count, *size.shape, generator=rng),
        labels=torch.randint(0, NUM_CLASSES, count, generator=rng),
        mix=torch.rand(*count, 1, 1, 1, generator=rng),
    )


def _adam(module: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), ADAM.learning_rate, (ADAM.beta1, ADAM.beta2), ADAM.stabiliser)


def _difference_after_one_update(size: Size) -> float:
    """Distance between both ways' weights after one update over the way they travelled, the largest of the critics.

    Rounding alone is left of it. Later updates would show more: Adam turns the rounding of a gradient near zero into a
    whole step.
    """
    critics, batch = _critics(size.critic, size.shape, size.num_critics), _batch(size, 0)
    before = stack(critics)
    after, _ = train_critics(before, batch, LOSS, ADAM)

    def relative(row: int, module: nn.Module) -> float:
        update_alone(module, _adam(module), batch, row)
        pairs = [(tensor[row], before.parameters[name][row], name) for name, tensor in after.parameters.items()]
        apart = sum(float((new - module.get_parameter(name).detach()).square().sum()) for new, _, name in pairs)
        return (apart / sum(float((new - old).square().sum()) for new, old, _ in pairs)) ** 0.5

    return max(relative(row, copy.deepcopy(critic)) for row, critic in enumerate(critics))


def _memory_of_a_process(asked: argparse.Namespace) -> dict[str, Any]:
    options = ["--only-memory", "--held-critics", str(asked.held_critics), "--cpu-batch", str(asked.cpu_batch)]
    options += ["--threads", str(torch.get_num_threads())]
    done = subprocess.run([sys.executable, __file__, *options], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _machine() -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def _sizes(asked: argparse.Namespace) -> list[Size]:
    cpu = Size(
        name="cpu: MLP 64-64 on 86 coefficients",
        critic=MLPCriticConfig(),
        shape=(1, 1, 86),
        num_critics=asked.cpu_critics,
        batch_size=asked.cpu_batch,
    )
    paper = Size(
        name=f"paper: convolutions, width {asked.paper_width}, 28x28",
        critic=ConvCriticConfig(width=asked.paper_width),
        shape=(1, 28, 28),
        num_critics=asked.paper_critics,
        batch_size=asked.paper_batch,
    )
    return [size for size in (cpu, paper) if size.num_critics > 0]


def _show(found: dict[str, Any], speeds: list[Speed]) -> None:
    print(" ".join(f"{name} {value}" for name, value in found["machine"].items()))
    print(
        f"{'size':<40} critics batch  s/step stacked  s/step loop  updates/s stacked  updates/s loop  ratio "
        "1st update apart"
    )
    for speed in speeds:
        print(
            f"{speed.size:<40} {speed.num_critics:7} {speed.batch_size:5} {speed.stacked_seconds_per_step:15.4f} "
            f"{speed.loop_seconds_per_step:12.4f} {speed.stacked_updates_per_second:18.0f} "
            f"{speed.loop_updates_per_second:15.0f} {speed.ratio:6.2f} {speed.relative_difference:12.1e}"
        )
    memory, computed = found["memory"], found["computed_bytes"]
    print(
        f"memory: {memory['num_critics']} critics of the CPU's size hold {memory['bytes_of_critics'] / 1e6:.1f} MB; "
        f"the process that updates them all peaks at {memory['peak_bytes'] / 1e6:.0f} MB, "
        f"{memory['peak_bytes_before'] / 1e6:.0f} MB of it before the first critic"
    )
    print(f"computed: 1000 critics hold {computed['cpu'] / 1e6:.1f} MB (CPU), {computed['paper'] / 1e9:.2f} GB (paper)")


def _read(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stacked critics beside a plain loop.")
    parser.add_argument("--cpu-critics", type=int, default=64)
    parser.add_argument("--cpu-batch", type=int, default=16)
    parser.add_argument("--paper-critics", type=int, default=4, help="0 leaves this size out")
    parser.add_argument("--paper-batch", type=int, default=32)
    parser.add_argument("--paper-width", type=int, default=64)
    parser.add_argument("--held-critics", type=int, default=1000, help="critics of the memory measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here in place of printing them")
    parser.add_argument("--only-memory", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
