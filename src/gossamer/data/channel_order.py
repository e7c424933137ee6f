"""The order of the value columns of a wide table: channel after channel, as their names say it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gossamer.data.files import shown
from gossamer.errors import InputError

_LAST_NUMBER: Final = re.compile(r"(?P<a>.*?)(?P<time>\d+)(?P<b>)")
_FIRST_NUMBER: Final = re.compile(r"(?P<a>)(?P<time>\d+)(?P<b>\D.*)")
_INNER_NUMBER: Final = re.compile(r"(?P<a>\D+)(?P<time>\d+)(?P<b>[_\-. :]\D.*|\D)")
_ORDERED: Final = (
    "The columns of the values were brought into the order of their names: channel after channel, each in the order of "
    "its numbers."
)
_WAY_OUT: Final = (
    "name the columns by channel and time, as in x_0, x_1, ..., y_0, y_1, ..., with the names of --channel-names"
)


@dataclass(frozen=True, kw_only=True)
class Order:
    """Columns, channel after channel.

    Args:
        names: Columns of values.
        notes: Sentence for the statement, if the table had another order.
    """

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


Reading = list[tuple[str, int | str]]
"""Channel and time of each column, by one way of reading its name."""


def stems_of(names: tuple[str, ...]) -> list[str | None]:
    """Return the part of each name beside its last or first number, None for a name without one.

    >>> stems_of(("t0", "t1", "0_x", "age"))
    ['t', 't', '_x', None]
    """
    matches = (_LAST_NUMBER.fullmatch(name) or _FIRST_NUMBER.fullmatch(name) for name in names)
    return [None if match is None else match["a"] + match["b"] for match in matches]


def in_order(names: tuple[str, ...], channels: tuple[str, ...], where: str, *, is_listed: bool) -> Order:
    """Return the value columns channel after channel, each in the order of time.

    A name holds the channel and a number for the time: ``x_0`` or ``0_x``, ``t0_x``, ``left_t7``. Channels that stand
    in the names go by name, and others in the order in which they come. Names without channels keep the order of the
    table, in which one channel comes after the other.

    Guarantee:
        The order follows from public names alone.

    Args:
        names: Columns of values, as many for each channel.
        channels: Names of the channels that the user gave, or empty for one channel without a name.
        where: Beginning of a message.
        is_listed: True if the user named each column, and so their order.

    Raises:
        InputError: The names are of other channels, or of several times for one channel, or read in two ways.

    Example:
        >>> in_order(("x_0", "y_0", "x_1", "y_1"), ("y", "x"), "'a.csv'", is_listed=False).names
        ('y_0', 'y_1', 'x_0', 'x_1')
    """
    if len(channels) <= 1:
        return _of_one(names, channels, where, is_listed)
    found = _ordered_by_names(names, channels, where, is_listed)
    return Order(names=found, notes=() if found == names else (_ORDERED,))


def _of_one(names: tuple[str, ...], channels: tuple[str, ...], where: str, is_listed: bool) -> Order:
    if is_listed:
        return Order(names=names)
    for reading in _numbered(names):
        keys = _keys(reading)
        if len(keys) > 1 and not channels and _is_grid(reading) and all(map(_has_letter, keys)):
            told = ", ".join(shown(key[:40]) for key in list(keys)[:4]) + ", ..." * (len(keys) > 4)
            raise InputError(
                f"{where}: by their names the value columns are of {len(keys)} channels ({told}): give "
                "--channel-names, one for each, or a single one if all of them are one channel"
            )
    numbers = [time for _, time in next(iter(_numbered(names)), [])]
    is_one = bool(numbers) and len(set(stems_of(names))) == 1 and len(set(numbers)) == len(numbers)
    if not is_one or numbers in (sorted(numbers), sorted(numbers, reverse=True)):
        return Order(names=names)
    return Order(names=tuple(name for _, name in sorted(zip(numbers, names, strict=True))), notes=(_ORDERED,))


def _ordered_by_names(
    names: tuple[str, ...], channels: tuple[str, ...], where: str, is_listed: bool
) -> tuple[str, ...]:
    named = [_named_channel(name, channels) for name in names]
    if all(named):
        return _by_channel_name([pair for pair in named if pair is not None], names, channels, where)
    if any(named):
        raise InputError(
            f"{where}: some value columns have the name of a channel in theirs, and some have none: {_WAY_OUT}"
        )
    readings = _numbered(names)
    orders = {_sorted(reading, names, None) for reading in readings if _fits(reading, len(channels))}
    if len(orders) == 1:
        return orders.pop()
    if orders and not is_listed:
        raise InputError(f"{where}: the names of the value columns can be read in two orders: {_WAY_OUT}")
    for reading in () if orders else readings[:1]:
        keys = _keys(reading)
        if len(keys) > 1 and all(map(_has_letter, keys)) and (_is_grid(reading) or len(keys) == len(channels)):
            raise InputError(
                f"{where}: by their names the value columns are of {len(keys)} channels, not of {len(channels)} with "
                f"as many times each: {_WAY_OUT}"
            )
    return names


def _by_channel_name(found: Reading, names: tuple[str, ...], channels: tuple[str, ...], where: str) -> tuple[str, ...]:
    times = [[time for key, time in found if key == channel] for channel in channels]
    is_numbered = all(isinstance(time, int) for _, time in found)
    is_alike = all(sorted(map(str, one)) == sorted(map(str, times[0])) for one in times)
    if not is_alike or len(set(found)) < len(found) or not (is_numbered or all(one == times[0] for one in times)):
        raise InputError(
            f"{where}: the names of the value columns do not give every channel the same times: {_WAY_OUT}"
        )
    return _sorted(found, names, channels)


def _sorted(reading: Reading, names: tuple[str, ...], channels: Sequence[str] | None) -> tuple[str, ...]:
    """Return names by channel and, if times are numbers, by time. Otherwise the order of the table stands."""
    ranks = {key: rank for rank, key in enumerate(channels or _keys(reading))}

    def rank(place: int) -> tuple[int, int]:
        key, time = reading[place]
        return ranks[key], time if isinstance(time, int) else place

    return tuple(names[place] for place in sorted(range(len(names)), key=rank))


def _named_channel(name: str, channels: tuple[str, ...]) -> tuple[str, int | str] | None:
    """Return the channel of which the name begins or ends that of a column, and the time that is left, or None."""
    best: list[tuple[int, str, str]] = []
    for channel in filter(_has_letter, channels):
        # The channel v1 does not begin the name v10_3.
        sought = re.escape(channel) + (r"(?!\d)" if channel[-1].isdigit() else "")
        for pattern in (rf"{sought}(?=[\d_\-. :])(.*)", rf"(.*[\d_\-. :]){sought}"):
            match = re.fullmatch(pattern, name, re.IGNORECASE)
            if match is not None:
                best.append((len(channel), channel, match[1]))
    longest = [(channel, rest) for size, channel, rest in best if size == max(best)[0]]
    if len({channel for channel, _ in longest}) != 1:
        return None
    channel, rest = longest[0]
    number = re.fullmatch(r"[^\d]*?(\d+)[^\d]*", rest)
    return channel, rest.casefold() if number is None else int(number[1])


def _numbered(names: tuple[str, ...]) -> list[Reading]:
    """List the ways of reading all names as a channel and a number."""
    found = [_read(names, pattern.fullmatch) for pattern in (_LAST_NUMBER, _FIRST_NUMBER, _INNER_NUMBER)]
    return [reading for reading in found if reading is not None]


def _read(names: tuple[str, ...], match: Callable[[str], re.Match[str] | None]) -> Reading | None:
    matches = [match(name) for name in names]
    found: Reading = [(one["a"] + one["b"], int(one["time"])) for one in matches if one is not None]
    return found if len(found) == len(names) else None


def _keys(reading: Reading) -> dict[str, int]:
    """Count the columns of each channel, in the order in which they come."""
    counts: dict[str, int] = {}
    for key, _ in reading:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _fits(reading: Reading, num_channels: int) -> bool:
    return len(_keys(reading)) == num_channels and _is_grid(reading)


def _is_grid(reading: Reading) -> bool:
    """Return True if every channel has the same times, two or more, each once."""
    keys, times = _keys(reading), {time for _, time in reading}
    return len(times) > 1 and len(set(reading)) == len(reading) == len(keys) * len(times)


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
