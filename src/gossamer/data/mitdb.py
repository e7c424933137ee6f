"""Beats of the MIT-BIH Arrhythmia Database: 48 recordings of 47 people, five AAMI classes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gossamer.data.beat_rows import cut_recordings
from gossamer.data.beats import AAMI_CLASSES, GAPS_NOTE, AbstractBeatLayout, KaggleLayout
from gossamer.data.files import is_file, shown
from gossamer.data.mitdb_files import are_published
from gossamer.data.mnist import published_roots
from gossamer.data.published import others_note
from gossamer.data.records import PublishedCounts, RecordData
from gossamer.data.splits import AbstractSplit, RandomSplit, RecordingLists, Rows, divide
from gossamer.data.wfdb_records import AbstractLeads, MainLead, find_recordings, read_annotated
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

FOLDERS: Final = ("mitdb", "mitdb/1.0.0", "physionet.org/files/mitdb/1.0.0", "mit-bih-arrhythmia-database-1.0.0")
"""Folders, under a data folder, in which the recordings are looked for."""
HOME: Final = "https://physionet.org/content/mitdb/1.0.0/"
LEADS: Final = MainLead(preferred="MLII")
"""The modified limb lead II, which 46 of the 48 recordings have. The other two use their first signal, V5."""
WITHOUT_MLII: Final = ("102", "104")
"""Recordings without the modified limb lead II."""
ONE_MAN: Final = {"202": "201"}
"""Recordings of a person whom an earlier recording shows: 202 is from the tape of 201."""
DS1: Final = (
    "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122",
    "124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
)  # fmt: skip
DS2: Final = (
    "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210",
    "212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
)  # fmt: skip
PACED: Final = ("102", "104", "107", "217")
"""Recordings with paced beats, which belong to neither list."""
NUM_RECORDINGS: Final = 48
PUBLISHED: Final = PublishedCounts(num_records=109_494, num_people=47)
"""Beats with an AAMI class, of which a layout may leave some out, and people."""

DE_CHAZAL: Final = RecordingLists(
    title="DS1 for training, DS2 for testing (de Chazal 2004), the paced recordings left out; "
    "recordings 201 and 202 are one man, who stands on both sides",
    train=DS1,
    test=DS2,
)
"""Lists as published: P. de Chazal, M. O'Dwyer, R. B. Reilly, IEEE Trans. Biomed. Eng. 51(7), 2004."""
BETWEEN_PEOPLE: Final = RecordingLists(
    title="DS1 for training, DS2 for testing (de Chazal 2004), the paced recordings left out, and 202, "
    "which shows the man of 201",
    train=DS1,
    test=tuple(name for name in DS2 if name not in ONE_MAN),
)
"""The published lists without the man who stands in both."""


def load_mitdb(
    data_dir: Path | None = None,
    *,
    layout: AbstractBeatLayout | None = None,
    split: AbstractSplit | None = None,
    leads: AbstractLeads = LEADS,
    key: UnitKey | None = None,
) -> RecordData:
    """Read all beats with an AAMI class.

    Guarantee:
        The published name and counts are claimed only if every recording in the folder is a published one, by the
        SHA-256 of its files. Other recordings are read, and a note says so.

    Args:
        data_dir: Folder that `mitdb` lies in, or None for the environment variable GOSSAMER_DATA.
        layout: Rule by which beats are cut, or None for that of the Kaggle table.
        split: Split into training and test beats, or None for about a fifth of the beats at random.
        leads: Choice of the signals: by default MLII, and V5 in the recordings 102 and 104, which have no MLII.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        Beats with the person they are of.

    Raises:
        InputError: The recordings are not there, or one is damaged.

    References:
        G. B. Moody, R. G. Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE Eng. in Med. and Biol. 20(3),
        2001.
    """
    layout = layout or KaggleLayout()
    folder = find_mitdb(data_dir)
    rows = read_mitdb(data_dir, layout, leads)
    split = split or RandomSplit()
    if not are_published(folder, find_recordings(folder)):
        return divide(rows, split, (others_note("the MIT-BIH Arrhythmia Database"), layout.note), key)
    published = "Classes, sample rate and people are those published for the MIT-BIH Arrhythmia Database."
    # Privacy: the sentence is the same whichever of the recordings lie on the disk.
    some = "The recordings are those of the published set, or some of them."
    notes = (published, some, _note_on_leads(leads), layout.note, GAPS_NOTE)
    return divide(rows, split, notes, key, PUBLISHED)


def _note_on_leads(leads: AbstractLeads) -> str:
    """Return the sentence on the signals, the same whichever of the recordings lie on the disk."""
    if leads == LEADS:
        return f"The signal is MLII, and V5 in the recordings {' and '.join(WITHOUT_MLII)}, which have no MLII."
    return "The signals were named by the user."


def read_mitdb(data_dir: Path | None, layout: AbstractBeatLayout, leads: AbstractLeads) -> Rows:
    """Read all beats before they are split, as `load_mitdb` does."""
    folder = find_mitdb(data_dir)
    names = find_recordings(folder)
    recordings = (read_annotated(folder, name, leads, "atr") for name in names)
    spec = layout.spec(leads.channel_names, AAMI_CLASSES)
    people = {name: ONE_MAN.get(name, name) for name in names}
    return cut_recordings("mitdb", spec, recordings, layout, people)


def find_mitdb(data_dir: Path | None) -> Path:
    """Return the folder of the recordings.

    Raises:
        InputError: The recordings are not there.
    """
    roots = published_roots(data_dir)
    for root in roots:
        for folder in FOLDERS:
            # Any of them will do: a missing recording must not decide that the set is found.
            if any(is_file(root / folder / f"{name}.hea") for name in (*DS1, *DS2, *PACED)):
                return root / folder
    raise InputError(
        f"mitdb is not in {' or '.join(shown(root / FOLDERS[0]) for root in roots)}: fetch it from {HOME}, put its "
        f"{NUM_RECORDINGS} recordings there, or name the folder above with --data-dir or GOSSAMER_DATA"
    )
