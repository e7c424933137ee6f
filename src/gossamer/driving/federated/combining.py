"""The work of the coordinator: contributions become the next round, and the last round becomes a release."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gossamer.driving.federated.asking import InTurn
from gossamer.driving.federated.plan import FederatedPlan, SiteTerms
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.handing_over import card_facts
from gossamer.driving.releasing import write_drawn
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.methods.cost import random_records
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.events import flatten
from gossamer.privacy.priceable import price
from gossamer.privacy.site_claims import AGAINST, NOT_AGAINST, SiteClaim
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.cards import model_card
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import write_release


@dataclass(frozen=True, kw_only=True, eq=False)
class Combined:
    """The round that follows from contributions.

    Attributes:
        round: that comes now.
        absent: names of sites that gave nothing to the round before.
    """

    round: Round
    absent: tuple[str, ...]


def combine(content: bytes, files: Sequence[tuple[str, bytes]], *, where: str = "the round") -> Combined:
    """Combine the contributions of a round: sums are added, and networks are averaged by public numbers of slots.

    Sums over disjoint records add. If a site is absent, the sum of the others is scaled to all slots, by public numbers
    of slots, and its noise with it. So sums of different rounds stand for the same number of records. If sites take
    turns, the networks are those of the one that was asked. Without its file its turn passes, and they stay.

    Guarantee: post-processing. Each contribution has the guarantee of its site before it comes here.

    Args:
        content: of the plan, or of the file of the round that the sites answered.
        files: name and content of each contribution. Not trusted.
        where: name of the round's file, for messages.

    Raises:
        InputError: a file is no contribution to this round, or a site gave two. The file is named, and nothing is
            written.
    """
    now = Round.read(content, where)
    if now.is_over:
        raise InputError(f"{where}: all {now.plan.num_rounds} rounds are over: nothing is left to combine")
    if not files and not now.plan.may_pass(now.number):
        raise InputError("no contribution: name the files that the sites sent")
    found: dict[str, tuple[str, Contribution]] = {}
    for name, answer in files:
        one = Contribution.read(answer, name)
        site = one.check(now, name).name
        if site in found:
            raise InputError(
                f"{name}: a second contribution of the site {site}, beside {found[site][0]}; leave one out"
            )
        found[site] = name, one
    names = tuple(site.name for site in now.plan.sites if site.name in found)
    given = [found[name][1] for name in names]
    tensors = now.sending.combined(now.tensors, [one.tensors for one in given], names, now.number)
    is_secure = all(one.is_secure for one in given)
    absent = tuple(name for name in now.asked if name not in found)
    return Combined(round=now.following(tensors, names, is_secure=is_secure), absent=absent)


def released(over: Round) -> TrainedGenerator:
    """Make the generator of a training between sites, once all rounds are over, with the statement of all sites.

    Guarantee: post-processing of the contributions. The statement has the claim of each site.

    Args:
        over: all that is known after the last round.

    Raises:
        InputError: rounds are left, or the contributions lead to no generator.
    """
    plan = over.plan
    if not over.is_over:
        raise InputError(f"round {over.number + 1} of {plan.num_rounds} is still to come: there is no generator yet")
    config = replace(plan.method, noise_multiplier=_multiplier(over))
    context = RunContext(
        delta=plan.delta,
        slots=PublicSlots(plan.num_slots, Unit(plan.unit)),
        run_id=plan.study,
        public_notes=(plan.recipe.note, *_notes(over)),
        **over.context,
    )
    # No record is asked for any more: all releases are made, and made-up records bring the form alone.
    made_up = random_records(plan.spec, 1, Unit(plan.unit))
    training = plan.of_method.start(config, made_up, DeterministicNoise(0), context)
    for _ in training:
        pass
    trained = training.trained()
    trained.check_finite()
    return replace(trained, statement=_statement(over, trained.statement, training.sample_size))


def _multiplier(over: Round) -> float:
    """Return the noise multiplier that the generator is made with: that of the sums with the most noise, as one sum."""
    if not over.plan.of_method.sends_sums:
        return min(site.noise_multiplier for site in over.plan.sites)
    return max(map(over.plan.multiplier_of, over.givers[: over.plan.num_sums]))


def _notes(over: Round) -> tuple[str, ...]:
    plan = over.plan
    sites = ", ".join(f"{site.name} ({site.num_slots} slots)" for site in plan.sites)
    notes = [f"The records lie at {len(plan.sites)} sites: {sites}."]
    if plan.of_method.sends_sums:
        notes.append(
            "Sums of the sites are added; where a site gave none, the sum of the others is scaled by public numbers of "
            "slots."
        )
    if plan.of_method.sends_networks:
        notes.append(_note_on_networks(plan))
    return tuple(notes)


def _note_on_networks(plan: FederatedPlan) -> str:
    part, in_turn = plan.part_of(plan.sites[0]), isinstance(plan.turns, InTurn)
    steps = f"{plan.steps_per_round} of its {plan.num_network_steps} steps in a round"
    averaged = "averaged by public numbers of slots, over the sites that answered."
    if isinstance(part, SumsThenSamplesPlan):
        begun = f"Then comes {part.from_samples}: each site trains it on its own records, "
        if in_turn:
            return f"{begun}in turn: {steps}, from what the site before it made of it."
        return f"{begun}{steps}. After a round it is {averaged}"
    begun = "Each site trains the networks on its own records"
    if in_turn:
        return f"{begun}, in turn: {steps}, from the networks of the site before it."
    return f"{begun}: {steps}. After a round they are {averaged}"


def _statement(over: Round, of_sum: PrivacyStatement, sample_size: int) -> PrivacyStatement:
    """Return the statement for all sites: the claim of the dearest site, at the smallest delta, and that of each.

    All sites make the same releases, each at its own noise and rate. So the price of the dearest one holds for every
    other.
    """
    plan = over.plan
    # Privacy: a unit at one site is covered by the noise and the coins of that site. Those of the others are not
    # counted on, since they know them and may tell them.
    dearest = max((plan.part_of(site) for site in plan.sites), key=lambda part: price(part.event, plan.delta)[0])
    priced = dearest.among(plan.num_slots)
    terms = ClaimTerms(
        delta=plan.delta,
        method=plan.of_method.name,
        is_secure=over.is_secure,
        sample_size=sample_size,
        run_id=plan.study,
    )
    return replace(
        priced.statement(terms),
        public_inputs=of_sum.public_inputs,
        covered=(*of_sum.covered, AGAINST),
        not_covered=(*of_sum.not_covered, *NOT_AGAINST),
        sites=tuple(_claim(over, site) for site in plan.sites),
    )


def _claim(over: Round, site: SiteTerms) -> SiteClaim:
    plan = over.plan
    return SiteClaim(
        name=site.name,
        num_slots=site.num_slots,
        epsilon=plan.price_of(site).epsilon,
        delta=site.delta,
        answered=tuple(plan.part_asked(number) + 1 for number, names in enumerate(over.givers) if site.name in names),
        num_rounds=plan.num_rounds_of_a_site,
        event=tuple(flatten(plan.part_of(site).event)),
    )


def write_federated_release(path: Path, over: Round, note: Callable[[str], None]) -> TrainedGenerator:
    """Make the generator, and write it with samples, cards and statement into `release/` of a folder.

    Args:
        path: of the folder.
        over: all that is known after the last round.
        note: told of a picture that is missing.

    Raises:
        InputError: rounds are left, a release is there already, or the contributions lead to no generator.
        ResourceError: something cannot be written.
    """
    folder = RunFolder(path)
    if folder.generator_file.exists():
        raise InputError(f"{folder.release}: a release is there already; name another --out")
    trained = released(over)
    drawn = write_drawn(folder, trained, None, note)
    # The generator comes last: where it is, the release is whole.
    write_release(
        folder,
        samples=drawn,
        weights=trained.weights,
        recipe=to_json_tree(trained.recipe),
        statement=trained.statement.to_json(),
        text=trained.statement.to_markdown(),
        card=model_card(card_facts(trained, None)),
    )
    return trained
