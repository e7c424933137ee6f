"""Scores in the terminal: tables with intervals and directions, legible at 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gossamer.evaluation.classifiers import SMALL_CNN, TWELVE
from gossamer.evaluation.comparison import Comparison, headline, in_order, reference_of
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.suite import FULL, WAYS, rates_of
from gossamer.evaluation.suite import SCORES
from gossamer.privacy.statement import shown_epsilon
from gossamer.scoring.findings import Scored

_NUM_NAMED = 6
_NAME_WIDTH = 30
_CELL_WIDTH = 20
_SIDES = ("", "_real", "_real_to_synthetic")
_OF_IMAGES = {
    one.name: (*(f"{one.name}_accuracy{side}" for side in _SIDES), f"{one.name}_macro_f1")
    for one in (*TWELVE, SMALL_CNN)
}
_OF_SERIES = {
    one.name: (*(f"{way}_{one.name}_accuracy" for way in WAYS), f"tstr_{one.name}_macro_f1") for one in FULL.classifiers
}


def show_evaluation(one: Scored) -> None:
    """Show all scores of one target."""
    evaluation, console = one.evaluation, Console()
    heading = f"{evaluation.target} against {evaluation.data}{_price(one)}, {_repetitions(one)}"
    # A file's name is no markup.
    console.print(heading, highlight=False, markup=False)
    scores = evaluation.scores
    table = _table(("score", "better"), ("value", "95 % interval", "real"))
    # A reference stands beside its score; alone it is a row of its own.
    references = {reference_of(name) for name in scores}
    for name in in_order(set(scores) - _classifier_scores()):
        if name not in references:
            score, reference = scores[name], scores.get(reference_of(name))
            table.add_row(name, _direction(score), _number(score), _interval(score), _number(reference))
    console.print(table)
    _show_classifiers(console, scores)
    for reason in dict.fromkeys(evaluation.skipped.values()):
        left_out = in_order(name for name, why in evaluation.skipped.items() if why == reason)
        named, num_more = ", ".join(left_out[:_NUM_NAMED]), len(left_out) - _NUM_NAMED
        console.print(f"{reason}: {named}" + (f" and {num_more} more" if num_more > 0 else ""), highlight=False)
    for note in evaluation.notes:
        console.print(note, highlight=False, markup=False)


def show_checkpoints(scored: Sequence[Scored]) -> None:
    """Show a row for each saved generator: epsilon, step, headline scores. Use as many tables as the width needs."""
    names = [name for name in headline() if all(name in one.evaluation.scores for one in scored)]
    console = Console()
    per_table = max(1, (console.width - _NAME_WIDTH // 2) // _CELL_WIDTH)
    for start in range(0, len(names), per_table):
        part = names[start : start + per_table]
        directions = [_direction(scored[0].evaluation.scores[name]) for name in part]
        table = _table((), ("epsilon", "step", *(f"{name}\n({way} better)" for name, way in zip(part, directions))))
        for one in scored:
            claim = one.evaluation.claim
            epsilon, step = ("", "") if claim is None else (shown_epsilon(claim.epsilon), str(claim.step or "final"))
            table.add_row(epsilon, step, *(_above_interval(one.evaluation.scores[name]) for name in part))
        console.print(table)


def show_comparison(comparison: Comparison) -> None:
    """Show targets side by side, with a star where one is best and no other's interval reaches it."""
    console = Console()
    per_table = max(1, (console.width - _NAME_WIDTH) // _CELL_WIDTH)
    for start in range(0, len(comparison.targets), per_table):
        shown = range(start, min(start + per_table, len(comparison.targets)))
        table = _table(("score", "better"), tuple(escape(comparison.targets[place]) for place in shown))
        for row in comparison.rows:
            if row.name in headline():
                cells = ((row.cells[place], " *" if row.best == place else "") for place in shown)
                shown_cells = ("" if cell is None else _above_interval(cell, star) for cell, star in cells)
                name = row.name if row.is_like_with_like else f"{row.name} ~"
                table.add_row(name, "higher" if row.higher_is_better else "lower", *shown_cells)
        console.print(table)
    if not all(row.is_like_with_like for row in comparison.rows):
        print("~ not of one kind: other features, or other numbers of images.")
    print("* best, and no other target's interval reaches it; 95 % intervals, not corrected for the number of rows.")


def _table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", overflow="fold")
    return table


def _show_classifiers(console: Console, scores: Mapping[str, Score]) -> None:
    """Show every classifier, unless all of them stand among the headline scores."""
    found = {
        name: sides for all_sides in (_OF_IMAGES, _OF_SERIES) for name, sides in all_sides.items() if sides[0] in scores
    }
    if {sides[0] for sides in found.values()} <= set(headline(SCORES)):
        return
    table = _table(
        ("accuracy",), ("synthetic\nto real", "real\nto real", "real\nto synthetic", "macro-F1,\nsynthetic to real")
    )
    for classifier, sides in found.items():
        table.add_row(classifier, *(_number(scores.get(side)) for side in sides))
    console.print()
    console.print(table)


def _classifier_scores() -> set[str]:
    of_images = {name for sides in _OF_IMAGES.values() for name in sides}
    of_series = {name for way in WAYS for one in FULL.classifiers for name in rates_of(way, one.name)}
    return (of_images | of_series | {f"{name}_people" for name in of_series}) - set(headline(SCORES))


def _price(one: Scored) -> str:
    claim = one.evaluation.claim
    return "" if claim is None else f" (epsilon {shown_epsilon(claim.epsilon)}, delta {claim.delta:g})"


def _repetitions(one: Scored) -> str:
    evaluation = one.evaluation
    seeds = f"{len(evaluation.seeds)} seeds" if len(evaluation.seeds) > 1 else f"seed {evaluation.seeds[0]}"
    records = "images" if one.images.x.ndim == 4 else "series"
    return f"{evaluation.num_samples} {records}, {seeds}, {evaluation.suite}"


def _direction(score: Score) -> str:
    return "higher" if score.higher_is_better else "lower"


def _number(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.3f}"


def _interval(score: Score) -> str:
    return f"{score.low:.3f} to {score.high:.3f}"


def _above_interval(score: Score, mark: str = "") -> str:
    return f"{score.value:.3f}{mark}\n{_interval(score)}"
