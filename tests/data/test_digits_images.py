"""The digits of scikit-learn: counts, range, a split that never moves."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import torch

from gossamer.data.digits import load_digits, published_order

FIRST_EIGHT = [571, 70, 431, 1555, 527, 366, 458, 695]
ORDER_SHA256 = "80a9d63ed6c4039c08ff4734c97ebb098fad23c0ec66ac5d5b27a11d36a490f0"


def test_the_split_is_the_published_one_and_loses_no_record() -> None:
    order = published_order(1797)
    assert sorted(order.tolist()) == list(range(1797))
    # Frozen: another split would make scores of different versions incomparable.
    assert order[:8].tolist() == FIRST_EIGHT
    assert hashlib.sha256(order.numpy().astype("<i8").tobytes()).hexdigest() == ORDER_SHA256


def test_the_digits_have_their_published_counts() -> None:
    data = load_digits()
    assert data.test is not None
    assert (data.train.num_records, data.test.num_records) == (1437, 360)
    assert data.train.y is not None
    assert data.test.y is not None
    counts = torch.bincount(torch.cat([data.train.y, data.test.y]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.train.spec.shape == (1, 8, 8)


def test_sixteen_grays_become_the_unit_range() -> None:
    x = load_digits().train.x
    assert (x.min().item(), x.max().item()) == (0.0, 1.0)
    assert torch.equal(x * 16, (x * 16).round())


def test_importing_the_package_does_not_import_scikit_learn() -> None:
    code = "import sys, gossamer.data; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
