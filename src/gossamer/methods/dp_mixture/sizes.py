"""The number of components of a mixture that its noise bears, from public numbers alone."""

from __future__ import annotations

import math
from typing import Final

NUM_ROUNDS: Final = 4
"""Rounds that move centres if there are several components."""
MOST_COMPONENTS: Final = 150
"""Largest number for a class, which holds a release to some megabytes."""
_SKEW: Final = 2.0
"""Records of a large class over those of a class of average size."""
_WORTHWHILE: Final = 4
"""Smallest number of components that repays the budget of the rounds."""


def borne_components(
    *, num_records: int, num_classes: int, dim: int, round_multiplier: float, centre_noise: float
) -> int:
    return 1
