"""Random words addressed by counters: AES-256 applied to numbered blocks, each number used for one purpose."""

from __future__ import annotations

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gossamer.errors import ResourceError

KEY_BYTES = 32


class Keystream:
    """A pseudorandom function from block numbers to 128-bit words, as in AES counter mode.

    A block is a pair of unsigned 64-bit numbers ``(high, low)``. The caller decides their meaning. Equal blocks give
    equal words, so a caller that uses the stream for secrets must never ask for a block twice.

    Args:
        key: 32 bytes. It is handed to the cipher and kept nowhere else.

    Raises:
        ResourceError: the cipher cannot be set up.
    """

    def __init__(self, key: bytes) -> None:
        cipher, failure = None, ""
        try:
            cipher = Cipher(algorithms.AES(key), modes.ECB())
        except Exception as error:
            failure = type(error).__name__
        # Privacy: from here on no frame holds the key. The error below shows no local of it. It is raised outside the
        # handler, so that the cipher's own frames do not hang on it as its context.
        del key
        if cipher is None:
            raise ResourceError(
                f"AES-256 cannot be set up here ({failure}), so no noise can be drawn: install cryptography again"
            )
        self._cipher = cipher

    def words(self, high: np.ndarray | np.uint64, low: np.ndarray) -> np.ndarray:
        """Return two uniform 64-bit words for every block.

        Args:
            high: unsigned 64-bit block numbers, any shape that broadcasts with ``low``.
            low: unsigned 64-bit block numbers.

        Returns:
            uint64 array of the broadcast shape with one last axis of length 2.
        """
        blocks = np.empty((*np.broadcast_shapes(np.shape(high), low.shape), 2), dtype="<u8")
        blocks[..., 0], blocks[..., 1] = high, low
        # ECB over distinct counters is counter mode with a counter of our own choosing.
        cipher_text = self._cipher.encryptor().update(blocks.tobytes())
        return np.frombuffer(cipher_text, dtype="<u8").reshape(blocks.shape)

    def __repr__(self) -> str:
        return "Keystream(key hidden)"

    def __reduce__(self) -> tuple[()]:
        # Privacy: a pickled or copied stream would carry the key out of this process.
        raise TypeError("a keystream cannot be pickled or copied: its key stays in the process that drew it")


def key_from_seed(seed: int, purpose: str) -> bytes:
    """Return a key that anyone can recompute from a public seed: for tapes and tests, never for secrets."""
    return hashlib.sha256(f"gossamer public seed {seed} for {purpose}".encode()).digest()


def unit_interval(words: np.ndarray) -> np.ndarray:
    """Convert 64-bit words to uniform float64 numbers in [0, 1), by their upper 53 bits.

    >>> unit_interval(np.array([0, 2**63], dtype=np.uint64)).tolist()
    [0.0, 0.5]
    """
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
