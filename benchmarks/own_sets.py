"""Data sets of one's own for `own_data.py`, made from fixed seeds. None of them took part in any tuning.

A set has records to learn from, and others to test on, from one law. It is written as a user would have it: a folder of
PNG files, an NPZ, a long CSV table or a wide Parquet table. Nobody is behind any record.

- pages: dark strokes on white paper, 1x32x32, five kinds of page.
- scans: dark slices of a body with two lungs, 1x32x32, five findings, on either side.
- shapes: five shapes on coloured grounds, 3x32x32. Both colours are drawn without regard to the shape.
- vitals: a day of heart rate, oxygen and temperature, 3x24, of people with levels of their own, three conditions.
- vitals-wide: the same records, to be protected one by one.
- grey-L: 4,000 images of constant grey L, 1x28x28, without labels.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pyarrow import parquet

Array = NDArray[Any]
SIDE = 32
PAGES = ("chart", "form", "letter", "prose", "table")
SCANS = ("clear", "collapse", "effusion", "nodule", "ring")
SHAPES = ("cross", "disc", "hoop", "square", "triangle")
CONDITIONS = ("stable", "infection", "breathless")
VITALS = ("heart_rate", "oxygen", "temperature")
LOW, HIGH = (30.0, 50.0, 30.0), (200.0, 100.0, 45.0)
HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Records:
    """Records with labels, and people where a person has several.

    Attributes:
        x: (batch, channels, height, width) in [0, 1], or (batch, channels, time) in their own units.
        y: (batch,) whole numbers from 0.
        person: (batch,) whole numbers.
    """

    x: Array
    y: Array | None = None
    person: Array | None = None


@dataclass(frozen=True, kw_only=True)
class OwnSet:
    """A set of one's own.

    Attributes:
        name: of files and tables.
        seed: of the records to learn from; those to test on have the next.
        num_train: records to learn from, or people with theirs.
        num_test: the same to test on.
        classes: their names, none for records without labels.
        make: from a random stream and a number to records.
        write: the records as a file or folder, by its path without a suffix. It returns the path.
        options: of `gossamer train` beside `--data`.
        epsilons: at which the set is measured.
        is_images: series otherwise.
        low: public lower bound of each channel, and `high` the upper one.
        high: see `low`.
    """

    name: str
    seed: int
    num_train: int
    num_test: int
    make: Callable[[np.random.Generator, int], Records]
    write: Callable[[Records, Path], Path]
    classes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    epsilons: tuple[str, ...] = ("1", "10")
    is_images: bool = True
    low: tuple[float, ...] = (0.0,)
    high: tuple[float, ...] = (1.0,)

    def train(self) -> Records:
        """Make the records to learn from, the same each time."""
        return self.make(np.random.default_rng(self.seed), self.num_train)

    def test(self) -> Records:
        """Make the records to test on, the same each time."""
        return self.make(np.random.default_rng(self.seed + 1), self.num_test)


def make_pages(rng: np.random.Generator, number: int) -> Records:
    """Draw pages at three times their size, turn them a little, and let them shrink."""
    y = rng.integers(0, len(PAGES), number)
    return Records(x=np.stack([_page(rng, PAGES[label]) for label in y])[:, None], y=y)


def _page(rng: np.random.Generator, kind: str) -> Array:
    paper, ink = int(rng.uniform(225, 256)), int(rng.uniform(0, 90))
    canvas = Image.new("L", (3 * SIDE, 3 * SIDE), paper)
    _PENS[kind](ImageDraw.Draw(canvas), rng, ink)
    shift = (round(rng.normal(0, 5)), round(rng.normal(0, 5)))
    turned = canvas.rotate(rng.normal(0, 2), Image.Resampling.BILINEAR, translate=shift, fillcolor=paper)
    return np.asarray(turned.reduce(3), dtype=np.float32) / 255


def _words(
    pen: ImageDraw.ImageDraw, rng: np.random.Generator, ink: int, box: tuple[float, float, float, float]
) -> None:
    left, top, right, bottom = box
    pitch = rng.uniform(6, 9)
    for y in np.arange(top, bottom - 3, pitch):
        x = left
        end = right if rng.random() < 0.75 else rng.uniform(left + 10, right)
        while x < end - 4:
            word = min(rng.uniform(4, 15), end - x)
            pen.rectangle((x, y, x + word, y + 2), fill=ink)
            x += word + 3


def _prose(pen: ImageDraw.ImageDraw, rng: np.random.Generator, ink: int) -> None:
    left, top = rng.uniform(6, 14, 2)
    _words(pen, rng, ink, (left, top, 96 - left, 96 - rng.uniform(6, 30)))


def _letter(pen: ImageDraw.ImageDraw, rng: np.random.Generator, ink: int) -> None:
    left, top = rng.uniform(6, 14, 2)
    right_side = rng.random() < 0.7
    x = rng.uniform(54, 62) if right_side else left
    _words(pen, rng, ink, (x, top, x + 28, top + 20))
    body = top + rng.uniform(30, 36)
    _words(pen, rng, ink, (left, body, 92 - left, body + rng.uniform(16, 26)))
    places = np.linspace(left, left + rng.uniform(20, 36), 9)
    heights = rng.uniform(78, 86) + rng.normal(0, 3, 9)
    pen.line([*zip(places.tolist(), heights.tolist())], fill=ink, width=2)


def _table(pen: ImageDraw.ImageDraw, rng: np.random.Generator, ink: int) -> None:
    left, top = rng.uniform(6, 14, 2)
    right, bottom = 96 - rng.uniform(6, 14), 96 - rng.uniform(6, 30)
    rows, columns = rng.integers(4, 8), rng.integers(2, 5)
    ys, xs = np.linspace(top, bottom, rows), np.linspace(left, right, columns + 1)
    for y in ys:
        pen.line((left, y, right, y), fill=ink, width=1)
    for x in xs:
        pen.line((x, top, x, bottom), fill=ink, width=1)
    for y in ys[:-1]:
        for x in xs[:-1]:
            pen.rectangle((x + 3, y + 3, x + rng.uniform(6, 14), y + 6), fill=ink)


def _chart(pen: ImageDraw.ImageDraw, rng: np.random.Generator, ink: int) -> None:
    left, bottom = rng.uniform(8, 16), rng.uniform(78, 90)
    right, top = rng.uniform(82, 92), rng.uniform(8, 20)
    pen.line((left, top, left, bottom), fill=ink, width=2)
    pen.line((left, bottom, right, bottom), fill=ink, width=2)
    number = int(rng.integers(4, 9))
    xs, heights = np.linspace(left + 4, right - 4, number), rng.uniform(0.1, 0.95, number) * (bottom - top)
    if rng.random() < 0.5:
        pen.line([*zip(xs.tolist(), (bottom - heights).tolist())], fill=ink, width=3)
        return
    width = 0.3 * (right - left) / number
    for x, height in zip(xs, heights):
        pen.rectangle((x - width, bottom - height, x + width, bottom), fill=ink)


def _form(pen: ImageDraw.ImageDraw, rng: np.random.Generator, ink: int) -> None:
    left, top = rng.uniform(6, 14, 2)
    middle = rng.uniform(36, 46)
    for y in np.arange(top, 80, rng.uniform(14, 20)):
        pen.rectangle((left, y + 3, left + rng.uniform(12, 24), y + 5), fill=ink)
        pen.rectangle((middle, y, 96 - left, y + 9), outline=ink, width=2)
        if rng.random() < 0.6:
            pen.line((middle + 4, y + 6, middle + rng.uniform(8, 30), y + 4), fill=ink, width=2)


_PENS: dict[str, Callable[[ImageDraw.ImageDraw, np.random.Generator, int], None]] = {
    "chart": _chart, "form": _form, "letter": _letter, "prose": _prose, "table": _table,
}  # fmt: skip


def make_scans(rng: np.random.Generator, number: int) -> Records:
    """Draw slices of a body: tissue within a bright rim, two dark lungs, a finding in one of them, and speckle."""
    y = rng.integers(0, len(SCANS), number)
    return Records(x=np.stack([_scan(rng, SCANS[label]) for label in y])[:, None], y=y)


def _scan(rng: np.random.Generator, kind: str) -> Array:
    across, down = _plane(rng.normal(0, 0.08), rng.normal(0, 0.04, 2))
    width, height = rng.normal(0.82, 0.05), rng.normal(0.64, 0.05)
    body = _inside(across / width, down / height)
    tissue = rng.normal(0.24, 0.03)
    image = body * tissue + 0.2 * (body - _inside(across / (width - 0.07), down / (height - 0.07)))
    side = rng.choice((-1, 1))
    for one in (-1, 1):
        small = rng.uniform(0.45, 0.6) if kind == "collapse" and one == side else 1.0
        x, y = across - one * 0.38 * width, down + 0.04
        lung = _inside(x / (0.3 * width * small), y / (0.66 * height * small))
        image -= lung * (tissue - 0.06)
        if kind == "effusion" and one == side:
            image += lung * (y > rng.uniform(-0.05, 0.2)) * rng.uniform(0.2, 0.3)
    if kind in ("nodule", "ring"):
        x = across - side * 0.38 * width - rng.normal(0, 0.06)
        y, size = down - rng.normal(0, 0.12), rng.uniform(0.14, 0.2)
        blob = _inside(x / size, y / size) - (0.9 if kind == "ring" else 0.0) * _inside(x / size * 1.8, y / size * 1.8)
        image += blob * rng.uniform(0.3, 0.5)
    speckle = rng.gamma(12.0, 1 / 12.0, image.shape)
    return np.clip(image * speckle + rng.exponential(0.015, image.shape), 0, 1).astype(np.float32)


def _plane(turn: float, middle: Array) -> tuple[Array, Array]:
    """Return the places across and down of every pixel, in [-1, 1], turned by `turn` radians about `middle`."""
    steps = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = steps[None, :] - middle[0], steps[:, None] - middle[1]
    return x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)


def _inside(x: Array, y: Array) -> Array:
    """Return 1 within the unit circle and 0 outside, with an edge as soft as a pixel."""
    return _soft(1 - np.hypot(x, y), 0.06)


def _soft(distance: Array, width: float) -> Array:
    return 1 / (1 + np.exp(-np.clip(distance / width * 4, -50, 50)))


def make_shapes(rng: np.random.Generator, number: int) -> Records:
    """Draw bright shapes on darker grounds, of any colours, somewhat moved, turned and shaded."""
    y = rng.integers(0, len(SHAPES), number)
    return Records(x=np.stack([_shape(rng, SHAPES[label]) for label in y]), y=y)


def _shape(rng: np.random.Generator, kind: str) -> Array:
    size = rng.uniform(0.45, 0.65)
    x, y = _plane(rng.normal(0, 0.15), rng.normal(0, 0.12, 2))
    mask = _soft(size * _DISTANCES[kind](x / size, y / size), 0.08)
    ground, colour = rng.uniform(0.05, 0.55, (3, 1, 1)), rng.uniform(0.45, 1.0, (3, 1, 1))
    across, down = _plane(0.0, np.zeros(2))
    slope = rng.normal(0, 0.08, 2)
    image = ground + mask * (colour - ground) + slope[0] * across + slope[1] * down
    return np.clip(image + rng.normal(0, 0.02, image.shape), 0, 1).astype(np.float32)


_DISTANCES: dict[str, Callable[[Array, Array], Array]] = {
    "cross": lambda x, y: np.maximum(
        np.minimum(0.3 - np.abs(x), 1 - np.abs(y)), np.minimum(1 - np.abs(x), 0.3 - np.abs(y))
    ),
    "disc": lambda x, y: 0.95 - np.hypot(x, y),
    "hoop": lambda x, y: 0.2 - np.abs(0.85 - np.hypot(x, y)),
    "square": lambda x, y: 0.85 - np.maximum(np.abs(x), np.abs(y)),
    "triangle": lambda x, y: np.minimum(0.75 - y, (0.9 + y - 2 * np.abs(x)) / math.sqrt(5)),
}


def make_vitals(rng: np.random.Generator, number: int) -> Records:
    """Draw 3 to 9 days of each person; a person's own levels are as far apart as those of conditions."""
    x, y, person = [], [], []
    for one in range(number):
        own = rng.normal((78, 97.0, 36.8), (9, 0.8, 0.25))
        usual = rng.choice(3, p=(0.5, 0.3, 0.2))
        for _ in range(rng.integers(3, 10)):
            condition = usual if rng.random() < 0.7 else rng.choice(3, p=(0.5, 0.3, 0.2))
            x.append(_day(rng, own, CONDITIONS[condition]))
            y.append(condition)
            person.append(one)
    return Records(x=np.stack(x), y=np.array(y), person=np.array(person))


def _day(rng: np.random.Generator, own: Array, condition: str) -> Array:
    hours = np.arange(HOURS)
    night = np.cos((hours - 4 + rng.normal(0, 1)) / 24 * 2 * math.pi)
    day = own[:, None] + np.array([[-4.0], [-0.3], [-0.25]]) * night
    day = day + _wander(rng) * np.array([[4.0], [0.5], [0.12]])
    onset = rng.uniform(-8, 14)
    course = 1 / (1 + np.exp(-(hours - onset) / 2))
    if condition == "infection":
        fever = rng.normal(1.4, 0.4)
        day = day + np.array([[9.0], [-0.3], [1.0]]) * fever * course
    if condition == "breathless":
        day = day + np.array([[8.0], [-3.0], [0.0]]) * rng.uniform(0.6, 1.4) * (0.4 + np.abs(_wander(rng)[:1]))
    return np.clip(day, np.array(LOW)[:, None], np.array(HIGH)[:, None]).astype(np.float32).round(2)


def _wander(rng: np.random.Generator) -> Array:
    """Return three series of variance one, each hour correlated with the one before by 0.7."""
    steps = rng.normal(0, 1, (3, HOURS))
    for hour in range(1, HOURS):
        steps[:, hour] = 0.7 * steps[:, hour - 1] + math.sqrt(1 - 0.7**2) * steps[:, hour]
    return steps


def grey(level: float) -> Callable[[np.random.Generator, int], Records]:
    """Return the maker of images that are nothing but one level."""
    return lambda rng, number: Records(x=np.full((number, 1, 28, 28), level, dtype=np.float32))


def write_pngs(records: Records, path: Path) -> Path:
    """Write a folder of PNG files, a sub-folder for each kind of page."""
    assert records.y is not None
    for name in PAGES:
        (path / name).mkdir(parents=True)
    for index, (image, label) in enumerate(zip(records.x, records.y)):
        Image.fromarray((image[0] * 255).round().astype(np.uint8)).save(path / PAGES[label] / f"{index:05}.png")
    return path


def write_npz(classes: Sequence[str]) -> Callable[[Records, Path], Path]:
    """Return the writer of an NPZ file with these names of classes."""

    def write(records: Records, path: Path) -> Path:
        file = path.with_suffix(".npz")
        if records.y is None:
            np.savez(file, x=records.x)
        else:
            np.savez(file, x=records.x, y=records.y, class_names=np.array(classes))
        return file

    return write


def write_long(records: Records, path: Path) -> Path:
    """Write a CSV table with a row for each hour of each day of each person."""
    assert records.y is not None
    assert records.person is not None
    file = path.with_suffix(".csv")
    with file.open("w", newline="", encoding="utf-8") as opened:
        table = csv.writer(opened)
        table.writerow(["day", "hour", "patient", "condition", *VITALS])
        for day, (values, label, person) in enumerate(zip(records.x, records.y, records.person)):
            for hour in range(HOURS):
                table.writerow([day, hour, f"p{person:03}", CONDITIONS[label], *(f"{v:.2f}" for v in values[:, hour])])
    return file


def write_wide(records: Records, path: Path) -> Path:
    """Write a Parquet table with a row for each day, the hours of one channel after those of the other."""
    assert records.y is not None
    file = path.with_suffix(".parquet")
    columns: dict[str, Any] = {"condition": [CONDITIONS[label] for label in records.y]}
    columns |= {f"{name}_{hour}": records.x[:, i, hour] for i, name in enumerate(VITALS) for hour in range(HOURS)}
    parquet.write_table(pyarrow.table(columns), file)
    return file


_BOUNDS = tuple(f"--{name}={','.join(map(str, values))}" for name, values in (("low", LOW), ("high", HIGH)))
_OF_VITALS = ("--class-column", "condition", "--class-names", ",".join(CONDITIONS), *_BOUNDS)
_LONG = ("--series-column", "day", "--time-column", "hour", "--length", str(HOURS), "--value-columns", ",".join(VITALS),
         "--person-column", "patient", "--unit", "person")  # fmt: skip
SETS = (
    OwnSet(name="pages", seed=1_000, num_train=4_000, num_test=2_000, classes=PAGES, make=make_pages,
           write=write_pngs),
    OwnSet(name="scans", seed=2_000, num_train=4_000, num_test=2_000, classes=SCANS, make=make_scans,
           write=write_npz(SCANS)),
    OwnSet(name="shapes", seed=3_000, num_train=4_000, num_test=2_000, classes=SHAPES, make=make_shapes,
           write=write_npz(SHAPES)),
    OwnSet(name="vitals", seed=4_000, num_train=400, num_test=200, classes=CONDITIONS, make=make_vitals,
           write=write_long, options=(*_OF_VITALS, *_LONG), epsilons=("1", "3", "10"), is_images=False,
           low=LOW, high=HIGH),
    OwnSet(name="vitals-wide", seed=4_000, num_train=400, num_test=200, classes=CONDITIONS, make=make_vitals,
           write=write_wide, options=(*_OF_VITALS, "--channel-names", ",".join(VITALS)), is_images=False,
           low=LOW, high=HIGH),
    *(OwnSet(name=f"grey-{level}", seed=5_000, num_train=4_000, num_test=10, make=grey(level), write=write_npz(()),
             epsilons=("20",)) for level in (0.3, 0.5, 0.7, 0.9)),
)  # fmt: skip
