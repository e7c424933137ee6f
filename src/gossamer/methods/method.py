"""What every method offers: a plan that prices it, a calibration, and a training that the caller drives."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch
from dp_accounting import DpEvent

from gossamer.data.records import MAX_VALUES, AbstractSpec, RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.prospect import Prospect, prospect
from gossamer.methods.gs_wgan.warm_start import MemoryStore, WarmStartStore
from gossamer.methods.protected import check_fits
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.claim import ClaimTerms, own_version, today
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.privacy.statement import PrivacyStatement

C = TypeVar("C")
C_in = TypeVar("C_in", contravariant=True)


class Plan(Protocol):
    """Sampling, clip, noise, adjacency and price of a run in one object, so that claim and run cannot part."""

    @property
    def unit(self) -> Unit:
        """What a slot holds."""
        ...

    @property
    def num_slots(self) -> int:
        """Public number of slots."""
        ...

    @property
    def source(self) -> CountSource:
        """Who says the number of slots."""
        ...

    @property
    def num_steps(self) -> int:
        """Private steps of the whole run."""
        ...

    @property
    def noise_multiplier(self) -> float | None:
        """Noise standard deviation over sensitivity; None while it is still to be calibrated."""
        ...

    @property
    def adjacency(self) -> Adjacency:
        """Which data sets are neighbours."""
        ...

    @property
    def event(self) -> DpEvent:
        """What the whole run does to privacy."""
        ...

    def budget_at(self, delta: float) -> PrivacyBudget:
        """What the whole run costs at ``delta``."""
        ...

    def first_steps(self, num_steps: int) -> Plan:
        """The plan of the first steps of this one alone."""
        ...

    def num_steps_within(self, budget: PrivacyBudget) -> int:
        """The largest number of first steps that keeps within the budget."""
        ...

    def spent_by(self, ledger: Ledger) -> DpEvent | None:
        """What the blocks of a ledger pay for; None where nothing is charged."""
        ...

    def statement(self, terms: ClaimTerms) -> PrivacyStatement:
        """The claim of a run of this plan."""
        ...


@dataclass(frozen=True, kw_only=True)
class RecordsExpected:
    """Shape and classes of the records that settings are for, where what is released depends on them. Public.

    Attributes:
        shape: of one record, channels first: (channels, height, width) or (channels, length).
        num_classes: 0 for records without labels.
    """

    shape: tuple[int, ...] = (1, 28, 28)
    num_classes: int = 10

    def __post_init__(self) -> None:
        if len(self.shape) not in (2, 3) or min(self.shape) < 1 or math.prod(self.shape) > MAX_VALUES:
            raise InputError(f"shape must be (channels, height, width) or (channels, length), got {self.shape}")
        if self.num_classes < 0:
            raise InputError(f"num_classes must be at least 0, got {self.num_classes}")

    @classmethod
    def of(cls, spec: AbstractSpec) -> RecordsExpected:
        """Those of a data set."""
        return cls(shape=spec.shape, num_classes=spec.num_classes)

    @property
    def num_groups(self) -> int:
        """Classes, or 1 for records without labels."""
        return max(self.num_classes, 1)

    def check(self, spec: AbstractSpec) -> None:
        """Refuse a data set of another shape or other classes.

        Raises:
            InputError: they differ.
        """
        if (self.shape, self.num_classes) != (spec.shape, spec.num_classes):
            raise InputError(
                f"the settings are for num_classes {self.num_classes} of shape {self.shape} but the data has "
                f"{spec.num_classes} of shape {spec.shape}: take the recipe for this data"
            )


@dataclass(frozen=True, kw_only=True)
class AbstractStepReport(abc.ABC):
    """A private step is done, or something that follows from it; kept line by line in a run's metrics.

    Attributes:
        step: private steps done before it.
    """

    step: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a part of a training is.

    Attributes:
        part: what is worked at: "generator".
        num_done: updates, or whatever is counted.
        num_all: how many there will be.
    """

    part: str
    num_done: int
    num_all: int


class AbstractTraining(abc.ABC):
    """A training that the caller drives: iterate over it, and take the generator at the end.

    Attributes:
        step: private steps done.
        end_step: private steps to come to.
        plan: what the whole run costs.
        sample_size: coordinates of the largest vector that a step releases or is priced for.
    """

    step: int
    end_step: int
    plan: Any
    sample_size: int

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Work to the end, a report after each part; it may be left and taken up again between two reports."""

    @abc.abstractmethod
    def progress(self, report: Any) -> Progress:
        """How far the training is after one of its reports."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do; a method that works on after its last private step says so itself."""
        return self.step >= self.end_step

    @property
    @abc.abstractmethod
    def num_paid_steps(self) -> int:
        """Steps of the plan spent so far: those done, and those paid for and lost in crashes."""

    @property
    @abc.abstractmethod
    def statement(self) -> PrivacyStatement:
        """What the whole run will claim, priced as planned whatever the step."""

    def prospect(self) -> Prospect:
        """What can be hoped for at this number of slots: a function of public settings."""
        claim = self.statement
        return prospect(self.plan, PrivacyBudget(epsilon=claim.epsilon, delta=claim.delta), self.sample_size)

    @abc.abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, but the key of the noise. Private."""

    @abc.abstractmethod
    def trained(self) -> TrainedGenerator:
        """The generator with its statement, priced as planned whatever the step."""

    @abc.abstractmethod
    def trained_so_far(self) -> TrainedGenerator:
        """The generator as it is now, priced for the steps paid for until now."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Circumstances:
    """What a training needs beside settings, records and noise.

    Attributes:
        delta: of the statement.
        slots: the public number of units and whom the guarantee is for; None for as many records as there are, a number
            that is then public.
        key: secret; deals units to shards, the same for as long as the run goes on.
        device: where to compute.
        precision: torch.float32, or torch.bfloat16 where the method allows it.
        public_notes: sentences on public inputs, for the statement.
        num_tuning_runs: earlier runs on the same records, declared in the statement.
        run_id: of the run folder, for the statement; None where there is none.
        num_only_copies: how often a moved or restored run folder was declared the only copy, for the statement.
        date: day of the statement, UTC.
        version: of this library, for the statement.
        state: what `state_dict` returned, to go on from there.
        lost_steps: steps that were paid for and lost in a crash, each as often as it was paid for beside the one that
            `state` holds; the run ends as much earlier as they cost.
        charge: called before every private step, to write the ledger.
        store: keeps finished chunks of a warm start, where the method has one.
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
    lost_steps: tuple[int, ...] = ()
    charge: Callable[[int], None] = lambda step: None
    store: WarmStartStore = field(default_factory=MemoryStore)

    def slots_of(self, records: RecordSet) -> PublicSlots:
        """The public number of units of these records.

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
        """The terms of the claim of a training.

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
            public_inputs=(*public_inputs, *self.public_notes),
            num_tuning_runs=self.num_tuning_runs,
            run_id=self.run_id,
            num_only_copies=self.num_only_copies,
            date=self.date,
            gossamer_version=self.version,
        )


class PlanOf(Protocol[C_in]):
    """What settings cost, for a public number of slots."""

    def __call__(self, config: C_in, slots: PublicSlots) -> Plan:
        """The object that the run is then made from."""
        ...


class CalibrateFor(Protocol[C]):
    """Settings for a budget."""

    def __call__(self, config: C, slots: PublicSlots, budget: PrivacyBudget) -> C:
        """The same settings with the smallest noise that keeps within the budget."""
        ...


@dataclass(frozen=True, kw_only=True)
class Method(Generic[C]):
    """A method under its name, for whoever offers several.

    Attributes:
        name: as typed and written: "gs-wgan".
        summary: one line.
        config: type of its settings.
        plan: (settings, slots) -> what they cost.
        calibrate: (settings, slots, budget) -> settings with the smallest noise that keeps within it.
        start: (settings, records, noise, circumstances) -> a training.
        saves_on_the_way: whether there is a generator to release before all private steps are done.
    """

    name: str
    summary: str
    config: type[C]
    plan: PlanOf[C]
    calibrate: CalibrateFor[C]
    start: Callable[[C, RecordSet, AbstractNoise, Circumstances], AbstractTraining]
    saves_on_the_way: bool
