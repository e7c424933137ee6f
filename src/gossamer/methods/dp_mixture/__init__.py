"""DP-mixture: its names and its account. Its work is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossamer.mechanisms.one_shot.account import AccountOneShot
from gossamer.methods.method import Method

if TYPE_CHECKING:
    from gossamer.methods.dp_mixture.settings import DPMixtureConfig
    from gossamer.methods.working import Working


def _working() -> Working[DPMixtureConfig]:
    from gossamer.methods.dp_mixture.recipes import WORKING

    return WORKING


DP_MIXTURE = Method(
    name="dp-mixture",
    title="DP-mixture",
    paper=None,
    summary="Gaussians drawn from a few noisy moments: seconds, and the best scores here; begin with it",
    account=AccountOneShot,
    working=_working,
    saves_on_the_way=False,
    works_between_sites=True,
    classifies=True,
)
