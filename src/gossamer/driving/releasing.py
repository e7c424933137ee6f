"""The releases of a training: its generator on the way and at the end, each listed and its price compared first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gossamer.data.catalogue import NamedData, find_named
from gossamer.driving.handing_over import card_facts, write_picture, write_records
from gossamer.driving.run import Run
from gossamer.errors import PrivacyError
from gossamer.extras import MissingExtra
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractTraining
from gossamer.privacy.accounting import proved_epsilon
from gossamer.privacy.restated import event_of, is_same_event
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon
from gossamer.runs.cards import model_card
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.drawn import SAMPLES, SAMPLES_FILE, write_sample_cards
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerFile
from gossamer.runs.release import (
    GENERATOR,
    Content,
    clear_unfinished,
    generator_digest,
    saved_path,
    write_release,
    write_saved_generator,
)
from gossamer.runs.released_list import list_release

NUM_RELEASED_SAMPLES = 1000
_TOLERANCE = 1e-6


class Releases:
    """The releases of a run: at its end, and at the steps that were fixed before the training, each once.

    Steps lost in a crash count. A milestone is reached when so many steps are paid for, and no block of the ledger
    crosses one. So its statement says the price charged there, steps lost on the way included.

    Args:
        run: which.
        ledger: of the run.
        note: told of each generator that is saved on the way, and of a picture that is missing.
    """

    def __init__(self, run: Run, ledger: LedgerFile, note: Callable[[str], None]) -> None:
        self._run, self._ledger, self._note = run, ledger, note
        self._source = find_named(run.job.data)
        clear_unfinished(run.folder)

    def release_due(self, training: AbstractTraining) -> None:
        """Write the generator if a milestone is reached that has none yet.

        Raises:
            InputError: the training diverged.
            PrivacyError: the ledger has charged another number of steps than the statement would say.
        """
        paid, folder, ledger = training.num_paid_steps, self._run.folder, self._ledger
        if paid not in self._run.job.save_at_steps or saved_path(folder, paid).exists():
            return
        if training.step == 0:
            self._note(f"no generator is saved at step {paid}: all steps until then were lost in a crash")
            return
        # Privacy: the price stated is the price on the disk.
        if ledger.ledger.num_charged_steps != paid:
            raise PrivacyError(
                f"{ledger.path}: not {paid} steps are charged, so nothing is released after as many; `gossamer "
                "ledger` shows what was charged"
            )
        trained = training.trained_so_far()
        content = self._checked(trained, saved_path(folder, paid) / GENERATOR)
        saved = write_saved_generator(folder, paid, **content)
        self._note(
            f"epsilon {shown_epsilon(trained.statement.epsilon)} at step {paid}: generator saved in {saved.path}"
        )

    def release(self, trained: TrainedGenerator) -> None:
        """Write the generator that the run ends with, its samples and their picture, cards and statement.

        Raises:
            InputError: the training diverged, so there is nothing to release.
            PrivacyError: more is charged than its statement says.
        """
        folder = self._run.folder
        # Privacy: samples are released as much as the generator is, so the list comes before both.
        content = self._checked(trained, folder.generator_file)
        drawn = write_drawn(folder, trained, self._source, self._note)
        # The generator comes last: where it is, the release is whole and the run has ended.
        write_release(folder, samples=drawn, **content)

    def _checked(self, trained: TrainedGenerator, path: Path) -> Content:
        """Return the content of the next release, after it is written down in the list and before anything appears."""
        trained.check_finite()
        check_price(self._run.plan, self._ledger, trained.statement)
        recipe, statement = to_json_tree(trained.recipe), trained.statement.to_json()
        list_release(
            self._run.folder, path, generator_digest(trained.weights, recipe, statement), self._ledger.position()
        )
        return {
            "weights": trained.weights,
            "recipe": recipe,
            "statement": statement,
            "text": trained.statement.to_markdown(),
            "card": model_card(card_facts(trained, self._source)),
        }


def write_drawn(
    folder: RunFolder, trained: TrainedGenerator, source: NamedData | None, note: Callable[[str], None]
) -> tuple[Path, ...]:
    """Write samples of a release, their picture and their cards into `release/samples/`, and return the files.

    Args:
        folder: of the run.
        trained: the release.
        source: the published data set that it learnt from, None for any other.
        note: told of a picture that is missing.
    """
    samples, spec = folder.release / SAMPLES, trained.recipe.spec
    samples.mkdir(parents=True, exist_ok=True)
    records, labels = trained.sample(NUM_RELEASED_SAMPLES)
    x, y = records.numpy(), None if labels is None else labels.numpy()
    write_records(samples / SAMPLES_FILE, x, y, spec)
    drawn = [samples / SAMPLES_FILE, samples / "grid.png"]
    try:
        write_picture(drawn[1], x, y, spec)
    except MissingExtra as missing:  # no reason to end without a release
        note(f"the release has no {drawn.pop().name}: {missing}")
    return (*drawn, *write_sample_cards(samples, card_facts(trained, source)))


def check_price(plan: AbstractPlan, ledger: LedgerFile, statement: PrivacyStatement) -> None:
    """Refuse a release that costs more, by the ledger, than its statement says.

    Guarantee: the price stated is at least that of the steps charged on the disk, lost ones included.

    Args:
        plan: of the run.
        ledger: of the run.
        statement: of the generator that is about to be released.

    Raises:
        PrivacyError: more is charged, or nothing.
    """
    spent = plan.spent_by(ledger.ledger)
    if spent is None:
        raise PrivacyError(f"{ledger.path}: nothing is charged, so nothing may be released; put the ledger back")
    if is_same_event(spent, event_of(statement)):
        return
    charged = proved_epsilon(spent, statement.delta).epsilon
    if charged > statement.epsilon * (1 + _TOLERANCE):
        raise PrivacyError(
            f"{ledger.path}: what is charged costs epsilon {shown_epsilon(charged)}, more than the "
            f"{shown_epsilon(statement.epsilon)} that the statement would say, so nothing is released; start a new "
            "run, whose epsilon adds to this one's"
        )
