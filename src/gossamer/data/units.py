"""Units of the values of a series: public words, checked, written in plain letters, and converted between volts."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from gossamer.errors import InputError

MAX_UNIT: Final = 32
"""Longest name of a unit, in characters."""
NO_UNIT: Final = "NU"
"""The word of WFDB for values without a unit."""
_VOLTS: Final = {"v": 1.0, "mv": 1e-3, "uv": 1e-6, "nv": 1e-9}
_PLAIN: Final = str.maketrans({"µ": "u", "μ": "u", "°": "deg", "Ω": "Ohm", "·": "*", "−": "-"})
_EXPONENTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def check_units(units: tuple[str, ...], channels: int) -> None:
    """Refuse public units that could not stand in a header or in one line.

    Args:
        units: One for each channel, empty text for an unknown one, or no unit at all.
        channels: Number of channels.

    Raises:
        InputError: Another number of units, or one that is no text, unprintable or too long.
    """
    if units and len(units) != channels:
        raise InputError(f"units has {len(units)} units for {channels} channels: give one for each, as in mV,degC")
    for index, unit in enumerate(units):
        if not isinstance(unit, str) or not unit.isprintable() or len(unit) > MAX_UNIT or unit != unit.strip():
            raise InputError(f"units[{index}] must be at most {MAX_UNIT} printable characters, as in mV or degC")


def plain_unit(unit: str) -> str:
    """Write a unit in letters that every header can hold, as far as there are usual words for that.

    Example:
        >>> plain_unit("µV"), plain_unit("°C"), plain_unit("m/s²")
        ('uV', 'degC', 'm/s^2')
    """
    raised = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: "^" + found[0].translate(_EXPONENTS), unit)
    return unicodedata.normalize("NFC", raised).translate(_PLAIN)


def factor_between(found: str, wanted: str) -> float | None:
    """Return the number that brings values of one unit to another, or None if there is no way.

    Two units are the same if they are in the same letters, upper or lower case. Volts, mV, uV and nV are turned into
    each other. An unknown unit, empty text, is taken for any other.

    Args:
        found: Unit of the values.
        wanted: Unit that they are to have.

    Example:
        >>> factor_between("µV", "mV"), factor_between("mV", "degC"), factor_between("", "mV")
        (0.001, None, 1.0)
    """
    old, new = plain_unit(found.strip()).casefold(), plain_unit(wanted.strip()).casefold()
    if old == new or not old or not new:
        return 1.0
    if old in _VOLTS and new in _VOLTS:
        # Both are powers of ten, and their ratio is rounded to one.
        return float(f"{_VOLTS[old] / _VOLTS[new]:.3e}")
    return None
