"""The options of images and series, shared by all verbs that take --data."""

from __future__ import annotations

from typing import Annotated

from gossamer.cli.options import Mark
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.series_choice import NOTHING_SAID, SeriesChoice

__all__ = ["AS_STORED", "NOTHING_SAID", "ImageOptions", "SeriesOptions"]

ImageOptions = Annotated[ImageChoice, Mark.TAKEN_OVER]
"""A field of a verb's options that adds those of images to them."""

SeriesOptions = Annotated[SeriesChoice, Mark.TAKEN_OVER]
"""A field of a verb's options that adds these to them."""
