"""A recipe: settings with a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

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
