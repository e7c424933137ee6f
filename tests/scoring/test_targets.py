"""Classes of a target meet those of the real data by names that somebody wrote, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.driving.generator_file import load_generator
from gossamer.driving.handing_over import write_records
from gossamer.errors import InputError
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.runs.edf_file import write_edf
from gossamer.scoring import targets
from gossamer.scoring.targets import TargetFinder, generator_target

NUM_CLASSES = 12


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    """Twelve folders 0 .. 11, which sort as 0, 1, 10, 11, 2: the images of each are of one brightness."""
    for name in range(NUM_CLASSES):
        folder = tmp_path / "twelve" / str(name)
        folder.mkdir(parents=True)
        for number in range(3):
            pixels = np.full((8, 8), 20 * name + number, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "twelve"


def brightness(target: Path, real: ImageSpec) -> dict[int, int]:
    """The brightness of each class of the real data, as the target has it."""
    records = TargetFinder(real=real, load=load_generator).find(target).draw(36, 0)
    assert records.y is not None
    return {label: round(float(records.x[records.y == label].mean()) * 255) // 20 for label in range(NUM_CLASSES)}


def as_folders_have_it(spec: ImageSpec) -> dict[int, int]:
    return {label: int(name) for label, name in enumerate(spec.class_names)}


def test_what_a_run_wrote_is_scored_class_by_class(twelve: Path, tmp_path: Path) -> None:
    train = load_records(twelve).train
    assert isinstance(train.spec, ImageSpec)
    assert train.spec.class_names[:4] == ("0", "1", "10", "11")
    assert train.y is not None
    write_records(tmp_path / "drawn.npz", train.x.numpy(), train.y.numpy(), train.spec)
    assert brightness(tmp_path / "drawn.npz", train.spec) == as_folders_have_it(train.spec)
    write_records(tmp_path / "drawn", train.x.numpy(), train.y.numpy(), train.spec)
    assert brightness(tmp_path / "drawn", train.spec) == as_folders_have_it(train.spec)


def test_numbers_that_nobody_wrote_are_places_and_no_names(twelve: Path, tmp_path: Path) -> None:
    train = load_records(twelve).train
    assert isinstance(train.spec, ImageSpec)
    assert train.y is not None
    np.savez(tmp_path / "foreign.npz", x=train.x.numpy(), y=train.y.numpy())
    assert brightness(tmp_path / "foreign.npz", train.spec) == as_folders_have_it(train.spec)
    # The other way round: the real data are an array, whose classes have no names.
    unnamed = load_records(tmp_path / "foreign.npz", num_classes=NUM_CLASSES).train.spec
    assert isinstance(unnamed, ImageSpec)
    assert not unnamed.are_classes_named
    assert brightness(twelve, unnamed) == as_folders_have_it(train.spec)


def test_a_generator_says_whether_its_classes_have_names() -> None:
    for spec in (
        ImageSpec(channels=1, height=8, width=8, class_names=("0", "1"), are_classes_named=False),
        ImageSpec(channels=1, height=8, width=8, class_names=("0", "1")),
    ):
        assert from_json_tree(ImageSpec, to_json_tree(spec), "here").are_classes_named is spec.are_classes_named
    older = to_json_tree(ImageSpec(channels=1, height=8, width=8, class_names=("0", "1")))
    del older["are_classes_named"]
    assert from_json_tree(ImageSpec, older, "here").are_classes_named


SERIES = SeriesSpec(
    channels=2, length=40, low=(-2.0, 0.0), high=(2.0, 90.0), sample_rate=50.0, units=("mV", "degC"),
    channel_names=("ECG of the upper left leg", "T"), class_names=("rest", "Mühe"),
)  # fmt: skip


@pytest.mark.parametrize("spec", [SERIES, replace(SERIES, class_names=(), channel_names=(), units=())])
def test_an_edf_recording_is_a_target_of_series_of_their_length(tmp_path: Path, spec: SeriesSpec) -> None:
    rng = np.random.default_rng(0)
    x = rng.random((9, 2, 40)).astype(np.float32)
    y = rng.integers(0, 2, 9) if spec.class_names else None
    write_edf(tmp_path / "drawn.EDF", x, y, spec)
    target = TargetFinder(real=spec, load=load_generator).find(tmp_path / "drawn.EDF")
    assert target.num_images == 9
    drawn = target.draw(9, 0)
    order = [int(np.abs(x - one).sum(axis=(1, 2)).argmin()) for one in drawn.x]
    assert sorted(order) == list(range(9))
    np.testing.assert_allclose(drawn.x, x[order], atol=1 / 60_000)
    assert (drawn.y is None) is (y is None)
    if y is not None:
        assert drawn.y is not None
        assert drawn.y.tolist() == y[order].tolist()


def test_an_edf_recording_of_other_signals_is_refused(tmp_path: Path) -> None:
    write_edf(tmp_path / "drawn.edf", np.zeros((3, 2, 40), dtype=np.float32), None, replace(SERIES, class_names=()))
    finder = TargetFinder(real=replace(SERIES, class_names=(), channel_names=("a", "T")), load=load_generator)
    with pytest.raises(InputError, match="no signal 'a'"):
        finder.find(tmp_path / "drawn.edf")


PULSES = replace(SERIES, class_names=(), channel_names=("I", "II"), low=(-2.0, 0.0), high=(2.0, 90.0))


def test_a_generator_with_other_bounds_is_scored_in_the_unit_of_the_real_series(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.rand(5, 2, 40, generator=torch.Generator().manual_seed(0))
    recipe = SimpleNamespace(spec=PULSES, class_shares=())
    statement = SimpleNamespace(mechanism="one")
    trained: Any = SimpleNamespace(
        recipe=recipe, statement=statement, verdict=None, sample=lambda number, labels, seed: (x[:number], None)
    )
    real = replace(PULSES, low=(-1.0, -90.0), high=(1.0, 90.0))
    target = generator_target(trained, real, "model", where="this model")
    drawn = target.draw(5, 0).x
    np.testing.assert_allclose(drawn[:, 0], ((-2 + 4 * x[:, 0].numpy()) + 1).clip(0, 2) / 2, atol=1e-6)
    np.testing.assert_allclose(drawn[:, 1], 0.5 + x[:, 1].numpy() / 2, atol=1e-6)
    assert any("other bounds" in note for note in target.notes)
    alike = generator_target(trained, PULSES, "model", where="this model")
    np.testing.assert_array_equal(alike.draw(5, 0).x, x.numpy())
    assert alike.notes == ()
    monkeypatch.setattr(targets, "_rescaling", lambda found, real: None)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(generator_target(trained, real, "model", where="").draw(5, 0).x, drawn, atol=1e-3)


def test_channels_in_another_order_are_refused_and_not_compared_crosswise(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((6, 2, 40)).astype(np.float32)
    write_records(tmp_path / "drawn.npz", x, None, PULSES)
    assert TargetFinder(real=PULSES, load=load_generator).find(tmp_path / "drawn.npz").num_images == 6
    turned = replace(PULSES, channel_names=("ii", "I"))
    with pytest.raises(InputError, match="channels I, II, the real ones have them in the order ii, I"):
        TargetFinder(real=turned, load=load_generator).find(tmp_path / "drawn.npz")
