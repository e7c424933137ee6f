"""The options of series, shared by all verbs that take --data."""

from __future__ import annotations

from typing import Annotated

from gossamer.cli.options import Mark
from gossamer.data.series_choice import NOTHING_SAID, SeriesChoice

__all__ = ["NOTHING_SAID", "SeriesOptions"]

SeriesOptions = Annotated[SeriesChoice, Mark.TAKEN_OVER]
"""A field of a verb's options that adds these to them."""
