"""The fit of a mixture: the rows that each release sums, and all that is known after it, computed from noisy sums.

The sources are named in `training.py`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gossamer.mechanisms.one_shot.contributions import GroupedMoments, Slots
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.dp_mixture.components import bearable_components, semi_definite, symmetric_root, with_idle_moved
from gossamer.methods.dp_mixture.remainder import outside
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.dp_mixture.shrinking import KEPT, shrunk, shrunk_moment
from gossamer.nn.exact import matmul_of_rows


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
        centres = (known.apart @ directions.T)[:, None] + start @ symmetric_root(inside).T
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
            steps = self._config.spread * steps @ symmetric_root(known.within).T
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


def _with_signs(directions: Tensor) -> Tensor:
    """Turn each direction (rows) such that its largest entry is positive.

    An eigenvector has two signs. Sites with other libraries of linear algebra would add sums about mirrored places.
    """
    largest = directions.abs().argmax(dim=1, keepdim=True)
    return (directions * directions.gather(1, largest).sign()).contiguous()
