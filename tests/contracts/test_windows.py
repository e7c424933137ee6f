"""With windows the unit of protection is the recording or the person, unless a window is asked for in so many words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli.main import main
from gossamer.data import windowed
from gossamer.data.records import RecordData
from gossamer.errors import InputError, PrivacyError
from gossamer.estimators import DPMERF, as_series
from gossamer.methods.protected import identities_of
from gossamer.privacy.adjacency import Adjacency, Unit

NUM_RECORDINGS, NUM_WINDOWS = 12, 9


def recordings(people: np.ndarray | None = None, without: int | None = None) -> RecordData:
    x = np.random.default_rng(3).random((NUM_RECORDINGS, 1, 40))
    kept = [place for place in range(NUM_RECORDINGS) if place != without]
    people = None if people is None else people[kept]
    return as_series(x[kept], people=people, window=8, stride=4)


def planned(data: RecordData, **others: Any) -> Any:
    return DPMERF(epsilon=5.0, num_features=20, num_fit_steps=2, **others).plan(data)


def test_the_usual_unit_is_the_recording_in_count_price_and_statement() -> None:
    plan, of_windows = planned(recordings()), planned(recordings(), unit="record")
    assert (plan.unit, plan.num_slots) == ("recording", NUM_RECORDINGS)
    assert (of_windows.unit, of_windows.num_slots) == ("record", NUM_RECORDINGS * NUM_WINDOWS)
    assert plan.delta > of_windows.delta, "delta follows from the number of recordings, not of windows"
    statement = plan.statement
    assert statement.unit is Unit.RECORDING
    text = statement.to_markdown()
    assert "one recording, with all records of that recording" in text
    assert "All windows of one recording are protected together." in text
    assert "several recordings of one person" in text, "one recording is not one person, and the statement says so"
    assert str(NUM_RECORDINGS * NUM_WINDOWS) not in json.dumps(statement.to_json()["parameters"])
    said = of_windows.statement.to_markdown()
    assert "A record is a single window, as the user asked for." in said


def test_the_default_of_old_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that forget that they are windows: the single window would be the unit, in 108 slots."""
    rows_of = windowed.rows_of_windows
    as_of_old = lambda *given: dataclasses.replace(rows_of(*given), usual_unit=Unit.RECORD)  # noqa: E731
    monkeypatch.setattr("gossamer.estimators.arrays.rows_of_windows", as_of_old)
    with pytest.raises(AssertionError):
        test_the_usual_unit_is_the_recording_in_count_price_and_statement()


def test_a_record_set_of_windows_remembers_them() -> None:
    plan = planned(recordings().train)
    assert (plan.unit, plan.num_slots) == ("recording", NUM_RECORDINGS)
    said = planned(recordings().train, unit="record").statement.to_markdown()
    assert "A record is a single window, as the user asked for." in said


def test_people_win_over_recordings() -> None:
    people = np.array([f"p{place % 5}" for place in range(NUM_RECORDINGS)])
    plan = planned(recordings(people))
    assert (plan.unit, plan.num_slots) == ("person", 5)
    with pytest.raises(InputError, match="--unit recording goes with windows of recordings of which nobody says"):
        planned(recordings(people), unit="recording")


def test_a_window_of_a_person_is_called_one_where_it_alone_is_protected() -> None:
    people = np.array([f"p{place % 5}" for place in range(NUM_RECORDINGS)])
    plan = planned(recordings(people), unit="record")
    assert (plan.unit, plan.num_slots) == ("record", NUM_RECORDINGS * NUM_WINDOWS)
    text = plan.statement.to_markdown()
    assert "The windows of one recording or of one person together are not protected" in text
    assert "All windows of one" not in text
    assert any(
        line.startswith("protected: one window, as was asked for. The data names people, and what the windows of one")
        for line in plan.advice
    )


def test_a_recording_is_no_person_and_whole_series_have_no_recordings() -> None:
    with pytest.raises(InputError, match="names no people"):
        planned(recordings(), unit="person")
    whole = as_series(np.random.default_rng(3).random((NUM_RECORDINGS, 1, 40)))
    assert planned(whole).unit == "record"
    with pytest.raises(InputError, match="--unit recording goes with windows"):
        planned(whole, unit="recording")


def test_a_number_of_recordings_that_was_given_covers_coming_and_leaving() -> None:
    assert planned(recordings()).statement.adjacency is Adjacency.REPLACE_ONE
    plan = planned(recordings(), num_people=20)
    assert (plan.num_slots, plan.statement.adjacency) == (20, Adjacency.SLOT)
    with pytest.raises(InputError, match="here the number of recordings, 11: the data holds more recordings"):
        planned(recordings(), num_people=11)
    with pytest.raises(InputError, match="num_records goes with unit record"):
        planned(recordings(), num_records=500)


@pytest.mark.parametrize("place", range(0, NUM_RECORDINGS, 5))
def test_a_recording_that_leaves_takes_its_windows_along_and_moves_nobody(place: int) -> None:
    """What the identities of the others are, and of which windows, is the same without it."""

    def of_each(data: RecordData) -> dict[bytes, bytes]:
        records = data.train
        assert records.people is not None
        units = identities_of(records, Unit.RECORDING)
        assert (units.copies == 0).all()
        return {
            digest.tobytes(): records.x[records.people == number].numpy().tobytes()
            for number, digest in enumerate(units.digests)
        }

    everybody, others = of_each(recordings()), of_each(recordings(without=place))
    assert len(everybody) == NUM_RECORDINGS
    assert len(others) == NUM_RECORDINGS - 1
    assert others.items() < everybody.items()


def test_windows_are_not_divided_one_by_one_where_recordings_are_protected(tmp_path: Path, capsys: Any) -> None:
    x = np.random.default_rng(3).random((NUM_RECORDINGS, 1, 40))
    np.savez(tmp_path / "a.npz", x=x, low=0.0, high=1.0)
    words = ["train", "dp-merf", "--data", str(tmp_path / "a.npz"), "--window", "8", "--dry-run", "--epsilon", "5"]
    assert main([*words, "--split", "random"]) == PrivacyError.exit_code
    assert "recordings are to be protected: split between recordings" in capsys.readouterr().err
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "protected: one recording, with all its windows." in said
    assert main([*words, "--unit", "record"]) == 0
    assert "protected: one window, as was asked for." in " ".join(capsys.readouterr().out.split())
