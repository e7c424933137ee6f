"""The level of the data, for every method: of records that are nearly one constant, samples have that constant.

Settings are those for a user's own records, shortened where a method fits for long (tests/shared/tiny). The noise is
deterministic at a large epsilon: the same at every run.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny_of
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import METHODS
from gossamer.methods.method import Method
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import RunContext
from gossamer.nn import mixture
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.slots import PublicSlots

RECORDS, DELTA = 1200, 1e-4
FITTING = [method for method in METHODS if tiny_of(method.name).level_error is not None]
"""Methods that claim to fit their records."""
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
NAMES = ("a", "b", "c", "d", "e")
SERIES = {"channels": 2, "length": 24, "low": (30.0, 50.0), "high": (200.0, 100.0)}
CASES: dict[str, tuple[AbstractSpec, list[list[float]]]] = {
    **{f"gray {level}": (ImageSpec(channels=1, height=8, width=8), [[level]]) for level in LEVELS},
    "gray, a level a class": (
        ImageSpec(channels=1, height=8, width=8, class_names=NAMES), [[level] for level in LEVELS]
    ),
    "colour": (ImageSpec(channels=3, height=8, width=8), [[0.9, 0.5, 0.1]]),
    "colour, another colour a class": (
        ImageSpec(channels=3, height=8, width=8, class_names=NAMES[:2]), [[0.1, 0.9, 0.5], [0.7, 0.3, 0.6]]
    ),
    "series of unequal channels": (SeriesSpec(**SERIES), [[0.3, 0.9]]),
    "series, other levels a class": (
        SeriesSpec(**SERIES, class_names=NAMES[:3]), [[0.3, 0.9], [0.4, 0.8], [0.1, 0.9]]
    ),
}  # fmt: skip
"""Specifications, and the level of each channel for each class."""


def records_at(spec: AbstractSpec, levels: list[list[float]]) -> RecordSet:
    """Records of a class at the levels of its channels, each a little above or below, and a little uneven."""
    rng = torch.Generator().manual_seed(7)
    y = torch.arange(RECORDS) % len(levels)
    own = 0.01 * torch.randn(RECORDS, *(1 for _ in spec.shape), generator=rng)
    uneven = 0.01 * torch.randn(RECORDS, *spec.shape, generator=rng)
    flat = torch.tensor(levels)[y].view(RECORDS, spec.shape[0], *(1 for _ in spec.shape[1:]))
    x = (flat + own + uneven).clamp(0, 1)
    return RecordSet(name="even", spec=spec, x=x, y=y if spec.num_classes else None)


@functools.cache
def fitted(method: Method[Any], case: str) -> TrainedGenerator:
    """The generator of a method for records of a case, at epsilon 20."""
    private, tiny, slots = records_at(*CASES[case]), tiny_of(method.name), PublicSlots(RECORDS)
    settings = tiny.soon(method.settings_for(private.spec, RECORDS))
    settings = method.calibrate(settings, slots, PrivacyBudget(epsilon=20.0, delta=DELTA))
    run = method.start(settings, private, DeterministicNoise(0), RunContext(delta=DELTA, slots=slots))
    for _ in run:
        pass
    return run.trained()


def levels_drawn(trained: TrainedGenerator, num_classes: int) -> Tensor:
    """Mean level of each class and channel over a few hundred samples, in [0, 1]."""
    records, labels = trained.sample(300 * num_classes)
    by_channel = records.flatten(start_dim=2).mean(dim=2)
    which = torch.zeros(len(records), dtype=torch.int64) if labels is None else labels
    return torch.stack([by_channel[which == group].mean(dim=0) for group in range(num_classes)])


def distance(method: Method[Any], case: str) -> float:
    """Largest difference of a drawn level from the level of the records."""
    expected = torch.tensor(CASES[case][1])
    return float((levels_drawn(fitted(method, case), len(expected)) - expected).abs().max())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", FITTING, ids=lambda method: method.name)
def test_samples_of_nearly_constant_records_have_their_level(method: Method[Any], case: str) -> None:
    bound, spec = tiny_of(method.name).level_error, CASES[case][0]
    assert bound is not None
    if tiny_of(method.name).needs_classes and spec.num_classes < 2:
        with pytest.raises(InputError, match="two classes: take"):
            method.settings_for(spec, RECORDS)
        return
    assert distance(method, case) <= bound


def test_a_method_that_claims_no_level_says_so_on_the_page_that_compares_them() -> None:
    """No new method is excused in silence: it fits within 0.02, or its tiny settings and this page say otherwise."""
    assert {tiny_of(method.name).level_error for method in FITTING} == {0.02}
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "choose-a-method.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"[^.\n]* claim no level[^.]*\.", page)
    unclaimed = {method.name for method in METHODS if method not in FITTING}
    assert unclaimed == set(re.findall(r"`([a-z-]+)`", sentence))


@pytest.mark.parametrize("case", ["gray 0.9", "gray 0.1", "colour", "series of unequal channels"])
def test_a_generator_that_forgets_the_common_mean_is_caught(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: the offset is dropped, as it was before there was one."""
    load = mixture.AbstractMixtureGenerator.load_state_dict

    def forgetful(network: Any, weights: dict[str, Tensor], **given: Any) -> Any:
        return load(network, {**weights, "offset": torch.zeros_like(weights["offset"])}, **given)

    (chosen,) = (method for method in METHODS if method.name == "dp-mixture")
    whole = distance(chosen, case)
    monkeypatch.setattr(mixture.AbstractMixtureGenerator, "load_state_dict", forgetful)
    assert whole <= 0.02 < distance(chosen, case)
