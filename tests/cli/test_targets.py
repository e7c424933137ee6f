"""What can be scored: runs, generators, files and folders; labels go by the classes' names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.data.digits import DIGITS_SPEC
from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.estimators import load_generator
from gossamer.evaluation.listed import SyntheticRecords
from gossamer.runs.ts_files import write_ts
from gossamer.scoring.targets import Target, TargetFinder, named_apart

ANIMALS = ImageSpec(channels=1, height=8, width=8, class_names=("cat", "dog", "owl"))


def find_target(path: Path, real: ImageSpec, evenness: float | None = None) -> Target:
    return TargetFinder(real=real, load=load_generator, evenness=evenness).find(path)


def find_checkpoints(path: Path, real: ImageSpec) -> tuple[Target, ...]:
    return TargetFinder(real=real, load=load_generator).find_saved(path)


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def images(num_images: int = 30, channels_last: bool = False) -> np.ndarray:
    shape = (num_images, 8, 8, 1) if channels_last else (num_images, 1, 8, 8)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def write_folder(path: Path, classes: dict[str, int]) -> Path:
    """A PNG folder; every image of a class has the class's own grey level."""
    for name, level in classes.items():
        (path / name).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(np.full((8, 8), level + number, np.uint8)).save(path / name / f"{number}.png")
    return path


def drawn(target: Target, num_images: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    found = target.draw(num_images, seed)
    assert found.y is not None
    return found.x, found.y


def test_a_run_and_its_generator_are_one_and_the_same(finished: Path) -> None:
    run = find_target(finished, DIGITS_SPEC)
    file = find_target(finished / "release" / "generator.safetensors", DIGITS_SPEC)
    assert run.name == file.name == "run"
    assert run.statement == file.statement
    assert run.statement is not None
    assert (run.run is not None, file.run is None) == (True, True)
    for ours, theirs in zip(drawn(run, 30), drawn(file, 30)):
        assert np.array_equal(ours, theirs)
    assert not np.array_equal(drawn(run, 30)[0], drawn(run, 30, seed=1)[0])


def test_a_generator_that_knows_its_shares_draws_classes_as_unevenly_as_asked(uneven: Path) -> None:
    two = ImageSpec(channels=1, height=8, width=8, class_names=("0", "1"))
    in_turn, as_released = (find_target(uneven, two, evenness=evenness) for evenness in (None, 0.0))
    assert np.bincount(drawn(in_turn, 100)[1]).tolist() == [50, 50]
    assert np.bincount(drawn(as_released, 100)[1]) == pytest.approx([75, 25], abs=2)
    assert not any("evenness" in note for note in in_turn.notes)
    assert "evenness 0" in as_released.notes[0]


def test_a_generator_without_shares_draws_in_turn_and_says_so(finished: Path) -> None:
    target = find_target(finished, DIGITS_SPEC, evenness=0.0)
    assert np.bincount(drawn(target, 100)[1]).tolist() == [10] * 10
    assert "in turn" in target.notes[0]


@pytest.mark.parametrize("key", ["x", "data_x"])
def test_both_kinds_of_npz_are_read(tmp_path: Path, key: str) -> None:
    own = key == "x"
    x, y = images(channels_last=not own), np.arange(30) % 10
    path = save(tmp_path / "theirs.npz", **{key: x, "y" if own else "data_y": y})
    found_x, found_y = drawn(find_target(path, DIGITS_SPEC))
    assert found_x.shape == (30, 1, 8, 8)
    # In another order, each with its own label.
    order = [int(np.flatnonzero((x.reshape(30, -1) == one.reshape(-1)).all(axis=1))[0]) for one in found_x]
    assert sorted(order) == list(range(30)) != order
    assert np.array_equal(y[order], found_y)


def test_a_part_of_a_file_is_drawn_by_the_seed_and_not_from_its_beginning(tmp_path: Path) -> None:
    target = find_target(save(tmp_path / "a.npz", x=images(), y=np.repeat(np.arange(10), 3)), DIGITS_SPEC)
    first, again, other = (drawn(target, 10, seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(set(first)) > 4


def test_classes_of_a_folder_go_by_name_also_where_one_is_missing(tmp_path: Path) -> None:
    x, y = drawn(find_target(write_folder(tmp_path / "pets", {"dog": 50, "owl": 200}), ANIMALS))
    levels = np.rint(x[:, 0, 0, 0] * 255)
    assert np.array_equal(y, np.where(levels < 100, 1, 2))


def test_classes_of_an_npz_go_by_name_too(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=images(4), y=np.array([0, 1, 1, 0]), class_names=np.array(["owl", "cat"]))
    x, y = drawn(find_target(path, ANIMALS))
    is_owl = [any(np.array_equal(one, images(4)[place]) for place in (0, 3)) for one in x]
    assert np.array_equal(y, np.where(is_owl, 2, 0))


def test_other_names_go_by_order_where_they_are_as_many(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", {"a": 50, "b": 100, "c": 200})
    x, y = drawn(find_target(folder, ANIMALS))
    assert np.array_equal(y, np.digitize(x[:, 0, 0, 0] * 255, [75, 150]))
    with pytest.raises(InputError, match="3 classes, the real data have 10"):
        find_target(folder, DIGITS_SPEC)


def test_images_without_labels_have_none(tmp_path: Path) -> None:
    assert find_target(save(tmp_path / "a.npz", x=images()), DIGITS_SPEC).draw(5, 0).y is None
    write_folder(tmp_path / "b", {".": 10})
    assert find_target(tmp_path / "b", DIGITS_SPEC).draw(5, 0).y is None


def test_a_ts_file_is_scored_in_the_units_and_classes_of_the_real_series(tmp_path: Path) -> None:
    real = SeriesSpec(channels=1, length=4, low=(-2.0,), high=(2.0,), class_names=("up", "Down"))
    x, y = np.random.default_rng(0).random((9, 1, 4), dtype=np.float32), np.arange(9) % 2
    # Its name is that of an archive's training set, and the test set beside it is none of the samples.
    for name in ("drawn_TRAIN", "drawn_TEST"):
        write_ts(tmp_path / f"{name}.ts", x, y, replace(real, class_names=("Down", "up")))
    target = TargetFinder(real=real, load=load_generator).find(tmp_path / "drawn_TRAIN.ts")
    assert target.num_images == 9
    found, labels = drawn(target)
    assert sorted(found[:, 0, 0].round(4).tolist()) == sorted(x[:, 0, 0].round(4).tolist())
    assert sorted(labels.tolist()) == sorted((1 - y).tolist())


def test_saved_generators_come_in_the_order_of_their_steps(saved_on_the_way: Path) -> None:
    found = find_checkpoints(saved_on_the_way, DIGITS_SPEC)
    assert [target.step for target in found] == [3, 7, None]
    assert len({target.name for target in found}) == 3
    assert {target.series for target in found} == {saved_on_the_way.name}
    epsilons = [target.statement.epsilon for target in found if target.statement is not None]
    assert epsilons == sorted(set(epsilons))


def test_a_run_that_saved_none_is_told_how(finished: Path) -> None:
    with pytest.raises(InputError, match="--save-at-epsilon"):
        find_checkpoints(finished, DIGITS_SPEC)


def target(name: str, series: str = "GS-WGAN") -> Target:
    return Target(name=name, draw=lambda n, s: SyntheticRecords(x=images(n), y=None), series=series)


def test_equal_names_are_told_apart_and_never_meet_another() -> None:
    groups = [[target("a")], [target("a (2)")], [target("a")], [target("b")]]
    assert [one.name for one in named_apart(groups)] == ["a", "a (2)", "a (3)", "b"]
    runs = [[target("run step 1", "run"), target("run", "run")] for _ in range(2)]
    apart = named_apart(runs)
    assert [one.name for one in apart] == ["run step 1", "run", "run step 1 (2)", "run (2)"]
    # Two runs are two lines in a picture; single generators share the line of their mechanism.
    assert [one.series for one in apart] == ["run", "run", "run (2)", "run (2)"]
    assert {one.series for one in named_apart([[target("a")], [target("a")]])} == {"GS-WGAN"}
