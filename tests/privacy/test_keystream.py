"""Numbered blocks of random words, and the key that nobody sees."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scipy import stats

from gossamer.privacy.keystream import Keystream, key_from_seed, unit_interval

KEY = bytes(range(32))


def test_words_are_those_of_aes_256_in_counter_mode() -> None:
    """The counter of a block, high word before low word, both little-endian, encrypted as NIST SP 800-38A has it."""
    high, low = np.uint64(3), np.arange(5, dtype=np.uint64)
    words = Keystream(KEY).words(high, low)
    for block in range(5):
        counter = (3).to_bytes(8, "little") + block.to_bytes(8, "little")
        stream = Cipher(algorithms.AES(KEY), modes.CTR(counter)).encryptor().update(bytes(16))
        assert words[block].tobytes() == stream


def test_the_cipher_gives_the_published_answer() -> None:
    """FIPS 197, appendix C.3: key 00 01 .. 1f, block 00 11 .. ff."""
    block = np.frombuffer(bytes.fromhex("00112233445566778899aabbccddeeff"), dtype="<u8")
    words = Keystream(KEY).words(block[:1], block[1:])
    assert words.tobytes().hex() == "8ea2b7ca516745bfeafc49904b496089"


def test_shapes_broadcast_and_no_blocks_give_no_words() -> None:
    stream = Keystream(KEY)
    assert stream.words(np.uint64(1), np.zeros((2, 3), dtype=np.uint64)).shape == (2, 3, 2)
    assert stream.words(np.uint64(1), np.zeros((2, 0), dtype=np.uint64)).shape == (2, 0, 2)


def test_distinct_blocks_give_distinct_words_and_equal_blocks_equal_ones() -> None:
    stream = Keystream(KEY)
    numbers = np.arange(200, dtype=np.uint64)
    words = stream.words(numbers[:, None], numbers[None, :]).reshape(-1, 2)
    assert len(np.unique(words, axis=0)) == 200 * 200
    assert np.array_equal(words.reshape(200, 200, 2)[7, 9], stream.words(np.uint64(7), np.uint64(9)))


@pytest.mark.parametrize("leave", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_keystream_is_neither_copied_nor_pickled(leave: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        leave(Keystream(KEY))


def test_the_key_shows_in_no_text() -> None:
    stream = Keystream(KEY)
    text = repr(stream) + str(stream) + f"{vars(stream)}"
    assert KEY.hex() not in text
    assert repr(KEY) not in text


def test_keys_differ_between_seeds_and_purposes() -> None:
    keys = {key_from_seed(seed, purpose) for seed in range(10) for purpose in ("a", "b")}
    assert len(keys) == 20
    assert {len(key) for key in keys} == {32}


def test_the_unit_interval_is_half_open_and_evenly_filled() -> None:
    """Deterministic words; a law that is 3 % too narrow is rejected."""
    assert unit_interval(np.array([2**64 - 1, 0], dtype=np.uint64)).tolist() == [1 - 2**-53, 0.0]
    numbers = unit_interval(Keystream(KEY).words(np.uint64(1), np.arange(50_000, dtype=np.uint64))).ravel()
    assert stats.kstest(numbers, "uniform").pvalue > 1e-6
    assert stats.kstest(0.97 * numbers, "uniform").pvalue < 1e-6
