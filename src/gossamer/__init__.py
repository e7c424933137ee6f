"""Gossamer: learn from private records, and release a generator in their place, under a guarantee that is true.

The shortest use is ``gossamer.fit(images, labels, epsilon=1.0).sample(1000)``, which chooses a method by public facts.
``DPMixture(epsilon=1.0).fit(images, labels)`` names one, and every method is such a class. Its `start` leaves the
training loop to the caller. `as_series` and `load_series` make records of time series.
`gossamer.privacy` tells the price of a training without any data. Names are imported when they are first used, so that
``import gossamer`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gossamer.errors import GossamerError, GossamerWarning, InputError, PrivacyError, ResourceError

if TYPE_CHECKING:
    from gossamer.data.catalogue import load_records
    from gossamer.data.records import RecordData, RecordSet
    from gossamer.driving.loop import RunLoop
    from gossamer.estimators import (
        DPCGAN,
        DPMERF,
        GSWGAN,
        DPMixture,
        EvaluationScores,
        LabelledMixture,
        PlannedTraining,
        ReleasedGenerator,
        SyntheticDataset,
        as_images,
        as_series,
        fit,
        load,
        load_series,
    )
    from gossamer.methods.training import Progress
    from gossamer.nn.registered import register_critic, register_generator
    from gossamer.privacy.dealing import UnitKey
    from gossamer.privacy.statement import PrivacyStatement
    from gossamer.runs.converting import convert_images

    __version__: str

__all__ = [
    "DPCGAN",
    "DPMERF",
    "GSWGAN",
    "DPMixture",
    "EvaluationScores",
    "GossamerError",
    "GossamerWarning",
    "InputError",
    "LabelledMixture",
    "PlannedTraining",
    "PrivacyError",
    "PrivacyStatement",
    "Progress",
    "RecordData",
    "RecordSet",
    "ReleasedGenerator",
    "ResourceError",
    "RunLoop",
    "SyntheticDataset",
    "UnitKey",
    "as_images",
    "as_series",
    "convert_images",
    "fit",
    "load",
    "load_records",
    "load_series",
    "register_critic",
    "register_generator",
]

_HOMES = {
    "DPCGAN": "gossamer.estimators",
    "DPMERF": "gossamer.estimators",
    "DPMixture": "gossamer.estimators",
    "EvaluationScores": "gossamer.estimators",
    "GSWGAN": "gossamer.estimators",
    "LabelledMixture": "gossamer.estimators",
    "PlannedTraining": "gossamer.estimators",
    "PrivacyStatement": "gossamer.privacy.statement",
    "Progress": "gossamer.methods.training",
    "RecordData": "gossamer.data.records",
    "RecordSet": "gossamer.data.records",
    "ReleasedGenerator": "gossamer.estimators",
    "RunLoop": "gossamer.driving.loop",
    "SyntheticDataset": "gossamer.estimators",
    "UnitKey": "gossamer.privacy.dealing",
    "as_images": "gossamer.estimators",
    "as_series": "gossamer.estimators",
    "convert_images": "gossamer.runs.converting",
    "fit": "gossamer.estimators",
    "load": "gossamer.estimators",
    "load_records": "gossamer.data.catalogue",
    "load_series": "gossamer.estimators",
    "register_critic": "gossamer.nn.registered",
    "register_generator": "gossamer.nn.registered",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("gossamer")
    if name not in _HOMES:
        raise AttributeError(f"module 'gossamer' has no name {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
