"""Headers of WFDB recordings, plain or made of segments: parsed, and checked before any signal is read."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from gossamer.data.files import check_expansion, damage_refused, is_file, open_regular, shown
from gossamer.data.units import plain_unit
from gossamer.errors import InputError
from gossamer.extras import from_extra

_BYTES_PER_SAMPLE: Final = {
    "8": 1.0, "16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5, "310": 4 / 3, "311": 4 / 3,
}  # fmt: skip
_FLAC: Final = ("508", "516", "524")
_UNPACKED_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 2**20
"""Longest header of a recording, in bytes."""
MAX_LINE_LENGTH: Final = 255
"""Longest line of a header that is no comment, as the format says."""
MAX_SIGNALS: Final = 256
"""Largest number of signals in a recording."""
MAX_SEGMENTS: Final = 10_000
"""Largest number of segments of a recording."""
MAX_SAMPLES: Final = 2**30
"""Largest number of samples of a signal."""
MAX_SKEW: Final = 2**16
"""Largest number of samples by which a header may say that a signal is late."""
_MAX_WORD_LENGTH: Final = 100
_MAX_BASELINE: Final = 2**31
_GAP: Final = "~"


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """A part of a recording with a header of its own, or a gap.

    Args:
        name: Name of its header, or None for a gap.
        num_frames: Frames that it lasts.
    """

    name: str | None
    num_frames: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Header:
    """The content of a header. Public: the names, units and rates of the signals. Private: all else.

    Args:
        name: Name of the recording.
        signals: Names of the signals.
        units: Unit of each signal, as it is written.
        frame_rate: Frames a second, Hz.
        per_frame: Samples of each signal in a frame.
        num_frames: Frames of the recording.
        comments: Lines that the header ends with.
        segments: Parts of which the recording is made, in the order of time, or empty.
        is_fixed: True if all segments have the signals of the first, each in its place.
        parsed: The header as the package reads it.
    """

    name: str
    signals: tuple[str, ...]
    units: tuple[str, ...]
    frame_rate: float
    per_frame: tuple[int, ...]
    num_frames: int
    comments: tuple[str, ...]
    segments: tuple[Segment, ...] = ()
    is_fixed: bool = True
    parsed: Any = None

    def samples_per_frame(self, places: list[int], where: str) -> int:
        """Return the number of samples in a frame that the signals at these places have in common.

        Raises:
            InputError: They have different rates.
        """
        first = places[0]
        for place in places:
            if self.per_frame[place] != self.per_frame[first]:
                rates = [f"{self.per_frame[at] * self.frame_rate:g}" for at in (first, place)]
                raise InputError(
                    f"{where}: the signals {shown(self.signals[first])} and {shown(self.signals[place])} have "
                    f"{rates[0]} and {rates[1]} samples a second: name signals of one rate with --channel-names"
                )
        return self.per_frame[first]


def find_recordings(folder: Path) -> list[str]:
    """Find the names of all recordings in a folder, sorted: all headers, and all that the file RECORDS lists.

    The segments of a recording are no recordings by themselves. Neither is a signal file that no header names.

    Raises:
        InputError: A listed recording has no header, or there is no recording at all.
    """
    names = {path.stem for path in folder.glob("*.hea") if path.name[0] != "."}
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
    segments = {segment for name in names for segment in _segment_names(folder / f"{name}.hea")}
    if not names - segments:
        raise InputError(f"{shown(folder)}: all headers are segments of one another: copy them again")
    return sorted(names - segments)


def count_strays(folder: Path) -> int:
    """Count the signal files (NAME.dat) of a folder that no header there names. Private."""
    named = set()
    for path in folder.glob("*.hea"):
        named |= {line.split()[0] for line in _lines(path)[1:]}
    return sum(path.name not in named for path in folder.glob("*.dat") if path.name[0] != ".")


def _listed(path: Path) -> list[str]:
    with open_regular(path) as file, damage_refused(shown(path)):
        text = file.read(MAX_HEADER_BYTES).decode("ascii")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _lines(path: Path) -> list[str]:
    """Return the lines of a header but the comments, without letters that the package drops."""
    lines = (line.encode("ascii", errors="ignore").decode("ascii").strip() for line in _written_lines(path))
    return [line for line in lines if line and not line.startswith("#")]


def _written_lines(path: Path) -> list[str]:
    """Return all lines of a header as they were written, in UTF-8 or else in Latin-1."""
    with open_regular(path) as file:
        content = file.read(MAX_HEADER_BYTES + 1)
    if len(content) > MAX_HEADER_BYTES:
        raise InputError(f"{shown(path.with_suffix(''))}.hea is longer than {MAX_HEADER_BYTES} bytes: copy it again")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return re.split(r"\r\n|\r|\n", text)


def _units(path: Path, parsed: Any) -> tuple[str, ...]:
    """Return the unit of each signal in plain letters."""
    units = [str(unit) for unit in parsed.units]
    written = (line.split() for line in _written_lines(path) if line.strip() and not line.strip().startswith("#"))
    for place, fields in enumerate(list(written)[1 : 1 + len(units)]):
        # The package drops all letters beyond ASCII. With them µV would become V, and values a million times too large.
        unit = fields[2].partition("/")[2] if len(fields) > 2 else ""
        if not unit.isascii():
            units[place] = plain_unit(unit)
    return tuple(units)


def _segment_names(path: Path) -> list[str]:
    lines = _lines(path)
    if not lines or "/" not in lines[0].split()[0]:
        return []
    return [line.split()[0] for line in lines[1:]]


def read_header(folder: Path, name: str) -> Header:
    """Read the header of a recording. Of one made of segments, read the header that names its signals, too.

    Args:
        folder: Folder of its files.
        name: File name without its ending.

    Raises:
        InputError: A header is missing or damaged, or breaks a rule.
    """
    where = f"{shown(folder / name)}.hea"
    with damage_refused(where):
        parsed = _parsed(folder, name, where)
        if isinstance(parsed, wfdb_package().Record):
            _check_header(parsed, where)
            return _plain(folder, name, parsed)
        return _segmented(folder, name, parsed, where)


def _parsed(folder: Path, name: str, where: str) -> Any:
    _check_lines(_lines(folder / f"{name}.hea"), where)
    with damage_refused(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wfdb_package().rdheader(str(folder / name))


def _plain(folder: Path, name: str, parsed: Any) -> Header:
    return Header(
        name=name,
        signals=tuple(
            f"signal {place}" if signal is None else str(signal) for place, signal in enumerate(parsed.sig_name)
        ),
        units=_units(folder / f"{name}.hea", parsed),
        frame_rate=float(parsed.fs),
        per_frame=tuple(int(number or 1) for number in parsed.samps_per_frame),
        num_frames=int(parsed.sig_len or 0),
        comments=tuple(str(line) for line in parsed.comments),
        parsed=parsed,
    )


def _segmented(folder: Path, name: str, parsed: Any, where: str) -> Header:
    lengths = [int(length) for length in parsed.seg_len]
    if len(lengths) != parsed.n_seg or sum(lengths) != parsed.sig_len or not 0 < parsed.sig_len <= MAX_SAMPLES:
        raise InputError(f"{where}: its segments are not as many or not as long as it says: copy the header again")
    _check_rate(parsed, where)
    segments = tuple(
        Segment(name=None if segment == _GAP else str(segment), num_frames=length)
        for segment, length in zip(parsed.seg_name, lengths, strict=True)
    )
    first = next((segment.name for segment in segments if segment.name is not None), None)
    if first is None:
        raise InputError(f"{where} is made of gaps alone: leave the recording out")
    is_fixed = lengths[0] > 0
    of_signals = read_header(folder, first) if is_fixed else _layout(folder, first)
    return Header(
        name=name,
        signals=of_signals.signals,
        units=of_signals.units,
        frame_rate=float(parsed.fs),
        per_frame=of_signals.per_frame,
        num_frames=int(parsed.sig_len),
        comments=tuple(str(line) for line in parsed.comments),
        segments=segments if is_fixed else segments[1:],
        is_fixed=is_fixed,
    )


def _layout(folder: Path, name: str) -> Header:
    """Read the header without signals that names those of all segments."""
    where = f"{shown(folder / name)}.hea"
    parsed = _parsed(folder, name, where)
    if not isinstance(parsed, wfdb_package().Record):
        raise InputError(f"{where} is itself made of segments: copy the header again")
    _check_signals(parsed, where)
    return _plain(folder, name, parsed)


def _check_lines(lines: list[str], where: str) -> None:
    """Refuse long lines and long words in them, over which the package's patterns would take hours."""
    is_segmented = bool(lines) and "/" in lines[0].split()[0]
    most, things = (MAX_SEGMENTS, "segments") if is_segmented else (MAX_SIGNALS, "signals")
    if len(lines) > 1 + most:
        raise InputError(f"{where} has more than {most} {things}: leave some out")
    for index, line in enumerate(lines):
        if len(line) > MAX_LINE_LENGTH or max(map(len, line.split())) > _MAX_WORD_LENGTH:
            raise InputError(f"{where}: line {index + 1} is too long for a header: copy the header again")


def _check_signals(header: Any, where: str) -> None:
    if not header.n_sig or not header.sig_name:
        raise InputError(f"{where} names no signal: copy the header again")
    if header.n_sig != len(header.sig_name):
        raise InputError(f"{where} says {header.n_sig} signals and names {len(header.sig_name)}: copy the header again")


def _check_rate(header: Any, where: str) -> None:
    if not header.fs or not 0 < header.fs <= 1e6:
        raise InputError(f"{where} has no usable sample rate: complete the header")


def _check_header(header: Any, where: str) -> None:
    _check_signals(header, where)
    if not header.sig_len or not 0 < header.sig_len <= MAX_SAMPLES:
        raise InputError(f"{where} does not say how many samples there are, or too many: complete the header")
    _check_rate(header, where)
    if max((skew or 0 for skew in header.skew), default=0) > MAX_SKEW:
        raise InputError(f"{where} has a signal late by more than {MAX_SKEW} samples: correct the skew")
    if max((abs(baseline or 0) for baseline in header.baseline), default=0) > _MAX_BASELINE:
        raise InputError(f"{where} has a baseline of more than 32 bits: copy the header again")
    for file_name, form in zip(header.file_name, header.fmt, strict=True):
        # Privacy: a header must not draw in files that their owner did not hand over.
        if Path(file_name).name != file_name or file_name in (".", ".."):
            raise InputError(f"{where} names a signal file outside its own folder: copy the file beside the header")
        if form not in _BYTES_PER_SAMPLE and form not in _FLAC:
            raise InputError(f"{where} has signals in format {shown(str(form)[:10])}, which is not read: use 16 or 212")


def check_signal_files(folder: Path, header: Header, places: list[int], where: str) -> int:
    """Check that the signal files hold the bytes which the header of a plain recording promises.

    Args:
        folder: Folder of the files.
        header: Header of a recording that is not made of segments.
        places: Places of the wanted signals.
        where: Beginning of the message.

    Returns:
        Bytes of the files of these signals.

    Raises:
        InputError: A file is missing or cut short, or a compressed one would unpack to an absurd size.
    """
    parsed, total = header.parsed, 0
    for file_name in sorted({parsed.file_name[place] for place in places}):
        members = [place for place, other in enumerate(parsed.file_name) if other == file_name]
        num_samples = sum(header.per_frame[place] for place in members) * header.num_frames
        form = parsed.fmt[members[0]]
        with open_regular(folder / file_name) as file:
            size = file.seek(0, 2) - (parsed.byte_offset[members[0]] or 0)
        total += max(size, 0)
        if form in _FLAC:
            check_expansion(shown(folder / file_name), _UNPACKED_BYTES * num_samples, size)
            _check_flac_package()
        elif size < int(_BYTES_PER_SAMPLE[form] * num_samples):
            raise InputError(
                f"{shown(folder / file_name)} is cut short: {where} promises "
                f"{int(_BYTES_PER_SAMPLE[form] * num_samples)} bytes, the file has {max(size, 0)}: copy it again"
            )
    return total


def _check_flac_package() -> None:
    # The package soundfile comes with wfdb, and raises OSError if the machine lacks the library below it.
    try:
        import soundfile  # noqa: F401
    except (ImportError, OSError):
        raise InputError("a compressed (FLAC) recording needs the package soundfile: pip install soundfile") from None


def wfdb_package() -> ModuleType:
    """Import the package `wfdb`, only when a file of its kind is read or written."""
    # Imported here, since wfdb brings pandas and a network client, and images need neither. It warns while it loads.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with from_extra("series", "a WFDB recording"):
            import wfdb
    return wfdb
