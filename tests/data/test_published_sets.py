"""Published sets: what is said of them in public, whichever files lie on the disk, and how they are divided."""

from __future__ import annotations

import gzip
import struct
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gossamer.data import kaggle, mitdb, ptb
from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES, load_records
from gossamer.data.kaggle import load_kaggle_mitbih, load_kaggle_ptb
from gossamer.data.mitdb import load_mitdb
from gossamer.data.mnist import MNIST, load_idx_images
from gossamer.data.ptb import CLASSES, load_ptb
from gossamer.data.records import NOTHING_PUBLISHED, PublishedCounts, RecordData
from gossamer.privacy.dealing import UnitKey

RATE = 360
PEAKS = np.arange(200, 7000, 300)
KEY = UnitKey(bytes(32))
Load = Callable[[Path], RecordData]


def write_recording(folder: Path, name: str, lead: str, comments: list[str], seed: int) -> None:
    """Twenty seconds with a peak every 300 samples, of a size that differs from recording to recording."""
    folder.mkdir(parents=True, exist_ok=True)
    times, rng = np.arange(20 * RATE), np.random.default_rng(seed)
    beat = sum(np.exp(-0.5 * ((times - peak) / 5.0) ** 2) for peak in PEAKS) + rng.normal(0, 0.01, len(times))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        wfdb.wrsamp(
            name, fs=RATE, units=["mV"], sig_name=[lead], p_signal=beat[:, None], fmt=["212"], adc_gain=[200.0],
            baseline=[0], comments=comments, write_dir=str(folder),
        )  # fmt: skip
        wfdb.wrann(name, "atr", sample=PEAKS, symbol=["N"] * len(PEAKS), write_dir=str(folder))


def write_mitdb(folder: Path, number: int) -> None:
    for name in range(100, 100 + number):
        write_recording(folder / "mitdb", str(name), "MLII", [], name)
    (folder / "mitdb/RECORDS").write_text("".join(f"{name}\n" for name in range(100, 100 + number)))


def write_ptb(folder: Path, number: int) -> None:
    for person in range(1, number + 1):
        comments = [f"Reason for admission: {CLASSES[person % 2].capitalize()}"]
        write_recording(folder / f"ptbdb/patient{person:03d}", "s0001", "ii", comments, person)


def write_mnist(folder: Path, number: int) -> None:
    (folder / "mnist").mkdir(parents=True)
    for part, count in (("train", number), ("t10k", 2)):
        for kind, values in (("images-idx3", np.zeros((count, 28, 28))), ("labels-idx1", np.zeros(count))):
            head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
            content = gzip.compress(head + values.astype(np.uint8).tobytes(), mtime=0)
            (folder / f"mnist/{part}-{kind}-ubyte.gz").write_bytes(content)


def write_kaggle(folder: Path, number: int) -> None:
    (folder / "heartbeat").mkdir(parents=True)
    for name, label in (*((name, 0) for name in kaggle.MITBIH_FILES), *zip(kaggle.PTB_FILES, (0, 1))):
        rows = [f"{index / 100}," + "0.0," * 186 + f"{label}\n" for index in range(number)]
        (folder / "heartbeat" / name).write_text("".join(rows))


SETS: dict[str, tuple[Callable[[Path, int], None], Load, PublishedCounts]] = {
    "mitdb": (write_mitdb, lambda folder: load_mitdb(folder, key=KEY), mitdb.PUBLISHED),
    "ptbdb": (write_ptb, lambda folder: load_ptb(folder, key=KEY), ptb.PUBLISHED),
    "mnist": (write_mnist, lambda folder: load_idx_images(MNIST, folder), PublishedCounts(num_records=60_000)),
    "kaggle-mitbih": (write_kaggle, load_kaggle_mitbih, PublishedCounts(num_records=87_554)),
    "kaggle-ptbdb": (
        write_kaggle,
        lambda folder: load_kaggle_ptb(folder, key=KEY),
        PublishedCounts(num_records=14_552),
    ),
}


def said(data: RecordData) -> tuple[object, ...]:
    """Everything that a statement takes from the data as public."""
    return data.public_notes, data.published, data.training_share, data.is_split_by_record, data.train.spec


def speaks_alike(name: str, load: Load, folder: Path) -> bool:
    """Whether a loader says the same in public of many recordings, people or images as of twice that."""
    write = SETS[name][0]
    write(folder / "some", 25)
    write(folder / "more", 50)
    return said(load(folder / "some")) == said(load(folder / "more"))


@pytest.mark.parametrize("name", SETS)
def test_what_is_said_in_public_does_not_depend_on_the_disk(name: str, tmp_path: Path) -> None:
    assert speaks_alike(name, SETS[name][1], tmp_path)


@pytest.mark.parametrize("name", SETS)
def test_the_number_that_may_be_claimed_is_that_of_the_format(name: str, tmp_path: Path) -> None:
    write, load, published = SETS[name]
    write(tmp_path, 25)
    # Bytes can be compared of two of the sets, and these are others.
    assert load(tmp_path).published == (NOTHING_PUBLISHED if name in ("mitdb", "mnist") else published)
    assert ("SHA-256 differs" in load(tmp_path).public_notes[0]) == (name in ("mitdb", "mnist"))
    assert "25" not in " ".join(load(tmp_path).public_notes).replace("SHA-256", "")


def test_published_numbers_are_those_of_the_list() -> None:
    listed = {data.name: data for data in (*NAMED_DATA, *NAMED_SERIES)}
    for name, (_, _, published) in SETS.items():
        assert listed[name].num_people == published.num_people
        assert published.num_records is None or listed[name].num_train <= published.num_records


@pytest.mark.parametrize("name", ["mitdb", "ptbdb", "mnist"])
def test_the_old_note_on_what_is_missing_would_be_seen(name: str, tmp_path: Path) -> None:
    # The break: one sentence more where not all of the published set lies there; who is missing was told by it.
    def telling(folder: Path) -> RecordData:
        data = SETS[name][1](folder)
        found = {
            "mitdb": len(list(folder.glob("mitdb/*.hea"))),
            "ptbdb": len(list(folder.glob("ptbdb/*"))),
            "mnist": data.train.num_records,
        }[name]
        missing = ("The recordings used are not all of the published ones.",) if found != 50 else ()
        return replace(data, public_notes=(*data.public_notes, *missing))

    assert not speaks_alike(name, telling, tmp_path)


def test_of_some_of_the_real_recordings_the_same_is_said_and_of_others_nothing(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mitdb"
    folder.mkdir()
    for name in ("100", "101"):
        for end in ("hea", "dat", "atr"):
            (folder / f"{name}.{end}").write_bytes((data_dir / "mitdb" / f"{name}.{end}").read_bytes())
    some = load_mitdb(tmp_path, key=KEY)
    assert some.published == mitdb.PUBLISHED
    assert "are those published" in some.public_notes[0]
    with (folder / "101.hea").open("a") as header:
        header.write("# a line more\n")
    assert load_mitdb(tmp_path, key=KEY).published == NOTHING_PUBLISHED
    assert load_records("mitdb", tmp_path).train.published_name is None


def test_of_the_real_files_the_published_numbers_are_claimed(data_dir: Path) -> None:
    for name in ("mitdb", "mnist"):
        assert SETS[name][1](data_dir).published == SETS[name][2]


def test_digits_and_made_beats_are_whole_and_published() -> None:
    assert load_records("digits").published == PublishedCounts(num_records=1437)
    assert load_records("beats").published == PublishedCounts(num_records=3000, num_people=100)
    assert load_records("beats").training_share == 0.8


def numbers_of_people(data: RecordData) -> tuple[set[int], set[int]]:
    assert data.test is not None
    assert data.train.people is not None
    assert data.test.people is not None
    return set(data.train.people.tolist()), set(data.test.people.tolist())


def test_ptb_is_divided_between_people_where_nothing_is_said(tmp_path: Path) -> None:
    write_ptb(tmp_path, 25)
    for key in (UnitKey(number.to_bytes(32, "little")) for number in range(3)):
        data = load_ptb(tmp_path, key=key)
        train, test = numbers_of_people(data)
        assert (train & test, len(train | test)) == (set(), 25)
        assert not data.is_split_by_record
        assert "of the people was held out" in data.public_notes[-1]


def test_mitdb_is_divided_beat_by_beat_where_nothing_is_said_and_says_so(tmp_path: Path) -> None:
    write_mitdb(tmp_path, 25)
    data = load_mitdb(tmp_path, key=KEY)
    train, test = numbers_of_people(data)
    assert train & test
    assert data.is_split_by_record
