"""A method as it is offered: its names, its account and its recipes in one object. Its work waits to be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from gossamer.errors import InputError, told
from gossamer.mechanisms.account import AbstractAccount

if TYPE_CHECKING:  # seconds, which a list of the methods and an account do without
    import torch

    from gossamer.data.records import AbstractSpec, RecordSet
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.mechanisms.plan import AbstractPlan
    from gossamer.methods.cost import Cost
    from gossamer.methods.starting import Networks
    from gossamer.methods.training import RunContext
    from gossamer.methods.working import Working
    from gossamer.nn.ensemble import Tensors
    from gossamer.privacy.budget import PrivacyBudget
    from gossamer.privacy.slots import PublicSlots

C = TypeVar("C")

OWN: Final = "own"
"""The first word of a recipe of settings for a user's own records, which follow from shape and number of slots."""
FROM_FILE: Final = "config.json"
"""The name of settings that were read from a file."""
_NOT_OF_A_RECIPE: Final = ("seed", "noise_multiplier")


@dataclass(frozen=True, kw_only=True)
class TakenRecipe:
    """The recipe that the settings of a run started from, and the settings that were changed after that. Public.

    Attributes:
        name: of the recipe, or `FROM_FILE`.
        changed: names of the settings that differ from it. Noise and seed belong to no recipe.

    Raises:
        InputError: a name that is none.

    Example:
        >>> TakenRecipe(name="mnist", changed=("num_steps",)).describe()
        'mnist, with changes (num_steps)'
    """

    name: str
    changed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.name, *self.changed):
            # These words stand in a statement.
            if not (name.isascii() and name.replace("-", "_").replace(".", "_").isidentifier() and len(name) <= 60):
                raise InputError("a recipe and its changes must be names of settings; put config.json back as it was")

    def describe(self) -> str:
        """Name the recipe, and the settings that were changed."""
        if not self.changed:
            return self.name
        return f"{self.name}, with changes ({', '.join(self.changed)})"

    @property
    def note(self) -> str:
        """Sentence for the statement."""
        changes = f", with changes ({', '.join(self.changed)})" if self.changed else ""
        if self.name.partition("-")[0] == OWN:
            follow = "The settings follow from the shape of the records and the public number of slots"
            return f"{follow} (recipe {self.name}){changes}."
        if self.name == FROM_FILE:
            return f"The settings were read from a file{changes}."
        return f"The settings are those of the recipe {self.name}{changes}."


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

    def taken(self, config: C) -> TakenRecipe:
        """Compare settings with those of the recipe: the settings of a run, as its statement names their origin."""
        own: Any = self.config
        names = [field.name for field in fields(own) if field.name not in _NOT_OF_A_RECIPE]
        changed = tuple(name for name in names if getattr(own, name) != getattr(config, name))
        return TakenRecipe(name=self.name, changed=changed)


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
        classifies: whether its releases also classify records.
        works_between_sites: whether several sites can train by it in rounds, by noisy sums, by networks that travel, or
            by both.
    """

    summary: str
    account: type[AbstractAccount]
    working: Callable[[], Working[C]]
    saves_on_the_way: bool
    classifies: bool = False
    works_between_sites: bool = False

    @property
    def config(self) -> type[C]:
        """The type of its settings."""
        return self.working().config

    def plan(self, config: C, slots: PublicSlots) -> AbstractPlan:
        """Return sampling, noise and price of settings, for a public number of slots: a run is made from it."""
        return self.working().plan(config, slots)

    def calibrate(self, config: C, slots: PublicSlots, budget: PrivacyBudget) -> C:
        """Return the settings with the smallest noise multiplier within the budget, and with sizes that suit it."""
        first = self._calibrated(config, slots, budget)
        settled = self.sized(first, slots)
        # Privacy: the price is that of the sizes that are used, although it hardly depends on them.
        return first if settled == first else self._calibrated(settled, slots, budget)

    def sized(self, config: C, slots: PublicSlots) -> C:
        """Settle the sizes that were left to the noise. Public facts decide, and no record."""
        return self.working().sized(config, slots)

    def _calibrated(self, config: C, slots: PublicSlots, budget: PrivacyBudget) -> C:
        settings: Any = config
        return replace(settings, noise_multiplier=self.plan(config, slots).calibrated(budget).noise_multiplier)

    def start(self, config: C, records: RecordSet, noise: AbstractNoise, context: RunContext) -> Any:
        """Return a training of private records. Its statement names critics of the user's own."""
        from gossamer.nn.registered import notes_on_own_critics

        notes = (*context.public_notes, *notes_on_own_critics(config))
        return self.working().start(config, records, noise, replace(context, public_notes=notes))

    def stops(self, config: C, slots: PublicSlots) -> tuple[int, ...]:
        """Return the steps that no block of a ledger crosses, because a run can be kept whole there."""
        return self.working().stops(config, self.plan(config, slots))

    def cost(self, config: C, spec: AbstractSpec, slots: PublicSlots, device: torch.device) -> Cost:
        """Return time and memory of a training, measured on random records of the same shape."""
        return self.working().cost(config, spec, slots, device)

    def check_starts(self) -> None:
        """Refuse a public start for a method that trains no network.

        Raises:
            InputError: always then.
        """
        if self.working().pretrain is None:
            raise InputError(f"{self.name} trains no network, so nothing can be started: leave --start-from out")

    def pretrain(self, config: C, public: RecordSet, num_steps: int, device: torch.device) -> Networks:
        """Return networks to start from, trained on public records without noise.

        Raises:
            InputError: the method trains no network.
        """
        self.check_starts()
        pretrain = self.working().pretrain
        assert pretrain is not None
        return pretrain(config, public, num_steps, device)

    def check_shares_work(self, num_processes: int) -> None:
        """Refuse several processes for a method that has nothing to share out.

        Raises:
            InputError: always then.
        """
        if num_processes > 1 and not self.working().shares_work:
            raise InputError(f"{self.name} works in one process: start it without torchrun")

    @property
    def sends_networks(self) -> bool:
        """True if networks travel between sites after a block of private steps."""
        return self.working().travels is not None

    @property
    def sends_sums(self) -> bool:
        """True if sites send noisy sums, alone or before their networks."""
        return not self.sends_networks or self.working().sums_first

    def travelling(self, config: C, spec: AbstractSpec) -> Tensors:
        """Return the networks before the first step as they travel between sites, by name.

        Raises:
            InputError: settings that do not work between sites.
        """
        travels = self.working().travels
        return {} if travels is None else travels(config, spec)

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
            if isinstance(name, str) and recipe.name == name:
                return recipe
        names = ", ".join(recipe.name for recipe in self.recipes) or "none"
        raise InputError(f"no recipe {told(name)} of {self.name}; the recipes are {names}")

    def named(self, recipe: str | None, published: str | None, shape: tuple[int, ...] | None) -> Recipe[C] | None:
        """Return the recipe that was named, or the first for a published data set, or None.

        Args:
            recipe: name of the recipe, None if none was named.
            published: public name of the records, None for a user's own.
            shape: of the records, None if it is not known.

        Raises:
            InputError: no recipe of that name.
        """
        if recipe is not None:
            return self.find(recipe)
        return None if published is None else self.find_for(published, shape)

    def recipe_of(self, recipe: str | None, records: RecordSet, num_slots: int) -> Recipe[C]:
        """Return the recipe that was named, or that for the public name of records, or the settings for own records.

        Args:
            recipe: name of the recipe, None if none was named.
            records: to be learnt from. Name and specification alone are looked at, which are public.
            num_slots: public number of slots.

        Raises:
            InputError: no recipe of that name, or no settings for such records.
        """
        named = self.named(recipe, records.published_name, records.spec.shape)
        return self._recipe_for(records.spec, num_slots) if named is None else named

    def find_for(self, data: str, shape: tuple[int, ...] | None = None) -> Recipe[C] | None:
        """Return the first recipe for a published data set, in the layout with records of this shape, or None."""
        return next((recipe for recipe in self.recipes if recipe.suits(data, shape)), None)

    def settings_for(self, spec: AbstractSpec, num_slots: int) -> C:
        """Return settings for a user's own records, from shape and number of slots, which are public.

        Raises:
            InputError: the method has none.
        """
        return self._recipe_for(spec, num_slots).config

    def _recipe_for(self, spec: AbstractSpec, num_slots: int) -> Recipe[C]:
        for_own = self.working().for_own
        if for_own is None:
            raise InputError(f"{self.name} has no settings for such records: give a config.json by --recipe")
        return for_own(spec, num_slots)
