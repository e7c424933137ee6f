"""The claims of two sites, for statements and reports of a release that was made between them."""

from __future__ import annotations

from gossamer.privacy.events import GaussianPart
from gossamer.privacy.site_claims import SiteClaim


def two_sites(*, epsilon: float = 1.0, delta: float = 1e-4, noise_multiplier: float = 10.0) -> tuple[SiteClaim, ...]:
    """Claims of a site in the north and one in the south, alike, after one round."""
    return tuple(
        SiteClaim(
            name=name, num_slots=500, epsilon=epsilon, delta=delta, answered=(1,), num_rounds=1,
            event=(GaussianPart(noise_multiplier=noise_multiplier, count=1),),
        )
        for name in ("north", "south")
    )  # fmt: skip
