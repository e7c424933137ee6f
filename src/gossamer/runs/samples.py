"""Synthetic images as files: one NPZ, a folder of PNGs with one sub-folder a class, or that of an experiment."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from gossamer.data.folder_names import folder_name
from gossamer.errors import InputError
from gossamer.runs.files import whole_file, whole_folder
from gossamer.runs.pieces import Pieces, write_arrays

PICTURE_TABLE = "metadata.csv"
"""Table beside pictures, by the name that Hugging Face gives it."""
BENCH_FILE = Path("gen") / "gen.npz"
"""File in the folder of an experiment from which DPImageBench scores samples."""


def write_npz(
    path: Path,
    x: np.ndarray | Pieces,
    y: np.ndarray | None,
    class_names: tuple[str, ...] = (),
    probabilities: np.ndarray | Pieces | None = None,
) -> None:
    """Write ``x`` and, if there are labels, ``y`` and the names of the classes, readable without pickle.

    Args:
        path: file ending in .npz.
        x: float32 (num_samples, channels, height, width) in [0, 1].
        y: int64 (num_samples,), or None.
        class_names: in the order of the labels. Empty if nobody named the classes.
        probabilities: soft labels, float32 (num_samples, num_classes). None if there are none.
    """
    arrays: dict[str, np.ndarray | Pieces] = {"x": x} if y is None else {"x": x, "y": y}
    if probabilities is not None:
        arrays["probabilities"] = probabilities
    if y is not None and class_names:
        arrays["class_names"] = np.array(class_names)
    with whole_file(path) as file:
        write_arrays(file, arrays)


def write_png_folder(folder: Path, x: np.ndarray | Pieces, y: np.ndarray | None, class_names: tuple[str, ...]) -> None:
    """Write ``CLASS/00000.png`` and so on. Without labels the files lie in the folder itself.

    A class with a name that no folder can have gets another, which the reader of folders takes back: `folder_name`.
    The folder appears under its name when all of its pictures are there.

    Raises:
        InputError: the folder holds something already.
        ResourceError: the folder cannot be written.
    """
    with new_folder(folder) as partial:
        _write_pictures(partial, x, y, class_names)


def write_image_folder(
    folder: Path, x: np.ndarray | Pieces, y: np.ndarray | None, class_names: tuple[str, ...]
) -> None:
    """Write ``000000.png`` and so on, and beside them ``metadata.csv`` with ``file_name`` and ``label``.

    The imagefolder of Hugging Face's library reads it as one split with pictures and the names of their classes. Names
    that cannot name a folder can stand in it.

    Raises:
        InputError: the folder holds something already.
        ResourceError: the folder cannot be written.
    """
    with new_folder(folder) as partial:
        _write_pictures(partial, x, None, ())
        with (partial / PICTURE_TABLE).open("w", newline="", encoding="utf-8") as table:
            rows = csv.writer(table, lineterminator="\n")
            rows.writerow(("file_name",) if y is None else ("file_name", "label"))
            for number in range(len(x)):
                label = () if y is None else (class_names[int(y[number])],)
                rows.writerow((f"{number:06d}.png", *label))


def write_bench_folder(folder: Path, x: np.ndarray | Pieces, y: np.ndarray) -> None:
    """Write ``gen/gen.npz`` with ``x`` and ``y``, as the folder of an experiment of DPImageBench has it.

    Its ``eval.py`` takes the folder as ``--exp_path``, and adds the scores to ``stdout.txt`` there.

    Args:
        folder: empty or absent.
        x: float32 (num_samples, channels, height, width) in [0, 1].
        y: int64 (num_samples,).

    Raises:
        InputError: the folder holds something already.
        ResourceError: the folder cannot be written.

    References:
        https://github.com/2019ChenGong/DPImageBench, eval.py, commit 565f8d7 of January 2026.
    """
    with new_folder(folder) as partial:
        (partial / BENCH_FILE).parent.mkdir()
        write_npz(partial / BENCH_FILE, x, y)


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder that must be empty or absent, and that appears under its name only when it is complete.

    Raises:
        InputError: the folder holds something already.
        ResourceError: the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not empty; name another --out")
    # An empty folder may be a link to another place, which a rename would replace.
    with whole_folder(folder.resolve()) as partial:
        yield partial


def _write_pictures(folder: Path, x: np.ndarray | Pieces, y: np.ndarray | None, class_names: tuple[str, ...]) -> None:
    for first, piece in Pieces.of(x).numbered():
        for number, image in enumerate(piece, start=first):
            place = folder if y is None else folder / folder_name(class_names[int(y[number])])
            place.mkdir(parents=True, exist_ok=True)
            as_picture(image).save(place / f"{number:06d}.png")


def as_picture(image: np.ndarray) -> Image.Image:
    """Convert an image (channels, height, width) in [0, 1] to 8-bit gray or colour."""
    pixels = np.rint(image * 255).astype(np.uint8)
    return Image.fromarray(pixels[0] if pixels.shape[0] == 1 else np.moveaxis(pixels, 0, -1))
