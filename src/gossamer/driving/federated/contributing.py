"""The answer of a site, from its own records, charged to its own ledger, at its own price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from torch import Tensor

from gossamer.data.records import RecordData, RecordSet
from gossamer.driving.driver import forbid_core_dumps
from gossamer.driving.federated.plan import SiteTerms, differing_facts
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.federated.site_folder import JoinedPlan, SiteFolder
from gossamer.driving.job import data_digest
from gossamer.errors import GossamerError, InputError, PrivacyError, is_lack_of_memory
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.methods.cost import random_records
from gossamer.methods.protected import check_fits, num_present, public_slots
from gossamer.methods.training import AbstractTraining, RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.ledger_file import LedgerFile

Load: TypeAlias = Callable[[UnitKey], RecordData]
"""A function that reads the records of the site, and divides them by its key if it holds some out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The answer of a site.

    Attributes:
        content: of the file that may leave.
        round_number: of the round, from 0.
        terms: of the site.
        num_rounds: of the plan.
        paid: price of the plan for this site, all rounds, by its own accountant.
        spent: price of all plans of this site together, as planned. None for an answer that is sent again.
        is_sent_again: True if the file was written before, so that nothing is spent.
        holds_out: True if some records are held out, and take no part.
    """

    content: bytes
    round_number: int
    terms: SiteTerms
    num_rounds: int
    paid: PrivacyBudget
    spent: PrivacyBudget | None = None
    is_sent_again: bool = False
    holds_out: bool = False


def contribute(
    folder: Path,
    content: bytes,
    site: str,
    load: Load,
    *,
    cap: float | None = None,
    where: str = "the round",
    earlier: bytes = b"",
    noise: Callable[[], AbstractNoise] = KeyedNoise,
) -> Answer:
    """Answer a round with a noisy sum of the site's own records, or with networks after a block of private steps.

    Guarantee: all answers of a site to one plan together have the privacy of the site's part of that plan. This holds
    for any files of rounds, adaptive and hostile ones too. The plan is pinned, and priced here. The file is validated,
    and tried on made-up records, before a record is read. So the file and earlier answers alone decide if the site
    answers, and in which shape. Rows are clipped last. Each answer is charged first, and has noise of its own key. The
    time that an answer takes is not covered (docs/concepts/sites.md).

    Args:
        folder: of the site, made if it is new.
        content: of the plan, for the first round, or of the file of a later round. Not trusted.
        site: name of the site in the plan.
        load: reads its records.
        cap: largest epsilon of all plans of this site together. None for the one given before.
        where: name of the file, for messages.
        earlier: content of the file that the answer is to replace, if there is one.
        noise: makes the secret randomness of one answer. Another than the default is of tests.

    Raises:
        InputError: a file, records or a name that do not fit.
        PrivacyError: another plan than the one pinned, a false price, the cap, or a round that is not paid for again.
        ResourceError: the folder cannot be written, or another process holds it.
    """
    forbid_core_dumps()
    now = Round.read(content, where)
    if now.is_over:
        raise InputError(f"{where}: all {now.plan.num_rounds} rounds are over: nothing is asked of a site any more")
    terms = now.plan.site(site)
    if terms.name not in now.asked:
        raise InputError(
            f"{where}: round {now.number + 1} asks {', '.join(now.asked)} alone: nothing is spent; wait for your turn"
        )
    paid = now.plan.price_of(terms)
    with SiteFolder(folder).held() as home:
        joined = home.joined(now.plan, terms)
        kept = joined.kept(now)
        known = {"round_number": now.number, "terms": terms, "num_rounds": now.plan.num_rounds, "paid": paid}
        if kept is not None:
            return Answer(content=kept, is_sent_again=True, **known)
        joined.check_givers(now)
        _check_is_new(earlier, now, terms)
        spent = home.check_cap(joined, cap)
        _rehearse(now, terms)
        # Privacy: no record is read before this line.
        data = load(home.key)
        _check_records(data, now, terms)
        home.pin(joined)
        joined.check_same_data(data_digest(data.train))
        joined.take_room(now.size_of_answer)
        answer = _answer(now, joined, data.train, noise(), home.key)
        joined.keep(now, answer)
        return Answer(content=answer, spent=spent, holds_out=data.test is not None, **known)


def _check_is_new(earlier: bytes, now: Round, terms: SiteTerms) -> None:
    """Refuse a round if its answer was written before, by a folder that knew of it.

    Raises:
        PrivacyError: it was. Then the folder was put back from a backup.
    """
    try:
        one = Contribution.read(earlier, "the earlier answer")
    except InputError:
        return
    # Privacy: two answers to one round, of which the ledger charges one, cost more than the plan says.
    if (one.site, one.round_digest) == (terms.name, now.digest):
        raise PrivacyError(
            f"an answer of the site {terms.name} to round {now.number + 1} is there already, and its folder knows "
            "nothing of it, so the folder was put back from a backup; send the file that is there, and put back the "
            "folder of the last answer"
        )


class _DrawingTheFirst(DeterministicNoise):
    """Noise for made-up records. The first one is in every sample, so that the work on a drawn record is tried."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        drawn = super().inclusions(step, num_units, sample_rate)
        drawn[0] = True
        return drawn


def _rehearse(now: Round, terms: SiteTerms) -> None:
    """Refuse a round that cannot be answered, by a trial on made-up records.

    Raises:
        InputError: it cannot. This follows from the file alone.
    """
    made_up = random_records(now.plan.spec, 1, Unit(now.plan.unit))
    context = RunContext(delta=terms.delta, slots=now.plan.slots_of(terms), **now.context)
    try:
        now.sending.tried(_training(now, terms, made_up, _DrawingTheFirst(0), context))
    except GossamerError:
        raise
    except (RuntimeError, ValueError, ArithmeticError, TypeError, LookupError) as error:
        if is_lack_of_memory(error):
            raise
        raise InputError(
            "settings or earlier results of this round cannot be worked with: ask the coordinator for another file"
        ) from None


def _check_records(data: RecordData, now: Round, terms: SiteTerms) -> None:
    """Refuse records of another form than the plan says, or more units than the slots of the site."""
    plan, name = now.plan, data.train.name
    wrong = differing_facts(data.train.spec, plan.spec)
    if wrong:
        raise InputError(
            f"{name}: not the {', '.join(wrong)} that the plan says: read the records as it says them, or ask for "
            "another plan"
        )
    unit = Unit(plan.unit)
    if num_present(data, unit) > terms.num_slots:
        raise InputError(
            f"{name}: holds more {unit.plural} than the {terms.num_slots} slots that the plan says for the site "
            f"{terms.name}: ask for a plan with more slots, which must not be their number, or hand fewer over"
        )
    public_slots(data, unit, terms.num_slots)
    check_fits(data.train, plan.slots_of(terms))


def _answer(now: Round, joined: JoinedPlan, records: RecordSet, noise: AbstractNoise, key: UnitKey) -> bytes:
    """Charge the steps of the round, and make the contribution."""
    plan, terms, steps = joined.plan, joined.terms, joined.plan.steps_of(now.number)
    ledger = LedgerFile(joined.ledger_file, num_planned_steps=plan.num_steps, stops=plan.part_of(terms).stops)
    context = RunContext(
        delta=terms.delta,
        slots=plan.slots_of(terms),
        key=key,
        lost_steps=joined.lost_steps(steps.start),
        charge=ledger.charge,
        **now.context,
    )
    training = _training(now, terms, records, noise, context)
    if training.end_step < steps.stop:
        # Privacy: the step counter is the site's own, whatever the coordinator says of rounds.
        raise PrivacyError(
            f"round {now.number + 1} cannot be paid for any more: this site has spent {len(context.lost_steps)} steps "
            "beside those that this round builds on, and its plan pays for each step once"
        )
    ledger.end_at(steps.stop)
    contribution = Contribution(
        study=plan.study,
        plan_digest=plan.digest,
        round_digest=now.digest,
        round_number=now.number,
        site=terms.name,
        is_secure=noise.is_secure,
        tensors=now.sending.work(training, now.number),
    )
    return contribution.to_bytes()


def _training(
    now: Round, terms: SiteTerms, records: RecordSet, noise: AbstractNoise, context: RunContext
) -> AbstractTraining:
    return now.plan.of_method.start(now.plan.settings_of(terms), records, noise, context)
