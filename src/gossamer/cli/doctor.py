"""`gossamer doctor`: whether everything is there that is needed, and what to do where it is not."""

from __future__ import annotations

import enum
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
from dataclasses import asdict, dataclass
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
    """Whether everything is there that is needed: versions, device, data, cache, disk, memory, terminal, a self test.

    Exit code 0, also where something is missing that only some commands need; 4 where there is a problem. Each line
    says what to do about it. Nothing is changed and nothing is sent anywhere.

    Example: gossamer doctor

    Args:
        json: print JSON
    """

    json: bool = False


class Verdict(enum.Enum):
    """What a check found."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        section: what it belongs to.
        verdict: whether it is as it should be; what is missing is only needed by some commands.
        what: what was found, and the way out.
    """

    section: str
    verdict: Verdict
    what: str


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
        print(json.dumps([asdict(one) | {"verdict": one.verdict.value} for one in checks], indent=2))
    elif num_problems:
        print(f"\n{num_problems} to mend: see the lines that begin with problem.")
    else:
        print("\nAll is well. What is missing is needed only by the commands that its line names.")
    return 4 if num_problems else 0


def examine() -> Iterator[Check]:
    """Every check, as it is made. What heavy imports need is imported there, for they may be what is broken."""
    for name, look in SECTIONS.items():
        try:
            yield from look()
        except Exception as error:  # whatever it is, it is what a person came here to learn
            what = f"{type(error).__name__}: {error}; {_AGAIN}"
            yield Check(section=name, verdict=Verdict.PROBLEM, what=what)


def _found(section: str, is_well: bool, well: str, otherwise: str, verdict: Verdict = Verdict.PROBLEM) -> Check:
    return Check(section=section, verdict=Verdict.OK if is_well else verdict, what=well if is_well else otherwise)


def _versions() -> Iterator[Check]:
    python = platform.python_version()
    oldest = ".".join(map(str, OLDEST_PYTHON))
    yield _found(
        "versions",
        sys.version_info[:2] >= OLDEST_PYTHON,
        f"python {python}",
        f"python {python}: install {oldest} or newer, and Gossamer in it",
    )
    yield Check(section="versions", verdict=Verdict.OK, what=f"gossamer {importlib.metadata.version('gossamer')}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _CORE)
    yield Check(section="versions", verdict=Verdict.OK, what=versions)


def _extras() -> Iterator[Check]:
    for extra, modules in MODULES.items():
        try:
            need(extra, extra)
        except InputError as error:
            yield Check(section="extras", verdict=Verdict.MISSING, what=str(error))
        else:
            yield Check(section="extras", verdict=Verdict.OK, what=f"{extra}: {', '.join(modules)}")


def _machine() -> Iterator[Check]:
    import torch

    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    device = "none that torch can use, and none is needed"
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
        device = f"{torch.cuda.get_device_name(0)}, {_size(memory)}; --device auto takes it"
    yield Check(section="machine", verdict=Verdict.OK, what=f"{platform.machine()}, {threads} threads on {cores} cores")
    yield Check(section="machine", verdict=Verdict.OK, what=f"GPU: {device}")
    free = _free_memory()
    if free is not None:
        yield _found(
            "machine",
            free >= LEAST_MEMORY_BYTES,
            f"memory: {_size(free)} free",
            f"memory: only {_size(free)} free; close other programs, or train with fewer critics at once",
        )


def _free_memory() -> int | None:
    """Bytes that a program can still get, where the system says so."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _places() -> Iterator[Check]:
    from gossamer.runs.cache import CacheFolder

    yield _writable("places", _RUNS, "runs", "go to a folder of yours, or name another one with --out")
    cache = CacheFolder.default().path
    yield _writable("places", cache, "cache", "set GOSSAMER_CACHE to a folder of yours")
    yield Check(section="places", verdict=Verdict.OK, what=f"the cache holds {_held(cache)}; it may be deleted")


def _writable(section: str, folder: Path, name: str, way_out: str) -> Check:
    """Whether files can be made in a folder, or the nearest one above it that is there, and how much room is left."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Check(section=section, verdict=Verdict.PROBLEM, what=f"{name}: {there}: {reason}; {way_out}")
    told = f"{name}: {folder.absolute()} can be written, {_size(free)} free"
    return _found(section, free >= LEAST_DISK_BYTES, told, f"{told}, which is little; free space, or {way_out}")


def _held(folder: Path) -> str:
    """How many files a folder holds, and of what size."""
    num_files, size = 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            num_files += 1
            size += Path(place, name).lstat().st_size
        if num_files > _MOST_FILES:
            break
    return f"{num_files} files, {_size(size)}"


def _data() -> Iterator[Check]:
    from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES, check_on_disk

    where = os.environ.get("GOSSAMER_DATA")
    told = f"GOSSAMER_DATA is {where}" if where else "GOSSAMER_DATA is not set; named sets lie there, or in --data-dir"
    yield _found("data", not where or Path(where).is_dir(), told, f"{told}, which is no folder; correct or unset it")
    for data in (*NAMED_DATA, *NAMED_SERIES):
        try:
            if data.name == "digits" and importlib.util.find_spec("sklearn") is None:
                need("evaluate", "digits")
            check_on_disk(data.name)
        except InputError as error:
            yield Check(section="data", verdict=Verdict.MISSING, what=str(error))
        else:
            yield Check(section="data", verdict=Verdict.OK, what=f"{data.name}: {data.summary}")


def _terminal() -> Iterator[Check]:
    console, encoding = Console(), locale.getpreferredencoding(False)
    kind = console.color_system or "no" if console.is_terminal else "no"
    told = f"{shutil.get_terminal_size().columns} columns, {kind} colours, {encoding}"
    if not console.is_terminal:
        told += "; not a terminal, so no live display"
    yield Check(section="terminal", verdict=Verdict.OK, what=told)
    # A person may have it elsewhere; that it is not found is no more than a hint.
    scripts = Path("~/.local/share/bash-completion/completions/gossamer").expanduser()
    if not scripts.is_file():
        what = "completion by the tab key: `gossamer completion bash` (or zsh, fish) says how to get it"
        yield Check(section="terminal", verdict=Verdict.MISSING, what=what)


def _self_test() -> Iterator[Check]:
    from gossamer.cli.self_test import TESTS

    for test in TESTS:
        yield _tried(test)


def _tried(test: Callable[[], str]) -> Check:
    began = time.perf_counter()
    try:
        told = test()
    except Exception as error:  # as in `examine`, and the next test is tried
        what = f"{test.__name__.replace('_', ' ')}: {error}; {_AGAIN}"
        return Check(section="self test", verdict=Verdict.PROBLEM, what=what)
    return Check(section="self test", verdict=Verdict.OK, what=f"{told} ({time.perf_counter() - began:.1f} s)")


def _size(num_bytes: float) -> str:
    """In a unit that a person can read.

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
"""In the order in which they are looked at."""
