"""Components of a mixture: their number under noise, the move of idle ones, and estimates of their spread.

Everything here is computed from released sums and public settings.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_VARIANCE = 1e-6
_IDLE = 0.3
_STRONG = 4.0


class AbstractCovariances(abc.ABC):
    """Covariances about centres: the sums that records are asked for, and the estimates from the noisy answer."""

    @abc.abstractmethod
    def num_groups(self, num_classes: int, num_components: int) -> int:
        """Return the number of groups with released second moments."""

    @abc.abstractmethod
    def group(self, classes: Tensor, components: Tensor) -> Tensor:
        """Group records by their classes and their nearest components, which are counted over all classes."""

    @abc.abstractmethod
    def learnt(self, squares: Tensor, counts: Tensor, shares: Tensor, noise_std: float) -> Tensor:
        """Estimate covariances (classes, components, d, d) from noisy sums of squares (groups, d, d).

        Args:
            squares: noisy.
            counts: noisy counts of classes, positive.
            shares: of components in their class, (classes, components).
            noise_std: of the noise on the diagonal of a sum of squares.
        """

    @abc.abstractmethod
    def deviations(self, squares: Tensor, counts: Tensor, shares: Tensor, noise_std: float) -> Tensor:
        """Return the deviation of the noise on the diagonal of each estimate, (classes, components).

        The arguments are those of `learnt`.
        """


@dataclass(frozen=True, kw_only=True)
class ClassCovariances(AbstractCovariances):
    """One covariance for all components of a class.

    Attributes:
        pooling: public fraction of a class's covariance that is replaced by that of all classes.
    """

    pooling: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.pooling <= 1:
            raise InputError(f"pooling must lie between 0 and 1, got {self.pooling}")

    def num_groups(self, num_classes: int, num_components: int) -> int:
        """Return one group for each class."""
        return num_classes

    def group(self, classes: Tensor, components: Tensor) -> Tensor:
        """Return the classes."""
        return classes

    def learnt(self, squares: Tensor, counts: Tensor, shares: Tensor, noise_std: float) -> Tensor:
        """Divide sums by counts, and mix them with those of all classes."""
        own = squares / counts[:, None, None]
        pooled = squares.sum(dim=0) / counts.sum()
        mixed = semi_definite((1 - self.pooling) * own + self.pooling * pooled)
        return mixed[:, None].expand(*shares.shape, *mixed.shape[1:]).clone()

    def deviations(self, squares: Tensor, counts: Tensor, shares: Tensor, noise_std: float) -> Tensor:
        """Add the noise of a class's own sum to that of all others."""
        of_all = self.pooling / counts.sum()
        own = (1 - self.pooling) / counts + of_all
        deviation = noise_std * (own.square() + (len(counts) - 1) * of_all.square()).sqrt()
        return deviation[:, None].expand_as(shares).clone()


@dataclass(frozen=True, kw_only=True)
class ComponentCovariances(AbstractCovariances):
    r"""A covariance for each component, as precise as the noise allows.

    Let S be the sums of squares and n the noisy counts. Let :math:`\tau` be the count at which the noise on a sum is as
    large as the signal in its strong directions. A component k of class y gets

    .. math:: \Sigma_{yk} = \frac{S_{yk} + \tau \Sigma_y}{n_{yk} + \tau}, \qquad
       \Sigma_y = \frac{\sum_k S_{yk} + \tau_y \Sigma}{n_y + \tau_y}, \qquad \tau_y = \tau \sqrt{\text{components}},

    and :math:`\Sigma` is that of all classes. The noise on a symmetric matrix of d rows has spectral norm about
    :math:`\sqrt{2 d}` times its deviation on the diagonal. Strong directions have four times the mean variance.
    """

    def num_groups(self, num_classes: int, num_components: int) -> int:
        """Return one group for each component."""
        return num_classes * num_components

    def group(self, classes: Tensor, components: Tensor) -> Tensor:
        """Return the components."""
        return components

    def learnt(self, squares: Tensor, counts: Tensor, shares: Tensor, noise_std: float) -> Tensor:
        """Estimate covariances by the equation above."""
        dim = squares.shape[-1]
        own, pooled, equal, equal_of_class = self._blend(squares, counts, shares, noise_std)
        of_class = _blended(own.sum(dim=1), counts, pooled.expand(len(counts), dim, dim), equal_of_class)
        return _blended(own, shares * counts[:, None], of_class[:, None].expand_as(own), equal.expand_as(shares))

    def deviations(self, squares: Tensor, counts: Tensor, shares: Tensor, noise_std: float) -> Tensor:
        """Add the noise of a component's own sum to that of its class and of all classes, as `learnt` blends them."""
        _, _, equal, equal_of_class = self._blend(squares, counts, shares, noise_std)
        used = (shares > 0).sum(dim=1)
        of_all = equal_of_class / (counts + equal_of_class) / counts.sum()
        of_class = 1 / (counts + equal_of_class) + of_all
        own = 1 / (shares * counts[:, None] + equal)
        borrowed = equal * own
        square = (own + borrowed * of_class[:, None]).square() + borrowed.square() * (
            (used - 1) * of_class.square() + (used.sum() - used) * of_all.square()
        )[:, None]
        return noise_std * square.sqrt()

    def _blend(
        self, squares: Tensor, counts: Tensor, shares: Tensor, noise_std: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the sums in use, the covariance of all, and tau of a component and of each class."""
        dim = squares.shape[-1]
        used = (shares > 0).to(squares)
        own = squares.unflatten(0, shares.shape) * used[..., None, None]
        pooled = semi_definite(own.sum(dim=(0, 1)) / counts.sum())
        equal = noise_std * math.sqrt(2 * dim) / (_STRONG * pooled.trace() / dim)
        return own, pooled, equal, equal * used.sum(dim=1).sqrt()


Covariances = ClassCovariances | ComponentCovariances


def bearable_components(counts: Tensor, num_components: int, least_count: float) -> Tensor:
    """Mark the components of each class in use: as many as leave each ``least_count`` records, and one at least.

    Args:
        counts: noisy counts of classes.
        num_components: largest number of components.
        least_count: records that a centre wants.

    Returns:
        Boolean (classes, num_components), the first ones of each class.

    >>> import torch
    >>> bearable_components(torch.tensor([1000.0, 250.0, 3.0]), 4, 100.0).sum(dim=1).tolist()
    [4, 2, 1]
    """
    import torch

    bearable = (counts / max(least_count, 1e-9)).floor().clamp(1, num_components)
    return torch.arange(num_components) < bearable[:, None]


def with_idle_moved(
    centres: Tensor, counts: Tensor, is_used: Tensor, least_count: float, steps: Tensor
) -> tuple[Tensor, Tensor]:
    """Move centres with hardly any record near them, each to a place beside the centre of its class with the most.

    Args:
        centres: (classes, components, d).
        counts: noisy counts of components, (classes, components).
        is_used: boolean (classes, components).
        least_count: records that a centre needs. A centre with less than three tenths of them is idle, and only centres
            with twice as many as needed are shared.
        steps: offset of a moved centre from the one that it shares, (classes, components, d), public.

    Returns:
        Centres and expected counts.
    """
    import torch

    centres, counts = centres.clone(), counts.clone()
    for row in range(len(centres)):
        idle = (is_used[row] & (counts[row] < _IDLE * least_count)).nonzero()[:, 0].tolist()
        for component in idle:
            largest = int(torch.where(is_used[row], counts[row], -math.inf).argmax())
            if counts[row, largest] < 2 * least_count:
                break
            centres[row, component] = centres[row, largest] + steps[row, component]
            counts[row, [component, largest]] = counts[row, largest] / 2
    return centres, counts


def semi_definite(matrices: Tensor) -> Tensor:
    """Return the nearest symmetric matrices (..., d, d) without an eigenvalue below a tiny one."""
    import torch

    values, vectors = torch.linalg.eigh(matrices)
    return (vectors * values.clamp_min(_LEAST_VARIANCE)[..., None, :]) @ vectors.mT


def symmetric_root(matrices: Tensor) -> Tensor:
    """Return A with ``A A^T`` equal to each of the matrices (..., d, d): their symmetric roots."""
    import torch

    values, vectors = torch.linalg.eigh(matrices)
    return (vectors * values.clamp_min(0).sqrt()[..., None, :]) @ vectors.mT


def _blended(sums: Tensor, counts: Tensor, fallback: Tensor, equal: Tensor) -> Tensor:
    """Compute ``(sums + equal fallback) / (counts + equal)``, semi-definite."""
    weight = equal[..., None, None]
    return semi_definite((sums + weight * fallback) / (counts.clamp_min(0)[..., None, None] + weight))
