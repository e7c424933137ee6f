"""EDF recordings."""

from types import ModuleType

from gossamer.extras import from_extra


def edf_package(purpose: str) -> ModuleType:
    """Import the package `pyedflib`, only when a file of its kind is read or written."""
    with from_extra("series", purpose):
        import pyedflib
    return pyedflib
