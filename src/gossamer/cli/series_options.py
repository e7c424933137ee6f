"""The options of series, shared by all verbs that take --data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import tyro

from gossamer.cli.arguments import Names, Numbers
from gossamer.data.series_choice import SeriesChoice


@dataclass(frozen=True, kw_only=True)
class _SeriesChoice(SeriesChoice):
    value_columns: Names = ()
    channel_names: Names = ()
    class_names: Names = ()
    low: Numbers = ()
    high: Numbers = ()

    @property
    def choice(self) -> SeriesChoice:
        """The same without the ways of the command line."""
        return SeriesChoice(**{field.name: getattr(self, field.name) for field in fields(SeriesChoice)})


SeriesOptions = Annotated[_SeriesChoice, tyro.conf.arg(name="")]
"""A field of a verb's options that adds these to them."""
NOTHING_SAID = _SeriesChoice()
"""No option of series."""
