"""Comparison: the scores of several targets side by side, and which of them is surely the best."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gossamer.errors import InputError
from gossamer.evaluation import suite as images
from gossamer.evaluation.listed import Listed
from gossamer.evaluation.score import Score
from gossamer.evaluation.series import suite as series


def headline(*lists: Listed) -> tuple[str, ...]:
    """Name the scores that stand first, in the order of their lists. Without a list, those of images and of series.

    No evaluation has all of them.
    """
    listed = itertools.chain(*(lists or (images.SCORES, series.SCORES)))
    return tuple(dict.fromkeys(one.name for one in listed if one.is_headline))


def title_and_unit(name: str) -> tuple[str, str]:
    """Return the title of a score, as a person calls it, and the unit of its axis.

    >>> title_and_unit("recall"), title_and_unit("mmd")
    (('Recall', 'share of real images'), ('mmd', 'value'))
    """
    words = name.replace("_", " ")
    found = (one for one in (*images.SCORES, *series.SCORES) if one.name == name)
    return next(((one.title or words, one.unit) for one in found), (words, "value"))


@dataclass(frozen=True, kw_only=True)
class ComparedScore:
    """One row of a comparison: one score of every target.

    Args:
        name: the score.
        higher_is_better: its direction.
        cells: one for each target, in their order. None if a target lacks the score.
        best: index of the target that is best beyond doubt, or None (see `compare`).
    """

    name: str
    higher_is_better: bool
    cells: tuple[Score | None, ...]
    best: int | None

    @property
    def is_like_with_like(self) -> bool:
        """True if all values have one source and equal numbers of images.

        If they have not, the row shows them but they answer different questions. A Frechet distance, for one, grows as
        the sample shrinks and means nothing across encoders.
        """
        return len({(cell.source, cell.num_synthetic, cell.num_real) for cell in self.cells if cell is not None}) <= 1


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Scores of several targets: a row for each score, a column for each target.

    Args:
        targets: names, in the order given.
        rows: in the order of `in_order`.
    """

    targets: tuple[str, ...]
    rows: tuple[ComparedScore, ...]


def compare(named: Mapping[str, Mapping[str, Score]]) -> Comparison:
    """Lay scores side by side. Mark the best target of a row only if the intervals leave no doubt.

    A target is marked if its whole interval lies on the better side of the interval of *every* other target that has
    the score. That is low_i > high_j for all j if higher is better, and high_i < low_j otherwise. Touching ends are an
    overlap. A row with fewer than two values has no mark. Marks of several rows are not corrected for multiplicity.

    Args:
        named: for each target its scores by name. A target may lack any of them.

    Raises:
        InputError: if there is no target, a score stands under another's name, or targets disagree on a direction.

    >>> def accuracy(value):
    ...     return Score(
    ...         name="avg12", value=value, low=value - 0.01, high=value + 0.01, higher_is_better=True,
    ...         num_synthetic=1000, num_real=1000, seeds=(0,), source="example",
    ...     )
    >>> compare({"ours": {"avg12": accuracy(0.8)}, "theirs": {"avg12": accuracy(0.7)}}).rows[0].best
    0
    >>> compare({"ours": {"avg12": accuracy(0.8)}, "theirs": {"avg12": accuracy(0.79)}}).rows[0].best is None
    True
    """
    if not named:
        raise InputError("nothing to compare: name at least one target")
    for target, scores in named.items():
        for name, score in scores.items():
            if score.name != name:
                raise InputError(f"{target}: the score {score.name} stands under the name {name}")
    names = in_order({name for scores in named.values() for name in scores})
    rows = tuple(_row(name, tuple(scores.get(name) for scores in named.values())) for name in names)
    return Comparison(targets=tuple(named), rows=rows)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort score names as tables and pictures show them, in the order of the lists. All others follow by alphabet.

    >>> in_order(["mine", "avg12", "inception_score"])
    ('inception_score', 'avg12', 'mine')
    """
    asked, first = set(names), headline()
    return tuple(name for name in first if name in asked) + tuple(sorted(asked.difference(first)))


def reference_of(name: str) -> str:
    """Return the name of the same score of real training records in the place of synthetic ones.

    >>> reference_of("mmd"), reference_of("tstr_macro_f1")
    ('mmd_real', 'trtr_macro_f1')
    """
    return f"trtr{name.removeprefix('tstr')}" if name.startswith("tstr_") else f"{name}_real"


def _row(name: str, cells: tuple[Score | None, ...]) -> ComparedScore:
    directions = {cell.higher_is_better for cell in cells if cell is not None}
    if len(directions) != 1:
        raise InputError(f"{name}: higher is better for one target, lower for another; evaluate them with one version")
    best = [index for index in range(len(cells)) if _is_beyond_doubt(index, cells)]
    return ComparedScore(name=name, higher_is_better=directions.pop(), cells=cells, best=best[0] if best else None)


def _is_beyond_doubt(index: int, cells: tuple[Score | None, ...]) -> bool:
    score = cells[index]
    others = [cell for place, cell in enumerate(cells) if place != index and cell is not None]
    if score is None or not others:
        return False
    if score.higher_is_better:
        return score.low > max(other.high for other in others)
    return score.high < min(other.low for other in others)
