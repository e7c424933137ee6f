"""The self test of `gossamer doctor`: known figures, and a tiny training with a generator saved and loaded again."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from gossamer.data.images import ImageSpec
from gossamer.driving.generator_file import load_generator, write_generator_file
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.cost import random_records
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.training import RunContext
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import gaussian_event, one_of_many_event
from gossamer.privacy.slots import PublicSlots

NUM_RECORDS: Final = 60
KNOWN: Final = {
    "one Gaussian release": (lambda: gaussian_event(noise_multiplier=3.7306339), 1.0),
    "one of many": (
        lambda: one_of_many_event(
            num_critics=1000, noise_multiplier=1.07, num_steps=100, batch_size=4, draws_per_step=4
        ),
        0.0975655,
    ),
}
"""Events with their epsilon at a delta of 1e-5. The first epsilon follows from a closed form (Balle, Wang 2018). The
second was computed where Gossamer is made."""


def account_for_known_events() -> str:
    """Compare the accountant with known figures.

    Raises:
        RuntimeError: a figure is another one.
    """
    for name, (event, expected) in KNOWN.items():
        found = epsilon_by_pld(event(), 1e-5).epsilon
        if not math.isclose(found, expected, rel_tol=2e-3):
            raise RuntimeError(f"{name}: epsilon {found:.6g} where {expected:.6g} is known")
    return f"the epsilons of {len(KNOWN)} known plans come out right"


def release_once() -> str:
    """Release one step of answers far beyond the clip. The known noise is added, and the rest is clipped.

    Raises:
        RuntimeError: another result.
    """
    plan = OneOfManyPlan(
        unit=Unit.RECORD,
        num_slots=60,
        num_critics=30,
        num_steps=1,
        batch_size=2,
        draws_per_step=2,
        clip_norm=0.5,
        noise_multiplier=1.0,
    )
    releaser = OneOfManyReleaser(plan, DeterministicNoise(0), gate=StepGate(plan))
    released = releaser.release(0, lambda coins: torch.full((2, 1, 8), 1e6))
    noise = plan.noise_std * DeterministicNoise(0).gaussian(0, (2, 8)).to(torch.float32)
    norms = (released.reshape(2, 8) - noise).norm(dim=1)
    # Answers are shrunk, and answers and noise rounded, by about a thousandth of the bound.
    if not torch.allclose(norms, torch.full((2,), 0.5), atol=2e-3):
        raise RuntimeError("an answer was not clipped to its bound")
    return "a releaser clips and adds its noise"


def train_save_load() -> str:
    """Train on a few random images. The generator, saved and loaded, draws the same samples.

    Raises:
        RuntimeError: other samples.
    """
    spec = ImageSpec(channels=1, height=8, width=8, class_names=("0", "1"))
    method, config = DP_MIXTURE, DP_MIXTURE.settings_for(spec, NUM_RECORDS)
    config = method.calibrate(config, PublicSlots(NUM_RECORDS), PrivacyBudget(epsilon=10.0, delta=1e-3))
    # These records are random, so the noise need not be secret.
    training = method.start(config, random_records(spec, NUM_RECORDS), DeterministicNoise(0), RunContext(delta=1e-3))
    for _ in training:
        pass
    trained = training.trained()
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_generator(write_generator_file(trained, Path(folder) / "generator.safetensors"))
    if not torch.equal(loaded.sample(8)[0], trained.sample(8)[0]):
        raise RuntimeError("a saved and loaded generator draws other samples")
    return "a tiny training runs; its generator, saved and loaded, draws the same samples"


TESTS: Final[tuple[Callable[[], str], ...]] = (account_for_known_events, release_once, train_save_load)
"""Tests in their order."""
