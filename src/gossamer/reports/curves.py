"""Curves and bars for `save_figure`: scores over epsilon, and those of one evaluation, with their intervals."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import font_manager, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator
from PIL import Image

from gossamer.errors import InputError
from gossamer.evaluation.comparison import in_order, title_and_unit
from gossamer.evaluation.score import Score
from gossamer.privacy.statement import shown_epsilon
from gossamer.reports.captions import caption
from gossamer.runs.files import whole_file

# Okabe and Ito, "Color universal design", 2008. The cycles have no common divisor, so that looks repeat late.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", (0, (6, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (1, 1.2)), (0, (3, 1, 1, 1, 1, 1)))
_REFERENCE = "#555555"
_DPI = 150
_LONGEST_NAME = 44
_LONGEST_LABEL = 24
_PANELS_PER_ROW = 3
_LEAST_TICK_DISTANCE = 0.11
_STEPS = (1, 2, 2.5, 5, 10)

_CLASSIFIERS = {
    "logistic_regression": "logistic regression",
    "gaussian_nb": "Gaussian naive Bayes",
    "bernoulli_nb": "Bernoulli naive Bayes",
    "linear_svc": "linear SVC",
    "lda": "LDA",
    "adaboost": "AdaBoost",
    "mlp": "MLP",
    "gbm": "gradient boosting",
    "xgboost": "XGBoost",
    "small_cnn": "small CNN",
    "cnn": "CNN",
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One score of one run over the epsilon spent.

    Args:
        name: the run.
        epsilons: positive, strictly rising.
        scores: one for each epsilon, all of one name and direction.
        reference: the same score of real data in place of synthetic, if known.

    Raises:
        InputError: if one of these does not hold.
    """

    name: str
    epsilons: tuple[float, ...]
    scores: tuple[Score, ...]
    reference: Score | None = None

    def __post_init__(self) -> None:
        if not self.scores or len(self.epsilons) != len(self.scores):
            raise InputError(
                f"{self.name}: {len(self.epsilons)} epsilons and {len(self.scores)} scores; give one score for each"
            )
        if not all(math.isfinite(epsilon) and epsilon > 0 for epsilon in self.epsilons):
            raise InputError(f"{self.name}: every epsilon must be positive and finite")
        if list(self.epsilons) != sorted(set(self.epsilons)):
            raise InputError(f"{self.name}: epsilons must rise, each once; sort them")
        all_scores = self.scores if self.reference is None else (*self.scores, self.reference)
        if len({(score.name, score.higher_is_better) for score in all_scores}) > 1:
            raise InputError(f"{self.name}: one curve shows one score; make a curve for each")

    @property
    def score(self) -> str:
        """The name of the score shown."""
        return self.scores[0].name


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One line of `bars`: a score and, if known, the same of real data.

    Args:
        name: the classifier, or the score's own name.
        score: of the synthetic data.
        reference: of real data in place of synthetic.
    """

    name: str
    score: Score
    reference: Score | None = None


def curves(shown: Sequence[Curve], *, delta: float | None) -> Figure:
    """Draw scores over epsilon: a panel for each score, a line for each run, its 95 % intervals as band and whiskers.

    Epsilon runs on a logarithmic axis with a tick at each epsilon measured. A dashed grey line shows real data in
    place of synthetic. Runs differ in colour (safe for the colour-blind), marker and dash, so that they can be told
    apart in grey as well.

    **Guarantee.** None: scores are computed on private data. To choose a checkpoint by such a picture is tuning on
    private data that no epsilon in it covers.

    Args:
        shown: curves of any scores and runs, at most one for each pair of them.
        delta: of every epsilon, written on the axis, None if the runs differ in it.

    Raises:
        InputError: if there is no curve, two are of one run and score, or directions differ in a panel.
    """
    _check(shown)
    panels = in_order(curve.score for curve in shown)
    runs = list(dict.fromkeys(curve.name for curve in shown))
    per_row = min(_PANELS_PER_ROW, len(panels))
    rows = -(-len(panels) // per_row)
    with styled():
        names = [legible(name, _LONGEST_NAME) for name in runs]
    legend_columns = max(1, int(3.6 * per_row / (0.085 * max(map(len, names)) + 0.7)))
    legend_rows = -(-(len(runs) + 1) // legend_columns)
    with drawing(max(4.4, 3.6 * per_row), 2.9 * rows + 0.2 * legend_rows + 0.2) as figure:
        for number, panel in enumerate(panels):
            axes = figure.add_subplot(rows, per_row, number + 1)
            in_panel = [curve for curve in shown if curve.score == panel]
            for curve in in_panel:
                _draw_curve(axes, curve, runs.index(curve.name))
            _draw_references(axes, in_panel)
            _label_panel(axes, in_panel, delta)
        _legend(figure, dict(zip(runs, names, strict=True)), legend_columns)
    return figure


def bars(classifiers: Sequence[Bar], headline: Sequence[Bar]) -> Figure:
    """Draw one evaluation: every classifier's accuracy, synthetic beside real, and the headline scores, with intervals.

    A filled circle is the synthetic data, an open square real data in their place. Lines are the 95 % intervals.

    **Guarantee.** None: scores are computed on private data.

    Args:
        classifiers: accuracies in [0, 1], drawn on one axis, in the order given.
        headline: scores of any range, each on an axis of its own, in the order given.

    Raises:
        InputError: if there is nothing to draw.
    """
    if not classifiers and not headline:
        raise InputError("no score to draw: give at least one")
    parts = bool(classifiers) + bool(headline)
    with drawing(5.2 * parts, max(0.34 * len(classifiers) + 1.1, 0.78 * len(headline) + 0.5)) as figure:
        halves = figure.subfigures(1, parts, squeeze=False)[0]
        if classifiers:
            _draw_classifiers(halves[0], classifiers)
        if headline:
            _draw_headline(halves[-1], headline)
        _legend_of_bars(figure, [*classifiers, *headline])
    return figure


def save_figure(figure: Figure, stem: Path | str) -> tuple[Path, Path]:
    """Write `stem`.png (150 dots per inch) and `stem`.svg, each whole or not at all. Equal figures give equal bytes.

    Args:
        figure: of `curves` or `bars`.
        stem: path without its ending, in a folder that exists.

    Returns:
        The two paths.

    Raises:
        ResourceError: if one cannot be written.
    """
    stem = Path(stem)
    png, svg = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    save_png_of(figure, png)
    with styled(), whole_file(svg) as file:
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return png, svg


def save_png_of(figure: Figure, path: Path) -> None:
    """Write a figure as one PNG, 150 dots per inch, whole or not at all. Equal figures give equal bytes.

    Raises:
        ResourceError: the picture cannot be written.
    """
    with styled(), whole_file(path) as file:
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})


def picture_of(figure: Figure) -> Image.Image:
    """Return a figure as a picture in memory, 150 dots per inch."""
    held = io.BytesIO()
    with styled():
        figure.savefig(held, format="png", dpi=_DPI)
    picture = Image.open(held)
    picture.load()
    return picture


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Set Matplotlib's own defaults and ours, in place of the user's matplotlibrc, for as long as we draw."""
    ours: dict[str, Any] = {
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 10,
        "font.family": "DejaVu Sans",
        "font.size": 8,
        "svg.fonttype": "none",
        # Ids in the SVG are drawn at random otherwise.
        "svg.hashsalt": "gossamer",
        # Names of runs are no formulas, even with dollar signs in them.
        "text.parse_math": False,
    }
    with style.context(["default", ours]):
        yield


@contextlib.contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure, its sides in inches, and place every part once at the end.

    Placed anew at each saving, the parts would move a little every time.
    """
    with styled():
        figure = Figure(figsize=(width, height), dpi=_DPI, layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.08))
        FigureCanvasAgg(figure)
        yield figure
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def legible(name: str, length: int) -> str:
    """Return a name in glyphs that the font has, no longer than there is room."""
    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    shown = "".join(character if font.get_char_index(ord(character)) else "?" for character in name)
    return caption(shown, lambda text: len(text) <= length)


def _check(shown: Sequence[Curve]) -> None:
    if not shown:
        raise InputError("no curve to draw: give at least one")
    directions: dict[str, bool] = {}
    for curve in shown:
        higher = curve.scores[0].higher_is_better
        if directions.setdefault(curve.score, higher) != higher:
            raise InputError(f"{curve.name}: {curve.score} has the other direction than in the runs before")
    pairs = [(curve.name, curve.score) for curve in shown]
    twice = next((pair for pair in pairs if pairs.count(pair) > 1), None)
    if twice:
        raise InputError(f"{twice[0]}: two curves of {twice[1]}; give the runs different names")


def _look(run: int) -> dict[str, Any]:
    return {
        "color": COLOURS[run % len(COLOURS)],
        "marker": _MARKERS[run % len(_MARKERS)],
        "linestyle": _DASHES[run % len(_DASHES)],
        "linewidth": 1.5,
        "markersize": 5,
    }


def _draw_curve(axes: Axes, curve: Curve, run: int) -> None:
    look = _look(run)
    low, high = [score.low for score in curve.scores], [score.high for score in curve.scores]
    gid = f"{curve.score}-run-{run}"
    axes.fill_between(curve.epsilons, low, high, color=look["color"], alpha=0.16, linewidth=0, gid=f"{gid}-band")
    axes.vlines(curve.epsilons, low, high, color=look["color"], linewidth=1, gid=f"{gid}-whiskers")
    axes.plot(curve.epsilons, [score.value for score in curve.scores], gid=gid, **look)


def _draw_references(axes: Axes, shown: Sequence[Curve]) -> None:
    values = dict.fromkeys(curve.reference.value for curve in shown if curve.reference is not None)
    for number, value in enumerate(values):
        axes.axhline(value, color=_REFERENCE, linewidth=1.1, linestyle=(0, (4, 3)), gid=f"reference-{number}")


def _label_panel(axes: Axes, shown: Sequence[Curve], delta: float | None) -> None:
    score = shown[0].scores[0]
    title, unit = title_and_unit(score.name)
    axes.set_title(legible(title, _LONGEST_LABEL + 8))
    axes.set_ylabel(f"{unit}\n{_direction(score)}")
    axes.set_xlabel("epsilon" if delta is None else f"epsilon (delta = {_short(delta)})")
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=_STEPS))
    _epsilon_axis(axes, sorted({epsilon for curve in shown for epsilon in curve.epsilons}))


def _epsilon_axis(axes: Axes, epsilons: Sequence[float]) -> None:
    """Set a base-2 logarithmic axis, a tick at each epsilon. If ticks are too close, the larger keeps its number."""
    axes.set_xscale("log", base=2)
    axes.set_xlim(epsilons[0] / 1.2, epsilons[-1] * 1.2)
    span = math.log(epsilons[-1] / epsilons[0] * 1.2**2)
    labelled = [epsilons[-1]]
    for epsilon in reversed(epsilons[:-1]):
        if math.log(labelled[-1] / epsilon) >= _LEAST_TICK_DISTANCE * span:
            labelled.append(epsilon)
    axes.xaxis.set_major_locator(FixedLocator(labelled))
    axes.xaxis.set_major_formatter(
        FixedFormatter([shown_epsilon(epsilon).rstrip("0").rstrip(".") for epsilon in labelled])
    )
    axes.xaxis.set_minor_locator(FixedLocator([epsilon for epsilon in epsilons if epsilon not in labelled]))
    axes.xaxis.set_minor_formatter(FixedFormatter([]))


def _legend(figure: Figure, names: dict[str, str], columns: int) -> None:
    """Draw one legend for all panels, below them."""
    lines = {gid: line for axes in figure.axes for line in axes.lines if (gid := _run_of(line.get_gid())) is not None}
    handles = [lines[run] for run in sorted(lines)]
    labels = list(names.values())
    reference = [line for axes in figure.axes for line in axes.lines if line.get_gid() == "reference-0"]
    if reference:
        handles, labels = [*handles, reference[0]], [*labels, "real data"]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)), handlelength=3.4)


def _run_of(gid: str | None) -> int | None:
    number = (gid or "").rpartition("-run-")[2]
    return int(number) if number.isdigit() else None


def _draw_classifiers(figure: SubFigure, classifiers: Sequence[Bar]) -> None:
    axes = figure.add_subplot()
    for row, bar in enumerate(classifiers):
        _draw_bar(axes, bar, row, apart=0.16)
    axes.set_yticks(range(len(classifiers)), [_classifier(bar.name) for bar in classifiers])
    axes.set_ylim(len(classifiers) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("accuracy on real test images (higher is better)")
    axes.set_title("Classifiers")
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_headline(figure: SubFigure, headline: Sequence[Bar]) -> None:
    for axes, bar in zip(figure.subplots(len(headline), 1, squeeze=False)[:, 0], headline, strict=True):
        _draw_bar(axes, bar, 0, apart=0.3)
        drawn = [bar.score] if bar.reference is None else [bar.score, bar.reference]
        lowest, highest = min(0.0, *(score.low for score in drawn)), max(score.high for score in drawn)
        room = 0.06 * (highest - lowest) or 1.0
        axes.set_xlim(lowest - room, highest + room)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
        axes.yaxis.set_major_locator(NullLocator())
        axes.set_ylim(1, -1)
        axes.spines["left"].set_visible(False)
        score = bar.score
        title = legible(title_and_unit(bar.name)[0], _LONGEST_LABEL + 4)
        axes.set_title(f"{title} ({_direction(score)})", loc="left", fontsize=8.5)
        axes.set_title(_with_interval(score), loc="right", fontsize=8.5)


def _draw_bar(axes: Axes, bar: Bar, row: float, *, apart: float) -> None:
    if bar.reference is not None:
        _draw_dot(axes, bar.reference, row + apart, color=COLOURS[1], marker="s", markerfacecolor="white", gid="real")
        row -= apart
    _draw_dot(axes, bar.score, row, color=COLOURS[0], marker="o", gid="synthetic")


def _draw_dot(axes: Axes, score: Score, row: float, *, color: str, gid: str, **marker: Any) -> None:
    axes.hlines([row], [score.low], [score.high], color=color, linewidth=1.6, gid=f"{gid}-interval")
    axes.plot([score.value], [row], color=color, linestyle="none", markersize=5.5, gid=gid, **marker)


def _legend_of_bars(figure: Figure, drawn: Sequence[Bar]) -> None:
    first = {line.get_gid(): line for half in figure.subfigs for axes in half.axes for line in reversed(axes.lines)}
    kinds = ["synthetic", "real"] if any(bar.reference is not None for bar in drawn) else ["synthetic"]
    figure.legend(
        [first[kind] for kind in kinds], [f"{kind} data" for kind in kinds], loc="outside lower center", ncols=2
    )


def _classifier(name: str) -> str:
    return legible(_CLASSIFIERS.get(name, name.replace("_", " ")), _LONGEST_LABEL)


def _direction(score: Score) -> str:
    return "higher is better ↑" if score.higher_is_better else "lower is better ↓"


def _with_interval(score: Score) -> str:
    """Write value and interval with as many decimals as the size of the value asks for."""
    decimals = 3 if abs(score.value) < 2 else 2 if abs(score.value) < 20 else 1
    return f"{score.value:.{decimals}f} ({score.low:.{decimals}f} to {score.high:.{decimals}f})"


def _short(number: float) -> str:
    """Write 1e-5, not 1e-05."""
    mantissa, _, exponent = f"{number:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa
