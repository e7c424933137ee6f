"""Recordings of a WFDB folder by their headers: their places, their people, and the signals that all have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer.data.files import check_link, is_folder, shown
from gossamer.data.machines import is_left_out
from gossamer.data.people_file import names_of_recordings, people_of_recordings, refuse_people_file
from gossamer.data.wfdb_headers import Header, count_strays, find_recordings, read_header
from gossamer.data.wfdb_records import MILLIVOLTS, AbstractLeads, NamedLeads, unit_of
from gossamer.errors import InputError

STRAYS: Final = "signal files that no header names"
"""Reason for which a signal file is not read."""
_SHOWN: Final = 20
_SAME_RATE: Final = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """A recording of a folder: the folder of its files, its header, and a mark that the folder is a person's."""

    folder: Path
    header: Header
    is_of_person: bool

    @property
    def name(self) -> str:
        """Name of the recording, behind that of its person's folder if there is one."""
        return f"{self.folder.name}/{self.header.name}" if self.is_of_person else self.header.name

    @property
    def where(self) -> str:
        """Header, quoted: the beginning of a message."""
        return f"{shown(self.folder / self.header.name)}.hea"


@dataclass(frozen=True, kw_only=True, eq=False)
class WfdbPlaces:
    """The recordings of a folder. Private, but for names, units and rates of signals.

    Args:
        path: The folder.
        folders: Sub-folders of people, or none.
        places: All recordings.
        people: Name of a recording -> name of its person, or None if nobody says.
    """

    path: Path
    folders: tuple[Path, ...]
    places: tuple[Place, ...]
    people: Mapping[str, str] | None

    @property
    def num_strays(self) -> int:
        """Number of signal files that no header names. Private."""
        return sum(count_strays(folder) for folder in {self.path, *self.folders})

    def chosen(self, asked: AbstractLeads | None) -> AbstractLeads:
        """Return the signals that were asked for, or else the first one, if it has one name in all recordings.

        Raises:
            InputError: It has several. The message names the signals that all recordings have.
        """
        if asked is not None:
            return asked
        name = self.places[0].header.signals[0]
        if all(place.header.signals[0].casefold() == name.casefold() for place in self.places):
            return NamedLeads(names=(name,))
        raise InputError(
            f"{shown(self.path)}: the first signal is not the same in all recordings: name one with --channel-names. "
            f"{self._in_all()}"
        )

    def _in_all(self) -> str:
        """Return the sentence on the signals that all recordings have."""
        sets = [{name.casefold() for name in place.header.signals} for place in self.places]
        shared = [name for name in self.places[0].header.signals if all(name.casefold() in names for names in sets)]
        if not shared:
            return "No signal is in all recordings: hand over a folder of those that have it"
        return f"All recordings have: {', '.join(shown(name) for name in shared[:_SHOWN])}"

    def units(self, asked: AbstractLeads | None) -> tuple[str, ...]:
        """Return the unit of each channel, the same in all recordings.

        Raises:
            InputError: A recording lacks a signal, has several of its name, or has it in another unit. Or it is no
                voltage, and nobody named it.
        """
        leads, found = self.chosen(asked), ()
        for place in self.places:
            names = [name.casefold() for name in place.header.signals]
            for name in leads.channel_names:
                if name.casefold() not in names:
                    raise InputError(f"{place.where} has no signal {shown(name)}: name others. {self._in_all()}")
                if asked is not None and names.count(name.casefold()) > 1:
                    raise InputError(
                        f"{place.where} has several signals {shown(name)}: leave --channel-names out for the first "
                        "signal of each recording, or give them names of their own in the header"
                    )
            units = tuple(unit_of(place.header.units[at]) for at in _signals_of(place, leads))
            if found and units != found:
                raise InputError(
                    f"{shown(self.path)}: a signal has one unit in some recordings and another in others: name other "
                    "signals with --channel-names, or hand over a folder for each unit"
                )
            found = units
        if asked is None and set(found) != {MILLIVOLTS}:
            raise InputError(
                f"{shown(self.path)}: the first signal is in {shown(found[0][:20])}, which is no voltage: name the "
                "signals to take with --channel-names"
            )
        return found

    def sample_rate(self, leads: AbstractLeads, wanted: float | None) -> float:
        """Return the rate of the signals in Hz, the same in all recordings.

        Args:
            leads: Signals that all recordings have.
            wanted: Rate that the user states, or None.

        Raises:
            InputError: There are several rates, or another than the stated one.
        """
        rates = [
            place.header.frame_rate * place.header.samples_per_frame(_signals_of(place, leads), place.where)
            for place in self.places
        ]
        expected = rates[0] if wanted is None else wanted
        if all(math.isclose(rate, expected, rel_tol=_SAME_RATE) for rate in rates):
            return rates[0]
        found = ", ".join(f"{rate:g}" for rate in sorted(set(rates))[:_SHOWN])
        raise InputError(
            f"{shown(self.path)}: the signals have {found} samples a second, and windows need one rate: hand over a "
            "folder for each rate, give that rate as --sample-rate or leave it out, or resample the recordings first"
        )

    def num_samples(self, leads: AbstractLeads) -> int:
        """Return the number of samples of a channel in all recordings together. Private."""
        return sum(
            place.header.num_frames * place.header.samples_per_frame(_signals_of(place, leads), place.where)
            for place in self.places
        )

    def note_on_signals(self, asked: AbstractLeads | None) -> str:
        """Return the sentence on names and units of the signals."""
        who = "its first in every recording, which nobody chose" if asked is None else "named by the user"
        named = zip(self.chosen(asked).channel_names, self.units(asked), strict=True)
        what = ", ".join(f"{name} ({unit})" for name, unit in named)
        return f"Names and units of signals are public facts of the headers: {what}, {who}."


def _signals_of(place: Place, leads: AbstractLeads) -> list[int]:
    return leads.find(list(place.header.signals), place.where)


def find_places(path: Path) -> WfdbPlaces:
    """Find the recordings of a folder, or of its sub-folders, one for each person. Read their headers and people.

    Raises:
        InputError: A header breaks a rule, or a recording has no person while others do.
    """
    _check_links(path)
    inside = sorted(entry for entry in path.iterdir() if is_folder(entry) and not is_left_out(entry.name))
    folders = tuple(folder for folder in inside if _holds_recordings(folder))
    if folders and next(path.glob("*.hea"), None) is not None:
        raise InputError(f"{shown(path)} holds recordings and sub-folders: put every person into a sub-folder")
    places = tuple(
        Place(folder=folder, header=read_header(folder, name), is_of_person=bool(folders))
        for folder in folders or (path,)
        for name in find_recordings(folder)
    )
    return WfdbPlaces(path=path, folders=folders, places=places, people=_people_of(path, folders, places))


def _holds_recordings(folder: Path) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in ("*.hea", "RECORDS"))


def _people_of(path: Path, folders: tuple[Path, ...], places: tuple[Place, ...]) -> dict[str, str] | None:
    if not folders:
        return people_of_recordings(path, [place.name for place in places])
    refuse_people_file(path, folders)
    owners = names_of_recordings([folder.name for folder in folders], f"{shown(path)}: sub-folder")
    person = dict(zip(folders, owners, strict=True))
    return {place.name: person[place.folder] for place in places}


def _check_links(path: Path) -> None:
    root = path.resolve()
    for pattern in ("*", "*/*"):
        for entry in path.glob(pattern):
            check_link(entry, root)
