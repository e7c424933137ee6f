"""A place in which the commands of the pages run: small stand-ins by the names on the pages, and short recipes."""

from __future__ import annotations

import dataclasses
import functools
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.cli import demo
from gossamer.cli.main import main
from gossamer.evaluation import classifiers
from gossamer.evaluation.encoder import EncoderSettings
from gossamer.evaluation.series import networks
from gossamer.methods.catalogue import METHODS
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.privacy import tradeoff
from gossamer.scoring import encoder

NUM_STEPS = 8
"""Of GS-WGAN; the generator that the pages have saved after 500 steps is here saved after the last of these."""
PREPARED = (
    ("train gs-wgan --data mnist --epsilon 10 --save-at-step 8 --out", "runs/mnist"),
    ("train dp-merf --data mnist --epsilon 1 --out", "runs/mnist-wide"),
    ("train dp-mixture --data scans.npz --num-classes 3 --epsilon 10 --out", "runs/scans"),
    ("train dp-mixture --data scans.npz --num-classes 3 --epsilon 10 --out", "runs/own"),
    ("train dp-mixture --data mitdb --epsilon 10 --out", "runs/beats"),
)
"""Runs that pages take for granted where they do not train them themselves."""


def shortened(config: Any) -> Any:
    """The same settings at a size of seconds."""
    if isinstance(config, GSWGANConfig):
        (*_, stage) = config.stages
        warm_start = dataclasses.replace(stage.warm_start, num_updates=2)
        return dataclasses.replace(
            config, num_critics=60, num_steps=NUM_STEPS, batch_size=10, draws_per_step=10, fork_steps=1,
            renewals_per_step=1, critic_batch_size=2, critics_at_once=60,
            stages=(dataclasses.replace(stage, warm_start=warm_start),),
        )  # fmt: skip
    if isinstance(config, DPCGANConfig):
        return dataclasses.replace(config, num_steps=4, expected_batch_size=400, synthetic_batch_size=20)
    if isinstance(config, DPMERFConfig):
        return dataclasses.replace(config, num_features=100, num_fit_steps=20)
    return config


@pytest.fixture(scope="module")
def short_recipes() -> Iterator[None]:
    """Every recipe, named or made for somebody's own records, at a size of seconds."""
    before = [(work, work.recipes, work.for_own) for work in (method.working() for method in METHODS)]

    def own(for_own: Callable[..., Any], *arguments: Any) -> Any:
        recipe = for_own(*arguments)
        return dataclasses.replace(recipe, config=shortened(recipe.config))

    for work, recipes, for_own in before:
        short = tuple(dataclasses.replace(recipe, config=shortened(recipe.config)) for recipe in recipes)
        object.__setattr__(work, "recipes", short)
        object.__setattr__(work, "for_own", functools.partial(own, for_own))
    yield
    for work, recipes, for_own in before:
        object.__setattr__(work, "recipes", recipes)
        object.__setattr__(work, "for_own", for_own)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, short_recipes: None) -> Iterator[Path]:
    """The folder that every page gets a copy of; published data sets, a cache and judges of seconds around it."""
    stage, data = tmp_path_factory.mktemp("stage"), tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(stage)
        patch.setenv("GOSSAMER_DATA", str(data))
        patch.setenv("GOSSAMER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(
            encoder, "EncoderSettings", functools.partial(EncoderSettings, num_epochs=1, min_updates=5, width=8)
        )
        patch.setattr(classifiers, "_MIN_UPDATES", 3)
        patch.setattr(classifiers, "_NUM_EPOCHS", 1)
        patch.setattr(networks, "_MIN_UPDATES", 3)
        patch.setattr(networks, "_NUM_EPOCHS", 1)
        patch.setattr(demo, "NUM_SAMPLES", 300)
        patch.setattr(tradeoff, "_DELTAS", (1e-4, 0.05, 0.5))
        cheap = {one.name: one for one in classifiers.TWELVE}["gaussian_nb"].build
        for one in classifiers.TWELVE:
            patch.setitem(vars(one), "build", cheap)
        write_data(data)
        write_own(stage)
        for words, folder in PREPARED:
            assert main([*words.split(), folder]) == 0, words
        Path("generator.safetensors").write_bytes(Path("runs/mnist/release/generator.safetensors").read_bytes())
        yield stage


def blobs(rng: np.random.Generator, num_images: int, side: int, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images with a bright spot whose place tells the class."""
    y = np.arange(num_images) % num_classes
    x = rng.integers(0, 60, size=(num_images, side, side), dtype=np.uint8)
    for image, label in zip(x, y):
        row = label * (side - 3) // num_classes
        image[row : row + 3, row : row + 3] = 255
    return x, y.astype(np.uint8)


def write_data(folder: Path) -> None:
    """MNIST, Fashion-MNIST and MIT-BIH, small, made up, as their publishers lay them out."""
    rng = np.random.default_rng(0)
    for name in ("mnist", "fashion-mnist"):
        (folder / name).mkdir()
        for part, size in (("train", 400), ("t10k", 200)):
            images, labels = blobs(rng, size, 28, 10)
            for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
                head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
                (folder / name / f"{part}-{kind}-ubyte").write_bytes(head + values.tobytes())
    (folder / "mitdb").mkdir()
    for name in ("100", "101", "103", "105", "106", "108"):
        write_recording(folder / "mitdb", name, rng)


def write_recording(folder: Path, name: str, rng: np.random.Generator) -> None:
    """A minute of beats in the five classes."""
    peaks = np.arange(200, 21_400, 300)
    times = np.arange(60 * 360)
    beats = np.exp(-0.5 * ((times[:, None] - peaks) / 5.0) ** 2).sum(axis=1) + 0.05 * rng.standard_normal(times.size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        wfdb.wrsamp(
            name, fs=360, units=["mV"], sig_name=["MLII"], p_signal=beats[:, None], fmt=["212"],
            adc_gain=[200.0], baseline=[0], write_dir=str(folder),
        )  # fmt: skip
        symbols = [("N", "N", "A", "V", "F", "/")[number % 6] for number in range(len(peaks))]
        wfdb.wrann(name, "atr", sample=peaks, symbol=symbols, write_dir=str(folder))


def write_own(folder: Path) -> None:
    """What a reader of the pages would have: images, somebody else's images, a table of series."""
    import pyarrow
    from pyarrow import parquet

    rng = np.random.default_rng(1)
    x, y = blobs(rng, 600, 8, 3)
    # Six hundred records of five hundred people: some have two.
    theirs, classes = blobs(np.random.default_rng(7), 200, 28, 10)
    np.savez(folder / "gen_data.npz", data_x=(theirs / 255.0).astype(np.float32)[..., None], data_y=classes)
    (folder / "owner.toml").write_text('curator = "A hospital"\npurpose = "Teaching"\n')
    np.savez_compressed(folder / "scans.npz", x=x, y=y, person=np.arange(600) % 500)
    x, y = blobs(rng, 150, 8, 3)
    np.savez_compressed(folder / "held-out.npz", x=x, y=y)
    x, y = blobs(rng, 300, 28, 10)
    np.savez_compressed(folder / "theirs.npz", x=x, y=y)
    for name, label in (("cat", 0), ("dog", 1), ("eel", 2)):
        (folder / "pictures" / name).mkdir(parents=True)
        for number, image in enumerate(blobs(rng, 240, 8, 3)[0][label::3]):
            Image.fromarray(image).save(folder / "pictures" / name / f"{number:03d}.png")
    rows = [{"step": n // 100, "second": n % 100, "left": float(rng.random()), "right": 0.5} for n in range(3000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "gait.parquet")
