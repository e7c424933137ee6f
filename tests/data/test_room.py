"""Room for values: small arrays in memory, large ones in files without a name, of which few pages are in memory."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from gossamer.data import room
from gossamer.data.identities import digests_of_contents
from gossamer.data.images import ImageSpec
from gossamer.data.npz import load_npz
from gossamer.data.records import RecordSet
from gossamer.data.room import MEMORY, Disk, room_beside
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.series_npz import load_series_npz
from gossamer.data.splits import RandomSplit
from gossamer.driving.job import data_digest
from gossamer.errors import InputError, ResourceError
from gossamer.privacy.dealing import UnitKey

SHAPE = (50_000, 1, 40)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    """A room whose arrays all lie on the disk."""
    monkeypatch.setattr(room, "LARGE_BYTES", 0)
    (tmp_path / "place").mkdir()
    return Disk(tmp_path / "place")


def resident() -> int:
    """Bytes of this process that are in memory and belong to files."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("needs the process table of Linux")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return 1024 * (int(lines["RssFile"].split()[0]) + int(lines["RssShmem"].split()[0]))


def test_a_small_array_is_in_memory(tmp_path: Path) -> None:
    before = resident()
    Disk(tmp_path).array((1000, 1000))[:] = 1
    assert resident() - before < 2**20


def test_arrays_together_decide_which_lies_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second array of two thirds of the bound is one too many, until the first is gone with all views of it."""
    monkeypatch.setattr(room, "LARGE_BYTES", 2**22)
    place, two_thirds, held = Disk(tmp_path), (2**22 // 6,), []

    def is_on_disk(shape: tuple[int, ...]) -> bool:
        held.append(place.array(shape))
        return not held[-1].flags.owndata

    assert [is_on_disk(two_thirds), is_on_disk(two_thirds), is_on_disk(two_thirds)] == [False, True, True]
    assert not is_on_disk((2**22 // 32 // 4,))  # a small one takes memory in any case
    view = held[0][5:]
    held.clear()
    gc.collect()
    assert is_on_disk(two_thirds)  # a view of the first is still in use
    held.clear()
    del view
    gc.collect()
    assert not is_on_disk(two_thirds)


def test_pages_of_a_large_array_are_given_back_and_keep_their_content(disk: Disk) -> None:
    before, values = resident(), disk.array(SHAPE)
    values[:] = np.arange(SHAPE[0], dtype=np.float32)[:, None, None]
    assert resident() - before > 0.9 * values.nbytes
    disk.let_go()
    assert resident() - before < 0.1 * values.nbytes
    assert float(values[:, 0, 7].sum(dtype=np.float64)) == SHAPE[0] * (SHAPE[0] - 1) / 2


def test_nothing_is_in_the_folder_at_any_time_and_the_owner_alone_may_read(disk: Disk, tmp_path: Path) -> None:
    opened = {}
    true_mmap = room.mmap.mmap

    class Watched(true_mmap):
        def __new__(cls, descriptor: int, length: int) -> Watched:
            opened["mode"] = os.fstat(descriptor).st_mode & 0o777
            opened["links"] = os.fstat(descriptor).st_nlink
            return super().__new__(cls, descriptor, length)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room.mmap, "mmap", Watched)
        values = disk.array(SHAPE)
    values[:] = 1
    assert opened == {"mode": 0o600, "links": 0}
    assert list((tmp_path / "place").iterdir()) == []


def test_the_file_is_freed_with_its_array(disk: Disk, tmp_path: Path) -> None:
    values = disk.array(SHAPE)
    view = torch.from_numpy(values[5:])
    del values
    gc.collect()
    assert len(disk._held) == 1
    view[:] = 2
    del view
    gc.collect()
    assert len(disk._held) == 0


def test_a_full_disk_is_one_line_without_a_number(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "_reserve", full)
    with pytest.raises(ResourceError, match=r"no room for the records .*No space left on device.*name another --out"):
        disk.array(SHAPE)


def test_the_room_of_a_run_is_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    assert room_beside(None) is MEMORY
    for path in (tmp_path, tmp_path / "runs" / "first"):
        found = room_beside(path)
        assert isinstance(found, Disk)
        assert found._folder == tmp_path


def records(where: room.AbstractRoom, x: np.ndarray, y: np.ndarray) -> RecordSet:
    held = where.array(x.shape)
    held[:] = x
    spec = ImageSpec(channels=1, height=4, width=4, class_names=("a", "b"))
    return RecordSet(name="images", spec=spec, x=torch.from_numpy(held), y=torch.from_numpy(y), room=where)


def test_digests_and_checks_are_those_of_memory(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> None:
    monkeypatch.setattr(room, "_PART_BYTES", 1000)
    x = np.random.default_rng(0).random((99, 1, 4, 4), dtype=np.float32)
    y = np.arange(99) % 2
    there, here = records(disk, x, y), records(MEMORY, x, y)
    assert data_digest(there) == data_digest(here)
    monkeypatch.setattr(room, "_PART_BYTES", 2**22)
    whole = digests_of_contents(here.x, here.y)
    monkeypatch.setattr(room, "_PART_BYTES", 1000)
    assert np.array_equal(digests_of_contents(there.x, there.y, disk), whole)
    x[77, 0, 2, 1] = np.nan
    with pytest.raises(InputError, match=r"x\[77\] has a value"):
        records(disk, x, y)


@pytest.mark.parametrize("split", [None, RandomSplit(test_share=0.3)])
@pytest.mark.parametrize("kind", ["images", "series"])
def test_readers_give_the_same_records_on_the_disk(
    disk: Disk, tmp_path: Path, kind: str, split: RandomSplit | None
) -> None:
    rng, key = np.random.default_rng(0), UnitKey(bytes(32))
    x = rng.random((200, 5, 8), dtype=np.float32)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(200) % 10)

    def read(where: room.AbstractRoom) -> tuple[RecordSet, RecordSet | None]:
        if kind == "images":
            data = load_npz(tmp_path / "x.npz", num_classes=10, split=split, key=key, room=where)
        else:
            facts = SeriesFacts(num_classes=10, low=(0.0,), high=(1.0,))
            more = {} if split is None else {"split": split}
            data = load_series_npz(tmp_path / "x.npz", facts, key=key, room=where, **more)
        return data.train, data.test

    there, here = read(disk), read(MEMORY)
    assert len(disk._held) == (1 if split is None else 2)
    for one, other in zip(there, here, strict=True):
        assert (one is None) == (other is None) == (split is None and one is not there[0])
        if one is not None and other is not None:
            assert torch.equal(one.x, other.x)
            assert one.y is not None
            assert other.y is not None
            assert torch.equal(one.y, other.y)
            assert one.room is disk
