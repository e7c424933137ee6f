"""A user's own folder of WFDB recordings, cut in windows. No annotation is needed, and none is read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from gossamer.data.files import shown, title_of
from gossamer.data.machines import left_out_notes
from gossamer.data.people_file import names_of_recordings, refuse_doubles
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import WHOLE, AbstractSplit, divide
from gossamer.data.wfdb_places import STRAYS, WfdbPlaces, find_places
from gossamer.data.wfdb_records import AbstractLeads, read_signal
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey


def load_wfdb_windows(
    path: Path,
    windows: Windows,
    facts: SeriesFacts,
    *,
    leads: AbstractLeads | None = None,
    split: AbstractSplit = WHOLE,
    key: UnitKey | None = None,
) -> RecordData:
    """Read windows of a folder of recordings.

    People are those of `load_wfdb_folder`. If nobody says them, the unit that is told apart is the recording. Missing
    samples, among them the gaps between segments, stand in no window.

    Args:
        path: Folder with headers and signal files, or with a sub-folder of these for each person.
        windows: Rule by which recordings are cut.
        facts: Public facts: bounds in the units of the signals, and perhaps the sample rate.
        leads: Choice of the signals. None for the first one, which must have one name in all recordings.
        split: Rule by which windows are held out for testing.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        Windows without labels, voltages in millivolts.

    Raises:
        InputError: A file is missing or damaged, recordings differ in signals, units or rates, or bounds are missing.
    """
    where, found = shown(path), find_places(path)
    chosen, units = found.chosen(leads), found.units(leads)
    _check_facts(where, facts, units)
    rate = found.sample_rate(chosen, facts.sample_rate)
    facts = dataclasses.replace(facts, channel_names=chosen.channel_names, units=units, sample_rate=rate)
    spec = facts.spec(len(units), windows.window, ())
    check_num_values(where, found.num_samples(chosen) * spec.channels)
    recordings = Recordings(
        values=(read_signal(place.folder, place.header.name, chosen).values.T for place in found.places),
        names=None if found.people is not None else np.array(_names(found, where)),
        people=None if found.people is None else np.array([found.people[place.name] for place in found.places]),
    )
    rows = rows_of_windows(title_of(path.name, "recordings"), where, recordings, windows, spec, facts)
    rows = dataclasses.replace(rows, left_out={**rows.left_out, STRAYS: found.num_strays})
    machines = left_out_notes(entry.name for entry in path.iterdir())
    return divide(rows, split, (*facts.notes(False), found.note_on_signals(leads), *machines), key)


def _check_facts(where: str, facts: SeriesFacts, units: tuple[str, ...]) -> None:
    if facts.class_names:
        raise InputError(f"{where} is cut in windows, which have no classes: leave --class-names out")
    if facts.units:
        raise InputError(f"{where}: units are those of the headers, and all voltages are read in mV: leave --units out")
    if not facts.has_bounds:
        raise InputError(
            f"{where}: give public bounds of the values in {', '.join(units)} (--low, --high): take them from the "
            "recorder or from the body, never from the values"
        )


def _names(found: WfdbPlaces, where: str) -> list[str]:
    """Return the names of recordings of which nobody says the person."""
    names = names_of_recordings([place.name for place in found.places], f"{where}: recording")
    refuse_doubles(names, where)
    return names
