"""`gossamer train --unit person`: who is protected, what is said before, what stands in the run folder."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from gossamer.data.identities import digests_of_names
from gossamer.data.splits import RandomSplit
from gossamer.driving.protection import describe_prospect
from gossamer.mechanisms.prospect import Prospect
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import Dealt, Identities
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

RECORDS, PEOPLE = 317, 53
SLOTS = ("--unit", "person", "--epsilon", "5", "--delta", "1e-3", "--num-classes", "2", "--device", "cpu")


@pytest.fixture(scope="module")
def people_npz(tmp_path_factory: Any, shared_folders: Any) -> Path:
    """Images of 53 people, who are named by words."""
    rng = np.random.default_rng(0)
    person = np.array([f"patient {number % PEOPLE}" for number in range(RECORDS)])
    path = tmp_path_factory.mktemp("people") / "people.npz"
    np.savez(path, x=rng.random((RECORDS, 1, 8, 8), dtype=np.float32), y=np.arange(RECORDS) % 2, person=person)
    return shared_folders.add(path)


@pytest.fixture(scope="module")
def run_of_people(tmp_path_factory: Any, gossamer: Any, people_npz: Path, shared_folders: Any) -> tuple[Path, str]:
    """A finished run that protects people, and what was said. To be looked at, never to be changed."""
    out = tmp_path_factory.mktemp("run") / "run"
    said = gossamer("train", "dp-mixture", "--data", people_npz, "--out", out, *SLOTS)
    assert said.code == 0, said.err
    return shared_folders.add(out), said.out


def test_the_statement_and_the_settings_name_people(run_of_people: tuple[Path, str]) -> None:
    folder, said = run_of_people
    claim = json.loads((folder / "release" / "privacy.json").read_text())
    assert (claim["unit"], claim["num_slots"]) == ("person", PEOPLE)
    assert any(
        f"number of people, a part held out included, is {PEOPLE}, counted in the data, and is taken as public" in line
        for line in claim["public_inputs"]
    )
    # Whoever knows that there are 53 knows whether somebody is among them: coming and leaving cannot be covered.
    assert claim["adjacency"] == "replace-one"
    job = json.loads((folder / "config.json").read_text())
    assert (job["unit"], job["num_people"], job["num_records"]) == ("person", None, None)
    assert "all records of one person" in said
    assert "53 people the longest possible signal is" in said
    assert "so expect noise until the verdict" in said
    assert "Verdict: noise." in said


def test_nothing_that_is_released_names_the_number_of_records(run_of_people: tuple[Path, str]) -> None:
    folder, said = run_of_people
    texts = [path for path in folder.rglob("*") if path.suffix in {".json", ".md", ".jsonl", ".txt", ".log"}]
    assert len(texts) >= 3
    for path in texts:
        assert not re.search(rf"\b{RECORDS}\b", path.read_text()), path
    with safe_open(folder / "release" / "generator.safetensors", framework="np") as opened:
        header = json.dumps(opened.metadata())
    assert not re.search(rf"\b{RECORDS}\b", re.sub(r"\d*\.\d+", "", header))
    assert not re.search(rf"\b{RECORDS}\b", said)


def test_the_public_number_of_people_may_be_larger_than_that_of_the_data(
    tmp_path: Path, gossamer: Any, people_npz: Path
) -> None:
    out = tmp_path / "run"
    assert gossamer("train", "dp-mixture", "--data", people_npz, "--out", out, *SLOTS, "--num-people", 80).code == 0
    claim = json.loads((out / "release" / "privacy.json").read_text())
    assert (claim["num_slots"], claim["adjacency"]) == (80, "slot")
    assert any("is at most 80, as the user says" in line for line in claim["public_inputs"])
    assert not any(str(PEOPLE) in line for line in claim["public_inputs"])


@pytest.mark.parametrize(
    ("method", "given", "adjacency"),
    [
        ("dp-mixture", (), "replace-one"),
        ("dp-mixture", ("--num-records", "400"), "slot"),
        ("dp-cgan", (), "replace-one"),
        ("dp-cgan", ("--num-records", "400"), "add-or-remove-one"),
        ("dp-cgan", ("--unit", "person", "--num-people", "80"), "add-or-remove-one"),
        ("gs-wgan", (), "replace-one"),
        ("gs-wgan", ("--num-records", "400"), "slot"),
    ],
)
def test_a_number_that_is_given_widens_the_claim_and_a_counted_one_narrows_it(
    gossamer: Any, people_npz: Path, tmp_path: Path, method: str, given: tuple[str, ...], adjacency: str
) -> None:
    few = {
        "dp-mixture": (),
        "dp-cgan": ("--num-steps", "2", "--expected-batch-size", "20"),
        "gs-wgan": ("--num-critics", "5", "--num-steps", "2", "--batch-size", "4", "--draws-per-step", "4"),
    }[method]
    words = ("--data", people_npz, "--num-classes", 2, "--noise-multiplier", 5, "--device", "cpu", *few, *given)
    said = gossamer("train", method, *words, "--out", tmp_path / "run")
    assert said.code == 0, said.err
    claim = json.loads((tmp_path / "run" / "release" / "privacy.json").read_text())
    assert claim["adjacency"] == adjacency
    is_counted = any("counted in the data, and is taken as public" in line for line in claim["public_inputs"])
    assert is_counted == (adjacency == "replace-one")
    if not is_counted:
        texts = "".join(path.read_text() for path in (tmp_path / "run" / "release").glob("*.[mj]*"))
        assert not re.search(rf"\b({RECORDS}|{PEOPLE})\b", texts)


@pytest.fixture
def series_of_people(tmp_path: Path) -> Path:
    """A thousand short series of two hundred people."""
    x = np.random.default_rng(0).random((1000, 1, 12))
    person = np.array([f"patient {number % 200}" for number in range(1000)])
    np.savez(tmp_path / "series.npz", x=x, person=person, low=np.array(0.0), high=np.array(1.0))
    return tmp_path / "series.npz"


def test_people_are_never_split_record_by_record(gossamer: Any, series_of_people: Path, tmp_path: Path) -> None:
    words = ("train", "dp-mixture", "--data", series_of_people, "--epsilon", 10, "--device", "cpu")
    said = gossamer(*words, "--unit", "person", "--split", "random", "--out", tmp_path / "run")
    assert said.code == 3
    assert "--split people" in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
    for allowed in (("--unit", "person", "--split", "people"), ("--unit", "person"), ("--split", "random")):
        said = gossamer(*words, *allowed, "--dry-run")
        assert said.code == 0, said.err


def test_mitdb_is_split_between_people_where_people_are_protected(gossamer: Any, data_dir: Path) -> None:
    words = ("train", "dp-mixture", "--data", "mitdb", "--data-dir", data_dir, "--device", "cpu", "--dry-run")
    said = gossamer(*words, "--unit", "person")
    assert said.code == 0, said.err
    assert "Recordings were split as published: DS1 for training, DS2 for testing" in said.out
    assert "and 202, which shows the man of 201" in said.out
    assert "is at most 47, as published" in said.out
    refused = gossamer(*words, "--unit", "person", "--split", "random")
    assert (refused.code, refused.err.count("\n")) == (3, 1)


def test_people_split_record_by_record_would_be_taken_without_the_rule(
    gossamer: Any, series_of_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The break: a split that does not say what it does. The line before is refused by nothing else.
    monkeypatch.setattr(RandomSplit, "is_by_record", False)
    words = ("--data", series_of_people, "--epsilon", 10, "--device", "cpu", "--unit", "person", "--split", "random")
    assert gossamer("train", "dp-mixture", *words, "--dry-run").code == 0


def test_a_later_run_holds_out_whom_an_earlier_one_did(gossamer: Any, series_of_people: Path, tmp_path: Path) -> None:
    words = ("train", "dp-mixture", "--data", series_of_people, "--epsilon", 10, "--device", "cpu", "--split", "people")
    assert gossamer(*words, "--out", tmp_path / "first").code == 0
    assert gossamer(*words, "--out", tmp_path / "other").code == 0
    assert gossamer(*words, "--out", tmp_path / "second", "--key-of", tmp_path / "first").code == 0
    first, other, second = (
        (tmp_path / name / "private" / "data.sha256").read_text() for name in ("first", "other", "second")
    )
    assert first == second != other
    said = gossamer(*words, "--out", tmp_path / "third", "--key-of", tmp_path / "nowhere")
    assert said.code == 2
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--unit", "person", "--num-people", "52"), "holds more people"),
        (("--num-people", "60"), "num_people goes with unit person"),
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


def one_who_is_held_out(out: Path, names: list[str]) -> str:
    """A name that the key of the run deals to the held-out side."""
    drawn = read_key(RunFolder(out)).uniform(Dealt.SIDE, Identities.of_digests(digests_of_names(names)))
    return names[int(np.argmin(drawn))]


@pytest.mark.parametrize("change", ["comes", "leaves", "another share"])
def test_a_number_of_people_that_moves_in_mid_run_is_refused_though_all_of_them_are_held_out(
    tmp_path: Path, gossamer: Any, people_npz: Path, at_step: Any, change: str
) -> None:
    """The rate follows from the number of all; steps made at a rate of 0.090 were priced at 0.023: 0.593 for 2.332."""
    data, out = tmp_path / "people.npz", tmp_path / "run"
    arrays = dict(np.load(people_npz))
    arrays["x"] = arrays["x"].reshape(RECORDS, 1, 64)
    np.savez(data, **arrays)
    before = data.read_bytes()
    method: tuple[Any, ...] = (
        "--noise-multiplier",
        2,
        "--num-steps",
        25,
        "--expected-batch-size",
        9,
        "--split",
        "people",
    )
    method += ("--low", 0, "--high", 1, "--sample-rate", 10)
    at_step.interrupt(-1)
    began = gossamer("train", "dp-cgan", "--data", data, "--out", out, *SLOTS[:2], *SLOTS[4:], *method)
    assert began.code == 130, began.err
    if change == "comes":
        arrays |= {"x": np.repeat(arrays["x"], [1] * (RECORDS - 1) + [2], axis=0), "y": np.append(arrays["y"], 0)}
        names = [f"another {number}" for number in range(100)]
        arrays["person"] = np.append(arrays["person"], one_who_is_held_out(out, names))
    elif change == "leaves":
        keep = arrays["person"] != one_who_is_held_out(out, sorted(set(arrays["person"])))
        arrays = {name: values[keep] for name, values in arrays.items()}
    else:
        plan = out / "private" / "plan.json"
        plan.write_text(json.dumps(json.loads(plan.read_text()) | {"training_share": 0.5}))
    np.savez(data, **arrays)
    ledger = (out / "private" / "ledger.jsonl").read_bytes()
    said = gossamer("resume", out)
    assert said.code == 2, said.err
    assert "public number of people" in said.err
    assert said.err.count("\n") == 1
    assert (out / "private" / "ledger.jsonl").read_bytes() == ledger
    data.write_bytes(before)
    if change != "another share":
        assert gossamer("resume", out).code == 0


def test_a_line_of_advice_says_whether_there_is_hope() -> None:
    hopeless = describe_prospect(Prospect(ratio=0.2, num_slots=47, num_slots_needed=235), 10.0, Unit.PERSON)
    assert "47 people are too few" in hopeless
    assert "about 235 people" in hopeless
    hopeful = describe_prospect(Prospect(ratio=3.0, num_slots=600, num_slots_needed=200), 10.0, Unit.PERSON)
    assert "a bound and no forecast" in hopeful
    measured = Prospect(ratio=9.9, num_slots=600, num_slots_needed=61, clear_ratio=10.0)
    assert "expect noise" in describe_prospect(measured, 10.0, Unit.RECORD)
    assert "expect noise" not in describe_prospect(replace(measured, ratio=10.0), 10.0, Unit.RECORD)
    for ratio in (0.2, 1.4, 2.3, 5.4, 9.9, 40.0):
        assert "can be learnt;" not in describe_prospect(replace(measured, ratio=ratio), 10.0, Unit.RECORD)
    few_critics = describe_prospect(Prospect(ratio=0.4, num_slots=600, num_slots_needed=200), 10.0, Unit.PERSON)
    assert "more critics" in few_critics
    one_each = describe_prospect(Prospect(ratio=1.4, num_slots=47, num_slots_needed=200), 10.0, Unit.PERSON)
    assert "too few" in one_each


@pytest.mark.parametrize(("epsilon", "says"), [(0.3, "1437 records are too few"), (1, "at epsilon 1 and 1437 records")])
def test_few_records_are_told_before_sums_are_released(
    gossamer: Any, tmp_path: Path, epsilon: float, says: str
) -> None:
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
