"""The one audit that a release report may speak of: games against the noise, which read no record."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.files import read_json
from gossamer.runs.folder import RunFolder

_KIND = "mechanism"
_TOLERANCE = 1e-6
_FIGURES = ("epsilon", "mu")


def mechanism_audit(run: RunFolder, statement: PrivacyStatement) -> str:
    """Return a sentence on the games of `gossamer audit mechanism`, if all of them stayed within their claims.

    Guarantee:
        Those games are played with made-up neighbours, and no record has a part in them. Two counts and the verdict are
        taken from their files, and no text. Files of other audits, which may rest on records, are not opened.

    Args:
        run: a run folder with its private side.
        statement: of its release.

    Raises:
        InputError: no such audit was made, it is of other settings, or its file is damaged.
        PrivacyError: a game showed more than is claimed.
    """
    files = sorted(run.audits.glob(f"{_KIND}*.json")) if run.audits.is_dir() else []
    if not files:
        raise InputError(
            f"{run.audits}: no audit of the mechanism yet; `gossamer audit mechanism {run.path}` makes one"
        )
    played = [_num_games(path, statement) for path in files]
    games = "one kind of game" if len(files) == 1 else f"{len(files)} kinds of games"
    return (
        f"Passed: {games}, {sum(played):,} plays in all, against the noise at this run’s settings showed no more than "
        "is claimed. They read no record."
    )


def _num_games(path: Path, statement: PrivacyStatement) -> int:
    """Return the number of plays of one kind of game, after its bounds were compared with its claims."""
    damaged = f"{path}: not the result of an audit of the mechanism; audit again"
    try:
        tree = read_json(path)
        number, kind = tree["num_games"], tree["kind"]
        pairs = [(_finite(tree[f"lower_bound_{name}"]), _finite(tree[f"claimed_{name}"])) for name in _known(tree)]
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        raise InputError(damaged) from None
    if type(number) is not int or not 0 < number < 2**63 or not str(kind).startswith(_KIND) or not pairs:
        raise InputError(damaged)
    if any(low > claim for low, claim in pairs):
        raise PrivacyError(f"{path}: a game showed more than is claimed; share nothing of this run, and report it")
    # A run may have been copied over with the audit of another one.
    if pairs[0][1] > statement.epsilon * (1 + _TOLERANCE):
        raise InputError(f"{path}: of settings that cost more than this release; audit again")
    return number


def _known(tree: Any) -> tuple[str, ...]:
    return tuple(name for name in _FIGURES if name == _FIGURES[0] or tree.get(f"claimed_{name}") is not None)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)
