"""The things that sites send: noisy sums, which add, networks, which are averaged, or sums and then networks."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from gossamer.driving.federated.plan import FederatedPlan, SiteTerms
from gossamer.errors import InputError
from gossamer.methods.of_sites import NetworksOfSites, SumsOfSites
from gossamer.methods.training import AbstractTraining
from gossamer.nn.ensemble import Tensors

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of float32 tensors, by name."""
_SUM: Final = "sum"
_FARTHEST: Final = 13.5
"""Standard deviations that the norm of noise exceeds its root-mean-square by with a chance below 1e-39."""


class AbstractSending(abc.ABC):
    """The kind of thing that the sites of a plan send.

    Attributes:
        plan: of the training.

    Args:
        plan: as above.
    """

    def __init__(self, plan: FederatedPlan) -> None:
        self.plan = plan

    @abc.abstractmethod
    def known(self, number: int) -> Shapes:
        """Return the tensors that are known before a round, in the order of their digest."""

    @abc.abstractmethod
    def sent(self, number: int) -> Shapes:
        """Return the tensors of a contribution to a round."""

    @abc.abstractmethod
    def check_possible(self, tensors: Tensors, site: SiteTerms, number: int, where: str) -> None:
        """Refuse finite tensors of the right shapes that no records of a site could have given.

        Raises:
            InputError: they are too large.
        """

    @abc.abstractmethod
    def combined(self, known: Tensors, answers: Sequence[Tensors], names: Sequence[str], number: int) -> Tensors:
        """Return all that is known after a round, from that before it and the contributions of some sites."""

    @abc.abstractmethod
    def context(self, known: Tensors, givers: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Return the arguments by which a `RunContext` takes up all that is known."""

    @abc.abstractmethod
    def tried(self, training: AbstractTraining) -> None:
        """Work as far as follows from the file of a round, on made-up records."""

    @abc.abstractmethod
    def work(self, training: AbstractTraining, number: int) -> Tensors:
        """Do the private steps of a round, and return the tensors of the contribution."""


class SendingSums(AbstractSending):
    """Noisy sums, one in each of the first rounds. Sums over disjoint records add, and so does their noise."""

    def known(self, number: int) -> Shapes:
        """Return a sum for each earlier round of sums."""
        return {f"{_SUM} {step + 1}": self._shape(step) for step in range(min(number, self.plan.num_sums))}

    def sent(self, number: int) -> Shapes:
        """Return one sum."""
        return {_SUM: self._shape(number)}

    def check_possible(self, tensors: Tensors, site: SiteTerms, number: int, where: str) -> None:
        """Refuse a sum that no records in the slots of a site could have given, with its noise."""
        part, released = self.plan.sums_of(site), tensors[_SUM]
        bounds = part.releases[number].contribution
        noise = part.release_noise_std(number) * (math.sqrt(bounds.size) + _FARTHEST)
        largest = site.num_slots * bounds.norm_bound + noise
        if float(released.double().norm()) > largest * 1.001:
            raise InputError(
                f"{where}: a sum of norm {float(released.double().norm()):.4g}, and {site.num_slots} slots with their "
                f"noise give {largest:.4g} at most; leave it out"
            )

    def combined(self, known: Tensors, answers: Sequence[Tensors], names: Sequence[str], number: int) -> Tensors:
        """Add sums in float64, in the order of the plan, and scale them to all slots. Exact if all sites are there."""
        total = torch.stack([one[_SUM].double() for one in answers]).sum(dim=0)
        return {**known, f"{_SUM} {number + 1}": (total / self.plan.share_of(names)).to(torch.float32)}

    def context(self, known: Tensors, givers: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Return the sums, with the noise on each."""
        released = tuple(known[name] for name in self.known(len(givers)))
        multipliers = tuple(self.plan.multiplier_of(names) for names in givers[: len(released)])
        return {"sums": SumsOfSites(released=released, multipliers=multipliers)}

    def tried(self, training: AbstractTraining) -> None:
        """Make the next sum."""
        self._next_sum(training)

    def work(self, training: AbstractTraining, number: int) -> Tensors:
        """Make the next sum."""
        return {_SUM: self._next_sum(training)}

    def _next_sum(self, training: AbstractTraining) -> Tensor:
        """Make one release, through the gate and the releaser of the training."""
        next(iter(training))
        return training.released_sums[-1]

    def _shape(self, step: int) -> tuple[int, ...]:
        return (self.plan.whole.releases[step].contribution.size,)


class SendingNetworks(AbstractSending):
    """Networks after a block of private steps at each site, averaged by public numbers of slots."""

    def known(self, number: int) -> Shapes:
        """Return the networks, none before their first round: they follow from the plan then."""
        return self.plan.networks if number > self.plan.num_sums else {}

    def sent(self, number: int) -> Shapes:
        """Return the networks."""
        return self.plan.networks

    def check_possible(self, tensors: Tensors, site: SiteTerms, number: int, where: str) -> None:
        """Do nothing: any finite weights are weights."""

    def combined(self, known: Tensors, answers: Sequence[Tensors], names: Sequence[str], number: int) -> Tensors:
        """Average in float64 by public numbers of slots, in the order of the plan. Exact for one site.

        Without an answer the networks stay as they are.
        """
        slots = [float(self.plan.site(name).num_slots) for name in names]

        def mean(name: str) -> Tensor:
            parts = [one[name].double() * number for one, number in zip(answers, slots, strict=True)]
            return (torch.stack(parts).sum(dim=0) / sum(slots)).to(torch.float32)

        if len(answers) == 1:
            return dict(answers[0])
        if not answers:
            before = {name: known[name] for name in self.plan.networks if name in known}
            return before or self.plan.of_method.travelling(self.plan.method, self.plan.spec)
        return {name: mean(name) for name in self.plan.networks}

    def context(self, known: Tensors, givers: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Return the networks, and the steps that led to them. Nothing before their first round."""
        if len(givers) <= self.plan.num_sums:
            return {}
        steps = [self.plan.steps_of(number) for number in range(len(givers) + 1)]
        led = list(zip(steps, givers, strict=False))[self.plan.num_sums :]
        blocks = tuple(one for one, names in led if names)
        # After the last round the steps are none, and begin at the end of the plan.
        first = min(steps[-1].start, self.plan.num_steps)
        tensors = {name: known[name] for name in self.plan.networks}
        return {"networks": NetworksOfSites(step=first, blocks=blocks, tensors=tensors)}

    def tried(self, training: AbstractTraining) -> None:
        """Take the steps of one update of the generator, since an update may need more memory than a step."""
        self._until(training, min(training.step + training.steps_per_update, training.end_step))
        training.travelling()  # an update may be left to whoever asks for the networks

    def work(self, training: AbstractTraining, number: int) -> Tensors:
        """Take the steps of the round."""
        self._until(training, self.plan.steps_of(number).stop)
        return {name: tensor.detach().cpu().clone() for name, tensor in training.travelling().items()}

    def _until(self, training: AbstractTraining, end: int) -> None:
        reports = iter(training)
        while training.step < end:
            next(reports)


class SendingSumsThenNetworks(AbstractSending):
    """Noisy sums in the first rounds, and after them networks that learn in coordinates that the sums define.

    Args:
        plan: of the training.
    """

    def __init__(self, plan: FederatedPlan) -> None:
        super().__init__(plan)
        self._sums, self._networks = SendingSums(plan), SendingNetworks(plan)

    def known(self, number: int) -> Shapes:
        """Return a sum for each earlier round of sums, and the networks after their first round."""
        return {**self._sums.known(number), **self._networks.known(number)}

    def sent(self, number: int) -> Shapes:
        """Return one sum, or the networks."""
        return self._now(number).sent(number)

    def check_possible(self, tensors: Tensors, site: SiteTerms, number: int, where: str) -> None:
        """Refuse a sum that is too large."""
        self._now(number).check_possible(tensors, site, number, where)

    def combined(self, known: Tensors, answers: Sequence[Tensors], names: Sequence[str], number: int) -> Tensors:
        """Add sums, or average networks, and keep all sums."""
        return {**known, **self._now(number).combined(known, answers, names, number)}

    def context(self, known: Tensors, givers: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Return the sums with the noise on each, and the networks after their first round."""
        return {**self._sums.context(known, givers), **self._networks.context(known, givers)}

    def tried(self, training: AbstractTraining) -> None:
        """Make the next sum, or take the steps of one update."""
        self._now(training.step).tried(training)

    def work(self, training: AbstractTraining, number: int) -> Tensors:
        """Make the next sum, or take the steps of the round."""
        return self._now(number).work(training, number)

    def _now(self, number: int) -> AbstractSending:
        """Return the kind of a round, by its number, or by a private step: each sum is one step and one round."""
        return self._sums if number < self.plan.num_sums else self._networks


def sending_of(plan: FederatedPlan) -> AbstractSending:
    """Return the kind of thing that the sites of a plan send."""
    method = plan.of_method
    if not method.sends_networks:
        return SendingSums(plan)
    return SendingSumsThenNetworks(plan) if method.sends_sums else SendingNetworks(plan)
