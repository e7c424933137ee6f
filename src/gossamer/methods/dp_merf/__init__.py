"""DP-MERF: its names and its account. Its work is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossamer.mechanisms.one_shot.account import AccountOneShot
from gossamer.methods.method import Method

if TYPE_CHECKING:
    from gossamer.methods.dp_merf.settings import DPMERFConfig
    from gossamer.methods.working import Working


def _working() -> Working[DPMERFConfig]:
    from gossamer.methods.dp_merf.recipes import WORKING

    return WORKING


DP_MERF = Method(
    name="dp-merf",
    title="DP-MERF",
    paper="Harder, Adamczewski, Park: DP-MERF, differentially private mean embeddings with random features for "
    "practical privacy-preserving data generation. AISTATS 2021.",
    summary="a generator fitted to one noisy mean of random features: a minute or two",
    account=AccountOneShot,
    working=_working,
    saves_on_the_way=False,
    works_between_sites=True,
)
