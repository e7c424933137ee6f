"""The interface of a generator that classifies, too: a release may bring a classifier by this one method."""

from __future__ import annotations

import abc
from collections.abc import Iterator

from torch import Tensor


class AbstractClassifyingGenerator(abc.ABC):
    """A generator that also tells how likely a record is under each of its classes. It stands beside its base class.

    Guarantee: post-processing. The classifier is computed from the weights of the release and from its public shares
    of classes. It keeps nothing of the records that are classified.

    A subclass of `AbstractGenerator` that implements the one method below is all that a method needs for
    ``model.predict`` and ``gossamer predict``.
    """

    @property
    def sureness(self) -> float:
        """Power that probabilities of classes are raised to, above 0: 1 for those that are as sure as they are right.

        It changes no order of classes. Below 1 probabilities come nearer to each other.
        """
        return 1.0

    def looks(self, samples: Tensor) -> Iterator[Tensor]:
        """Yield the records as they stand, and then in other ways that a drawing of the generator may stand.

        Each look has the shape of the samples, and is a function of every record by itself. A record's likelihood is
        the mean over all looks.
        """
        yield samples

    @abc.abstractmethod
    def log_likelihoods(self, samples: Tensor, class_shares: Tensor) -> Tensor:
        r"""Return log densities of records under each class, up to a term that all classes of a record share.

        Shares of classes are no part of them: :math:`p(y \mid x) \propto \pi_y \exp(\text{log likelihood}_y)` for any
        prior :math:`\pi`, which the caller chooses. A classifier that learnt probabilities of classes by itself takes
        the logarithms of the shares that it learnt under away.

        Args:
            samples: float32 (batch, *shape) in [0, 1].
            class_shares: shares of the classes as released, float64 (num_classes,), together 1. Equal shares if the
                release has none.

        Returns:
            float64 (batch, num_classes).

        Raises:
            InputError: a release that is damaged.
        """
