"""Classes as a table writes them: named or numbered, one of both for a whole column."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from gossamer.data import class_words, series_npz
from gossamer.data.class_words import check_places, class_numbers, labels_of_words
from gossamer.data.names import names_of_texts
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.series_npz import load_series_npz

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
        (("2", "1"), ["1", "0"], "here: the class of record 1 and that of record 0 are not both"),
        (("1", "x"), ["x", "0"], "here: the class of record 1 and that of record 0 are not both"),
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
    monkeypatch.setattr(class_words, "names_of_texts", lambda texts, place: np.array(texts))
    assert found() != [0, 1]


@pytest.mark.parametrize(
    ("words", "class_names", "labels"),
    [
        (["1"], ("1", "2", "3"), [0]),
        (["3", "1"], ("1", "2", "3"), [2, 0]),
        (["1", "0"], ("cat", "dog"), [1, 0]),
        (["dog", "cat"], ("cat", "dog"), [1, 0]),
        (["11", "2"], ("0", "1", "10", "11", "2"), [3, 4]),
    ],
)
def test_a_word_that_is_a_name_and_a_number_is_a_name(words, class_names, labels) -> None:
    assert class_numbers(words, class_names, "--labels") == labels


@pytest.mark.parametrize("words", [["1", "cat"], ["cat", "1"], ["cat", "dog", "0"]])
def test_a_list_of_classes_is_all_names_or_all_numbers(refusal, words) -> None:
    place = len(words)
    line = refusal(class_numbers, words, ("cat", "dog"), "--labels")
    assert line == (
        f"--labels: word {place} and word 1 are not both names or both numbers: write all classes in one way"
    )


def test_a_number_is_not_offered_where_names_are_numbers(refusal) -> None:
    line = refusal(class_numbers, ["1", "0"], ("1", "2"), "--labels")
    assert line == "--labels: word 2 is no class of this generator; its classes are '1', '2'"


def test_the_way_to_a_name_with_a_comma_is_told(refusal) -> None:
    assert "in quotation marks: '\"a,b\"'" in refusal(class_numbers, ["b", "c"], ("b,c", "d"), "--labels")


@pytest.mark.parametrize(
    ("words", "labels"),
    [(["1.0", "2.0"], [0, 1]), (["3", "1"], [2, 0]), (["02", "3.00"], [1, 2])],
)
def test_numbers_that_are_names_are_compared_as_numbers(words, labels) -> None:
    names = names_of_texts(words, str)
    assert labels_of_words(names, ("1", "2", "3"), "here").tolist() == labels


def test_the_names_win_for_a_whole_column_and_a_mixture_is_refused(refusal) -> None:
    # Places 0 and 1 of the names 1 and 2: the cell 1 is a name, and so the cell 0 can be nothing.
    assert "not both names or both numbers" in refusal(labels_of_words, np.array(["0", "1"]), ("1", "2"), "here")
    assert labels_of_words(np.array(["0", "0"]), ("1", "2"), "here").tolist() == [0, 0]


@pytest.mark.parametrize("names", [("1", "2"), ("1", "0"), ("0.5", "1"), ("true", "false"), ("x", "0")])
def test_whole_numbers_that_may_be_names_or_places_are_refused(refusal, names: tuple[str, ...]) -> None:
    assert "hand y over as text if they are names" in refusal(check_places, names, "y")


@pytest.mark.parametrize("names", [(), ("cat", "dog"), ("0", "1"), ("0.0", "1.0"), ("false", "true"), ("x", "1")])
def test_whole_numbers_are_places_where_no_name_is_another_number(names: tuple[str, ...]) -> None:
    check_places(names, "y")


def test_names_stated_beside_an_archive_are_no_places(tmp_path, refusal, monkeypatch) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 1, 8)), y=np.array([1, 2, 1]))
    facts = SeriesFacts(class_names=("1", "2", "3"))
    assert "or places" in refusal(load_series_npz, tmp_path / "a.npz", facts)
    # The break: taken as places, every class moves by one without a word.
    monkeypatch.setattr(series_npz, "check_places", lambda names, what: None)
    moved = load_series_npz(tmp_path / "a.npz", facts).train
    assert moved.y is not None
    assert [facts.class_names[label] for label in moved.y.tolist()] == ["2", "3", "2"]


def test_names_in_an_archive_are_in_the_order_of_its_labels(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 1, 8)), y=np.array([1, 2, 1]), class_names=np.array(["1", "2", "3"]))
    y = load_series_npz(tmp_path / "a.npz", SeriesFacts()).train.y
    assert y is not None
    assert y.tolist() == [1, 2, 1]
