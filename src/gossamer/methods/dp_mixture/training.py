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
from gossamer.mechanisms.one_shot.contributions import GroupedMoments, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.dp_mixture.components import bearable_components, semi_definite, with_idle_moved
from gossamer.methods.dp_mixture.remainder import outside
from gossamer.methods.dp_mixture.settings import DPMixtureConfig, plan, sized, sizes_in_words
from gossamer.methods.dp_mixture.shrinking import KEPT, shrunk, shrunk_moment
from gossamer.methods.dp_mixture.worth import ReleasedMoments
from gossamer.methods.of_sites import SumsOfSites
from gossamer.methods.protected import Bundle, bundles, described, owners_of, slot_sizes_of
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.methods.training import AbstractStepReport, AbstractTraining, Progress, RunContext
from gossamer.methods.verdict import Verdict
from gossamer.nn.exact import matmul_of_rows
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.statement import PrivacyStatement

_CHUNK = 2000
_FORM = "with a shrunk second moment"
"""The reading of released sums. A state names it, because a sum is about places that earlier sums decide."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """Knowledge after some releases: a function of them and of public things, so free to use for anything.

    Attributes:
        counts: records of each class, (classes,).
        offset: mean features of all records, (features,).
        apart: mean features of each class less the offset, (classes, features).
        means: mean features of each class, as `shrunk` estimates them from the two, (classes, features).
        directions: orthonormal rows of the subspace, (d, features).
        within: covariance within classes, in the subspace, (d, d).
        beyond: covariance within classes outside the subspace, (features, features).
        centres: of components less the offset, in the subspace, (classes, components, d).
        shares: of components in their class, (classes, components). 0 for those that are not used.
        covariances: about the centres, (classes, components, d, d).
    """

    counts: Tensor
    offset: Tensor
    apart: Tensor
    means: Tensor
    directions: Tensor
    within: Tensor
    beyond: Tensor
    centres: Tensor
    shares: Tensor
    covariances: Tensor

    def nearest(self, places: Tensor, groups: Tensor) -> Tensor:
        """Return each place's nearest component of its class, int64 (batch,) in 0 .. classes x components - 1."""
        num_classes, num_components, _ = self.centres.shape
        component = torch.zeros_like(groups)
        for group in range(num_classes if num_components > 1 else 0):
            rows = (groups == group).nonzero()[:, 0]
            used = self.shares[group].nonzero()[:, 0]
            # Privacy: a class without a used component keeps its first one. Sums of a hostile site or coordinator may
            # lead there, and an error would tell if the class has records.
            used = used if len(used) else torch.zeros(1, dtype=torch.int64)
            # Privacy: a matrix product would round by the number of rows, which other records decide.
            exactly = "donot_use_mm_for_euclid_dist"
            distances = torch.cdist(places[rows], self.centres[group, used], compute_mode=exactly)
            component[rows] = used[distances.argmin(dim=1)]
        return groups * num_components + component


class MixtureFit:
    """The fit of a mixture: the rows that each release sums, and the estimates from its noisy sum.

    Guarantee: nothing here but `rows` sees features of records, and its results are for the sums of the releaser alone.

    Args:
        config: settings.
        plan: made of them.
    """

    def __init__(self, config: DPMixtureConfig, plan: OneShotPlan) -> None:
        self._config, self._plan = config, plan

    def start(self) -> Mixture:
        """Return the knowledge before the first release: none."""
        config, nothing = self._config, functools.partial(torch.zeros, dtype=torch.float64)
        shape, classes, components = config.records.shape, config.records.num_groups, config.generator.components
        features, kept = config.generator.num_features(shape), config.generator.num_kept(shape)
        return Mixture(
            counts=nothing(classes),
            offset=nothing(features),
            apart=nothing(classes, features),
            means=nothing(classes, features),
            directions=nothing(kept, features),
            within=nothing(kept, kept),
            beyond=nothing(features, features),
            centres=nothing(classes, components, kept),
            shares=nothing(classes, components) + 1 / components,
            covariances=nothing(classes, components, kept, kept),
        )

    def rows(self, step: int, known: Mixture, features: Tensor, groups: Tensor) -> Slots:
        """Return the rows that records with features (batch, features) and classes (batch,) add to a release."""
        if step == 0:
            return Slots(vectors=features, groups=groups)
        if step == 1:
            return Slots(vectors=features - known.means[groups], groups=torch.zeros_like(groups))
        # Privacy: in an ordinary product other records may change the rounding of a place, and so its nearest centre.
        places = matmul_of_rows(features - known.offset, known.directions.T)
        component = known.nearest(places, groups)
        from_centre = places - known.centres.flatten(end_dim=1)[component]
        is_last = step == self._plan.num_steps - 1
        return Slots(
            vectors=from_centre, groups=self._config.covariances.group(groups, component) if is_last else component
        )

    def learn(self, step: int, known: Mixture, released: Tensor) -> Mixture:
        """Return the knowledge after a release, from the knowledge before it and its noisy sum. Public."""
        noisy = released.double()
        if step == 0:
            return self._with_means(known, noisy)
        if step == 1:
            return self._with_subspace(known, noisy)
        if step < self._plan.num_steps - 1:
            return self._with_round(step, known, noisy)
        return self._with_covariances(known, noisy)

    def _with_means(self, known: Mixture, noisy: Tensor) -> Mixture:
        """Take the offset from all classes together, and the distances of classes to it.

        Classifiers learn from differences of classes, so these stay as released, noise included. Residuals are taken
        from shrunk means, because noise on a mean would pass for a spread of records.
        """
        sums, least = self._moments(0), self._least_count(0)
        raw, vectors = sums.counts(noisy), sums.sums(noisy)
        # The total is that of the counts as released: classes without records would add the least count each.
        counts, total = raw.clamp_min(least), raw.sum().clamp_min(least * math.sqrt(len(raw)))
        bands = self._config.generator.bands(self._config.records.shape)
        of_sum = (self._plan.release_noise_std(0) * sums.radius) ** 2
        offset = vectors.sum(dim=0) / total
        levels_kept = torch.where(bands == 0, KEPT, bands)
        offset = shrunk(offset[None], (len(raw) * of_sum / total**2)[None], levels_kept)[0]
        apart = (vectors - raw[:, None] * offset) / counts[:, None]
        means = offset + shrunk(apart, of_sum / counts**2, bands)
        return replace(known, counts=counts, offset=offset, apart=apart, means=means)

    def _with_subspace(self, known: Mixture, noisy: Tensor) -> Mixture:
        """Take the directions of largest second moment, within and between classes, and start centres there."""
        weight = known.counts / known.counts.sum()
        within = self._moments(1).squares(noisy)[0] / known.counts.sum()
        between = known.apart.T @ (weight[:, None] * known.apart)
        noise = self._plan.release_noise_std(1) * self._moments(1).radius ** 2 / float(known.counts.sum())
        shape, features = self._config.records.shape, self._config.generator
        likely = shrunk_moment(within, noise, features.blocks(shape), features.places(shape)) + between
        directions = _with_signs(torch.linalg.eigh(likely).eigenvectors.flip(1)[:, : len(known.directions)].T)
        inside = semi_definite(directions @ within @ directions.T)
        beyond = outside(within, directions, noise * math.sqrt(2 * len(within)))
        start = self._config.spread * torch.randn(
            known.centres.shape, generator=public_stream(self._config.seed, "centres"), dtype=torch.float64
        )
        if self._config.generator.components == 1:
            start = torch.zeros_like(start)
        centres = (known.apart @ directions.T)[:, None] + start @ _factor(inside).T
        covariances = inside.expand_as(known.covariances).clone()
        known = replace(known, directions=directions, within=inside, beyond=beyond)
        known = replace(known, centres=centres, covariances=covariances)
        is_used = bearable_components(known.counts, known.shares.shape[1], self._least_for_centre(known))
        return replace(known, shares=is_used / is_used.sum(dim=1, keepdim=True, dtype=torch.float64))

    def _with_round(self, step: int, known: Mixture, noisy: Tensor) -> Mixture:
        """Move centres to the means of their nearest records, by less if more of that mean is noise."""
        sums = self._moments(step)
        noisy_counts = sums.counts(noisy)
        counts = noisy_counts.clamp_min(self._least_count(step))
        noise = self._plan.release_noise_std(step) * sums.radius / counts
        signal, kept = known.within.trace(), len(known.directions)
        trust = signal / (signal + kept * noise.square())
        move = (trust / counts)[:, None] * sums.sums(noisy)
        is_used = known.shares > 0
        shares = torch.where(is_used, noisy_counts.clamp_min(0).view_as(known.shares) + 1e-9, 0.0)
        centres = known.centres + move.view_as(known.centres)
        if step + 1 < self._plan.num_steps - 1:
            steps = torch.randn(
                centres.shape, generator=public_stream(self._config.seed, "idle centres", step), dtype=torch.float64
            )
            steps = self._config.spread * steps @ _factor(known.within).T
            centres, shares = with_idle_moved(centres, shares, is_used, self._least_for_centre(known), steps)
        return replace(known, centres=centres, shares=shares / shares.sum(dim=1, keepdim=True))

    def _with_covariances(self, known: Mixture, noisy: Tensor) -> Mixture:
        step = self._plan.num_steps - 1
        sums = self._moments(step)
        noise_std = self._plan.release_noise_std(step) * sums.radius**2
        covariances = self._config.covariances.learnt(sums.squares(noisy), known.counts, known.shares, noise_std)
        return replace(known, covariances=covariances)

    def _least_for_centre(self, known: Mixture) -> float:
        """Compute the records at which noise on a centre, over all directions, is `centre_noise` of the spread."""
        if self._config.rounds == 0:
            return 0.0
        noise = self._plan.release_noise_std(2) * self._moments(2).radius * math.sqrt(len(known.directions))
        return noise / (self._config.centre_noise * math.sqrt(float(known.within.trace())))

    def _moments(self, step: int) -> GroupedMoments:
        contribution = self._plan.releases[step].contribution
        assert isinstance(contribution, GroupedMoments)
        return contribution

    def _least_count(self, step: int) -> float:
        """Return two standard deviations of the noise on a count: a smaller count says nothing."""
        return 2 * self._plan.release_noise_std(step)


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
            "factors": _factor(known.covariances),
            "shares": known.shares,
            "directions": known.directions,
            "offset": known.offset,
        }
        if config.remainder > 0:
            weights["beyond"] = _factor(known.beyond)
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


def _with_signs(directions: Tensor) -> Tensor:
    """Turn each direction (rows) such that its largest entry is positive.

    An eigenvector has two signs. Sites with other libraries of linear algebra would add sums about mirrored places.
    """
    largest = directions.abs().argmax(dim=1, keepdim=True)
    return (directions * directions.gather(1, largest).sign()).contiguous()


def _factor(matrices: Tensor) -> Tensor:
    """Return A with ``A A^T`` equal to each of the matrices (..., d, d): their symmetric roots."""
    values, vectors = torch.linalg.eigh(matrices)
    return (vectors * values.clamp_min(0).sqrt()[..., None, :]) @ vectors.mT
