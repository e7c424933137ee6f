"""The two things that sites know together before a round: noisy sums and networks. Both are public."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gossamer.nn.ensemble import Tensors


@dataclass(frozen=True, kw_only=True, eq=False)
class SumsOfSites:
    """Noisy sums that several sites released together, from which a training goes on. All of it is public.

    Attributes:
        released: float32, one sum for each release made, in the order of the plan.
        multipliers: noise multiplier of each of these sums. It is that of a plan over all slots with this noise.
    """

    released: tuple[Tensor, ...]
    multipliers: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworksOfSites:
    """Networks that several sites train together, from which a training goes on. All of it is public.

    Attributes:
        step: private steps that the site has done, or others in its place.
        num_updates: private steps that led to the networks, one after the other. More than `step` if sites take turns,
            and fewer if sums came before.
        tensors: as `AbstractTraining.travelling` returns them.
    """

    step: int
    num_updates: int
    tensors: Tensors
