"""Labelled mixture: its names and its account. Its work is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossamer.mechanisms.sums_then_samples.account import AccountSumsThenSamples
from gossamer.methods.method import Method

if TYPE_CHECKING:
    from gossamer.methods.labelled_mixture.settings import LabelledMixtureConfig
    from gossamer.methods.working import Working


def _working() -> Working[LabelledMixtureConfig]:
    from gossamer.methods.labelled_mixture.recipes import WORKING

    return WORKING


LABELLED_MIXTURE = Method(
    name="labelled-mixture",
    title="Labelled mixture",
    paper=None,
    summary="a mixture, and a private teacher that names its samples and classifies records: a minute",
    account=AccountSumsThenSamples,
    working=_working,
    saves_on_the_way=False,
    classifies=True,
    works_between_sites=True,
)
