"""Tensors with words about them: read as they were written, and nothing else is read."""

from __future__ import annotations

import json
import struct

import pytest
import torch

from gossamer.errors import InputError
from gossamer.runs.tensor_file import is_tensor_file, read_tensor_file, tensor_file

CONTENT = tensor_file({"sum": torch.arange(3.0)}, {"format": "one", "site": "north"})


def test_tensors_and_words_come_back() -> None:
    tensors, words = read_tensor_file(CONTENT, "file", "one")
    assert tensors["sum"].tolist() == [0, 1, 2]
    assert words == {"format": "one", "site": "north"}
    assert is_tensor_file(CONTENT)
    assert not is_tensor_file(json.dumps({"type": "plan"}, indent=2).encode())


def packed(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"12345678",
        CONTENT[:-1],
        packed(b"{}"),
        packed(b'{"__metadata__": {"format": 1}}'),
        packed(b'{"__metadata__": ["format"]}'),
        packed(b"{" + b"[" * 100_000),
        struct.pack("<Q", 2**60) + b"{}",
        tensor_file({}, {"format": "another"}),
    ],
    ids=range(9),
)
def test_any_other_file_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^file: not a file of the kind one"):
        read_tensor_file(content, "file", "one")
