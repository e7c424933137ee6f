"""Independent libraries to compare with; one of them wants a torchvision, of which there is no CPU build."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

_TORCHVISION = ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional")


@pytest.fixture(scope="session")
def fidelity_modules() -> dict[str, ModuleType]:
    """torch-fidelity's modules by name, and with them torchmetrics, which imports it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _TORCHVISION:
            patch.setitem(sys.modules, name, ModuleType(name))
        for name in ("CIFAR10", "CIFAR100", "STL10"):
            patch.setattr(sys.modules["torchvision.datasets"], name, object, raising=False)
        importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    # Without the stand-in: torchmetrics would take it for the real torchvision.
    importlib.import_module("torchmetrics.image.fid")
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "torch_fidelity"}


@pytest.fixture
def torch_fidelity(fidelity_modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """torch-fidelity, importable during the test."""
    for name, module in fidelity_modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return fidelity_modules["torch_fidelity"]
