"""Every method on series of two channels: what holds for images holds, without a line of the methods' own for it.

Comparisons are exact: nothing here has a false alarm.
"""

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import every

from gossamer import methods
from gossamer.data.records import RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.gs_wgan.augmentation import SmallMotions
from gossamer.methods.method import Method
from gossamer.methods.training import AbstractTraining, RunContext
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.config_io import from_json_tree, to_json_tree

RECORDS, DELTA, KEY = 60, 1e-3, UnitKey(bytes(32))
SPEC = SeriesSpec(channels=2, length=24, low=(0.0, 0.0), high=(1.0, 1.0), class_names=("a", "b", "c"))
TINY = every(lambda tiny: tiny.series)


@pytest.fixture(params=[one.name for one in METHODS])
def method(request: Any) -> Method[Any]:
    """Each method that can be asked for by name."""
    return find_method(request.param)


def series(seed: int = 0) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(RECORDS, 2, 24, generator=rng)
    x[::3, :, 17:] = 0
    return RecordSet(name="fixture", spec=SPEC, x=x, y=torch.randint(0, 3, (RECORDS,), generator=rng))


def start(method: Method[Any], private: RecordSet | None = None, **given: Any) -> AbstractTraining:
    context = RunContext(**{"delta": DELTA, "key": KEY, **given})
    return method.start(TINY[method.name], private or series(), DeterministicNoise(3), context)


def finished(training: AbstractTraining) -> AbstractTraining:
    for _ in training:
        pass
    return training


def test_every_method_has_settings_for_series_here() -> None:
    assert [one.name for one in METHODS] == list(TINY)


def test_settings_for_series_are_read_back_as_they_were_written(method: Method[Any]) -> None:
    settings = TINY[method.name]
    assert from_json_tree(type(settings), to_json_tree(settings), "here") == settings


def test_a_few_steps_give_a_generator_of_series_with_classes_in_turn(method: Method[Any]) -> None:
    trained = finished(start(method)).trained()
    samples, labels = trained.sample(7)
    assert samples.shape == (7, 2, 24)
    assert 0 <= samples.min() <= samples.max() <= 1
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert samples.flatten(start_dim=1).unique(dim=0).shape[0] == 7


def test_interrupted_after_any_report_and_resumed_equals_uninterrupted(method: Method[Any], check_resumed: Any) -> None:
    check_resumed(functools.partial(start, method))


def test_a_series_of_another_shape_is_refused_where_settings_name_one(method: Method[Any]) -> None:
    longer = replace(SPEC, length=25)
    private = RecordSet(name="longer", spec=longer, x=torch.rand(RECORDS, 2, 25), y=torch.arange(RECORDS) % 3)
    if hasattr(TINY[method.name], "records"):
        with pytest.raises(InputError, match="shape"):
            start(method, private)
    else:
        assert finished(start(method, private)).trained().sample(2)[0].shape == (2, 2, 25)


def test_motions_of_images_are_refused_for_series() -> None:
    with pytest.raises(InputError, match="NoAugmentation"):
        SmallMotions(count=2).variant(series().x, 0, torch.arange(RECORDS), 0)


def test_no_method_asks_whether_its_records_are_series() -> None:
    """A file has to name one (`trained.py`), augmentation refuses series, and recipes differ; no other file asks."""
    folder = Path(inspect.getfile(methods)).parent
    asking = {
        path.name
        for path in folder.rglob("*.py")
        if re.search(r"SeriesSpec|nn\.series|\.dim\(\) [!=]= \d|len\([^)]*shape[^)]*\) [!=]= \d", path.read_text())
    }
    assert asking <= {"trained.py", "augmentation.py", "recipes.py"}
