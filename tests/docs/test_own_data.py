"""The sets of one's own are the same each time, can be learnt from, and lie where they are said to lie."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gossamer.cli.main import main
from gossamer.data.catalogue import load_records

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # the three find each other so
    spec.loader.exec_module(module)
    return module


SETS, SCORES, BENCH = (load(f"own_{name}") for name in ("sets", "scores", "data"))
BY_NAME = {one.name: one for one in SETS.SETS}
LABELLED = [one for one in SETS.SETS if one.classes]


def small(one: Any) -> Any:
    """The set with fewer records."""
    factor = 0.1 if not one.is_images else 0.15
    return replace(one, num_train=int(one.num_train * factor), num_test=int(one.num_test * factor))


@pytest.mark.parametrize("one", LABELLED, ids=lambda one: one.name)
def test_records_are_the_same_each_time_and_others_in_the_other_half(one: Any) -> None:
    one = replace(one, num_train=12, num_test=12)
    first, again, test = one.train(), one.train(), one.test()
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(first.x[:12], test.x[:12])


@pytest.mark.parametrize("one", LABELLED, ids=lambda one: one.name)
def test_classes_can_be_learnt_and_not_to_the_end_and_not_by_their_means_alone(one: Any) -> None:
    one = small(one)
    found = SCORES.real_scores(one, one.train(), one.test())
    chance = 1 / len(one.classes)
    assert chance + 0.2 < found["class_means_accuracy"] < 0.99
    assert found["class_means_accuracy"] - 0.05 < found["accuracy"] < 0.99
    assert found["level_error"] == 0
    assert found["moment_distance"] < 0.3  # a few records of a class: that of the whole set is below 0.05


def test_levels_are_as_named() -> None:
    pages, scans, shapes, vitals = (small(BY_NAME[name]).train() for name in ("pages", "scans", "shapes", "vitals"))
    assert SCORES.level_of(pages) > 0.75
    assert SCORES.level_of(scans) < 0.2
    assert np.all(np.abs(SCORES.level_of(shapes) - 0.375) < 0.03)
    assert np.allclose(vitals.x.mean((0, 2)), (82.5, 96.3, 37.1), atol=(3, 0.6, 0.2))
    for level in (0.3, 0.5, 0.7, 0.9):
        grey = BY_NAME[f"grey-{level}"].train()
        assert grey.x.shape == (4_000, 1, 28, 28)
        assert SCORES.level_of(grey) == pytest.approx(level)
        assert SCORES.spread_of(grey) == pytest.approx(0, abs=1e-6)


def test_every_class_and_every_channel_counts_by_itself() -> None:
    x = np.zeros((4, 2, 3), dtype=np.float32)
    x[:, 0], x[3] = 0.2, 0.6
    records = SETS.Records(x=x, y=np.array([0, 0, 0, 1]))
    assert SCORES.level_of(records) == pytest.approx([0.4, 0.3])
    assert SCORES.spread_of(records) == pytest.approx([np.std([0.2, 0.2, 0.2, 0.6]), np.std([0, 0, 0, 0.6])])
    one = replace(BY_NAME["vitals"], low=(0.0, 0.0), high=(1.0, 0.5), classes=())
    higher = SETS.Records(x=x + np.array([[0.1], [-0.1]], dtype=np.float32), y=records.y)
    assert SCORES.scores(one, higher, records, records)["level_error"] == pytest.approx(0.2, abs=1e-6)
    assert SCORES.balanced(np.array([True, True, True, False]), records) == 0.5


def test_class_means_alone_are_one_away_and_noise_is_further() -> None:
    one = small(BY_NAME["vitals-wide"])
    train, test = one.train(), one.test()
    means = SCORES.by_class(test.x, test)
    alone = SETS.Records(x=means[test.y], y=test.y)
    assert SCORES.moment_distance(alone, train, test) == pytest.approx(1, abs=1e-3)
    rng = np.random.default_rng(0)
    noise = SETS.Records(x=means[test.y] + rng.normal(0, 3 * test.x.std((0, 2), keepdims=True), test.x.shape), y=test.y)
    assert SCORES.moment_distance(noise, train, test) > 1


def test_the_ratio_is_of_errors() -> None:
    assert BENCH.error_ratio({"accuracy": 0.9}, {"accuracy": 0.6}) == "0.25"
    assert BENCH.error_ratio({"failed": "exit code 3"}, {"accuracy": 0.6}) == ""


def test_colours_say_nothing_of_the_shape() -> None:
    shapes = small(BY_NAME["shapes"]).train()
    corners = shapes.x[:, :, :3, :3].mean((2, 3))
    assert SCORES.by_class(corners, shapes).std(0).max() < 0.03 < corners.std()


def test_people_have_several_records_and_levels_of_their_own() -> None:
    vitals = BY_NAME["vitals"].train()
    _, days = np.unique(vitals.person, return_counts=True)
    assert (len(days), days.min(), days.max()) == (400, 3, 9)
    hearts = vitals.x[:, 0].mean(1)
    own = np.array([hearts[vitals.person == one].mean() for one in range(400)])
    assert own.std() > 5
    low, high = (np.array(bound)[:, None] for bound in (SETS.LOW, SETS.HIGH))
    assert np.all((vitals.x >= low) & (vitals.x <= high))


@pytest.mark.parametrize("name", ["pages", "scans", "shapes", "grey-0.3"])
def test_images_are_read_as_they_were_made(name: str, tmp_path: Path) -> None:
    one = replace(BY_NAME[name], num_train=20)
    made = one.train()
    read = load_records(str(one.write(made, tmp_path / "train"))).train
    if name == "pages":  # a folder is read class by class, at 256 levels
        assert made.y is not None
        made = SETS.Records(x=made.x[np.argsort(made.y, kind="stable")], y=np.sort(made.y))
    assert np.abs(read.x.numpy() - made.x).max() <= 0.5 / 255 + 1e-6
    assert made.y is None or np.array_equal(read.y.numpy(), made.y)


@pytest.mark.parametrize(("name", "people"), [("vitals", 10), ("vitals-wide", None)])
def test_tables_are_read_by_their_options(
    name: str, people: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = replace(BY_NAME[name], num_train=10)
    made = one.train()
    options = [word for word in one.options if word not in ("--unit", "person")]
    assert main(["data", "describe", str(one.write(made, tmp_path / "train")), *options]) == 0
    said = capsys.readouterr().out
    assert str(len(made.x)) in said
    assert people is None or f"{people}" in said


def test_a_figure_that_is_there_is_kept_and_another_build_or_failure_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = small(BY_NAME["vitals-wide"])
    asked = []

    def draw(folder: Path, job: Any, number: int) -> tuple[Any, dict[str, float]]:
        asked.append(job.key)
        train = BENCH.records_of(one)[0]
        keeps = train.y >= 0 if job.build.name == "new" else train.y < 1
        x = np.where(keeps[:, None, None], train.x, train.x.mean(0))
        return SETS.Records(x=x, y=train.y), {"cpu_seconds": 1.0}

    monkeypatch.setattr(BENCH, "train_and_sample", draw)
    builds = []
    for name in ("old", "new"):
        (tmp_path / name / "gossamer").mkdir(parents=True)
        (tmp_path / name / "gossamer" / "__init__.py").write_text(f"# {name}")
        builds.append(BENCH.read_build(f"{name}={tmp_path / name}"))
    jobs = [BENCH.Job(build=build, data=one, method="dp-mixture", epsilon="10") for build in builds]
    results = BENCH.main(tmp_path, jobs, 1)
    assert len(asked) == 2
    BENCH.main(tmp_path, jobs, 1)
    assert len(asked) == 2
    old, new = (results["results"][job.key]["accuracy"] for job in jobs)
    said = BENCH.tables(results, jobs)
    assert f"| old | {old:.3f} |  |" in said
    assert f"| new | {new:.3f} | {(1 - new) / (1 - old):.2f} |" in said
    alone = BENCH.tables(results, jobs[:1])
    assert "error ratio" not in alone
    assert "build" not in alone
    (tmp_path / "new" / "gossamer" / "__init__.py").write_text("# newer")
    BENCH.main(tmp_path, jobs, 1)
    assert asked[2:] == [jobs[1].key]


def test_the_tables_go_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n".join(["above", *BENCH.MARKS, "below"]))
    for text in ("one", "two"):
        BENCH.put_into(page, text)
    assert page.read_text() == f"above\n{BENCH.MARKS[0]}\n\ntwo\n{BENCH.MARKS[1]}\nbelow"
    page.write_text("nothing")
    with pytest.raises(SystemExit):
        BENCH.put_into(page, "one")
