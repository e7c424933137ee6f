"""Classes of a target meet those of the real data by names that somebody wrote, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.driving.generator_file import load_generator
from gossamer.driving.handing_over import write_records
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.scoring.targets import TargetFinder

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
