"""A release as a classifier: probabilities of its classes for records, from the release alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.methods.catalogue import METHODS
from gossamer.methods.trained import MAX_BATCH_VALUES, Spec, TrainedGenerator
from gossamer.nn.classifying import AbstractClassifyingGenerator

_BATCH: Final = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedClassifier:
    r"""The classifier that a release brings.

    .. math:: P(y \mid x) \propto (\pi_y\, p(x \mid y))^\tau, \qquad \pi_y \propto p_y^{1 - e},

    with the log likelihoods and the sureness :math:`\tau` of the released network, the released shares p of the classes
    and an evenness e. At 0 the classes are as frequent as among the records that were learnt from, noise included. At 1
    all are alike. If drawings of the network are moved at random, :math:`p(x \mid y)^\tau` is its mean over looks of x,
    as it stands and moved.

    Guarantee: post-processing of a release, so it spends nothing. Records that are classified are not kept, and change
    nothing. The statement of the release does not cover them: labels that are named for records tell of these.

    Attributes:
        network: of the release.
        spec: shape and classes of the records.
        class_shares: as released, float64 (num_classes,), together 1. Equal if the release has none.
        evenness: e.

    References: Guo, Pleiss, Sun, Weinberger 2017, "On calibration of modern neural networks", on such a power.
    """

    network: AbstractClassifyingGenerator
    spec: Spec
    class_shares: Tensor
    evenness: float

    @classmethod
    def of(
        cls, trained: TrainedGenerator, evenness: float | None = None, *, where: str = "this release"
    ) -> ReleasedClassifier:
        """Return the classifier of a release.

        Args:
            trained: the release.
            evenness: from 0 to 1. None for 0, and for 1 if no shares were released.
            where: file or object, for messages.

        Raises:
            InputError: the release has no classes, or its method brings no classifier. Or the evenness is out of range,
                or below 1 though no shares were released.
        """
        spec, shares = trained.recipe.spec, trained.recipe.class_shares
        network = trained.network()
        if not isinstance(network, AbstractClassifyingGenerator):
            raise InputError(f"{where}: its method releases no classifier, and draws alone; {_methods()} can classify")
        if not spec.num_classes:
            raise InputError(f"{where}: was learnt without classes, so there is none to name; train with labels")
        if evenness is not None and not 0 <= evenness <= 1:
            raise InputError(f"evenness must lie between 0, the released shares, and 1, all alike, got {evenness}")
        if evenness is not None and evenness < 1 and not shares:
            raise InputError(f"{where}: was released without shares of classes: leave evenness out")
        even = (1 / spec.num_classes,) * spec.num_classes
        usual = 0.0 if shares else 1.0
        return cls(
            network=network,
            spec=spec,
            class_shares=torch.tensor(shares or even, dtype=torch.float64),
            evenness=usual if evenness is None else evenness,
        )

    @property
    def prior(self) -> Tensor:
        """Shares that the classes are taken to have among the records, float64 (num_classes,), together 1."""
        weights = self.class_shares ** (1 - self.evenness)
        return weights / weights.sum()

    def probabilities(self, x: Tensor) -> Tensor:
        """Return the probabilities of the classes of records.

        Args:
            x: float32 (num_records, *spec.shape) in [0, 1].

        Returns:
            float64 (num_records, num_classes), each row together 1.

        Raises:
            InputError: the release is damaged.
        """
        size = max(1, min(_BATCH, MAX_BATCH_VALUES // max(1, x[0].numel())))
        return torch.cat([self._of(part) for part in x.split(size)])

    def _of(self, x: Tensor) -> Tensor:
        sureness = self.network.sureness
        seen = torch.stack([self.network.log_likelihoods(look, self.class_shares) for look in self.network.looks(x)])
        found = torch.softmax(torch.logsumexp(sureness * seen, dim=0) + sureness * self.prior.log(), dim=1)
        if not found.isfinite().all():
            raise InputError("this release gives probabilities that are no numbers: fetch the file again")
        return found


def _methods() -> str:
    return ", ".join(method.name for method in METHODS if method.classifies)
