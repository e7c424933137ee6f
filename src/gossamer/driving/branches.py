"""The joint price of branches: copies of one run that went on apart, with their common part priced once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gossamer.driving.job import TrainingJob, settings_digest
from gossamer.driving.run import slots_kept
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.privacy.ledger import Ledger, steps_of_branches
from gossamer.privacy.priceable import price
from gossamer.reports.page.together import JointPrice
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import read_identity
from gossamer.runs.key_file import read_key
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.released_list import refuse_unlisted


class _Branch(NamedTuple):
    """A run folder with a private side, as far as its price goes."""

    run_id: str
    origin: tuple[str, ...]  # digests of settings, records and key: branches share them all
    plan: AbstractPlan
    delta: float
    ledger: Ledger


def joint_prices(folders: Iterable[RunFolder]) -> dict[str, JointPrice]:
    """Price the branches of each run together, by run id, if several of its folders are at hand.

    Guarantee: branches share records, settings and the key that dealt units. So all that they released is one adaptive
    mechanism under one adjacency, of the steps that `steps_of_branches` counts.

    Args:
        folders: of runs that have ended. Those with a private side that cannot be read are left out.
    """
    branches: defaultdict[tuple[str, tuple[str, ...]], list[_Branch]] = defaultdict(list)
    for branch in filter(None, map(_read_branch, folders)):
        branches[branch.run_id, branch.origin].append(branch)
    found: dict[str, JointPrice] = {}
    for (run_id, _), group in branches.items():
        if len(group) > 1 and sum(one == run_id for one, _ in branches) == 1:
            found[run_id] = _joint(group)
    return found


def _joint(group: Sequence[_Branch]) -> JointPrice:
    first = group[0]
    steps = steps_of_branches([branch.ledger for branch in group])
    epsilon = price(first.plan.paid_for(0, steps).event, first.delta)[0]
    return JointPrice(epsilon=epsilon, delta=first.delta, num_branches=len(group))


def _read_branch(folder: RunFolder) -> _Branch | None:
    try:
        identity, job = read_identity(folder), TrainingJob.read(folder)
        ledger = read_ledger(folder.ledger_file)
        # Privacy: a ledger that was put back would price less than was spent.
        refuse_unlisted(folder)
        digests = [(folder.private / name).read_bytes()[:100].decode() for name in ("settings.sha256", "data.sha256")]
        plan = job.plan(slots_kept(folder))
        if digests[0] != settings_digest(job) or plan.spent_by(ledger) is None:
            return None
        return _Branch(
            run_id=identity.run_id,
            origin=(digests[0], digests[1], read_key(folder).digest),
            plan=plan,
            delta=job.delta,
            ledger=ledger,
        )
    except (PrivacyError, InputError, OSError, UnicodeDecodeError):
        return None
