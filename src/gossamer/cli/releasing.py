"""What a training releases: its generator on the way and at the end, each listed and its price compared first."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from gossamer.cli.handing_over import card_facts, write_picture, write_records
from gossamer.cli.milestones import round_up
from gossamer.data.catalogue import NamedData
from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError, PrivacyError
from gossamer.extras import MissingExtra
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.method import AbstractTraining
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.restated import event_of, is_same_event
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon
from gossamer.runs.cards import model_card
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.drawn import SAMPLES, SAMPLES_FILE, write_sample_cards
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerFile
from gossamer.runs.release import (
    GENERATOR,
    clear_unfinished,
    generator_digest,
    saved_generators,
    saved_path,
    write_release,
    write_saved_generator,
)
from gossamer.runs.released_list import list_release

NUM_RELEASED_SAMPLES = 1000
_TOLERANCE = 1e-6


class MilestoneReleases:
    """Releases the generator as it is at the steps that were fixed before the training, each once.

    Steps lost in a crash count: a milestone is reached when so many steps are paid for, and no block of the ledger
    crosses one, so what is charged there is what the milestone's statement says, whatever was lost on the way.

    Args:
        steps: of the milestones.
        folder: the run.
        source: the published set that is learnt from, None for a user's own.
    """

    def __init__(self, steps: tuple[int, ...], folder: RunFolder, source: NamedData | None) -> None:
        self._steps = steps
        self._source = source
        self._folder = folder
        clear_unfinished(folder)

    def release_due(self, training: AbstractTraining, ledger: LedgerFile) -> None:
        """Write the generator if a milestone is reached that has none yet.

        Raises:
            InputError: the training diverged.
            PrivacyError: the ledger has charged another number of steps than the statement would say.
        """
        paid = training.num_paid_steps
        if paid not in self._steps or saved_path(self._folder, paid).exists():
            return
        if training.step == 0:
            say(f"no generator is saved at step {paid}: all steps until then were lost in a crash")
            return
        # Privacy: the price stated is the price on the disk.
        if ledger.ledger.num_charged_steps != paid:
            raise PrivacyError(
                f"{ledger.path}: not {paid} steps are charged, so nothing is released after as many; `gossamer "
                "ledger` shows what was charged"
            )
        trained = training.trained_so_far()
        _check_finite(trained)
        statement = trained.statement
        check_price(training.plan, ledger, statement)
        _list(self._folder, saved_path(self._folder, paid) / GENERATOR, trained, ledger)
        saved = write_saved_generator(
            self._folder,
            paid,
            weights=trained.weights,
            recipe=to_json_tree(trained.recipe),
            statement=statement.to_json(),
            text=statement.to_markdown(),
            card=model_card(card_facts(trained, self._source)),
        )
        say(f"epsilon {shown_epsilon(statement.epsilon)} at step {paid}: generator saved in {saved.path}")


def check_price(plan: AbstractPlan, ledger: LedgerFile, statement: PrivacyStatement) -> None:
    """Refuse to release what costs more, by the ledger, than its statement says.

    Guarantee: the price stated is at least that of what is charged on the disk, steps lost in crashes included.

    Args:
        plan: of the run.
        ledger: of the run.
        statement: of what is about to be released.

    Raises:
        PrivacyError: more is charged, or nothing.
    """
    spent = plan.spent_by(ledger.ledger)
    if spent is None:
        raise PrivacyError(f"{ledger.path}: nothing is charged, so nothing may be released; put the ledger back")
    if is_same_event(spent, event_of(statement)):
        return
    charged = epsilon_by_pld(spent, statement.delta).epsilon
    if charged > statement.epsilon * (1 + _TOLERANCE):
        raise PrivacyError(
            f"{ledger.path}: what is charged costs epsilon {shown_epsilon(charged)}, more than the "
            f"{shown_epsilon(statement.epsilon)} that the statement would say, so nothing is released; start a new "
            "run, whose epsilon adds to this one's"
        )


def _list(folder: RunFolder, path: Path, trained: TrainedGenerator, ledger: LedgerFile) -> None:
    """Write down what is released next, before anything of it appears."""
    digest = generator_digest(trained.weights, to_json_tree(trained.recipe), trained.statement.to_json())
    list_release(folder, path, digest, ledger.position())


def release(
    trained: TrainedGenerator, plan: AbstractPlan, ledger: LedgerFile, folder: RunFolder, source: NamedData | None
) -> None:
    """Write what leaves, and say in plain words what it is.

    Args:
        trained: what leaves.
        plan: of the run.
        ledger: of the run.
        folder: the run.
        source: the published set that was learnt from, None for a user's own.

    Raises:
        InputError: the training diverged, so there is nothing to release.
        PrivacyError: more is charged than its statement says.
    """
    _check_finite(trained)
    statement = trained.statement
    check_price(plan, ledger, statement)
    # Privacy: samples are released as much as the generator is, so the list comes before both.
    _list(folder, folder.generator_file, trained, ledger)
    samples = folder.release / SAMPLES
    samples.mkdir(exist_ok=True)
    images, labels = trained.sample(NUM_RELEASED_SAMPLES)
    x, y = images.numpy(), None if labels is None else labels.numpy()
    facts = card_facts(trained, source)
    write_records(samples / SAMPLES_FILE, x, y, trained.recipe.spec)
    pictured = _pictured(samples / "grid.png", x, y, trained.recipe.spec)
    drawn = (samples / SAMPLES_FILE, *pictured, *write_sample_cards(samples, facts))
    # The generator comes last: where it is, the release is whole and the run has ended.
    write_release(
        folder,
        weights=trained.weights,
        recipe=to_json_tree(trained.recipe),
        statement=statement.to_json(),
        text=statement.to_markdown(),
        card=model_card(facts),
        samples=drawn,
    )
    _announce_release(statement, folder)


def _pictured(path: Path, x: np.ndarray, y: np.ndarray | None, spec: AbstractSpec) -> tuple[Path, ...]:
    """The picture of samples; without what draws it there is none, which is no reason to end without a release."""
    try:
        write_picture(path, x, y, spec)
    except MissingExtra as missing:
        say(f"the release has no {path.name}: {missing}")
        return ()
    return (path,)


def _check_finite(trained: TrainedGenerator) -> None:
    if not trained.is_finite:
        raise InputError(
            "the training diverged: a weight of the generator is no number; start a new run with a smaller "
            "--generator-adam.learning-rate (its epsilon adds to this one's)"
        )


def _announce_release(statement: PrivacyStatement, folder: RunFolder) -> None:
    epsilon, num_saved = round_up(statement.epsilon), len(saved_generators(folder))
    # Privacy: a replacement is two changes where one is a record added or removed, and costs more; and where the number
    # of units was counted in the data, a replacement is all that is covered.
    without = {
        Adjacency.SLOT: "without it, or with another in its place",
        Adjacency.ADD_OR_REMOVE_ONE: "without it",
        Adjacency.REPLACE_ONE: "with any other in its place",
    }[statement.adjacency]
    factor = f"{math.ceil(math.exp(epsilon)):,}" if epsilon < 30 else f"more than {math.floor(math.exp(30)):,}"
    saved = f"Saved on the way: {num_saved} generators in {folder.saved}, at no further cost.\n" if num_saved else ""
    print(
        f"\nReleased: {folder.release}\n"
        f"Protected: {statement.unit.protected}, whichever of the {statement.num_slots} it is. Whatever is computed "
        f"from the release is at most e^epsilon\n  times as likely with it as {without}, up to a "
        f"probability of delta: epsilon = {shown_epsilon(statement.epsilon)}, a factor of {factor}; "
        f"delta = {statement.delta:g}.\n"
        f"Share: everything in {folder.release}, and as many samples as you like.\n"
        f"{saved}"
        f"Keep to yourself: {folder.private}, which saw the data.\n"
        f"What is assumed, and what is not covered: {folder.release / 'PRIVACY.md'}\n"
        f"Next: gossamer sample {folder.path} --num-samples 1000 --out samples.npz"
    )


def say(line: str) -> None:
    """A line about progress, on standard error."""
    print(f"gossamer: {line}", file=sys.stderr)
