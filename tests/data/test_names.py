"""The rule from a cell to a name: every kind of cell, what is refused, and planted breaks of the rule."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.data import names
from gossamer.data.names import MAX_WORD_LENGTH, is_whole, names_of_array, names_of_column, names_of_texts
from gossamer.errors import InputError

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))


def place(row: int) -> str:
    return f"row {row + 1}"


TEXTS = {
    "anna": "anna",
    "  anna\t": "anna",
    "Anna": "Anna",
    "p7.0": "p7.0",
    "7": "7",
    "7\u200b": "7",
    "\ufeff7.0": "7",
    "\u200eanna\u200f \u00ad": "anna",
    "a\u200cb": "a\u200cb",
    "+7": "7",
    "007": "7",
    "-7": "-7",
    "-0": "0",
    "000": "0",
    "7.0": "7",
    "7.": "7",
    "+7.00": "7",
    "7.0e0": "7",
    "0.7e+01": "7",
    "7.000000000000000000e+00": "7",
    "70e-1": "7",
    "-7.0": "-7",
    "-0.0": "0",
    "0e9": "0",
    "1e3": "1000",
    "1E3": "1000",
    "7.50": "7.5",
    ".5": "0.5",
    "5e-1": "0.5",
    "0.1": "0.1",
    "1e-7": "1e-07",
    "0.0000001": "1e-07",
    "10000001.0": "10000001",
    "9007199254740991.0": "9007199254740991",
    "9007199254740993": "9007199254740993",
    "1" * MAX_WORD_LENGTH: "1" * MAX_WORD_LENGTH,
    # No number of a table: Python alone would read these.
    "1_000": "1_000",
    "0x7": "0x7",
    "inf": "inf",
    "-inf": "-inf",
    "7 7": "7 7",
    "1,5": "1,5",
    "٧": "٧",
    "1e2345": "1e2345",
    "e7": "e7",
    ".": ".",
    "+": "+",
    "true": "true",
    "True": "true",
    "FALSE": "false",
    "tRUE": "tRUE",
    COMPOSED: COMPOSED,
    DECOMPOSED: COMPOSED,
    "zoe\0": "zoe",
    "zoe \0 ": "zoe",
}
REFUSED_TEXTS = {
    "": "is empty",
    "  ": "is empty",
    "\0": "is empty",
    "nan": "is empty",
    "NaN": "is empty",
    " NAN ": "is empty",
    "9007199254740992.0": "of more digits than a float keeps apart",
    "9007199254740993.0": "of more digits than a float keeps apart",
    "-9007199254740993.0": "of more digits than a float keeps apart",
    "1e16": "of more digits than a float keeps apart",
    "1e999": "of more digits than a float keeps apart",
    "1e-999": "of more digits than a float keeps apart",
    "4503599627370497.3": "of more digits than a float keeps apart",
    "7.00000000000000000001": "of more digits than a float keeps apart",
    "0.10000000000000000001": "of more digits than a float keeps apart",
    "a" * (MAX_WORD_LENGTH + 1): "256 characters",
    "1" * (MAX_WORD_LENGTH + 1): "256 characters",
    "\ud800": "not text in Unicode",
}


@pytest.mark.parametrize(("text", "name"), TEXTS.items(), ids=range(len(TEXTS)))
def test_text_has_the_name_of_what_it_reads_as(text: str, name: str) -> None:
    assert names_of_texts([text], place).tolist() == [name]
    assert names_of_texts([name], place).tolist() == [name], "the name of a name is that name"
    assert names_of_array(np.array([text]), place).tolist() == [name]
    assert names_of_array(np.array([text], dtype=object), place).tolist() == [name]
    assert names_of_array(np.array([text.encode()]), place).tolist() == [name]
    for kind in (pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(), pyarrow.binary()):
        column = pyarrow.chunked_array([[text]], type=pyarrow.string()).cast(kind)
        assert names_of_column(column, place).tolist() == [name]


@pytest.mark.parametrize(("text", "word"), REFUSED_TEXTS.items(), ids=range(len(REFUSED_TEXTS)))
def test_text_that_is_no_name_is_refused_by_its_place(refusal: Callable[..., str], text: str, word: str) -> None:
    for function, cells in (
        (names_of_texts, ["anna", text, "bert"]),
        (names_of_array, np.array(["anna", text, "bert"])),
        (names_of_array, np.array(["anna", text, 7], dtype=object)),
    ):
        message = refusal(function, cells, place)
        assert message.startswith("row 2 ")
        assert word in message
        assert len(text.strip("\0 ")) < 4 or text.strip() not in message


ARRAYS: list[tuple[np.ndarray, list[str]]] = [
    (np.array([7, -7, 0, 2**63 - 1, -(2**63)]), ["7", "-7", "0", str(2**63 - 1), str(-(2**63))]),
    (np.array([7, 2**64 - 1], dtype=np.uint64), ["7", str(2**64 - 1)]),
    (np.array([7, 8], dtype=">i2"), ["7", "8"]),
    (np.array([7.0, 7.5, -0.0, 1000.0, 0.1, 2.0**53 - 1]), ["7", "7.5", "0", "1000", "0.1", str(2**53 - 1)]),
    (np.array([7.0, 0.1, 2.0**24 - 1], dtype=np.float32), ["7", "0.1", str(2**24 - 1)]),
    (np.array([7.0, 0.1, 2047], dtype=np.float16), ["7", "0.1", "2047"]),
    (np.array([7.0, 0.1], dtype=">f4"), ["7", "0.1"]),
    (np.array([True, False]), ["true", "false"]),
    (np.array([b"7.0", "Zoë".encode()]), ["7", "Zoë"]),
    (
        np.array(
            [7, 7.0, "7.00", Decimal("7.00"), np.int8(7), np.float32(7), np.float64(7), 1, True, np.True_, b"7"],
            dtype=object,
        ),
        ["7"] * 7 + ["1", "true", "true", "7"],
    ),
    (np.array([10**30, str(10**30), Decimal(10**30)], dtype=object), [str(10**30)] * 3),
    (np.array([np.float32(0.1), 0.1, Decimal("0.10"), np.float16(0.1)], dtype=object), ["0.1"] * 4),
    (np.asarray(pd.Series(["a", "b", "a"])), ["a", "b", "a"]),
    (np.asarray(pd.Series([7, 8, 7], dtype="Int64")), ["7", "8", "7"]),
    (np.asarray(pd.Series(["7", "7.0"], dtype="category")), ["7", "7"]),
    (np.asarray(pd.Series(["7", "7.0"], dtype="string")), ["7", "7"]),
    (np.array(["7", "7.0"], dtype=np.dtypes.StringDType()), ["7", "7"]),
]


@pytest.mark.parametrize(("values", "expected"), ARRAYS, ids=range(len(ARRAYS)))
def test_arrays_have_the_names_of_what_stands_in_them(values: np.ndarray, expected: list[str]) -> None:
    found = names_of_array(values, place)
    assert found.numbers.dtype == np.int32
    assert found.tolist() == found.texts().tolist() == expected
    assert len(found.distinct) == len(set(expected))


REFUSED_ARRAYS: list[tuple[np.ndarray, str]] = [
    (np.array([7.0, np.nan, np.inf]), "row 2 is empty"),
    (np.array([7.0, np.inf, np.nan]), "row 2 is infinite"),
    (np.array([7.0, -np.inf]), "row 2 is infinite"),
    (np.array([7.0, 2.0**53]), r"row 2 is a float of 2**53 or more"),
    (np.array([7.0, 2.0**53 + 2]), r"row 2 is a float of 2**53 or more"),
    (np.array([7.0, -(2.0**53)]), r"row 2 is a float of 2**53 or more"),
    (np.array([7.0, 2.0**24], dtype=np.float32), r"row 2 is a float of 2**24 or more"),
    (np.array([7.0, 2.0**24 + 2], dtype=np.float32), r"row 2 is a float of 2**24 or more"),
    (np.array([7.0, 2048], dtype=np.float16), r"row 2 is a float of 2**11 or more"),
    (np.array(["a", None], dtype=object), "row 2 is empty"),
    (np.array(["a", np.nan], dtype=object), "row 2 is empty"),
    (np.array(["a", pd.NA], dtype=object), "row 2 is empty"),
    (np.array(["a", pd.NaT], dtype=object), "row 2 is empty"),
    (np.array(["a", Decimal("NaN")], dtype=object), "row 2 is empty"),
    (np.array(["a", Decimal("sNaN")], dtype=object), "row 2 is empty"),
    (np.array(["a", Decimal("Infinity")], dtype=object), "row 2 is infinite"),
    (np.array(["a", Decimal("9007199254740993.00")], dtype=object), "row 2 is a number with a point"),
    (np.array([7, np.float32(2**24)], dtype=object), r"row 2 is a float of 2**24"),
    (np.array([7, 10**300], dtype=object), "row 2 has more than 256"),
    (np.array([7, 10**9999], dtype=object), "row 2 has more than 256"),
    (np.array([7, [7]], dtype=object), "row 2 is neither text nor a number"),
    (np.array([7, pd.Timestamp("2026-01-31")], dtype=object), "row 2 is neither text nor a number"),
    (np.array([7, 7j], dtype=object), "row 2 is neither text nor a number"),
    (np.array(["2026-01-31"], dtype="datetime64[D]"), "row 1 is neither text nor a number"),
    (np.array([7j]), "row 1 is neither text nor a number"),
    (np.array([7.0], dtype=np.longdouble), "row 1 is neither text nor a number"),
    (np.array([b"a", b"\xff"]), "row 2 is not text in Unicode"),
]


@pytest.mark.parametrize(("values", "word"), REFUSED_ARRAYS, ids=range(len(REFUSED_ARRAYS)))
def test_an_array_with_a_cell_that_is_no_name_is_refused(refusal, values: np.ndarray, word: str) -> None:
    if np.dtype(np.longdouble) == np.dtype(np.float64) and values.dtype == np.float64:
        pytest.skip("this machine has no longer floats")
    assert refusal(names_of_array, values, place).startswith(word)


COLUMNS: list[tuple[pyarrow.Array, list[str]]] = [
    (pyarrow.array([10**7 + 1, 10**7 + 2]), ["10000001", "10000002"]),
    (pyarrow.array([10000001.0, 10000002.0]), ["10000001", "10000002"]),
    (pyarrow.array([0.1, 7.0], pyarrow.float32()), ["0.1", "7"]),
    (pyarrow.array(np.array([0.1, 7.0], np.float16)), ["0.1", "7"]),
    (pyarrow.array([2**64 - 1], pyarrow.uint64()), [str(2**64 - 1)]),
    (pyarrow.array([True, False]), ["true", "false"]),
    (pyarrow.array([Decimal("7.00"), Decimal("7.50"), Decimal("-0.00")]), ["7", "7.5", "0"]),
    (pyarrow.array([Decimal(7), Decimal(10**30)], pyarrow.decimal128(38, 0)), ["7", str(10**30)]),
    (pyarrow.array([Decimal("7.00")], pyarrow.decimal256(60, 20)), ["7"]),
    (pyarrow.array([Decimal("7.00")], pyarrow.decimal64(10, 2)), ["7"]),
    (pyarrow.array([Decimal("7.00")], pyarrow.decimal32(5, 2)), ["7"]),
    (pyarrow.array([Decimal("0.0000001")], pyarrow.decimal128(20, 10)), ["1e-07"]),
    (pyarrow.array([b"007", b"anna"], pyarrow.large_binary()), ["7", "anna"]),
    (pyarrow.array([b"007", b"7.0"], pyarrow.binary(3)), ["7", "7"]),
]


@pytest.mark.parametrize(("cells", "expected"), COLUMNS, ids=range(len(COLUMNS)))
def test_columns_have_the_names_of_what_stands_in_them(cells: pyarrow.Array, expected: list[str]) -> None:
    assert names_of_column(pyarrow.chunked_array([cells, cells]), place).tolist() == expected * 2


REFUSED_COLUMNS: list[tuple[pyarrow.Array, str]] = [
    (pyarrow.array([7, None]), "row 2 is empty"),
    (pyarrow.array([2**53 + 1, None]), "row 2 is empty"),
    (pyarrow.array([7.0, None]), "row 2 is empty"),
    (pyarrow.array([True, None]), "row 2 is empty"),
    (pyarrow.array(["a", None]), "row 2 is empty"),
    (pyarrow.array([Decimal("7.00"), None]), "row 2 is empty"),
    (pyarrow.array([None, None]), "row 1 is empty"),
    (pyarrow.array([7.0, 2.0**53 + 2]), "row 2 is a float"),
    (pyarrow.array([Decimal("7.0"), Decimal("9007199254740993.0")]), "row 2 is a number with a point"),
    (pyarrow.array([b"a", b"\xff"]), "row 2 is not text in Unicode"),
    (pyarrow.array([0], pyarrow.date32()), "row 1 is neither text nor a number"),
    (pyarrow.array([0], pyarrow.timestamp("s")), "row 1 is neither text nor a number"),
    (pyarrow.array([[7]]), "row 1 is neither text nor a number"),
]


@pytest.mark.parametrize(("cells", "word"), REFUSED_COLUMNS, ids=range(len(REFUSED_COLUMNS)))
def test_a_column_with_a_cell_that_is_no_name_is_refused(refusal, cells: pyarrow.Array, word: str) -> None:
    assert refusal(names_of_column, pyarrow.chunked_array([cells]), place).startswith(word)


@given(number=st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_is_one_name_however_it_was_written(number: int) -> None:
    written = [str(number), f"{number}.0", f"{number}.", f"{number:+}", f"{number:.20e}", f" {number:020} "]
    cells = [*written, number, float(number), np.int64(number), Decimal(number), Decimal(f"{number}.00")]
    assert set(names_of_array(np.array(cells, dtype=object), place).tolist()) == {str(number)}
    assert is_whole(str(number))


@given(one=st.floats(allow_nan=False, allow_infinity=False), other=st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_one_name_if_and_only_if_they_are_equal(one: float, other: float) -> None:
    for value in (one, other):
        if value.is_integer() and abs(value) >= 2**53:
            with pytest.raises(InputError):
                names_of_array(np.array([value]), place)
            return
    as_floats = names_of_array(np.array([one, other]), place).tolist()
    assert (as_floats[0] == as_floats[1]) == (one == other)
    assert names_of_texts([repr(one), repr(other)], place).tolist() == as_floats


@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_float_of_32_bits_has_the_name_of_its_shortest_text(value: float) -> None:
    if not (value.is_integer() and abs(value) >= 2**24):
        found = names_of_array(np.array([value], dtype=np.float32), place).tolist()
        assert found == names_of_texts([str(np.float32(value))], place).tolist()


@given(text=st.text(max_size=60))
def test_any_text_has_a_name_that_is_its_own_name_or_is_refused(text: str) -> None:
    try:
        name = names_of_texts([text], place).tolist()[0]
    except InputError:
        return
    assert names_of_texts([name], place).tolist() == [name]
    assert names_of_texts([unicodedata.normalize("NFD", text)], place).tolist() == [name]
    assert name.encode()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("_composed", lambda text: text, DECOMPOSED),
        ("_UNSEEN", {}, "7\u200b"),
        ("_of_float_text", lambda text: text, "7.0"),
        ("_TRUTHS", {}, "True"),
    ],
)
def test_a_rule_for_text_that_is_left_out_is_seen(monkeypatch, name: str, value: Any, text: str) -> None:
    test_text_has_the_name_of_what_it_reads_as(text, TEXTS[text])
    monkeypatch.setattr(names, name, value)
    with pytest.raises(AssertionError):
        test_text_has_the_name_of_what_it_reads_as(text, TEXTS[text])


def test_a_float_that_is_trusted_too_far_is_seen(monkeypatch, refusal) -> None:
    monkeypatch.setattr(names, "_LIMITS", dict.fromkeys(names._LIMITS, 2**60))
    large = np.array([2.0**53, 2.0**53 + 2])
    assert len(set(names_of_array(large, place).tolist())) == 2
    with pytest.raises(pytest.fail.Exception):
        refusal(names_of_array, large, place)
