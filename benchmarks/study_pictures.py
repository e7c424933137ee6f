"""The pictures of the study, drawn from the tables of its own page, so that a picture cannot say another thing.

    python benchmarks/study_pictures.py docs/study.md docs/pictures

Every table whose first columns are `method` and `epsilon` becomes a picture: a panel for each score, a line for each
method, whiskers from the least to the greatest of several trainings, real images dashed. A picture carries the digest
of its table as text of the PNG, and a test compares the two.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin

from gossamer.evaluation.score import Score
from gossamer.reports.curves import Curve, curves, picture_of

DELTA = 1e-5
DIGEST = "table"
"""Name of the text in the PNG."""
SCORES = {"IS": "inception_score", "Frechet": "frechet_distance", "avg12": "avg12", "MLP": "mlp_accuracy",
          "CNN": "cnn_accuracy"}  # fmt: skip
_TABLE = re.compile(r"^## (\S+)\n(?:(?!^## ).*\n)*?(\| method \| epsilon \|.*\n(?:\|.*\n)+)", re.MULTILINE)
_FIGURE = re.compile(r"([\d.]+)(?: \(([\d.]+) to ([\d.]+)\))?")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the study.

    Attributes:
        data: the set, the name of the section in small letters.
        rows: cells by the name of their column; those of real images have no epsilon.
    """

    data: str
    rows: tuple[dict[str, str], ...]

    @property
    def digest(self) -> str:
        """SHA-256 of all that the picture shows, in hexadecimal digits."""
        shown = ("method", "epsilon", "training seeds", *SCORES)
        said = "\n".join("|".join(row[name] for name in shown) for row in self.rows)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def curves(self) -> list[Curve]:
        """A curve for each method and score."""
        (real,) = (row for row in self.rows if not row["epsilon"])
        methods = dict.fromkeys(row["method"] for row in self.rows if row["epsilon"])
        found: list[Curve] = []
        for column in SCORES:
            for method in methods:
                measured = [row for row in self.rows if row["method"] == method and row[column]]
                if measured:
                    found.append(curve(method.strip("`"), measured, column, score(real, column)))
        return found


def tables(page: str) -> list[Table]:
    """All tables of the study in a page of Markdown."""
    return [Table(data=found[1].lower(), rows=tuple(rows(found[2]))) for found in _TABLE.finditer(page)]


def rows(lines: str) -> list[dict[str, str]]:
    """Cells of a Markdown table, by the names in its head."""
    head, _, *cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines())
    return [dict(zip(head, one, strict=True)) for one in cells]


def curve(name: str, measured: Sequence[dict[str, str]], column: str, reference: Score) -> Curve:
    """One score of one method over epsilon."""
    epsilons = tuple(float(row["epsilon"]) for row in measured)
    scores = tuple(score(row, column) for row in measured)
    return Curve(name=name, epsilons=epsilons, scores=scores, reference=reference)


def score(row: dict[str, str], column: str) -> Score:
    """One cell as a score: the mean, and the least and the greatest of several trainings, if there are several."""
    found = _FIGURE.fullmatch(row[column])
    if found is None:
        raise ValueError(f"{row['method']}, epsilon {row['epsilon']}: {column} is {row[column]!r}, which is no figure")
    return Score(
        name=SCORES[column],
        value=float(found[1]),
        low=float(found[2] or found[1]),
        high=float(found[3] or found[1]),
        higher_is_better=column != "Frechet",
        num_synthetic=2_000,
        num_real=10_000,
        seeds=tuple(range(int(row["training seeds"] or 1))),
        source="docs/study.md: the mean of trainings, the least and the greatest",
    )


def draw(table: Table, file: Path) -> None:
    """Write the picture of a table, with the digest of the table in it."""
    text = PngImagePlugin.PngInfo()
    text.add_text(DIGEST, table.digest)
    picture = picture_of(curves(table.curves, delta=DELTA))
    picture.convert("RGB").save(file, pnginfo=text, optimize=True)


def digest_in(file: Path) -> str | None:
    """Read from a picture the digest of the table that it was drawn from, None if there is none."""
    with Image.open(file) as picture:
        return picture.info.get(DIGEST)


def main() -> None:
    """Draw the picture of every table of a page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    for table in tables(asked.page.read_text(encoding="utf-8")):
        draw(table, asked.folder / f"study-{table.data}.png")


if __name__ == "__main__":
    main()
