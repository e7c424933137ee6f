"""Worth of a mixture: the part of its energy that lies above the noise of the sums that it was computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.mechanisms.one_shot.contributions import GroupedMoments
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.methods.dp_mixture.components import Covariances
from gossamer.methods.worth import pairs_apart, share_above, standing_out

_LEVEL_ERROR = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedMoments:
    r"""Released sums of a mixture beside the known noise in them.

    A class y has energy :math:`|m_y - m|^2` about the common mean, and the trace of its covariance within. Of the
    first, noise has ``F t_y^2`` on F features. Noise on a symmetric matrix of d rows, of deviation s on its diagonal,
    has eigenvalues up to the edge :math:`e = s \sqrt{2 d}`. A released eigenvalue :math:`\lambda > e` stands for a true
    variance :math:`\sqrt{\lambda^2 - e^2}` along the released direction, and a smaller one for none.

    Attributes:
        plan: of the releases.
        covariances: how they were estimated.
        released: sums, at least those of means and subspace.
        counts: of classes, (classes,).
        means: of classes, (classes, features).
        directions: orthonormal rows, (d, features).
        centres: of components in the subspace, (classes, components, d).
        shares: of components in their class, (classes, components).
        estimates: covariances about centres, (classes, components, d, d).
        num_values: values of one record.

    References: Benaych-Georges, Nadakuditi 2011, "The eigenvalues and eigenvectors of finite, low rank perturbations of
        large random matrices", for the formula of the eigenvalues.
    """

    plan: OneShotPlan
    covariances: Covariances
    released: Sequence[Tensor]
    counts: Tensor
    means: Tensor
    directions: Tensor
    centres: Tensor
    shares: Tensor
    estimates: Tensor
    num_values: int

    @property
    def signal(self) -> float:
        """Part of the energy of samples about the common level that lies above noise, a mean over classes."""
        apart, noise = self._apart
        energy = apart.square().sum(dim=1)
        above = share_above(energy, noise + self._scatter / self.counts)
        between = (apart @ self.directions.T).square().sum(dim=1)
        within, found = self._within
        # Second moments are about released centres, so the noise of a centre comes back as variance.
        # A single class has no energy between classes: all noise on its mean may have come back.
        kept = torch.ones_like(energy) if len(energy) == 1 else between / energy.clamp_min(1e-12)
        found = (found - self._centre_noise(kept)).clamp_min(0)
        return float(((above * between + found) / (between + within).clamp_min(1e-12)).mean().clamp(0, 1))

    @property
    def classes_apart(self) -> float | None:
        """Share of pairs of classes with means further apart than noise and the scatter of their records allow."""
        return pairs_apart(self.means, self._mean_noise, self._scatter / self.counts)

    @property
    def knows_level(self) -> bool:
        """True if noise moves the common level by less than a twentieth of the range, in the root mean square."""
        features = self.means.shape[1]
        noise = self._sum_noise(0) / float(self.counts.sum())
        return noise * math.sqrt(features / self.num_values) < _LEVEL_ERROR

    @property
    def _apart(self) -> tuple[Tensor, Tensor]:
        """Class means less the common one, (classes, features), and the energy of the noise in each, (classes,)."""
        weight, noise = self.counts / self.counts.sum(), self._mean_noise.square()
        energy = noise * (1 - 2 * weight) + weight.square() @ noise
        return self.means - weight @ self.means, self.means.shape[1] * energy

    @property
    def _within(self) -> tuple[Tensor, Tensor]:
        """Energy of samples within classes, and the part of it above noise, (classes,)."""
        middle = (self.shares[..., None] * self.centres).sum(dim=1, keepdim=True)
        moved = (self.shares * (self.centres - middle).square().sum(dim=2)).sum(dim=1)
        step, moments = self._last
        level = self._without_level
        values = torch.linalg.eigvalsh(level @ self.estimates @ level)
        edge = self._deviations(step, moments) * math.sqrt(2 * values.shape[-1])
        found = standing_out(values, edge, self._white, (self.shares * self.counts[:, None]).clamp_min(1.0))
        spread = (self.shares * values.clamp_min(0).sum(dim=-1)).sum(dim=1)
        return moved + spread, moved * self._directions_above + (self.shares * found).sum(dim=1)

    @property
    def _without_level(self) -> Tensor:
        """Projection, in the subspace, on all directions but that of the common mean, (d, d)."""
        # A mean that was clipped too short leaves variance along itself, in records that are all alike too.
        level = self.directions @ (self.counts @ self.means)
        level = level / level.norm().clamp_min(1e-12)
        return torch.eye(len(level), dtype=level.dtype) - level[:, None] * level

    def _centre_noise(self, kept: Tensor) -> Tensor:
        """Return the energy of the noise on centres, (classes,), of which the subspace keeps a part, (classes,)."""
        rounds = [step for step in range(2, len(self.released)) if step < self.plan.num_steps - 1]
        if not rounds:
            return kept * self.means.shape[1] * self._mean_noise.square()
        sums = self._moments(rounds[-1])
        counts = sums.counts(self.released[rounds[-1]].double()).view_as(self.shares)
        noise = self._sum_noise(rounds[-1]) / counts.clamp_min(2 * self.plan.release_noise_std(rounds[-1]))
        return (self.shares * noise.square()).sum(dim=1) * self.centres.shape[-1]

    @property
    def _directions_above(self) -> Tensor:
        """Part above noise of the variance in the subspace, which centres started from."""
        values = torch.linalg.eigvalsh(self._second_moment).flip(0)[: len(self.directions)]
        total = values.clamp_min(0).sum().clamp_min(1e-12)
        return standing_out(values, torch.tensor(self._subspace_edge), 0.0, self.counts.sum()) / total

    @property
    def _white(self) -> float:
        """Mean variance of a direction if records have no pattern: as large within the subspace as outside it."""
        features, kept = self.means.shape[1], len(self.directions)
        step, moments = self._last
        inside = self.directions @ self._second_moment @ self.directions.T
        latest = inside if step == 1 else moments.squares(self.released[step].double()).sum(dim=0) / self.counts.sum()
        if kept == features:
            return max(0.0, float(torch.linalg.eigvalsh(latest)[: max(1, kept // 4)].mean()))
        outside = max(0.0, float(self._second_moment.trace() - inside.trace()) / (features - kept))
        # Directions of a noisy matrix are chosen, so that its noise looks larger there.
        ratio = features / float(self.counts.sum())
        chosen = self._subspace_edge + outside * (2 * math.sqrt(ratio) + ratio)
        least = max(float(inside.trace()) / kept - chosen, outside, 1e-12)
        return max(0.0, outside / least * float(latest.trace()) / kept)

    @property
    def _subspace_edge(self) -> float:
        """Largest eigenvalue of the noise on the matrix that the subspace is taken from."""
        return self._sum_noise(1) / float(self.counts.sum()) * math.sqrt(2 * self.means.shape[1])

    @property
    def _scatter(self) -> float:
        """Energy of a record about the mean of its class: noise on the trace is left in it."""
        return max(0.0, float(self._second_moment.trace()))

    @property
    def _second_moment(self) -> Tensor:
        return self._moments(1).squares(self.released[1].double())[0] / self.counts.sum()

    @property
    def _mean_noise(self) -> Tensor:
        """Deviation of the noise on every feature of a class mean, (classes,)."""
        return self._sum_noise(0) / self.counts

    @property
    def _last(self) -> tuple[int, GroupedMoments]:
        """The release that the covariances come from: the last one of the plan, or that of the subspace before it."""
        step = self.plan.num_steps - 1 if len(self.released) == self.plan.num_steps else 1
        return step, self._moments(step)

    def _deviations(self, step: int, moments: GroupedMoments) -> Tensor:
        noise = self._sum_noise(step)
        if step == 1:
            return torch.full_like(self.shares, noise / float(self.counts.sum()))
        return self.covariances.deviations(
            moments.squares(self.released[step].double()), self.counts, self.shares, noise
        )

    def _moments(self, step: int) -> GroupedMoments:
        contribution = self.plan.releases[step].contribution
        assert isinstance(contribution, GroupedMoments)
        return contribution

    def _sum_noise(self, step: int) -> float:
        """Return the deviation of the noise on a sum of vectors, or on the diagonal of a sum of squares."""
        sums = self._moments(step)
        return self.plan.release_noise_std(step) * (sums.radius**2 if sums.square_weight else sums.radius)
