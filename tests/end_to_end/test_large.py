"""A million series to learn from, and a million images to draw: in little memory, by the figure of the system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.driving.generator_file import write_generator_file
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms

pytestmark = pytest.mark.slow

MILLION, LENGTH = 1_000_000, 187
PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=100, num_critics=9, num_steps=2, batch_size=2, draws_per_step=2, clip_norm=1.0,
    noise_multiplier=2.0,
)  # fmt: skip
MEASURED = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "gossamer", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of(*words: object) -> int:
    """Bytes of the largest memory of a command."""
    made = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, words)],
        capture_output=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return 1024 * int(made.stdout)


def test_a_million_series_are_learnt_from_in_600_mb(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(MILLION, LENGTH))
    for first in range(0, MILLION, 10_000):
        x[first : first + 10_000] = rng.random((10_000, LENGTH), dtype=np.float32)
    del x
    out = tmp_path / "run"
    words = ("--data", tmp_path / "x.npy", "--low", "0", "--high", "1", "--epsilon", "10", "--out", out, "--plain")
    peak = peak_of("train", "dp-mixture", *words)
    assert peak <= 600e6, f"{peak / 1e6:.0f} MB"
    assert (out / "release" / "generator.safetensors").is_file()


def test_a_table_of_400_000_series_is_learnt_from_in_520_mb(tmp_path: Path) -> None:
    """Values and features are on the disk, as of a million of them."""
    cells = [f"{value / 1000:.3f}" for value in range(1000)]
    rng = np.random.default_rng(0)
    with (tmp_path / "x.csv").open("w", encoding="ascii") as file:
        file.write(",".join(f"t{number}" for number in range(LENGTH)) + ",kind\n")
        for row in rng.integers(1000, size=(400_000, LENGTH)):
            file.write(f"{','.join(map(cells.__getitem__, row))},{'ab'[row[0] % 2]}\n")
    facts = ("--low", "0", "--high", "1", "--class-column", "kind", "--class-names", "a,b")
    words = ("--data", tmp_path / "x.csv", *facts, "--epsilon", "10", "--out", tmp_path / "run", "--plain")
    peak = peak_of("train", "dp-mixture", *words)
    assert peak <= 520e6, f"{peak / 1e6:.0f} MB"


def test_a_million_images_are_drawn_in_800_mb(tmp_path: Path) -> None:
    """The peak of a million follows from those of two smaller numbers, since a straight line joins them."""
    recipe = GeneratorRecipe(
        network=MLPGeneratorConfig(hidden_sizes=(8,)),
        latent=NormalLatent(dim=4),
        spec=ImageSpec(channels=1, height=28, width=28, class_names=tuple("0123456789")),
    )
    trained = TrainedGenerator(
        recipe=recipe,
        weights=dict(recipe.build(torch.Generator().manual_seed(3)).state_dict()),
        statement=PLAN.statement(ClaimTerms(delta=1e-3, method="gs-wgan", sample_size=64, is_secure=True)),
    )
    file, numbers = write_generator_file(trained, tmp_path / "generator.safetensors"), (30_000, 90_000)
    few, many = (peak_of("sample", file, "--num-samples", num, "--out", tmp_path / f"{num}.npz") for num in numbers)
    whole = many + max(0, many - few) / (numbers[1] - numbers[0]) * (MILLION - numbers[1])
    assert whole <= 800e6, f"{few / 1e6:.0f} and {many / 1e6:.0f} MB"
