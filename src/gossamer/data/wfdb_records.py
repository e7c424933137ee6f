"""WFDB recordings, as PhysioNet lays them out: header, signal and annotations, each checked before use."""

from __future__ import annotations

import abc
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from gossamer.data.beats import Recording, label_symbols
from gossamer.data.files import damage_refused, is_file, open_regular, shown
from gossamer.errors import InputError
from gossamer.extras import from_extra

_BYTES_PER_SAMPLE: Final = {
    "8": 1.0, "16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5, "310": 4 / 3, "311": 4 / 3,
}  # fmt: skip
_MILLIVOLTS: Final = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}
MAX_HEADER_BYTES: Final = 2**20
"""Longest header of a recording, in bytes."""
MAX_LINE_LENGTH: Final = 255
"""Longest line of a header that is no comment, as the format says."""
MAX_SIGNALS: Final = 256
"""Largest number of signals in a recording."""
MAX_SAMPLES: Final = 2**30
"""Largest number of samples of a signal."""
MAX_SKEW: Final = 2**16
"""Largest number of samples by which a header may say that a signal is late."""
MAX_ANNOTATION_BYTES: Final = 2**24
"""Longest annotation file in bytes. A beat takes two bytes."""
MAX_BEATS_NEARBY: Final = 100
"""Largest number of beats within 5 seconds. No heart makes more."""
_MAX_WORD_LENGTH: Final = 100
_NEARBY_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class AbstractLeads(abc.ABC):
    """A choice of the signals of a recording that become channels."""

    @property
    @abc.abstractmethod
    def channel_names(self) -> tuple[str, ...]:
        """Public names of the channels."""

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
        values: Millivolts, (time, channels).
        sample_rate: Samples a second, Hz.
        comments: Lines that the header ends with.
    """

    name: str
    values: np.ndarray
    sample_rate: float
    comments: tuple[str, ...]


def find_recordings(folder: Path) -> list[str]:
    """Find the names of all recordings in a folder, sorted: all that have a header or a signal file, or are listed.

    Raises:
        InputError: A signal file has no header, or there is no recording at all.
    """
    names = {path.stem for pattern in ("*.hea", "*.dat") for path in folder.glob(pattern) if path.name[0] != "."}
    if is_file(folder / "RECORDS"):
        names |= {Path(line).name for line in _listed(folder / "RECORDS")}
    if not names:
        raise InputError(f"{shown(folder)} holds no WFDB recording: a NAME.hea with its NAME.dat is needed")
    for name in sorted(names):
        # A word that the package would take for an address is refused.
        if not re.fullmatch(r"[\w.+-]+", name):
            raise InputError(f"{shown(folder / name)} is no name of a recording: use letters, digits, hyphens and dots")
        if not is_file(folder / f"{name}.hea"):
            raise InputError(f"{shown(folder / name)}.hea is missing: copy the header beside its signal file")
    return sorted(names)


def _listed(path: Path) -> list[str]:
    with open_regular(path) as file, damage_refused(shown(path)):
        text = file.read(MAX_HEADER_BYTES).decode("ascii")
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_signal(folder: Path, name: str, leads: AbstractLeads) -> Signal:
    """Read the wanted signals of one recording.

    Args:
        folder: Folder of its files.
        name: File name without its ending.
        leads: Choice of the signals.

    Returns:
        The signals in millivolts.

    Raises:
        InputError: A file is missing, damaged or cut short, or a value is missing.
    """
    where = f"{shown(folder / name)}.hea"
    header = _read_header(folder, name, where)
    places = leads.find([str(signal) for signal in header.sig_name], where)
    _check_files(folder, header, places, where)
    with damage_refused(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Any = wfdb_package().rdrecord(str(folder / name), channels=places)
        values = found.p_signal
    if values is None or values.shape != (header.sig_len, len(places)):
        raise InputError(f"{where}: the signal file does not hold what the header promises: copy both again")
    missing = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if missing.size:
        raise InputError(f"{where}: sample {int(missing[0])} has no valid value: cut or repair the recording first")
    scale = np.array([_millivolts(str(header.units[place]), where) for place in places])
    return Signal(
        name=name,
        values=values * scale,
        sample_rate=float(header.fs),
        comments=tuple(str(line) for line in header.comments),
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
    with open_regular(path) as file, damage_refused(shown(path)), warnings.catch_warnings():
        if file.seek(0, 2) > MAX_ANNOTATION_BYTES:
            raise InputError(f"{shown(path)} is longer than {MAX_ANNOTATION_BYTES} bytes: cut the recording into parts")
        warnings.simplefilter("ignore")
        found: Any = wfdb_package().rdann(str(folder / name), annotator)
        samples, symbols = np.asarray(found.sample, dtype=np.int64), list(found.symbol)
    outside = np.flatnonzero((samples < 0) | (samples >= len(signal.values)))
    if outside.size:
        raise InputError(
            f"{shown(path)}: annotation {int(outside[0])} lies past the end of the signal: "
            "the files are not of one recording, or one is cut short"
        )
    if (np.diff(samples) < 0).any():
        raise InputError(f"{shown(path)}: annotations are not in the order of time: copy the file again")
    labels = label_symbols(symbols)
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


def _read_header(folder: Path, name: str, where: str) -> Any:
    with open_regular(folder / f"{name}.hea") as file:
        content = file.read(MAX_HEADER_BYTES + 1)
    if len(content) > MAX_HEADER_BYTES:
        raise InputError(f"{where} is longer than {MAX_HEADER_BYTES} bytes: copy the header again")
    _check_lines(content.decode("ascii", errors="ignore"), where)
    with damage_refused(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header: Any = wfdb_package().rdheader(str(folder / name))
        if not isinstance(header, wfdb_package().Record):
            raise InputError(f"{where} is made of segments, which are not read: join them into one recording")
        _check_header(header, where)
    return header


def _check_lines(text: str, where: str) -> None:
    """Refuse long lines and long words in them, over which the package's patterns would take hours."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) > 1 + MAX_SIGNALS:
        raise InputError(f"{where} has more than {MAX_SIGNALS} signals: leave some out")
    for index, line in enumerate(lines):
        if len(line) > MAX_LINE_LENGTH or max(map(len, line.split())) > _MAX_WORD_LENGTH:
            raise InputError(f"{where}: line {index + 1} is too long for a header: copy the header again")


def _check_header(header: Any, where: str) -> None:
    if not header.n_sig or not header.sig_name:
        raise InputError(f"{where} names no signal: copy the header again")
    if header.n_sig != len(header.sig_name):
        raise InputError(f"{where} says {header.n_sig} signals and names {len(header.sig_name)}: copy the header again")
    if not header.sig_len or not 0 < header.sig_len <= MAX_SAMPLES:
        raise InputError(f"{where} does not say how many samples there are, or too many: complete the header")
    if not header.fs or not 0 < header.fs <= 1e6:
        raise InputError(f"{where} has no usable sample rate: complete the header")
    if max((skew or 0 for skew in header.skew), default=0) > MAX_SKEW:
        raise InputError(f"{where} has a signal late by more than {MAX_SKEW} samples: correct the skew")
    for file_name, form in zip(header.file_name, header.fmt, strict=True):
        # Privacy: a header must not draw in files that their owner did not hand over.
        if Path(file_name).name != file_name or file_name in (".", ".."):
            raise InputError(f"{where} names a signal file outside its own folder: copy the file beside the header")
        if form not in _BYTES_PER_SAMPLE:
            raise InputError(f"{where} has signals in format {shown(str(form)[:10])}, which is not read: use 16 or 212")


def _check_files(folder: Path, header: Any, places: list[int], where: str) -> None:
    for file_name in sorted({header.file_name[place] for place in places}):
        members = [place for place, other in enumerate(header.file_name) if other == file_name]
        per_frame = sum(header.samps_per_frame[place] or 1 for place in members)
        promised = _BYTES_PER_SAMPLE[header.fmt[members[0]]] * per_frame * header.sig_len
        with open_regular(folder / file_name) as file:
            size = file.seek(0, 2) - (header.byte_offset[members[0]] or 0)
        if size < int(promised):
            raise InputError(
                f"{shown(folder / file_name)} is cut short: {where} promises {int(promised)} bytes, "
                f"the file has {max(size, 0)}: copy it again"
            )


def _millivolts(unit: str, where: str) -> float:
    if unit.casefold() not in _MILLIVOLTS:
        raise InputError(f"{where} has a signal in {shown(unit[:20])}, which is no voltage: name another signal")
    return _MILLIVOLTS[unit.casefold()]


def wfdb_package() -> ModuleType:
    """Import the package `wfdb`, only when a file of its kind is read or written."""
    # Imported here, since wfdb brings pandas and a network client, and images need neither. It warns while it loads.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with from_extra("series", "a WFDB recording"):
            import wfdb
    return wfdb
