"""The folder of an evaluation: JSON, CSV, curves, bars, pictures. A folder that could be shared is refused."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gossamer.errors import InputError, PrivacyError, ResourceError
from gossamer.evaluation.comparison import headline, reference_of
from gossamer.evaluation.listed import average_over_seeds
from gossamer.extras import from_extra
from gossamer.reports.tables import ScoreRow, write_scores_csv
from gossamer.runs.files import write_json
from gossamer.scoring.evaluations import bench_for
from gossamer.scoring.findings import RealRecords, Scored

if TYPE_CHECKING:
    from gossamer.reports.curves import Bar, Curve

_RECORD = "evaluation.json"
_PICTURES = ("samples", "scores", "nearest-pairs", "spectra", "embedding", "confusions")
_OWN_FILES = (
    _RECORD, "scores.csv", "curves.*", ".*.partial",
    *(f"{name}*.{kind}" for name in _PICTURES for kind in ("png", "svg")),
)  # fmt: skip


def check_place(folder: Path) -> None:
    """Refuse a folder with content that is meant to leave.

    Raises:
        PrivacyError: it lies in a release.
        InputError: it is a file, or a folder of something else.
    """
    check_outside_releases(folder, "an evaluation, which saw the real data,")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder with --out")
    # It is closed to others and cleared of an earlier evaluation, which somebody else's folder must not be.
    if folder.is_dir() and not (folder / _RECORD).is_file() and set(folder.iterdir()) - _own_files(folder):
        raise InputError(f"{folder}: holds something else than an evaluation; name an empty or new folder with --out")


def check_outside_releases(path: Path, what: str) -> None:
    """Refuse a place in a release for a thing that must not leave.

    Args:
        path: the place.
        what: the thing, in words.

    Raises:
        PrivacyError: the place lies in a release.
    """
    resolved = path.resolve()
    for part in (resolved, *resolved.parents):
        is_of_run = part.name == "release" and (part.parent / "config.json").is_file()
        # Privacy: scores and pictures of real images saw private data; what lies in a release is shared.
        if is_of_run or (part / "privacy.json").is_file():
            raise PrivacyError(f"{path}: lies in a release, and {what} must not leave; name another --out")


def write_up(folder: Path, scored: Sequence[Scored], real: RealRecords, tree: Any) -> None:
    """Write everything about one or several scored targets into a folder that is closed to others.

    Args:
        folder: made if it is absent, closed to all but its owner, and cleared of an earlier evaluation.
        scored: targets, in order.
        real: the private side. Records nearest to synthetic images are pictured.
        tree: content of ``evaluation.json``.
    """
    with from_extra("evaluate", "a picture of scores"):
        from gossamer.reports.curves import bars, curves, save_figure

    check_place(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Privacy: also if it was there before.
        folder.chmod(0o700)
        for earlier in _own_files(folder):
            earlier.unlink()
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be made ({error.strerror}); name another --out") from None
    write_json(folder / _RECORD, tree)
    write_scores_csv(folder / "scores.csv", [row for one in scored for row in _rows(one)])
    bench = bench_for(real.train.spec)
    shown = {"": scored[0]} if len(scored) == 1 else {f"-{number}": one for number, one in enumerate(scored, 1)}
    for suffix, one in shown.items():
        save_figure(bars(*_bars(one, bench.classifiers())), folder / f"scores{suffix}")
    bench.draw_pictures(folder, shown, real)
    drawn = _curves(scored)
    if drawn:
        deltas = {one.evaluation.claim.delta for one in scored if one.evaluation.claim is not None}
        save_figure(curves(drawn, delta=deltas.pop() if len(deltas) == 1 else None), folder / "curves")


def _own_files(folder: Path) -> set[Path]:
    return {path for pattern in _OWN_FILES for path in folder.glob(pattern)}


def _rows(one: Scored) -> list[ScoreRow]:
    claim = one.evaluation.claim
    epsilon, step = (None, None) if claim is None else (claim.epsilon, claim.step)
    scores = one.evaluation.scores.values()
    return [ScoreRow(target=one.evaluation.target, epsilon=epsilon, step=step, score=score) for score in scores]


def _bars(one: Scored, found: Mapping[str, str]) -> tuple[list[Bar], list[Bar]]:
    from gossamer.reports.curves import Bar

    scores = one.evaluation.scores

    def drawn(named: Mapping[str, str]) -> list[Bar]:
        found = ((word, name) for word, name in named.items() if name in scores)
        return [Bar(name=word, score=scores[name], reference=scores.get(reference_of(name))) for word, name in found]

    return drawn(found), drawn({name: name for name in headline() if name not in found.values()})


def _curves(scored: Sequence[Scored]) -> list[Curve]:
    """Return a line for each run or mechanism that has more than one epsilon, for each headline score."""
    points = sorted(
        ((one.target.series, one.evaluation.claim.epsilon, one) for one in scored if one.evaluation.claim is not None),
        key=lambda point: point[:2],
    )
    found = []
    for series, group in itertools.groupby(points, key=lambda point: point[0]):
        by_epsilon = [
            (epsilon, [point[2] for point in same]) for epsilon, same in itertools.groupby(group, lambda p: p[1])
        ]
        if len(by_epsilon) > 1:
            found += [curve for name in headline() if (curve := _curve(series, name, by_epsilon)) is not None]
    return found


def _curve(series: str, name: str, by_epsilon: Sequence[tuple[float, list[Scored]]]) -> Curve | None:
    from gossamer.reports.curves import Curve

    if not all(name in one.evaluation.scores for _, same in by_epsilon for one in same):
        return None
    reference = by_epsilon[-1][1][-1].evaluation.scores.get(reference_of(name))
    return Curve(
        name=series,
        epsilons=tuple(epsilon for epsilon, _ in by_epsilon),
        scores=tuple(average_over_seeds([one.evaluation.scores[name] for one in same]) for _, same in by_epsilon),
        reference=None if reference is None else dataclasses.replace(reference, name=name),
    )
