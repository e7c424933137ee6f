"""Annotation files of WFDB: the time and the AAMI class of each beat, and the clock that counts the time."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.beats import AAMI_SYMBOLS
from gossamer.data.files import open_regular, shown
from gossamer.errors import InputError

MAX_ANNOTATION_BYTES: Final = 2**24
"""Longest annotation file in bytes. A beat takes two bytes."""
MAX_CLOCK: Final = 1e9
"""Largest number of ticks a second that an annotation file may count in."""
BEAT_CODES: Final = {
    "N": 1, "L": 2, "R": 3, "a": 4, "V": 5, "F": 6, "J": 7, "A": 8, "S": 9, "E": 10, "j": 11, "/": 12, "Q": 13,
    "B": 25, "?": 30, "e": 34, "n": 35, "f": 38, "r": 41,
}  # fmt: skip
"""Numbers by which an annotation file names the symbols of beats."""
_NOTE: Final = 22
_LARGEST_CODE: Final = 49
_SKIP: Final = 59
_AUX: Final = 63
_CLOCK_WORDS: Final = b"## time resolution:"


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotations:
    """The content of an annotation file. Private, but for the clock.

    Args:
        ticks: Time of each annotation, in ticks of the clock, int64 (num_annotations,).
        labels: AAMI class of each annotation, and -1 if it is no beat, int64 (num_annotations,).
        clock: Ticks a second by the file's own word, or None if its ticks are the frames of the recording.
    """

    ticks: np.ndarray
    labels: np.ndarray
    clock: float | None


def read_annotations(path: Path) -> Annotations:
    """Read an annotation file.

    The format is that of MIT: words of 16 bits, each a code of six bits and a time difference of ten. A word of zeros
    ends the file. Codes that a file defines by itself are no beats.

    Args:
        path: Path of the file.

    Returns:
        All annotations, in the order of the file, among them the notes at time 0, which are no beats.

    Raises:
        InputError: The file is missing, too long or cut short, or its clock is no number of ticks a second.
    """
    with open_regular(path) as file:
        content = file.read(MAX_ANNOTATION_BYTES + 1)
    if len(content) > MAX_ANNOTATION_BYTES:
        raise InputError(f"{shown(path)} is longer than {MAX_ANNOTATION_BYTES} bytes: cut the recording into parts")
    ticks, codes, notes = _words(content, shown(path))
    clocks = {_clock(note, shown(path)) for note in notes if note.startswith(_CLOCK_WORDS)}
    if len(clocks) > 1:
        raise InputError(f"{shown(path)} names two time resolutions: keep the one that its times are in")
    of_code = np.full(_LARGEST_CODE + 1, -1, dtype=np.int64)
    for label, group in enumerate(AAMI_SYMBOLS):
        of_code[[BEAT_CODES[symbol] for symbol in group]] = label
    return Annotations(
        ticks=np.frombuffer(ticks, dtype=np.int64) if len(ticks) else np.empty(0, np.int64),
        labels=of_code[np.frombuffer(codes, dtype=np.int8)] if len(codes) else np.empty(0, np.int64),
        clock=next(iter(clocks), None),
    )


def _words(content: bytes, where: str) -> tuple[array[int], array[int], list[bytes]]:
    """Return the times and codes of all annotations but the definitions, and the notes at time 0."""
    ticks, codes, notes = array("q"), array("b"), []
    place, now, last = 0, 0, 0
    while True:
        if place + 2 > len(content):
            raise InputError(f"{where} is cut short: its end is not marked: copy it again")
        low, high = content[place], content[place + 1]
        place += 2
        if not low and not high:
            return ticks, codes, notes
        code, number = high >> 2, low + ((high & 3) << 8)
        if code == _SKIP:
            now += _skipped(content[place : place + 4], where)
            place += 4
        elif code <= _LARGEST_CODE:
            now, last = now + number, code
            if code:
                ticks.append(now)
                codes.append(code)
        elif code == _AUX:
            note, place = content[place : place + number], place + number + number % 2
            if now == 0 and last == _NOTE:
                # This may be a definition, which says in which way the annotations are to be read.
                notes.append(note)


def _skipped(word: bytes, where: str) -> int:
    """Return the long time difference in four bytes, of which the upper two come first, as on a PDP-11."""
    if len(word) < 4:
        raise InputError(f"{where} is cut short: its end is not marked: copy it again")
    return int.from_bytes(word[2:] + word[:2], "little", signed=False) - (2**32 if word[1] >= 128 else 0)


def _clock(note: bytes, where: str) -> float:
    number = re.fullmatch(rb"\s*(\d{1,10}(?:\.\d{0,20})?)\s*\0*", note[len(_CLOCK_WORDS) :])
    if not number or not 0 < float(number[1]) <= MAX_CLOCK:
        raise InputError(
            f"{where} has a time resolution that is no number of ticks a second: write {_CLOCK_WORDS.decode()} 360"
        )
    return float(number[1])
