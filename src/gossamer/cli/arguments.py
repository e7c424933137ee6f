"""How arguments are read: tyro on dataclasses, and the choices that several verbs share."""

from __future__ import annotations

import contextlib
import difflib
import io
import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from gossamer.cli.help_page import HelpPage, headings_of, wide_enough
from gossamer.errors import InputError

T = TypeVar("T")

_OF_PYTHON = {
    r"invalid literal for int\(\) with base 10: ('.*?')": r"\1 is no whole number",
    r"could not convert string to float: ('.*?')": r"\1 is no number",
}
"""What Python says of a word that is no number, and what a person says."""


def _list_of(kind: type[T], metavar: str) -> PrimitiveConstructorSpec[tuple[T, ...]]:
    """One option with several values, between commas, spaces or both."""

    def read(words: list[str]) -> tuple[T, ...]:
        values = [value for word in words for value in word.split(",") if value.strip()]
        if not values:
            raise ValueError("give at least one value")
        return tuple(_value(kind, value) for value in values)

    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda values: isinstance(values, tuple),
        str_from_instance=lambda values: [str(value) for value in values],
    )


def _value(kind: Any, word: str) -> Any:
    try:
        return word.strip() if kind is str else kind(word)
    except ValueError:
        raise ValueError(f"{word.strip()!r} is no {'whole ' if kind is int else ''}number") from None


Numbers = Annotated[tuple[float, ...], _list_of(float, "FLOAT[,FLOAT...]")]
Counts = Annotated[tuple[int, ...], _list_of(int, "INT[,INT...]")]
Names = Annotated[tuple[str, ...], _list_of(str, "TEXT[,TEXT...]")]


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


class _Said(io.StringIO):
    """What tyro says, drawn with the same strokes wherever it is to go."""

    encoding = "utf-8"


def _parse(kind: Any, arguments: Sequence[str], program: str, **options: Any) -> Any:
    # A union takes the variant of its default: a recipe decides it, and no flag changes it by accident.
    config = (tyro.conf.AvoidSubcommands, tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff)
    told, said = _Said(), _Said()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said), wide_enough():
            return tyro.cli(kind, prog=f"gossamer {program}", args=list(arguments), config=config, **options)
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            page = HelpPage.read(told.getvalue().replace("METHOD", program.split()[-1])).arranged(
                headings_of(kind, options.get("default"))
            )
            print((page if "--help" in arguments else page.brief()).render())
            raise
        raise InputError(f"{_essence(said.getvalue())}; `gossamer {program} --help` has all options") from None


def _essence(box: str) -> str:
    """The sentence in the box that tyro draws around an error, and what it guesses was meant.

    >>> _essence("╭─ Oops ──────╮\\n│ No such:    │\\n│     --a INT │\\n│ ─────────── │\\n│ For help... │")
    'No such: --a INT'
    """
    # Coloured on a terminal; without sides, and ruled by hyphens, where the output is not UTF-8. The title is left out.
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines()[1:]
    lines = [line[2:].rstrip(" │") for line in plain]
    parts = itertools.groupby(lines, lambda line: bool(line) and set(line) <= set("─-╯"))
    sections = [section for is_rule, part in parts if not is_rule and any(section := list(part))]
    if not sections:
        return "the arguments do not fit"
    paragraph = itertools.takewhile(bool, sections[0])
    # Deeper lines are the help of an option.
    sentence = " ".join(line.strip() for line in paragraph if not line.startswith(8 * " "))
    for pattern, plain_words in _OF_PYTHON.items():
        sentence = re.sub(pattern, plain_words, sentence)
    meant = [section[1].strip() for section in sections[1:] if section[0].startswith("Perhaps")]
    return sentence.rstrip(".") + "".join(f"; perhaps you meant {option}" for option in meant)


def choose(arguments: Sequence[str], choices: Mapping[str, str], *, program: str, what: str) -> tuple[str, list[str]]:
    """Split off a first word that must be one of the choices.

    Args:
        arguments: what was typed.
        choices: what may be typed, and what it is.
        program: the words before.
        what: what is chosen.

    Raises:
        InputError: it is missing or another one.
        SystemExit: help was asked for, and given.
    """
    if arguments and arguments[0] in choices:
        return arguments[0], list(arguments[1:])
    if arguments and arguments[0] in ("-h", "--help"):
        width = max(map(len, choices))
        print(f"usage: gossamer {program} {{{','.join(choices)}}} ...\n")
        print("\n".join(f"  {choice:<{width}}  {summary}".rstrip() for choice, summary in choices.items()))
        print(f"\nNext: gossamer {program} {next(iter(choices))} --help")
        sys.exit(0)
    near = difflib.get_close_matches(arguments[0].lower(), choices, n=1) if arguments else []
    way_out = f"perhaps you meant `gossamer {program} {near[0]}`" if near else f"`gossamer {program} --help` has them"
    said = f", not {arguments[0]!r}" if arguments else ""
    raise InputError(f"{program}: name the {what} first ({', '.join(choices)}){said}; {way_out}")
