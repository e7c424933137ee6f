"""What is computed of a unit is that unit's own: the same bits wherever it stands, whoever else is there, and copies.

Comparisons are exact: nothing here has a false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.data.identities import digests_of_names
from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec, PublishedCounts, RecordData, RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods import protected
from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.dp_merf.training import DPMERFTraining
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.dp_mixture.training import DPMixtureTraining
from gossamer.methods.gs_wgan.augmentation import SmallMotions
from gossamer.methods.protected import (
    Bundle,
    check_fits,
    described,
    identities_of,
    public_slots,
    record_marks,
    units_of,
)
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.training import RunContext
from gossamer.nn.images.postures import Upright
from gossamer.nn.images.settings import MERFGeneratorConfig, MixtureGeneratorConfig
from gossamer.nn.series.endings import BeforeZeros
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig
from gossamer.nn.series.slow_time import SlowTime
from gossamer.nn.views import Folded, LowFrequencies, Pooled, Stretched, WholeImage
from gossamer.privacy import Unit
from gossamer.privacy.slots import CountSource, PublicSlots

IMAGES = ImageSpec(channels=1, height=9, width=7, class_names=("a", "b", "c"))
LARGE = ImageSpec(channels=1, height=28, width=28, class_names=("a", "b", "c"))
SERIES = SeriesSpec(channels=2, length=47, low=(0.0, 0.0), high=(1.0, 1.0), class_names=("a", "b", "c"))
MOTIONS = SmallMotions(count=3)

Describe = Callable[[Tensor, Tensor], Tensor]


def seen_in(view: Any) -> Describe:
    return lambda x, _: view.apply_to_records(x)


def moved_and_seen(x: Tensor, marks: Tensor) -> Tensor:
    """All variants of an image, as critics see them."""
    view = LowFrequencies(radius=4.0)
    variants = (MOTIONS.variant(x, one, marks, 5) for one in range(MOTIONS.num_variants))
    return torch.stack([view.apply_to_records(variant) for variant in variants], dim=1)


def mixture_features(config: Any) -> Describe:
    return lambda x, _: config.features(x)


DESCRIPTIONS: dict[str, tuple[AbstractSpec, Describe]] = {
    "whole": (IMAGES, seen_in(WholeImage())),
    "pooled": (IMAGES, seen_in(Pooled(factor=2))),
    "few frequencies": (IMAGES, seen_in(LowFrequencies(radius=1.5))),
    "frequencies": (IMAGES, seen_in(LowFrequencies(radius=6.0))),
    "frequencies of large images": (LARGE, seen_in(LowFrequencies(radius=10.0))),
    "frequencies of series": (SERIES, seen_in(LowFrequencies(radius=20.0))),
    "pooled series": (SERIES, seen_in(Pooled(factor=5))),
    "folded series": (SERIES, seen_in(Folded(row=6))),
    "stretched series": (SERIES, seen_in(Stretched(time=SlowTime(count=9)))),
    "motions": (IMAGES, lambda x, marks: MOTIONS.variant(x, 2, marks, 5)),
    "variants in a view": (LARGE, moved_and_seen),
    "features of images": (IMAGES, mixture_features(MixtureGeneratorConfig(radius=5.0))),
    "features of upright images": (IMAGES, mixture_features(MixtureGeneratorConfig(radius=5.0, posture=Upright()))),
    "features of series": (SERIES, mixture_features(SeriesMixtureGeneratorConfig(radius=19, ending=BeforeZeros()))),
}
"""What methods compute of each record before anything is released."""

PLACES = [(1, 2), (2, 3), (1, 9), (6, 1000), (999, 1000), (1000, 1001), (1023, 1024), (1024, 1025), (1501, 2050)]
"""Where the unit stands, and among how many."""


def some(spec: AbstractSpec, num: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(num, *spec.shape, generator=rng)
    if isinstance(spec, SeriesSpec):
        x[::3, :, 31:] = 0
    return x, torch.randint(0, spec.num_classes, (num,), generator=rng)


def of_records(spec: AbstractSpec, place: int, num: int) -> RecordSet:
    """One record, the same always, at a place among others."""
    x, y = some(spec, num, num)
    own_x, own_y = some(spec, 1, 99)
    x[place], y[place] = own_x[0], own_y[0]
    return RecordSet(name="fixture", spec=spec, x=x, y=y)


NAME = 7
"""The person who is always there."""


def of_people(spec: AbstractSpec, place: int, num: int, num_own: int = 2) -> RecordSet:
    """Records of one person, the same always and in the same order, from a place on among those of others."""
    num += num_own
    x, y = some(spec, num, num)
    own = torch.linspace(place, num - 1, num_own).long()
    x[own], y[own] = some(spec, num_own, 99)
    people = torch.arange(num) % 6 + 8
    people[own] = NAME
    # Numbers only tell people apart: another numbering in every file, whose names stay.
    order = torch.randperm(14, generator=torch.Generator().manual_seed(num))
    digests = digests_of_names(map(str, torch.argsort(order).tolist()))
    return RecordSet(name="fixture", spec=spec, x=x, y=y, people=order[people], num_people=14, person_digests=digests)


def rows_of_unit(unit: Unit, private: RecordSet, place: int) -> Tensor:
    """Which records are those of the unit, in their order."""
    if unit is Unit.RECORD:
        return torch.tensor([place])
    assert private.people is not None
    assert private.person_digests is not None
    (own,) = digests_of_names([str(NAME)])
    (number,) = (private.person_digests == own).all(axis=1).nonzero()[0].tolist()
    return (private.people == number).nonzero()[:, 0]


def of_recordings(spec: AbstractSpec, place: int, num: int) -> RecordSet:
    """Windows of recordings, in the place of records of people."""
    return replace(of_people(spec, place, num), owners=Unit.RECORDING)


MAKE = {Unit.RECORD: of_records, Unit.PERSON: of_people, Unit.RECORDING: of_recordings}


def places_that_differ(spec: AbstractSpec, unit: Unit, rows: Callable[[RecordSet], Tensor]) -> list[tuple[int, int]]:
    """At which places, among how many, the rows of the unit are others than where it is all but alone."""
    alone = MAKE[unit](spec, 0, 1)
    expected = rows(alone)[rows_of_unit(unit, alone, 0)]
    found = []
    for place, num in PLACES:
        private = MAKE[unit](spec, place, num)
        if not torch.equal(rows(private)[rows_of_unit(unit, private, place)], expected):
            found.append((place, num))
    return found


both_units = pytest.mark.parametrize("unit", Unit)


@both_units
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_what_is_computed_of_a_unit_is_the_same_wherever_it_stands(name: str, unit: Unit) -> None:
    spec, describe = DESCRIPTIONS[name]
    assert places_that_differ(spec, unit, lambda private: described(describe, private, unit)) == []


# ---- rows of every release ------------------------------------------------------------------------------------------


def merf_rows(private: RecordSet, unit: Unit) -> Tensor:
    """What each record adds to the one release of DP-MERF."""
    config = DPMERFConfig(
        records=RecordsExpected.of(private.spec), num_features=42, squared_bandwidth=8.0, noise_multiplier=1.0,
        generator=MERFGeneratorConfig(hidden_size=4, width=2),
    )  # fmt: skip
    slots = PublicSlots(3000, unit)
    training = DPMERFTraining(config, private, DeterministicNoise(0), RunContext(delta=1e-4, slots=slots))
    return in_order(training._slots(), private, unit)


def in_order(chunks: Any, private: RecordSet, unit: Unit) -> Tensor:
    """Vector, group and owner of each record, in the order of the file."""
    slots = list(chunks)
    vectors = torch.cat([torch.cat([one.vectors, one.groups[:, None].to(one.vectors)], dim=1) for one in slots])
    order = torch.cat([bundle.rows for bundle in protected.bundles(private, unit, 1000)])
    return vectors[torch.argsort(order)]


MIXTURE = DPMixtureConfig(
    records=RecordsExpected.of(IMAGES),
    generator=MixtureGeneratorConfig(num_directions=5, num_components=2, radius=5.0),
    num_rounds=1,
    noise_multiplier=0.5,
)


def earlier_releases(step: int) -> list[Tensor]:
    training = DPMixtureTraining(MIXTURE, of_records(IMAGES, 0, 90), DeterministicNoise(0), RunContext(delta=1e-4))
    for _ in training:
        pass
    return training.state_dict()["released"][:step]


def mixture_rows(private: RecordSet, unit: Unit, released: list[Tensor]) -> Tensor:
    """What each record adds to the next release of DP-mixture, after the same earlier ones."""
    slots = PublicSlots(3000, unit)
    state = {"form": "with a shrunk second moment", "step": len(released), "released": released}
    given = RunContext(delta=1e-4, slots=slots, state=state)
    training = DPMixtureTraining(MIXTURE, private, DeterministicNoise(0), given)
    return in_order(training._slots(len(released)), private, unit)


@both_units
@pytest.mark.parametrize("spec", [IMAGES, LARGE], ids=["9 x 7", "28 x 28"])
def test_what_a_unit_adds_to_the_release_of_dp_merf_is_the_same_wherever_it_stands(
    spec: AbstractSpec, unit: Unit
) -> None:
    assert places_that_differ(spec, unit, lambda private: merf_rows(private, unit)) == []


@both_units
@pytest.mark.parametrize("step", range(4))
def test_what_a_unit_adds_to_each_release_of_dp_mixture_is_the_same_wherever_it_stands(step: int, unit: Unit) -> None:
    released = earlier_releases(step)
    assert len(released) == step
    assert places_that_differ(IMAGES, unit, lambda private: mixture_rows(private, unit, released)) == []


# ---- planted breaks -------------------------------------------------------------------------------------------------


def test_pieces_that_are_not_filled_up_are_caught_where_products_are_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gossamer.methods.dp_merf.training.matmul_of_rows", torch.matmul)
    monkeypatch.setattr(Bundle, "_of", lambda self, piece, function, values: function(*(one[piece] for one in values)))
    assert places_that_differ(IMAGES, Unit.RECORD, lambda private: merf_rows(private, Unit.RECORD))


def test_motions_by_the_number_of_a_row_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protected, "record_marks", lambda records, unit: torch.arange(records.num_records))
    for unit in Unit:
        _, describe = DESCRIPTIONS["motions"]
        assert places_that_differ(IMAGES, unit, lambda private: described(describe, private, unit))  # noqa: B023


def test_people_worked_at_together_with_others_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def together(self: Bundle, function: Callable[..., Tensor], *values: Tensor) -> Tensor:
        return function(*(one[self.rows] for one in values))

    monkeypatch.setattr("gossamer.methods.dp_merf.training.matmul_of_rows", torch.matmul)
    monkeypatch.setattr(Bundle, "compute", together)
    assert places_that_differ(IMAGES, Unit.PERSON, lambda private: merf_rows(private, Unit.PERSON))


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="other libraries may add up in another way")
def test_products_by_the_place_of_a_row_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gossamer.nn.views.matmul_of_rows", torch.matmul)
    spec, describe = DESCRIPTIONS["few frequencies"]
    assert places_that_differ(spec, Unit.RECORD, lambda private: described(describe, private, Unit.RECORD))


# ---- copies and marks -----------------------------------------------------------------------------------------------


def test_of_equal_records_the_last_copy_is_the_one_that_leaves() -> None:
    """Whichever of them is taken out of the file: the motions of all others stay as they were."""
    base = of_records(IMAGES, 0, 12)
    copies = torch.tensor([0, 3, 0, 5, 0, 3, 7, 0])
    private = replace(base, x=base.x[copies], y=base.y[copies])  # type: ignore[index]
    _, describe = DESCRIPTIONS["motions"]

    def rows(kept: list[int]) -> list[bytes]:
        left = replace(private, x=private.x[kept], y=private.y[kept])  # type: ignore[index]
        return sorted(row.numpy().tobytes() for row in described(describe, left, Unit.RECORD))

    everybody = rows(list(range(8)))
    assert len(set(everybody)) == 8  # copies move in ways of their own
    without = [rows([one for one in range(8) if one != leaving]) for leaving in range(8)]
    assert without[0] == without[2] == without[4] == without[7]
    assert without[1] == without[5]
    for fewer in without:
        assert set(fewer) < set(everybody)


def test_records_that_differ_in_the_label_alone_are_two_records() -> None:
    base = of_records(IMAGES, 0, 1)
    private = replace(base, x=base.x.repeat(3, 1, 1, 1), y=torch.tensor([0, 1, 0]))
    units = identities_of(private, Unit.RECORD)
    assert units.copies.tolist() == [0, 0, 1]
    assert (units.digests[0] == units.digests[2]).all()
    assert not (units.digests[0] == units.digests[1]).all()
    assert len(record_marks(private, Unit.RECORD).unique()) == 3


def test_marks_of_all_records_differ() -> None:
    for unit, make in MAKE.items():
        private = make(IMAGES, 3, 2000)
        assert len(record_marks(private, unit).unique()) == private.num_records


def test_units_of_people_are_chosen_from_by_name() -> None:
    """Of one person's five records two are read: the same ones whatever the others and the numbers."""
    found = []
    for place, num in ((0, 1), (3, 40), (17, 200)):
        private = of_people(IMAGES, place, num, num_own=5)
        own = rows_of_unit(Unit.PERSON, private, place)
        units = units_of(private, PublicSlots(20, Unit.PERSON), records_per_person=2, seed=5)
        number = private.people[own[0]]  # type: ignore[index]
        chosen = [units.choose(number[None], step)[0] for step in range(20)]
        found.append([torch.searchsorted(own, one).tolist() for one in chosen])
        assert all((own[torch.searchsorted(own, one)] == one).all() for one in chosen)
    assert found[0] == found[1] == found[2]


# ---- how many there are ---------------------------------------------------------------------------------------------


def people_data(**changes: Any) -> RecordData:
    return RecordData(**{"train": of_people(IMAGES, 3, 40), **changes})


def test_the_number_is_the_users_then_the_formats_then_that_of_the_data() -> None:
    data = people_data(published=PublishedCounts(num_records=70_000, num_people=300), training_share=0.8)
    for unit, published, found in ((Unit.RECORD, 70_000, 42), (Unit.PERSON, 300, 14)):
        slots, note = public_slots(data, unit, 500)
        assert slots == PublicSlots(500, unit, CountSource.GIVEN, 0.8)
        assert note.endswith("is at most 500, as the user says.")
        slots, note = public_slots(data, unit)
        assert slots == PublicSlots(published, unit, CountSource.GIVEN, 0.8)
        assert note.endswith(f"is at most {published}, as published.")
        slots, note = public_slots(replace(data, published=PublishedCounts()), unit)
        assert slots == PublicSlots(found, unit, CountSource.READ, 0.8)
        assert "counted in the data, and is taken as public" in note
        assert "replaced by another is what is covered" in note


def test_a_counted_number_of_records_counts_those_that_a_key_held_out() -> None:
    held_out = of_records(IMAGES, 0, 30)
    data = RecordData(train=of_records(IMAGES, 0, 100), test=held_out)
    assert public_slots(data, Unit.RECORD)[0].number == 100  # a split of the owner's: the test set was never ours
    assert public_slots(replace(data, training_share=0.75), Unit.RECORD)[0] == PublicSlots(
        130, Unit.RECORD, CountSource.READ, 0.75
    )


def test_more_units_than_the_number_says_are_refused_without_their_number() -> None:
    with pytest.raises(InputError, match="--num-people") as refused:
        public_slots(people_data(), Unit.PERSON, 13)
    assert "14" not in str(refused.value)
    with pytest.raises(InputError, match="--num-records") as refused:
        check_fits(of_records(IMAGES, 0, 40), PublicSlots(39))
    assert "40" not in str(refused.value)
    check_fits(of_records(IMAGES, 0, 40), PublicSlots(40))
    with pytest.raises(InputError, match="names no people"):
        check_fits(of_records(IMAGES, 0, 40), PublicSlots(40, Unit.PERSON))


def test_people_are_not_protected_where_a_key_put_their_records_on_both_sides() -> None:
    with pytest.raises(PrivacyError, match="split between people"):
        public_slots(people_data(is_split_by_record=True), Unit.PERSON, 500)
    assert public_slots(people_data(is_split_by_record=True), Unit.RECORD, 500)[0].number == 500


def test_descriptions_are_in_the_order_of_the_file_and_of_any_shape() -> None:
    for unit in Unit:
        private = of_recordings(IMAGES, 3, 1100) if unit is Unit.RECORDING else of_people(IMAGES, 3, 1100)
        assert torch.equal(described(lambda x, _: x, private, unit), private.x)
        sums = described(lambda x, _: x.flatten(1).double().sum(dim=1), private, unit)
        assert torch.allclose(sums, private.x.flatten(1).double().sum(dim=1), rtol=1e-12)
    assert math.prod(IMAGES.shape) == 63
