"""Pictures of mixed sizes and kinds as a folder of plain PNG files, each changed by itself by public rules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from PIL import Image

from gossamer.data.files import path_of, shown
from gossamer.data.folder import UNFINISHED_FILE
from gossamer.data.folder_layout import checked_pictures, listed
from gossamer.data.image_choice import GROUNDS, Ground, ImageChoice, brought_to, ground_of
from gossamer.data.machines import kind_left_out
from gossamer.data.picture_rules import ToConvert
from gossamer.data.picture_table import find_picture_table
from gossamer.data.pictures import FORMATS, Picture, read_picture
from gossamer.errors import InputError, told
from gossamer.runs.files import read_json, whole_file, write_json, writing

Fit = Literal["stretch", "crop", "pad"]
"""Way to bring a picture of another ratio to a size."""
FITS: Final[tuple[Fit, ...]] = ("stretch", "crop", "pad")
SETTINGS_FILE: Final = ".gossamer-convert.json"
"""File in the folder of the result with the settings that made it. Readers leave hidden files out."""
_MAX_DEPTH: Final = 2
_WAY_OUT: Final = "free space, then give the same command again: it goes on"


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The public settings of a conversion.

    Args:
        size: Height and width of the results, HxW, or one number for both.
        fit: With another ratio of the sides, stretch them, crop the longer one at both ends, or pad with the ground.
        gray: True to make colour gray, by the luma of ITU-R BT.601.
        ground: Ground under transparent pixels and beside padded pictures.

    Raises:
        InputError: A setting is none of these.
    """

    size: str
    fit: Fit = "stretch"
    gray: bool = False
    ground: Ground = "white"

    def __post_init__(self) -> None:
        if not isinstance(self.size, str):
            raise InputError(f"size must be HxW or one number, 64 for instance, not {told(self.size)}")
        object.__setattr__(self, "size", self.size if "x" in self.size else f"{self.size}x{self.size}")
        if ImageChoice.of(self.size, self.gray).size is None or ground_of(self.ground) is None:
            raise InputError("size and ground must be given")
        if not isinstance(self.fit, str) or self.fit not in FITS:
            raise InputError(f"fit (--fit) must be {', '.join(FITS)}, not {told(self.fit)}")

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the results, in pixels."""
        height, _, width = self.size.partition("x")
        return int(height), int(width)


@dataclass(frozen=True, kw_only=True)
class Converted:
    """The record of a conversion. All counts are of private files: for their owner's eyes.

    Args:
        folder: Folder of the results.
        num_made: Pictures converted now.
        num_kept: Pictures that an earlier, interrupted conversion had made.
        formats: Format -> number of the pictures converted now.
        changes: Words for a change -> number of the pictures that it was made to now.
        left_out: Name of a machine's or of a card -> number of entries of that name, which were not converted. Hidden
            names are counted together. A folder that was left out counts as one entry.
    """

    folder: Path
    num_made: int
    num_kept: int
    formats: dict[str, int] = field(repr=False)
    changes: dict[str, int] = field(repr=False)
    left_out: dict[str, int] = field(repr=False)


def _nobody_watches(what: str, num_done: int, num_all: int) -> None:
    """Show no progress."""


def convert_images(
    source: str | Path,
    out: str | Path,
    *,
    size: int | str,
    fit: Fit = "stretch",
    gray: bool = False,
    ground: Ground = "white",
    count: Callable[[str, int, int], None] = _nobody_watches,
) -> Converted:
    """Convert a folder of pictures into a folder of PNG files of one size, which `load_records` reads.

    Sub-folders keep their names, and ``cat/7.jpg`` becomes ``cat/7.jpg.png``. Pictures are turned upright by EXIF, and
    transparency is laid on the ground. CMYK becomes RGB by (1 - C)(1 - K). Colour of 16 bits keeps its upper 8. Gray of
    16 bits stays so. Sizes change by means over areas.

    Guarantee:
        Each result is a function of its own picture and of public settings. So one record of the results stands for one
        picture, and a guarantee for the results is one for the pictures.

    Args:
        source: Folder of pictures, up to two levels of sub-folders. It is only read.
        out: Folder of the results. Nothing in it is overwritten. An interrupted conversion with the same settings goes
            on where it stopped.
        size: Public height and width, one number or HxW.
        fit: Public way to bring another ratio of sides to that size: stretch, crop or pad.
        gray: True to make colour gray.
        ground: Public ground, white or black, under transparent pixels and beside padded pictures.
        count: (name of the work, number done, number of all) -> None, called after each picture.

    Returns:
        Numbers of pictures, by format and by change, and of entries that are no pictures and were left out.

    Raises:
        InputError: Naming the first picture that breaks a rule, or a folder that cannot be written to by the rules.
        ResourceError: A result cannot be written.
    """
    if not callable(count):
        raise InputError(f"count must be a function of (name, number done, number of all), not {told(count)}")
    settings = Conversion(size=told_size(size), fit=fit, gray=gray, ground=ground)
    source, out = path_of(source, "source"), path_of(out, "out")
    pictures = _pictures(source)
    targets = _targets(pictures, source, out)
    folders = _folders_of(source)
    _begin(source, out, settings)
    for folder in folders:
        with writing(out / folder, _WAY_OUT):
            (out / folder).mkdir(parents=True, exist_ok=True)
    unfinished = out / UNFINISHED_FILE
    if not all(target.exists() for target in targets):
        write_json(unfinished, {})
    formats, changes = Counter[str](), Counter[str]()
    num_kept = 0
    for number, (picture, target) in enumerate(zip(pictures, targets, strict=True), start=1):
        if target.exists():
            _check_unchanged(picture, target)
            num_kept += 1
        else:
            changes.update(_convert(picture, target, settings))
            formats[FORMATS[picture.suffix.lower()]] += 1
        count("converted", number, len(pictures))
    with writing(unfinished, _WAY_OUT):
        unfinished.unlink(missing_ok=True)
    return Converted(
        folder=out,
        num_made=formats.total(),
        num_kept=num_kept,
        formats=dict(sorted(formats.items())),
        changes=dict(sorted(changes.items())),
        left_out=_left_out(source, folders),
    )


def _left_out(source: Path, folders: list[Path]) -> dict[str, int]:
    """Count the entries that are not converted, by names that may be told."""
    listings = (listed(source / folder, source.resolve()) for folder in folders)
    found = Counter(kind_left_out(name) for listing in listings for name in listing.left_out)
    return dict(sorted(found.items()))


def told_size(size: int | str) -> str:
    """Return a size as text."""
    return str(size) if isinstance(size, int) and not isinstance(size, bool) else size  # type: ignore[return-value]


def _folders_of(source: Path) -> list[Path]:
    """Return all sub-folders, relative to the source. An empty one is a class without images, and is kept."""
    root, found, level = source.resolve(), [], [source]
    for _ in range(_MAX_DEPTH):
        level = [folder for one in level for folder in listed(one, root).folders]
        found += [folder.relative_to(source) for folder in level]
    return [Path(), *found]


def _pictures(source: Path) -> list[Path]:
    """Return all pictures of a folder and of its sub-folders, sorted in each.

    Raises:
        InputError: Something else is there, or no picture.
    """
    found: list[Path] = []
    for folder in (source / one for one in _folders_of(source)):
        if find_picture_table(folder) is not None:
            raise InputError(
                f"{shown(folder)} holds a table of pictures, whose names would change: move each picture into a "
                "sub-folder of its class first, or read the folder without converting it"
            )
        listing = listed(folder, source.resolve())
        found += checked_pictures(listing.files)
        if len(folder.relative_to(source).parts) == _MAX_DEPTH and listing.folders:
            raise InputError(f"{shown(listing.folders[0])} lies deeper than {_MAX_DEPTH} sub-folders: convert it alone")
    if not found:
        raise InputError(f"{shown(source)} holds no picture: name the folder of your pictures")
    return found


def _targets(pictures: list[Path], source: Path, out: Path) -> list[Path]:
    """Return the path of each result: a function of the picture's own name.

    Raises:
        InputError: Two have one name.
    """
    found: dict[Path, Path] = {}
    for picture in pictures:
        name = picture.name if picture.suffix.lower() == ".png" else f"{picture.name}.png"
        target = out / picture.relative_to(source).with_name(name)
        if target in found:
            raise InputError(f"{shown(found[target])} and {shown(picture)} would both become {name}: rename one")
        found[target] = picture
    return list(found)


def _begin(source: Path, out: Path, settings: Conversion) -> None:
    """Take up a folder, or refuse it.

    Raises:
        InputError: It lies in the source, or holds something that these settings did not make.
    """
    if out.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{shown(out)} lies in the folder that is read: name another folder for the results")
    said = asdict(settings)
    file = out / SETTINGS_FILE
    if file.is_file():
        if read_json(file) != said:
            raise InputError(
                f"{shown(out)} was made with other settings ({json.dumps(read_json(file))}): give those, or name "
                "another folder"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{shown(out)} exists and is not empty: name another folder for the results")
    with writing(out, _WAY_OUT):
        out.mkdir(parents=True, exist_ok=True)
    write_json(file, said)


def _check_unchanged(picture: Path, target: Path) -> None:
    if picture.stat().st_mtime_ns > target.stat().st_mtime_ns:
        raise InputError(
            f"{shown(picture)} is younger than {shown(target)}, which was made of it: remove that one to convert anew"
        )


def _convert(picture: Path, target: Path, settings: Conversion) -> tuple[str, ...]:
    """Write one result, and return words for the changes."""
    read = read_picture(picture, ToConvert(on=GROUNDS[settings.ground]))
    x = ImageChoice(gray=settings.gray).changed(read.x[None])
    grayed = ("colour to gray",) if x.shape[1] != read.x.shape[0] else ()
    fitted, sized = fit_to(x, settings)
    image = _as_png(fitted[0], read)
    with whole_file(target) as file:
        image.save(file, format="PNG")
    return (*read.changes, *grayed, *sized)


def fit_to(x: np.ndarray, settings: Conversion) -> tuple[np.ndarray, tuple[str, ...]]:
    """Bring images (batch, channels, height, width) in [0, 1] to the size, and return words for the changes."""
    (height, width), (tall, wide) = settings.sides, x.shape[2:]
    if (tall, wide) == (height, width):
        return x, ()
    is_of_ratio = tall * width == wide * height
    if is_of_ratio or settings.fit == "stretch":
        return brought_to(x, height, width), ("resized" if is_of_ratio else "stretched",)
    if settings.fit == "crop":
        inner_tall = min(tall, max(1, wide * height // width))
        inner_wide = min(wide, max(1, tall * width // height))
        top, left = (tall - inner_tall) // 2, (wide - inner_wide) // 2
        inner = x[:, :, top : top + inner_tall, left : left + inner_wide]
        return brought_to(inner, height, width), ("cropped",)
    inner_height = min(height, max(1, tall * width // wide))
    inner_width = min(width, max(1, wide * height // tall))
    padded = np.full((*x.shape[:2], height, width), GROUNDS[settings.ground], dtype=np.float32)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    padded[:, :, top : top + inner_height, left : left + inner_width] = brought_to(x, inner_height, inner_width)
    return padded, ("padded",)


def _as_png(x: np.ndarray, read: Picture) -> Image.Image:
    """Return an image (channels, height, width) in [0, 1] with as many bits as it came with."""
    if read.is_deep:
        return Image.fromarray(np.rint(x[0].astype(np.float64) * 65535).astype(np.uint16))
    pixels = np.rint(x * 255).astype(np.uint8)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(np.moveaxis(pixels, 0, -1)))
