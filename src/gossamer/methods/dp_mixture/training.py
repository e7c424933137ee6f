"""DP-mixture: class means, a subspace, centres and covariances, each one noisy sum. Samples come from the mixture.

A method of this library: docs/concepts/dp-mixture.md states and proves it. The private subspace is from Dwork, Talwar,
Thakurta, Zhang, "Analyze Gauss", STOC 2014. The noisy k-means rounds are from Blum, Dwork, McSherry, Nissim, "Practical
privacy: the SuLQ framework", PODS 2005.

The family is that of Chanyaswad, Liu, Mittal, "RON-Gauss: Enhancing utility in non-interactive private data release",
PoPETs 2019. RON-Gauss draws from a Gaussian of noisy mean and covariance in a random orthonormal subspace, for each
class in its variant for classification. Here the subspace is learnt, by one more noisy sum.
"""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.crew import Order
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_shot.contributions import Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.dp_mixture.components import symmetric_root
from gossamer.methods.dp_mixture.fit import MixtureFit
from gossamer.methods.dp_mixture.settings import DPMixtureConfig, plan, sized, sizes_in_words
from gossamer.methods.dp_mixture.worth import ReleasedMoments
from gossamer.methods.of_sites import SumsOfSites
from gossamer.methods.protected import Bundle, bundles, described, owners_of, slot_sizes_of
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.methods.training import AbstractStepReport, AbstractTraining, Progress, RunContext
from gossamer.methods.verdict import Verdict
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.statement import PrivacyStatement

_CHUNK = 2000
_FORM = "with a shrunk second moment"
"""The reading of released sums. A state names it, because a sum is about places that earlier sums decide."""


@dataclass(frozen=True, kw_only=True)
class DPMixtureReport(AbstractStepReport):
    """Report of one release. Everything in it is public.

    Attributes:
        step: number of the release, from 0.
        release: its name.
    """

    release: str


P = TypeVar("P", bound=AbstractPlan)


class AbstractMixtureTraining(AbstractTraining[P]):
    """A training that begins with the releases of a mixture, alone or as the first part of its plan.

    Guarantee: records are read by the releases of a mixture alone. A row that they read depends on one record, on
    public things and on earlier releases. The mixture is computed from the released sums.

    Args:
        config: settings of the mixture.
        plan: of the whole run.
        records: private.
        noise: secret randomness of this process.
        context: of the run. The device is for features, since the rest is small.
        sample_size: coordinates of the largest vector that a step releases or is priced for.

    Raises:
        InputError: data of another shape or number of classes, or a state of other sums.
        PrivacyError: settings without a guarantee.
    """

    releaser: OneShotReleaser

    def __init__(
        self,
        config: DPMixtureConfig,
        plan: P,
        records: RecordSet,
        noise: AbstractNoise,
        context: RunContext,
        sample_size: int,
    ) -> None:
        stated = f"the radii, {config.generator.public_facts}"
        self.sizes = sizes_in_words(config)
        context = replace(context, public_notes=(stated, self.sizes, *context.public_notes))
        super().__init__(plan, noise, context, sample_size)
        self._mixture = config
        self._records = records
        self._device = context.device
        self._fit = MixtureFit(config, self._sums)
        self._known = self._fit.start()
        self._released: list[Tensor] = []
        self.step = 0
        for released in [] if context.state is None else _released_in(context.state):
            self._take_up(released)
        if context.sums is not None:
            self._take_up_sums(context.sums)
        sizes = slot_sizes_of(records, self.plan)
        gate = self.gate.of_part(self._sums)
        self.releaser = OneShotReleaser(
            self._sums, noise, slot_sizes=sizes, gate=gate, crew=context.crew, known=lambda: self._released
        )

    def _state_of_mixture(self) -> dict[str, Any]:
        """Return the sums released so far, which are all there is to know of a mixture."""
        return {"form": _FORM, "step": self.step, "released": list(self._released)}

    @abc.abstractmethod
    def _sums_of(self, plan: P) -> OneShotPlan:
        """Return the plan of the releases of the mixture, all of a plan or its first part."""

    @property
    def _sums(self) -> OneShotPlan:
        """The plan of the releases of the mixture, with the noise of this place."""
        return self._sums_of(self.plan)

    def _release_next(self) -> DPMixtureReport:
        """Make the next release of the mixture."""
        step = self.step
        self._take_up(self.releaser.release(step, self._slots(step)))
        return DPMixtureReport(step=step, release=self._sums.releases[step].name)

    def _do(self, order: Order) -> None:
        """Add this process's records to a release, at the places that earlier releases decide."""
        self._take_up_all(order.tensors)
        self.releaser.help(order.number, self._slots(order.number))

    def _take_up_all(self, released: Sequence[Tensor | None]) -> None:
        """Take up the leader's releases beyond those that this process knows."""
        for one in released[len(self._released) :]:
            assert one is not None
            self._take_up(one)

    def _slots(self, step: int) -> Iterator[Slots]:
        features, groups = self._described
        owners = owners_of(self._records, self.plan.unit)
        for bundle in self._crew.share(bundles(self._records, self.plan.unit, _CHUNK)):
            vectors, places = self._rows(step, bundle, features, groups)
            yield Slots(vectors=vectors, groups=places, owners=None if owners is None else owners[bundle.rows])

    def _rows(self, step: int, bundle: Bundle, features: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the rows that a bundle's records add to a release, and their groups, each unit by itself."""
        found: list[Tensor] = []

        def vectors(features: Tensor, groups: Tensor) -> Tensor:
            rows = self._fit.rows(step, self._known, features.double(), groups)
            found.append(rows.groups)
            return rows.vectors

        moved = bundle.compute(vectors, features, groups)
        sizes = map(len, bundle.pieces)
        return moved, torch.cat([part[:size] for part, size in zip(found, sizes, strict=True)])

    @functools.cached_property
    def _described(self) -> tuple[Tensor, Tensor]:
        """Features of all records and their classes. Private, and each row is a function of its record."""
        records = self._records

        def describe(x: Tensor, _: Tensor) -> Tensor:
            return self._mixture.generator.features(x.to(self._device)).cpu()

        groups = torch.zeros(records.num_records, dtype=torch.int64) if records.y is None else records.y
        return described(describe, records, self.plan.unit), groups

    def _take_up(self, released: Tensor) -> None:
        # Privacy: the knowledge is computed from released sums, and from nothing else.
        self._known = self._fit.learn(self.step, self._known, released)
        self._released.append(released)
        self.step += 1

    def _take_up_sums(self, sums: SumsOfSites) -> None:
        """Take up sums of several sites, each with its own noise.

        Raises:
            InputError: they lead to no finite mixture. This follows from the sums alone.
        """
        own = self._fit
        for released, multiplier in zip(sums.released, sums.multipliers, strict=True):
            self._fit = MixtureFit(self._mixture, self._sums_of(replace(self.plan, noise_multiplier=multiplier)))
            self._take_up(released)
        self._fit = own
        if not all(bool(value.isfinite().all()) for value in vars(self._known).values()):
            raise InputError("the sums of earlier rounds lead to no finite mixture: ask the coordinator for others")

    @property
    def released_sums(self) -> tuple[Tensor, ...]:
        """Noisy sums released so far. See `AbstractTraining.released_sums`."""
        return tuple(self._released)

    def verdict(self) -> Verdict | None:
        """Judge class means and covariances against the noise on their sums. None before there is a mixture."""
        if len(self._released) < 2:
            return None
        known = self._known
        # Privacy: released sums, the plan that says their noise, and knowledge computed from those sums alone.
        worth = ReleasedMoments(
            plan=self._sums,
            covariances=self._mixture.covariances,
            released=self._released,
            counts=known.counts,
            means=known.offset + known.apart,
            directions=known.directions,
            centres=known.centres,
            shares=known.shares,
            estimates=known.covariances,
            num_values=math.prod(self._mixture.records.shape),
        )
        return Verdict.of_sums(worth.signal, worth.classes_apart, worth.knows_level)

    def _mixture_so_far(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return the mixture as it is known now.

        Before the last release all classes have the covariance that the subspace was taken from.
        """
        if len(self._released) < 2:
            raise PrivacyError(
                "class means and subspace are not both released, or were paid for and lost: there is no mixture to "
                "draw from"
            )
        config, known = self._mixture.generator, self._known
        weights = {
            "centres": known.centres,
            "factors": symmetric_root(known.covariances),
            "shares": known.shares,
            "directions": known.directions,
            "offset": known.offset,
        }
        if config.remainder > 0:
            weights["beyond"] = symmetric_root(known.beyond)
        return TrainedGenerator(
            recipe=GeneratorRecipe.of(
                self._records.spec,
                network=config,
                latent=NormalLatent(dim=config.latent_dim(self._mixture.records.shape)),
                noisy_counts=known.counts,
            ),
            weights={name: tensor.to(torch.float32) for name, tensor in weights.items()},
            statement=statement,
        )


class DPMixtureTraining(AbstractMixtureTraining[OneShotPlan]):
    """A training that the caller drives: iterate over it, and take the generator at the end.

    Guarantee: `trained` has the privacy that its statement says. Records are read by the releases alone, each time as
    rows that depend on one record, on public things and on earlier releases. The generator is computed from the
    released sums.

    Args:
        config: settings.
        records: private.
        noise: secret randomness of this process.
        context: of the run. The device is for features, since the rest is small. float32 is the only precision.

    Raises:
        InputError: data of another shape or number of classes, or settings that do not fit.
        PrivacyError: settings without a guarantee.
    """

    name = "dp-mixture"

    def __init__(self, config: DPMixtureConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> None:
        config.records.check(records.spec)
        config = sized(config, context.slots_of(records))
        self.config = config
        priced = plan(config, context.slots_of(records))
        super().__init__(config, priced, records, noise, context, math.prod(records.spec.shape))

    def _sums_of(self, plan: OneShotPlan) -> OneShotPlan:
        return plan

    def __iter__(self) -> Iterator[DPMixtureReport]:
        """Make the releases to the end of the plan, with a report after each."""
        while self.step < self.end_step:
            yield self._release_next()

    def progress(self, report: DPMixtureReport) -> Progress:
        """Tell the number of releases made."""
        return Progress(part="releases", num_done=report.step + 1, num_all=self.end_step)

    def state_dict(self) -> dict[str, Any]:
        """Return the sums released so far, which are all there is to know."""
        return self._state_of_mixture()

    def _generator(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return the mixture as it is known now."""
        return self._mixture_so_far(statement)


def _released_in(state: dict[str, Any]) -> list[Tensor]:
    """Return the sums in a state, and refuse those that stand for something else here."""
    # Later sums were asked about places that older code computed otherwise: read by this code they mean nothing.
    if state.get("form") != _FORM:
        raise InputError(
            "this run of dp-mixture was begun by an older version of gossamer, whose sums are about other places; "
            "finish it with that version, or start a new run"
        )
    return state["released"]
