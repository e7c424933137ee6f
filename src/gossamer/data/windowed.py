"""Recordings as records: cut in windows, scaled between public bounds, each window with its recording or person."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from gossamer.data.range_tally import RangeTally
from gossamer.data.row_names import RowNames
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import Rows
from gossamer.data.windows import Windows, cut_all
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit


@dataclass(frozen=True, kw_only=True, eq=False)
class Recordings:
    """Recordings before they are cut. Private.

    Args:
        values: Each (channels, time) in its own units, of any length, with one number of channels. They may be read in
            passing if names or people are given.
        classes: Class of each sample of each recording, (time,), as words or as labels. None without classes.
        names: Names of the recordings by the rule of `names`, (num_recordings,). None if their content is all that
            tells them apart.
        people: Names of the people, (num_recordings,), or None if nobody says.
    """

    values: Iterable[np.ndarray]
    classes: Iterable[np.ndarray] | None = None
    names: RowNames | np.ndarray | None = None
    people: RowNames | np.ndarray | None = None

    @classmethod
    def of_arrays(
        cls, values: np.ndarray, labels: np.ndarray | None, people: RowNames | np.ndarray | None
    ) -> Recordings:
        """Return recordings of one length, each with one class and one person.

        Args:
            values: (num_recordings, channels, time).
            labels: int64 (num_recordings,), or None.
            people: Names (num_recordings,), or None.

        Raises:
            InputError: Labels or people of another number.
        """
        for name, array in (("y", labels), ("people", people)):
            if array is not None and len(array) != len(values):
                raise InputError(f"{name} has {len(array)} entries for {len(values)} recordings: give one for each")
        classes = None if labels is None else [np.broadcast_to(label, values.shape[2]) for label in labels]
        return cls(values=list(values), classes=classes, people=people)

    @property
    def owners(self) -> Unit:
        """Unit that is told apart: people if anybody says them, else recordings."""
        return Unit.RECORDING if self.people is None else Unit.PERSON

    @property
    def owner_names(self) -> RowNames | np.ndarray:
        """Name of the person of each recording, or of the recording itself, (num_recordings,)."""
        if self.people is not None:
            return self.people
        return _names_of_contents(self) if self.names is None else self.names


def _names_of_contents(recordings: Recordings) -> np.ndarray:
    """Name each recording by the digest of its values and classes, and by the number of its copy."""
    # Privacy: never by its place, since one recording that leaves would rename those behind it.
    copies: Counter[str] = Counter()
    names: list[str] = []
    for values, words in zip(recordings.values, repeat(None) if recordings.classes is None else recordings.classes):
        blake = hashlib.blake2b(f"recording {values.shape}".encode(), digest_size=32)
        blake.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        if words is not None:
            blake.update("\n".join(map(str, words.tolist())).encode())
        digest = blake.hexdigest()
        names.append(f"{digest} {copies[digest]}")
        copies[digest] += 1
    return np.array(names)


def rows_of_windows(
    name: str,
    where: str,
    recordings: Recordings,
    windows: Windows,
    spec: SeriesSpec,
    facts: SeriesFacts,
    labels_of: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Rows:
    """Cut recordings in windows, each a record of the recording's person, or of the recording itself.

    Guarantee:
        A recording or person that gives no window keeps its slot. So the number of slots tells nothing of lengths and
        of missing values.

    Args:
        name: Name of the records, public.
        where: Beginning of a message.
        recordings: Private.
        windows: Public rule.
        spec: Public specification of a window.
        facts: Public bounds.
        labels_of: Return labels, int64, from the classes of the windows as they were written.

    Raises:
        InputError: No window is left, a value is outside default bounds, or a class is none of the public ones.
    """
    owners, tally = recordings.owner_names, RangeTally.of_series(spec)

    def scale(part: np.ndarray, first: int) -> np.ndarray:
        return scaled(part, spec, facts, where, tally, first)

    found = cut_all(recordings.values, windows, where, recordings.classes, scale)
    return Rows(
        name=name,
        spec=spec,
        x=found.values,
        ranges=tally.ranges(),
        y=None if found.classes is None else labels_of(found.classes),
        people=owners[found.recordings],
        others=owners,
        owners=recordings.owners,
        usual_unit=recordings.owners,
        left_out=found.left_out,
        notes=(windows.note,),
    )
