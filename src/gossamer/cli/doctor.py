"""`gossamer doctor`: is everything there that is needed, and a way out for all that is not."""

from __future__ import annotations

import enum
import functools
import importlib.metadata
import importlib.util
import json
import locale
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from gossamer.cli.arguments import read_arguments
from gossamer.errors import InputError, one_line
from gossamer.extras import MODULES, need

OLDEST_PYTHON: Final = (3, 11)
LEAST_DISK_BYTES: Final = 2**28
LEAST_MEMORY_BYTES: Final = 2**29
_CORE: Final = ("torch", "numpy", "scipy", "dp-accounting", "cryptography", "safetensors", "rich", "pillow")
_RUNS: Final = Path("runs")
_MOST_FILES: Final = 100_000
_AGAIN: Final = "install again by `make install`, and tell us if it stays"


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Look at everything that is needed: versions, device, data, cache, disk, memory, terminal, a self test.

    Exit code 0, also if something is missing that only some commands need. Exit code 4 if there is a problem. Each
    line says the way out. Nothing is changed and nothing is sent anywhere.

    Example: gossamer doctor

    Args:
        json: print JSON
    """

    json: bool = False


class Verdict(enum.Enum):
    """The finding of a check."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        verdict: as it should be, missing (needed by some commands only) or a problem.
        what: the finding, and the way out.
        section: the name above it.
    """

    verdict: Verdict
    what: str
    section: str = ""


def run(arguments: Sequence[str]) -> int:
    """Look at everything."""
    asked = read_arguments(Doctor, arguments, program="doctor")
    checks, section = [], ""
    for check in examine():
        checks.append(check)
        if not asked.json:
            if check.section != section:
                print(f"{'' if not section else chr(10)}{check.section}")
            section = check.section
            print(f"  {check.verdict.value:<8} {one_line(check.what)}", flush=True)
    num_problems = sum(check.verdict is Verdict.PROBLEM for check in checks)
    if asked.json:
        found = [{"section": one.section, "verdict": one.verdict.value, "what": one.what} for one in checks]
        print(json.dumps(found, indent=2))
    elif num_problems:
        print(f"\n{num_problems} to mend: see the lines that begin with problem.")
    else:
        print("\nAll is well. What is missing is needed only by the commands that its line names.")
    return 4 if num_problems else 0


def examine() -> Iterator[Check]:
    """Make every check. Heavy modules are imported there, for they may be broken."""
    for name, look in SECTIONS.items():
        try:
            yield from (replace(check, section=name) for check in look())
        except Exception as error:  # of any kind: the person came here to learn of it
            yield Check(Verdict.PROBLEM, f"{type(error).__name__}: {error}; {_AGAIN}", name)


def _well(what: str) -> Check:
    return Check(Verdict.OK, what)


def _needed(is_well: bool, what: str, otherwise: str) -> Check:
    return _well(what) if is_well else Check(Verdict.PROBLEM, f"{what}{otherwise}")


def _had(what: str, look: Callable[[], object]) -> Check:
    try:
        look()
    except InputError as error:
        return Check(Verdict.MISSING, str(error))
    return _well(what)


def _versions() -> Iterator[Check]:
    is_new = sys.version_info[:2] >= OLDEST_PYTHON
    oldest = ".".join(map(str, OLDEST_PYTHON))
    yield _needed(is_new, f"python {platform.python_version()}", f": install {oldest} or newer, and Gossamer in it")
    yield _well(f"gossamer {importlib.metadata.version('gossamer')}")
    yield _well(", ".join(f"{name} {importlib.metadata.version(name)}" for name in _CORE))


def _extras() -> Iterator[Check]:
    for extra, modules in MODULES.items():
        yield _had(f"{extra}: {', '.join(modules)}", functools.partial(need, extra, extra))


def _machine() -> Iterator[Check]:
    import torch

    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    device = "none that torch can use, and none is needed"
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
        device = f"{torch.cuda.get_device_name(0)}, {_size(memory)}; --device auto takes it"
    yield _well(f"{platform.machine()}, {threads} threads on {cores} cores")
    yield _well(f"GPU: {device}")
    free = _free_memory()
    if free is not None:
        way_out = ", which is little; close other programs, or train with fewer critics at once"
        yield _needed(free >= LEAST_MEMORY_BYTES, f"memory: {_size(free)} free", way_out)


def _free_memory() -> int | None:
    """Read the bytes that a program can still get, if the system says so."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _places() -> Iterator[Check]:
    from gossamer.runs.cache import CacheFolder

    yield _writable(_RUNS, "runs", "go to a folder of yours, or name another one with --out")
    cache = CacheFolder.default().path
    yield _writable(cache, "cache", "set GOSSAMER_CACHE to a folder of yours")
    yield _well(f"the cache holds {_held(cache)}; it may be deleted")


def _writable(folder: Path, name: str, way_out: str) -> Check:
    """Try to make a file in a folder, or the nearest one above it that is there, and say how much room is left."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(Verdict.PROBLEM, f"{name}: {there}: {error.strerror or type(error).__name__}; {way_out}")
    told = f"{name}: {folder.absolute()} can be written, {_size(free)} free"
    return _needed(free >= LEAST_DISK_BYTES, told, f", which is little; free space, or {way_out}")


def _held(folder: Path) -> str:
    num_files, size = 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            num_files += 1
            size += Path(place, name).lstat().st_size
        if num_files > _MOST_FILES:
            break
    return f"{num_files} files, {_size(size)}"


def _data() -> Iterator[Check]:
    from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES

    where = os.environ.get("GOSSAMER_DATA")
    told = f"GOSSAMER_DATA is {where}" if where else "GOSSAMER_DATA is not set; named sets lie there, or in --data-dir"
    yield _needed(not where or Path(where).is_dir(), told, ", which is no folder; correct or unset it")
    for data in (*NAMED_DATA, *NAMED_SERIES):
        yield _had(f"{data.name}: {data.summary}", functools.partial(_look_for, data.name))


def _look_for(data: str) -> None:
    from gossamer.data.catalogue import check_on_disk

    if data == "digits" and importlib.util.find_spec("sklearn") is None:
        need("evaluate", "digits")
    if data == "mnist5k":
        need("demo", "mnist5k")
    check_on_disk(data)


def _terminal() -> Iterator[Check]:
    console, encoding = Console(), locale.getpreferredencoding(False)
    kind = console.color_system or "no" if console.is_terminal else "no"
    told = f"{shutil.get_terminal_size().columns} columns, {kind} colours, {encoding}"
    yield _well(told + ("" if console.is_terminal else "; not a terminal, so no live display"))
    # A person may have it elsewhere; that it is not found is no more than a hint.
    if not Path("~/.local/share/bash-completion/completions/gossamer").expanduser().is_file():
        what = "completion by the tab key: `gossamer completion bash` (or zsh, fish) says how to get it"
        yield Check(Verdict.MISSING, what)


def _self_test() -> Iterator[Check]:
    from gossamer.cli.self_test import TESTS

    for test in TESTS:
        began = time.perf_counter()
        try:
            yield _well(f"{test()} ({time.perf_counter() - began:.1f} s)")
        except Exception as error:  # as in `examine`, and the next test is tried
            yield Check(Verdict.PROBLEM, f"{test.__name__.replace('_', ' ')}: {error}; {_AGAIN}")


def _size(num_bytes: float) -> str:
    """Write a number of bytes in a unit that a person can read.

    >>> _size(3 * 2**30)
    '3.0 GiB'
    """
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.1f} MiB"


SECTIONS: Final[dict[str, Callable[[], Iterator[Check]]]] = {
    "versions": _versions,
    "extras": _extras,
    "machine": _machine,
    "places": _places,
    "data": _data,
    "terminal": _terminal,
    "self test": _self_test,
}
"""Looks in their order."""
