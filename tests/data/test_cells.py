"""Columns of numbers side by side: all in one call, or one after the other, with the same result."""

from __future__ import annotations

import numpy as np
import pyarrow
import pytest

from gossamer.data import cells
from gossamer.data.cells import as_rows
from gossamer.errors import InputError

VALUES = {"a": [0.5, None, 2.0], "b": [1.0, float("nan"), -0.0], "c": [3.0, 4.0, 5.0]}


def test_columns_of_a_batch_are_read_in_one_call_as_they_are_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pyarrow.table(VALUES, schema=pyarrow.schema([(name, pyarrow.float64()) for name in VALUES]))
    expected = as_rows(table, ("c", "a", "b"), "x.csv")
    assert np.array_equal(expected, [[3, 0.5, 1], [4, np.nan, np.nan], [5, 2, 0]], equal_nan=True)
    monkeypatch.delattr(cells, "as_numbers")
    (batch,) = table.to_batches()
    found = as_rows(batch, ("c", "a", "b"), "x.csv")
    assert found.dtype == np.float64
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(as_rows(batch.slice(1), ("a",), "x.csv"), expected[1:, 1:2], equal_nan=True)


@pytest.mark.parametrize(("kind", "value"), [(pyarrow.int32(), 7), (pyarrow.float32(), 0.5), (pyarrow.string(), "2.5")])
def test_a_batch_of_several_kinds_of_columns_is_read_column_by_column(kind: pyarrow.DataType, value: object) -> None:
    batch = pyarrow.record_batch({"a": pyarrow.array([1.5]), "b": pyarrow.array([value], kind)})
    assert np.array_equal(as_rows(batch, ("a", "b"), "x.csv"), [[1.5, float(str(value))]])


def test_a_text_in_a_batch_is_refused_by_its_row() -> None:
    batch = pyarrow.record_batch({"a": pyarrow.array(["1", "high"])})
    with pytest.raises(InputError, match="column 'a', row 12 is text"):
        as_rows(batch, ("a",), "x.csv", 10)
