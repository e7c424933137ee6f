"""Classes that a release names for records, and how often they are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gossamer.data.likeness import check_like, classes_in
from gossamer.data.records import RecordSet
from gossamer.evaluation.score import Basis, Score
from gossamer.evaluation.verdicts import mean_accuracy, mean_balanced_accuracy, mean_macro_f1
from gossamer.methods.classifier import ReleasedClassifier

_SOURCE: Final = (
    "Classes that the release names for real records; means over classes are over those that occur among the records; "
    "the interval is over the records."
)
_MEASURES: Final = {
    "accuracy": mean_accuracy,
    "balanced_accuracy": mean_balanced_accuracy,
    "macro_f1": mean_macro_f1,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """Probabilities of classes for records, in their order. As private as the records are.

    Attributes:
        class_names: of the release.
        probabilities: float64 (num_records, num_classes).
        true: labels of the records as numbers of the release, int64 (num_records,). None for records without labels.
        evenness: of the prior, from the released shares (0) to all classes alike (1).
    """

    class_names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    true: NDArray[np.int64] | None
    evenness: float

    @classmethod
    def of(cls, classifier: ReleasedClassifier, records: RecordSet, where: str) -> Predictions:
        """Classify records.

        Args:
            classifier: of the release.
            records: to be classified. They are not kept.
            where: source of the records, for messages.

        Raises:
            InputError: records that are unlike those of the release, or of other classes.
        """
        check_like(where, records.spec, classifier.spec)
        true = None
        if records.y is not None:
            true = classes_in(where, records.spec, classifier.spec)[records.y.numpy()]
        return cls(
            class_names=classifier.spec.class_names,
            probabilities=classifier.probabilities(records.x).numpy(),
            true=true,
            evenness=classifier.evenness,
        )

    @property
    def labels(self) -> NDArray[np.int64]:
        """The most probable class of each record, as a number of the release."""
        return self.probabilities.argmax(axis=1)

    @property
    def counts(self) -> dict[str, int]:
        """Number of records of each named class."""
        numbers = np.bincount(self.labels, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, numbers, strict=True))

    @property
    def num_absent(self) -> int:
        """Number of classes of the release that no record has by its label. Zero for records without labels."""
        return 0 if self.true is None else len(self.class_names) - len(np.unique(self.true))

    def scores(self) -> dict[str, Score]:
        """Return accuracy, balanced accuracy and macro-F1 with intervals, and none for records without labels.

        The means over classes leave out those that no record has. A mean over all that were named would be lower.
        """
        if self.true is None:
            return {}
        basis = Basis(num_synthetic=0, num_real=len(self.true), seeds=(0,), source=_SOURCE)
        named = self.labels[None, None]
        return {
            name: measure(name, named, self.true, basis, np.random.default_rng(0))
            for name, measure in _MEASURES.items()
        }
