"""Public facts that a user states about series: bounds, length, sample rate, names. They bring values to [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gossamer.data.range_tally import RangeTally
from gossamer.data.records import DEFAULT_NUM_CLASSES, check_class_names, check_num_classes, numbered
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError

_VALUES_AT_ONCE: Final = 2**19
_MISSING: Final = "is NaN, infinite or missing: fill it in, or leave the series out"
_OUTSIDE: Final = "is outside [0, 1]: give public bounds low and high (--low, --high)"


@dataclass(frozen=True, kw_only=True)
class SeriesFacts:
    """Public inputs about a user's own series.

    Guarantee:
        Nothing here is computed from records: the user who hands series over states it. A value outside low and high is
        clipped, and a series of another length is refused.

    Args:
        low: Lower bound of every channel, or one for all, or empty for 0.
        high: Upper bound of every channel, or one for all, or empty for 1.
        length: Samples of a series, or None if the format says it.
        sample_rate: Samples a second, Hz, or None if time has no unit.
        channel_names: One name per channel, or empty if the format says them or there are none.
        units: Unit of every channel, or one for all, or empty if the format says them or they are unknown.
        class_names: One name per class, or empty for numbers.
        num_classes: Number of classes without names, or None for 10 if there are labels.
        permit_shorter: True if a series of fewer samples is padded at its end with `low`, in place of a refusal.

    Raises:
        InputError: Two of these contradict each other, or a name breaks a rule.
    """

    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    length: int | None = None
    sample_rate: float | None = None
    channel_names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    num_classes: int | None = None
    permit_shorter: bool = False

    def __post_init__(self) -> None:
        if bool(self.low) != bool(self.high):
            raise InputError(
                "low and high (--low, --high) belong together: give both, one number per channel or one for all"
            )
        check_class_names(self.class_names)
        if self.num_classes is not None:
            check_num_classes(self.num_classes)
            if self.class_names and self.num_classes != len(self.class_names):
                raise InputError(
                    f"num_classes (--num-classes) says {self.num_classes}, class_names {len(self.class_names)}: make "
                    "them agree"
                )

    @property
    def has_bounds(self) -> bool:
        """True if low and high were given."""
        return bool(self.low)

    def classes(self, has_labels: bool, where: str) -> tuple[str, ...]:
        """Return the names of the classes, empty without labels.

        Raises:
            InputError: Classes were given but there are no labels.
        """
        if not has_labels:
            if self.class_names or self.num_classes is not None:
                raise InputError(
                    f"{where} has no labels, but classes were given: hand labels over (--class-column), or drop them"
                )
            return ()
        if self.class_names:
            return self.class_names
        # Privacy: a constant; the largest label of private data must not decide the shape of a public network.
        return numbered(self.num_classes or DEFAULT_NUM_CLASSES)

    def spec(self, channels: int, length: int, class_names: tuple[str, ...]) -> SeriesSpec:
        """Return the public specification of series of this shape.

        Raises:
            InputError: A bound or name does not fit the number of channels.
        """
        return SeriesSpec(
            channels=channels,
            length=length,
            low=_for_each(self.low or (0.0,), channels, "low (--low)"),
            high=_for_each(self.high or (1.0,), channels, "high (--high)"),
            sample_rate=self.sample_rate,
            channel_names=self.channel_names,
            units=self.units * channels if len(self.units) == 1 else self.units,
            class_names=class_names,
            are_classes_named=bool(self.class_names) or not class_names,
        )

    def notes(self, has_labels: bool) -> tuple[str, ...]:
        """Return the sentences for the statement on the inputs that were taken as public."""
        stated = "given by the user" if self.has_bounds else "assumed to be 0 and 1"
        said = ["Number and length of channels are taken as public.", f"The bounds of the values were {stated}."]
        if has_labels and not self.class_names and self.num_classes is None:
            said.append(
                f"The number of classes was not given: the public default of {DEFAULT_NUM_CLASSES} (labels 0 to "
                f"{DEFAULT_NUM_CLASSES - 1}) was assumed, whatever the labels are; num_classes "
                "(--num-classes) changes it."
            )
        elif has_labels:
            said.append("The classes were given by the user.")
        return tuple(said)


def scaled(
    values: np.ndarray,
    spec: SeriesSpec,
    facts: SeriesFacts,
    at: str,
    tally: RangeTally | None = None,
    first: int = 0,
) -> np.ndarray:
    """Scale values in their own units to float32 in [0, 1].

    Args:
        values: (num_records, channels, length), any number type.
        spec: Public bounds.
        facts: Public facts. If they have bounds, values outside are clipped, and otherwise refused.
        at: Beginning of the message.
        tally: Private tally of the values before any is clipped, or None.
        first: Number of series before these, from which a message counts on.

    Returns:
        x, of the same shape.

    Raises:
        InputError: A value is not finite, or outside the default bounds. The place is named, never the value.
    """
    scaling = Scaling(spec=spec, facts=facts, at=at)
    rows = max(1, _VALUES_AT_ONCE // max(1, spec.channels * spec.length))
    x = np.empty(values.shape, dtype=np.float32)
    for start in range(0, len(values), rows):
        block = values[start : start + rows]
        flat = block.reshape(len(block), -1)
        x[start : start + rows] = scaling.scaled(flat, slice(None), first + start).reshape(block.shape)
        if tally is not None:
            tally.add(block)
    return x


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The way from values in their own units to float32 in [0, 1], for some records at a time.

    Args:
        spec: Public bounds.
        facts: Public facts. If they have bounds, values outside are clipped, and otherwise refused.
        at: Beginning of the message.
        tally: Private tally of the values before any is clipped, or None.
    """

    spec: SeriesSpec
    facts: SeriesFacts
    at: str
    tally: RangeTally | None = None

    def scaled(
        self, values: np.ndarray, places: slice | np.ndarray, first: int, gaps: np.ndarray | None = None
    ) -> np.ndarray:
        """Scale some values of some records.

        Args:
            values: (records, places), any number type, one channel after the other.
            places: Their places within a record of channels times length values.
            first: Number of records before these, of which a message counts on.
            gaps: Booleans of the same shape, true where no value is and the lower bound stands. None for nowhere.

        Returns:
            x, of the same shape.

        Raises:
            InputError: A value is not finite, or outside the default bounds. The place is named, never the value.
        """
        all_places = np.arange(self.spec.channels * self.spec.length)[places]
        low = np.repeat(self.spec.low, self.spec.length)[all_places]
        high = np.repeat(self.spec.high, self.spec.length)[all_places]
        values = values if gaps is None else np.where(gaps, low, values)
        self._refuse_first(~np.isfinite(values), all_places, first, _MISSING)
        if not self.facts.has_bounds:
            each = ", one for each channel, as in --low 0,-5" if self.spec.channels > 1 else ""
            self._refuse_first((values < 0) | (values > 1), all_places, first, _OUTSIDE + each)
        if self.tally is not None:
            self.tally.add_places(values, all_places // self.spec.length, gaps)
        found = np.subtract(values, low, dtype=np.float64)
        found /= high - low
        return np.clip(found, 0, 1, out=found).astype(np.float32)

    def _refuse_first(self, wrong: np.ndarray, places: np.ndarray, first: int, rule: str) -> None:
        if wrong.any():
            record, place = (int(one) for one in np.argwhere(wrong)[0])
            channel, time = divmod(int(places[place]), self.spec.length)
            # Privacy: the place, never the value.
            raise InputError(f"{self.at}: series {first + record}, channel {channel}, time {time} {rule}")


def _for_each(bounds: tuple[float, ...], channels: int, option: str) -> tuple[float, ...]:
    if len(bounds) not in (1, channels):
        raise InputError(f"{option} has {len(bounds)} numbers for {channels} channels: give one, or one per channel")
    return bounds * channels if len(bounds) == 1 else bounds
