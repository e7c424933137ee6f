"""Maximum mean discrepancy: an unbiased distance between two laws, of which a few series suffice to tell."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.matching import SeriesSet

BANDWIDTHS = (0.05, 0.1, 0.2, 0.4)
"""Public and fixed, in root mean square difference per value: one fitted to the data would change from set to set."""
NUM_BLOCKS = 20


def mmd(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> Score:
    """Score the squared maximum mean discrepancy, unbiased. 0 is best, chance may take it a little below 0.

    With d(x, y)^2 the mean over channels and time of (x - y)^2, and h the public bandwidths::

        k(x, y) = mean over h of exp(-d(x, y)^2 / (2 h^2))
        MMD^2   = mean over i != j of k(s_i, s_j) + mean over i != j of k(r_i, r_j) - 2 mean over i, j of k(s_i, r_j)

    Both sets are cut at random into 20 blocks. The value is the mean of this estimate over the blocks, and as unbiased
    as each of them. The interval is Student's of the blocks' values, which are independent. The kernel is
    characteristic: two laws have discrepancy 0 only if they are one law. At most 1 + 1 = 2.

    Args:
        synthetic: series that are judged, at least 40.
        real: series they are compared with, at least 40, of the same shape.
        seed: draws the blocks.

    Raises:
        InputError: fewer than two series for each block.

    References:
        Gretton et al., "A kernel two-sample test", JMLR 2012, lemma 6. Zaremba, Gretton, Blaschko, "B-tests: low
        variance kernel two-sample tests", NeurIPS 2013 (blocks).
    """
    least = min(len(synthetic), len(real))
    if least < 2 * NUM_BLOCKS:
        raise InputError(f"{synthetic.name}: {least} series to compare; a discrepancy needs at least {2 * NUM_BLOCKS}")
    rng = np.random.default_rng(seed)
    blocks = [np.array_split(_flat(side.x)[rng.permutation(len(side))], NUM_BLOCKS) for side in (synthetic, real)]
    values = np.array([_squared_discrepancy(*pair) for pair in zip(*blocks)])
    value, low, high = _student_interval(values)
    return Score(
        name="mmd", value=value, low=low, high=high, higher_is_better=False, num_synthetic=len(synthetic),
        num_real=len(real), seeds=(seed,),
        source=f"Squared maximum mean discrepancy (Gretton et al. 2012), unbiased, mean of {NUM_BLOCKS} blocks, "
        f"Gaussian kernels of widths {', '.join(map(str, BANDWIDTHS))} in root mean square difference per value; "
        "interval over the choice of the series of both sets.",
    )  # fmt: skip


def _flat(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return series as rows. Their squared distance is the mean squared difference per value."""
    rows = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    return rows / math.sqrt(rows.shape[1])


def _squared_discrepancy(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    within = sum(
        (kernel.sum() - len(rows)) / (len(rows) * (len(rows) - 1))
        for rows, kernel in ((first, _kernel(first, first)), (second, _kernel(second, second)))
    )
    return float(within - 2 * _kernel(first, second).mean())


def _kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    # Exact differences: a diagonal of ones must be one of ones.
    squared = cdist(first, second, "sqeuclidean")
    return np.mean([np.exp(squared / (-2 * width**2)) for width in BANDWIDTHS], axis=0)


def _student_interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    from scipy.stats import t

    value = float(values.mean())
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return value, value - half, value + half
