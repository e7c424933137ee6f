"""Tensors with a few words about them in one safetensors file, as bytes that nobody has to trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import safetensors.torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.runs.files import strict_json

MAX_BYTES: Final = 2**30
"""Longest file that is read."""
_MAX_HEADER_BYTES: Final = 2**22
_LENGTH: Final = 8
_HEADER: Final = "gossamer"


def is_tensor_file(content: bytes) -> bool:
    """Tell if bytes may be a safetensors file: a header follows the eight bytes of its length."""
    return content[_LENGTH : _LENGTH + 1] == b"{"


def tensor_file(tensors: Mapping[str, Tensor], words: Mapping[str, str]) -> bytes:
    """Write tensors and words as the bytes of a safetensors file."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One name alone: safetensors writes several in an order drawn anew each time, so that one content had many files.
    return safetensors.torch.save(whole, metadata={_HEADER: json.dumps(dict(words), sort_keys=True)})


def read_tensor_file(content: bytes, where: str, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and words. No code is run.

    Args:
        content: of the file, not trusted.
        where: name of the file, for messages.
        kind: value that the word ``format`` must have.

    Raises:
        InputError: no such file, one of another kind, or one that is too long.
    """
    refusal = InputError(f"{where}: not a file of the kind {kind}; name the file as it was written")
    length = int.from_bytes(content[:_LENGTH], "little")
    if not is_tensor_file(content) or len(content) > MAX_BYTES or length > min(_MAX_HEADER_BYTES, len(content)):
        raise refusal
    try:
        words = _words(strict_json(content[_LENGTH : _LENGTH + length]))
        tensors = safetensors.torch.load(content) if words.get("format") == kind else None
    except MemoryError:
        raise
    except Exception:
        # All errors: the package's own error is no ancestor of the ones it raises for an unknown type or size.
        raise refusal from None
    if tensors is None:
        raise refusal
    return tensors, words


def _words(header: Any) -> dict[str, str]:
    words = header["__metadata__"]
    # Earlier builds wrote each word under a name of its own.
    words = strict_json(words[_HEADER].encode()) if set(words) == {_HEADER} else words
    if not all(isinstance(one, str) for pair in words.items() for one in pair):
        raise TypeError("words that are no text")
    return words
