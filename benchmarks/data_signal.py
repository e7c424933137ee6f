"""The data signal of GS-WGAN's recipes: how much of the critics' mean answer tells of the records, and not of chance.

    python benchmarks/data_signal.py [--recipes mnist-cpu fashion-mnist-cpu] [--epsilon 10] [--critics 2000]
    python benchmarks/data_signal.py --recipes digits-trained --critics-per-draw 4 --twins 100

All records are replaced by samples of the generator (public twins), and the critics' mean answers are compared
(`gossamer.methods.gs_wgan.data_signal`). --after trains so many steps first, on the true budget, and measures there.
--twins takes the mean answer of so many other twins away before the clip. The data are public. Everything is measured
and printed, nothing is asserted.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

import torch

from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordSet
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.methods.gs_wgan.centre import TwinsTakenAway
from gossamer.methods.gs_wgan.data_signal import DataSignal, measure
from gossamer.methods.gs_wgan.public_generator import PublicGenerator
from gossamer.methods.gs_wgan.recipes import WORKING
from gossamer.methods.gs_wgan.settings import GSWGANConfig, plan
from gossamer.methods.gs_wgan.training import GSWGANTraining
from gossamer.methods.training import RunContext
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.slots import PublicSlots

NAMES = ("digits-cpu", "mnist-cpu", "fashion-mnist-cpu")
OTHERS = ("digits-trained", "mitdb-cpu")


def main(arguments: list[str] | None = None) -> int:
    """Measure every recipe that is asked for, and print a line for each state of its generator."""
    asked = _read(arguments)
    torch.set_num_threads(asked.threads)
    print(f"{'recipe':<20} {'steps':>6} {'data share':>10} {'likeness':>9} {'rho':>7} {'twins':>7} {'over noise':>10}")
    for name in asked.recipes:
        records = load_records(name.rpartition("-")[0]).train
        config = asked_for(GS_WGAN.find(name).config, asked)
        budget = PrivacyBudget(epsilon=asked.epsilon, delta=asked.delta)
        priced = plan(config, PublicSlots(records.num_records)).calibrated(budget)
        config, num_learnt = replace(config, noise_multiplier=priced.noise_multiplier), size(config, records)
        for steps in asked.after:
            began = time.perf_counter()
            signal = at(config, records, steps, asked.critics)
            seconds = time.perf_counter() - began
            show(name, steps, signal, signal.over_noise(priced, num_learnt))
            print(f"{'':<20} {seconds:.0f} s", file=sys.stderr)
    return 0


def asked_for(config: GSWGANConfig, asked: argparse.Namespace) -> GSWGANConfig:
    """Return the settings of a recipe with the critics and the twins that are asked for."""
    if asked.num_critics is not None:
        config = replace(config, num_critics=asked.num_critics)
    if asked.critics_per_draw is not None:
        config = replace(config, critics_per_draw=asked.critics_per_draw)
    return replace(config, centre=TwinsTakenAway(num_critics=asked.twins)) if asked.twins else config


def at(config: GSWGANConfig, records: RecordSet, steps: int, num_asked: int) -> DataSignal:
    """Measure after so many steps of a training with test noise."""
    context = RunContext(delta=1e-5, slots=PublicSlots(records.num_records))
    training = WORKING.start(config, records, DeterministicNoise(0), context)
    assert isinstance(training, GSWGANTraining)
    if steps:
        for _ in training:
            if training.step == steps:
                break
    generator = PublicGenerator(config, records.spec, context.device, context.precision)
    generator.restore(training.state_dict()["generator"])
    return measure(config, records, generator, context, step=steps, num_asked=num_asked)


def size(config: GSWGANConfig, records: RecordSet) -> int:
    """Count the parameters of the generator's class table and factors, or all if it has none."""
    network = config.generator.build(records.spec.shape, records.spec.num_classes, config.latent.dim, torch.Generator())
    tables = [one.numel() for name, one in network.named_parameters() if name in ("table", "factors")]
    return sum(tables) or sum(one.numel() for one in network.parameters())


def show(name: str, steps: int, signal: DataSignal, over_noise: float) -> None:
    """Print a line."""
    print(
        f"{name:<20} {steps:6} {signal.share:10.3f} {signal.likeness:9.3f} {signal.rho:7.4f} {signal.twins:7.4f} "
        f"{over_noise:10.3g}",
        flush=True,
    )


def _read(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How much of the critics' mean answer is data.")
    parser.add_argument("--recipes", nargs="+", default=list(NAMES), choices=(*NAMES, *OTHERS))
    parser.add_argument("--epsilon", type=float, default=10.0)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--critics", type=int, default=2000, help="critics that are asked")
    parser.add_argument("--after", type=int, nargs="+", default=[0], help="steps of training before the measurement")
    parser.add_argument("--num-critics", type=int, help="critics of a training, in place of the recipe's")
    parser.add_argument("--critics-per-draw", type=int, help="critics expected in a draw, in place of the recipe's")
    parser.add_argument("--twins", type=int, default=0, help="twins to take away, for recipes of trained critics")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
