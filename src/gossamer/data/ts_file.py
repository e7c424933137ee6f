"""Series in the format .ts of the UEA and UCR archives: a header of public words, and a line for each series."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.files import shown
from gossamer.data.ucr_cases import Cases, check_cases, lines_of, numbers_of, stacked
from gossamer.errors import InputError

_FLAGS: Final = ("timestamps", "missing", "univariate", "equallength", "targetlabel")
_COUNTS: Final = {"dimensions": "dimensions", "dimension": "dimensions", "serieslength": "serieslength"}
# Without two parts that could share a character: a line that means harm must not be tried in many ways.
_PAIR: Final = re.compile(r"\s*\(([^,()]+),([^,()]*)\)\s*(?:,|$)")
_CHANNEL_END: Final = re.compile(r"\)\s*:")


@dataclass(frozen=True, kw_only=True)
class TsHeader:
    """The header of a .ts file. Public.

    Args:
        flags: Tag, in small letters, -> True or False.
        counts: `dimensions` and `serieslength`, if the header has them.
        class_names: Names after ``@classLabel true``.
        has_class: True, False, or None if the header does not say.
    """

    flags: dict[str, bool]
    counts: dict[str, int]
    class_names: tuple[str, ...]
    has_class: bool | None

    @property
    def has_target(self) -> bool:
        """True if each line ends with a number to be predicted."""
        return self.flags.get("targetlabel", False)

    @property
    def length(self) -> int | None:
        """Samples of each series, or None if the header does not say or lengths differ."""
        return self.counts.get("serieslength") if self.flags.get("equallength", True) else None


def read_ts(path: Path) -> Cases:
    """Read a .ts file.

    Returns:
        Its series. The numbers that ``@targetLabel`` announces are left out, and a note says so.

    Raises:
        InputError: Naming the line and place of the fault, and never a value.
    """
    where, lines = shown(path), lines_of(path)
    header = _header(lines, where)
    has_last = bool(header.has_class) or header.has_target
    values: list[np.ndarray] = []
    words: list[str] = []
    clocks: list[list[float] | None] = []
    for number, line in lines:
        if line[0] in "#%":
            continue
        at = f"{where}: line {number}"
        channels, last, clock = _parts(line, header, has_last, at)
        values.append(channels)
        words.append(last)
        clocks.append(clock)
        _check_shape(values, header, at)
    check_cases(values, where)
    notes = ("The number of each series (@targetLabel) was left out: it is no class.",) if header.has_target else ()
    return Cases(
        values=values,
        words=words if header.has_class else None,
        class_names=header.class_names,
        length=values[0].shape[1] if header.flags.get("equallength", True) else None,
        clocks=clocks if header.flags.get("timestamps", False) else None,
        notes=notes,
    )


def _header(lines: Iterator[tuple[int, str]], where: str) -> TsHeader:
    flags: dict[str, bool] = {}
    counts: dict[str, int] = {}
    names: tuple[str, ...] = ()
    has_class: bool | None = None
    for number, line in lines:
        at = f"{where}: line {number}"
        if line[0] in "#%":
            continue
        if line[0] != "@":
            raise InputError(f"{at}: the header has no @data before the first series: begin the file with its tags")
        tag, *rest = line[1:].split()
        key = tag.lower()
        if key == "data":
            break
        if key in _FLAGS:
            flags[key] = _flag(rest, tag, at)
        elif key in _COUNTS:
            counts[_COUNTS[key]] = _count(rest, tag, at)
        elif key == "classlabel":
            has_class, names = _flag(rest[:1], tag, at), tuple(rest[1:])
    else:
        raise InputError(f"{where} has no @data: it is no .ts file, or is cut short")
    # The writer of aeon says @targetLabel false of series without classes, and nothing more.
    has_class = False if has_class is None and "targetlabel" in flags else has_class
    if has_class is None:
        raise InputError(
            f"{where}: the header does not say if there are classes: add the line @classLabel false, or @classLabel "
            "true with their names"
        )
    return TsHeader(flags=flags, counts=counts, class_names=names if has_class else (), has_class=has_class)


def _flag(rest: list[str], tag: str, at: str) -> bool:
    word = rest[0].lower() if len(rest) == 1 else ""
    if word not in ("true", "false"):
        raise InputError(f"{at}: @{shown(tag[:40])[1:-1]} must be true or false")
    return word == "true"


def _count(rest: list[str], tag: str, at: str) -> int:
    if len(rest) != 1 or not rest[0].isascii() or not rest[0].isdigit() or len(rest[0]) > 9 or int(rest[0]) < 1:
        raise InputError(f"{at}: @{shown(tag[:40])[1:-1]} must be a whole number from 1 on")
    return int(rest[0])


def _parts(line: str, header: TsHeader, has_last: bool, at: str) -> tuple[np.ndarray, str, list[float] | None]:
    """Return the channels of one line, its class or target, and its times if it has any."""
    if header.flags.get("timestamps", False):
        parts, last = _split_pairs(line, has_last, at)
        values, clock = _timed(parts, at)
        return values, last, clock
    parts = line.split(":")
    if has_last:
        *parts, last = parts
    else:
        # A line without a class may end with the colon that would stand before one.
        parts, last = parts[:-1] if len(parts) > 1 and not parts[-1].strip() else parts, ""
    if not parts:
        raise InputError(f"{at} has no class after its values: the header says that there are classes (@classLabel)")
    channels = [
        numbers_of(part.split(","), f"{at}, channel {channel + 1}") if part.strip() else []
        for channel, part in enumerate(parts)
    ]
    return stacked(channels, at), last.strip(), None


def _split_pairs(line: str, has_last: bool, at: str) -> tuple[list[str], str]:
    """Part a line of (time, value) pairs at the colons behind parentheses."""
    *parts, rest = _CHANNEL_END.split(line)
    parts = [f"{part})" for part in parts]
    if has_last and not parts:
        raise InputError(f"{at} is no pair (time,value) and a class, as @timeStamps true and @classLabel say")
    last = rest.strip() if has_last else ""
    if has_last and not last:
        raise InputError(f"{at} has no class after its values: the header says that there are classes (@classLabel)")
    if not has_last and rest.strip():
        parts.append(rest)
    return parts, last


def _timed(parts: list[str], at: str) -> tuple[np.ndarray, list[float]]:
    """Return values and times of channels of (time, value) pairs. The times rise, and all channels have the same."""
    channels: list[list[float]] = []
    clocks: list[list[float]] = []
    for channel, part in enumerate(parts):
        place, pairs, here = 0, [], f"{at}, channel {channel + 1}"
        while place < len(part):
            found = _PAIR.match(part, place)
            if found is None:
                raise InputError(f"{here}: value {len(pairs) + 1} is no pair (time,value), as @timeStamps true says")
            pairs.append(found.groups())
            place = found.end()
        clocks.append([_time_of(time, f"{here}, value {index + 1}") for index, (time, _) in enumerate(pairs)])
        channels.append(numbers_of([value for _, value in pairs], here))
    if any(clock != clocks[0] for clock in clocks[1:]):
        raise InputError(f"{at} has channels at several times: give all channels of a series the same times")
    if not (np.diff(clocks[0]) > 0).all():
        raise InputError(f"{at} goes back in time, or names a time twice: sort the values by time")
    return stacked(channels, at), clocks[0]


def _time_of(text: str, at: str) -> float:
    try:
        return float(text)
    except ValueError:
        text = text.strip()
    try:
        time = datetime.fromisoformat(text)
        # A time without a zone is read as if it were UTC, so that no summer time of this machine bends it.
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        # Privacy: the place, never the cell.
        raise InputError(f"{at} has a time that is neither a number nor a date: write 2026-01-31T08:15:00") from None


def _check_shape(values: list[np.ndarray], header: TsHeader, at: str) -> None:
    """Refuse a series of another shape than the header says, or than the first one has."""
    channels, length = values[-1].shape
    expected = header.counts.get("dimensions", 1 if header.flags.get("univariate", False) else len(values[0]))
    if channels != expected or (header.flags.get("univariate", False) and channels != 1):
        raise InputError(
            f"{at} has {channels} channels and not {expected}, as @univariate and @dimensions or the first series say: "
            "correct the header or the line"
        )
    if header.flags.get("equallength", True) and length != (header.length or values[0].shape[1]):
        raise InputError(
            f"{at} has another length than @seriesLength or the first series says: where lengths differ, write "
            "@equalLength false"
        )
