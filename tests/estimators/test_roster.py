"""`GSWGAN(..., roster=FILE)`: one critic for each person of a public list, as `train gs-wgan --roster` has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.driving.job import TrainingJob
from gossamer.errors import InputError
from gossamer.estimators import DPMERF, GSWGAN
from gossamer.runs.folder import RunFolder

NAMES = [f"p{number}" for number in range(8)]
PEOPLE = np.repeat(NAMES[:6], 3)
TINY: dict[str, Any] = {
    "delta": 1e-3,
    "unit": "person",
    "num_classes": 2,
    "num_steps": 2,
    "batch_size": 4,
    "draws_per_step": 4,
    "critics_per_draw": 2,
    "device": "cpu",
}
IMAGES = np.random.default_rng(0).random((18, 8, 8), dtype=np.float32), np.arange(18) % 2


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.txt"
    path.write_text("\n".join(NAMES) + "\n")
    return path


def test_each_name_gets_a_critic_and_the_statement_says_so(roster: Path) -> None:
    model = GSWGAN(epsilon=10.0, roster=roster, **TINY).fit(*IMAGES, PEOPLE)
    assert model.statement.num_slots == 8
    assert model.statement.adjacency.value == "slot"
    assert any(note.startswith("The 8 people are those on a list of names") for note in model.statement.public_inputs)
    assert not any(name in model.statement.to_markdown() for name in NAMES)


def test_a_plan_says_as_many_critics_as_names_whoever_has_records(roster: Path) -> None:
    model = GSWGAN(epsilon=10.0, roster=str(roster), **TINY)
    few = slice(0, 12)
    plans = [model.plan(*IMAGES, PEOPLE), model.plan(IMAGES[0][few], IMAGES[1][few], PEOPLE[few])]
    assert [planned.config.num_critics for planned in plans] == [8, 8]
    assert len({planned.statement.epsilon for planned in plans}) == 1


def test_a_run_keeps_the_roster_and_the_command_accepts_its_release(
    roster: Path, tmp_path: Path, gossamer: Any
) -> None:
    run = tmp_path / "run"
    GSWGAN(epsilon=10.0, roster=roster, **TINY).fit(*IMAGES, PEOPLE, run=run)
    job = TrainingJob.read(RunFolder(run))
    assert (job.method.num_critics, job.num_people) == (8, None)
    assert job.roster is not None
    assert job.roster.path == str(roster)
    assert json.loads((run / "release" / "privacy.json").read_text())["num_slots"] == 8
    assert gossamer("verify", run).code == 0
    # Other people on the list, or no list, are another run.
    roster.write_text("\n".join([*NAMES[:-1], "somebody"]))
    for other in ({"roster": roster}, {"num_people": 8, "num_critics": 8}):
        with pytest.raises(InputError, match=r"began with another .*roster"):
            GSWGAN(epsilon=10.0, **TINY, **other).fit(*IMAGES, PEOPLE, run=run)


def test_somebody_who_is_not_on_it_is_refused_without_a_word_of_who(roster: Path, tmp_path: Path) -> None:
    roster.write_text("\n".join(NAMES[1:]) + "\nAnna\n")
    with pytest.raises(InputError, match="somebody in the data is not on the roster") as refused:
        GSWGAN(epsilon=10.0, roster=roster, **TINY).fit(*IMAGES, PEOPLE, run=tmp_path / "run")
    assert "p0" not in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"num_people": 8}, "leave it out"),
        ({"unit": "record"}, "goes with --unit person"),
        ({"unit": None}, "goes with --unit person"),
        ({"roster": NAMES}, "roster must be a path"),
        ({"roster": "anna\nbert\n"}, "hand over the path of the file"),
    ],
)
def test_words_that_do_not_go_with_it_are_refused_before_data_are_seen(
    roster: Path, words: dict[str, Any], line: str
) -> None:
    with pytest.raises(InputError, match=line):
        GSWGAN(epsilon=10.0, **{"roster": roster, **TINY, **words})


def test_another_number_of_critics_is_refused(roster: Path) -> None:
    with pytest.raises(InputError, match="leave num_critics out"):
        GSWGAN(epsilon=10.0, roster=roster, num_critics=5, **TINY).fit(*IMAGES, PEOPLE)


def test_a_method_without_critics_refuses_it(roster: Path) -> None:
    with pytest.raises(InputError, match="dp-merf has none: use gs-wgan"):
        DPMERF(epsilon=10.0, roster=roster, unit="person")
