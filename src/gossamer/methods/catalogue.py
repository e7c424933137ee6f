"""The methods: the only list of them, from which choices, settings in JSON, accounts, cards and reports follow."""

from __future__ import annotations

from typing import Any, Final

from gossamer.errors import InputError
from gossamer.methods.dp_cgan import DP_CGAN
from gossamer.methods.dp_merf import DP_MERF
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.methods.labelled_mixture import LABELLED_MIXTURE
from gossamer.methods.method import Method, Named

METHODS: tuple[Method[Any], ...] = (
    GS_WGAN,
    DP_CGAN,
    DP_MERF,
    DP_MIXTURE,
    LABELLED_MIXTURE,
)
"""In the order in which they are listed."""

RETIRED: Final = (Named(name="gs-wgan-started", title="GS-WGAN, started from DP-mixture", paper=GS_WGAN.paper),)
"""Methods that nobody can train by any more. Their releases are still shown and verified."""


def find_method(name: str) -> Method[Any]:
    """Return the method of a name.

    Raises:
        InputError: there is none.
    """
    for method in METHODS:
        if method.name == name:
            return method
    raise InputError(f"no method {name!r}; the methods are {', '.join(method.name for method in METHODS)}")


def method_of(config: object) -> Method[Any]:
    """Return the method that settings belong to.

    Raises:
        InputError: settings of no method.
    """
    for method in METHODS:
        if isinstance(config, method.config):
            return method
    raise InputError(f"{type(config).__name__} are settings of no method; use those of a recipe")


def settings_types() -> tuple[type, ...]:
    """Return the types of settings that a file may hold."""
    return tuple(method.config for method in METHODS)


def names_of(name: str) -> Named:
    """Return title and paper of a method, present or retired. An unknown one is called by its name."""
    known = (one for one in (*METHODS, *RETIRED) if one.name == name)
    return next(known, Named(name=name, title=name, paper=None))
