"""Who is who, as digests: of a person's name, or of the content of a record that has no name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from torch import Tensor

from gossamer.privacy.dealing import DIGEST_BYTES


def digests_of_names(names: Iterable[str]) -> np.ndarray:
    """Digests of names, as `data.names` writes them: uint8 (names, 32). Private: whoever guesses a name can confirm it.

    >>> digests_of_names(["7", "anna"]).shape
    (2, 32)
    """
    blake = hashlib.blake2b
    found = [blake(b"name " + name.encode(), digest_size=DIGEST_BYTES).digest() for name in names]
    return np.frombuffer(b"".join(found), dtype=np.uint8).reshape(-1, DIGEST_BYTES)


def digests_of_contents(x: Tensor, y: Tensor | None) -> np.ndarray:
    """Digests of all that a training reads of each record, its values and its label: uint8 (records, 32). Private.

    Args:
        x: float32 (records, ...).
        y: int64 (records,), or None.
    """
    values = np.ascontiguousarray(x.numpy(), dtype="<f4").reshape(len(x), -1)
    labels = np.full(len(x), -1) if y is None else y.numpy()
    ends = labels.astype("<i8")[:, None].view(np.uint8)
    blake = hashlib.blake2b
    found = [
        blake(row.data, digest_size=DIGEST_BYTES, key=b"content", salt=end.tobytes()).digest()
        for row, end in zip(values, ends, strict=True)
    ]
    return np.frombuffer(b"".join(found), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
