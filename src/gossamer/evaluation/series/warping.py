"""Dynamic time warping to the nearest series of the other side."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gossamer.evaluation.bootstrap import mean_interval
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.matching import SeriesSet, at_most
from gossamer.extras import from_extra

MOST_SERIES = 400
_BAND = 0.1


def warping_distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the warped distance of every series of one set to every series of another.

    ::

        DTW(x, y) = min over paths of sqrt(sum over steps (s, t) of |x(s) - y(t)|^2 / (channels time))

    A path goes from (0, 0) to the last pair by steps of one in s, in t, or in both, all channels together. It stays
    within a tenth of the length of the diagonal. A straight path gives the root mean square difference per value, so
    that is the most it can be.

    Args:
        first: (num_first, channels, time).
        second: (num_second, channels, time).

    Returns:
        (num_first, num_second).

    References:
        Sakoe, Chiba, "Dynamic programming algorithm optimization for spoken word recognition", 1978.
    """
    with from_extra("series", "warped distance"):
        from dtaidistance import dtw, dtw_ndim

    _, channels, length = first.shape
    both = np.concatenate([first, second]).astype(np.float64)
    block = ((0, len(first)), (len(first), len(both)))
    # Its window counts the diagonal.
    settings = {"block": block, "window": 1 + math.ceil(_BAND * length), "parallel": False, "use_c": True}
    if channels == 1:
        found = dtw.distance_matrix(np.ascontiguousarray(both[:, 0]), **settings)
    else:
        found = dtw_ndim.distance_matrix(np.ascontiguousarray(both.transpose(0, 2, 1)), ndim=channels, **settings)
    return found[: len(first), len(first) :] / math.sqrt(channels * length)


def dtw_distances(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> tuple[Score, Score]:
    """Score the mean warped distance to the nearest series of the other side, both ways. At least 0, lower is better.

    ``dtw_distance`` goes from each synthetic series to the nearest real one: how much a synthetic series looks like
    some real one, shifts in time forgiven. It does not see that all look like the same one. ``dtw_distance_real``, of
    real training series, tells the value to be reached. ``dtw_distance_to_synthetic`` goes from each real series to the
    nearest synthetic one, and sees which are missing.

    Args:
        synthetic: series that are judged. At most 400, drawn at random, are used.
        real: series they are compared with, likewise.
        seed: draws them and the resamples of the intervals.

    Returns:
        The two scores. Intervals over the series that are averaged, with the other side held fixed.
    """
    made, kept = (at_most(side, MOST_SERIES, seed=seed) for side in (synthetic, real))
    distances = warping_distances(made.x, kept.x)
    rng = np.random.default_rng(seed)
    ways = {
        "dtw_distance": "synthetic to the nearest real",
        "dtw_distance_to_synthetic": "real to the nearest synthetic",
    }
    scores = []
    for axis, (name, way) in zip((1, 0), ways.items()):
        nearest = distances.min(axis=axis)
        low, high = mean_interval(nearest, rng)
        scores.append(Score(
            name=name, value=float(nearest.mean()), low=low, high=high, higher_is_better=False,
            num_synthetic=len(made), num_real=len(kept), seeds=(seed,),
            source=f"Dynamic time warping (Sakoe, Chiba 1978; band of a tenth), root mean square per value, from "
            f"each {way} series; interval over the series that are averaged, the others held fixed.",
        ))  # fmt: skip
    return scores[0], scores[1]
