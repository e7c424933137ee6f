"""The work of a method: its settings, plan, training and recipes, imported when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.method import Recipe
from gossamer.privacy.slots import PublicSlots

if TYPE_CHECKING:
    import torch

    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.methods.cost import Cost
    from gossamer.methods.starting import Networks
    from gossamer.methods.training import AbstractTraining, RunContext
    from gossamer.nn.ensemble import Tensors

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class Working(Generic[C]):
    """The work of a method.

    Attributes:
        config: type of its settings, a frozen dataclass with a `seed` and a `noise_multiplier`, None until calibrated.
        plan: (settings, slots) -> their price.
        start: (settings, records, noise, context) -> a training.
        recipes: for published data sets, which their names begin with. The first is taken if none is named.
        sized: (settings, slots) -> the same with the sizes settled that were left to the noise. Default: none are.
        sizes_in_words: settled settings -> their sizes in words. Default: no words.
        for_own: (specification, number of slots) -> settings for a user's own records, None if there are none.
        stops: (settings, plan) -> steps that no block of a ledger crosses. Default: those that the mechanism asks for.
        estimate: (settings, specification, slots, device) -> cost, if the first seconds of a training tell too little.
        pretrain: (settings, public records, number of steps, device) -> networks to start from, trained without noise.
            None if the method trains no network, so that it has nothing to start.
        travels: (settings, specification) -> networks before the first step, as they travel between sites. None if the
            method trains none, or not between sites.
        sums_first: true if sums over all records come before the networks that travel, so that sites add these first.
        shares_work: true if several processes may share the work of a training, which then obeys orders.
    """

    config: type[C]
    plan: Callable[[C, PublicSlots], AbstractPlan]
    start: Callable[[C, RecordSet, AbstractNoise, RunContext], AbstractTraining]
    recipes: tuple[Recipe[C], ...] = ()
    sized: Callable[[C, PublicSlots], C] = lambda config, slots: config
    sizes_in_words: Callable[[C], str] = lambda config: ""
    for_own: Callable[[AbstractSpec, int], Recipe[C]] | None = None
    stops: Callable[[C, AbstractPlan], tuple[int, ...]] = lambda config, plan: plan.stops
    estimate: Callable[[C, AbstractSpec, PublicSlots, torch.device], Cost] | None = None
    pretrain: Callable[[C, RecordSet, int, torch.device], Networks] | None = None
    travels: Callable[[C, AbstractSpec], Tensors] | None = None
    sums_first: bool = False
    shares_work: bool = False

    def cost(self, config: C, spec: AbstractSpec, slots: PublicSlots, device: torch.device) -> Cost:
        """Return time and memory of a training, measured on random records of the same shape.

        Args:
            config: settings with a noise multiplier.
            spec: shape and classes.
            slots: their public number. A person is taken to have one record, because the true number is private.
            device: where to compute.
        """
        from gossamer.mechanisms.noise import DeterministicNoise
        from gossamer.methods.cost import Cost, num_timed, random_records, time_of_parts
        from gossamer.methods.training import RunContext

        if self.estimate is not None:
            return self.estimate(config, spec, slots, device)
        number = num_timed(spec, slots.number)
        # These records are random, so the noise need not be secret, and delta says nothing.
        context = RunContext(delta=0.5 / number, slots=replace(slots, number=number), device=device)
        training = self.start(config, random_records(spec, number, slots.unit), DeterministicNoise(0), context)
        seconds = time_of_parts(training, slots.number / number)
        return Cost(seconds=seconds, num_bytes=None, device=device)
