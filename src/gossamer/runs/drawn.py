"""Cards beside drawn records: the data card and Croissant metadata, written from the files there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gossamer.data.archive import open_archive
from gossamer.data.images import ImageSpec
from gossamer.errors import InputError
from gossamer.runs.cards import CARD, CardFacts, DrawnFile, data_card
from gossamer.runs.croissant import CROISSANT, croissant
from gossamer.runs.files import write_whole
from gossamer.runs.manifest import file_digest
from gossamer.runs.samples import BENCH_FILE, PICTURE_TABLE

SAMPLES = "samples"
"""Folder of a release's own samples."""
SAMPLES_FILE = "samples.npz"
_WFDB_PARTS = {
    ".hea": "header of the recording",
    ".dat": "its signals",
    ".atr": "a mark in each series, at its R peak if the layout that cut the series has one, else in its middle",
}


def write_sample_cards(folder: Path, facts: CardFacts) -> tuple[Path, Path]:
    """Write `README.md` and `croissant.json` beside `samples.npz`.

    Raises:
        InputError: the samples are absent or damaged.
        ResourceError: a card cannot be written.
    """
    num, file = _read(folder / SAMPLES_FILE)
    return write_cards(folder, facts, num, [_described(file, facts)])


def sample_cards(folder: Path, several: Sequence[CardFacts]) -> list[tuple[str, str]]:
    """Return the right texts of the two cards beside `samples.npz`, for each of the possible sources of their facts.

    Raises:
        InputError: the samples are absent or damaged.
    """
    num, file = _read(folder / SAMPLES_FILE)
    arguments = [(facts, num, [_described(file, facts)]) for facts in several]
    return [(data_card(*each), croissant(*each)) for each in arguments]


def write_cards(folder: Path, facts: CardFacts, num_samples: int, files: Sequence[DrawnFile] = ()) -> tuple[Path, Path]:
    """Write both cards of drawn records into their folder.

    Args:
        folder: with the records in it.
        facts: of the generator.
        num_samples: number of records drawn.
        files: files that hold them, empty for pictures.

    Raises:
        ResourceError: a card cannot be written.
    """
    card, metadata = data_card(facts, num_samples, files), croissant(facts, num_samples, files)
    write_whole(folder / CARD, card.encode())
    write_whole(folder / CROISSANT, metadata.encode())
    return folder / CARD, folder / CROISSANT


def recording_files(folder: Path) -> tuple[DrawnFile, ...]:
    """List the files of a recording of drawn series."""
    return tuple(
        _drawn_file(path, _WFDB_PARTS[path.suffix]) for path in sorted(folder.iterdir()) if path.suffix in _WFDB_PARTS
    )


def picture_table_files(folder: Path) -> tuple[DrawnFile, ...]:
    """List the table beside drawn pictures."""
    return (_drawn_file(folder / PICTURE_TABLE, "names of the pictures, PNG files beside it, and their classes"),)


def bench_files(folder: Path) -> tuple[DrawnFile, ...]:
    """List the file that DPImageBench reads."""
    what = "`x`, float32 (samples, channels, height, width) in [0, 1], and `y`, int64 (samples,), for DPImageBench"
    return (replace(_drawn_file(folder / BENCH_FILE, what), name=BENCH_FILE.as_posix()),)


def _read(path: Path) -> tuple[int, DrawnFile]:
    where = str(path)
    if not path.is_file():
        raise InputError(f"{where}: no such file: `gossamer sample` draws samples again")
    with open_archive(path, where) as archive:
        if "x" not in archive.members:
            raise InputError(f"{where} has no array x: use the file as it was written")
        shape = archive.header("x").shape
    if not shape:
        raise InputError(f"{where}: x holds no samples: use the file as it was written")
    return shape[0], _drawn_file(path, "")


def _described(file: DrawnFile, facts: CardFacts) -> DrawnFile:
    sizes = ", ".join(map(str, facts.spec.shape))
    units = "in [0, 1]" if isinstance(facts.spec, ImageSpec) else "in their own units"
    labels = "; `y`, int64 (samples,), numbers of their classes" if facts.spec.class_names else ""
    return replace(file, what=f"`x`, float32 (samples, {sizes}), {units}{labels}")


def _drawn_file(path: Path, what: str) -> DrawnFile:
    return DrawnFile(name=path.name, what=what, sha256=file_digest(path), num_bytes=path.stat().st_size)
