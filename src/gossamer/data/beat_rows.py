"""Beats of several recordings as records, each with its recording and person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from gossamer.data.beats import GAPS, AbstractBeatLayout, Recording
from gossamer.data.range_tally import RangeTally
from gossamer.data.series import SeriesSpec
from gossamer.data.splits import Rows
from gossamer.errors import InputError

OTHERS: Final = "beats of classes that were not named"
"""Reason for which a beat is left out if the user named the classes."""


def cut_recordings(
    name: str,
    spec: SeriesSpec,
    recordings: Iterable[Recording],
    layout: AbstractBeatLayout,
    people: Mapping[str, str] | None,
    classes: Sequence[int] | None = None,
) -> Rows:
    """Cut the beats of several recordings, one recording after the other.

    Args:
        name: Name of the data set, for messages.
        spec: Public specification of the beats, by `layout`.
        recordings: Recordings, read one at a time, so that no two signals need to be held at once.
        layout: Rule by which beats are cut.
        people: Name of a recording -> name of its person, or None if people are unknown.
        classes: Labels of the recordings that are kept, in the order of the public classes. None for all.

    Returns:
        All beats, with the recording and the person of each.

    Raises:
        InputError: There is no beat at all.
    """
    x, y, names = [], [], []
    left_out = {GAPS: 0} if classes is None else {GAPS: 0, OTHERS: 0}
    tally = RangeTally.of_series(spec)
    for recording in recordings:
        beats, labels = layout.beats(recording)
        left_out[GAPS] += layout.count_whole(recording) - len(beats)
        if classes is not None:
            is_kept = np.isin(labels, classes)
            left_out[OTHERS] += int((~is_kept).sum())
            beats, labels = beats[is_kept], _places_of(labels[is_kept], classes)
        tally.add(beats)
        x.append(layout.scaled(beats))
        y.append(labels)
        names.append(np.full(len(beats), recording.name, dtype=object))
    if not sum(map(len, x)):
        raise InputError(f"{name}: not one beat was found: {_rule_on_none(left_out)}")
    cut_from = np.concatenate(names).astype(str)
    owners = None if people is None else np.array([people[recording] for recording in cut_from.tolist()])
    return Rows(
        name=name,
        spec=spec,
        x=np.concatenate(x),
        y=np.concatenate(y),
        people=owners,
        recordings=cut_from,
        left_out=left_out,
        ranges=tally.ranges(),
    )


def _places_of(labels: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Return the place of each label among the classes that are kept, int64."""
    places = {label: place for place, label in enumerate(classes)}
    return np.array([places[label] for label in labels.tolist()], dtype=np.int64)


def _rule_on_none(left_out: Mapping[str, int]) -> str:
    if left_out.get(OTHERS):
        return "all others are of classes that were not named: name more of them with --class-names"
    return "every one reaches into missing samples" if left_out[GAPS] else "an annotation of a beat is needed"
