"""`gossamer audit`: the knowledge that an adversary gains of a run's mechanism, its training, and its members."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import choose, read_arguments
from gossamer.cli.options import Mark
from gossamer.cli.outputs import say
from gossamer.cli.progress import progress
from gossamer.data.catalogue import check_exists
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.data.room import room_beside
from gossamer.data.series_choice import load_beside
from gossamer.driving.job import TrainingJob
from gossamer.driving.processes import crew_of_jobs
from gossamer.driving.run import check_held_out, slots_kept
from gossamer.errors import InputError, PrivacyError, ResourceError
from gossamer.extras import need
from gossamer.mechanisms.crew import AbstractCrew
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.nn.devices import find_device
from gossamer.privacy.priceable import check_priceable
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.files import write_json
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

if TYPE_CHECKING:
    from gossamer.auditing.membership import AttackScore
    from gossamer.auditing.result import AuditResult

KINDS = {
    "mechanism": "lower bounds on epsilon, from games against the doors of the run's method; seconds to minutes",
    "training": "a lower bound on epsilon, from whole trainings with canaries in them; for small recipes",
    "membership": "two attacks that tell training records from others, by the released generator",
}


@dataclass(frozen=True, kw_only=True)
class AuditMechanism:
    """Lower bounds on epsilon, and on mu of Gaussian privacy, of a run's mechanism at the run's own settings.

    The doors between records and generator are played with the worst neighbours, with fresh noise. No record is read.
    Written into the run's private/audit. Exit code 3 if a bound exceeds the claim.

    Example: gossamer audit mechanism runs/mnist

    Args:
        run: run folder
        num_games: games against the noise of one answer
        num_bits: secret bits in the composition of all draws. More of them take longer and show more
        confidence: of each bound
        seed: of the secret bits. Noise and coins have none
        json: print JSON
    """

    run: Annotated[Path, Mark.POSITIONAL]
    num_games: int = 50_000
    num_bits: int = 10_000
    confidence: float = 0.999
    seed: int = 0
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class AuditTraining:
    """A lower bound on epsilon of whole trainings at a run's settings, with canaries in them.

    Trains anew, as often as there must be secret bits, on random records: the run's own are not read. The adversary
    sees every sanitized gradient and knows all but coins, noise and bits. For recipes that train in seconds. Written
    into the run's private/audit. Exit code 3 if the bound exceeds the claim.

    Example: gossamer audit training runs/small

    Args:
        run: run folder of gs-wgan or dp-cgan
        num_bits: secret bits. Trainings are repeated until there are so many
        confidence: of the bound
        seed: of the secret bits. Noise and coins have none
        json: print JSON
    """

    run: Annotated[Path, Mark.POSITIONAL]
    num_bits: int = 10_000
    confidence: float = 0.95
    seed: int = 0
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class AuditMembership:
    """Measure how well two attacks by the released generator tell a run's training records from records it never saw.

    Passing proves nothing. Private records are read. The findings are written into the run's private/audit.

    Example: gossamer audit membership runs/mnist

    Args:
        run: run folder with a release
        held_out: records of the same law that no training saw. Default: the test records of the run's data
        num_samples: synthetic records to attack with
        num_records: members, and as many others, to score at most
        confidence: of the intervals
        seed: of samples and of the choice of records
        json: print JSON
    """

    run: Annotated[Path, Mark.POSITIONAL]
    held_out: str | None = None
    num_samples: int = 5000
    num_records: int = 2000
    confidence: float = 0.95
    seed: int = 0
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Audit one of three things."""
    with crew_of_jobs() as crew:
        kind, rest = choose(arguments, KINDS, program="audit", what="kind of audit")
        if kind == "mechanism":
            return _mechanism(read_arguments(AuditMechanism, rest, program="audit mechanism"), crew)
        if kind == "training":
            return _training(read_arguments(AuditTraining, rest, program="audit training"), crew)
        return _membership(read_arguments(AuditMembership, rest, program="audit membership"), crew)


# ---- the mechanism --------------------------------------------------------------------------------------------------


def _mechanism(asked: AuditMechanism, crew: AbstractCrew) -> int:
    from gossamer.auditing.mechanism import Effort, audits_of

    numbers = {name: getattr(asked, name) for name in ("num_games", "num_bits", "confidence", "seed")}
    effort = Effort(**numbers, crew=crew)
    folder = RunFolder.open(asked.run)
    job, plan = _planned(folder)
    with progress() as watched:
        results = audits_of(plan, job.delta, effort, lambda done, all: watched.count("bits", done, all))
    return _conclude(folder, results, asked.json)


# ---- whole trainings ------------------------------------------------------------------------------------------------


def _training(asked: AuditTraining, crew: AbstractCrew) -> int:
    from gossamer.auditing.mechanism import Effort, of_guesses, rounds
    from gossamer.driving.audited import num_canaries_for, play_training
    from gossamer.driving.starting import kept_start

    effort = Effort(num_bits=asked.num_bits, confidence=asked.confidence, seed=asked.seed, crew=crew)
    folder = RunFolder.open(asked.run)
    job, plan = _planned(folder)
    spec = _spec(folder, job)
    num_canaries = num_canaries_for(job.method, spec, slots_kept(folder).to_learn_from)
    num_runs = -(-asked.num_bits // num_canaries)
    cost = job.of_method.cost(job.method, spec, slots_kept(folder), find_device("cpu"))
    say(
        f"{num_runs} trainings with {num_canaries} canaries each, on random records: about "
        f"{-(-num_runs // crew.size) * cost.seconds / 60:.1f} min"
    )
    play = functools.partial(play_training, job.method, plan, spec, start=kept_start(folder, job.start))
    with progress() as watched:
        played = rounds(
            num_canaries, effort, play, lambda done, all: watched.count("trainings", done // num_canaries, num_runs)
        )
    result = of_guesses("training", played, plan.budget_at(job.delta).epsilon, job.delta, asked.confidence)
    more = (*result.details, ("trainings", num_runs), ("canaries in each", num_canaries))
    return _conclude(folder, [dataclasses.replace(result, details=more)], asked.json)


def _planned(folder: RunFolder) -> tuple[TrainingJob, AbstractPlan]:
    """Read the settings of a run and their plan. Numbers that no small machine can price are refused here."""
    job = TrainingJob.read(folder)
    plan = job.plan(slots_kept(folder))
    check_priceable(plan.event, job.delta)
    return job, plan


def _spec(folder: RunFolder, job: TrainingJob) -> AbstractSpec:
    """Find shape and classes of the records, from the release if there is one: they are public."""
    from gossamer.estimators import load_generator

    if folder.generator_file.is_file():
        return load_generator(folder.path).recipe.spec
    return job.load(read_key(folder)).data.train.spec


# ---- members --------------------------------------------------------------------------------------------------------


def _membership(asked: AuditMembership, crew: AbstractCrew) -> int:
    from gossamer.auditing.membership import WARNING, infer_membership
    from gossamer.estimators import load_generator

    need("evaluate", "gossamer audit membership")
    for name, value in (("--num-samples", asked.num_samples), ("--num-records", asked.num_records)):
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    if not 0.5 <= asked.confidence < 1:
        raise InputError(f"--confidence must lie between 0.5 and 1, got {asked.confidence}")
    folder = RunFolder.open(asked.run)
    trained = load_generator(folder.path)
    members, held_out = _members(folder, asked.held_out)
    synthetic, _ = trained.sample(asked.num_samples, seed=asked.seed)
    scores = infer_membership(
        _some(members, asked.num_records, asked.seed),
        _some(held_out, 2 * asked.num_records, asked.seed),
        synthetic.flatten(start_dim=1).numpy(),
        asked.confidence,
        asked.seed,
        crew,
    )
    tree = {
        "kind": "membership",
        "lower_bound_epsilon": None,
        "claimed_epsilon": trained.statement.epsilon,
        "delta": trained.statement.delta,
        "confidence": asked.confidence,
        "attacks": [dataclasses.asdict(score) for score in scores],
        "warning": WARNING,
    }
    _keep(folder, "membership", tree)
    if asked.json:
        print(json.dumps(tree, indent=2))
    else:
        _show_attacks(scores, asked.confidence)
        print(f"\n{WARNING}\nWritten: {folder.audits}")
    return 0


def _members(folder: RunFolder, others: str | None) -> tuple[RecordSet, RecordSet]:
    job, key = TrainingJob.read(folder), read_key(folder)
    if others is not None:
        check_exists(others)
    data = job.load(key, room_beside(folder.private)).data
    check_held_out(folder, data.train)
    held_out = data.test
    if others is not None:
        data_dir = None if job.data_dir is None else Path(job.data_dir)
        held_out = load_beside(others, data_dir, job.num_classes, job.series, key, job.images).train
    if held_out is None:
        raise InputError(f"{data.train.name}: has no test records; name records that no training saw with --held-out")
    if held_out.spec.shape != data.train.spec.shape:
        raise InputError(
            f"{held_out.name}: records of another shape than those that the run learnt from; name others with "
            "--held-out"
        )
    return data.train, held_out


def _some(records: RecordSet, num: int, seed: int) -> np.ndarray:
    import torch

    chosen = torch.randperm(records.num_records, generator=torch.Generator().manual_seed(seed))[:num]
    return records.x[chosen].flatten(start_dim=1).numpy()


def _show_attacks(scores: Iterable[AttackScore], confidence: float) -> None:
    table = Table("attack", "AUC (0.5 is chance)", "members caught at 1 % false alarms", box=None, pad_edge=False)
    for score in scores:
        table.add_row(
            score.name,
            f"{score.auc:.3f} ({score.low:.3f} to {score.high:.3f})",
            f"{score.caught:.3f} ({score.caught_low:.3f} to {score.caught_high:.3f})",
        )
    Console().print(table)
    print(f"Intervals of {confidence:.0%}.")


# ---- what was found -------------------------------------------------------------------------------------------------


def _keep(folder: RunFolder, kind: str, tree: dict[str, Any]) -> None:
    try:
        folder.audits.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{folder.audits}: cannot be made ({error.strerror}); make the folder writable, an audit is kept there"
        ) from None
    write_json(folder.audits / f"{re.sub('[^a-z]+', '-', kind.lower()).strip('-')}.json", tree)


def _conclude(folder: RunFolder, results: Sequence[AuditResult], is_json: bool) -> int:
    for result in results:
        _keep(folder, result.kind, result.to_json())
    if is_json:
        print(json.dumps([result.to_json() for result in results], indent=2))
    else:
        _show(results)
        print(f"Written: {folder.audits}")
    for result in results:
        if not result.is_within_claim:
            # Privacy: a bound above the claim means that the claim is false, up to the confidence of the bound.
            raise PrivacyError(
                f"{folder.path}: audit {result.kind!r}: the lower bound exceeds what is claimed (confidence "
                f"{result.confidence:g}); share nothing of this run, and report it"
            )
    return 0


def _show(results: Sequence[AuditResult]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("audit", "epsilon", "claimed", "mu", "claimed", "sure"):
        table.add_column(name, no_wrap=True)
    for result in results:
        mu = ("", "")
        if result.lower_bound_mu is not None and result.claimed_mu is not None:
            mu = (f"{result.lower_bound_mu:.4f}", f"{result.claimed_mu:.4f}")
        table.add_row(
            result.kind,
            f"{math.floor(result.lower_bound_epsilon * 1000) / 1000:.3f}",
            shown_epsilon(result.claimed_epsilon),
            *mu,
            f"{result.confidence:g}",
        )
    Console().print(table)
    print("Epsilon and mu are at least so large, as surely as the last column says.")
    for note in dict.fromkeys(result.note for result in results):
        print(note)
