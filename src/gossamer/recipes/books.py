"""The methods that can be asked for by name, each with its recipes."""

from __future__ import annotations

from typing import Any

from gossamer.errors import InputError
from gossamer.methods.gs_wgan import GSWGANConfig
from gossamer.recipes.gs_wgan import GS_WGAN_BOOK
from gossamer.recipes.recipe import RecipeBook

MethodConfig = GSWGANConfig
"""Settings of any of them."""

BOOKS: tuple[RecipeBook[Any], ...] = (GS_WGAN_BOOK,)
"""In the order in which they are listed."""


def find_book(name: str) -> RecipeBook[Any]:
    """The recipes of a method.

    Raises:
        InputError: no method of that name.
    """
    for book in BOOKS:
        if book.method.name == name:
            return book
    raise InputError(f"no method {name!r}; the methods are {', '.join(book.method.name for book in BOOKS)}")


def book_of(config: Any) -> RecipeBook[Any]:
    """The recipes of the method that settings belong to.

    Raises:
        InputError: settings of no method.
    """
    for book in BOOKS:
        if isinstance(config, book.method.config):
            return book
    raise InputError(f"{type(config).__name__} are settings of no method")
