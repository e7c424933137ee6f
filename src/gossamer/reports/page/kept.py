"""The private report's additions to a release: scores, audits, ledger and real records. All of them stay."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gossamer.errors import InputError
from gossamer.evaluation.comparison import headline, in_order, reference_of
from gossamer.evaluation.published_scores import PublishedScores, published_scores
from gossamer.evaluation.record import Evaluation
from gossamer.evaluation.score import Score
from gossamer.privacy.statement import shown_epsilon
from gossamer.privacy.tradeoff import TradeOff
from gossamer.reports.page.figures import Exhibit
from gossamer.reports.page.released import ReleasedRun
from gossamer.runs.files import read_json
from gossamer.runs.folder import RunFolder

EVALUATION = "evaluation.json"
_LEAST_CURVE = 2
_ALARMS = 0.01


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """One bound of an audit beside its claim.

    Attributes:
        audit: name of the audit.
        figure: the bounded figure.
        found: the value found, with its interval or as "at least".
        claimed: the value claimed for it.
        confidence: with which it holds, a share.
        is_within: True if the value found is at most the value claimed, None if nothing is claimed.
    """

    audit: str
    figure: str
    found: str
    claimed: str
    confidence: float
    is_within: bool | None


@dataclass(frozen=True, kw_only=True)
class ScoreLine:
    """One score beside that of real records in place of synthetic ones.

    Attributes:
        score: of the synthetic records.
        real: the reference, if there is one.
    """

    score: Score
    real: Score | None

    @property
    def is_share(self) -> bool:
        """True if the whole interval lies in [0, 1], so that a bar can show it."""
        shown = [self.score] if self.real is None else [self.score, self.real]
        return self.score.higher_is_better and all(one.low >= 0 and one.high <= 1 for one in shown)


@dataclass(frozen=True, kw_only=True)
class ScoreCurve:
    """One score over the epsilons of a run's saved generators.

    Attributes:
        name: of the score.
        points: (epsilon, score), epsilons rising.
    """

    name: str
    points: tuple[tuple[float, Score], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptRun:
    """All that a private report says of one run, beside its release.

    Guarantee:
        None. Every field here was computed from private records. Nothing of a release report is made from this type.

    Attributes:
        released: the public part.
        evaluation: the evaluation that `gossamer evaluate` wrote, or None.
        checkpoints: the evaluations of the generators saved on the way.
        audits: the audits that `gossamer audit` wrote.
        ledger: the charges, as `gossamer ledger` states them, or None.
        real: real records of the classes that the release's exhibits show, empty if they were not handed over.
        lacks: sentences on parts that are absent or could not be read.
    """

    released: ReleasedRun
    evaluation: Evaluation | None = None
    checkpoints: tuple[Evaluation, ...] = ()
    audits: tuple[AuditRow, ...] = ()
    ledger: Mapping[str, Any] | None = None
    real: tuple[Exhibit, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def scores(self) -> tuple[ScoreLine, ...]:
        """The scores that stand first, each beside its reference."""
        return self._lines(lambda name: name in headline())

    @property
    def others(self) -> tuple[ScoreLine, ...]:
        """All further scores, references aside."""
        references = set() if self.evaluation is None else set(map(reference_of, self.evaluation.scores))
        return self._lines(lambda name: name not in headline() and name not in references)

    def _lines(self, is_shown: Callable[[str], bool]) -> tuple[ScoreLine, ...]:
        scores = {} if self.evaluation is None else self.evaluation.scores
        names = filter(is_shown, in_order(scores))
        return tuple(ScoreLine(score=scores[name], real=scores.get(reference_of(name))) for name in names)

    @property
    def published(self) -> tuple[PublishedScores, ...]:
        """Scores that the literature reports for the real data of the evaluation."""
        return () if self.evaluation is None else published_scores(self.evaluation.data)

    @property
    def curves(self) -> tuple[ScoreCurve, ...]:
        """A curve for each of the first scores that every saved generator has."""
        points = [(one.claim.epsilon, one.scores) for one in self.checkpoints if one.claim is not None]
        if len({epsilon for epsilon, _ in points}) < _LEAST_CURVE:
            return ()
        points.sort(key=lambda point: point[0])
        names = [name for name in headline() if all(name in scores for _, scores in points)]
        return tuple(
            ScoreCurve(name=name, points=tuple((epsilon, scores[name]) for epsilon, scores in points)) for name in names
        )

    @property
    def pairs(self) -> tuple[tuple[Exhibit, Exhibit], ...]:
        """Synthetic beside real records of each class."""
        made = {one.name: one for one in self.released.exhibits}
        return tuple((made[one.name], one) for one in self.real if one.name in made)


def read_evaluations(run: RunFolder) -> tuple[Evaluation, tuple[Evaluation, ...]]:
    """Read the evaluation of a run and of its saved generators. A lone evaluation has none of the latter.

    Raises:
        InputError: there is no evaluation, or it is damaged.
    """
    path = run.private / "evaluation" / EVALUATION
    if not path.is_file():
        raise InputError(f"{path}: no scores yet; `gossamer evaluate {run.path}` computes them")
    tree = read_json(path)
    try:
        saved = tree.get("checkpoints", []) if isinstance(tree, dict) else []
        if not isinstance(saved, list):
            raise InputError("a damaged record of an evaluation; evaluate again")
        return Evaluation.from_json(tree), tuple(map(Evaluation.from_json, saved))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_audits(run: RunFolder, trade_off: TradeOff) -> tuple[AuditRow, ...]:
    """Read the findings of a run's audits.

    Args:
        run: a run folder with its private side.
        trade_off: the attacker's gain under its guarantee, beside which attacks on members stand.

    Raises:
        InputError: there are no audits, or one is damaged.
    """
    files = sorted(run.audits.glob("*.json")) if run.audits.is_dir() else []
    if not files:
        raise InputError(f"{run.audits}: no audit yet; `gossamer audit mechanism {run.path}` makes one")
    rows: list[AuditRow] = []
    for path in files:
        try:
            rows += _rows(path.stem, read_json(path), trade_off.largest_catch_rate(_ALARMS))
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: not the result of an audit; audit again") from None
    return tuple(rows)


def _rows(name: str, tree: Any, most_caught: float) -> list[AuditRow]:
    audit, confidence = str(tree.get("kind", name)), _finite(tree["confidence"])
    rows = [row for figure in ("epsilon", "mu") if (row := _bound(audit, figure, tree, confidence)) is not None]
    for attack in tree.get("attacks", []):
        rows += _attack(f"{audit}, by {attack['name']}", attack, confidence, most_caught)
    return rows


def _bound(audit: str, figure: str, tree: Mapping[str, Any], confidence: float) -> AuditRow | None:
    low, claim = tree.get(f"lower_bound_{figure}"), tree.get(f"claimed_{figure}")
    if low is None or claim is None:
        return None
    return AuditRow(
        audit=audit,
        figure=figure,
        found=f"at least {math.floor(_finite(low) * 1000) / 1000:.3f}",
        claimed=shown_epsilon(_finite(claim)),
        confidence=confidence,
        is_within=_finite(low) <= _finite(claim),
    )


def _attack(audit: str, tree: Mapping[str, Any], confidence: float, most_caught: float) -> list[AuditRow]:
    area, caught = (
        f"{_finite(tree[name]):.3f} ({_finite(tree[low]):.3f} to {_finite(tree[high]):.3f})"
        for name, low, high in (("auc", "low", "high"), ("caught", "caught_low", "caught_high"))
    )
    row = functools.partial(AuditRow, audit=audit, confidence=confidence)
    most, is_within = f"at most {most_caught:.3f}", _finite(tree["caught_low"]) <= most_caught
    return [
        row(figure="area under its curve", found=area, claimed="", is_within=None),
        row(figure="caught at 1 % false alarms", found=caught, claimed=most, is_within=is_within),
    ]


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)
