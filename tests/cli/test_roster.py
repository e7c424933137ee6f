"""`gossamer train gs-wgan --roster`: one critic for each person of a public list, and nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data.roster import Roster
from gossamer.driving.job import TrainingJob
from gossamer.errors import InputError
from gossamer.runs.folder import RunFolder

NAMES = [f"p{number}" for number in range(8)]
PRESENT = NAMES[:6]
PEOPLE = ("--unit", "person", "--num-classes", 2, "--delta", "1e-3", "--critics-per-draw", 2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Images of six people, three each."""
    rng, path = np.random.default_rng(0), tmp_path / "d.npz"
    people = np.repeat(PRESENT, 3)
    np.savez(path, x=rng.random((18, 8, 8), dtype=np.float32), y=np.arange(18) % 2, person=people)
    return path


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.txt"
    path.write_text("\n".join(NAMES) + "\n")
    return path


def without_critics(words: tuple[str, ...]) -> list[str]:
    """The tiny settings without a number of critics."""
    place = words.index("--num-critics")
    return [*words[:place], *words[place + 2 :]]


@pytest.fixture
def train(gossamer: Any, data: Path) -> Any:
    from tiny import tiny_of

    tiny = without_critics(tiny_of("gs-wgan").words)

    def work(out: Path, *more: object) -> Any:
        return gossamer("train", "gs-wgan", "--data", data, "--out", out, *tiny, "--device", "cpu", *PEOPLE, *more)

    return work


def test_as_many_critics_as_names_and_the_statement_says_so(
    train: Any, gossamer: Any, roster: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    said = train(run, "--roster", roster)
    assert said.code == 0, said.err
    job, statement = TrainingJob.read(RunFolder(run)), json.loads((run / "release" / "privacy.json").read_text())
    assert job.method.num_critics == 8
    assert statement["num_slots"] == 8
    assert statement["adjacency"] == "slot"
    assert statement["published_epsilon"] is not None
    note = next(one for one in statement["public_inputs"] if "list of names" in one)
    assert note.startswith("The 8 people are those")
    assert all(name not in (run / "release" / "privacy.json").read_text() for name in NAMES)
    assert gossamer("verify", run).code == 0


def test_somebody_who_is_not_on_it_is_refused_without_a_word_of_who(train: Any, roster: Path, tmp_path: Path) -> None:
    roster.write_text("\n".join(NAMES[1:]) + "\nAnna\n")
    said = train(tmp_path / "run", "--roster", roster)
    assert said.code == 2
    assert "somebody in the data is not on the roster" in said.err
    assert "p0" not in said.err
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_same_people_alone(
    train: Any, gossamer: Any, roster: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("gossamer.cli.following.follow", lambda *given: 130)
        assert train(run, "--roster", roster).code == 130
    roster.write_text("\n".join([*NAMES[:-1], "somebody else"]))
    said = gossamer("resume", run, "--plain")
    assert (said.code, "not the people that this run began with" in said.err) == (2, True)
    roster.write_text("\n".join(NAMES[::-1]))  # in another order they are the same people
    assert gossamer("resume", run, "--plain").code == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--num-critics", 5), "leave num_critics out"),
        (("--num-people", 8), "leave it out"),
        (("--unit", "record"), "goes with --unit person"),
    ],
)
def test_words_that_say_another_number_are_refused(
    train: Any, roster: Path, tmp_path: Path, words: tuple[object, ...], line: str
) -> None:
    said = train(tmp_path / "run", "--roster", roster, *words)
    assert (said.code, line in said.err) == (2, True), said.err


@pytest.mark.parametrize("method", ["dp-merf", "auto"])
def test_methods_without_critics_refuse_a_roster(gossamer: Any, data: Path, roster: Path, method: str) -> None:
    said = gossamer("train", method, "--data", data, "--roster", roster, "--unit", "person", "--dry-run")
    assert (said.code, "gs-wgan" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "line"),
    [("", "no name"), ("7\nanna\n7.0\n", "line 3 names the person of line 1"), ("anna\n\nbert\n", "line 2 is empty")],
)
def test_a_roster_is_a_name_a_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "roster.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=line):
        Roster.read(path)


def test_a_roster_that_is_too_long_is_refused_and_not_cut(tmp_path: Path, monkeypatch: Any) -> None:
    """Of a cut list the last people would be strangers, or one of them named by half."""
    path = tmp_path / "roster.txt"
    path.write_text("anna\nbertram\n")
    monkeypatch.setattr("gossamer.data.roster._MAX_BYTES", 9)
    with pytest.raises(InputError, match="longer than 9 bytes"):
        Roster.read(path)
    monkeypatch.setattr("gossamer.data.roster._MAX_BYTES", 13)
    assert len(Roster.read(path)) == 2


def test_a_roster_of_one_speaks_of_one_person(tmp_path: Path) -> None:
    path = tmp_path / "roster.txt"
    path.write_text("anna\n")
    note = Roster.read(path).note
    assert note.startswith("The 1 person is the one on a list of names")
    assert "with 1 critic, one to one" in note
