"""Shape and classes of the records that settings are for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gossamer.data.records import MAX_VALUES, AbstractSpec
from gossamer.errors import InputError


@dataclass(frozen=True, kw_only=True)
class RecordsExpected:
    """Shape and classes of the records that settings are for, if released sums depend on them. Public.

    Attributes:
        shape: of one record, channels first: (channels, height, width) or (channels, length).
        num_classes: 0 for records without labels.
    """

    shape: tuple[int, ...] = (1, 28, 28)
    num_classes: int = 10

    def __post_init__(self) -> None:
        if len(self.shape) not in (2, 3) or min(self.shape) < 1 or math.prod(self.shape) > MAX_VALUES:
            raise InputError(f"shape must be (channels, height, width) or (channels, length), got {self.shape}")
        if self.num_classes < 0:
            raise InputError(f"num_classes must be at least 0, got {self.num_classes}")

    @classmethod
    def of(cls, spec: AbstractSpec) -> RecordsExpected:
        """Return shape and classes of a data set."""
        return cls(shape=spec.shape, num_classes=spec.num_classes)

    @property
    def num_groups(self) -> int:
        """Number of classes, or 1 for records without labels."""
        return max(self.num_classes, 1)

    def check(self, spec: AbstractSpec) -> None:
        """Refuse a data set of another shape or other classes.

        Raises:
            InputError: they differ.
        """
        if (self.shape, self.num_classes) != (spec.shape, spec.num_classes):
            raise InputError(
                f"the settings are for num_classes {self.num_classes} of shape {self.shape} but the data has "
                f"{spec.num_classes} of shape {spec.shape}: take the recipe for this data"
            )
