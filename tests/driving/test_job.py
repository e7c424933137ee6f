"""A training as the run folder remembers it: the digest of its records."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch

from gossamer.data.identities import digests_of_names
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.driving.job import data_digest


def test_the_digest_is_that_of_all_bytes_one_after_the_other() -> None:
    x = torch.arange(3 * 16, dtype=torch.float32).reshape(3, 1, 4, 4) / 48
    spec = ImageSpec(channels=1, height=4, width=4, class_names=("a", "b"))
    names = digests_of_names(["anna", "bert"])
    y, people = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])
    records = RecordSet(name="t", spec=spec, x=x, y=y, people=people, num_people=2, person_digests=names)
    parts = [x.numpy().tobytes(), y.numpy().tobytes(), *(names[person].tobytes() for person in (1, 0, 1))]
    # Runs of before are known by this digest.
    assert data_digest(records) == hashlib.sha256(b"".join(parts)).hexdigest()
    turned = x.transpose(2, 3)
    assert data_digest(replace(records, x=turned)) != data_digest(records)
    assert data_digest(replace(records, x=turned)) == data_digest(replace(records, x=turned.contiguous()))
