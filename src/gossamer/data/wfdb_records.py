"""WFDB recordings, as PhysioNet lays them out: the wanted signals with their R peaks, each checked before use."""

from __future__ import annotations

import abc
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from gossamer.data.beats import Recording
from gossamer.data.files import check_expansion, damage_refused, is_absent, shown
from gossamer.data.wfdb_annotations import Annotations, read_annotations
from gossamer.data.wfdb_headers import Header, check_signal_files, find_recordings, read_header, wfdb_package
from gossamer.errors import InputError

__all__ = [
    "MAX_BEATS_NEARBY",
    "AbstractLeads",
    "MainLead",
    "NamedLeads",
    "Signal",
    "find_recordings",
    "read_annotated",
    "read_signal",
    "unit_of",
    "wfdb_package",
]

_MILLIVOLTS: Final = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3, "nv": 1e-6}
MILLIVOLTS: Final = "mV"
"""The unit in which every voltage is read."""
MAX_BEATS_NEARBY: Final = 100
"""Largest number of beats within 5 seconds. No heart makes more."""
_NEARBY_SECONDS: Final = 5.0
_VALUE_BYTES: Final = 8


@dataclass(frozen=True, kw_only=True)
class AbstractLeads(abc.ABC):
    """A choice of the signals of a recording that become channels."""

    @property
    @abc.abstractmethod
    def channel_names(self) -> tuple[str, ...]:
        """Public names of the channels."""

    @property
    @abc.abstractmethod
    def permits_any_unit(self) -> bool:
        """True if the signals may be other than voltages, since somebody named them."""

    @abc.abstractmethod
    def find(self, names: list[str], where: str) -> list[int]:
        """Return the places of the wanted signals among a recording's.

        Raises:
            InputError: A signal is missing.
        """


@dataclass(frozen=True, kw_only=True)
class MainLead(AbstractLeads):
    """One channel: the preferred signal if a recording has it, else its first one.

    Args:
        preferred: Name of the signal. Upper and lower case are not told apart.
    """

    preferred: str

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Public name of the channel."""
        return (self.preferred,)

    @property
    def permits_any_unit(self) -> bool:
        """False, since nobody named the signal that is taken instead."""
        return False

    def find(self, names: list[str], where: str) -> list[int]:
        """Return the place of the wanted signal."""
        folded = [name.casefold() for name in names]
        return [folded.index(self.preferred.casefold()) if self.preferred.casefold() in folded else 0]


@dataclass(frozen=True, kw_only=True)
class NamedLeads(AbstractLeads):
    """The signals of these names, which every recording must have.

    Args:
        names: Names in the order of the channels. Upper and lower case are not told apart.
    """

    names: tuple[str, ...]

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Public names of the channels."""
        return self.names

    @property
    def permits_any_unit(self) -> bool:
        """True."""
        return True

    def find(self, names: list[str], where: str) -> list[int]:
        """Return the places of the wanted signals."""
        folded = [name.casefold() for name in names]
        for name in self.names:
            if name.casefold() not in folded:
                raise InputError(f"{where} has no signal {shown(name)}: leave the recording out or name another signal")
        return [folded.index(name.casefold()) for name in self.names]


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """The content of a header and its signal files. Private.

    Args:
        name: Name of the recording.
        values: Values in their units, (time, channels). NaN for a missing sample.
        units: Unit of each channel: mV for every voltage, else as the header writes it. Public.
        sample_rate: Samples a second, Hz.
        frame_rate: Frames a second, Hz, in which annotations without a clock of their own count.
        comments: Lines that the header ends with.
    """

    name: str
    values: np.ndarray
    units: tuple[str, ...]
    sample_rate: float
    frame_rate: float
    comments: tuple[str, ...]


def unit_of(written: str) -> str:
    """Return the unit in which a signal is read: mV for every voltage, else the unit that is written.

    >>> unit_of("uV"), unit_of("mmHg")
    ('mV', 'mmHg')
    """
    return MILLIVOLTS if written.casefold() in _MILLIVOLTS else written


def read_signal(folder: Path, name: str, leads: AbstractLeads) -> Signal:
    """Read the wanted signals of one recording, each at its own rate.

    A frame may hold several samples of a signal. All of them are read, and none is averaged. Segments are joined, and a
    gap between them or a signal that a segment lacks is missing.

    Args:
        folder: Folder of its files.
        name: File name without its ending.
        leads: Choice of the signals.

    Returns:
        The signals, voltages in millivolts.

    Raises:
        InputError: A file is missing, damaged or cut short, or the wanted signals have different rates.
    """
    where = f"{shown(folder / name)}.hea"
    header = read_header(folder, name)
    places = leads.find(list(header.signals), where)
    if not leads.permits_any_unit:
        _check_voltages(header, places, where)
    per_frame = header.samples_per_frame(places, where)
    with damage_refused(where):
        values = _joined(folder, header, places, where) if header.segments else _read(folder, header, places, where)
    return Signal(
        name=name,
        values=values,
        units=tuple(unit_of(header.units[place]) for place in places),
        sample_rate=header.frame_rate * per_frame,
        frame_rate=header.frame_rate,
        comments=header.comments,
    )


def _read(folder: Path, header: Header, places: list[int], where: str) -> np.ndarray:
    """Read the signals of a recording without segments, (time, channels)."""
    check_signal_files(folder, header, places, where)
    with damage_refused(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without smooth_frames=False the package averages the samples of a frame.
        found: Any = wfdb_package().rdrecord(str(folder / header.name), channels=places, smooth_frames=False)
        signals = found.e_p_signal
    promised = header.num_frames * header.per_frame[places[0]]
    if signals is None or [len(signal) for signal in signals] != [promised] * len(places):
        raise InputError(f"{where}: the signal file does not hold what the header promises: copy both again")
    scale = [_MILLIVOLTS.get(header.units[place].casefold(), 1.0) for place in places]
    return np.stack([signal * factor for signal, factor in zip(signals, scale, strict=True)], axis=1)


def _joined(folder: Path, header: Header, places: list[int], where: str) -> np.ndarray:
    """Read the signals of all segments, one segment after the other, with NaN for the gaps."""
    per_frame = header.per_frame[places[0]]
    parts, start, num_bytes = [], 0, 0
    for segment in header.segments:
        if segment.name is not None:
            part = _part(folder, header, segment.name, segment.num_frames, where)
            wanted = _wanted(header, part, places, where)
            if wanted:
                at = f"{shown(folder / part.name)}.hea"
                num_bytes += check_signal_files(folder, part, list(wanted.values()), at)
                parts.append((start, part, wanted))
        start += segment.num_frames
    num_samples = header.num_frames * per_frame
    # A header of a few bytes may promise days of gaps.
    check_expansion(where, _VALUE_BYTES * num_samples * len(places), num_bytes)
    values = np.full((num_samples, len(places)), np.nan)
    for first, part, wanted in parts:
        found = _read(folder, part, list(wanted.values()), f"{shown(folder / part.name)}.hea")
        values[first * per_frame : first * per_frame + len(found), list(wanted)] = found
    return values


def _part(folder: Path, header: Header, name: str, num_frames: int, where: str) -> Header:
    part = read_header(folder, name)
    if part.segments:
        raise InputError(f"{where}: its segment {shown(name)} is itself made of segments: join them into one recording")
    if part.num_frames != num_frames or part.frame_rate != header.frame_rate:
        raise InputError(f"{where}: its segment {shown(name)} has another length or rate: copy both headers again")
    if header.is_fixed and part.signals != header.signals:
        raise InputError(f"{where}: its segment {shown(name)} has other signals than the first: copy the headers again")
    return part


def _wanted(header: Header, part: Header, places: list[int], where: str) -> dict[int, int]:
    """Map the channel of each wanted signal that a segment has to its place there."""
    names = [header.signals[place] for place in places]
    found = {
        channel: places[channel] if header.is_fixed else part.signals.index(name)
        for channel, name in enumerate(names)
        if name in part.signals
    }
    for channel, place in found.items():
        same_unit = unit_of(part.units[place]) == unit_of(header.units[places[channel]])
        if not same_unit or part.per_frame[place] != header.per_frame[places[channel]]:
            raise InputError(
                f"{where}: its segment {shown(part.name)} has the signal {shown(names[channel])} in another unit or at "
                "another rate: name another signal with --channel-names"
            )
    return found


def _check_voltages(header: Header, places: list[int], where: str) -> None:
    for place in places:
        if unit_of(header.units[place]) != MILLIVOLTS:
            raise InputError(
                f"{where} has a first signal in {shown(header.units[place][:20])}, which is no voltage: name the "
                "signals to take with --channel-names"
            )


def read_annotated(folder: Path, name: str, leads: AbstractLeads, annotator: str) -> Recording:
    """Read a recording with the R peaks and the AAMI classes of its annotations.

    Args:
        folder: Folder of its files.
        name: File name without its ending.
        leads: Choice of the signals.
        annotator: Ending of the annotation file, such as ``atr``.

    Returns:
        The recording. Annotations that are no beat are left out.

    Raises:
        InputError: A file is missing, damaged or cut short, or an annotation lies outside the signal.
    """
    signal = read_signal(folder, name, leads)
    path = folder / f"{name}.{annotator}"
    if is_absent(path):
        raise InputError(
            f"{shown(path)} does not exist: name the ending of the annotation files with --annotator, cut windows "
            "without annotations (--window), or leave the recording out"
        )
    annotations = read_annotations(path)
    samples = _samples(annotations, signal, shown(path))
    labels = annotations.labels
    peaks = samples[labels >= 0]
    if (peaks[MAX_BEATS_NEARBY:] - peaks[:-MAX_BEATS_NEARBY] < _NEARBY_SECONDS * signal.sample_rate).any():
        raise InputError(
            f"{shown(path)} has more than {MAX_BEATS_NEARBY} beats within {_NEARBY_SECONDS:g} s: "
            "correct the sample rate in the header, or the annotations"
        )
    return Recording(
        name=name,
        signal=signal.values,
        sample_rate=signal.sample_rate,
        peaks=peaks,
        labels=labels[labels >= 0],
    )


def _samples(annotations: Annotations, signal: Signal, where: str) -> np.ndarray:
    """Return the sample of the signal at the time of each annotation."""
    # A file without a clock of its own counts frames, however many samples a frame has.
    exact = annotations.ticks * (signal.sample_rate / (annotations.clock or signal.frame_rate))
    outside = np.flatnonzero((exact < 0) | (exact >= len(signal.values)))
    if outside.size:
        raise InputError(
            f"{where}: annotation {int(outside[0])} lies past the end of the signal: "
            "the files are not of one recording, or one is cut short"
        )
    if (np.diff(exact) < 0).any():
        raise InputError(f"{where}: annotations are not in the order of time: copy the file again")
    return np.minimum(np.rint(exact), len(signal.values) - 1).astype(np.int64)
