"""`gossamer ledger --data`: all releases from one data set that lie here, and their price together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gossamer.driving import data_account


@pytest.fixture(scope="module")
def runs(finished: Path, saved_on_the_way: Path, train_tiny: Any, tmp_path_factory: Any) -> Path:
    """A folder with two runs on the digits, one of them copied, and one on other records. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(finished, folder / "one")
    shutil.copytree(saved_on_the_way, folder / "deeper" / "two")
    return folder


def account(gossamer: Any, *words: object) -> dict[str, Any]:
    said = gossamer("ledger", *words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def epsilon_of(run: Path) -> float:
    return json.loads((run / "release" / "privacy.json").read_text())["epsilon"]


def test_the_releases_of_one_data_set_are_added_up(gossamer: Any, runs: Path) -> None:
    found = account(gossamer, "--data", "digits", "--under", runs)
    assert sorted(Path(one["run"]).name for one in found["runs"]) == ["one", "two"]
    expected = epsilon_of(runs / "one") + epsilon_of(runs / "deeper" / "two")
    assert found["epsilon_together"] == pytest.approx(expected)
    words = gossamer("ledger", "--data", "digits", "--under", runs).out
    assert "2 runs are here, 2 of them with a release" in words
    assert "not counted" in words


def test_another_data_set_costs_nothing_here(gossamer: Any, runs: Path) -> None:
    found = account(gossamer, "--data", "mnist", "--under", runs)
    assert (found["runs"], found["epsilon_together"]) == ([], None)
    assert "nothing is released" in found["reason"]


def test_a_slip_in_the_path_is_no_account_of_nothing(gossamer: Any, runs: Path, tmp_path: Path) -> None:
    said = gossamer("ledger", "--data", tmp_path / "slip.npz", "--under", runs)
    assert said.code == 2
    assert "slip.npz: no such file or data set" in said.err
    (tmp_path / "slip.npz").touch()
    assert account(gossamer, "--data", tmp_path / "slip.npz", "--under", runs)["runs"] == []


def test_data_that_were_deleted_are_still_accounted(gossamer: Any, runs: Path, tmp_path: Path) -> None:
    settings = Path(shutil.copytree(runs / "one", tmp_path / "one")) / "config.json"
    gone = tmp_path / "gone.npz"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"data": str(gone.resolve())}))
    assert len(account(gossamer, "--data", gone, "--under", tmp_path)["runs"]) == 1


def test_a_run_that_was_given_the_same_records_by_another_path_is_found(
    gossamer: Any, runs: Path, tmp_path: Path
) -> None:
    elsewhere = Path(shutil.copytree(runs / "one", tmp_path / "moved"))
    shutil.copytree(runs / "one", tmp_path / "one")
    settings = elsewhere / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"data": "/elsewhere/digits.npz"}))
    found = account(gossamer, "--data", "digits", "--under", tmp_path)
    assert len(found["runs"]) == 2


def test_branches_of_one_run_are_counted_once(gossamer: Any, runs: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(runs / "one", tmp_path / name)
    found = account(gossamer, "--data", "digits", "--under", tmp_path)
    assert found["epsilon_together"] == pytest.approx(epsilon_of(runs / "one"), rel=1e-3)


def test_readings_that_differ_have_no_sum(gossamer: Any, runs: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(runs / "one", tmp_path / name)
    settings = tmp_path / "b" / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"num_classes": 10}))
    found = account(gossamer, "--data", "digits", "--under", tmp_path)
    assert found["epsilon_together"] is None
    assert "different ways" in found["reason"]


def test_a_run_that_cannot_be_read_is_named(gossamer: Any, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "one", tmp_path / "a")
    (tmp_path / "a" / "config.json").write_text("{}")
    assert account(gossamer, "--data", "digits", "--under", tmp_path)["unread"] == [str(tmp_path / "a")]


def test_links_are_not_followed(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(runs)
    assert data_account.find_runs_under([tmp_path]) == ((), ())


def test_folders_that_were_not_looked_into_are_told_in_one_line(
    gossamer: Any, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(runs / "one", tmp_path / "one")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    said = gossamer("ledger", "--data", "digits", "--under", tmp_path).out
    assert "1 run is here, 1 of them with a release" in said
    assert "not looked into" not in said
    monkeypatch.setattr(data_account, "MOST_FOLDERS", 1)
    assert account(gossamer, "--data", "digits", "--under", tmp_path)["cut_short"] == [str(tmp_path)]
    lines = gossamer("ledger", "--data", "digits", "--under", tmp_path).out.splitlines()
    assert len([line for line in lines if "not looked into" in line]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a run folder"),
        (("{run}", "--data", "digits"), "not both"),
        (("{run}", "--under", "{run}"), "not both"),
        (("--data", "digits", "--under", "{run}/nowhere"), "no such folder"),
    ],
)
def test_words_that_do_not_go_together(gossamer: Any, finished: Path, words: tuple[str, ...], said: str) -> None:
    answer = gossamer("ledger", *(word.format(run=finished) for word in words))
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err
