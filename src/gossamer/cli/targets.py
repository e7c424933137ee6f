"""What can be scored: a run, one of its saved generators, a generator's file, or images that another program made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gossamer.data.folder import load_png_folder
from gossamer.data.images import ImageSet, ImageSpec
from gossamer.data.npz import has_unnamed_classes, load_npz
from gossamer.errors import InputError
from gossamer.estimators import load_generator
from gossamer.evaluation.suite import SyntheticImages
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import saved_generators


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Synthetic images, drawn anew for each seed where there is a generator.

    Attributes:
        name: as tables and pictures call it.
        draw: (number of images, seed) -> images; a file gives what it has, in an order that the seed decides.
        num_images: how many there are, None for a generator, which has no end.
        statement: what is claimed for the generator, None for foreign images.
        step: of a saved generator, None for a final one and for files.
        run: the run folder, None for single files.
        series: the line that it is a point of in a picture over epsilon: a run's name for its saved generators, else
            the mechanism; empty for images of unknown origin.
    """

    name: str
    draw: Callable[[int, int], SyntheticImages]
    num_images: int | None = None
    statement: PrivacyStatement | None = None
    step: int | None = None
    run: RunFolder | None = None
    series: str = ""


def find_target(path: Path, real: ImageSpec) -> Target:
    """The target at a path.

    Args:
        path: run folder, folder or file of a released generator, NPZ, or folder of PNGs.
        real: shape and classes of the data that it will be scored against.

    Raises:
        InputError: nothing there, or images of another shape or of other classes.
    """
    if (path / "config.json").is_file():
        folder = RunFolder(path)
        return _of_generator(path, _plain_name(path), real, run=folder)
    if path.suffix.lower() == ".npz":
        images = load_npz(path, num_classes=real.num_classes if has_unnamed_classes(path) else None).train
        return _of_images(path, images, real)
    if path.is_dir() and not _holds_generator(path):
        return _of_images(path, load_png_folder(path).train, real)
    return _of_generator(path, _plain_name(path), real)


def find_checkpoints(path: Path, real: ImageSpec) -> tuple[Target, ...]:
    """The generators that a run saved on its way, in the order of their steps, and the final one if it is there.

    Raises:
        InputError: not a run, or one that saved none.
    """
    run, name = RunFolder(path), _plain_name(path)
    saved = saved_generators(run)
    if not saved:
        raise InputError(
            f"{path}: no saved generators; train with --save-at-epsilon 1,2,5,10 or --save-at-step, or leave "
            "--checkpoints out"
        )
    found = [
        _of_generator(one.path, f"{name} step {one.step}", real, run=run, step=one.step, series=name) for one in saved
    ]
    if run.generator_file.is_file():
        final = _of_generator(path, name, real, run=run, series=name)
        # The last saved one is often the final one, under another name.
        if _epsilon(final) > _epsilon(found[-1]):
            found.append(final)
    return tuple(found)


def _epsilon(target: Target) -> float:
    return 0.0 if target.statement is None else target.statement.epsilon


def _plain_name(path: Path) -> str:
    resolved = path.resolve()
    inside = {"generator.safetensors": resolved.parent, "release": resolved}.get(resolved.name)
    if inside is not None:
        return _plain_name(inside.parent) if inside.name == "release" else inside.name
    return resolved.stem if resolved.is_file() else resolved.name


def _holds_generator(path: Path) -> bool:
    return (path / "generator.safetensors").is_file() or (path / "release").is_dir()


def _of_generator(
    path: Path,
    name: str,
    real: ImageSpec,
    *,
    run: RunFolder | None = None,
    step: int | None = None,
    series: str | None = None,
) -> Target:
    trained = load_generator(path)
    spec = trained.recipe.spec
    _check_shape(path, spec, real)

    def draw(num_images: int, seed: int) -> SyntheticImages:
        x, y = trained.sample(num_images, seed=seed)
        return SyntheticImages(x=x.numpy(), y=None if y is None else relabel(y.numpy()))

    relabel = _relabelling(path, spec, real)
    return Target(
        name=name,
        draw=draw,
        statement=trained.statement,
        step=step,
        run=run,
        series=trained.statement.mechanism if series is None else series,
    )


def _of_images(path: Path, images: ImageSet, real: ImageSpec) -> Target:
    _check_shape(path, images.spec, real)
    x = images.x.numpy()
    y = None if images.y is None else _relabelling(path, images.spec, real)(images.y.numpy())

    def draw(num_images: int, seed: int) -> SyntheticImages:
        # A folder is sorted by class: its first images would be of one.
        chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:num_images].numpy()
        return SyntheticImages(x=x[chosen], y=None if y is None else y[chosen])

    return Target(name=_plain_name(path), draw=draw, num_images=len(x))


def _check_shape(path: Path, found: ImageSpec, real: ImageSpec) -> None:
    if found.shape != real.shape:
        raise InputError(
            f"{path}: images of shape {found.shape} (channels, height, width), the real ones have {real.shape}; "
            "resize one, or name other --data"
        )


def _relabelling(path: Path, found: ImageSpec, real: ImageSpec) -> Callable[[np.ndarray], np.ndarray]:
    """From the target's class numbers to those of the real data: by name where the names are known, else by order."""
    numbers = {name: number for number, name in enumerate(real.class_names)}
    if all(name in numbers for name in found.class_names):
        table = np.array([numbers[name] for name in found.class_names], dtype=np.int64)
    elif found.num_classes == real.num_classes:
        table = np.arange(real.num_classes)
    else:
        raise InputError(
            f"{path}: {found.num_classes} classes, the real data have {real.num_classes}, and their names do not match"
        )
    return lambda labels: table[labels]
