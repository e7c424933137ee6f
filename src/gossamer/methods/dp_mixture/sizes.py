"""Sizes of a mixture that its noise bears, from public numbers alone: components, and the radius of frequencies."""

from __future__ import annotations

import math
from typing import Final

NUM_ROUNDS: Final = 4
"""Rounds that move centres if there are several components."""
MOST_COMPONENTS: Final = 150
"""Largest number for a class, which holds a release to some megabytes."""
COARSE_RADIUS: Final = 13.0
"""Radius of frequencies of images under much noise."""
FINE_RADIUS: Final = 18.0
"""Radius of frequencies of images under little noise, which keeps almost twice as many."""
_FINE_NOISE: Final = 1 / 75
"""Largest noise on the second moment, in squares of its radius, under which the finer frequencies repay their noise."""
_SKEW: Final = 2.0
"""Records of a large class over those of a class of average size."""
_WORTHWHILE: Final = 4
"""Smallest number of components of an average class that repays the budget of the rounds."""


def borne_components(
    *, num_records: int, num_classes: int, dim: int, round_multiplier: float, centre_noise: float
) -> int:
    r"""Return the number of components of a class that the noise of the rounds bears.

    Let :math:`\sigma` be the noise multiplier of a round, and R its radius. The mean of a component of n records has
    noise of deviation :math:`2 \sigma R / n` on each of d directions. The length of the noise is at most the part c of
    the radius if

    .. math:: n \ge 2 \sigma \sqrt{d} / c.

    A class may be twice as large as the average, and so have twice as many. If an average class bears fewer than four,
    they are not worth the budget of the rounds: then there is one.

    Guarantee: a function of public numbers alone.

    Args:
        num_records: public number of slots to learn from.
        num_classes: C, at least 1.
        dim: d, directions of the space of the components.
        round_multiplier: noise multiplier of one round.
        centre_noise: c.

    Returns:
        1, or 8 to 150. It falls with the noise, the classes and the directions.

    >>> facts = dict(num_records=60_000, num_classes=10, dim=40, centre_noise=0.066)
    >>> [borne_components(round_multiplier=sigma, **facts) for sigma in (16.7, 5.5, 2.24)]
    [1, 11, 27]
    """
    least = 2 * round_multiplier * math.sqrt(dim) / centre_noise
    average = min(num_records / (num_classes * least), MOST_COMPONENTS)
    return min(math.floor(_SKEW * average), MOST_COMPONENTS) if average >= _WORTHWHILE else 1


def borne_radius(*, num_records: int, num_channels: int, subspace_multiplier: float) -> float:
    r"""Return the radius of frequencies of images that the noise of the second moment bears.

    The subspace is taken from a second moment of F features, about :math:`\pi r^2 / 4` a channel for the radius of
    frequencies r. Let :math:`\sigma` be the noise multiplier of that release, N the number of records and R its radius.
    The largest eigenvalue of the noise is about :math:`2 \sigma \sqrt{F} R^2 / N`. The finer of two radii is taken if
    this is at most one part in 75 of :math:`R^2`. Edges then gain more than the noise on more features costs. Both
    radii, and the part, were chosen on public images that were handed over as one's own (docs/experiments.md).

    Guarantee: a function of public numbers alone.

    Args:
        num_records: public number of slots to learn from.
        num_channels: of the images.
        subspace_multiplier: noise multiplier of the release of the second moment.

    Returns:
        13 or 18.

    >>> [borne_radius(num_records=4_000, num_channels=1, subspace_multiplier=sigma) for sigma in (8.7, 3.3, 1.2)]
    [13.0, 13.0, 18.0]
    """
    root_of_features = FINE_RADIUS * math.sqrt(math.pi / 4 * num_channels)
    noise = 2 * subspace_multiplier * root_of_features / num_records
    return FINE_RADIUS if noise <= _FINE_NOISE else COARSE_RADIUS
