"""The parts of every method: a plan that prices it, a calibration, and a training that the caller drives."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.crew import AbstractCrew, Alone, Order
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.prospect import Prospect
from gossamer.methods.of_sites import NetworksOfSites, SumsOfSites
from gossamer.methods.protected import check_fits
from gossamer.methods.starting import FRESH, PublicStart
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.verdict import Verdict
from gossamer.nn.ensemble import Tensors
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.claim import ClaimTerms, own_version, today
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.privacy.statement import PrivacyStatement

P = TypeVar("P", bound=AbstractPlan)


@dataclass(frozen=True, kw_only=True)
class AbstractStepReport(abc.ABC):
    """Report of a private step, or of something that follows from it. A run's metrics keep it as a line.

    Attributes:
        step: private steps done before it.
    """

    step: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of a part of a training.

    Attributes:
        part: name of the part, such as "generator".
        num_done: updates or other units of work done.
        num_all: number of them in all.
    """

    part: str
    num_done: int
    num_all: int


class PieceStore(Protocol):
    """A store of finished pieces of long work before the first step. It is private, because the work sees records."""

    def load(self, name: str) -> dict[str, Tensor] | None:
        """Return a piece, or None if it was not finished."""
        ...

    def save(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Keep a finished piece."""
        ...

    def place(self, name: str) -> Path | None:
        """Return a path for a private file that the work keeps for itself, or None if it must stay in memory."""
        ...


class NoStore:
    """A store that keeps nothing: every piece is computed when it is asked for."""

    def load(self, name: str) -> dict[str, Tensor] | None:
        """Return None."""
        return None

    def save(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Do nothing."""

    def place(self, name: str) -> Path | None:
        """Return None."""
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class RunContext:
    """All that a training needs beside settings, records and noise. A training takes it whole.

    Attributes:
        delta: of the statement.
        slots: the public number of units, and the unit of protection. None for as many slots as there are records, a
            number that is then public.
        key: deals units to shards, the same for the whole run. Secret.
        device: to compute on.
        precision: torch.float32, or torch.bfloat16 if the method allows it.
        public_notes: sentences on public inputs, for the statement.
        num_tuning_runs: earlier runs on the same records, declared in the statement.
        run_id: of the run folder, for the statement. None if there is none.
        num_only_copies: number of times that a moved or restored run folder was declared the only copy, for the
            statement.
        date: day of the statement, UTC.
        version: of this library, for the statement.
        state: returned by `state_dict`, to go on from there. None for a run from its beginning.
        sums: of several sites, to go on from them. None for a run on the records of one place.
        networks: of several sites, to go on from them. None for a run on the records of one place. Beside `sums` if
            the networks learn after them.
        lost_steps: steps that were paid for and lost in a crash, each once for every payment beside that of the steps
            in `state`. The run ends earlier by as much as they cost.
        charge: called before every private step, to write the ledger.
        store: keeps finished pieces of the work before the first step.
        start: networks to begin with in place of fresh ones, public. The statement says their origin.
        crew: the processes that work on the training.
    """

    delta: float
    slots: PublicSlots | None = None
    key: UnitKey = field(default_factory=UnitKey.drawn)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: torch.dtype = torch.float32
    public_notes: tuple[str, ...] = ()
    num_tuning_runs: int = 0
    run_id: str | None = None
    num_only_copies: int = 0
    date: str = field(default_factory=today)
    version: str = field(default_factory=own_version)
    state: dict[str, Any] | None = None
    sums: SumsOfSites | None = None
    networks: NetworksOfSites | None = None
    lost_steps: tuple[int, ...] = ()
    charge: Callable[[int], None] = lambda step: None
    store: PieceStore = field(default_factory=NoStore)
    start: PublicStart = FRESH
    crew: AbstractCrew = field(default_factory=Alone)

    @property
    def first_step(self) -> int:
        """Private steps done before this training begins."""
        if self.networks is not None:
            return self.networks.step
        if self.sums is not None:
            return len(self.sums.released)
        return 0 if self.state is None else int(self.state["step"])

    def slots_of(self, records: RecordSet) -> PublicSlots:
        """Return the public number of units of these records.

        Raises:
            InputError: there are more of them than slots.
        """
        if self.slots is None:
            return PublicSlots(records.num_records, Unit.RECORD, CountSource.READ)
        check_fits(records, self.slots)
        return self.slots

    def terms(
        self, method: str, noise: AbstractNoise, sample_size: int, public_inputs: tuple[str, ...] = ()
    ) -> ClaimTerms:
        """Return the terms of the claim of a training.

        Args:
            method: its name.
            noise: secret or not.
            sample_size: coordinates of the largest vector that a step releases.
            public_inputs: sentences of the method's own, before those of the data.
        """
        return ClaimTerms(
            delta=self.delta,
            method=method,
            is_secure=noise.is_secure,
            sample_size=sample_size,
            public_inputs=(*public_inputs, *self.public_notes, *self.start.facts.sentences),
            num_tuning_runs=self.num_tuning_runs,
            run_id=self.run_id,
            num_only_copies=self.num_only_copies,
            date=self.date,
            gossamer_version=self.version,
        )


class AbstractTraining(abc.ABC, Generic[P]):
    """A training that the caller drives: iterate over it, and take the generator at the end.

    The base class holds all that trainings have in common: plan, step gate, lost steps, statement, and the generator
    with its price. A method adds its own parts, the loop, and `_generator`.

    Guarantee: `trained` and `trained_so_far` have the privacy that their statements say, if records are read through
    releasers alone that were made from `plan` and `gate`.

    Attributes:
        name: of the method, as in statements.
        public_inputs: sentences on public inputs of the method's own.
        sizes: sizes that may have followed from the noise, in words for a person. Empty if there are none.
        allows_bfloat16: true if bfloat16 is a precision of the method.
        plan: sampling, noise and price of the whole run.
        sample_size: coordinates of the largest vector that a step releases or is priced for.
        step: private steps done.
        gate: lets each step pass once, in order and charged.

    Args:
        plan: of the whole run.
        noise: secret randomness of this process.
        context: of the run.
        sample_size: as above.

    Raises:
        InputError: a precision that the method does not have.
        PrivacyError: settings without an honest statement. They are refused before anything is spent.
    """

    name: ClassVar[str]
    public_inputs: ClassVar[tuple[str, ...]] = ()
    sizes: str = ""
    allows_bfloat16: ClassVar[bool] = False

    def __init__(self, plan: P, noise: AbstractNoise, context: RunContext, sample_size: int) -> None:
        if context.precision is not torch.float32 and not self.allows_bfloat16:
            raise InputError(f"{self.name} computes in float32 alone: leave the precision out")
        self.plan = plan
        self._crew = context.crew
        self.sample_size = sample_size
        self._terms = context.terms(self.name, noise, sample_size, self.public_inputs)
        self._statement = plan.statement(self._terms)
        self._lost_steps = context.lost_steps
        self.step = context.first_step
        self.gate = StepGate(plan, next_step=self.step, lost_steps=context.lost_steps, charge=context.charge)

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Work to the end, a report after each part. The loop may be left and taken up again between two reports."""

    @abc.abstractmethod
    def progress(self, report: Any) -> Progress:
        """Tell the progress of the training after one of its reports."""

    @abc.abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on, but the key of the noise. Private.

        The tensors are those in use: save or copy them before the next step.
        """

    @abc.abstractmethod
    def _generator(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return the generator as it is now, with a statement."""

    def help(self) -> None:
        """Do this process's part of the work that the leader of the crew orders, until the leader ends it."""
        for order in self._crew.orders():
            self._do(order)

    def _do(self, order: Order) -> None:
        """Do this process's part of one order. A method that several processes share overrides this.

        Raises:
            InputError: the method works in one process.
        """
        raise InputError(f"{self.name} works in one process: start it without torchrun")

    @property
    def end_step(self) -> int:
        """Private steps at the end of the run."""
        return max(self.step, self.gate.end_step)

    @property
    def steps_per_update(self) -> int:
        """Private steps until the generator has learnt once: one, unless a method overrides this."""
        return 1

    @property
    def is_over(self) -> bool:
        """True if nothing is left to do. A method that works on after its last private step overrides this."""
        return self.step >= self.end_step

    @property
    def num_paid_steps(self) -> int:
        """Steps of the plan spent so far: those done, and those paid for and lost in crashes."""
        return self.step + len(self._lost_steps)

    @property
    def statement(self) -> PrivacyStatement:
        """Claim of the whole run, priced as planned whatever the step."""
        return self._statement

    def prospect(self) -> Prospect:
        """Compare the longest possible signal with the noise: a function of public settings."""
        budget = PrivacyBudget(epsilon=self._statement.epsilon, delta=self._statement.delta)
        return self.plan.prospect(budget, self.sample_size)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines on settings that may surprise, to be said before a training begins. All are public."""
        return ()

    def epsilon_so_far(self) -> float:
        """Compute the price of the steps paid for until now, at the delta of the statement. 0 before the first."""
        if self.num_paid_steps == 0:
            return 0.0
        return self.plan.paid_for(self.step, self._lost_steps).budget_at(self._terms.delta).epsilon

    def verdict(self) -> Verdict | None:
        """Judge all releases until now against their noise. None if the method cannot, or nothing is released.

        Guarantee: a function of releases, each paid for, and of public settings alone. A method that overrides this
        keeps to it, because the verdict is released with the generator.
        """
        return None

    @property
    def released_sums(self) -> tuple[Tensor, ...]:
        """Noisy sums released so far, float32 (size,) each, in order. Empty for a method that releases none."""
        return ()

    def travelling(self) -> Tensors:
        """Return the networks that a site may send after some steps, by name. Empty for a method that sends none.

        Guarantee: a function of released vectors and public things. A method that overrides this keeps to it.
        """
        return {}

    def trained(self) -> TrainedGenerator:
        """Return the generator with its statement, priced as planned whatever the step.

        Raises:
            PrivacyError: a one-shot method has not yet released all sums that a generator is made of.
        """
        return self._judged(self._generator(self._statement))

    def trained_so_far(self) -> TrainedGenerator:
        """Return the generator as it is now, priced for the steps paid for until now.

        Guarantee: the generator is computed from the releases of these steps, so it has the privacy that its statement
        says. The condition is that the steps after which generators are taken were fixed before the training. All
        generators of one run are computed from the same releases. Together they have the privacy of the latest, and
        their epsilons do not add up.

        Raises:
            InputError: no step was done yet.
            PrivacyError: as `trained`.
        """
        if self.step == 0:
            raise InputError("the generator has not learnt anything yet: take at least one step first")
        so_far = self.plan.paid_for(self.step, self._lost_steps)
        statement = so_far.statement(replace(self._terms, num_planned_steps=self.plan.num_steps))
        return self._judged(self._generator(statement))

    def _judged(self, trained: TrainedGenerator) -> TrainedGenerator:
        """Return the generator with the verdict on it in its recipe."""
        # Privacy: the verdict is post-processing of the releases that the generator is computed from, paid for by now.
        return replace(trained, recipe=replace(trained.recipe, verdict=self.verdict()))
