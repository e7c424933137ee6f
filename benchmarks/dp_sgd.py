"""Time of a private step of DP-CGAN's published discriminator beside Opacus' on the same batch, in one process.

Random images in the shape of MNIST stand in for records: time does not depend on them. Every step of ours draws its own
Poisson sample of 600 of 60,000 records on average, and Opacus is handed the same records as one batch. Both steps go
from records to a noisy, clipped gradient, and alternate. "Each" is a step that holds the gradient of each record. Run
with ``OMP_NUM_THREADS=1``; Opacus is no part of the lock (``make dev`` brings it).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.mechanisms.poisson.dense import DenseLosses
from gossamer.mechanisms.poisson.door import PoissonReleaser, RecordLosses, Tensors
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import units_of_records
from gossamer.nn.images.settings import MLPDiscriminatorConfig
from gossamer.privacy.adjacency import Unit

RECORDS, BATCH, CLIP, NOISE, ROUNDS = 60_000, 600, 1.1, 1.12, 15


def main() -> None:
    """Print the CPU seconds of a step of each kind, and their ratios to Opacus'."""
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    private = (torch.rand(RECORDS, 1, 28, 28, generator=rng), torch.randint(0, 10, (RECORDS,), generator=rng))
    steps: dict[str, Callable[[int], None]] = {
        "opacus": opacus_step(private),
        "gossamer, each record's gradient": own_step(private, is_dense=False),
        "gossamer": own_step(private, is_dense=True),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in range(ROUNDS + 1):
        for name, take in steps.items():
            start = time.process_time()
            take(step)
            times[name].append(time.process_time() - start)
    reference = statistics.median(times["opacus"][1:])
    for name, found in times.items():
        middle = statistics.median(found[1:])
        print(f"{name:34s} {1e3 * middle:8.1f} ms   {middle / reference:.3f} of Opacus' time")


def network() -> torch.nn.Module:
    """Build the published discriminator at the size of MNIST."""
    return MLPDiscriminatorConfig().build((1, 28, 28), 10, torch.Generator().manual_seed(0))


def own_step(private: tuple[Tensor, ...], *, is_dense: bool) -> Callable[[int], None]:
    """Return a step of the releaser."""
    plan = PoissonPlan(
        unit=Unit.RECORD, num_slots=RECORDS, sample_rate=BATCH / RECORDS, num_steps=ROUNDS + 1, clip_norm=CLIP,
        noise_multiplier=NOISE,
    )  # fmt: skip
    asked = network()

    def losses(parameters: Tensors, image: Tensor, label: Tensor) -> Tensor:
        return F.softplus(-functional_call(asked, parameters, (image, label)))

    chosen: RecordLosses | DenseLosses = DenseLosses(network=asked, losses=losses) if is_dense else losses
    door = PoissonReleaser(plan, units_of_records(RECORDS), private, KeyedNoise(), gate=StepGate(plan))

    def take(step: int) -> None:
        door.release(step, dict(asked.named_parameters()), chosen)

    return take


def opacus_step(private: tuple[Tensor, ...]) -> Callable[[int], None]:
    """Return a step of Opacus that holds the gradient of each record, as its default mode does."""
    sampled = GradSampleModule(network(), loss_reduction="sum")
    inner = torch.optim.SGD(sampled.parameters(), lr=0.0)
    optimiser = DPOptimizer(
        inner, noise_multiplier=NOISE, max_grad_norm=CLIP, expected_batch_size=BATCH, loss_reduction="sum"
    )

    def take(step: int) -> None:
        rows = torch.randperm(RECORDS)[:BATCH]
        optimiser.zero_grad()
        F.softplus(-sampled(*(part[rows] for part in private))).sum().backward()
        optimiser.step()

    return take


if __name__ == "__main__":
    main()
