"""The discriminative score: can a small network tell synthetic series from real ones?"""

from __future__ import annotations

import numpy as np

from gossamer.evaluation.bootstrap import mean_interval
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.matching import SeriesSet, at_most
from gossamer.evaluation.series.networks import SeriesCNN

MOST_SERIES = 4000
_TEST_SHARE = 0.3


def discriminative_score(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> Score:
    """Score the distance of a discriminator's accuracy from a coin's. In [0, 0.5], 0 is best.

    ::

        |accuracy on held-out series - 1/2|

    A `SeriesCNN` learns from seven tenths of either set, equally many, and is tested on the other three tenths. Its
    size is fixed, and its width is no fraction of the number of channels. The network finds any flaw that a small
    network can learn, a trace of noise as readily as a wrong rhythm. So 0.5 says that series can be told, not that they
    are of no use.

    Args:
        synthetic: series that are judged.
        real: series they are compared with. As many of either are used, at most 4,000.
        seed: parts the sets, and is the network's.

    Returns:
        The score. The interval is over the tested series, and ends at 0 where a coin lies within it.

    References:
        Yoon, Jarrett, van der Schaar, "Time-series generative adversarial networks", NeurIPS 2019, section 5.
    """
    number = min(len(synthetic), len(real), MOST_SERIES)
    sides = [at_most(side, number, seed=seed + place).x for place, side in enumerate((synthetic, real))]
    num_test = max(1, round(_TEST_SHARE * number))
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(number), (2, 1)), axis=1)
    tested, learnt = (
        np.concatenate([side[order[rows]] for side, order in zip(sides, orders)])
        for rows in (slice(num_test), slice(num_test, None))
    )
    network = SeriesCNN(seed)
    network.fit(learnt, np.repeat([0, 1], len(learnt) // 2))
    says_real = network.probabilities(tested).argmax(axis=1)
    is_right = (says_real == np.repeat([0, 1], num_test)).astype(np.float64)
    return _score(is_right, number, seed)


def _score(is_right: np.ndarray, number: int, seed: int) -> Score:
    low, high = (end - 0.5 for end in mean_interval(is_right, np.random.default_rng(seed)))
    return Score(
        name="discriminative_score", value=abs(float(is_right.mean()) - 0.5), low=0.0 if low <= 0 <= high else
        min(abs(low), abs(high)), high=max(abs(low), abs(high)), higher_is_better=False, num_synthetic=number,
        num_real=number, seeds=(seed,),
        source="Discriminative score (Yoon et al. 2019) by a convolutional network of fixed size: |accuracy - 1/2| on "
        f"{len(is_right)} held-out series, as many synthetic as real; interval over those.",
    )  # fmt: skip
