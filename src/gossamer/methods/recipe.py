"""A recipe, settings with a name, and a book, the recipes of one method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gossamer.data.catalogue import is_named
from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError
from gossamer.methods.method import Method

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class Recipe(Generic[C]):
    """Settings with a name.

    Attributes:
        name: as typed after --recipe.
        summary: one line.
        config: settings, without a noise multiplier: the multiplier follows from the budget.
        shape: of the records that the recipe is for, if a data set comes in several layouts. None for any.
    """

    name: str
    summary: str
    config: C
    shape: tuple[int, ...] | None = None

    def suits(self, data: str, shape: tuple[int, ...] | None) -> bool:
        """Tell if the recipe is for a published data set, and for records of a shape if one is given."""
        is_named = self.name == data or self.name.startswith(f"{data}-")
        return is_named and (shape is None or self.shape in (None, shape))


@dataclass(frozen=True, kw_only=True)
class RecipeBook(Generic[C]):
    """All recipes of a method.

    Attributes:
        method: owner of the settings.
        recipes: for published data sets. A recipe's name begins with that of its data set. Of several for one data set
            the first is taken if none is named.
        for_own: shape and number of slots -> settings for a user's own records.
    """

    method: Method[C]
    recipes: tuple[Recipe[C], ...]
    for_own: Callable[[AbstractSpec, int], Recipe[C]]

    def find(self, name: str) -> Recipe[C]:
        """Return the recipe of that name.

        Raises:
            InputError: there is none.
        """
        for recipe in self.recipes:
            if recipe.name == name:
                return recipe
        names = ", ".join(recipe.name for recipe in self.recipes)
        raise InputError(f"no recipe {name!r} of {self.method.name}; the recipes are {names}")

    def named(self, recipe: str | None, data: str, shape: tuple[int, ...] | None) -> Recipe[C] | None:
        """Return the recipe that was named, or the first for a published data set, or None.

        Args:
            recipe: name of the recipe, None if none was named.
            data: name of a data set, or anything else.
            shape: of its records, None if it is not known.

        Raises:
            InputError: no recipe of that name.
        """
        if recipe is not None:
            return self.find(recipe)
        return self.find_for(data, shape) if is_named(data) and self.has_for(data, shape) else None

    def has_for(self, data: str, shape: tuple[int, ...] | None = None) -> bool:
        """Tell if there is a recipe for a published data set, in the layout with records of this shape."""
        return any(recipe.suits(data, shape) for recipe in self.recipes)

    def find_for(self, data: str, shape: tuple[int, ...] | None = None) -> Recipe[C]:
        """Return the first recipe for a published data set, in the layout with records of this shape.

        Raises:
            InputError: there is none.
        """
        for recipe in self.recipes:
            if recipe.suits(data, shape):
                return recipe
        raise InputError(f"{self.method.name} has no recipe for {data}; name one with --recipe")
