"""A user's own series in the formats of the UCR and UEA archives: .ts, .arff, and .tsv without a head line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.arff_file import read_arff
from gossamer.data.class_words import labels_of_words
from gossamer.data.files import damage_refused, is_file, shown, title_of
from gossamer.data.names import names_of_texts
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import RecordData
from gossamer.data.row_names import RowNames
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import WHOLE, AbstractSplit, Rows, divide
from gossamer.data.ts_file import read_ts
from gossamer.data.ucr_cases import Cases, check_cases, check_clocks, lines_of, numbers_of, stacked, without_end
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

_TRAIN: Final = "_TRAIN"
_TEST: Final = "_TEST"
_FROM_HEADER: Final = "The names of the classes are those that the header of the file lists, and are taken as public."


def is_ucr_file(path: Path) -> bool:
    """Return True if the name is that of a .ts, .arff or .tsv file."""
    return path.suffix.lower() in _READERS


def load_ucr(
    path: Path,
    facts: SeriesFacts,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
    windows: Windows | None = None,
) -> RecordData:
    """Read a file of series of the UCR or UEA archive.

    The header of .ts and .arff lists the classes. A .tsv file has no header, and its first column is the class.
    The archives fill shorter series up, at their end, by samples that are missing in all channels. Such samples are
    taken off again.

    Args:
        path: The file. If its name ends in ``_TRAIN``, the file beside it that ends in ``_TEST`` is the test set,
            unless a split is asked for.
        facts: Public facts by the user, which win over those in the file.
        split: Rule by which series are held out for testing. None for the test set beside the file, or for none.
        key: Secret, by which a split holds some out. None for a new one.
        windows: Rule that cuts each series, as a recording, in windows. None to keep it whole.

    Raises:
        InputError: Naming file, line and place of the fault, and never a value.
    """
    cases = _read(path)
    facts, is_completed = _completed(cases, facts, path)
    rows = _rows(path, cases, facts, windows)
    notes = (
        *facts.notes(cases.words is not None and not is_completed),
        *((_FROM_HEADER,) if is_completed else ()),
        *cases.notes,
    )
    test = _test_beside(path)
    if test is None:
        return divide(rows, split or WHOLE, notes, key)
    if split is not None:
        return divide(rows, split, (*notes, "The test set beside the file was not read: a split was asked for."), key)
    held_out = _rows(test, _read(test), facts, windows)
    data = divide(rows, WHOLE, ())
    # Recordings of both files have nothing to be told apart by, so nobody says which of the test set are new.
    others = divide(dataclasses.replace(held_out, people=None, others=None, owners=Unit.PERSON), WHOLE, ()).train
    said = "The test set is the file beside the one that was learnt from."
    return dataclasses.replace(data, test=others, public_notes=(*notes, *rows.notes, said))


def _read(path: Path) -> Cases:
    with damage_refused(shown(path)):
        return _READERS[path.suffix.lower()](path)


def _read_tsv(path: Path) -> Cases:
    """Read a .tsv file: a row for each series, its class first, then its values."""
    where = shown(path)
    values: list[np.ndarray] = []
    words: list[str] = []
    for number, line in lines_of(path):
        word, *cells = line.split("\t")
        at = f"{where}: line {number}"
        if not cells:
            raise InputError(f"{at} has one cell: a .tsv file of series has a class and values, with tabs between them")
        if number == 1 and not _reads_as_number(cells[0]):
            raise InputError(
                f"{at} is a head line, which .tsv files of the UCR archive have not: save the table with commas as "
                ".csv and name its columns"
            )
        values.append(stacked([numbers_of(cells, at)], at))
        words.append(word)
        if values[-1].shape != values[0].shape:
            raise InputError(f"{at} has {len(cells)} values, the first line {values[0].shape[1]}: fill up with NaN")
    check_cases(values, where)
    return Cases(values=values, words=words, length=values[0].shape[1])


def _reads_as_number(cell: str) -> bool:
    try:
        numbers_of([cell], "")
    except InputError:
        return False
    return True


_READERS: Final = {".ts": read_ts, ".arff": read_arff, ".tsv": _read_tsv}


def _completed(cases: Cases, facts: SeriesFacts, path: Path) -> tuple[SeriesFacts, bool]:
    """Complete the user's facts by the classes of the header, and tell if that was done."""
    where = shown(path)
    if cases.words is not None and not (facts.class_names or facts.num_classes or cases.class_names):
        # Privacy: which classes occur is a fact about private records, so it is never read from the column.
        raise InputError(
            f"{where} does not list its classes: give their names as they are written, --class-names (in Python "
            "class_names=), or --num-classes if they are 0, 1, ..."
        )
    if cases.class_names and not facts.class_names:
        return dataclasses.replace(facts, class_names=cases.class_names), True
    return facts, False


def _rows(path: Path, cases: Cases, facts: SeriesFacts, windows: Windows | None) -> Rows:
    where, title = shown(path), title_of(path.stem, "series")
    class_names = facts.classes(cases.words is not None, where)
    words = None if cases.words is None else names_of_texts(cases.words, lambda place: f"{where}: series {place}")
    if words is not None and cases.class_names:
        _check_listed(words, cases.class_names, where)
    if facts.sample_rate is not None:
        check_clocks(cases, facts.sample_rate, where)
    values = [without_end(one) for one in cases.values]
    if windows is not None:
        classes = (
            None
            if words is None
            else [np.broadcast_to(word, one.shape[1]) for one, word in zip(values, words.tolist())]
        )
        spec = facts.spec(len(values[0]), windows.window, class_names)
        recordings = Recordings(values=values, classes=classes)
        labels = lambda cells: labels_of_words(cells, class_names, where)  # noqa: E731
        return rows_of_windows(title, where, recordings, windows, spec, facts, labels)
    filled = _filled(values, cases, facts, where)
    spec = facts.spec(filled.shape[1], filled.shape[2], class_names)
    y = None if words is None else labels_of_words(words, class_names, where)
    tally = RangeTally.of_series(spec)
    x = scaled(filled, spec, facts, where, tally)
    return Rows(name=title, spec=spec, x=x, y=y, ranges=tally.ranges())


def _check_listed(words: RowNames, class_names: tuple[str, ...], where: str) -> None:
    """Refuse a class that the header does not list, even if it could be the number of one."""
    listed = set(names_of_texts(class_names, lambda place: f"{where}: class {place + 1} of the header").tolist())
    for place, word in enumerate(words.tolist()):
        if word not in listed:
            raise InputError(
                f"{where}: the class of series {place} is none of the {len(class_names)} public classes that the "
                "header lists: correct the line, or the header"
            )


def _filled(values: list[np.ndarray], cases: Cases, facts: SeriesFacts, where: str) -> np.ndarray:
    """Return series as (num_series, channels, length), filled up with the lower bound if that is permitted."""
    length = facts.length or cases.length
    if length is None:
        # Privacy: the longest private series must not decide the length.
        raise InputError(
            f"{where} has series of several lengths: give --length, the public number of samples of a series (length= "
            "in Python), or --window to cut each series in windows"
        )
    lows = facts.spec(len(values[0]), length, ()).low
    filled = np.empty((len(values), len(values[0]), length))
    filled[:] = np.asarray(lows)[:, None]
    for place, one in enumerate(values):
        wrong = "more: cut it, or give a larger --length" if one.shape[1] > length else None
        if one.shape[1] < length and not facts.permit_shorter:
            wrong = "fewer: leave it out, or pad with --pad-shorter"
        if wrong is not None:
            raise InputError(f"{where}: series {place} has not {length} samples but {wrong}")
        filled[place, :, : one.shape[1]] = one
    return filled


def _test_beside(path: Path) -> Path | None:
    """Return the test set of the archive beside its training set, or None if there is none."""
    if not path.stem.endswith(_TRAIN):
        return None
    test = path.with_name(path.stem.removesuffix(_TRAIN) + _TEST + path.suffix)
    return test if is_file(test) else None
