"""The 8x8 handwritten digits that ship inside scikit-learn: 1,797 images, ten classes, no download."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.records import PublishedCounts, RecordData, RecordSet
from gossamer.extras import from_extra

if TYPE_CHECKING:
    import torch

DIGITS_SPEC: Final = ImageSpec(channels=1, height=8, width=8, class_names=tuple("0123456789"))
NUM_DIGITS: Final = 1797
NUM_TRAIN_DIGITS: Final = 1437


def load_digits(images: ImageChoice = AS_STORED) -> RecordData:
    """Load the digits, scaled from 0 .. 16 to [0, 1], in a fixed public split.

    The first 1,437 in the order of `published_order` are for training, the other 360 for testing. The split looks at no
    pixel and no label.

    Args:
        images: Way of reading images.

    Returns:
        1,437 training and 360 test images, of 8 x 8 pixels if `images` says no other size.

    References:
        E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998 (its test part).
    """
    import torch

    # Imported here, since scikit-learn takes longer to load than the rest of the package and only the digits need it.
    with from_extra("evaluate", "the data set digits"):
        from sklearn.datasets import load_digits as load_sklearn_digits

    pixels, labels = cast("tuple[np.ndarray, np.ndarray]", load_sklearn_digits(return_X_y=True))
    stored = pixels.reshape(-1, *DIGITS_SPEC.shape)
    x = torch.from_numpy(images.read(stored, lambda block, _: (block / 16).astype(np.float32)))
    spec = replace(DIGITS_SPEC, height=x.shape[2], width=x.shape[3])
    y = torch.from_numpy(labels.astype(np.int64))
    order = published_order(NUM_DIGITS)
    facts = "Shape, classes" if images.size is None else "Classes"
    train, test = order[:NUM_TRAIN_DIGITS], order[NUM_TRAIN_DIGITS:]
    return RecordData(
        train=RecordSet(name="digits", spec=spec, x=x[train], y=y[train]),
        test=RecordSet(name="digits test", spec=spec, x=x[test], y=y[test]),
        public_notes=(f"{facts} and split are those published for scikit-learn's digits.", *images.notes),
        published=PublishedCounts(num_records=NUM_TRAIN_DIGITS),
    )


def published_order(num_records: int) -> torch.Tensor:
    """Return a fixed order of records that come with a package, int64 (num_records,).

    It sorts them by the raw 64-bit outputs of PCG64, seeded with their number. That is a stream that numpy guarantees
    not to change, so that the same records are held out in every version.
    """
    import torch

    keys = np.random.PCG64(num_records).random_raw(num_records)
    return torch.from_numpy(np.argsort(keys, kind="stable"))
