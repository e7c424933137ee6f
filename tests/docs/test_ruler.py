"""The ruler finds what stands in a small package of its own, and each of its rules can fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
TOP = '''"""What a house is; this says it upside down."""

from house.low.floor import walk
from .high import roof


class Room:
    """A room.

    Args:
        width: The number of steps, whose unit is a metre.
        height: The other one.
    """

    colour = "red"
    """The colour; it is red."""

    def __init__(self, width: int, height: int, *, deep: int = 3) -> None:
        self.width = width

    def area(self) -> int:
        """Return `what; stands` here, e.g. twice $a; b$.

        >>> what; whose
        whoever; 3

        Returns:
            The area. Two sentences stand here.
        """
        return self.width

    def bare(self, height):
        return height


def _inner() -> None:
    def nested() -> None:
        pass
'''
LOW = '''from house import high


@property
def walk() -> None:
    """Whether one walks.

    One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty twenty-one twenty-two twenty-three twenty-four twenty-five. One more.
    """
    LINES
'''


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ruler", ROOT / "benchmarks" / "ruler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ruler"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


RULER = load()


@pytest.fixture
def house(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    (folder / "low").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "tests" / "helper.py").write_text('"""What; a test."""\n', encoding="utf-8")
    (folder / "low" / "test_floor.py").write_text('"""What; a test."""\n', encoding="utf-8")
    (folder / "top.py").write_text(TOP, encoding="utf-8")
    (folder / "high.py").write_text("roof = 3\n", encoding="utf-8")
    (folder / "low" / "floor.py").write_text(LOW.replace("LINES", "\n    ".join(["pass"] * 31)), encoding="utf-8")
    return folder


def test_every_measure_of_a_small_package(house: Path) -> None:
    layers = [{"top"}, {"high"}, {"low"}]
    assert RULER.measure(RULER.read_package(house), layers) == {
        "lines of code": str(len(TOP.splitlines()) + 1 + len(LOW.splitlines()) + 30),
        "functions": "6",
        "lines of a function, median": "2",
        "lines of a function, 90th percentile": "18",
        "functions above 30 lines": "16.7 %",
        "functions typed": "83.3 %",
        "public functions documented": "66.7 %",
        "written constructors": "1",
        "parameters of the largest constructor": "3",
        "sentences in docstrings": "11",
        "sentences with what, whose, whoever": "18.2 %",
        "the same of prose alone": "14.3 %",
        "sentences with a semicolon": "18.2 %",
        "sentences above 25 words": "0.0 %",
        "summaries beginning with What, Those, That, ...": "40.0 %",
        "imports upward or sideways": "1",
    }


def test_counts_by_package(house: Path) -> None:
    counts = RULER.count_places(house)
    assert list(counts) == ["high", "low", "top"]
    assert list(counts["high"].values()) == [0, 0, 0, 0]
    assert list(counts["low"].values()) == [0, 0, 0, 1]
    assert list(counts["top"].values()) == [2, 2, 0, 1]
    floor = house / "low" / "floor.py"
    floor.write_text(floor.read_text(encoding="utf-8").replace("twenty-five.", "twenty-five, twenty-six."))
    assert list(RULER.count_places(house)["low"].values()) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("docstring", "sentences"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("One, see e.g. Two et al. Three.", ["One, see eg Two et al Three."]),
        ("One of 3.5 and `a.b`. Two", ["One of 3.5 and X.", "Two"]),
        ("One\ngoes on.\n\nTwo", ["One goes on.", "Two"]),
        ("One:\n\n- two\n  goes on\n- three", ["One:", "two goes on", "three"]),
        ("One.\n\nArgs:\n    name: Two.\n    other: three.", ["One.", "Two.", "three."]),
        ("One.\n\nParameters\n----------\nname: Two.", ["One.", "Two."]),
        ("One::\n\n    code; more\n\nTwo.", ["One.", "Two."]),
        ("One.\n\n>>> code; more\ncode\n\nTwo.", ["One.", "Two."]),
        ("One.\n\n$$code; more$$\n\n```\ncode\n```\n\nTwo.", ["One.", "Two."]),
    ],
)
def test_prose_is_cut_into_sentences(docstring: str, sentences: list[str]) -> None:
    assert [sentence.text for sentence in RULER.split_sentences(docstring)] == sentences


def test_entries_are_no_prose_and_prose_goes_on_after_them() -> None:
    docstring = "One.\n\nArgs:\n    name: Two.\n\nThree.\n\nReturns:\n    Four."
    assert [one.is_prose for one in RULER.split_sentences(docstring)] == [True, False, True, False]


def test_no_import_of_the_present_house_goes_upward() -> None:
    layers = RULER.read_layers(ROOT / "pyproject.toml")
    assert {"cli", "reports", "errors"} <= set().union(*layers)
    assert RULER.count_upward(RULER.read_package(ROOT / "src" / "gossamer"), layers) == 0
