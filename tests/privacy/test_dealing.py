"""The key that deals units: labels by the whole identity, one law a purpose, and a secret that stays where it is."""

from __future__ import annotations

import copy
import pickle
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.errors import InputError
from gossamer.privacy.dealing import Dealt, Identities, UnitKey

SECRET = bytes(range(32))
KEY = UnitKey(SECRET)


def of_names(*names: int) -> Identities:
    """Digests that stand for numbers, all bytes but the first few 0."""
    digests = np.zeros((len(names), 32), dtype=np.uint8)
    digests[:, :8] = np.array(names, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return Identities.of_digests(digests)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 5), max_size=60), st.integers(0, 1))
def test_copies_are_numbered_within_each_digest(names: list[int], word: int) -> None:
    """Also where two digests share a word."""
    digests = np.zeros((len(names), 32), dtype=np.uint8)
    digests[:, 24 * word] = names
    copies = Identities.of_digests(digests).copies
    for name in set(names):
        own = sorted(copies[number] for number, one in enumerate(names) if one == name)
        assert own == list(range(len(own)))


def test_a_label_follows_from_every_byte_of_the_digest_the_copy_the_purpose_and_the_key() -> None:
    base = np.arange(32, dtype=np.uint8)
    digests = np.repeat(base[None], 34, axis=0)
    digests[np.arange(32), np.arange(32)] += 100
    copies = np.zeros(34, dtype=np.int64)
    copies[33] = 1
    units = Identities(digests=digests, copies=copies)
    numbers = KEY.uniform(Dealt.SHARD, units)
    assert len(set(numbers.tolist())) == 34
    assert not set(numbers.tolist()) & set(KEY.uniform(Dealt.SIDE, units).tolist())
    assert not set(numbers.tolist()) & set(UnitKey(SECRET[::-1]).uniform(Dealt.SHARD, units).tolist())
    assert np.array_equal(UnitKey(SECRET).uniform(Dealt.SHARD, units), numbers)


def test_labels_are_those_of_a_run_that_was_begun_with_an_older_version() -> None:
    """Pinned: were the function changed, a run taken up again would put people into two shards without a word."""
    labels, order = KEY.deal(Dealt.SHARD, of_names(*range(12)), 10)
    assert labels.tolist() == GOLDEN_LABELS
    assert order.tolist() == GOLDEN_ORDER
    assert KEY.uniform(Dealt.SIDE, of_names(*range(3))).tolist() == GOLDEN_SIDES


GOLDEN_LABELS = [3, 9, 1, 5, 4, 0, 1, 2, 6, 1, 0, 4]
GOLDEN_ORDER = [4, 3, 6, 9, 7, 11, 0, 10, 1, 2, 8, 5]
GOLDEN_SIDES = [0.36762037178287976, 0.3478506613177701, 0.6743924057425934]


def test_more_units_than_are_worked_at_at_once_have_the_labels_they_have_alone() -> None:
    units = of_names(*range(2**16 + 5))
    numbers = KEY.uniform(Dealt.SHARD, units)
    for first in (0, 2**16 - 2, 2**16, 2**16 + 4):
        assert KEY.uniform(Dealt.SHARD, of_names(first)).tolist() == [numbers[first]]


def test_a_million_units_take_under_a_second_and_a_hundred_megabytes() -> None:
    digests = np.random.default_rng(0).integers(0, 256, (1_000_000, 32), dtype=np.uint8)
    units, key = Identities(digests=digests, copies=np.zeros(len(digests), dtype=np.int64)), UnitKey.drawn()
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        key.deal(Dealt.SHARD, units, 6000)
        seconds.append(time.process_time() - begin)
    assert min(seconds) < 1
    tracemalloc.start()
    key.deal(Dealt.SHARD, units, 6000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_the_key_is_shown_written_and_copied_nowhere_but_where_it_is_asked_for() -> None:
    assert repr(KEY) == "UnitKey(hidden)"
    assert KEY.to_hex() == SECRET.hex()
    assert SECRET.hex() not in repr(vars(KEY)) or "_secret" in vars(KEY)
    assert len(KEY.digest) == 64
    assert KEY.digest not in (SECRET.hex(), UnitKey(bytes(32)).digest)
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            copied(KEY)
    assert UnitKey.drawn().digest != UnitKey.drawn().digest


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused_without_a_byte_of_it(length: int) -> None:
    with pytest.raises(InputError, match=f"32 bytes, not {length}") as refused:
        UnitKey(b"\x5a" * length)
    assert "5a5a" not in str(refused.value)


def test_identities_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="digests must be uint8"):
        Identities(digests=np.zeros((3, 16), dtype=np.uint8), copies=np.zeros(3, dtype=np.int64))
    with pytest.raises(ValueError, match="number of its copy"):
        Identities(digests=np.zeros((3, 32), dtype=np.uint8), copies=np.zeros(2, dtype=np.int64))
