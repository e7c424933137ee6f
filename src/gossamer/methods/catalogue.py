"""The methods that a user can name, each with its recipes."""

from __future__ import annotations

from typing import Any

from gossamer.errors import InputError
from gossamer.methods.dp_cgan.recipes import DP_CGAN_BOOK
from gossamer.methods.dp_cgan.training import DPCGANConfig
from gossamer.methods.dp_merf.recipes import DP_MERF_BOOK
from gossamer.methods.dp_merf.training import DPMERFConfig
from gossamer.methods.dp_mixture.recipes import DP_MIXTURE_BOOK
from gossamer.methods.dp_mixture.training import DPMixtureConfig
from gossamer.methods.gs_wgan.recipes import GS_WGAN_BOOK
from gossamer.methods.gs_wgan.training import GSWGANConfig
from gossamer.methods.recipe import RecipeBook

MethodConfig = GSWGANConfig | DPCGANConfig | DPMERFConfig | DPMixtureConfig
"""Settings of any method."""

BOOKS: tuple[RecipeBook[Any], ...] = (GS_WGAN_BOOK, DP_CGAN_BOOK, DP_MERF_BOOK, DP_MIXTURE_BOOK)
"""Recipes of all methods, in the order in which methods are listed."""


def find_book(name: str) -> RecipeBook[Any]:
    """Return the recipes of a method.

    Raises:
        InputError: no method of that name.
    """
    for book in BOOKS:
        if book.method.name == name:
            return book
    raise InputError(f"no method {name!r}; the methods are {', '.join(book.method.name for book in BOOKS)}")


def book_of(config: Any) -> RecipeBook[Any]:
    """Return the recipes of the method that settings belong to.

    Raises:
        InputError: settings of no method.
    """
    for book in BOOKS:
        if isinstance(config, book.method.config):
            return book
    raise InputError(f"{type(config).__name__} are settings of no method; use those of a recipe")
