"""The plan of a training between sites: method, form of the records, and the price that each site pays. All public."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Final

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.driving.federated.asking import AbstractTurns, AllAtOnce, InTurn
from gossamer.errors import GossamerError, InputError, PrivacyError, told
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.methods.catalogue import METHODS, method_of, settings_types
from gossamer.methods.method import Method, TakenRecipe
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.events import check_noise_multiplier
from gossamer.privacy.priceable import check_numbers, price
from gossamer.privacy.site_claims import MAX_SITES, check_site_name
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import shown_finely
from gossamer.runs.config_io import OneOf, from_json_tree, to_json_tree
from gossamer.runs.files import strict_json

MAX_PLAN_BYTES: Final = 2**20
"""Longest plan that is read."""
MAX_ROUNDS: Final = 1000
"""Most rounds of a plan."""
STUDY: Final = re.compile(r"[0-9a-f]{32}")
"""Form of the id of a study."""
MAX_NUMBERS: Final = 2**26
"""Most numbers that travel at once, 256 MB in a file. They take memory before a plan from others is refused."""
_TOO_LARGE: Final = f"a plan of networks of more than {MAX_NUMBERS} numbers, moments included: ask for smaller ones"
_TOLERANCE: Final = 1e-6
_LEAST_NOISE: Final = 1e-3
_MOST_NOISE: Final = 1e6


@dataclass(frozen=True, kw_only=True)
class SiteTerms:
    """The public terms of one site.

    Attributes:
        name: of the site.
        num_slots: public number of slots, at least that of the units there.
        epsilon: budget of the site for all rounds.
        delta: of the site, below one over its slots.
        noise_multiplier: of all its releases together, in 0.001 .. 1e6. Its own accountant finds epsilon from it.
    """

    name: str
    num_slots: int
    epsilon: float
    delta: float
    noise_multiplier: float

    def __post_init__(self) -> None:
        check_site_name(self.name)
        PublicSlots(self.num_slots)
        PrivacyBudget(epsilon=self.epsilon, delta=self.delta)
        check_delta(self.delta, self.num_slots)
        check_noise_multiplier(self.noise_multiplier)
        # The noise of the other sites is in no price of this one, and squares of any number need not be numbers.
        if not _LEAST_NOISE <= self.noise_multiplier <= _MOST_NOISE:
            raise InputError(
                f"the noise multiplier of the site {self.name} must lie in {_LEAST_NOISE:g} .. {_MOST_NOISE:g}"
            )


@dataclass(frozen=True, kw_only=True)
class FederatedPlan:
    """A training of one method on the records of several sites, which stay where they are.

    Sums over the records of different sites are sums over disjoint records, so they add. Their noise adds too. Networks
    that each site has trained for a block of private steps are averaged by public numbers of slots. If a method has
    both, all sums come first.

    Guarantee: the plan proves nothing by itself. A site prices its own part anew, by `price_of`, and holds it against
    its own cap. A record that lies at one site is protected by the part of that site alone.

    Attributes:
        study: 32 hexadecimal digits, drawn with the plan. One study has one plan.
        unit: content of a slot, at every site.
        sites: in the order in which they are named everywhere.
        spec: public form of the records.
        recipe: origin of the settings.
        method: settings without a noise multiplier, their sizes settled.
        gossamer_version: that made the plan.
        steps_per_round: private steps of each site in a round of networks, for a method that sends some. None for a
            method that sends sums alone. A sum has a round of its own.
        turns: the sites that a round asks. A method that sends sums alone asks all at once.

    Raises:
        InputError: no site, two of one name, a method that does not work between sites, or rounds that it cannot have.
        PrivacyError: a delta that is not below one over the number of all slots.
    """

    study: str
    unit: UnitName
    sites: tuple[SiteTerms, ...]
    spec: ImageSpec | SeriesSpec
    recipe: TakenRecipe
    method: Annotated[Any, OneOf(settings_types)]
    gossamer_version: str
    steps_per_round: int | None = None
    turns: AllAtOnce | InTurn = field(default_factory=AllAtOnce)

    def __post_init__(self) -> None:
        if not STUDY.fullmatch(self.study):
            raise InputError("the id of a study has 32 hexadecimal digits")
        Unit(self.unit)
        names = [site.name for site in self.sites]
        if not 1 <= len(names) <= MAX_SITES or len(set(names)) < len(names):
            raise InputError(f"a plan needs 1 to {MAX_SITES} sites, each of its own name")
        check_works_between_sites(self.of_method)
        if self.method.noise_multiplier is not None:
            raise InputError("the settings of a plan leave the noise to its sites: leave noise_multiplier out")
        check_delta(self.delta, self.num_slots)
        self._check_sizes()
        check_steps_per_round(self.of_method, self.steps_per_round)
        check_turns(self.of_method, self.turns)
        if self.num_rounds > MAX_ROUNDS:
            raise InputError(
                f"{self.num_rounds} rounds, and a plan has {MAX_ROUNDS} at most: give more --steps-per-round"
            )
        sums = sums_in(self.part_of(self.sites[0]))
        largest = 0 if sums is None else max(one.contribution.size for one in sums.releases)
        if largest > MAX_NUMBERS:
            raise InputError(
                f"a sum of {largest} numbers in a plan, at most {MAX_NUMBERS} travel: ask for smaller sizes"
            )
        if sum(map(math.prod, self.networks.values())) > MAX_NUMBERS:
            raise InputError(_TOO_LARGE)

    def _check_sizes(self) -> None:
        """Refuse sizes that are left to the noise: each site would settle them by its own.

        Raises:
            InputError: some are.
        """
        noisy = replace(self.method, noise_multiplier=multiplier_together(self.sites, self.num_slots))
        if self.of_method.sized(noisy, PublicSlots(self.num_slots, Unit(self.unit))) != noisy:
            raise InputError(
                "the settings of a plan leave a size to the noise, which is another at each site: make the plan by "
                "`gossamer federate plan`, which settles it"
            )

    @property
    def of_method(self) -> Method[Any]:
        """The method that the settings are of."""
        return method_of(self.method)

    @functools.cached_property
    def networks(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the tensors of networks that travel, by name. Empty for a method that sends sums.

        Raises:
            InputError: networks that do not work between sites, are too large, or cannot be made.
        """
        from gossamer.nn.allowance import Allowance

        try:
            with Allowance(MAX_NUMBERS // 2, _TOO_LARGE):
                made = self.of_method.travelling(self.method, self.spec)
        except GossamerError:
            raise
        except (RuntimeError, ValueError, ArithmeticError, TypeError, LookupError):
            raise InputError("a plan of networks that cannot be made: ask for other sizes") from None
        return {name: tuple(tensor.shape) for name, tensor in made.items()}

    @property
    def num_slots(self) -> int:
        """Public number of slots of all sites together."""
        return sum(site.num_slots for site in self.sites)

    @property
    def delta(self) -> float:
        """The smallest delta of a site, that of the claim for all."""
        return min(site.delta for site in self.sites)

    @property
    def num_rounds(self) -> int:
        """Number of rounds of all sites together."""
        return self.turns.num_rounds(self.num_sums, self.num_rounds_of_a_site - self.num_sums, len(self.sites))

    @property
    def num_rounds_of_a_site(self) -> int:
        """Number of rounds that ask a site: one for each sum, and block of steps. The last block may be shorter."""
        return self.num_sums + -(-self.num_network_steps // (self.steps_per_round or 1))

    def asked(self, number: int) -> tuple[str, ...]:
        """Return the names of the sites that a round asks, by its number from 0."""
        return self.turns.asked(number, self.num_sums, [site.name for site in self.sites])

    def may_pass(self, number: int) -> bool:
        """Tell if a round, by its number from 0, may go on without any answer."""
        return self.turns.may_pass(number, self.num_sums)

    def part_asked(self, number: int) -> int:
        """Return the part of a site's work that a round asks for, both from 0: a sum, or a block of private steps."""
        return self.turns.part_of(number, self.num_sums, len(self.sites))

    @property
    def num_steps(self) -> int:
        """Private steps of each site in all rounds."""
        return self.part_of(self.sites[0]).num_steps

    @functools.cached_property
    def num_sums(self) -> int:
        """Number of sums, which are the first private steps, each in a round of its own."""
        sums = sums_in(self.part_of(self.sites[0]))
        return 0 if sums is None else sums.num_steps

    @property
    def num_network_steps(self) -> int:
        """Private steps of each site that train networks, after the sums."""
        return self.num_steps - self.num_sums

    def steps_of(self, number: int) -> range:
        """Return the private steps of the sites that a round asks, from 0: those of no site are others'."""
        part, first, size = self.part_asked(number), self.num_sums, self.steps_per_round or 1
        if part < first:
            return range(part, part + 1)
        start = first + (part - first) * size
        return range(start, min(start + size, self.num_steps))

    def site(self, name: object) -> SiteTerms:
        """Return the terms of a site.

        Raises:
            InputError: the plan has no site of that name.
        """
        for site in self.sites:
            if site.name == name:
                return site
        raise InputError(
            f"no site {told(name)} in this plan; its sites are {', '.join(one.name for one in self.sites)}"
        )

    def slots_of(self, site: SiteTerms) -> PublicSlots:
        """Return the public slots of a site."""
        return PublicSlots(site.num_slots, Unit(self.unit))

    def settings_of(self, site: SiteTerms) -> Any:
        """Return the settings of a site, with its own noise."""
        return replace(self.method, noise_multiplier=site.noise_multiplier)

    def part_of(self, site: SiteTerms) -> AbstractPlan:
        """Return the mechanism, noise and price of a site."""
        return self.of_method.plan(self.settings_of(site), self.slots_of(site))

    def sums_of(self, site: SiteTerms) -> OneShotPlan:
        """Return the sums in the part of a site, for a method that sends sums."""
        return _one_shot(self.part_of(site))

    @functools.cached_property
    def whole(self) -> OneShotPlan:
        """The sums with the noise of all sites together, over all slots, for a method that sends sums."""
        return _one_shot(self.combined(self.multiplier_of([site.name for site in self.sites])))

    def combined(self, multiplier: float) -> AbstractPlan:
        """Return the mechanism over all slots, with a noise multiplier."""
        config = replace(self.method, noise_multiplier=multiplier)
        return self.of_method.plan(config, PublicSlots(self.num_slots, Unit(self.unit)))

    def share_of(self, names: Collection[str]) -> float:
        """Return the slots of some sites over those of all, in (0, 1]."""
        return sum(site.num_slots for site in self.sites if site.name in names) / self.num_slots

    def multiplier_of(self, names: Collection[str]) -> float:
        r"""Compute the noise multiplier of the sum of some sites, scaled to all slots.

        The sum over sites S has noise of variance :math:`\sum_{i \in S} \sigma_i^2`. It stands for the slots of these
        sites, and is multiplied by :math:`n / n_S` to stand for all.
        """
        return multiplier_together([site for site in self.sites if site.name in names], self.num_slots)

    def price_of(self, site: SiteTerms) -> PrivacyBudget:
        """Compute the price of a site, from its noise alone.

        Raises:
            InputError: numbers beyond the limits of an accountant.
            PrivacyError: it pays more than the plan says.
        """
        part = self.part_of(site)
        check_numbers(part.event, site.noise_multiplier, site.epsilon)
        epsilon, _ = price(part.event, site.delta)
        # Privacy: the site believes its own accountant, and nobody's word for a price.
        if epsilon > site.epsilon * (1 + _TOLERANCE):
            raise PrivacyError(
                f"the plan says epsilon {shown_finely(site.epsilon)} for the site {site.name}, and its noise costs "
                f"{shown_finely(epsilon)}: nothing is spent; ask for a plan with a true price"
            )
        return PrivacyBudget(epsilon=epsilon, delta=site.delta)

    def to_bytes(self) -> bytes:
        """Write the plan as JSON."""
        tree = to_json_tree(self)
        if self.steps_per_round is None:
            # Plans of sums are written as before there were others, so that pinned ones keep their digest.
            del tree["steps_per_round"], tree["turns"]
        return (json.dumps(tree, indent=2) + "\n").encode()

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the plan as it is written."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def read(cls, content: bytes, where: str) -> FederatedPlan:
        """Read a plan.

        Args:
            content: JSON, not trusted.
            where: file, for messages.

        Raises:
            InputError: not a plan that gossamer wrote.
            PrivacyError: a plan with a delta that may not be claimed.
        """
        if len(content) > MAX_PLAN_BYTES:
            raise InputError(
                f"{where}: longer than {MAX_PLAN_BYTES} bytes, so no plan; name the file as it was written"
            )
        try:
            tree = strict_json(content)
        except (ValueError, RecursionError):
            raise InputError(f"{where}: neither a plan nor the file of a round; name it as it was written") from None
        return from_json_tree(cls, tree, where)


def multiplier_together(sites: Sequence[SiteTerms], num_slots: int) -> float:
    """Compute the noise multiplier of the sum of some sites, scaled to all slots. See `FederatedPlan.multiplier_of`."""
    share = sum(site.num_slots for site in sites) / num_slots
    return math.sqrt(sum(site.noise_multiplier**2 for site in sites)) / share


def sums_in(plan: AbstractPlan) -> OneShotPlan | None:
    """Return the sums that a plan begins with, None if it has none."""
    match plan:
        case OneShotPlan():
            return plan
        case SumsThenSamplesPlan():
            return plan.of_sums
        case _:
            return None


def _one_shot(plan: AbstractPlan) -> OneShotPlan:
    sums = sums_in(plan)
    assert sums is not None
    return sums


def check_works_between_sites(method: Method[Any]) -> None:
    """Refuse a method that sends neither noisy sums nor networks.

    Raises:
        InputError: the method does not work between sites.
    """
    if not method.works_between_sites:
        names = ", ".join(one.name for one in METHODS if one.works_between_sites)
        raise InputError(f"{method.name} does not work between sites yet; the methods that do are {names}")


def check_steps_per_round(method: Method[Any], steps_per_round: int | None) -> None:
    """Refuse a number of steps for a method that sends sums alone, or none for one that sends networks.

    Raises:
        InputError: it is of the other kind, or below 1.
    """
    if not method.sends_networks and steps_per_round is not None:
        raise InputError(f"{method.name} has a round for each of its sums: leave --steps-per-round out")
    if method.sends_networks and (steps_per_round is None or steps_per_round < 1):
        raise InputError(f"{method.name} needs --steps-per-round of at least 1: private steps of a site in a round")


def check_turns(method: Method[Any], turns: AbstractTurns) -> None:
    """Refuse turns for a method that sends sums alone: they are of all sites.

    Raises:
        InputError: sites would take turns.
    """
    if not method.sends_networks and not isinstance(turns, AllAtOnce):
        raise InputError(f"{method.name} sends sums alone, which all sites add to in a round: leave --in-turn out")


def differing_facts(found: object, planned: ImageSpec | SeriesSpec) -> tuple[str, ...]:
    """List the public facts of records that are not those of a plan, by name."""
    if type(found) is not type(planned):
        return ("kind",)
    names = [one.name for one in fields(planned) if one.compare]
    return tuple(name for name in names if getattr(found, name) != getattr(planned, name))
