"""The predictive score: does a predictor of the next value that learnt from synthetic series hold for real ones?"""

from __future__ import annotations

import numpy as np

from gossamer.evaluation.bootstrap import mean_interval
from gossamer.evaluation.score import Basis, Score
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.series.networks import CONTEXT, HIDDEN, NextValue

MOST_SERIES = 4000


def predictive_score(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> Score:
    """Score the mean absolute error of the next value on real series, after training on synthetic ones.

    In [0, 1], 0 is best.

    `NextValue`, of fixed width 24, sees the 31 values before, of all channels. Compare with ``predictive_score_real``,
    the same after training on real series. It sees the short-term course alone, and is forgiving: repeating the last
    value scores well on slow series.

    Args:
        synthetic: series to learn from. The first 4,000 are used.
        real: series to be tested on.
        seed: of the predictor and of the resamples.

    Returns:
        The score. The interval is over the real series, the predictor held fixed.

    References:
        Yoon, Jarrett, van der Schaar, "Time-series generative adversarial networks", NeurIPS 2019, section 5.
    """
    predictor = NextValue(seed)
    learnt = synthetic.x[:MOST_SERIES]
    predictor.fit(learnt)
    errors = predictor.errors(real.x)
    source = (
        f"Predictive score (Yoon et al. 2019) by a causal convolutional network of width {HIDDEN} that sees {CONTEXT} "
        "values: mean absolute error on real series; interval over those."
    )
    basis = Basis(num_synthetic=len(learnt), num_real=len(real), seeds=(seed,), source=source)
    interval = float(errors.mean()), *mean_interval(errors, np.random.default_rng(seed))
    return basis.distance("predictive_score", interval)
