"""The pictures of the study are drawn from its tables, and say so."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "docs" / "study.md"
PAGE = """
## MNIST

Words, and another table.

| published | IS |
| --- | --- |
| theirs | 9.99 |

| method | epsilon | training seeds | IS | Frechet | avg12 | MLP | CNN | CPU min |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| real training images |  |  | 9.59 | 0.23 | 0.804 | 0.909 | 0.970 |  |
| `one` | 1 | 3 | 8.37 (8.30 to 8.45) | 4.67 (4.56 to 4.75) | 0.799 | 0.887 (0.883 to 0.890) | 0.937 (0.936 to 0.938) | 0.1 |
| `one` | 10 | 1 | 8.50 | 4.25 | 0.798 | 0.894 | 0.940 | 0.1 |
| `two --num-steps 9` | 1 | 1 | 8.50 | 4.25 |  | 0.894 | 0.940 | 0.1 |

## Words alone

None.
"""  # noqa: E501


@pytest.fixture(scope="module")
def pictures() -> Any:
    spec = importlib.util.spec_from_file_location("study_pictures", ROOT / "benchmarks" / "study_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules["study_pictures"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_pictures_in_the_docs_are_of_the_tables_beside_them(pictures: Any) -> None:
    found = pictures.tables(STUDY.read_text(encoding="utf-8"))
    assert [table.data for table in found] == ["mnist", "fashion-mnist"]
    for table in found:
        file = ROOT / "docs" / "pictures" / f"study-{table.data}.png"
        assert pictures.digest_in(file) == table.digest, (
            f"{file.name} is of another table; draw it anew: "
            "python benchmarks/study_pictures.py docs/study.md docs/pictures"
        )


def test_curves_have_the_figures_of_the_table(pictures: Any) -> None:
    (table,) = pictures.tables(PAGE)
    found = {(curve.name, curve.score): curve for curve in table.curves if curve.name == "one"}
    one = found["one", "inception_score"]
    assert one.epsilons == (1.0, 10.0)
    assert [(score.low, score.value, score.high) for score in one.scores] == [(8.30, 8.37, 8.45), (8.50, 8.50, 8.50)]
    assert one.reference.value == 9.59
    assert not found["one", "frechet_distance"].scores[0].higher_is_better
    assert len(found) == 5


def test_a_score_that_was_not_taken_has_no_curve(pictures: Any) -> None:
    (table,) = pictures.tables(PAGE)
    named = {curve.score for curve in table.curves if curve.name == "two --num-steps 9"}
    assert named == {"inception_score", "frechet_distance", "mlp_accuracy", "cnn_accuracy"}


def test_a_picture_tells_a_table_that_was_changed(pictures: Any, tmp_path: Path) -> None:
    (before,) = pictures.tables(PAGE)
    (after,) = pictures.tables(PAGE.replace("0.936 to 0.938", "0.935 to 0.938"))
    pictures.draw(before, tmp_path / "study-mnist.png")
    assert pictures.digest_in(tmp_path / "study-mnist.png") == before.digest != after.digest


def test_a_cell_that_is_no_figure_is_named(pictures: Any) -> None:
    (table,) = pictures.tables(PAGE.replace("| 9.59 |", "| none |"))
    with pytest.raises(ValueError, match=r"real training images.*IS is 'none'"):
        _ = table.curves
