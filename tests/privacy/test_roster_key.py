"""One shard for each person of a public roster: whoever has records, and all ways alike."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from gossamer.data.identities import digests_of_names
from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.partition import deal
from gossamer.privacy.dealing import Dealt, Identities, UnitKey

ROSTER = [f"p{number}" for number in range(12)]


def people(names: list[str]) -> Identities:
    return Identities(digests=digests_of_names(names), copies=np.zeros(len(names), dtype=np.int64))


def shards(names: list[str], secret: bytes = bytes(32), roster: list[str] = ROSTER) -> dict[str, int]:
    key = UnitKey(secret).by_roster(digests_of_names(roster))
    labels, order = key.deal(Dealt.SHARD, people(names), len(roster))
    assert sorted(order.tolist()) == list(range(len(names)))
    return dict(zip(names, labels.tolist(), strict=True))


def test_each_person_of_the_roster_has_a_shard_of_their_own() -> None:
    assert sorted(shards(ROSTER).values()) == list(range(12))
    # The break: dealt by the key alone, some share a shard.
    labels, _ = UnitKey(bytes(32)).deal(Dealt.SHARD, people(ROSTER), 12)
    assert len(set(labels.tolist())) < 12


def test_the_shard_of_a_person_does_not_follow_from_who_else_has_records_nor_from_the_order_of_the_roster() -> None:
    whole = shards(ROSTER)
    for gone in ROSTER:
        left = [name for name in reversed(ROSTER) if name != gone]
        assert shards(left) == {name: whole[name] for name in left}
    assert shards(ROSTER, roster=ROSTER[::-1]) == whole


def test_all_matches_of_names_and_shards_are_alike() -> None:
    """Chi-square of the 6 matches of 3 people over 3,000 keys. A true match is refused once in a million."""
    limit, names = 35.9, ROSTER[:3]

    def chi_square(found: Counter[tuple[int, ...]]) -> float:
        return sum((found[way] - 500) ** 2 / 500 for way in itertools.permutations(range(3)))

    secrets = [number.to_bytes(32, "big") for number in range(3000)]
    found = Counter(tuple(shards(names, secret, names).values()) for secret in secrets)
    assert sum(found.values()) == 3000
    assert chi_square(found) < limit
    # The break: places on the roster turned by a secret number. Each person lies in each shard as often as in others,
    # and one person replaced by another moves a third.
    turned = Counter(tuple((place + secret[-1]) % 3 for place in range(3)) for secret in secrets)
    assert chi_square(turned) > limit


def test_a_shard_holds_the_records_of_one_person_and_that_of_an_absent_one_is_empty() -> None:
    present = ROSTER[::2]
    key = UnitKey(bytes(32)).by_roster(digests_of_names(ROSTER))
    owner = torch.arange(30) % len(present)
    table = deal(people(present), 12, key).shard_table(unit_of_record=owner)
    all_shards = torch.arange(12)
    held = [set(owner[table.records[shard][table.present(all_shards)[shard]]].tolist()) for shard in range(12)]
    assert sorted(map(len, held)) == [0] * 6 + [1] * 6
    assert int(table.is_empty(all_shards).sum()) == 6


def test_somebody_who_is_not_on_it_is_refused_without_a_name() -> None:
    with pytest.raises(InputError, match="not on the roster") as caught:
        shards([*ROSTER, "Anna"])
    assert "Anna" not in str(caught.value)


def test_another_number_of_critics_is_refused() -> None:
    key = UnitKey(bytes(32)).by_roster(digests_of_names(ROSTER))
    with pytest.raises(InputError, match="leave num_critics out"):
        key.deal(Dealt.SHARD, people(ROSTER), 13)


def test_it_is_the_key_of_the_run_and_hides_it_as_well() -> None:
    key = UnitKey(bytes(32)).by_roster(digests_of_names(ROSTER))
    assert (key.digest, key.to_hex()) == (UnitKey(bytes(32)).digest, UnitKey(bytes(32)).to_hex())
    assert "hidden" in repr(key)
    side = people(ROSTER)
    assert (key.uniform(Dealt.SIDE, side) == UnitKey(bytes(32)).uniform(Dealt.SIDE, side)).all()
