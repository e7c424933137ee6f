"""Tables as files: scores of targets and checkpoints, one a line, for a spreadsheet or pandas."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gossamer.errors import InputError
from gossamer.evaluation.score import Score
from gossamer.runs.files import whole_file

_COLUMNS = (
    "target", "epsilon", "step", "score", "value", "low", "high", "higher_is_better",
    "num_synthetic", "num_real", "seeds", "source",
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One line of the table.

    Args:
        target: the evaluated run or file.
        epsilon: spent when the generator was saved, None if unknown, as for a file of another program.
        step: updates of the generator by then, or None.
        score: the measured score.

    Raises:
        InputError: if epsilon or step is negative or epsilon is no number.
    """

    target: str
    epsilon: float | None
    step: int | None
    score: Score

    def __post_init__(self) -> None:
        if self.epsilon is not None and not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise InputError(f"{self.target}: epsilon must be finite and not negative, not {self.epsilon}")
        if self.step is not None and self.step < 0:
            raise InputError(f"{self.target}: step must not be negative, not {self.step}")


def write_scores_csv(path: Path | str, rows: Sequence[ScoreRow]) -> None:
    """Write a CSV (RFC 4180, UTF-8): one line for each target, epsilon and score.

    Columns: target, epsilon, step, score, value, low, high, higher_is_better (true or false), num_synthetic, num_real,
    seeds (separated by spaces), source. Unknown values are empty. Numbers keep every digit. A text that a spreadsheet
    would run as a formula (it begins with = + - @ or a control character) gets a leading apostrophe.

    **Guarantee.** None: scores are computed on private data.

    Args:
        path: of the new file, in a folder that exists.
        rows: in the order of the file. Without rows, the header stands alone.

    Raises:
        ResourceError: if it cannot be written. The old file, if any, is kept.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(_line(row) for row in rows)
    with whole_file(Path(path)) as file:
        # A file name that is no valid UTF-8 must not keep the table from being written.
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _line(row: ScoreRow) -> list[str | int | float | None]:
    score = row.score
    return [
        _plain(row.target), row.epsilon, row.step,
        _plain(score.name), score.value, score.low, score.high, str(score.higher_is_better).lower(),
        score.num_synthetic, score.num_real, " ".join(map(str, score.seeds)), _plain(score.source),
    ]  # fmt: skip


def _plain(text: str) -> str:
    """Return the text in a form that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
