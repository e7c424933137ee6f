"""A verdict on a generator, from its releases alone: how much of it lies above the noise, in three grades."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gossamer.errors import InputError

_CLEAR_FROM, _FAINT_FROM = 0.4, 0.25
"""Parts of the energy above noise. Records without any pattern came to 0.21 at most."""
_ALL_APART, _SOME_APART = 0.9, 0.1
"""Shares of the pairs of classes. Chance alone tells one pair of 45 apart."""


class Grade(enum.Enum):
    """The grade of what was released.

    ``CLEAR``: most of it lies above the noise. ``FAINT``: a part of it does. ``NOISE``: hardly any of it does.
    """

    CLEAR = "clear"
    FAINT = "faint"
    NOISE = "noise"


class Judged(enum.Enum):
    """The released vectors that a verdict was computed from.

    ``SUMS``: the noisy sums that samples are drawn from. ``GRADIENTS``: the noisy gradients that a generator was
    trained by. They say less of its samples.
    """

    SUMS = "sums"
    GRADIENTS = "gradients"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A verdict on a generator, from released vectors, the known law of their noise, and public settings.

    Guarantee: post-processing of releases that the generator's statement prices already. It costs nothing more.

    Attributes:
        grade: of three.
        signal: part in [0, 1] of the energy, the common level left out, that lies above the noise.
        classes_apart: share of the pairs of classes that can be told apart beyond noise. None without classes, or if it
            cannot be told.
        knows_level: true if the common level of all samples lies well above its noise. None if it cannot be told.
        judged: origin of these numbers.

    Raises:
        InputError: a share out of range.
    """

    grade: Grade
    signal: float
    classes_apart: float | None = None
    knows_level: bool | None = None
    judged: Judged = Judged.SUMS

    def __post_init__(self) -> None:
        for name in ("signal", "classes_apart"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name} of a verdict must lie between 0 and 1, got {value}")

    @classmethod
    def of_sums(cls, signal: float, classes_apart: float | None, knows_level: bool) -> Verdict:
        """Grade noisy sums by thresholds that were chosen on public data (docs/concepts/verdict.md)."""
        are_all_apart = classes_apart is None or classes_apart >= _ALL_APART
        are_some_apart = classes_apart is not None and classes_apart >= _SOME_APART
        grade = Grade.NOISE
        if signal >= _CLEAR_FROM and are_all_apart:
            grade = Grade.CLEAR
        elif signal >= _FAINT_FROM or are_some_apart:
            grade = Grade.FAINT
        return cls(grade=grade, signal=signal, classes_apart=classes_apart, knows_level=knows_level)

    @property
    def is_noise(self) -> bool:
        """True if there is nothing to share."""
        return self.grade is Grade.NOISE

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in plain words."""
        return (f"The samples are graded {self.grade.value}.",)
