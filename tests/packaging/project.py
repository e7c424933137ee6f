"""pyproject.toml and lock.txt as data."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DEPENDENCIES: Final[list[str]] = PROJECT["dependencies"]
EXTRAS: Final[dict[str, list[str]]] = PROJECT["optional-dependencies"]
_IMPORTED: Final = {
    "dp-accounting": "dp_accounting", "pillow": "PIL", "scikit-learn": "sklearn", "torch-fidelity": "torch_fidelity",
    "xgboost-cpu": "xgboost",
}  # fmt: skip


def canonical(name: str) -> str:
    """A name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_name(requirement: Requirement) -> str:
    """The name under which a package is imported."""
    return _IMPORTED.get(requirement.name, requirement.name)


def names_of(extra: str) -> set[str]:
    """Every package that an extra asks for, by the names of an index, through extras that it names itself."""
    found: set[str] = set()
    for one in map(Requirement, EXTRAS[extra]):
        if one.name == "gossamer":
            found |= set().union(*(names_of(inner) for inner in one.extras))
        else:
            found.add(canonical(one.name))
    return found


def locked(lock: str = "lock.txt") -> dict[str, str]:
    """Name of a package, as an index compares it -> its version in a lock."""
    lines = (ROOT / lock).read_text(encoding="utf-8").split()
    return {canonical(name): version for name, version in (line.split("==") for line in lines)}
