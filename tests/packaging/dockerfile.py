"""The Dockerfile as data; and a program that builds and runs the image without an engine, step by step.

    debootstrap --variant=minbase --include=python3,python3-pip,python3-venv bookworm ROOT
    python tests/packaging/dockerfile.py ROOT WORK [--share FOLDER ...] -- demo --out runs/demo

ROOT stands for the base image and stays as it is; every stage gets a copy of it under WORK. The command runs as the
services of compose.yaml do: no network, nothing writable but /tmp and the runs, an ordinary user. For root on Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_INSTRUCTIONS: Final = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "LABEL", "RUN", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction, continued lines joined.

    Attributes:
        keyword: in capitals.
        flags: its options by name, ``--from=build`` as ``{"from": "build"}``.
        text: the rest.
    """

    keyword: str
    flags: dict[str, str]
    text: str

    def words(self) -> list[str]:
        """The rest as words, also where it is a list of JSON."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)

    def pairs(self) -> dict[str, str]:
        """The rest as names and values; an ARG without a value has an empty one."""
        return {name: value for name, _, value in (word.partition("=") for word in self.words())}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What stands between one FROM and the next.

    Attributes:
        base: the image that it begins with.
        name: as later stages call it, or empty.
        instructions: in order.
    """

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def all(self, keyword: str) -> list[Instruction]:
        """Every instruction of one kind."""
        return [one for one in self.instructions if one.keyword == keyword]


def stages() -> tuple[Stage, ...]:
    """The stages of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[tuple[Instruction, list[Instruction]]] = []
    for line in filter(None, map(str.strip, text.replace("\\\n", " ").splitlines())):
        one = _instruction(line)
        if one.keyword == "FROM":
            found.append((one, []))
        else:
            found[-1][1].append(one)
    return tuple(_stage(begun.words(), inside) for begun, inside in found)


def _instruction(line: str) -> Instruction:
    keyword, _, rest = line.partition(" ")
    assert keyword in _INSTRUCTIONS, line
    flags = {}
    while found := re.match(r"--([a-z]+)=(\S+)\s+", rest := rest.strip()):
        flags[found[1]] = found[2]
        rest = rest[found.end() :]
    return Instruction(keyword=keyword, flags=flags, text=re.sub(r" {2,}", " ", rest))


def _stage(words: list[str], inside: list[Instruction]) -> Stage:
    name = words[2] if len(words) == 3 else ""
    return Stage(base=words[0], name=name, instructions=tuple(inside))


USER = "1000:1000"


def main() -> None:
    parser = argparse.ArgumentParser(description="the steps of the Dockerfile, in a bare root")
    parser.add_argument("base", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--share", type=Path, action="append", default=[], help="folder that pip reads")
    own, _, command = " ".join(sys.argv[1:]).partition(" -- ")
    asked = parser.parse_args(own.split())
    built: dict[str, Path] = {}
    for number, stage in enumerate(stages()):
        place = asked.work / (stage.name or f"stage{number}")
        if not place.exists():
            subprocess.run(["cp", "--archive", asked.base, place], check=True)
            build(stage, place, built, asked.share)
        built[stage.name] = place
    run(stages()[-1], built[""], asked.work / "runs", command.split())


def build(stage: Stage, place: Path, built: dict[str, Path], shared: Sequence[Path]) -> None:
    """Follow the instructions of a stage in a root of its own."""
    known = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    inside, settings = "/", {"PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin"}
    for one in stage.instructions:
        print(f"{one.keyword} {one.text}", flush=True)
        match one.keyword:
            case "ARG":
                for name, value in one.pairs().items():
                    settings |= {name: known.get(name, value)} if value or name in known else {}
            case "ENV":
                settings |= {name: value.replace("$PATH", settings["PATH"]) for name, value in one.pairs().items()}
            case "WORKDIR":
                inside = one.text
                (place / inside.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                copy(one, built.get(one.flags.get("from", ""), ROOT), place, inside)
            case "RUN":
                mounts = [f"mkdir -p {place}{path} && mount --bind {path} {place}{path}" for path in shared]
                in_root(place, inside, settings | known, ["/bin/sh", "-c", one.text], [*mounts])


def copy(one: Instruction, source: Path, place: Path, inside: str) -> None:
    """Copy files as COPY does: a folder's content, a file under its name where the goal ends in a slash."""
    *names, goal = one.words()
    to = place / (Path(inside) / goal).as_posix().lstrip("/")
    for name in names:
        found = source / name.lstrip("/")
        if found.is_dir():
            hidden = shutil.ignore_patterns("__pycache__") if source == ROOT else None
            shutil.copytree(found, to, symlinks=True, dirs_exist_ok=True, ignore=hidden)
        else:
            shutil.copy2(found, to / found.name if goal.endswith("/") else to)


def run(stage: Stage, place: Path, runs: Path, command: Sequence[str]) -> None:
    """Run the image's command as compose.yaml would."""
    settings = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    for one in stage.all("ENV"):
        settings |= {name: value.replace("$PATH", settings["PATH"]) for name, value in one.pairs().items()}
    runs.mkdir(exist_ok=True)
    shutil.chown(runs, *map(int, USER.split(":")))
    words = [*stage.all("ENTRYPOINT")[0].words(), *(command or stage.all("CMD")[0].words())]
    mounts = [
        f"mount --bind {place} {place}",
        f"mount -o remount,bind,ro {place}",
        f"mount -t tmpfs tmpfs {place}/tmp",
        f"mount --bind {runs} {place}/work/runs",
        f"mount -t tmpfs tmpfs {place}/dev",
        f"mknod -m 666 {place}/dev/null c 1 3 && mknod -m 666 {place}/dev/urandom c 1 9",
        f"mkdir -m 1777 {place}/dev/shm && mount -t tmpfs tmpfs {place}/dev/shm",
    ]
    in_root(place, stage.all("WORKDIR")[-1].text, settings, words, mounts, user=USER, network=False)


def in_root(
    place: Path,
    inside: str,
    settings: dict[str, str],
    words: Sequence[str],
    mounts: Sequence[str],
    *,
    user: str = "0:0",
    network: bool = True,
) -> None:
    """Run words in a root, with mounts that nobody else sees and that end with them."""
    enter = [
        "env",
        "-i",
        *(f"{name}={value}" for name, value in settings.items()),
        "/usr/sbin/chroot",
        f"--userspec={user}",
    ]
    enter += [str(place), "/bin/sh", "-c", f"cd {inside} && exec {shlex.join(words)}"]
    script = " && ".join([*mounts, f"mount -t proc proc {place}/proc", f"exec {shlex.join(enter)}"])
    apart = ["unshare", "--mount", "--pid", "--fork", *([] if network else ["--net"])]
    subprocess.run([*apart, "/bin/sh", "-c", script], check=True)


if __name__ == "__main__":
    main()
