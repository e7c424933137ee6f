"""A user's own images in a folder of PNG files, with one sub-folder per class or none at all."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from gossamer.data.files import check_link, damage_refused, is_folder, open_regular, shown
from gossamer.data.folder_names import class_name_of
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.pixel_scale import PixelScale
from gossamer.data.png import PngHeader, check_png_structure, read_png_header
from gossamer.data.records import RecordData, RecordSet, check_num_classes, check_num_values
from gossamer.data.value_ranges import ValueRanges
from gossamer.errors import InputError

_OF_BITS: Final = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16)}
_CARDS: Final = ("README.md", "croissant.json")
"""Names of files that describe a folder and are no picture. `gossamer sample` writes them, and many folders have
one."""


def load_png_folder(path: Path, *, num_classes: int | None = None, images: ImageChoice = AS_STORED) -> RecordData:
    """Load a folder of PNG images.

    Each sub-folder is a class, in the order of the sorted names, and an empty one is a class without records. If the
    PNG files lie straight in the folder, the images have no labels. Hidden names (``.x``), README.md and croissant.json
    are skipped.

    Guarantee:
        The names of the sub-folders are a public input. No pixel and no number of files decides a class.

    Args:
        path: The folder. Gray (up to 8 bits, or 16), palette and RGB (8 bits) images, all of one size unless they are
            resized. Palettes become RGB. Transparency is refused.
        num_classes: If given, the number of sub-folders that must be there.
        images: Way of reading images.

    Returns:
        The images, sorted by class and file name, as training records without a test set.

    Raises:
        InputError: Naming the first file that breaks a rule, and never a pixel.
    """
    if num_classes is not None:
        check_num_classes(num_classes)
    root = _resolved(path)
    class_folders, files = _layout(path, root)
    labelled = [
        (file, label) for label, folder in enumerate(class_folders) for file in _checked(_visible(folder, root))
    ]
    if num_classes is not None and num_classes != len(class_folders):
        raise InputError(
            f"{shown(path)} has {len(class_folders)} sub-folders, one per class, --num-classes says {num_classes}: "
            "make an empty sub-folder for a class without images, or correct the number"
        )
    pngs = [file for file, _ in labelled] if class_folders else _checked(files)
    if not pngs:
        raise InputError(
            f"{shown(path)} holds no PNG file; put at least 1 there, or one sub-folder of them for each class"
        )
    names = tuple(class_name_of(folder.name) for folder in class_folders)
    _refuse_first_label(path, images)
    x, ranges = _read_all(pngs, images)
    spec = ImageSpec(channels=x.shape[1], height=x.shape[2], width=x.shape[3], class_names=names)
    y = torch.tensor([label for _, label in labelled], dtype=torch.int64) if class_folders else None
    name = path.name if path.name and path.name.isprintable() else "images"
    train = RecordSet(name=name, spec=spec, x=torch.from_numpy(x), y=y)
    return RecordData(train=train, public_notes=_notes(names, images), ranges=ranges)


def _refuse_first_label(path: Path, images: ImageChoice) -> None:
    if images.first_label:
        raise InputError(f"{shown(path)} has sub-folders as classes and no labels: leave --first-label out")


def _notes(names: tuple[str, ...], choice: ImageChoice) -> tuple[str, ...]:
    read = "image shape" if choice.size is None else "number of channels"
    shape = f"The {read} was read from the files' format and is taken as public."
    classes = ("The class names are those of the sub-folders and are taken as public.",) if names else ()
    return shape, *classes, *choice.notes


def _resolved(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"{shown(path)} cannot be reached: check the path and its permissions") from None


def _layout(path: Path, root: Path) -> tuple[list[Path], list[Path]]:
    entries = _visible(path, root)
    folders = [entry for entry in entries if is_folder(entry)]
    files = [entry for entry in entries if not is_folder(entry)]
    if folders and files:
        raise InputError(
            f"{shown(path)} holds sub-folders and also {shown(files[0].name)}: "
            "put every image into the sub-folder of its class, or have no sub-folders"
        )
    return folders, files


def _visible(folder: Path, root: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            paths = sorted(
                folder / entry.name for entry in entries if entry.name not in _CARDS and not entry.name.startswith(".")
            )
    except PermissionError:
        raise InputError(f"{shown(folder)} may not be read: give yourself read permission on it") from None
    except (OSError, ValueError):
        raise InputError(f"{shown(folder)} cannot be listed: name a folder of PNG images") from None
    for path in paths:
        check_link(path, root)
    return paths


def _checked(paths: list[Path]) -> list[Path]:
    for path in paths:
        if is_folder(path):
            raise InputError(f"{shown(path)} is a folder inside a class: only one level of sub-folders is read")
        if path.suffix.lower() != ".png":
            raise InputError(f"{shown(path)} is not a PNG file: convert it to PNG or move it away")
    return paths


def _read_all(paths: list[Path], choice: ImageChoice) -> tuple[np.ndarray, ValueRanges | None]:
    """Read all images as float32 (num_records, channels, height, width) in [0, 1], each changed to the choice.

    Beside them stands the range of the stored values, private. It is None if files of 8 and of 16 bits are mixed.
    """
    first = _read_header(paths[0], choice)
    shape = (len(paths), *choice.shape_of(first.channels, first.height, first.width))
    check_num_values(shown(paths[0].parent), math.prod(shape))
    with damage_refused(shown(paths[0].parent)):
        x = np.empty(shape, dtype=np.float32)
    scales: dict[tuple[int, int], PixelScale] = {}
    for index, path in enumerate(paths):
        header = _read_header(path, choice)
        _check_like(header, path, first, paths[0], choice)
        stored = _decode(path, header)
        kind = (len(stored), 16 if header.is_gray and header.bit_depth == 16 else 8)
        if kind not in scales:
            _check_white_fits(header, path, kind[1], scales, choice)
            scales[kind] = PixelScale(_OF_BITS[kind[1]], kind[0], choice, shown(path), full=2 ** kind[1] - 1)
        x[index] = choice.changed(scales[kind].in_unit_range(stored[None], 0))[0]
    return x, next(iter(scales.values())).ranges() if len(scales) == 1 else None


def _check_white_fits(
    header: PngHeader, path: Path, bits: int, scales: Collection[tuple[int, int]], choice: ImageChoice
) -> None:
    """Refuse a white level for pixels that Pillow has scaled already, and one for pixels of two lengths."""
    if choice.white_level is None:
        return
    if header.is_gray and header.bit_depth < 8:
        raise InputError(
            f"{shown(path)} has {header.bit_depth} bits a pixel, which fill their range: leave --white-level out"
        )
    if any(bits != other for _, other in scales):
        raise InputError(
            f"{shown(path)} has {bits} bits a channel and others have not: a white level (--white-level) is of one kind"
        )


def _check_like(header: PngHeader, path: Path, first: PngHeader, first_path: Path, choice: ImageChoice) -> None:
    """Refuse an image of another size or kind than the first, unless the choice brings both to the same."""
    if choice.size is None and (header.height, header.width) != (first.height, first.width):
        raise InputError(
            f"{shown(path)} is {header.height} x {header.width} (height x width), {shown(first_path)} is "
            f"{first.height} x {first.width}: all images must have one size; --resize HxW brings them to one"
        )
    if not choice.gray and header.channels != first.channels:
        raise InputError(
            f"{shown(path)} has {header.channels} channels, {shown(first_path)} has {first.channels}: "
            "make all images gray (--gray) or all RGB"
        )


def _read_header(path: Path, choice: ImageChoice) -> PngHeader:
    with open_regular(path) as file, damage_refused(shown(path)):
        return read_png_header(file, shown(path), choice)


def _decode(path: Path, header: PngHeader) -> np.ndarray:
    where = shown(path)
    with open_regular(path) as file, damage_refused(where), warnings.catch_warnings():
        warnings.simplefilter("error")  # a decompression-bomb warning is a refusal
        check_png_structure(file, header, where)
        file.seek(0)
        with Image.open(file, formats=["PNG"]) as image:
            _check_opened(image, header, where)
            return _stored(image, header)


def _check_opened(image: Image.Image, header: PngHeader, where: str) -> None:
    if "transparency" in image.info:
        raise InputError(f"{where} has transparency (a transparent colour): save it as gray or RGB without it")
    if isinstance(image, PngImageFile) and image.is_animated:
        raise InputError(f"{where} is an animation: save one frame as a plain PNG")
    if image.size != (header.width, header.height):
        raise InputError(f"{where} is damaged or cut short: make or copy the file again")


def _stored(image: Image.Image, header: PngHeader) -> np.ndarray:
    """Return one image (channels, height, width), of whole numbers up to 255, or 65535 if it is gray of 16 bits."""
    if header.is_gray and header.bit_depth == 16:
        return np.asarray(image)[None]
    if header.is_gray:
        return np.asarray(image.convert("L"))[None]
    return np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
