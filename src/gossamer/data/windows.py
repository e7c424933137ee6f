"""Windows of long recordings: the public rule that cuts them, and the windows that it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np

from gossamer.data.records import check_num_values
from gossamer.data.series import MAX_LENGTH, MIN_LENGTH
from gossamer.errors import InputError, told

SHORT: Final = "recordings shorter than a window"
MISSING: Final = "windows with a missing value"
CHANGED: Final = "windows in which the class changes"


@dataclass(frozen=True, kw_only=True)
class Windows:
    r"""A rule that cuts a recording in windows of one length. Window k holds the samples from k times the stride on.

    A recording of T samples has :math:`\lfloor (T - w) / s \rfloor + 1` windows of w samples with the stride s, and
    none if it is shorter than w. Samples behind the last whole window are in none.

    Guarantee:
        Both numbers are public inputs. A window is a function of its own recording and of them alone. Several windows
        come from one recording, and with a stride below the window they share samples. So the usual unit of protection
        is the recording, or the person if the data names people.

    Args:
        window: Samples of a window, 2 to 65,536.
        stride: Samples from the beginning of a window to that of the next. None for the window, so that none overlap.

    Raises:
        InputError: A number is out of range.

    Example:
        >>> Windows(window=256).step, Windows(window=256, stride=64).count(1024)
        (256, 13)
    """

    window: int
    stride: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (("window", self.window, MIN_LENGTH), ("stride", self.stride, 1)):
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            if name == "stride" and value is None:
                continue
            if not is_whole or not least <= value <= MAX_LENGTH:
                raise InputError(
                    f"{name} (--{name}) must be a whole number of samples, {least} to {MAX_LENGTH}, not {told(value)}"
                )

    @property
    def step(self) -> int:
        """Samples from the beginning of a window to that of the next."""
        return self.window if self.stride is None else self.stride

    @property
    def overlap(self) -> bool:
        """True if one sample can be in several windows."""
        return self.step < self.window

    def count(self, length: int) -> int:
        """Return the number of windows of a recording of so many samples."""
        return max(0, (length - self.window) // self.step + 1)

    @property
    def note(self) -> str:
        """Sentence for the statement."""
        # Single windows that are dealt to both sides of a split would test on samples that were learnt from.
        overlapping = "they overlap, so that a split of single windows tests on samples that were learnt from"
        shared = overlapping if self.overlap else "they share no sample"
        return (
            f"Recordings were cut in windows of {self.window} samples, one every {self.step}: {shared}. A recording "
            "shorter than a window gives none. Windows with a missing value or a change of class were left out."
        )


def cut(values: np.ndarray, windows: Windows) -> np.ndarray:
    """Cut one recording in windows.

    Args:
        values: (channels, time).
        windows: Public rule.

    Returns:
        (num_windows, channels, window), a view of the values. No window if the recording is shorter than one.

    Example:
        >>> cut(np.arange(5)[None], Windows(window=2)).tolist()
        [[[0, 1]], [[2, 3]]]
    """
    if values.shape[1] < windows.window:
        return np.empty((0, len(values), windows.window), dtype=values.dtype)
    views = np.lib.stride_tricks.sliding_window_view(values, windows.window, axis=1)
    return np.moveaxis(views[:, :: windows.step], 1, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class CutWindows:
    """The windows of several recordings, in their order, and the numbers of those left out. Private.

    Attributes:
        values: (num_windows, channels, window), all finite.
        recordings: Place of the recording of each window, int64 (num_windows,).
        classes: Class of each window, as it was written, (num_windows,), or None.
        num_short: Number of recordings shorter than a window.
        num_missing: Number of windows with a value that is missing or infinite.
        num_changed: Number of the other windows in which the class changes.
    """

    values: np.ndarray
    recordings: np.ndarray
    classes: np.ndarray | None
    num_short: int
    num_missing: int
    num_changed: int

    @property
    def left_out(self) -> dict[str, int]:
        """Reasons for which recordings and windows were left out, and how many for each. The numbers are private."""
        # Privacy: counts of private things. They go to the owner alone, never into a statement.
        return {SHORT: self.num_short, MISSING: self.num_missing, CHANGED: self.num_changed}


def cut_all(
    recordings: Iterable[np.ndarray],
    windows: Windows,
    where: str,
    classes: Iterable[np.ndarray] | None = None,
    scale: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> CutWindows:
    """Cut recordings in windows, and leave out those with a missing value or a change of class.

    Guarantee:
        A window stays or goes by its own samples alone.

    Args:
        recordings: Each (channels, time), of any length, with one number of channels.
        windows: Public rule.
        where: Beginning of a message.
        classes: Class of each sample of each recording, (time,) of any type, or None.
        scale: Change of the windows that are kept of a recording. It takes them, and the number of those kept before.
            None to keep them as they are.

    Raises:
        InputError: No window is left, or there are too many values.
    """
    parts: list[np.ndarray] = []
    kept_classes: list[np.ndarray] = []
    places: list[np.ndarray] = []
    num_kept = num_values = num_short = num_missing = num_changed = 0
    # One recording at a time, since its own units take twice the memory of its records.
    for place, (values, words) in enumerate(zip(recordings, repeat(None) if classes is None else classes)):
        found = cut(values, windows)
        num_values, num_short = num_values + found.size, num_short + (not len(found))
        check_num_values(where, num_values)
        is_kept = np.isfinite(found).all(axis=(1, 2))
        num_missing += int((~is_kept).sum())
        if words is not None:
            written = cut(words[None], windows)[:, 0]
            is_constant = (written == written[:, :1]).all(axis=1)
            num_changed += int((is_kept & ~is_constant).sum())
            is_kept &= is_constant
            kept_classes.append(written[is_kept, 0])
        parts.append(found[is_kept] if scale is None else scale(found[is_kept], num_kept))
        places.append(np.full(len(parts[-1]), place, dtype=np.int64))
        num_kept += len(parts[-1])
    if not num_kept:
        raise InputError(
            f"{where}: not one whole window of {windows.window} samples: every recording is shorter, or has a missing "
            "value, a change of class or none of the classes in each window; give a smaller --window, or the classes "
            "as they are written there (--class-names)"
        )
    return CutWindows(
        values=np.concatenate(parts),
        recordings=np.concatenate(places),
        classes=None if classes is None else np.concatenate(kept_classes),
        num_short=num_short,
        num_missing=num_missing,
        num_changed=num_changed,
    )
