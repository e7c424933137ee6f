"""Stand-ins: made-up records with classes, the same each time, that depend on public facts alone."""

from __future__ import annotations

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.data.stand_ins import stand_ins
from gossamer.errors import InputError

GRAY = ImageSpec(channels=1, height=12, width=16, class_names=tuple("abc"))
COLOUR = ImageSpec(channels=3, height=16, width=16, class_names=tuple("abcd"))
SERIES = SeriesSpec(channels=2, length=48, low=(0.0, 0.0), high=(1.0, 9.0), class_names=tuple("abc"))
UNLABELLED = SeriesSpec(channels=1, length=30, low=(0.0,), high=(1.0,))
every = pytest.mark.parametrize("spec", [GRAY, COLOUR, SERIES, UNLABELLED], ids=lambda spec: str(spec.shape))


@every
def test_they_are_the_same_each_time_and_fit_their_specification(spec: AbstractSpec) -> None:
    made, again = stand_ins(spec, 60), stand_ins(spec, 60)
    assert made.spec == spec
    assert torch.equal(made.x, again.x)
    assert (made.y is None) == (spec.num_classes == 0)
    assert made.num_people == 60


@pytest.mark.parametrize("spec", [GRAY, COLOUR, SERIES], ids=lambda spec: str(spec.shape))
def test_classes_are_told_apart_by_their_means(spec: AbstractSpec) -> None:
    made = stand_ins(spec, 400)
    assert made.y is not None
    flat, train = made.x.flatten(start_dim=1), slice(0, 200)
    means = torch.stack([flat[train][made.y[train] == label].mean(dim=0) for label in range(spec.num_classes)])
    right = torch.cdist(flat[200:], means).argmin(dim=1) == made.y[200:]
    assert float(right.float().mean()) > 0.7


@every
def test_records_of_a_class_differ_and_their_brightness_spreads(spec: AbstractSpec) -> None:
    made = stand_ins(spec, 200)
    levels = made.x.flatten(start_dim=1).mean(dim=1)
    assert float(levels.std()) > 0.01
    assert len(torch.unique(levels)) > 190
    assert 0.1 < float(levels.mean()) < 0.8


def test_many_are_drawn_in_parts() -> None:
    large = ImageSpec(channels=3, height=256, width=256)
    made = stand_ins(large, 12)
    assert made.x.shape == (12, 3, 256, 256)
    assert not torch.equal(made.x[0], made.x[11])


def test_none_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        stand_ins(GRAY, 0)
