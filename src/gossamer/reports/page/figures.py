"""Pictures of a report as numbers and data: strips of images, panels of series, curves. Templates draw them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.methods.trained import Spec
from gossamer.privacy.tradeoff import TradeOff
from gossamer.reports.page.wording import counted, percent, seconds

PER_CLASS = {ImageSpec: 8, SeriesSpec: 6}
"""Samples shown of each class."""
MOST_CLASSES = 20
"""Classes that are shown."""
ALARM_RATES = (0.001, 0.01, 0.1)
"""Rates of false alarms at which a report states the gain of an attacker."""
_LARGEST_SIDE = 96
_MOST_VALUES = 2**25
_MOST_POINTS = 240
_MOST_CHANNELS = 4
_CURVE_WIDTH, _CURVE_HEIGHT, _LEFT, _TOP = 306.0, 190.0, 46.0, 14.0
_LEAST_RATE = 5e-4


@dataclass(frozen=True, kw_only=True)
class ImageStrip:
    """Images side by side as one PNG.

    Attributes:
        source: a data URI.
        width: pixels.
        height: pixels.
    """

    source: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class SeriesPanels:
    """Series, a panel each, as points of SVG in a box of 100 by 60.

    Attributes:
        panels: for each series its channels, the first four, each as the text of `points`.
        end: the time at the right edge, with its unit. The left edge is 0.
        bounds: the values at the lower and the upper edge, empty if the channels have bounds of their own.
        channels: names of the channels that are drawn, with their bounds if they differ. Empty for one without a name.
    """

    panels: tuple[tuple[str, ...], ...]
    end: str
    bounds: tuple[str, ...]
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """Some records of one class.

    Attributes:
        name: of the class, empty if there is none.
        alt: the picture in words, for readers who do not see it.
        picture: the records.
    """

    name: str
    alt: str
    picture: ImageStrip | SeriesPanels

    @property
    def is_image(self) -> bool:
        """True for a strip of images, False for panels of series."""
        return isinstance(self.picture, ImageStrip)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A place on a curve, or a tick of an axis, with its label."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True)
class TradeOffPicture:
    """The largest share that is caught over the rate of false alarms, beside guessing, in a box of 360 by 250.

    Attributes:
        curve: points of the guarantee.
        guessing: points of a guess without knowledge.
        area: points around the gain that the guarantee leaves beyond guessing.
        marks: on the curve.
        x_ticks: of the axis of false alarms.
        y_ticks: of the axis of catches.
    """

    curve: str
    guessing: str
    area: str
    marks: tuple[Mark, ...]
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]


def num_per_class(spec: Spec) -> int:
    """Return the number of records of each class in `exhibits`, fewer if records are so large that memory runs short.

    >>> num_per_class(ImageSpec(channels=1, height=28, width=28))
    8
    """
    return min(PER_CLASS[type(spec)], max(1, _MOST_VALUES // math.prod(spec.shape)))


def exhibits(x: NDArray[np.floating], y: NDArray[np.integer] | None, spec: Spec, kind: str) -> tuple[Exhibit, ...]:
    """Show the first records of each class.

    Args:
        x: (num_records, *spec.shape) in [0, 1].
        y: (num_records,), or None.
        spec: of the records.
        kind: "synthetic" or "real", for the words beside a picture.

    Returns:
        One for each of the first classes that occur, one alone without labels.
    """
    if y is None:
        return (_exhibit("", x[: PER_CLASS[type(spec)]], kind, spec),)
    classes = [(name, x[y == label][: PER_CLASS[type(spec)]]) for label, name in enumerate(spec.class_names)]
    return tuple(_exhibit(name, chosen, kind, spec) for name, chosen in classes[:MOST_CLASSES] if len(chosen))


def _exhibit(name: str, x: NDArray[np.floating], kind: str, spec: Spec) -> Exhibit:
    shown = counted(len(x), f"{kind} {'image' if isinstance(spec, ImageSpec) else 'series'}")
    alt = f"{shown} of class {name}" if name else shown
    picture = image_strip(x) if isinstance(spec, ImageSpec) else series_panels(x, spec)
    return Exhibit(name=name, alt=alt[0].upper() + alt[1:], picture=picture)


def image_strip(x: NDArray[np.floating]) -> ImageStrip:
    """Lay images (n, channels, height, width) in [0, 1] side by side, with transparent gaps between them."""
    images = [_as_picture(one) for one in x]
    width, height = images[0].size
    gap = max(1, width // 10)
    strip = Image.new("LA" if x.shape[1] == 1 else "RGBA", (len(images) * (width + gap) - gap, height))
    for place, image in enumerate(images):
        strip.paste(image, (place * (width + gap), 0))
    file = io.BytesIO()
    strip.save(file, format="PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    return ImageStrip(source=source, width=strip.width, height=strip.height)


def _as_picture(one: NDArray[np.floating]) -> Image.Image:
    values = np.rint(np.moveaxis(one, 0, -1) * 255.0).astype(np.uint8)
    image = Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values)
    image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    return image.convert("LA" if values.shape[-1] == 1 else "RGBA")


def series_panels(x: NDArray[np.floating], spec: SeriesSpec) -> SeriesPanels:
    """Draw series (n, channels, time) in [0, 1], each in a panel. Long series are thinned at equal steps."""
    stride = -(-x.shape[2] // _MOST_POINTS)
    times = 100.0 * np.arange(x.shape[2])[::stride] / (x.shape[2] - 1)
    panels = [tuple(points(times, 58.0 - 56.0 * channel[::stride]) for channel in one[:_MOST_CHANNELS]) for one in x]
    last = spec.length - 1
    end = f"{last} samples" if spec.sample_rate is None else seconds(last / spec.sample_rate)
    spans = list(zip(spec.low, spec.high, strict=True))[:_MOST_CHANNELS]
    is_alike = len(set(spans)) == 1
    named = zip(spec.axis_names, spans, strict=False)
    names = tuple(name if is_alike else f"{name}, {low:g} to {high:g}" for name, (low, high) in named)
    return SeriesPanels(
        panels=tuple(panels),
        end=end,
        bounds=(f"{spans[0][0]:g}", f"{spans[0][1]:g}") if is_alike else (),
        channels=names if spec.channels > 1 or spec.channel_names or spec.units else (),
    )


def trade_off_picture(trade_off: TradeOff) -> TradeOffPicture:
    """Draw the gain of an attacker, for all rates of false alarms from 0.05 % on."""
    rates = np.geomspace(_LEAST_RATE, 1.0, 81)
    x = [_x_of(rate) for rate in rates]
    caught = [_y_of(trade_off.largest_catch_rate(rate)) for rate in rates]
    guessed = [_y_of(rate) for rate in rates]
    marks = [(rate, trade_off.largest_catch_rate(rate)) for rate in ALARM_RATES]
    return TradeOffPicture(
        curve=points(x, caught),
        guessing=points(x, guessed),
        area=points([*x, *reversed(x)], [*caught, *reversed(guessed)]),
        marks=tuple(Mark(x=_x_of(rate), y=_y_of(share), text=percent(share)) for rate, share in marks),
        x_ticks=tuple(Mark(x=_x_of(rate), y=0.0, text=percent(rate)) for rate in (*ALARM_RATES, 1.0)),
        y_ticks=tuple(Mark(x=0.0, y=_y_of(share), text=percent(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
    )


def _x_of(rate: float) -> float:
    return round(_LEFT + _CURVE_WIDTH * (1 - math.log(rate) / math.log(_LEAST_RATE)), 2)


def _y_of(share: float) -> float:
    return round(_TOP + _CURVE_HEIGHT * (1 - share), 2)


def points(
    x: Sequence[float] | NDArray[np.floating], y: Sequence[float] | NDArray[np.floating], digits: int = 4
) -> str:
    """Write points as the attribute of an SVG line, with so many digits."""
    return " ".join(f"{one:.{digits}g},{other:.{digits}g}" for one, other in zip(x, y, strict=True))
