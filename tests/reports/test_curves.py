"""Curves and bars: what is drawn is what was measured, everything can be read, and equal input gives equal bytes."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from gossamer.errors import InputError, ResourceError
from gossamer.evaluation.score import Score
from gossamer.reports.curves import Bar, Curve, bars, curves, save_figure

SVG = "{http://www.w3.org/2000/svg}"


def score(value: float, name: str = "cnn_accuracy", higher: bool = True, below: float = 0.02) -> Score:
    return Score(
        name=name, value=value, low=value - below, high=value + 2 * below, higher_is_better=higher,
        num_synthetic=1000, num_real=1000, seeds=(0,), source="made up",
    )  # fmt: skip


def curve(
    name: str = "ours",
    epsilons: Sequence[float] = (1.0, 2.0, 5.0, 10.0),
    shown: str = "cnn_accuracy",
    start: float = 0.5,
    reference: float | None = None,
) -> Curve:
    higher = shown != "frechet_distance"
    return Curve(
        name=name,
        epsilons=tuple(epsilons),
        scores=tuple(score(start + 0.05 * place, shown, higher) for place in range(len(epsilons))),
        reference=None if reference is None else score(reference, shown, higher),
    )


def panel(figure: Figure, title: str = "CNN accuracy") -> Axes:
    return next(axes for axes in figure.axes if axes.get_title() == title)


def texts(figure: Figure) -> list[Text]:
    """Everything written that shows."""
    figure.draw_without_rendering()
    shown = [text for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        ticks = [
            tick for axis in (axes.xaxis, axes.yaxis) for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        ]
        labels = [label for tick in ticks for label in (tick.label1, tick.label2)]
        shown += [text for text in axes.findobj(Text) if text not in labels]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in shown if text.get_visible() and text.get_text().strip()]


def box(text: Text):
    return text.get_window_extent()


def svg_of(figure: Figure, folder: Path) -> ET.Element:
    return ET.fromstring(save_figure(figure, folder / "figure")[1].read_bytes())


def written(root: ET.Element) -> set[str]:
    return {"".join(element.itertext()) for element in root.iter(f"{SVG}text")}


# ---- curves: what is drawn ------------------------------------------------------------------------------------------


def test_a_line_goes_through_the_values_and_its_band_and_whiskers_from_low_to_high() -> None:
    drawn = curve()
    axes = panel(curves([drawn], delta=1e-5))
    (line,) = axes.lines
    assert np.array_equal(line.get_xdata(), drawn.epsilons)
    assert np.array_equal(line.get_ydata(), [score.value for score in drawn.scores])
    ends = [(e, end) for e, s in zip(drawn.epsilons, drawn.scores) for end in (s.low, s.high)]
    (band,) = (item for item in axes.collections if isinstance(item, FillBetweenPolyCollection))
    assert {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()} == set(ends)
    (whiskers,) = (item for item in axes.collections if isinstance(item, LineCollection))
    assert [tuple(end) for part in whiskers.get_segments() for end in part.tolist()] == ends


def test_every_score_has_a_panel_in_the_order_of_the_tables_and_every_run_a_line_in_each() -> None:
    names = ["avg12", "frechet_distance", "inception_score", "made_up"]
    shown = [curve(run, shown=name) for run in ("a", "b", "c") for name in names]
    figure = curves(shown, delta=1e-5)
    assert [axes.get_title() for axes in figure.axes] == [
        "Inception score", "Frechet distance", "Mean of twelve classifiers", "made up",
    ]  # fmt: skip
    assert [len(axes.lines) for axes in figure.axes] == [3, 3, 3, 3]


def test_a_run_looks_the_same_in_every_panel_though_it_lacks_a_score() -> None:
    figure = curves([curve("a", shown="recall"), curve("b"), curve("b", shown="recall")], delta=1e-5)
    (alone,), (_, second) = panel(figure).lines, panel(figure, "Recall").lines
    assert (alone.get_color(), alone.get_marker()) == (second.get_color(), second.get_marker())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_no_two_of_twenty_runs_look_alike_and_neighbours_differ_without_colour() -> None:
    lines = panel(curves([curve(f"run {number}") for number in range(20)], delta=1e-5)).lines
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 20
    for line, other in itertools.pairwise(lines):
        assert line.get_marker() != other.get_marker()
        assert line.get_linestyle() != other.get_linestyle() or line._dash_pattern != other._dash_pattern


def test_real_data_are_a_dashed_line_once_for_each_value() -> None:
    figure = curves([curve("a", reference=0.99), curve("b", reference=0.99), curve("c")], delta=1e-5)
    references = [line for line in panel(figure).lines if str(line.get_gid()).startswith("reference")]
    assert [list(line.get_ydata()) for line in references] == [[0.99, 0.99]]
    assert references[0].is_dashed()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c", "real data"]
    assert panel(figure).get_ylim()[1] > 0.99


def test_without_real_data_there_is_no_word_of_them() -> None:
    assert [text.get_text() for text in curves([curve()], delta=1e-5).legends[0].get_texts()] == ["ours"]


def test_axes_tell_epsilon_delta_and_the_direction() -> None:
    figure = curves([curve(), curve(shown="frechet_distance")], delta=1e-5)
    assert {axes.get_xlabel() for axes in figure.axes} == {"epsilon (delta = 1e-5)"}
    assert "higher is better" in panel(figure).get_ylabel()
    assert "lower is better" in panel(figure, "Frechet distance").get_ylabel()
    assert panel(curves([curve()], delta=None)).get_xlabel() == "epsilon"


def test_ticks_are_the_epsilons_measured() -> None:
    axes = panel(curves([curve("a", (1.0, 2.0)), curve("b", (0.5, 2.0, 9.99))], delta=1e-5))
    labels = {tick.get_text(): tick.get_position()[0] for tick in axes.get_xticklabels()}
    assert labels == {"0.5": 0.5, "1": 1.0, "2": 2.0, "9.99": 9.99}


def test_of_many_epsilons_each_has_a_tick_and_the_first_of_the_crowded_lose_their_numbers() -> None:
    epsilons = [round(0.3 * number, 1) for number in range(1, 40)]
    axes = panel(curves([curve("a", epsilons)], delta=1e-5))
    major, minor = axes.xaxis.get_majorticklocs().tolist(), axes.xaxis.get_minorticklocs().tolist()
    assert sorted(major + minor) == epsilons
    assert epsilons[-1] in major
    assert len(major) < 12


# ---- curves: what can be read ---------------------------------------------------------------------------------------

NAMES = ["ours", "a" * 200, "$x_1^2$ and", "_hidden", "two\nlines", "<b>&amp;", "漢\x00"]


def busy_curves() -> Figure:
    scores = ["frechet_distance", "precision", "avg12_calibrated", "w" * 90]
    return curves([curve(run, shown=name, reference=0.99) for run in NAMES for name in scores], delta=1 / 600_000)


def busy_bars() -> Figure:
    classifiers = [Bar(name=name, score=score(0.5), reference=score(0.9)) for name in [*NAMES, *"bcdefg"]]
    headline = [
        Bar(name=name, score=score(value, name, higher), reference=score(reference, name, higher))
        for name, value, reference, higher in [
            ("inception_score", 9.2, 9.93, True),
            ("frechet_distance", 1234.5, 0.3, False),
            ("avg12_calibrated", 0.7, 1.0, True),
        ]
    ]
    return bars(classifiers, headline)


def one_point() -> Figure:
    return curves([curve(epsilons=[10.0], reference=0.5)], delta=1e-5)


def constant() -> Figure:
    same = tuple(score(0.0, below=0.0) for _ in range(3))
    return curves([Curve(name="flat", epsilons=(1.0, 2.0, 3.0), scores=same)], delta=1e-5)


def crowded_ticks() -> Figure:
    return curves([curve("a", [0.111 * number for number in range(1, 60)])], delta=1e-5)


def one_bar_each() -> Figure:
    return bars([Bar(name="cnn", score=score(1.0, below=0.0))], [Bar(name="avg12", score=score(0.0, below=0.0))])


FIGURES = [busy_curves, busy_bars, one_point, constant, crowded_ticks, one_bar_each]


@pytest.mark.parametrize("figure", FIGURES)
def test_no_text_is_smaller_than_8_points_or_runs_out_of_the_picture(figure) -> None:
    drawn = figure()
    shown = texts(drawn)
    assert len(shown) >= 8
    assert min(text.get_fontsize() for text in shown) >= 8
    for text in shown:
        corners = drawn.transFigure.inverted().transform(box(text))
        assert (corners >= 0).all(), text.get_text()
        assert (corners <= 1).all(), text.get_text()


@pytest.mark.parametrize("figure", FIGURES)
def test_no_text_lies_on_another(figure) -> None:
    for text, other in itertools.combinations(texts(figure()), 2):
        assert not box(text).overlaps(box(other)), (text.get_text(), other.get_text())


def test_the_check_of_overlap_sees_ticks_that_lie_on_each_other() -> None:
    figure = crowded_ticks()
    axes = panel(figure)
    axes.set_xticks([9.8, 10.0], ["9.8000", "10.0000"])
    assert any(box(text).overlaps(box(other)) for text, other in itertools.combinations(texts(figure), 2))


def test_names_are_written_as_they_are_and_never_as_formulas(tmp_path: Path) -> None:
    shown = written(svg_of(busy_curves(), tmp_path))
    assert {"ours", "$x_1^2$ and", "_hidden", "two?lines", "<b>&amp;", "??", "real data"} <= shown
    assert any(text.startswith("aaa") and "..." in text and len(text) < 50 for text in shown)


# ---- files ----------------------------------------------------------------------------------------------------------


def test_the_svg_has_the_labels_as_text_and_one_path_for_each_run(tmp_path: Path) -> None:
    root = svg_of(curves([curve("a"), curve("b"), curve("c", reference=0.9)], delta=1e-5), tmp_path)
    assert {"CNN accuracy", "epsilon (delta = 1e-5)", "1", "2", "5", "10", "a", "b", "c"} <= written(root)
    groups = {element.get("id"): element for element in root.iter(f"{SVG}g")}
    for run in range(3):
        (path,) = (part for part in groups[f"cnn_accuracy-run-{run}"] if part.tag == f"{SVG}path")
        assert path.get("d", "").count("L") == 3
        assert f"cnn_accuracy-run-{run}-band" in groups
    assert "cnn_accuracy-run-3" not in groups


def test_the_svg_carries_no_date_and_no_program(tmp_path: Path) -> None:
    text = save_figure(curves([curve()], delta=1e-5), tmp_path / "figure")[1].read_text()
    assert "<dc:date>" not in text
    assert "Matplotlib v" not in text


PROCESS = """
import sys
from pathlib import Path
from gossamer.evaluation.score import Score
from gossamer.reports.curves import Curve, curves, save_figure
scores = tuple(
    Score(name="cnn_accuracy", value=v, low=v - 0.1, high=v + 0.1, higher_is_better=True, num_synthetic=9, num_real=9,
          seeds=(0,), source="s") for v in (0.5, 0.6)
)
save_figure(curves([Curve(name="a", epsilons=(1.0, 10.0), scores=scores)], delta=1e-5), Path(sys.argv[1]))
print("matplotlib.pyplot" in sys.modules)
"""


def test_equal_input_gives_equal_bytes_in_every_process_and_pyplot_stays_out(tmp_path: Path) -> None:
    for name in ("one", "two"):
        said = subprocess.run(
            [sys.executable, "-c", PROCESS, tmp_path / name], capture_output=True, text=True, check=True, timeout=60
        )
        assert said.stdout == "False\n"
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_same_figure_saved_twice_gives_the_same_bytes_and_another_one_does_not(tmp_path: Path) -> None:
    figure = busy_bars()
    first, second = save_figure(figure, tmp_path / "one"), save_figure(figure, tmp_path / "two")
    other = save_figure(one_bar_each(), tmp_path / "three")
    for one, two, three in zip(first, second, other):
        assert one.read_bytes() == two.read_bytes() != three.read_bytes()


def test_settings_of_the_user_neither_matter_nor_change(tmp_path: Path) -> None:
    plain = save_figure(curves([curve()], delta=1e-5), tmp_path / "plain")
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "savefig.dpi": 20, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        odd = save_figure(curves([curve()], delta=1e-5), tmp_path / "odd")
        assert dict(matplotlib.rcParams) == before
    assert [path.read_bytes() for path in plain] == [path.read_bytes() for path in odd]


def test_both_files_carry_the_stem_dots_and_all_and_nothing_else_is_left(tmp_path: Path) -> None:
    paths = save_figure(curves([curve()], delta=1e-5), tmp_path / "eps.10")
    assert paths == (tmp_path / "eps.10.png", tmp_path / "eps.10.svg")
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert paths[0].read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_is_absent_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="make that folder"):
        save_figure(curves([curve()], delta=1e-5), tmp_path / "absent" / "figure")


def test_gossamer_itself_starts_without_matplotlib() -> None:
    code = "import sys, gossamer, gossamer.reports.grid, gossamer.reports.tables; print('matplotlib' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "False\n"


# ---- bars -----------------------------------------------------------------------------------------------------------


def points(axes: Axes, gid: str) -> list[tuple[float, float]]:
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_gid() == gid]


def intervals(axes: Axes, gid: str) -> list[list[float]]:
    parts = [item for item in axes.collections if item.get_gid() == f"{gid}-interval"]
    return [part.get_segments()[0][:, 0].tolist() for part in parts if isinstance(part, LineCollection)]


def test_every_classifier_has_its_row_with_synthetic_and_real_side_by_side() -> None:
    given = [(0.3, 0.7), (0.6, 0.9), (0.5, None)]
    rows = [
        Bar(name=name, score=score(value), reference=None if real is None else score(real))
        for name, (value, real) in zip(["c0", "gaussian_nb", "c2"], given)
    ]
    (axes,) = bars(rows, []).subfigs[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c0", "Gaussian naive Bayes", "c2"]
    assert [x for x, _ in points(axes, "synthetic")] == [0.3, 0.6, 0.5]
    assert [round(y) for _, y in points(axes, "synthetic")] == [0, 1, 2]
    assert [(x, round(y)) for x, y in points(axes, "real")] == [(0.7, 0), (0.9, 1)]
    assert intervals(axes, "synthetic") == [[bar.score.low, bar.score.high] for bar in rows]
    assert intervals(axes, "real") == [[bar.reference.low, bar.reference.high] for bar in rows if bar.reference]
    assert axes.yaxis_inverted()


def test_every_headline_score_has_its_own_axis_with_value_and_interval_in_words() -> None:
    shown = [
        Bar(name="inception_score", score=score(9.23, "inception_score"), reference=score(9.93, "inception_score")),
        Bar(name="frechet_distance", score=score(61.3, "frechet_distance", higher=False, below=1.0)),
    ]
    first, second = bars([], shown).subfigs[0].axes
    assert (first.get_title("left"), first.get_title("right")) == (
        "Inception score (higher is better ↑)", "9.23 (9.21 to 9.27)",
    )  # fmt: skip
    assert (second.get_title("left"), second.get_title("right")) == (
        "Frechet distance (lower is better ↓)", "61.3 (60.3 to 63.3)",
    )  # fmt: skip
    assert first.get_xlim()[0] < 0 < 9.93 < first.get_xlim()[1]
    assert second.get_xlim()[1] > 63.3


def test_the_legend_of_bars_names_what_is_there() -> None:
    alone, both = Bar(name="a", score=score(0.5)), Bar(name="b", score=score(0.5), reference=score(0.6))
    assert [text.get_text() for text in bars([alone], []).legends[0].get_texts()] == ["synthetic data"]
    assert [text.get_text() for text in bars([alone], [both]).legends[0].get_texts()] == ["synthetic data", "real data"]


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epsilons", "scores", "reference"),
    [
        ((), (), None),
        ((1.0, 2.0), (score(0.5),), None),
        ((0.0,), (score(0.5),), None),
        ((float("inf"),), (score(0.5),), None),
        ((float("nan"),), (score(0.5),), None),
        ((2.0, 1.0), (score(0.5), score(0.6)), None),
        ((1.0, 1.0), (score(0.5), score(0.6)), None),
        ((1.0, 2.0), (score(0.5), score(0.6, "avg12")), None),
        ((1.0, 2.0), (score(0.5), score(0.6, higher=False)), None),
        ((1.0,), (score(0.5),), score(0.5, "avg12")),
    ],
)
def test_what_is_no_curve_is_refused(
    epsilons: tuple[float, ...], scores: tuple[Score, ...], reference: Score | None
) -> None:
    with pytest.raises(InputError, match="ours: "):
        Curve(name="ours", epsilons=epsilons, scores=scores, reference=reference)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(InputError, match="no curve"):
        curves([], delta=1e-5)
    with pytest.raises(InputError, match="no score"):
        bars([], [])


def test_two_curves_of_one_run_and_score_are_refused() -> None:
    with pytest.raises(InputError, match="ours: two curves of cnn_accuracy"):
        curves([curve(), curve(start=0.6)], delta=1e-5)


def test_runs_that_disagree_on_a_direction_are_refused() -> None:
    other = Curve(name="theirs", epsilons=(1.0,), scores=(score(0.5, higher=False),))
    with pytest.raises(InputError, match="theirs: cnn_accuracy has the other direction"):
        curves([curve(), other], delta=1e-5)
