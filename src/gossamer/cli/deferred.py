"""Packages with a first file that is slow: it waits until a name is asked for that no other file has."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any


def defer(name: str) -> None:
    """Import a package without its first file, in this process. Its other files can be imported as ever.

    The first file of dp-accounting imports all accountants, and scipy.stats with them, which takes a second. Most
    commands need its events alone. A request for another name of the package runs the first file. All is then as if
    this function had not been called.

    Args:
        name: of a package. Nothing is done if it is imported already, or is not installed.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    loader, package = spec.loader, importlib.util.module_from_spec(spec)

    def find(asked: str) -> Any:
        """Return a module of the package, or else an attribute of the package, which is then loaded whole.

        Raises:
            AttributeError: it has no such attribute.
        """
        if asked.startswith("__"):
            raise AttributeError(f"module {name!r} has no attribute {asked!r}")
        if importlib.util.find_spec(f"{name}.{asked}") is not None:
            return importlib.import_module(f"{name}.{asked}")
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, asked)

    package.__dict__["__getattr__"] = find
    sys.modules[name] = package
