"""A user's own EDF or BDF recordings, a file or a folder of them, cut in windows, with their people."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.edf import EDF_ENDINGS, holds_signals, read_edf_classes, read_edf_header, read_edf_signals
from gossamer.data.edf_layout import EdfSignal
from gossamer.data.files import check_link, is_file, is_folder, shown, title_of
from gossamer.data.people_file import names_of_recordings, people_of_recordings, refuse_doubles, refuse_people_file
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.series import MAX_CHANNELS
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import AbstractSplit, divide
from gossamer.data.units import factor_between
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_SAME_RATE: Final = 1e-9
_MOST_SHOWN: Final = 12
NOTES_ALONE: Final = "files of annotations alone, which hold no signal"
"""Reason for which a file of a folder is passed over."""
_NOTE: Final = (
    "Names, units and sample rate of the signals are those of the headers of the recordings, or of the user, and are "
    "taken as public. Nothing else of a header was used but the scale of its values."
)


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The recordings of a folder: where they are, their names and people, and how many files have none. Private."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    people: tuple[str, ...] | None
    num_of_notes: int = 0


@dataclass(frozen=True, kw_only=True)
class _Channels:
    """The channels that are read, in public terms."""

    labels: tuple[str, ...]
    units: tuple[str, ...]
    sample_rate: float


def is_edf(path: Path) -> bool:
    """Return True if a path leads to an EDF or BDF file, or to a folder with one, itself or in its sub-folders."""
    if is_folder(path):
        return any(entry.suffix.lower() in EDF_ENDINGS for pattern in ("*", "*/*") for entry in path.glob(pattern))
    return path.suffix.lower() in EDF_ENDINGS


def load_edf(
    path: Path, windows: Windows | None, facts: SeriesFacts, split: AbstractSplit, key: UnitKey | None = None
) -> RecordData:
    """Read windows of EDF or BDF recordings.

    A sub-folder is a person, or the table `people.csv` names the person of each file. If neither is there, the unit
    that is told apart is the recording. Values are physical, by the minimum and maximum of the header, and are then
    clipped to the public bounds. With class names, annotations that name a class and have a duration say the class of
    their samples. Gaps of a discontinuous recording are missing samples. Files of annotations alone are passed over.

    Args:
        path: A file, or a folder with files or with a sub-folder of files for each person.
        windows: Rule by which recordings are cut.
        facts: Public facts. Channel names choose the signals, and a sample rate those of this rate.
        split: Rule by which windows are held out for testing.
        key: Secret, by which a split holds some out. None for a new one.

    Raises:
        InputError: A file breaks a rule, files differ in their signals, or a public fact is missing. Never a word of
            the fields on patient and recording.
    """
    where = shown(path)
    files = _found(path, where)
    headers = {file: read_edf_header(file) for file in files.paths}
    channels = _channels(headers, facts, where)
    if windows is None:
        raise InputError(
            f"{where} holds recordings, which are cut in windows: give --window, the public number of samples of a "
            f"series (window= in Python), at {channels.sample_rate:g} samples a second"
        )
    if not facts.has_bounds:
        raise InputError(_asking_for_bounds(headers, channels, where))
    facts = dataclasses.replace(
        facts, channel_names=channels.labels, units=channels.units, sample_rate=channels.sample_rate
    )
    has_classes = bool(facts.class_names)
    spec = facts.spec(len(channels.labels), windows.window, facts.classes(has_classes, where))
    check_num_values(where, sum(_length(header, channels) for header in headers.values()) * spec.channels)
    recordings = Recordings(
        values=(_physical(file, headers[file], channels) for file in files.paths),
        classes=_classes(headers, channels, facts.class_names) if has_classes else None,
        names=np.array(files.names),
        people=None if files.people is None else np.array(files.people),
    )
    rows = rows_of_windows(title_of(path.stem, "recordings"), where, recordings, windows, spec, facts, _as_labels)
    rows = dataclasses.replace(rows, left_out={**rows.left_out, NOTES_ALONE: files.num_of_notes})
    return divide(rows, split, (*facts.notes(has_classes), _NOTE), key)


def _as_labels(classes: np.ndarray) -> np.ndarray:
    return classes.astype(np.int64)


def _classes(
    headers: Mapping[Path, tuple[EdfSignal, ...]], channels: _Channels, class_names: tuple[str, ...]
) -> Iterator[np.ndarray]:
    """Read the class of each sample of each recording, one recording after the other."""
    for file, header in headers.items():
        yield read_edf_classes(file, class_names, _length(header, channels), channels.sample_rate)


def _found(path: Path, where: str) -> _Files:
    """Find the recordings of a path, and the name and the person of each."""
    if not is_folder(path):
        return _Files(paths=(path,), names=tuple(names_of_recordings([path.stem], where)), people=None)
    _check_folder(path, where)
    folders = sorted(entry for entry in path.iterdir() if _is_shown(entry) and is_folder(entry))
    all_own, all_below = tuple(_recordings_in(path)), [file for folder in folders for file in _recordings_in(folder)]
    own, below = _with_signals(all_own), [(file.parent, file) for file in _with_signals(all_below)]
    num_of_notes = len(all_own) + len(all_below) - len(own) - len(below)
    if not own and not below:
        raise InputError(f"{where} holds annotations and no recording with a signal: put the recordings there, too")
    if own and below:
        raise InputError(f"{where} holds recordings and sub-folders of recordings: put every person into a sub-folder")
    if below:
        refuse_people_file(path, [folder for folder, _ in below])
        names = [f"{folder.name}/{file.stem}" for folder, file in below]
        owners = names_of_recordings([folder.name for folder, _ in below], f"{where}: sub-folder")
        refuse_doubles(names, where)
        paths = tuple(file for _, file in below)
        return _Files(paths=paths, names=tuple(names), people=tuple(owners), num_of_notes=num_of_notes)
    names = names_of_recordings([file.stem for file in own], f"{where}: recording")
    refuse_doubles(names, where)
    said = people_of_recordings(path, [file.stem for file in own])
    people = None if said is None else tuple(said[file.stem] for file in own)
    return _Files(paths=own, names=tuple(names), people=people, num_of_notes=num_of_notes)


def _is_shown(path: Path) -> bool:
    return path.name[0] != "."


def _with_signals(files: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(file for file in files if holds_signals(file))


def _recordings_in(folder: Path) -> Iterator[Path]:
    found = (entry for entry in sorted(folder.iterdir()) if _is_shown(entry) and is_file(entry))
    return (entry for entry in found if entry.suffix.lower() in EDF_ENDINGS)


def _check_folder(path: Path, where: str) -> None:
    root = path.resolve()
    for pattern in ("*", "*/*"):
        for entry in path.glob(pattern):
            check_link(entry, root)
            if entry.suffix == ".hea":
                raise InputError(f"{where} holds EDF and WFDB recordings: put those of one format into a folder")


def _channels(headers: Mapping[Path, tuple[EdfSignal, ...]], facts: SeriesFacts, where: str) -> _Channels:
    """Return the channels that were asked for, or that all recordings have alike."""
    asked = tuple(name.strip() for name in facts.channel_names)
    kept = {file: _of_rate(header, None if asked else facts.sample_rate) for file, header in headers.items()}
    labels = asked or _shared_labels(kept, facts.sample_rate, where)
    if len(labels) > MAX_CHANNELS:
        raise InputError(f"{where}: the recordings have more than {MAX_CHANNELS} signals: name some (--channel-names)")
    chosen = [_named(header, labels, file) for file, header in headers.items()]
    rates = sorted({signal.sample_rate for signals in chosen for signal in signals})
    wanted = rates[0] if facts.sample_rate is None else facts.sample_rate
    if not all(math.isclose(rate, wanted, rel_tol=_SAME_RATE) for rate in rates):
        shown_rates = ", ".join(f"{rate:g}" for rate in rates[:_MOST_SHOWN])
        raise InputError(
            f"{where}: the signals have {shown_rates} samples a second, and all channels need the same rate: choose "
            "signals of one rate (--sample-rate or --channel-names), or resample the recordings first"
        )
    return _Channels(labels=labels, units=_units(chosen, facts, where), sample_rate=rates[0])


def _of_rate(header: tuple[EdfSignal, ...], rate: float | None) -> tuple[EdfSignal, ...]:
    return header if rate is None else tuple(one for one in header if math.isclose(one.sample_rate, rate, rel_tol=1e-9))


def _shared_labels(kept: Mapping[Path, tuple[EdfSignal, ...]], rate: float | None, where: str) -> tuple[str, ...]:
    """Return the labels of the signals if all recordings have the same in the same order."""
    each = [tuple(signal.label for signal in signals) for signals in kept.values()]
    if not all(each):
        raise InputError(f"{where}: a recording has no signal of {rate:g} samples a second (--sample-rate): correct it")
    if len(set(each)) > 1:
        # Privacy: only labels that all recordings have are shown.
        common = [label for label in each[0] if all(label in labels for labels in each)]
        some = ", ".join(common[:_MOST_SHOWN]) + (", ..." if len(common) > _MOST_SHOWN else "")
        have = f"all have {some}" if common else "no signal is in all of them"
        raise InputError(
            f"{where}: the recordings differ in their signals or in the order of these; {have}: name the signals to "
            "read with --channel-names"
        )
    return each[0]


def _named(header: tuple[EdfSignal, ...], labels: tuple[str, ...], file: Path) -> list[EdfSignal]:
    """Return the signals of these names. Upper and lower case are not told apart."""
    folded = [signal.label.casefold() for signal in header]
    for label in labels:
        if folded.count(label.casefold()) != 1:
            number = "no signal" if label.casefold() not in folded else "several signals"
            raise InputError(f"{shown(file)} has {number} {shown(label)}: leave it out, or name another signal")
    return [header[folded.index(label.casefold())] for label in labels]


def _units(chosen: list[list[EdfSignal]], facts: SeriesFacts, where: str) -> tuple[str, ...]:
    """Return the unit of each channel: as the user says, or as all headers say."""
    number = len(chosen[0])
    if facts.units and len(facts.units) not in (1, number):
        raise InputError(f"units (--units) has {len(facts.units)} units for {number} channels: give one, or one each")
    asked = facts.units * number if len(facts.units) == 1 else facts.units
    units = asked or tuple(signal.unit for signal in chosen[0])
    for signals in chosen:
        for signal, unit in zip(signals, units, strict=True):
            factor = factor_between(signal.unit, unit)
            if factor is None:
                raise InputError(
                    f"{where}: signal {shown(signal.label)} of a recording is not in {shown(unit)}, and cannot be "
                    "converted: name another signal, or leave the recording out"
                )
            if not asked and (factor != 1.0 or bool(signal.unit) != bool(unit)):
                raise InputError(
                    f"{where}: the recordings have signal {shown(signal.label)} in different units: say the one to "
                    "read it in with --units, as in --units uV (volts are converted)"
                )
    return units if any(units) else ()


def _asking_for_bounds(headers: Mapping[Path, tuple[EdfSignal, ...]], channels: _Channels, where: str) -> str:
    """Ask for public bounds. Offer the range of the recorder if several headers agree on it."""
    ranges = {tuple(_range(signals, channels)) for signals in headers.values()}
    units = sorted(set(channels.units)) or ["the unit of the signals"]
    asked = f"{where}: give public bounds of the values in {', '.join(units)} (--low, --high)"
    # Privacy: some programs write the least and greatest value of a recording there. Several headers never agree on
    # those, and one alone is not shown.
    if len(headers) < 2 or len(ranges) > 1 or len(channels.labels) > _MOST_SHOWN:
        return f"{asked}: take them from the recorder or from the body, never from the values"
    low, high = (",".join(f"{each[side]:.10g}" for each in next(iter(ranges))) for side in (0, 1))
    return f"{asked}; all headers state one range: if it is that of the recorder, --low {low} --high {high} takes it"


def _range(header: tuple[EdfSignal, ...], channels: _Channels) -> Iterator[tuple[float, float]]:
    signals = _named(header, channels.labels, Path())
    for signal, unit in zip(signals, channels.units or ("",) * len(signals), strict=True):
        factor = factor_between(signal.unit, unit) or 1.0
        yield signal.range[0] * factor, signal.range[1] * factor


def _length(header: tuple[EdfSignal, ...], channels: _Channels) -> int:
    return min(signal.num_samples for signal in _named(header, channels.labels, Path()))


def _physical(file: Path, header: tuple[EdfSignal, ...], channels: _Channels) -> np.ndarray:
    """Read the channels of a recording in their public units, float64 (channels, time)."""
    signals = _named(header, channels.labels, file)
    x = np.empty((len(signals), _length(header, channels)))
    units = channels.units or ("",) * len(signals)
    read = read_edf_signals(file, [signal.place for signal in signals])
    for channel, (values, signal, unit) in enumerate(zip(read, signals, units, strict=True)):
        x[channel] = values * (factor_between(signal.unit, unit) or 1.0)
    return x
