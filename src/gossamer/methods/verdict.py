"""A verdict on a generator, from its releases alone: how much of it lies above the noise, in three grades."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gossamer.errors import InputError

_CLEAR_FROM, _FAINT_FROM = 0.4, 0.25
"""Parts of the energy above noise. Records without any pattern came to 0.21 at most."""
_ALL_APART, _SOME_APART = 0.9, 0.1
"""Shares of the pairs of classes. Chance alone tells one pair of 45 apart."""

NOTHING_TO_SHARE = "holds its promise, but is noise: there is nothing in it to share"
"""The advice on a release of noise."""


class Grade(enum.Enum):
    """The grade of a release.

    ``CLEAR``: most of its energy lies above the noise. ``FAINT``: a part of it does. ``NOISE``: hardly any of it does.
    """

    CLEAR = "clear"
    FAINT = "faint"
    NOISE = "noise"


class Judged(enum.Enum):
    """The released vectors that a verdict was computed from.

    ``SUMS``: the noisy sums that samples are drawn from. ``EMBEDDINGS``: the noisy mean features that a generator was
    fitted to. ``GRADIENTS``: the noisy gradients that a generator was trained by. The last two say less of its samples.
    """

    SUMS = "sums"
    EMBEDDINGS = "embeddings"
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
    def of_sums(
        cls, signal: float, classes_apart: float | None, knows_level: bool, judged: Judged = Judged.SUMS
    ) -> Verdict:
        """Grade noisy sums by thresholds that were chosen on public data (docs/concepts/verdict.md).

        Args:
            signal: part of their energy above noise, the common level left out.
            classes_apart: share of the pairs of classes that can be told apart. None without classes.
            knows_level: true if the common level lies well above its noise.
            judged: `Judged.SUMS`, or `Judged.EMBEDDINGS` if a generator was fitted to the sums.
        """
        are_all_apart = classes_apart is None or classes_apart >= _ALL_APART
        are_some_apart = classes_apart is not None and classes_apart >= _SOME_APART
        grade = Grade.NOISE
        # One pattern that all records share fills the mean features. Only classes show that more lies above noise.
        may_be_clear = judged is not Judged.EMBEDDINGS or classes_apart is not None
        if signal >= _CLEAR_FROM and are_all_apart and may_be_clear:
            grade = Grade.CLEAR
        elif signal >= _FAINT_FROM or are_some_apart:
            grade = Grade.FAINT
        return cls(grade=grade, signal=signal, classes_apart=classes_apart, knows_level=knows_level, judged=judged)

    @classmethod
    def of_gradients(cls, signal: float, strength: float) -> Verdict:
        """Grade noisy gradients. They are never called clear, because they do not show the samples.

        Args:
            signal: part of their energy above noise.
            strength: energy of the signal over that of the noise, after as much averaging as an optimiser does.
        """
        grade = Grade.FAINT if strength >= 1 else Grade.NOISE
        return cls(grade=grade, signal=signal, judged=Judged.GRADIENTS)

    @property
    def is_noise(self) -> bool:
        """True if there is nothing to share."""
        return self.grade is Grade.NOISE

    @property
    def advice(self) -> str | None:
        """The advice against sharing noise, as the rest of a sentence on a release. None if it is no noise."""
        return NOTHING_TO_SHARE if self.is_noise else None

    @property
    def warning(self) -> str | None:
        """A line for those who are about to use a release of noise. None if it is no noise."""
        return None if self.advice is None else f"verdict: this release {self.advice}"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in plain words: the numbers first, then the worth of the samples."""
        if self.judged is Judged.GRADIENTS:
            return self._of_gradients
        shown = "the released mean features hold" if self.judged is Judged.EMBEDDINGS else "the samples show"
        found = [f"{_percent(self.signal)} of what {shown} beyond a common level lies above the noise."]
        if self.classes_apart == 0:
            found.append("No two classes differ beyond noise, so the labels of samples may mean nothing.")
        elif self.classes_apart is not None:
            found.append(f"{_percent(self.classes_apart)} of the pairs of classes differ beyond noise.")
        if self.judged is Judged.EMBEDDINGS and not self.is_noise:
            return (*found, *self._worth, "The fit to the features adds noise of its own: look at the samples.")
        return (*found, *self._worth)

    @property
    def _worth(self) -> tuple[str, ...]:
        match self.grade:
            case Grade.CLEAR:
                return ("The samples show what the records have in common. Details and rare things are still noise.",)
            case Grade.FAINT if self.judged is Judged.EMBEDDINGS and self.classes_apart is None:
                return ("The samples show a pattern that all records share. Without classes nothing tells of more.",)
            case Grade.FAINT:
                return ("The samples show something of the records, much of it under noise. Look before you share.",)
            case Grade.NOISE if self.knows_level:
                return ("Only the common level of the records is known, and that roughly. All else is noise.",)
            case Grade.NOISE:
                return ("The samples are noise: nothing of the records can be seen in them.",)

    @property
    def _of_gradients(self) -> tuple[str, ...]:
        numbers = f"{_percent(self.signal)} of the energy of the released gradients lies above their noise"
        if self.is_noise and self.signal == 0:
            # Chance hides a small part, and less of it the longer a run is. So nothing more can be said.
            return (
                "The energy of the released gradients cannot be told from that of their noise.",
                "The samples are most likely noise. After a short run this may be said too early: look at them.",
            )
        if self.is_noise:
            return (
                f"{numbers}, too little to show even if noise averages out over many steps.",
                "The generator was led by noise: its samples teach nothing of the records.",
            )
        return (
            f"{numbers}, enough to show if noise averages out over many steps.",
            "This judges the gradients and not the samples. Look at the samples before you share.",
        )


def _percent(share: float) -> str:
    """Write a share in percent, small ones with two digits.

    >>> _percent(0.754), _percent(0.0004217), _percent(0.0), _percent(1.0)
    ('75 %', '0.042 %', '0 %', '100 %')
    """
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 1 or not percent else f"{percent:.2g} %"
