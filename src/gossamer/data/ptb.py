"""Beats of the PTB Diagnostic ECG Database: healthy or after a myocardial infarction, by the header's diagnosis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.beat_rows import cut_recordings
from gossamer.data.beats import GAPS_NOTE, AbstractBeatLayout, KaggleLayout, Recording
from gossamer.data.files import is_folder, shown
from gossamer.data.mnist import published_roots
from gossamer.data.r_peaks import find_r_peaks
from gossamer.data.records import PublishedCounts, RecordData
from gossamer.data.splits import AbstractSplit, PeopleSplit, divide
from gossamer.data.wfdb_records import AbstractLeads, NamedLeads, Signal, find_recordings, read_signal
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

FOLDERS: Final = ("ptbdb", "ptbdb/1.0.0", "physionet.org/files/ptbdb/1.0.0", "ptb-diagnostic-ecg-database-1.0.0")
"""Folders, under a data folder, in which the folders of the patients are looked for."""
HOME: Final = "https://physionet.org/content/ptbdb/1.0.0/"
LEADS: Final = NamedLeads(names=("ii",))
"""Limb lead II."""
CLASSES: Final = ("healthy control", "myocardial infarction")
"""Diagnoses that are kept, as the Kaggle table keeps them. Recordings of any other are left out."""
PUBLISHED: Final = PublishedCounts(num_people=290)
"""People of all recordings, those of other diagnoses included. The number of beats is nowhere published."""
_REASON: Final = "reason for admission:"


def load_ptb(
    data_dir: Path | None = None,
    *,
    layout: AbstractBeatLayout | None = None,
    split: AbstractSplit | None = None,
    leads: AbstractLeads = LEADS,
    key: UnitKey | None = None,
) -> RecordData:
    """Read the beats of all recordings with one of the two diagnoses that are classes.

    The recordings have no annotations: `find_r_peaks` finds R peaks in the first of the wanted leads. The person is the
    patient's folder.

    Args:
        data_dir: Folder that `ptbdb` lies in, or None for the environment variable GOSSAMER_DATA.
        layout: Rule by which beats are cut, or None for that of the Kaggle table.
        split: Split into training and test beats, or None for about a fifth of the people.
        leads: Choice of the signals.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        Beats with the person they are of.

    Raises:
        InputError: The recordings are not there, one is damaged, or none has one of the two diagnoses.

    References:
        R. Bousseljot, D. Kreiseler, A. Schnabel, "Nutzung der EKG-Signaldatenbank CARDIODAT der PTB über das
        Internet", Biomedizinische Technik 40(S1), 1995.
    """
    layout = layout or KaggleLayout()
    patients = find_ptb(data_dir)
    people = {f"{patient.name}/{name}": patient.name for patient in patients for name in find_recordings(patient)}
    recordings = (found for patient in patients for found in _diagnosed(patient, leads))
    rows = cut_recordings("ptbdb", layout.spec(leads.channel_names, CLASSES), recordings, layout, people)
    published = "Classes, sample rate and people are those published for the PTB Diagnostic ECG Database."
    # Privacy: the same sentences whichever recordings lie on the disk.
    some = "The recordings are taken for those of the published set, or some of them: their bytes were not compared."
    peaks = "R peaks were found by a detector, for each recording by itself."
    return divide(rows, split or PeopleSplit(), (published, some, peaks, layout.note, GAPS_NOTE), key, PUBLISHED)


def diagnosis(signal: Signal, where: str) -> int | None:
    """Return the class of a recording by its header, or None for a diagnosis that is no class.

    Raises:
        InputError: The header names no reason for admission.
    """
    for line in signal.comments:
        if line.casefold().startswith(_REASON):
            reason = line[len(_REASON) :].strip().casefold()
            return CLASSES.index(reason) if reason in CLASSES else None
    raise InputError(f"{where}: the header names no 'Reason for admission': copy the header of the database again")


def _diagnosed(patient: Path, leads: AbstractLeads) -> Iterator[Recording]:
    for name in find_recordings(patient):
        signal = read_signal(patient, name, leads)
        label = diagnosis(signal, f"{shown(patient / name)}.hea")
        if label is None:
            continue
        peaks = find_r_peaks(signal.values[:, 0], signal.sample_rate)
        yield Recording(
            name=f"{patient.name}/{name}",
            signal=signal.values,
            sample_rate=signal.sample_rate,
            peaks=peaks,
            labels=np.full(len(peaks), label, dtype=np.int64),
        )


def find_ptb(data_dir: Path | None) -> list[Path]:
    """Return the folders of the patients.

    Raises:
        InputError: The folders are not there.
    """
    roots = published_roots(data_dir)
    for root in roots:
        for folder in FOLDERS:
            if is_folder(root / folder):
                patients = sorted(path for path in (root / folder).glob("patient*") if is_folder(path))
                if patients:
                    return patients
    raise InputError(
        f"ptbdb is not in {' or '.join(shown(root / FOLDERS[0]) for root in roots)}: fetch it from {HOME}, put its "
        "folders patient001, ... there, or name the folder above with --data-dir or GOSSAMER_DATA"
    )
