"""MNIST and Fashion-MNIST, found on disk or downloaded from their public homes and verified."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.downloads import PublishedFile, download
from gossamer.data.files import is_file, is_folder, shown
from gossamer.data.idx import read_idx
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.published import others_note
from gossamer.data.records import PublishedCounts, RecordData, RecordSet
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.errors import InputError


@dataclass(frozen=True, kw_only=True)
class IdxImages:
    """A published pair of training and test images in four IDX files. Everything here is public.

    Args:
        name: Name on the command line.
        title: Name in sentences.
        folders: Folders, relative to a data folder, in which the files are looked for. Downloads go to the first.
        home: Address that the file names are appended to.
        class_names: One per label.
        num_train: Published number of training images.
        num_test: Published number of test images.
        files: The four files, as gzipped by their publishers: training images and labels, test images and labels.
        contents: SHA-256 of the four files unpacked, in hexadecimal, however they are packed.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    home: str
    class_names: tuple[str, ...]
    num_train: int
    num_test: int
    files: tuple[PublishedFile, ...]
    contents: tuple[str, ...]


def _files(*facts: tuple[int, str]) -> tuple[PublishedFile, ...]:
    """Return the four files of a set from their sizes and digests. Every publisher names them alike."""
    names = (f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
    return tuple(
        PublishedFile(name=name, num_bytes=num_bytes, sha256=sha256)
        for name, (num_bytes, sha256) in zip(names, facts, strict=True)
    )


MNIST: Final = IdxImages(
    name="mnist",
    title="MNIST",
    folders=("mnist", "MNIST/raw"),
    home="https://ossci-datasets.s3.amazonaws.com/mnist/",
    class_names=tuple("0123456789"),
    num_train=60_000,
    num_test=10_000,
    files=_files(
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    contents=(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
"""Handwritten digits (LeCun, Cortes, Burges 1998)."""

FASHION_MNIST: Final = IdxImages(
    name="fashion-mnist",
    title="Fashion-MNIST",
    folders=("fashion-mnist", "FashionMNIST/raw"),
    home="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    num_train=60_000,
    num_test=10_000,
    files=_files(
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    contents=(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
"""Articles of clothing (Xiao, Rasul, Vollgraf 2017)."""


def cache_dir() -> Path:
    """Return the folder of downloads: the environment variable GOSSAMER_CACHE, else ``~/.cache/gossamer``."""
    return Path(os.environ.get("GOSSAMER_CACHE") or "~/.cache/gossamer").expanduser()


def load_idx_images(
    source: IdxImages, data_dir: Path | None = None, images: ImageChoice = AS_STORED, room: AbstractRoom = MEMORY
) -> RecordData:
    """Load a published set, from disk if its four files are there, else by a verified download.

    Guarantee:
        Records have the published name and count only if all four files are the published ones, by the SHA-256 of their
        content. Other files in their place are read, and a note says so.

    Args:
        source: `MNIST` or `FASHION_MNIST`.
        data_dir: Folder to look in first, and to download to. None for the environment variable GOSSAMER_DATA, and
            without that for the cache folder alone.
        images: Way of reading images.
        room: Place for the values.

    Returns:
        Training and test images with one channel, scaled by 255, and 28 x 28 if `images` says no other size.

    Raises:
        InputError: `data_dir` is no folder, a file is damaged, or nothing is there and the download fails. Or a
            file is one of the other set.
    """
    roots = published_roots(data_dir)
    paths = find_idx_images(source, roots) or _download(source, roots)
    arrays = tuple(read_idx(path, num_dims=dims) for path, dims in zip(paths, (3, 1, 3, 1), strict=True))
    # Privacy: one public bit on the files, as `others_note` says.
    is_published = _is_published(source, paths, arrays)
    train = _read_pair(source.name, source, paths[:2], arrays[:2], images, room)
    test = _read_pair(f"{source.name} test", source, paths[2:], arrays[2:], images, room)
    if not is_published:
        return RecordData(train=train, test=test, public_notes=(others_note(source.title), *images.notes))
    facts = "Shape, classes" if images.size is None else "Classes"
    notes = (f"{facts} and the largest number of records are those published for {source.title}.", *images.notes)
    published = PublishedCounts(num_records=source.num_train)
    return RecordData(train=train, test=test, public_notes=notes, published=published)


def _is_published(source: IdxImages, paths: Sequence[Path], arrays: Sequence[np.ndarray]) -> bool:
    """Return True if the four files are those that were published, and refuse those of the other set.

    Raises:
        InputError: A file is one of the other set.
    """
    found = tuple(map(_digest, arrays))
    for other in (MNIST, FASHION_MNIST):
        if other.name != source.name and set(found) & set(other.contents):
            raise InputError(
                f"{shown(paths[0].parent)} holds files of {other.title}, not of {source.title}: name {other.name} and "
                f"put them into a folder {other.folders[0]}, or put the files of {source.title} there"
            )
    return found == source.contents


def _digest(values: np.ndarray) -> str:
    """Return the SHA-256 of an IDX file with these values, unpacked."""
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return hashlib.sha256(head + values.tobytes()).hexdigest()


def published_roots(data_dir: Path | None) -> tuple[Path, ...]:
    """Return the folders in which published sets are looked for.

    Args:
        data_dir: Folder to look in first, or None for the environment variable GOSSAMER_DATA.

    Returns:
        That folder, if there is one, and the cache folder.

    Raises:
        InputError: The named folder does not exist.
    """
    value = os.environ.get("GOSSAMER_DATA")
    given = data_dir if data_dir is not None else Path(value) if value else None
    if given is not None and not is_folder(given):
        raise InputError(
            f"data folder {shown(given)} does not exist or is not a folder: correct --data-dir or GOSSAMER_DATA"
        )
    return (cache_dir(),) if given is None else (given, cache_dir())


def find_idx_images(source: IdxImages, roots: tuple[Path, ...]) -> list[Path] | None:
    """Return the four files in the first folder that has them all, or None. Nothing is read or downloaded."""
    for root in roots:
        for folder in source.folders:
            paths = [_existing(root / folder, file.name) for file in source.files]
            found = [path for path in paths if path is not None]
            if len(found) == len(paths):
                return found
    return None


def _existing(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / name.removesuffix(".gz")):
        if is_file(path):
            return path
    return None


def _download(source: IdxImages, roots: tuple[Path, ...]) -> list[Path]:
    target = roots[0] / source.folders[0]
    try:
        return [_existing(target, file.name) or download(source.home, file, target) for file in source.files]
    except InputError as error:
        places = " or ".join(shown(root / folder) for root in roots for folder in source.folders)
        names = ", ".join(file.name for file in source.files)
        raise InputError(
            f"{source.name} is not in {places}, and {error}: "
            f"put {names} there, or name the folder above with --data-dir or GOSSAMER_DATA"
        ) from None


def _read_pair(
    name: str,
    source: IdxImages,
    paths: Sequence[Path],
    arrays: Sequence[np.ndarray],
    choice: ImageChoice,
    room: AbstractRoom,
) -> RecordSet:
    import torch

    (images, labels), (pixels, classes) = paths, arrays
    if pixels.shape[1:] != (28, 28):
        raise InputError(
            f"{shown(images)} holds images of {pixels.shape[1]} x {pixels.shape[2]}, not 28 x 28: copy the published "
            "file again"
        )
    if len(pixels) != len(classes):
        raise InputError(f"{shown(labels)} holds {len(classes)} labels for {len(pixels)} images: copy both files again")
    values = choice.read(pixels[:, None], lambda block, _: np.divide(block, 255, dtype=np.float32), room)
    x = torch.from_numpy(values)
    spec = ImageSpec(channels=1, height=x.shape[2], width=x.shape[3], class_names=source.class_names)
    return RecordSet(name=name, spec=spec, x=x, y=torch.from_numpy(classes.astype(np.int64)), room=room)
