"""How arguments are read: tyro on dataclasses, and the choices that several verbs share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, TypeVar

import torch
import tyro

from gossamer.errors import InputError

T = TypeVar("T")

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["fp32", "bf16"]


def read_arguments(kind: type[T], arguments: Sequence[str], *, program: str, default: T | None = None) -> T:
    """Fill a dataclass from the command line; its docstring is the help text.

    Raises:
        SystemExit: the arguments do not fit (code 2), or help was asked for (code 0).
    """
    # A union takes the variant of its default: a recipe decides it, and no flag changes it by accident.
    config = (tyro.conf.AvoidSubcommands,)
    return tyro.cli(kind, prog=f"gossamer {program}", args=list(arguments), default=default, config=config)


def read_known_arguments(kind: type[T], arguments: Sequence[str], *, program: str) -> T:
    """Fill a dataclass with those arguments that it knows, and leave the others for later."""
    found, _ = tyro.cli(kind, prog=f"gossamer {program}", args=list(arguments), return_unknown_args=True)
    return found


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
