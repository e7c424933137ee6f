"""Verdicts of classifiers that were fitted and tested on real series alone, kept for the next target."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gossamer.evaluation.series.downstream import Verdict
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.workers import Task, TaskKey
from gossamer.runs.cache import CacheFolder, content_key

_KIND = "series-verdicts"
_VERSIONED = ("numpy", "scikit-learn", "scipy", "xgboost-cpu", "xgboost", "dtaidistance")


class KeptVerdicts:
    """Verdicts on real series in the private cache, by the content of all real series and by the libraries' versions.

    Guarantee: none. All of it saw private data, and a name in the cache is a digest of them.

    Args:
        cache: where they are kept.
        real: the real sets by name, which all fits to be kept learn from and judge.
        num_classes: of the real data.
    """

    def __init__(self, cache: CacheFolder, real: Mapping[str, SeriesSet], num_classes: int) -> None:
        self._cache, self._names = cache, frozenset(real)
        arrays = {f"{name} x": one.x for name, one in real.items()}
        arrays |= {f"{name} y": one.y for name, one in real.items() if one.y is not None}
        self._key = content_key(arrays, {"versions": _versions(), "num_classes": num_classes})
        found: tuple[dict[str, Tensor], dict[str, str]] = cache.load_tensors(_KIND, self._key) or ({}, {})
        self._probabilities, self._notes = found
        self._num_saved = len(self._probabilities)

    def known(self, fits: Sequence[Task]) -> dict[TaskKey, dict[str, Verdict]]:
        """Return the verdicts of those fits that are kept."""
        return {fit.key: self._verdicts(fit) for fit in fits if self._is_real(fit) and _name(fit) in self._notes}

    def add(self, fit: Task, verdicts: Mapping[str, Verdict]) -> None:
        """Take verdicts to keep. Those on synthetic series are left out."""
        if self._is_real(fit):
            for name in fit.tests:
                self._probabilities[f"{_name(fit)} on {name}"] = torch.from_numpy(verdicts[name].probabilities)
                self._notes[_name(fit)] = verdicts[name].note

    def save(self) -> None:
        """Write them, if any are new."""
        if len(self._probabilities) > self._num_saved:
            self._cache.save_tensors(_KIND, self._key, self._probabilities, self._notes)

    def _is_real(self, fit: Task) -> bool:
        return {fit.train, *fit.tests} <= self._names

    def _verdicts(self, fit: Task) -> dict[str, Verdict]:
        return {
            name: Verdict(
                classifier=fit.classifier.name,
                seed=fit.seed,
                probabilities=self._probabilities[f"{_name(fit)} on {name}"].numpy(),
                note=self._notes[_name(fit)],
            )
            for name in fit.tests
        }


def _name(fit: Task) -> str:
    return f"{fit.classifier.name} {fit.seed} of {fit.train}"


def _versions() -> dict[str, str]:
    """Return the versions of the libraries that classifiers of series depend on. XGBoost has two names."""
    found = {}
    for name in _VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
