"""DP-CGAN: its names and its account. Its work is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossamer.mechanisms.poisson.account import AccountPoisson
from gossamer.methods.method import Method

if TYPE_CHECKING:
    from gossamer.methods.dp_cgan.settings import DPCGANConfig
    from gossamer.methods.working import Working


def _working() -> Working[DPCGANConfig]:
    from gossamer.methods.dp_cgan.recipes import WORKING

    return WORKING


DP_CGAN = Method(
    name="dp-cgan",
    title="DP-CGAN",
    paper="Torkzadehmahani, Kairouz, Paten: DP-CGAN, differentially private synthetic data and label generation. CVPR "
    "workshops 2019.",
    summary="a GAN: one discriminator trained by DP-SGD on random samples of the records; minutes",
    account=AccountPoisson,
    working=_working,
    saves_on_the_way=True,
    works_between_sites=True,
)
