"""Every command and piece of Python on the pages runs, page by page, in order; exceptions say why they are one."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gossamer.cli.main import VERBS, main
from gossamer.methods import catalogue
from gossamer.methods.choosing import AUTO

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
METHODS = {
    "train": (AUTO, *(method.name for method in catalogue.METHODS)),
    "account": tuple(method.name for method in catalogue.METHODS),
    "data": ("list", "describe", "convert"),
    "encoder": ("train",),
    "audit": ("mechanism", "training", "membership"),
    "completion": ("bash", "zsh", "fish"),
    "federate": (
        "contribute",
        "show",
        "combine",
        "gather",
        "answer",
        "plan dp-mixture",
        "plan dp-merf",
        "plan gs-wgan",
        "plan dp-cgan",
        "plan labelled-mixture",
    ),
}
BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- test: (?P<mark>[^\n]*) -->\n(?P=indent))?```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
FLAGS_ONLY = "flags only: "
RUN = "run"
"""Programs that a page may call and that no test starts."""
ELSEWHERE = {"cd", "docker", "export", "git", "jupyter", "mkdir", "open", "openssl", "pip", "sha256sum", "source"}
ELSEWHERE |= {"tensorboard", "torchrun", "unzip"}
LIGHTER = {"--num-bits": "100", "--num-games": "2000", "--save-at-epsilon": "8,10", "--save-at-step": "8"}
"""Options of a page whose numbers a test makes fit for short runs, a step of which spends much."""
ADDED = {
    "evaluate": {"--num-samples": "120", "--num-seeds": "1", "--num-workers": "1", "--allow-few-samples": None},
    "compare": {"--num-samples": "120", "--num-seeds": "1", "--num-workers": "1", "--allow-few-samples": None},
    "audit mechanism": {"--num-games": "2000", "--num-bits": "300"},
    "audit training": {"--num-bits": "100"},
    "audit membership": {"--num-samples": "200", "--num-records": "100"},
}
"""Options that a test adds to a verb where a page leaves them out: the same work on less."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: Path
    kind: str
    text: str
    mark: str

    @property
    def is_run(self) -> bool:
        return self.kind == "console" and not self.mark.startswith(FLAGS_ONLY)

    @property
    def lines(self) -> list[list[str]]:
        """The words of each command, continued lines joined, comments, prompts and set variables removed."""
        lines = self.text.replace("\\\n", " ").splitlines()
        prompt = "$ " if self.kind == "console" else ""
        words = [shlex.split(line[len(prompt) :], comments=True) for line in lines if line.startswith(prompt)]
        return [command for line in words for command in one_by_one(line)]

    @property
    def commands(self) -> list[list[str]]:
        """Of these the calls of gossamer, without its name."""
        return [command[1:] for command in self.lines if command[0].rpartition("/")[2] == "gossamer"]


def one_by_one(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line with `&&` between them, without variables set before them and files written behind."""
    assert not {"|", ";", "||"} & set(words), f"{words}: a page shows one command a line"
    words = words[: words.index(">")] if ">" in words else words
    for _, part in itertools.groupby(words, key="&&".__eq__):
        command = list(itertools.dropwhile(lambda word: re.match(r"[A-Z_]+=", word), part))
        if command and command[0] != "&&":
            yield command


def blocks(page: Path) -> Iterator[Block]:
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        yield Block(page=page, kind=found["kind"], text=text, mark=found["mark"] or "")


BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.kind in ("console", "sh")]
COMMANDS = [(block, command) for block in SHELL for command in block.commands]


def name_of(value: Any) -> str:
    if isinstance(value, Path):
        return str(value.relative_to(ROOT))
    return str(value.page.relative_to(ROOT)) if isinstance(value, Block) else " ".join(value)


def verb_of(command: list[str]) -> list[str]:
    """The verb, with the method or action that it needs."""
    if not command:
        return []
    if command[0].startswith("--"):
        return []
    assert command[0] in VERBS, f"no command {command[0]!r}"
    if command[0] not in METHODS:
        return command[:1]
    if " ".join(command[1:3]) in METHODS[command[0]]:
        return command[:3]
    assert command[1] in METHODS[command[0]], f"gossamer {command[0]} knows no {command[1]!r}"
    return command[:2]


def lightened(command: list[str]) -> list[str]:
    """The command as a test runs it: smaller numbers, nothing else."""
    words = [word.replace("step-000500", "step-000008") for word in command]
    for option, value in LIGHTER.items():
        if option in words:
            words[words.index(option) + 1] = value
    added = ADDED.get(" ".join(verb_of(command)), {})
    missing = {option: value for option, value in added.items() if option not in words}
    return [*words, *(word for pair in missing.items() for word in pair if word is not None)]


def make_room(command: list[str], ours: set[Path]) -> None:
    """Before a page makes a folder itself, the stand-in of that name goes."""
    if "--out" in command:
        out = Path(command[command.index("--out") + 1])
        if out in ours:
            shutil.rmtree(out)
            ours.remove(out)


@pytest.fixture
def place(stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the stage, for one page."""
    place = tmp_path / "place"
    shutil.copytree(stage, place)
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))], ids=name_of)
def test_what_a_page_tells_to_type_runs(
    page: Path, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {path.relative_to(place) for path in (*(place / "runs").iterdir(), place / "pictures")}
    # A module, as a script is one: dataclasses look up their types there.
    module = ModuleType("documentation")
    monkeypatch.setitem(sys.modules, "documentation", module)
    names = vars(module)
    for block in blocks(page):
        if block.kind == "python":
            exec(compile(block.text, str(page), "exec", dont_inherit=True), names)
        for command in block.commands if block.is_run else ():
            make_room(command, ours)
            capsys.readouterr()
            code = main(lightened(command))
            said = capsys.readouterr()
            assert code == 0, f"gossamer {' '.join(command)}: {said.err}"
            assert (said.out + said.err).strip(), f"gossamer {' '.join(command)} said nothing"


def test_there_are_pages_and_commands_to_test() -> None:
    assert len(PAGES) > 40
    assert len(COMMANDS) > 60
    assert sum(len(block.commands) for block in SHELL if block.is_run) > 50


def test_few_commands_are_excepted_and_each_says_why() -> None:
    marks = [block.mark for block in BLOCKS if block.mark]
    assert all(mark == RUN or (len(mark) > len(FLAGS_ONLY) + 10 and mark.startswith(FLAGS_ONLY)) for mark in marks), (
        marks
    )
    assert sum(len(block.commands) for block in SHELL if not block.is_run) < 12


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_mark_stands_before_a_block(page: Path) -> None:
    marked = [block for block in blocks(page) if block.mark]
    assert page.read_text(encoding="utf-8").count("<!-- test:") == len(marked)


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=name_of)
def test_verbs_and_flags_exist(block: Block, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    verb = verb_of(command)
    flags = {word.split("=")[0] for word in command[len(verb) :] if word.startswith("--")}
    if not verb or not flags:
        return
    assert main([*verb, "--help"]) == 0
    known = set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", capsys.readouterr().out))
    assert flags <= known, f"{block.page.name}: gossamer {' '.join(verb)} knows no {', '.join(sorted(flags - known))}"


@cache
def all_options() -> frozenset[str]:
    """Every option of every verb."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for verb in VERBS:
            for method in METHODS.get(verb, ("",)):
                if (verb, method) != ("data", "list"):
                    assert main([verb, *method.split(), "--help"]) == 0
    return frozenset(re.findall(r"(?<![\w-])--[a-z][\w.-]*", said.getvalue()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_named_in_the_text_exist(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"`(--[a-z][\w.-]*)`", text)) - {"--help", "--version"}
    assert named <= all_options(), f"{page.name}: no command knows {', '.join(sorted(named - all_options()))}"


def test_other_programs_are_known_and_what_they_are_given_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for block in SHELL:
        for command in block.lines:
            program = command[0].rpartition("/")[2]
            where = f"{block.page.name}: {' '.join(command)}"
            if program == "make":
                assert {word for word in command[1:] if "=" not in word} <= targets, where
            elif program == "python":
                script = next(word for word in command[1:] if not word.startswith("-"))
                assert script in ("gossamer", "venv") or (ROOT / script).is_file(), where
            else:
                assert program in ELSEWHERE | {"gossamer"}, where


def test_a_planted_wrong_flag_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    planted = Block(page=ROOT / "README.md", kind="console", text="$ gossamer sample RUN --number 3\n", mark="")
    with pytest.raises(AssertionError, match="--number"):
        test_verbs_and_flags_exist(planted, planted.commands[0], capsys)


def test_a_planted_command_that_fails_is_caught(
    tmp_path: Path, place: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ gossamer sample runs/absent --num-samples 3 --out x.npz\n```\n")
    with pytest.raises(AssertionError, match="runs/absent"):
        test_what_a_page_tells_to_type_runs(page, place, capsys, monkeypatch)
