"""The four CSV files of the Kaggle table of heartbeats, if a user has them: no head line, and no row lost."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.beats import AAMI_CLASSES, KaggleLayout
from gossamer.data.columns import read_csv_numbers
from gossamer.data.files import is_file, shown
from gossamer.data.mnist import published_roots
from gossamer.data.ptb import CLASSES as PTB_CLASSES
from gossamer.data.records import PublishedCounts, RecordData
from gossamer.data.series import SeriesSpec
from gossamer.data.splits import WHOLE, AbstractSplit, RandomSplit, Rows, divide
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

FOLDERS: Final = ("heartbeat", "kaggle-heartbeat", ".")
"""Folders, under a data folder, in which the files are looked for."""
MITBIH_FILES: Final = ("mitbih_train.csv", "mitbih_test.csv")
PTB_FILES: Final = ("ptbdb_normal.csv", "ptbdb_abnormal.csv")
NUM_MITBIH_TRAIN: Final = 87_554
"""Rows of `mitbih_train.csv`, as published."""
NUM_PTB: Final = 14_552
"""Rows of both files of PTB, as published."""
_LAYOUT: Final = KaggleLayout()
_NOTE: Final = (
    "Classes, length and sample rate are those published for the table; a record is one row, and the table says "
    "nothing about the person it is of. The files are taken for the published ones: their bytes were not compared."
)


def load_kaggle_mitbih(data_dir: Path | None = None) -> RecordData:
    """Read `mitbih_train.csv` and `mitbih_test.csv`, in the table's own split.

    Args:
        data_dir: Folder that they lie in, or that has a `heartbeat` folder of them. None for GOSSAMER_DATA.

    Returns:
        Beats of five classes, without people.

    Raises:
        InputError: A file is missing, damaged, or not of this table.
    """
    train, test = find_kaggle(data_dir, MITBIH_FILES)
    spec = _LAYOUT.spec(("MLII",), AAMI_CLASSES)
    sides = [divide(_rows(name, path, spec), WHOLE, (_NOTE,)) for name, path in (("mitbih", train), ("test", test))]
    published = PublishedCounts(num_records=NUM_MITBIH_TRAIN)
    return RecordData(train=sides[0].train, test=sides[1].train, public_notes=(_NOTE,), published=published)


def load_kaggle_ptb(
    data_dir: Path | None = None, *, split: AbstractSplit | None = None, key: UnitKey | None = None
) -> RecordData:
    """Read `ptbdb_normal.csv` and `ptbdb_abnormal.csv` and split them once.

    Args:
        data_dir: Folder that they lie in, or that has a `heartbeat` folder of them. None for GOSSAMER_DATA.
        split: None for about a fifth of the rows at random. No row stands on both sides.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        Beats of two classes, without people.

    Raises:
        InputError: A file is missing, damaged, or not of this table.
    """
    spec = _LAYOUT.spec(("ii",), PTB_CLASSES)
    parts = [_rows("ptbdb", path, spec) for path in find_kaggle(data_dir, PTB_FILES)]
    for label, part in enumerate(parts):
        assert part.y is not None
        if (part.y != label).any():
            raise InputError(f"{PTB_FILES[label]} has a row of another class: copy the file again")
    labels = [part.y for part in parts if part.y is not None]
    rows = Rows(name="ptbdb", spec=spec, x=np.concatenate([part.x for part in parts]), y=np.concatenate(labels))
    published = PublishedCounts(num_records=NUM_PTB)
    return divide(rows, split or RandomSplit(), (_NOTE,), key, published)


def find_kaggle(data_dir: Path | None, names: tuple[str, str]) -> tuple[Path, Path]:
    """Return the two files of a table, `MITBIH_FILES` or `PTB_FILES`.

    Raises:
        InputError: The files are not there.
    """
    roots = published_roots(data_dir)
    for root in roots:
        for folder in FOLDERS:
            paths = (root / folder / names[0], root / folder / names[1])
            if all(map(is_file, paths)):
                return paths
    raise InputError(
        f"{names[0]} and {names[1]} are not in {' or '.join(shown(root / FOLDERS[0]) for root in roots)}: put both "
        "there, or name the folder above with --data-dir or GOSSAMER_DATA"
    )


def _rows(name: str, path: Path, spec: SeriesSpec) -> Rows:
    """Read all rows of one file: the values, and the class in the last column."""
    table, where = read_csv_numbers(path), shown(path)
    if table.shape[1] != spec.length + 1:
        raise InputError(
            f"{where} has {table.shape[1]} columns, not {spec.length + 1}: it is not of this table; use the file as "
            "it was published"
        )
    values, labels = table[:, :-1], table[:, -1]
    outside = np.flatnonzero(~((values >= 0) & (values <= 1)).all(axis=1))
    if outside.size:
        raise InputError(f"{where}: row {int(outside[0]) + 1} has a value outside [0, 1]: it is not of this table")
    wrong = np.flatnonzero((labels != np.floor(labels)) | (labels < 0) | (labels >= spec.num_classes))
    if wrong.size:
        raise InputError(
            f"{where}: row {int(wrong[0]) + 1} has no class 0 to {spec.num_classes - 1} in its last column"
        )
    return Rows(name=name, spec=spec, x=values[:, None].astype(np.float32), y=labels.astype(np.int64))
