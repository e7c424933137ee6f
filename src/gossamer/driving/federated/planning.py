"""A plan between sites is made: noise for the budget of each site, and sizes that suit all of them together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.driving.federated.asking import AllAtOnce, InTurn
from gossamer.driving.federated.plan import (
    FederatedPlan,
    SiteTerms,
    check_works_between_sites,
    multiplier_together,
    sums_in,
)
from gossamer.methods.catalogue import method_of
from gossamer.methods.method import Method, TakenRecipe
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.site_claims import check_site_name
from gossamer.privacy.slots import PublicSlots

NUM_ROUNDS: Final = 20
"""Rounds of networks of each site, unless others are asked for."""


@dataclass(frozen=True, kw_only=True)
class SiteWish:
    """Number of slots and budget of a site, for a plan that is to be made.

    Attributes:
        name: of the site.
        num_slots: public number of slots.
        budget: of the site, for all rounds.
    """

    name: str
    num_slots: int
    budget: PrivacyBudget


def make_plan(
    config: Any,
    spec: ImageSpec | SeriesSpec,
    recipe: TakenRecipe,
    unit: Unit,
    wishes: Sequence[SiteWish],
    version: str,
    *,
    steps_per_round: int | None = None,
    turns: AllAtOnce | InTurn | None = None,
) -> FederatedPlan:
    """Make the plan of a training between sites: noise for the budget of each, and sizes that suit all together.

    Guarantee: a function of public things alone.

    Args:
        config: settings of the method. A noise multiplier in them is left out.
        spec: public form of the records.
        recipe: origin of the settings.
        unit: content of a slot.
        wishes: of the sites.
        version: of this library.
        steps_per_round: private steps of each site in a round of networks. None for a method that sends sums alone, and
            for `NUM_ROUNDS` rounds of networks.
        turns: the sites that a round asks. None for all of them.

    Raises:
        InputError: settings or sites that do not fit.
        PrivacyError: a budget without an honest guarantee.
    """
    method = method_of(config)
    check_works_between_sites(method)
    config = replace(config, noise_multiplier=None)
    if method.sends_sums:
        config.records.check(spec)
    terms = tuple(_terms(method, config, unit, wish) for wish in wishes)
    if method.sends_networks and steps_per_round is None and terms:
        steps_per_round = _usual_steps(method, config, unit, terms[0])
    plan = FederatedPlan(
        study=os.urandom(16).hex(),
        unit=unit.value,
        sites=terms,
        spec=spec,
        recipe=recipe,
        method=_settled(method, config, unit, terms),
        gossamer_version=version,
        steps_per_round=steps_per_round,
        turns=AllAtOnce() if turns is None else turns,
    )
    # Read back once, so that a 6 that becomes 6.0 on its way through a file is no change.
    plan = FederatedPlan.read(plan.to_bytes(), "plan.json")
    for site in plan.sites:
        plan.price_of(site)
    return plan


def _settled(method: Method[Any], config: Any, unit: Unit, terms: Sequence[SiteTerms]) -> Any:
    """Settle the sizes that were left to the noise, by that of all sites together: they are the same at each."""
    if not terms:
        return config  # a plan without a site is refused
    num_slots = sum(site.num_slots for site in terms)
    noise = multiplier_together(terms, num_slots)
    settled = method.sized(replace(config, noise_multiplier=noise), PublicSlots(num_slots, unit))
    return replace(settled, noise_multiplier=None)


def _usual_steps(method: Method[Any], config: Any, unit: Unit, site: SiteTerms) -> int:
    """Return the private steps in a round of networks if there are `NUM_ROUNDS` of them."""
    settings = replace(config, noise_multiplier=site.noise_multiplier)
    part = method.plan(settings, PublicSlots(site.num_slots, unit))
    sums = sums_in(part)
    return -(-(part.num_steps - (0 if sums is None else sums.num_steps)) // NUM_ROUNDS)


def _terms(method: Method[Any], config: Any, unit: Unit, wish: SiteWish) -> SiteTerms:
    slots = PublicSlots(wish.num_slots, unit)
    noise = method.calibrate(config, slots, wish.budget).noise_multiplier
    return SiteTerms(
        name=check_site_name(wish.name),
        num_slots=wish.num_slots,
        epsilon=wish.budget.epsilon,
        delta=wish.budget.delta,
        noise_multiplier=noise,
    )
