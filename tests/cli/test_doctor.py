"""`gossamer doctor`: what is well, what is missing, what is a problem, each with the way out."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gossamer import extras
from gossamer.cli import doctor, self_test
from gossamer.cli.doctor import SECTIONS, Check, Verdict
from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES, check_on_disk


@pytest.fixture
def only(monkeypatch: Any) -> Any:
    """Leave some sections alone to be looked at."""

    def choose(*names: str) -> None:
        monkeypatch.setattr(doctor, "SECTIONS", {name: SECTIONS[name] for name in names})

    return choose


def test_here_all_is_well(gossamer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    said = gossamer("doctor")
    assert said.code == 0, said.out
    assert said.err == ""
    assert [line for line in said.out.splitlines() if line in SECTIONS] == list(SECTIONS)
    assert said.out.count("\n  problem") == 0
    assert "All is well" in said.out
    assert not any(tmp_path.iterdir())


def test_json_has_every_check(gossamer: Any, only: Any) -> None:
    only("versions", "machine")
    found = json.loads(gossamer("doctor", "--json").out)
    assert {one["section"] for one in found} == {"versions", "machine"}
    assert all(set(one) == {"section", "verdict", "what"} for one in found)
    assert {one["verdict"] for one in found} <= {verdict.value for verdict in Verdict}


def test_every_named_set_is_told_of(gossamer: Any, only: Any, tmp_path: Path, monkeypatch: Any) -> None:
    only("data")
    monkeypatch.setenv("GOSSAMER_DATA", str(tmp_path))
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    said = gossamer("doctor")
    assert said.code == 0
    assert "ok       digits:" in said.out
    assert "missing  mnist is not in" in said.out
    assert len(said.out.splitlines()) >= 1 + len(NAMED_DATA) + len(NAMED_SERIES)
    monkeypatch.setenv("GOSSAMER_DATA", str(tmp_path / "nowhere"))
    said = gossamer("doctor")
    assert said.code == 4
    assert "correct or unset it" in said.out


def test_a_set_that_lies_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "100.hea").touch()
    check_on_disk("mitdb", tmp_path)
    for data in NAMED_DATA[:1] + NAMED_SERIES[:1]:
        check_on_disk(data.name, tmp_path)
    with pytest.raises(extras.InputError, match="ptbdb is not in"):
        check_on_disk("ptbdb", tmp_path)


def test_an_extra_that_is_not_there_is_missing_and_no_problem(gossamer: Any, only: Any, monkeypatch: Any) -> None:
    only("extras")
    monkeypatch.setitem(extras.MODULES, "report", ("jinja2", "no_such_module"))
    said = gossamer("doctor")
    assert said.code == 0
    assert "missing  report needs no_such_module, which is not installed: pip install 'gossamer[report]'" in said.out


def test_a_place_that_cannot_be_written_is_a_problem(gossamer: Any, only: Any, monkeypatch: Any) -> None:
    def refuse(**_: Any) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    only("places")
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    said = gossamer("doctor")
    assert said.code == 4
    assert "problem  runs: " in said.out
    assert "Permission denied; go to a folder of yours" in said.out
    assert "set GOSSAMER_CACHE" in said.out


def test_a_full_disk_is_a_problem(gossamer: Any, only: Any, monkeypatch: Any) -> None:
    only("places")
    monkeypatch.setattr(doctor, "LEAST_DISK_BYTES", 2**80)
    said = gossamer("doctor")
    assert said.code == 4
    assert "free space" in said.out


def test_what_cannot_be_looked_at_is_a_problem_in_one_line(gossamer: Any, monkeypatch: Any) -> None:
    def crash() -> NoReturn:
        raise ImportError("libgomp.so.1:\ncannot open")

    monkeypatch.setattr(doctor, "SECTIONS", {"machine": crash})
    said = gossamer("doctor")
    assert said.code == 4
    assert "  problem  ImportError: libgomp.so.1: cannot open; install again" in said.out


@pytest.mark.parametrize("test", self_test.TESTS, ids=lambda test: test.__name__)
def test_the_self_test_passes_here(test: Any) -> None:
    assert test()


def test_a_wrong_figure_a_missing_clip_and_a_broken_file_are_caught(only: Any, gossamer: Any, monkeypatch: Any) -> None:
    only("self test")
    event, expected = self_test.KNOWN["one Gaussian release"]
    monkeypatch.setattr(self_test, "KNOWN", {"planted": (event, expected + 0.005)})
    monkeypatch.setattr("gossamer.mechanisms.one_of_many.door.clip_to_ball", lambda answers, norm: answers)
    load = self_test.load_generator

    def other(path: Path) -> Any:
        trained = load(path)
        weights = {name: weight + 1 for name, weight in trained.weights.items()}
        return type(trained)(recipe=trained.recipe, weights=weights, statement=trained.statement)

    monkeypatch.setattr(self_test, "load_generator", other)
    said = gossamer("doctor")
    assert said.code == 4
    assert said.out.count("\n  problem") == len(self_test.TESTS)


def test_a_check_prints_what_a_terminal_may_show(gossamer: Any, monkeypatch: Any) -> None:
    planted = Check(section="machine", verdict=Verdict.OK, what="a\x1b[2J\nb")
    monkeypatch.setattr(doctor, "SECTIONS", {"machine": lambda: iter([planted])})
    assert "\x1b" not in gossamer("doctor").out
