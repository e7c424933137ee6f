"""The encoder of series: a fixed network with public random weights. Clouds are compared in its features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gossamer.evaluation.series.networks import RandomConvolutions

NUM_FEATURES = 64
SEED = 20_240_607
_SCALE = 10.0


def encode(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute features of series, each independent of the others: (num_series, 64).

    Two convolutions of 7 values with GELU, pooling to eight places in time, a random projection to 64, times 10. The
    weights are drawn from a fixed seed and never trained, and hold nothing of the data. So all figures in these
    features compare with each other for series of one number of channels, also between data sets and users. They know
    no classes: small things that matter to a cardiologist they may weigh little.

    Args:
        x: (num_series, channels, time) in [0, 1], time at least 4.

    References:
        Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020, section 4.3 (features
        of untrained networks, where no pre-trained one fits).

    >>> encode(np.zeros((3, 1, 20))).shape
    (3, 64)
    """
    return _SCALE * RandomConvolutions(NUM_FEATURES, x.shape[1], SEED).features(x)


def description() -> str:
    """Describe the space of the features in words, for sources of scores."""
    return f"{NUM_FEATURES} features of an untrained convolutional network with public weights"
