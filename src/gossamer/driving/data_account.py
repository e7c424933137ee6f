"""All releases from one data set in some folders, and the price of all of them together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gossamer.driving.branches import joint_prices
from gossamer.driving.job import TrainingJob, whole_path
from gossamer.errors import GossamerError, InputError
from gossamer.privacy.statement import PrivacyStatement
from gossamer.reports.page.together import Together
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import saved_generators
from gossamer.runs.verification import read_statement

_DEEPEST = 4
MOST_FOLDERS = 20_000
"""Number of folders under one root after which no further ones are opened."""
_DIGEST_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """A run on the data set that was asked for.

    Attributes:
        folder: of the run.
        job: its settings.
        statement: of the dearest generator that it released, None if it released none yet.
    """

    folder: RunFolder
    job: TrainingJob
    statement: PrivacyStatement | None

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.folder.path)


@dataclass(frozen=True, kw_only=True)
class NamedClaim:
    """A claim with the name of its run, as `Together` adds claims up.

    Attributes:
        name: of the run.
        statement: its claim.
    """

    name: str
    statement: PrivacyStatement


@dataclass(frozen=True, kw_only=True)
class DataAccount:
    """The releases from one data set.

    Attributes:
        runs: all runs that were found on it, by path.
        unread: paths of runs that could not be read, and may be on it.
        cut_short: folders to look in that hold too many folders, so that some of those were not looked into.
        together: price of all releases, None without a release, or if no one sum holds for them.
        reason: sentence on why no one sum holds, empty if one does.
    """

    runs: tuple[FoundRun, ...]
    unread: tuple[str, ...]
    cut_short: tuple[str, ...]
    together: Together | None
    reason: str

    @property
    def released(self) -> tuple[NamedClaim, ...]:
        """The claims of the runs with a release."""
        return tuple(
            NamedClaim(name=one.name, statement=one.statement) for one in self.runs if one.statement is not None
        )


def account_of_data(data: str, roots: Sequence[Path]) -> DataAccount:
    """Find all runs on one data set in some folders, and price their releases together.

    A run belongs to the data set if it was trained on that name or path. It also does if its records are equal to
    those of such a run, as the digests in `private/` tell.

    Guarantee:
        The sum holds for the runs that were found here. Runs elsewhere, in Python without a folder, or deleted since
        are not in it.

    Args:
        data: name of a published set, or path of the user's own, as `gossamer train --data` took it.
        roots: folders to look in.

    Raises:
        InputError: a folder that is not there, or data that are neither there nor those of any run.
    """
    for root in roots:
        if not root.is_dir():
            raise InputError(f"--under {root}: no such folder; name the folders in which runs lie")
    folders, cut_short = find_runs_under(roots)
    jobs, unread = _read_all(folders)
    name = whole_path(data)
    digests = {_data_digest(folder) for folder, job in jobs if job.data == name} - {None}
    mine = [(folder, job) for folder, job in jobs if job.data == name or _data_digest(folder) in digests]
    if not mine and not unread and not cut_short and Path(name).is_absolute() and not Path(name).exists():
        # A slip in the path would read as if nothing had been spent.
        raise InputError(
            f"--data {data}: no such file or data set, and no run here learnt from it; name the data as `gossamer "
            "train` took them"
        )
    runs = tuple(FoundRun(folder=folder, job=job, statement=_dearest(folder)) for folder, job in mine)
    together, reason = _price(runs)
    return DataAccount(runs=runs, unread=unread, cut_short=cut_short, together=together, reason=reason)


def find_runs_under(roots: Iterable[Path]) -> tuple[tuple[RunFolder, ...], tuple[str, ...]]:
    """Find run folders, each once, at most four folders deep. Links and hidden folders are not followed.

    Returns:
        The run folders, and those roots of which not every folder was looked into, since they hold too many.
    """
    found: dict[Path, RunFolder] = {}
    cut_short: dict[str, None] = {}
    for root in roots:
        start = len(root.resolve().parts)
        for number, (path, folders, files) in enumerate(os.walk(root)):
            here = Path(path)
            is_run = "config.json" in files and "release" in folders
            is_deep = len(here.resolve().parts) - start >= _DEEPEST
            folders[:] = [] if is_run or is_deep else sorted(one for one in folders if not one.startswith("."))
            if folders and number > MOST_FOLDERS:
                folders.clear()
                cut_short[str(root)] = None
            if is_run:
                found.setdefault(here.resolve(), RunFolder(here))
    return tuple(found.values()), tuple(cut_short)


def _read_all(folders: Iterable[RunFolder]) -> tuple[list[tuple[RunFolder, TrainingJob]], tuple[str, ...]]:
    found: list[tuple[RunFolder, TrainingJob]] = []
    unread: list[str] = []
    for folder in folders:
        try:
            found.append((folder, TrainingJob.read(folder)))
        except GossamerError:
            unread.append(str(folder.path))
    return found, tuple(unread)


def _data_digest(folder: RunFolder) -> str | None:
    with contextlib.suppress(OSError):
        text = (folder.private / "data.sha256").read_bytes()[:_DIGEST_BYTES].decode("ascii", errors="replace")
        return text if len(text) == _DIGEST_BYTES else None
    return None


def _dearest(folder: RunFolder) -> PrivacyStatement | None:
    """Return the statement of the last generator that a run released. Its price holds for all before it too."""
    saved = saved_generators(folder)
    places = [folder.release] if folder.generator_file.is_file() else [saved[-1].path] if saved else []
    return next((read_statement(place) for place in places), None)


def _price(runs: Sequence[FoundRun]) -> tuple[Together | None, str]:
    """Return the price of all releases, or the reason why there is no one sum."""
    released = [one for one in runs if one.statement is not None]
    if not released:
        return None, "nothing is released yet, so nothing is spent that anybody could see"
    insecure = [one.name for one in released if one.statement is not None and not one.statement.is_secure]
    if insecure:
        return None, f"{insecure[0]} was made with test noise: nothing is guaranteed for these records"
    readings = {(repr(one.job.images), repr(one.job.series), one.job.num_classes) for one in released}
    if len(readings) > 1 and any(one.statement is not None and not one.statement.unit.is_group for one in released):
        # Privacy: a record of one reading may be many records, or a part of one, in another.
        return None, "the runs read the data in different ways, so that a record of one is not a record of another"
    claims = [NamedClaim(name=one.name, statement=one.statement) for one in released if one.statement is not None]
    together = Together.of(claims, joint_prices(one.folder for one in released) if len(released) > 1 else {})
    if together is None:
        return None, "the runs protect different units, or different changes of the data"
    return together, ""
