"""The common parts of networks of series: the check of a shape, and lengths by halving."""

from __future__ import annotations

from gossamer.errors import InputError
from gossamer.nn.settings import Shape

MIN_LENGTH = 2
MAX_LENGTH = 2**16

SeriesShape = tuple[int, int]


def checked_series_shape(shape: Shape) -> SeriesShape:
    """Return the shape as a tuple of ints, or raise an InputError that names the broken rule."""
    if len(shape) != 2:
        raise InputError(f"shape: {tuple(shape)} must be (channels, length); images take the networks for images")
    channels, length = shape
    if channels < 1:
        raise InputError(f"shape: {channels} channels; at least 1 is needed")
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise InputError(f"shape: {length} samples in time, but {MIN_LENGTH} .. {MAX_LENGTH} are possible; resample")
    return channels, length


def halved_lengths(length: int, last: int) -> tuple[int, ...]:
    """Return a length and the rest at every halving, rounded up, until it is at most ``last`` (at least one halving).

    >>> halved_lengths(187, 8), halved_lengths(2, 8)
    ((187, 94, 47, 24, 12, 6), (2, 1))
    """
    lengths = [length, -(-length // 2)]
    while lengths[-1] > last:
        lengths.append(-(-lengths[-1] // 2))
    return tuple(lengths)
