"""The command itself: verbs, help, and one way to say that something is wrong."""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import io
import signal
import subprocess
import sys
from typing import Any, NoReturn

import pytest

from gossamer.cli import account
from gossamer.cli.main import VERBS, main
from gossamer.errors import InputError, PrivacyError, ResourceError


def test_without_words_the_commands_are_listed(gossamer: Any) -> None:
    said = gossamer()
    assert said.code == 0
    assert all(verb in said.out for verb in VERBS)
    assert gossamer("--help").out == gossamer("help").out == said.out


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
    assert "Example: gossamer" in said.out
    assert "{None}" not in said.out
    assert "--no-" not in said.out
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
