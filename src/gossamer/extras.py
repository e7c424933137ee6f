"""The extras of the package: an error of one line says which extra brings a missing module, and how to get it."""

from __future__ import annotations

import importlib.util
from types import TracebackType
from typing import Final, Literal, final

from gossamer.errors import InputError

Extra = Literal["evaluate", "series", "report", "tensorboard", "inception", "views", "dicom", "demo", "federated"]

MODULES: Final[dict[Extra, tuple[str, ...]]] = {
    "evaluate": ("joblib", "matplotlib", "sklearn", "threadpoolctl", "xgboost"),
    "series": ("dtaidistance", "matplotlib", "pyarrow", "pyedflib", "wfdb"),
    "report": ("jinja2", "matplotlib"),
    "tensorboard": ("tensorboard",),
    "inception": ("torch_fidelity",),
    "views": ("datasets", "pandas"),
    "dicom": ("pydicom",),
    "demo": ("mlxtend",),
    "federated": ("flwr", "httpx"),
}
"""The modules of each extra, by the names of their imports. ``pyproject.toml`` has them by the names of pip."""

_PACKAGES: Final = {"sklearn": "scikit-learn", "torch_fidelity": "torch-fidelity"}


class MissingExtra(InputError):
    """An error about a missing module that an extra of the package brings. Exit code 2."""


def need(extra: Extra, purpose: str) -> None:
    """Refuse to begin a piece of work if the extra that it needs is not installed. Nothing is imported.

    Args:
        extra: The name in ``pip install 'gossamer[NAME]'``.
        purpose: The work that needs it, in words that begin a sentence: ``"gossamer demo"``.

    Raises:
        MissingExtra: A module of the extra is not installed.
    """
    for name in MODULES[extra]:
        if importlib.util.find_spec(name) is None:
            raise MissingExtra(_asking_for(name, extra, purpose))


@final
class from_extra:
    """A block of imports that need an extra of the package. If one is missing, the error says which extra brings it.

    The bare install trains, samples, accounts and verifies. Modules of an extra are imported at their place of use, in
    such a block. They are never imported when a file of the package is loaded.

    Args:
        extra: The name in ``pip install 'gossamer[NAME]'``.
        purpose: The work that needs the module, in words that begin a sentence: ``"a CSV table"``.

    Raises:
        MissingExtra: A module is not installed.

    Example:
        >>> with from_extra("series", "a CSV table"):
        ...     import no_such_module
        Traceback (most recent call last):
        gossamer.extras.MissingExtra: a CSV table needs no_such_module, ...: pip install 'gossamer[series]'
    """

    def __init__(self, extra: Extra, purpose: str) -> None:
        self._extra: Extra = extra
        self._purpose = purpose

    def __enter__(self) -> None:
        """Do nothing: the block itself tries its imports."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Turn the lack of a module into one line. A lack inside Gossamer itself is a fault and stays one."""
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            name = error.name.partition(".")[0]
            if name != "gossamer":
                raise MissingExtra(_asking_for(name, self._extra, self._purpose)) from None


def _asking_for(name: str, extra: Extra, purpose: str) -> str:
    package = _PACKAGES.get(name, name)
    return f"{purpose} needs {package}, which is not installed: pip install 'gossamer[{extra}]'"
