"""The command itself: verbs, help, and one way to say that something is wrong."""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import io
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gossamer.cli import account
from gossamer.cli.main import GROUPS, VERBS, main
from gossamer.errors import InputError, PrivacyError, ResourceError


def test_help_lists_every_command_in_one_group(gossamer: Any) -> None:
    said = gossamer("--help")
    assert said.code == 0
    assert [said.out.count(f"\n  {verb} ") for verb in VERBS] == [1] * len(VERBS)
    assert gossamer("help").out == gossamer("-h").out == gossamer("--help", "train").out == said.out
    assert {verb for verbs in GROUPS.values() for verb in verbs} == set(VERBS)
    assert max(map(len, said.out.splitlines())) <= 100


def test_help_before_a_command_is_its_help(gossamer: Any) -> None:
    assert gossamer("help", "sample").out == gossamer("sample", "--help").out != ""


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["--version"], ["sampel"], ["account", "--help"], ["account", "dp-merf", "--epsilon", "1"]],
    ids=str,
)
def test_what_needs_no_torch_does_not_wait_for_it(words: list[str], tmp_path: Path) -> None:
    code = f"import sys; from gossamer.cli.main import main; main({words!r}); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("sampel", "sample"), ("Train", "train"), ("generate", "sample"), ("describe", "data describe"),
        ("evaluation", "evaluate"), ("train gswgan", "train gs-wgan"), ("data lst", "data list"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_answered_with_the_nearest_right_one(gossamer: Any, wrong: str, right: str) -> None:
    said = gossamer(*wrong.split())
    assert said.code == 2
    assert f"perhaps you meant `gossamer {right}`" in said.err
    assert gossamer(*right.split(), "--help").code == 0


def test_a_word_that_is_near_to_nothing_is_answered_with_none(gossamer: Any) -> None:
    said = gossamer("zzz")
    assert "perhaps" not in said.err
    assert "`gossamer --help`" in said.err


def test_the_version_is_that_of_the_package(gossamer: Any) -> None:
    assert gossamer("--version").out == importlib.metadata.version("gossamer") + "\n"


@pytest.mark.parametrize(
    "verb", ["train gs-wgan", "resume", "sample", "evaluate", "account gs-wgan", "data describe", "demo"]
)
def test_help_is_readable(gossamer: Any, verb: str) -> None:
    said = gossamer(*verb.split(), "--help")
    assert said.code == 0
    assert said.err == ""
    assert f"usage: gossamer {verb}" in said.out
    assert "\n  $ gossamer " in said.out
    assert "Example: " not in said.out
    assert "METHOD" not in said.out
    assert "{None}" not in said.out
    assert not re.search("--no-(?!header)", said.out)
    assert "Attributes:" not in said.out


@pytest.mark.parametrize("verb", ["train", "account", "data"])
def test_help_names_the_choices_of_the_next_word(gossamer: Any, verb: str) -> None:
    said = gossamer(verb, "--help")
    assert said.code == 0
    assert f"usage: gossamer {verb} {{" in said.out


@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        ("nonsense", "no command 'nonsense'"),
        ("train", "name the method first"),
        ("train nonsense", "not 'nonsense'"),
        ("account", "name the method first"),
        ("account dp-sgd --epsilon 1", "not 'dp-sgd'"),
        ("data", "name the action first"),
        ("data nonsense", "list, describe"),
        ("account gs-wgan", "--num-critics"),
        ("sample", "--num-samples"),
        ("evaluate", "--data"),
        ("resume", "PATH"),
        ("train gs-wgan", "--data"),
        ("completion", "bash, zsh, fish"),
        ("completion bash now", "no further words"),
        ("data describe digits --jsn", "perhaps you meant --json"),
        ("demo --epsilon abc", "--epsilon"),
        ("demo --surprise", "--surprise"),
    ],
)
def test_wrong_words_get_one_line_and_code_two(gossamer: Any, words: str, said_of_it: str) -> None:
    said = gossamer(*words.split())
    assert said.code == 2
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
    assert said_of_it in said.err


class Terminal(io.StringIO):
    """A standard output that takes colours and boxes."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_wrong_words_get_the_same_line_on_a_terminal(gossamer: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    err = io.StringIO()
    with contextlib.redirect_stdout(Terminal()), contextlib.redirect_stderr(err):
        assert main(["sample", "run"]) == 2
    assert err.getvalue() == gossamer("sample", "run").err
    assert "Missing from gossamer sample: --num-samples INT --out PATH" in err.getvalue()


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("bad\nthing"), 2, "bad thing"),
        (PrivacyError("no guarantee"), 3, "no guarantee"),
        (ResourceError("disk full"), 4, "disk full"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 4, "out of memory; use fewer critics"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 4, "out of memory; use fewer critics"),
        (OSError(errno.EACCES, "Permission denied", "/some/file"), 4, "/some/file: Permission denied"),
        (OSError(), 4, "account: OSError"),
    ],
    ids=repr,
)
def test_every_expected_error_is_one_line_and_a_code(
    gossamer: Any, monkeypatch: Any, error: BaseException, code: int, line: str
) -> None:
    def fail(_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(account, "run", fail)
    said = gossamer("account", "gs-wgan")
    assert said.code == code
    assert said.err.startswith(f"gossamer: {line}")
    assert said.err.count("\n") == 1


def test_a_mistake_of_ours_is_not_dressed_as_one_of_the_user(gossamer: Any, monkeypatch: Any) -> None:
    def fail(_: object) -> NoReturn:
        raise RuntimeError("a bug")

    monkeypatch.setattr(account, "run", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        gossamer("account", "gs-wgan")


def test_the_command_works_as_a_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gossamer.cli.main", "data", "describe", "/no/such/thing"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("gossamer: '/no/such/thing' is neither")
    assert done.stderr.count("\n") == 1


def test_terminated_is_interrupted_and_the_callers_wish_is_back_in_force(monkeypatch: Any, capsys: Any) -> None:
    def be_terminated(arguments: Any) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(account, "run", be_terminated)
    assert main(["account"]) == 130
    assert capsys.readouterr().err == "gossamer: interrupted\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_hang_up_ends_a_command_as_an_interrupt_unless_the_caller_ignores_it(monkeypatch: Any, capsys: Any) -> None:
    def be_hung_up(arguments: Any) -> int:
        signal.raise_signal(signal.SIGHUP)
        return 0

    monkeypatch.setattr(account, "run", be_hung_up)
    before = signal.getsignal(signal.SIGHUP)
    assert main(["account"]) == 130
    assert signal.getsignal(signal.SIGHUP) is before
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["account"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
