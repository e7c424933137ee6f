"""The examples and the benchmark run to their end at a tiny size."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from gossamer.cli.main import main
from gossamer.evaluation import classifiers
from gossamer.methods.catalogue import find_method

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: str) -> str:
    environment = os.environ | {"GOSSAMER_EXAMPLE_STEPS": "2", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def load_example(name: str) -> ModuleType:
    """An example as a module, so that a test can give it a size of its own."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    sys.modules[name] = example  # dataclasses look their module up, and examples each other
    spec.loader.exec_module(example)
    return example


def load_study() -> ModuleType:
    return load_example("study")


def load_heartbeats() -> ModuleType:
    load_study()
    return load_example("heartbeats")


@pytest.fixture
def quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twelve by name, of which nine are a cheap one; the dear ones take minutes."""
    cheap = {one.name: one for one in classifiers.TWELVE}["gaussian_nb"].build
    for one in classifiers.TWELVE:
        if one.name not in ("gaussian_nb", "decision_tree", "mlp"):
            monkeypatch.setitem(vars(one), "build", cheap)


def test_the_study_trains_scores_and_tabulates_and_a_second_start_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quick_judges: None
) -> None:
    def in_this_process(*arguments: str) -> str:
        capsys.readouterr()
        assert main(arguments) == 0
        return capsys.readouterr().out

    study = load_study()
    monkeypatch.setattr(study, "gossamer", in_this_process)
    contender = study.Contender(method="dp-mixture", num_seeds=2)
    size = study.Size(data=("digits",), epsilons=("10",), contenders=(contender,), num_samples=300)
    study.main(tmp_path, size)
    first = (tmp_path / "digits.md").read_text(encoding="utf-8")
    head, real, mixture = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in first.splitlines()
        if line.startswith(("| method", "| real", "| `dp-mixture"))
    )
    assert head == ["method", "epsilon", "training seeds", "IS", "Frechet", "avg12", "MLP", "CNN", "CPU min"]
    assert mixture[:3] == ["`dp-mixture`", "10", "2"]
    # Nine of the twelve are a naive Bayes here, which may learn as much from Gaussians as from 300 real images.
    assert min(float(real[5]), float(mixture[5])) > 0.5, "avg12 of real and of synthetic images; guessing has 0.1"
    assert " to " in mixture[6], "the least and the greatest MLP of two trainings"
    assert " to " not in mixture[5], "the twelve classifiers see the first seed alone"
    assert (tmp_path / "digits" / "evaluation.json").is_file()

    releases = {file: file.stat().st_mtime_ns for file in tmp_path.glob("runs/*/release/generator.safetensors")}
    assert len(releases) == 2
    study.train_all(tmp_path / "digits-seconds.json", list(study.planned(tmp_path, "digits", size)))
    assert {file: file.stat().st_mtime_ns for file in releases} == releases


def test_a_training_that_was_cut_off_before_its_time_was_kept_is_left_out_of_the_mean() -> None:
    minutes, times = load_study().minutes, {"first": {"wall": 130.0, "cpu": 120.0}}
    assert minutes(times, ["first", "cut off"]) == "2.0"
    assert minutes(times, ["cut off"]) == ""


def test_the_study_s_sizes_name_methods_and_recipes_that_exist() -> None:
    for size in load_study().SIZES.values():
        for contender in size.contenders:
            recipes = {recipe.name for recipe in find_method(contender.method).recipes}
            for data in size.data:
                options = [option.format(data=data) for option in contender.options]
                if "--recipe" in options:
                    assert options[options.index("--recipe") + 1] in recipes


def test_every_row_of_the_picture_of_heartbeats_is_a_training() -> None:
    heartbeats = load_heartbeats()
    trained = {
        (part.name, one.label, epsilon)
        for part in heartbeats.SIZES["two-cores"]
        for one in part.contenders
        for epsilon in part.epsilons
    }
    assert set(heartbeats.PICTURE) <= trained


WRITTEN_ANEW = ("tables.md", "beats.png")


@pytest.mark.slow
def test_the_heartbeats_are_trained_scored_and_tabulated_and_a_second_start_does_nothing(tmp_path: Path) -> None:
    heartbeats = load_heartbeats()
    (part,) = heartbeats.SIZES["beats"]
    part = dataclasses.replace(part, scoring=("--num-samples", "256", "--num-seeds", "1", "--quick"))
    heartbeats.main(tmp_path, (part,))
    tables = (tmp_path / "tables.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in tables.splitlines()]
    assert ["score", "better", "real", "dp-mixture", "dp-mixture, 0.5"] in lines
    (use,) = (line for line in lines if line[0] == "`tstr_macro_f1`")
    assert use[1] == "higher"
    # Guessing gives a third or less.
    assert min(map(float, use[2:])) > 0.4
    assert (tmp_path / "scores" / "record-eps10-evenness-0.5" / "samples.png").is_file()
    with Image.open(tmp_path / "beats.png") as picture:
        assert picture.width > picture.height > 100, "one row of beats"

    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.name not in WRITTEN_ANEW}
    heartbeats.main(tmp_path, (part,))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.name not in WRITTEN_ANEW} == before


def test_all_heartbeats_hold_out_the_same_beats_as_the_first_and_people_are_split_as_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeats = load_heartbeats()
    asked: list[tuple[str, ...]] = []

    class AllTrained(Exception):
        """Nothing is scored here."""

    def scored(*_: object) -> None:
        raise AllTrained

    monkeypatch.setattr(heartbeats, "gossamer", lambda *words: asked.append(words))
    monkeypatch.setattr(heartbeats, "columns", scored)
    with pytest.raises(AllTrained):
        heartbeats.main(tmp_path, heartbeats.SIZES["two-cores"])
    assert len(asked) == 18
    first = asked[0][asked[0].index("--out") + 1]
    assert "--key-of" not in asked[0]
    assert all(words[words.index("--key-of") + 1] == first for words in asked[1:])
    of_people = [words for words in asked if "person" in words]
    assert len(of_people) == 6
    assert all(words[words.index("--split") + 1] == "people" for words in of_people)


def test_the_heartbeats_name_methods_and_recipes_that_exist() -> None:
    for part in (part for parts in load_heartbeats().SIZES.values() for part in parts):
        for contender in part.contenders:
            recipes = {recipe.name for recipe in find_method(contender.method).recipes}
            if "--recipe" in contender.options:
                assert contender.options[contender.options.index("--recipe") + 1] in recipes


def test_one_method_can_be_measured_again_alone() -> None:
    study, heartbeats = load_study(), load_heartbeats()
    size = study.SIZES["two-cores"]
    assert [one.method for one in study.only(size, ["dp-mixture"]).contenders] == ["dp-mixture"]
    assert study.only(size, []) == size
    parts = heartbeats.SIZES["two-cores"]
    again = heartbeats.only(parts, ["dp-mixture"])
    assert [part.name for part in again] == ["record", "people", "person"]
    assert {one.method for part in again for one in part.contenders} == {"dp-mixture"}
    assert heartbeats.only(parts, []) == list(parts)


def test_examples_are_short() -> None:
    # Two studies, and three programs of Flower with certificates.
    larger = {ROOT / "examples" / f"{name}.py" for name in ("study", "heartbeats", "sites_by_flower")}
    for script in {*(ROOT / "examples").glob("*.py")} - larger:
        assert len(script.read_text(encoding="utf-8").splitlines()) < 60, script


def test_the_benchmark_times_both_ways_and_finds_them_equal(tmp_path: Path) -> None:
    sizes = ["--cpu-critics", "3", "--paper-critics", "2", "--paper-batch", "4", "--paper-width", "4"]
    file = tmp_path / "bench.json"
    said = run("benchmarks/ensemble.py", *sizes, "--held-critics", "60", "--rounds", "1", "--json", str(file))
    found = json.loads(file.read_text(encoding="utf-8"))
    assert "ratio" in said
    assert [speed["num_critics"] for speed in found["speed"]] == [3, 2]
    for speed in found["speed"]:
        assert speed["ratio"] > 0
        # Rounding alone; the first step of Adam turns a rounded sign of a tiny gradient into a whole step.
        assert speed["relative_difference"] < 0.05
    assert found["memory"]["peak_bytes"] >= found["memory"]["bytes_of_critics"] > 0
    assert found["computed_bytes"]["paper"] > found["computed_bytes"]["cpu"]
