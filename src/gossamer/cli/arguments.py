"""How arguments are read: tyro on dataclasses, and the choices that several verbs share."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import torch
import tyro

from gossamer.errors import InputError

T = TypeVar("T")

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["fp32", "bf16"]


def read_arguments(kind: type[T], arguments: Sequence[str], *, program: str, default: T | None = None) -> T:
    """Fill a dataclass from the command line; its docstring is the help text.

    Raises:
        InputError: the arguments do not fit.
        SystemExit: help was asked for, and given.
    """
    return _parse(kind, arguments, program, default=default)


def read_known_arguments(kind: type[T], arguments: Sequence[str], *, program: str) -> T:
    """Fill a dataclass with those arguments that it knows, and leave the others for later.

    Raises:
        InputError: a known argument does not fit.
    """
    found, _ = _parse(kind, arguments, program, return_unknown_args=True)
    return found


def _parse(kind: Any, arguments: Sequence[str], program: str, **options: Any) -> Any:
    # A union takes the variant of its default: a recipe decides it, and no flag changes it by accident.
    config = (tyro.conf.AvoidSubcommands, tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, prog=f"gossamer {program}", args=list(arguments), config=config, **options)
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            raise
        raise InputError(f"{_essence(said.getvalue())}; see gossamer {program} --help") from None


def _essence(box: str) -> str:
    """The sentence in the box that tyro draws around an error, and what it guesses was meant.

    >>> _essence("╭─ Oops ─╮\\n│ No such: │\\n│     --a INT │\\n│         how many │\\n│ ──── │\\n│ For help ... │\\n╰────────╯")
    'No such: --a INT'
    """
    lines = [line[2:-1].rstrip() for line in box.splitlines() if line.startswith("│")]
    sections = [section.splitlines() for section in "\n".join(lines).replace("─\n", "─").split("─")]
    first, *others = [section for section in sections if section] or [["the arguments do not fit"]]
    sentence = " ".join(line.strip() for line in _paragraph(first) if not line.startswith(8 * " "))
    meant = [line.strip() for section in others if section[0].startswith("Perhaps") for line in section[1:2]]
    return sentence.rstrip(".") + "".join(f"; perhaps you meant {flag}" for flag in meant)


def _paragraph(lines: list[str]) -> list[str]:
    return lines[: lines.index("")] if "" in lines else lines


def choose(arguments: Sequence[str], choices: Sequence[str], *, program: str, what: str) -> tuple[str, list[str]]:
    """Split off a first word that must be one of the choices.

    Raises:
        InputError: it is missing or another one.
    """
    if arguments and arguments[0] in choices:
        return arguments[0], list(arguments[1:])
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"usage: gossamer {program} {{{','.join(choices)}}} ...\n\nNext: gossamer {program} {choices[0]} --help")
        sys.exit(0)
    said = f", not {arguments[0]!r}" if arguments else ""
    raise InputError(f"gossamer {program}: name the {what} first ({', '.join(choices)}){said}")


def find_device(name: DeviceName) -> torch.device:
    """The device to compute on; ``auto`` takes a GPU when there is one.

    Raises:
        InputError: cuda was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this machine has no usable GPU; use --device cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def find_precision(name: PrecisionName) -> torch.dtype:
    """Precision for training critics and generator; critics answer in float32 whatever it is."""
    return torch.bfloat16 if name == "bf16" else torch.float32
