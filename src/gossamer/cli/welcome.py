"""`gossamer` without a word: its purpose, the runs that are here, and next steps. Nothing heavy is imported."""

from __future__ import annotations

import contextlib
import enum
import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gossamer.errors import one_line
from gossamer.privacy.statement import shown_epsilon

HERE: Final = Path("runs")
NUM_SHOWN: Final = 5
_MOST_LOOKED_AT: Final = 1000
_MOST_BYTES: Final = 2**20
_NAMED: Final = (
    *("digits", "mnist5k", "mnist", "fashion-mnist"),
    *("beats", "mitdb", "ptbdb", "kaggle-mitbih", "kaggle-ptbdb"),
)


class State(enum.Enum):
    """The progress of a run, in the words that are shown."""

    AT_WORK = "at work"
    INTERRUPTED = "interrupted"
    FINISHED = "finished, not evaluated"
    EVALUATED = "finished and evaluated"


@dataclass(frozen=True, kw_only=True)
class RunHere:
    """A run folder seen from outside.

    Attributes:
        path: the folder.
        state: its progress.
        data: name or path of its records.
        reading: options that name and read that data again.
        epsilon: of its statement, if there is one.
        age_key: rises with the time of the last change.
    """

    path: Path
    state: State
    data: str
    reading: str
    epsilon: float | None
    age_key: float

    def __str__(self) -> str:
        """One line of the list."""
        epsilon = "" if self.epsilon is None else f", epsilon {shown_epsilon(self.epsilon)}"
        return one_line(f"{self.path}: {Path(self.data).name}{epsilon}, {self.state.value}")

    @property
    def next_steps(self) -> list[tuple[str, str]]:
        """Steps that would bring it further, each with its command."""
        path = shlex.quote(str(self.path))
        match self.state:
            case State.AT_WORK:
                return []
            case State.INTERRUPTED:
                return [("go on where it stopped", f"gossamer resume {path}")]
            case State.FINISHED:
                return [("see how good it is", f"gossamer evaluate {path} {self.reading} --quick")]
            case State.EVALUATED:
                sample = f"gossamer sample {path} --num-samples 1000 --out samples.npz"
                return [("a page to hand over", f"gossamer report {path}"), ("draw synthetic records", sample)]


def run(arguments: Sequence[str]) -> int:
    """Greet."""
    runs = find_runs(HERE)
    print("Gossamer learns from private images and time series and releases a generator in their place,")
    print("with a differential privacy guarantee that is true.\n")
    if runs:
        print(f"Runs in {HERE}/, the newest first:")
        for one in runs[:NUM_SHOWN]:
            print(f"  {one}")
        if len(runs) > NUM_SHOWN:
            print(f"  and {len(runs) - NUM_SHOWN} more")
    else:
        print(f"No runs in {HERE}/ yet.")
    print("\nNext:")
    steps = [*next_steps(runs), ("all commands", "gossamer --help")]
    width = max(len(what) for what, _ in steps) + 1
    for what, command in steps:
        # The words before the command, not behind it as a comment: not every shell takes comments where one types.
        print(f"  {what + ':':<{width}}  {one_line(command)}")
    return 0


def next_steps(runs: Sequence[RunHere]) -> list[tuple[str, str]]:
    """List next steps, each with a command that may be pasted. The first run of each state is taken up."""
    firsts = [next((one for one in runs if one.state is state), None) for state in State]
    steps = [step for one in firsts if one is not None for step in one.next_steps]
    if not runs:
        steps.append(("a whole run on small digits, in two minutes", "gossamer demo"))
        steps.append(("is everything there that is needed", "gossamer doctor"))
    return [*steps, ("your own data, as they are understood", "gossamer data describe scans.npz")]


def find_runs(folder: Path) -> list[RunHere]:
    """Find the runs in a folder, the newest first, and pass over all that cannot be read."""
    found = []
    with contextlib.suppress(OSError):
        for number, path in enumerate(sorted(folder.iterdir())):
            if number < _MOST_LOOKED_AT and (path / "config.json").is_file():
                found += list(_look_at(path))
    return sorted(found, key=lambda one: one.age_key, reverse=True)


def _look_at(path: Path) -> Iterator[RunHere]:
    settings = _read(path / "config.json")
    if not isinstance(settings.get("data"), str):
        return
    epsilon = _read(path / "release" / "privacy.json").get("epsilon")
    newest = path / "release" if (path / "release").is_dir() else path
    yield RunHere(
        path=path,
        state=_state(path),
        data=settings["data"],
        reading=_reading(settings),
        epsilon=epsilon if isinstance(epsilon, (int, float)) else None,
        age_key=newest.stat().st_mtime,
    )


def _reading(settings: dict[str, Any]) -> str:
    """Write the options of a training that an evaluation needs again."""
    data, series = settings["data"], settings.get("series")
    told = {"data": data} if data in _NAMED else {"data": data, "test_data": "HELD-OUT"}
    told |= {name: settings.get(name) for name in ("data_dir", "num_classes")}
    told |= {name: value for name, value in series.items() if name != "type"} if isinstance(series, dict) else {}
    return " ".join(f"--{name.replace('_', '-')}{_value(value)}" for name, value in told.items() if value)


def _value(value: Any) -> str:
    if value is True:
        return ""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return ("=" if text.startswith("-") else " ") + shlex.quote(text)


def _state(path: Path) -> State:
    if (path / "private" / "evaluation" / "evaluation.json").is_file():
        return State.EVALUATED
    if (path / "release" / "generator.safetensors").is_file():
        return State.FINISHED
    return State.AT_WORK if _is_held(path / "private" / "lock") else State.INTERRUPTED


def _is_held(lock: Path) -> bool:
    """Ask by a shared lock, given back at once, if a process works on the run."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return {}
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}
