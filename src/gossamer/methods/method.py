"""A method as it is offered: its names, its account and its recipes in one object. Its work waits to be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gossamer.errors import InputError
from gossamer.mechanisms.account import AbstractAccount

if TYPE_CHECKING:  # seconds, which a list of the methods and an account do without
    import torch

    from gossamer.data.records import AbstractSpec, RecordSet
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.mechanisms.plan import AbstractPlan
    from gossamer.methods.cost import Cost
    from gossamer.methods.training import AbstractTraining, Progress, RunContext
    from gossamer.methods.working import Working
    from gossamer.privacy.budget import PrivacyBudget
    from gossamer.privacy.slots import PublicSlots

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class Recipe(Generic[C]):
    """Settings with a name.

    Attributes:
        name: as typed after --recipe.
        summary: one line.
        config: settings, without a noise multiplier: the multiplier follows from the budget.
        shape: of the records that the recipe is for, if a data set comes in several layouts. None for any.
    """

    name: str
    summary: str
    config: C
    shape: tuple[int, ...] | None = None

    def suits(self, data: str, shape: tuple[int, ...] | None) -> bool:
        """Tell if the recipe is for a published data set, and for records of a shape if one is given."""
        is_named = self.name == data or self.name.startswith(f"{data}-")
        return is_named and (shape is None or self.shape in (None, shape))


@dataclass(frozen=True, kw_only=True)
class Named:
    """The names of a method, present or retired.

    Attributes:
        name: as it is typed and written: "gs-wgan".
        title: as a person says it: "GS-WGAN".
        paper: authors, title, place and year. None if it was published here alone.
    """

    name: str
    title: str
    paper: str | None


@dataclass(frozen=True, kw_only=True)
class Method(Named, Generic[C]):
    """A method under its name. All that is said of it elsewhere follows from here.

    Attributes:
        summary: one line, for the list of the methods.
        account: the questions and answers of `gossamer account`.
        working: imports and returns its work, always the same object.
        saves_on_the_way: whether there is a generator to release before all private steps are done.
    """

    summary: str
    account: type[AbstractAccount]
    working: Callable[[], Working[C]]
    saves_on_the_way: bool

    @property
    def config(self) -> type[C]:
        """The type of its settings."""
        return self.working().config

    def plan(self, config: C, slots: PublicSlots) -> AbstractPlan:
        """Return sampling, noise and price of settings, for a public number of slots: a run is made from it."""
        return self.working().plan(config, slots)

    def calibrate(self, config: C, slots: PublicSlots, budget: PrivacyBudget) -> C:
        """Return the settings with the smallest noise multiplier that keeps within the budget."""
        settings: Any = config
        return replace(settings, noise_multiplier=self.plan(config, slots).calibrated(budget).noise_multiplier)

    def start(self, config: C, records: RecordSet, noise: AbstractNoise, context: RunContext) -> Any:
        """Return a training of private records. Its statement names critics of the user's own."""
        from gossamer.nn.registered import notes_on_own_critics

        notes = notes_on_own_critics(config)
        return self.working().start(
            config, records, noise, replace(context, public_notes=(*context.public_notes, *notes))
        )

    def stops(self, config: C, slots: PublicSlots) -> tuple[int, ...]:
        """Return the steps that no block of a ledger crosses, because a run can be kept whole there."""
        return self.working().stops(config, self.plan(config, slots))

    def cost(self, config: C, spec: AbstractSpec, slots: PublicSlots, device: torch.device) -> Cost:
        """Return time and memory of a training, measured on random records of the same shape."""
        return self.working().cost(config, spec, slots, device)

    def check_shares_work(self) -> None:
        """Refuse several processes for a method that has nothing to share out.

        Raises:
            InputError: always then.
        """
        if self.working().share is None:
            raise InputError(f"{self.name} works in one process: start it without torchrun")

    def share(self, training: AbstractTraining, rank: int, num_processes: int) -> Iterator[Progress]:
        """Do one process's part of the work before the first private step.

        Raises:
            InputError: the method works in one process.
        """
        self.check_shares_work()
        share = self.working().share
        assert share is not None
        return (training.progress(report) for report in share(training, rank, num_processes))

    @property
    def recipes(self) -> tuple[Recipe[C], ...]:
        """The recipes for published data sets, in the order in which they are tried."""
        return self.working().recipes

    def find(self, name: str) -> Recipe[C]:
        """Return the recipe of that name.

        Raises:
            InputError: there is none.
        """
        for recipe in self.recipes:
            if recipe.name == name:
                return recipe
        names = ", ".join(recipe.name for recipe in self.recipes) or "none"
        raise InputError(f"no recipe {name!r} of {self.name}; the recipes are {names}")

    def named(self, recipe: str | None, data: str, shape: tuple[int, ...] | None) -> Recipe[C] | None:
        """Return the recipe that was named, or the first for a published data set, or None.

        Args:
            recipe: name of the recipe, None if none was named.
            data: name of a data set, or anything else.
            shape: of its records, None if it is not known.

        Raises:
            InputError: no recipe of that name.
        """
        from gossamer.data.catalogue import is_named

        if recipe is not None:
            return self.find(recipe)
        return self.find_for(data, shape) if is_named(data) else None

    def find_for(self, data: str, shape: tuple[int, ...] | None = None) -> Recipe[C] | None:
        """Return the first recipe for a published data set, in the layout with records of this shape, or None."""
        return next((recipe for recipe in self.recipes if recipe.suits(data, shape)), None)

    def recipe_for(self, spec: AbstractSpec, num_slots: int) -> Recipe[C]:
        """Return a recipe for a user's own records, from shape and number of slots, which are public.

        Raises:
            InputError: the method has none.
        """
        for_own = self.working().for_own
        if for_own is None:
            raise InputError(f"{self.name} has no settings for such records: give a config.json by --recipe")
        return for_own(spec, num_slots)

    def settings_for(self, spec: AbstractSpec, num_slots: int) -> C:
        """Return the settings of `recipe_for`."""
        return self.recipe_for(spec, num_slots).config
