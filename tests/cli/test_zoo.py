"""`gossamer zoo`, and `zoo:NAME` in the place of a release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gossamer as package
from gossamer.runs.zoo import Zoo, own_zoo

HERE = [entry.name for entry in own_zoo().entries if entry.manifest_sha256 is not None]
DIGITS = "zoo:digits-epsilon-1"


def test_the_list_names_every_release_with_its_price(gossamer: Any) -> None:
    said = gossamer("zoo", "--json")
    assert said.code == 0, said.err
    told = {one["name"]: one for one in json.loads(said.out)}
    assert {name for name, one in told.items() if one["is_here"]} == {f"zoo:{name}" for name in HERE}
    for name in HERE:
        asked = float(name.rpartition("-")[2])
        assert 0.99 * asked < told[f"zoo:{name}"]["epsilon"] <= asked
    words = gossamer("zoo")
    assert words.code == 0
    assert "gossamer sample zoo:" in words.out


@pytest.mark.parametrize("name", HERE)
def test_every_release_holds_its_statement(gossamer: Any, name: str) -> None:
    said = gossamer("verify", f"zoo:{name}", "--json")
    assert said.code == 0, said.err
    verdicts = {one["verdict"] for one in json.loads(said.out)["findings"]}
    assert verdicts <= {"holds", "not checked"}


def test_samples_are_drawn_from_it_by_the_command_and_from_python(gossamer: Any, tmp_path: Path) -> None:
    out = tmp_path / "digits.npz"
    assert gossamer("sample", DIGITS, "--num-samples", 20, "--out", out).code == 0
    drawn, _ = package.load(DIGITS).sample(20, seed=0)
    np.testing.assert_allclose(np.load(out)["x"], np.asarray(drawn), atol=1 / 255)
    assert gossamer("sample", DIGITS, "--num-samples", 20, "--out", tmp_path / "digits.png").code == 0


def test_a_report_is_written_on_it_where_one_stands(
    gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert gossamer("report", DIGITS).code == 0
    assert f"<h1>{DIGITS}</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_records_are_classified_by_it(gossamer: Any, tmp_path: Path) -> None:
    said = gossamer("predict", "zoo:digits-epsilon-10", "--data", "digits", "--out", tmp_path / "named.csv")
    assert said.code == 0, said.err
    assert len((tmp_path / "named.csv").read_text().splitlines()) == 361


def test_a_training_starts_from_it(gossamer: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.zeros((400, 28, 28), dtype=np.uint8), y=np.arange(400) % 10)
    own = ("train", "gs-wgan", "--data", tmp_path / "own.npz", "--num-classes", 10, "--epsilon", 10, "--dry-run")
    said = gossamer(*own, "--start-from", DIGITS, "--out", tmp_path / "run")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "its shape is (1, 8, 8), that of the data is (1, 28, 28)" in said.err
    assert "no release zoo:zebra" in gossamer(*own, "--start-from", "zoo:zebra", "--out", tmp_path / "run").err


@pytest.mark.slow
def test_it_is_scored_and_compared_where_a_run_stands(gossamer: Any, tmp_path: Path, bench_of_seconds: Path) -> None:
    terms = ("--data", "digits", "--quick", "--num-samples", 120, "--num-seeds", 1, "--allow-few-samples", "--json")
    one = gossamer("evaluate", DIGITS, *terms)
    assert one.code == 0, one.err
    assert json.loads(one.out)["target"] == DIGITS
    both = gossamer("compare", DIGITS, "zoo:digits-epsilon-10", *terms)
    assert both.code == 0, both.err
    assert "zoo:digits-epsilon-10" in both.out
    assert sorted(path.name for path in own_zoo().folder.iterdir()) == sorted([*HERE, "zoo.json"])


def test_a_name_that_is_not_there_is_one_line(gossamer: Any, tmp_path: Path) -> None:
    for words in (("verify",), ("report",), ("sample", "--num-samples", 3, "--out", tmp_path / "x.npz")):
        said = gossamer(words[0], "zoo:digits-epsilon-2", *words[1:])
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "zoo:digits-epsilon-1" in said.err


def test_one_command_trains_a_release_again_and_writes_what_differs(gossamer: Any, tmp_path: Path) -> None:
    said = gossamer("zoo", "--rebuild", "digits-epsilon-1", "--out", tmp_path / "zoo")
    assert said.code == 0, said.err
    (entry,) = Zoo.read(tmp_path / "zoo").entries
    assert Zoo.read(tmp_path / "zoo").checked(entry).is_dir()
    text = (tmp_path / "zoo" / "differences.txt").read_text()
    assert text == ("digits-epsilon-1: statement and recipe are the same; the weights differ by the noise alone\n")
    # A training prints the folder that it was made in, and that one is gone.
    assert "gossamer-zoo-" not in said.out + said.err
    assert f"digits-epsilon-1: {tmp_path / 'zoo' / 'digits-epsilon-1'}; not scored" in said.out
    assert not entry.scores
    assert entry.manifest_sha256 != own_zoo().find("digits-epsilon-1").manifest_sha256


@pytest.mark.slow
def test_a_release_trained_again_can_be_scored_on_public_data(
    gossamer: Any, tmp_path: Path, bench_of_seconds: Path
) -> None:
    said = gossamer("zoo", "--rebuild", "digits-epsilon-1", "--out", tmp_path / "zoo", "--with-scores")
    assert said.code == 0, said.err
    (entry,) = Zoo.read(tmp_path / "zoo").entries
    assert entry.scores
    assert all(np.isfinite(value) for value in entry.scores.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rebuild", "digits-epsilon-1"), "--out"),
        (("--rebuild", "zebra", "--out", "{tmp}"), "no release zoo:zebra"),
        (("--out", "{tmp}"), "--rebuild"),
    ],
)
def test_what_does_not_go_together_is_refused(gossamer: Any, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    answer = gossamer("zoo", *(word.format(tmp=tmp_path) for word in words))
    assert answer.code == 2
    assert said in answer.err
