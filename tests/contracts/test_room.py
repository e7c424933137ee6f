"""Records on the disk, for every method: the same release to the last bit, and a few of their pages in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import every

from gossamer.data import room
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.data.room import MEMORY, AbstractRoom, Disk
from gossamer.data.series import SeriesSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.dp_mixture.training import DPMixtureTraining
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.training import RunContext
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots

KEY, DELTA, RECORDS, PEOPLE = UnitKey(bytes(32)), 1e-3, 60, 20
IMAGES = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c"))
TINY = every(lambda tiny: tiny)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    """A room whose arrays all lie on the disk."""
    monkeypatch.setattr(room, "LARGE_BYTES", 0)
    return Disk(tmp_path)


def records(where: AbstractRoom) -> RecordSet:
    rng = torch.Generator().manual_seed(0)
    x = torch.from_numpy(where.array((RECORDS, *IMAGES.shape)))
    x[:] = torch.rand(x.shape, generator=rng)
    return RecordSet(
        name="fixture",
        spec=IMAGES,
        x=x,
        y=torch.randint(0, 3, (RECORDS,), generator=rng),
        people=torch.randint(0, PEOPLE, (RECORDS,), generator=rng),
        num_people=PEOPLE,
        room=where,
    )


def weights(method: str, unit: Unit, where: AbstractRoom) -> dict[str, torch.Tensor]:
    config = TINY[method].people if unit is Unit.PERSON else TINY[method].images
    slots = PublicSlots(PEOPLE, unit) if unit is Unit.PERSON else PublicSlots(RECORDS)
    context = RunContext(delta=DELTA, slots=slots, key=KEY)
    training = find_method(method).start(config, records(where), DeterministicNoise(3), context)
    for _ in training:
        pass
    return training.trained().weights


QUICK = {("dp-mixture", Unit.RECORD), ("dp-mixture", Unit.PERSON), ("dp-merf", Unit.RECORD), ("gs-wgan", Unit.PERSON)}
CASES = [
    pytest.param(method.name, unit, marks=() if (method.name, unit) in QUICK else pytest.mark.slow)
    for method in METHODS
    for unit in (Unit.RECORD, Unit.PERSON)
]


@pytest.mark.parametrize(("method", "unit"), CASES)
def test_a_release_of_records_on_the_disk_is_the_same_to_the_last_bit(disk: Disk, method: str, unit: Unit) -> None:
    there, here = weights(method, unit, disk), weights(method, unit, MEMORY)
    assert there.keys() == here.keys()
    for name, weight in here.items():
        assert torch.equal(there[name], weight), name


# ---- memory ----------------------------------------------------------------------------------------------------------

MANY, LENGTH = 50_000, 187
SERIES = SeriesSpec(channels=1, length=LENGTH, low=(0.0,), high=(1.0,))
ARRAY_BYTES = 4 * MANY * LENGTH


class WatchedDisk(Disk):
    """A room that notes how much memory its files took at the most, and in how many arrays, before it is given back."""

    peak = num_arrays = 0

    def let_go(self) -> None:
        self.note()
        super().let_go()

    def note(self) -> None:
        self.peak, self.num_arrays = max(self.peak, resident()), max(self.num_arrays, len(self._held))


class KeptDisk(WatchedDisk):
    """A room whose pages stay, as if nobody gave them back."""

    def let_go(self) -> None:
        self.note()


def resident() -> int:
    """Bytes of files that this process has in memory."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("needs the process table of Linux")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return 1024 * sum(int(lines[kind].split()[0]) for kind in ("RssFile", "RssShmem"))


def taken(where: WatchedDisk) -> int:
    """Bytes of its files that a mixture of many series had in memory at the most."""
    x = torch.from_numpy(where.array((MANY, *SERIES.shape)))
    where.let_go()
    before, where.peak = resident(), 0
    for rows in where.slices(x):
        x[rows] = torch.rand(x[rows].shape, generator=torch.Generator().manual_seed(rows.start))
    config = DPMixtureConfig(
        records=RecordsExpected(shape=SERIES.shape, num_classes=0),
        generator=SeriesMixtureGeneratorConfig(num_directions=5, radius=LENGTH),
        noise_multiplier=0.7,
    )
    private = RecordSet(name="fixture", spec=SERIES, x=x, room=where)
    context = RunContext(delta=1e-6, slots=PublicSlots(MANY))
    for _ in DPMixtureTraining(config, private, DeterministicNoise(3), context):
        pass
    where.let_go()
    return where.peak - before


def test_a_mixture_never_holds_all_records_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(room, "LARGE_BYTES", 2**22)
    monkeypatch.setattr(room, "_TOUCHED_BYTES", 2**22)
    kept, watched = KeptDisk(tmp_path), WatchedDisk(tmp_path)
    # Values and features that nobody lets go would be seen. Whatever is imported for the first time counts here.
    assert taken(kept) > 1.5 * ARRAY_BYTES
    found = taken(watched)
    assert found < 0.5 * ARRAY_BYTES, f"{found / ARRAY_BYTES:.2f} of the records"
    # Features in memory would be seen.
    assert watched.num_arrays == 2


def test_records_that_were_replaced_keep_their_room(disk: Disk) -> None:
    private = records(disk)
    assert replace(private, name="other").room is disk
    assert private.as_published("digits").room is disk


def test_a_room_is_not_shown(disk: Disk) -> None:
    assert "room" not in repr(records(disk))
