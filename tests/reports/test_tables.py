"""The CSV of scores reads back as it was, and no spreadsheet runs any of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gossamer.errors import InputError, ResourceError
from gossamer.evaluation.score import Score
from gossamer.reports.tables import ScoreRow, write_scores_csv


def row(target: str = "run", epsilon: float | None = 10.0, step: int | None = 400, value: float = 1 / 3) -> ScoreRow:
    score = Score(
        name="density", value=value, low=value - 0.1, high=value + 0.1, higher_is_better=True,
        num_synthetic=1000, num_real=900, seeds=(7, 8), source='one, "two"',
    )  # fmt: skip
    return ScoreRow(target=target, epsilon=epsilon, step=step, score=score)


def written(path: Path, rows: list[ScoreRow]) -> list[dict[str, str]]:
    write_scores_csv(path, rows)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_table_reads_back_to_the_last_digit(tmp_path: Path) -> None:
    read = written(tmp_path / "scores.csv", [row(), row(epsilon=0.1 + 0.2, value=-0.5)])
    assert read[0] == {
        "target": "run", "epsilon": "10.0", "step": "400", "score": "density", "value": repr(1 / 3),
        "low": repr(1 / 3 - 0.1), "high": repr(1 / 3 + 0.1), "higher_is_better": "true", "num_synthetic": "1000",
        "num_real": "900", "seeds": "7 8", "source": 'one, "two"',
    }  # fmt: skip
    assert float(read[1]["epsilon"]) == 0.1 + 0.2
    assert float(read[1]["value"]) == -0.5


def test_what_is_unknown_is_empty(tmp_path: Path) -> None:
    (read,) = written(tmp_path / "scores.csv", [row(epsilon=None, step=None)])
    assert (read["epsilon"], read["step"]) == ("", "")


def test_zero_is_not_unknown(tmp_path: Path) -> None:
    (read,) = written(tmp_path / "scores.csv", [row(epsilon=0.0, step=0)])
    assert (read["epsilon"], read["step"]) == ("0.0", "0")


@pytest.mark.parametrize("name", ["a,b", 'say "x"', "two\nlines", "ä 漢", "a\r\nb"])
def test_any_name_reads_back(tmp_path: Path, name: str) -> None:
    assert [read["target"] for read in written(tmp_path / "scores.csv", [row(name), row("after")])] == [name, "after"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_that_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path: Path, name: str) -> None:
    (read,) = written(tmp_path / "scores.csv", [row(name)])
    assert read["target"] == f"'{name}"


@pytest.mark.parametrize("name", ["a=1", "'", "runs/-1", "1e5"])
def test_other_names_get_none(tmp_path: Path, name: str) -> None:
    (read,) = written(tmp_path / "scores.csv", [row(name)])
    assert read["target"] == name


def test_a_file_name_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    (read,) = written(tmp_path / "scores.csv", [row("run\udcff")])
    assert read["target"] == "run\\udcff"


def test_no_row_is_a_header_alone(tmp_path: Path) -> None:
    assert written(tmp_path / "scores.csv", []) == []
    assert (tmp_path / "scores.csv").read_text().startswith("target,epsilon,step,score,value,low,high,")


def test_a_folder_that_is_absent_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="make that folder"):
        write_scores_csv(tmp_path / "absent" / "scores.csv", [row()])


@pytest.mark.parametrize(("epsilon", "step"), [(-1.0, 1), (float("inf"), 1), (float("nan"), 1), (1.0, -1)])
def test_what_cannot_be_is_refused(epsilon: float, step: int) -> None:
    with pytest.raises(InputError):
        row(epsilon=epsilon, step=step)
