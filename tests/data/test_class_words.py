"""Classes as a table writes them: named or numbered, one of both for a whole column."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from gossamer.data import class_words
from gossamer.data.class_words import labels_of_words
from gossamer.errors import InputError

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("class_names", "words", "labels"),
    [
        (("cat", "dog"), ["dog", "cat"], [1, 0]),
        (("cat", "dog"), ["1", "0"], [1, 0]),
        (("1", "0"), ["1", "0"], [0, 1]),
        (("1.0", "0.0"), ["1", "0"], [0, 1]),
        (("1", "2", "x"), ["2", "x", "1"], [1, 2, 0]),
        (("false", "true"), ["true", "false"], [1, 0]),
        (("False", "True"), ["true", "false"], [1, 0]),
        (("false", "true"), ["1", "0"], [1, 0]),
        (("0.5", "1.50"), ["1.5", "0.5"], [1, 0]),
        (("1", "2", "3"), ["1", "2", "1"], [0, 1, 0]),
        ((COMPOSED, "x"), [COMPOSED], [0]),
        ((DECOMPOSED, "x"), [COMPOSED], [0]),
    ],
)
def test_classes_are_named_or_numbered(class_names: tuple[str, ...], words: list[str], labels: list[int]) -> None:
    assert labels_of_words(np.array(words), class_names, "here").tolist() == labels


@pytest.mark.parametrize(
    ("class_names", "words", "line"),
    [
        (("cat", "dog"), ["dog", "cat", "1"], "here: the class of record 2 and that of record 0 are not both"),
        (("cat", "dog"), ["0", "1", "cat"], "here: the class of record 2 and that of record 0 are not both"),
        (("cat", "dog"), ["0", "2"], "here: the class of record 1 is none of the 2"),
        (("cat", "dog"), ["mouse"], "here: the class of record 0 is none of the 2"),
        (("cat", "dog"), ["-1"], "here: the class of record 0 is none of the 2"),
        (("2", "1"), ["1", "0"], "here: the class of record 1 is none of the 2"),
        (("1", "x"), ["x", "0"], "here: the class of record 1 is none of the 2"),
        (("1", "2"), ["0", "1"], "here: the class of record 0 is none of the 2"),
        (("0.5", "1.5"), ["0", "1"], "here: the class of record 0 is none of the 2"),
        (("true", "false"), ["0", "1"], "here: the class of record 0 is none of the 2"),
        (("1", "1.0"), ["1"], "class_names[0] and class_names[1] are one name"),
        (("true", "TRUE"), ["true"], "class_names[0] and class_names[1] are one name"),
        (("x", "nan"), ["x"], "class_names[1] is empty"),
    ],
)
def test_classes_that_are_none_or_of_both_kinds_are_refused(refusal, class_names, words, line) -> None:
    assert refusal(labels_of_words, np.array(words), class_names, "here").startswith(line)


def test_public_names_that_skip_the_rule_are_seen(monkeypatch) -> None:
    def found() -> list[int]:
        return labels_of_words(np.array(["1", "0"]), ("1.0", "0.0"), "here").tolist()

    assert found() == [0, 1]
    monkeypatch.setattr(class_words, "_names", list)
    with pytest.raises(InputError, match="none of the 2"):
        found()


def test_one_cell_never_changes_the_class_of_another() -> None:
    """Neighbours differ in one record: that of every other stays, or the column is refused."""
    rng = np.random.default_rng(0)
    for names in (("cat", "dog"), ("1", "2"), ("1", "x"), ("0", "1"), ("true", "false"), ("0.5", "1")):
        cells = ["cat", "dog", "0", "1", "2", "x", "0.5", "true", "false"]
        for _ in range(200):
            words = rng.choice(cells, 3)
            changed = np.concatenate([words[:2], rng.choice(cells, 1)])
            try:
                one, other = (labels_of_words(column, names, "here") for column in (words, changed))
            except InputError:
                continue
            assert one[:2].tolist() == other[:2].tolist()


def test_the_old_rule_cell_by_cell_would_be_seen(monkeypatch) -> None:
    """The break: places are read beside names that are numbers, so that 0 and 1 both become the class 1."""

    def labels() -> list[int]:
        return labels_of_words(np.array(["0", "1"]), ("1", "2"), "here").tolist()

    with pytest.raises(InputError):
        labels()
    both = {"1": 0, "2": 1} | {"0": 0}
    monkeypatch.setattr(class_words, "_readings", lambda names: (both, both))
    assert labels() == [0, 0]
