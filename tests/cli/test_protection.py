"""`gossamer train --unit person`: who is protected, what is said before, what stands in the run folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli.protection import describe_prospect
from gossamer.mechanisms.prospect import Prospect
from gossamer.privacy.adjacency import Unit

RECORDS, PEOPLE = 317, 53
SLOTS = ("--unit", "person", "--epsilon", "5", "--delta", "1e-3", "--num-classes", "2", "--device", "cpu")


@pytest.fixture(scope="module")
def people_npz(tmp_path_factory: Any) -> Path:
    """Images of 53 people, who are named by words."""
    rng = np.random.default_rng(0)
    person = np.array([f"patient {number % PEOPLE}" for number in range(RECORDS)])
    path = tmp_path_factory.mktemp("people") / "people.npz"
    np.savez(path, x=rng.random((RECORDS, 1, 8, 8), dtype=np.float32), y=np.arange(RECORDS) % 2, person=person)
    return path


@pytest.fixture(scope="module")
def run_of_people(tmp_path_factory: Any, gossamer: Any, people_npz: Path) -> tuple[Path, str]:
    """A finished run that protects people, and what was said. To be looked at, never to be changed."""
    out = tmp_path_factory.mktemp("run") / "run"
    said = gossamer("train", "dp-mixture", "--data", people_npz, "--out", out, *SLOTS)
    assert said.code == 0, said.err
    return out, said.out


def test_the_statement_and_the_settings_name_people(run_of_people: tuple[Path, str]) -> None:
    folder, said = run_of_people
    claim = json.loads((folder / "release" / "privacy.json").read_text())
    assert (claim["unit"], claim["num_slots"]) == ("person", PEOPLE)
    assert any(
        f"The number of people in the data, {PEOPLE}, is taken as public" in line for line in claim["public_inputs"]
    )
    job = json.loads((folder / "config.json").read_text())
    assert (job["unit"], job["num_people"]) == ("person", None)
    assert "all records of one person" in said
    assert "advice: 53 people are too few" in said


def test_nothing_that_is_released_names_the_number_of_records(run_of_people: tuple[Path, str]) -> None:
    folder, said = run_of_people
    texts = [path for path in folder.rglob("*") if path.suffix in {".json", ".md", ".jsonl", ".txt", ".log"}]
    assert len(texts) >= 3
    for path in texts:
        assert not re.search(rf"\b{RECORDS}\b", path.read_text()), path
    header = (folder / "release" / "generator.safetensors").read_bytes()[:200_000]
    assert str(RECORDS).encode() not in re.sub(rb"\d*\.\d+", b"", header[: header.find(b"}}")])
    assert not re.search(rf"\b{RECORDS}\b", said)


def test_the_public_number_of_people_may_be_larger_than_that_of_the_data(
    tmp_path: Path, gossamer: Any, people_npz: Path
) -> None:
    out = tmp_path / "run"
    assert gossamer("train", "dp-mixture", "--data", people_npz, "--out", out, *SLOTS, "--num-people", 80).code == 0
    claim = json.loads((out / "release" / "privacy.json").read_text())
    assert claim["num_slots"] == 80
    assert not any(str(PEOPLE) in line for line in claim["public_inputs"])


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--unit", "person", "--num-people", "52"), "names more people"),
        (("--num-people", "60"), "--num-people goes with --unit person"),
        (("--unit", "person", "--delta", "0.02"), "1/53"),
    ],
)
def test_slots_that_do_not_fit_are_refused(
    tmp_path: Path, gossamer: Any, people_npz: Path, more: tuple[str, ...], word: str
) -> None:
    said = gossamer("train", "dp-mixture", "--data", people_npz, "--num-classes", 2, "--out", tmp_path / "run", *more)
    assert said.code in (2, 3)
    assert word in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_people_that_nobody_names_cannot_be_protected(tmp_path: Path, gossamer: Any, own_npz: Any) -> None:
    said = gossamer("train", "dp-mixture", "--data", own_npz(), "--num-classes", 2, "--unit", "person", "--dry-run")
    assert said.code == 2
    assert "names no people" in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_whoever_protects_records_of_people_is_told_what_that_means(gossamer: Any, people_npz: Path) -> None:
    words = ("train", "dp-mixture", "--data", people_npz, "--num-classes", 2, "--dry-run", "--device", "cpu")
    said = gossamer(*words)
    assert said.code == 0, said.err
    assert "protected: one record. The data names people" in said.out


def test_more_critics_than_people_are_refused_with_a_way_out(gossamer: Any, people_npz: Path) -> None:
    said = gossamer("train", "gs-wgan", "--data", people_npz, *SLOTS, "--num-critics", 54, "--dry-run")
    assert said.code == 2
    assert "--num-critics 53" in said.err


def test_a_run_for_people_is_not_resumed_for_records(
    tmp_path: Path, gossamer: Any, people_npz: Path, run_of_people: tuple[Path, str]
) -> None:
    out = tmp_path / "run"
    assert gossamer("train", "dp-mixture", "--data", people_npz, "--out", out, *SLOTS).code == 0
    (out / "release" / "generator.safetensors").unlink()
    file = out / "config.json"
    job = json.loads(file.read_text())
    file.write_text(json.dumps(job | {"unit": "record"}))
    said = gossamer("resume", out)
    assert said.code == 2
    assert "not the settings" in said.err
    file.write_text(json.dumps(job | {"unit": "nobody"}))
    assert "'record', 'person'" in gossamer("resume", out).err
    file.write_text(json.dumps(job))
    assert gossamer("resume", out).code == 0


def test_a_line_of_advice_says_whether_there_is_hope() -> None:
    hopeless = describe_prospect(Prospect(ratio=0.2, num_slots=47, num_slots_needed=235), 10.0, Unit.PERSON)
    assert "47 people are too few" in hopeless
    assert "about 235 people" in hopeless
    hopeful = describe_prospect(Prospect(ratio=3.0, num_slots=600, num_slots_needed=200), 10.0, Unit.PERSON)
    assert "something can be learnt" in hopeful
    few_critics = describe_prospect(Prospect(ratio=0.4, num_slots=600, num_slots_needed=200), 10.0, Unit.PERSON)
    assert "more critics" in few_critics
    one_each = describe_prospect(Prospect(ratio=1.4, num_slots=47, num_slots_needed=200), 10.0, Unit.PERSON)
    assert "too few" in one_each


@pytest.mark.parametrize(("epsilon", "says"), [(1, "1437 records are too few"), (10, "at epsilon 10 and 1437 records")])
def test_few_records_are_told_before_sums_are_released(gossamer: Any, tmp_path: Path, epsilon: int, says: str) -> None:
    said = gossamer("train", "dp-mixture", "--data", "digits", "--epsilon", epsilon, "--out", tmp_path, "--dry-run")
    assert said.code == 0
    assert f"advice: {says}" in said.out


def test_many_records_get_no_advice(gossamer: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "many.npz", x=rng.random((20_000, 1, 8, 8), dtype=np.float32), y=np.arange(20_000) % 2)
    words = ("--num-classes", "2", "--epsilon", "10", "--out", tmp_path / "run", "--dry-run")
    said = gossamer("train", "dp-mixture", "--data", tmp_path / "many.npz", *words)
    assert said.code == 0
    assert "advice" not in said.out
