"""GS-WGAN: its names and its account. Its work is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossamer.mechanisms.one_of_many.account import AccountOneOfMany
from gossamer.methods.method import Method

if TYPE_CHECKING:
    from gossamer.methods.gs_wgan.settings import GSWGANConfig
    from gossamer.methods.working import Working


def _working() -> Working[GSWGANConfig]:
    from gossamer.methods.gs_wgan.recipes import WORKING

    return WORKING


GS_WGAN = Method(
    name="gs-wgan",
    title="GS-WGAN",
    paper="Chen, Orekondy, Fritz: GS-WGAN, a gradient-sanitized approach for learning differentially private "
    "generators. NeurIPS 2020.",
    summary="a GAN: many critics on disjoint shards teach one generator; minutes to hours",
    account=AccountOneOfMany,
    working=_working,
    saves_on_the_way=True,
    works_between_sites=True,
)
