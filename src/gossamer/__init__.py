"""Gossamer: learn from private images, and release a generator in their place, under a guarantee that is true.

In a hurry: ``GSWGAN(epsilon=10.0).fit(images, labels).sample(1000)``. With the loop in your own hands:
`GSWGANTraining`. What something costs, without any data: `gossamer.privacy`. Names are imported when they are first
used, so that ``import gossamer`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gossamer.errors import GossamerError, InputError, PrivacyError, ResourceError

if TYPE_CHECKING:
    from gossamer.data.catalogue import load_records
    from gossamer.data.images import ImageSpec
    from gossamer.data.records import RecordData, RecordSet
    from gossamer.estimators import GSWGAN, ReleasedGenerator, load
    from gossamer.mechanisms.noise import KeyedNoise
    from gossamer.methods.gs_wgan import GSWGANConfig, GSWGANTraining, calibrate
    from gossamer.methods.trained import TrainedGenerator
    from gossamer.privacy.budget import PrivacyBudget
    from gossamer.privacy.statement import PrivacyStatement

__all__ = [
    "GSWGAN",
    "GSWGANConfig",
    "GSWGANTraining",
    "GossamerError",
    "ImageSpec",
    "InputError",
    "KeyedNoise",
    "PrivacyBudget",
    "PrivacyError",
    "PrivacyStatement",
    "RecordData",
    "RecordSet",
    "ReleasedGenerator",
    "ResourceError",
    "TrainedGenerator",
    "calibrate",
    "load",
    "load_records",
]

_HOMES = {
    "GSWGAN": "gossamer.estimators",
    "GSWGANConfig": "gossamer.methods.gs_wgan",
    "GSWGANTraining": "gossamer.methods.gs_wgan",
    "RecordData": "gossamer.data.records",
    "RecordSet": "gossamer.data.records",
    "ImageSpec": "gossamer.data.images",
    "KeyedNoise": "gossamer.mechanisms.noise",
    "PrivacyBudget": "gossamer.privacy.budget",
    "PrivacyStatement": "gossamer.privacy.statement",
    "ReleasedGenerator": "gossamer.estimators",
    "TrainedGenerator": "gossamer.methods.trained",
    "calibrate": "gossamer.methods.gs_wgan",
    "load": "gossamer.estimators",
    "load_records": "gossamer.data.catalogue",
}


def __getattr__(name: str) -> Any:
    """A public name, imported from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gossamer' has no name {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
