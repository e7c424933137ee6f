"""Tiny settings of every method, a file each: whatever runs every method takes them from here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gossamer.methods.catalogue import METHODS


def _as_they_are(settings: Any) -> Any:
    """Return settings that are short already."""
    return settings


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """Settings of a method with a noise multiplier, for 60 records of three classes; one to three private steps.

    Attributes:
        images: for images of 8x8.
        people: the same for 20 people.
        series: for series of two channels and 24 samples.
        crashes: for images of 8x8, with several blocks in the ledger where a method has many steps.
        words: options of a command line that trains on the digits in a second.
        soon: makes settings for own records short, for a method that fits or trains for more than a second.
        level_error: largest error of the level of samples of nearly constant records. A method that claims to fit its
            records keeps the default. None for one that claims no level, as its page says.
        needs_classes: whether records without two classes are refused, with the way out.
    """

    images: Any
    people: Any
    series: Any
    crashes: Any
    words: tuple[str, ...]
    soon: Callable[[Any], Any] = _as_they_are
    level_error: float | None = 0.02
    needs_classes: bool = False


def tiny_of(name: str) -> Tiny:
    """Return the settings in the file of a method."""
    return importlib.import_module(f"tiny.{name.replace('-', '_')}").TINY


def every(choose: Callable[[Tiny], Any]) -> dict[str, Any]:
    """Return settings of every method that can be asked for, by its name."""
    return {method.name: choose(tiny_of(method.name)) for method in METHODS}
