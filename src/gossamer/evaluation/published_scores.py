"""Scores that the literature reports, as data, each with the epsilon claimed and the real cost of that run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class PublishedScores:
    """One row of a published comparison.

    Args:
        data: which data set, by the name that ``--data`` takes.
        method: its name.
        claimed: epsilon as published.
        really: the real cost of such a run, in words.
        scores: name of a score -> figure as published.
        source: who published it.
    """

    data: str
    method: str
    claimed: str
    really: str
    source: str
    scores: Mapping[str, float] = field(default_factory=dict)


_NO_FINITE = "no finite one as the code stands"
_MENDED = f"{_NO_FINITE}; 329 to 347 were it mended"
_CHEN = "Chen et al. 2020"
_ECG = "the ECG study"
_HARDER = "Harder et al. 2021"


def _row(data: str, method: str, claimed: str, really: str, source: str, **scores: float) -> PublishedScores:
    return PublishedScores(data=data, method=method, claimed=claimed, really=really, source=source, scores=scores)


# fmt: off
PUBLISHED_SCORES = (
    _row("mnist", "GS-WGAN", "10", _MENDED, _CHEN, inception_score=9.23, avg12=0.60, mlp_accuracy=0.79,
         cnn_accuracy=0.80),
    _row("mnist", "GS-WGAN", "10", _MENDED, _ECG, inception_score=9.17, avg12=0.558),
    _row("mnist", "DP-CGAN", "9.6", _NO_FINITE, _CHEN, inception_score=4.76, mlp_accuracy=0.60, cnn_accuracy=0.63),
    _row("mnist", "DP-CGAN", "10", _NO_FINITE, _ECG, inception_score=4.59, avg12=0.355),
    _row("mnist", "DP-MERF", "1", "1", _HARDER, avg12=0.652, mlp_accuracy=0.807),
    _row("fashion-mnist", "GS-WGAN", "10", _MENDED, _CHEN, inception_score=5.32, avg12=0.53, mlp_accuracy=0.65,
         cnn_accuracy=0.65),
    _row("fashion-mnist", "GS-WGAN", "10", _MENDED, _ECG, inception_score=5.03, avg12=0.515),
    _row("fashion-mnist", "DP-CGAN", "9.6", _NO_FINITE, _CHEN, inception_score=3.55, mlp_accuracy=0.50,
         cnn_accuracy=0.46),
    _row("fashion-mnist", "DP-CGAN", "10", _NO_FINITE, _ECG, inception_score=3.69, avg12=0.34),
    _row("fashion-mnist", "DP-MERF", "1", "1", _HARDER, avg12=0.620, mlp_accuracy=0.739),
)
# fmt: on
"""All figures that the study compares itself with. Inception scores are of other encoders and do not compare."""


def published_scores(data: str) -> tuple[PublishedScores, ...]:
    """Rows of one data set, none if nothing was published.

    >>> [one.method for one in published_scores("mnist")]
    ['GS-WGAN', 'GS-WGAN', 'DP-CGAN', 'DP-CGAN', 'DP-MERF']
    """
    return tuple(one for one in PUBLISHED_SCORES if one.data == data)
