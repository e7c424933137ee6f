"""How arguments are read: tyro on dataclasses, and the choices that several verbs share."""

from __future__ import annotations

import contextlib
import difflib
import io
import itertools
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from gossamer.cli.help_page import HelpPage, headings_of, wide_enough
from gossamer.errors import InputError

if TYPE_CHECKING:  # a second or two, which accounting does without
    import torch

T = TypeVar("T")

_OF_PYTHON = {
    r"invalid literal for int\(\) with base 10: ('.*?')": r"\1 is no whole number",
    r"could not convert string to float: ('.*?')": r"\1 is no number",
}
"""What Python says of a word that is no number, and what a person says."""

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["fp32", "bf16"]
UnitName = Literal["record", "person"]


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


_LIST_OF_NUMBERS = _list_of(float, "FLOAT[,FLOAT...]")
Numbers = Annotated[tuple[float, ...], _LIST_OF_NUMBERS]
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
    lists = tyro.constructors.ConstructorRegistry()
    lists.primitive_rule(lambda info: _LIST_OF_NUMBERS if info.type == tuple[float, ...] else None)
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said), wide_enough():
            return tyro.cli(
                kind, prog=f"gossamer {program}", args=list(arguments), config=config, registry=lists, **options
            )
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


def check_accountable(*, num_critics: int, answers: int, noise_multiplier: float | None, epsilon: float | None) -> None:
    """Refuse numbers that no accountant here can compute with; what has no guarantee is refused elsewhere.

    Args:
        num_critics: K, at most a thousand million.
        answers: T B, at most 1e11.
        noise_multiplier: between 0.001 and 1e6 if it is above 0, or None.
        epsilon: at most 1e5, or None.

    Raises:
        InputError: a number is beyond its limit.
    """
    noise, budget = 1.0 if noise_multiplier is None else noise_multiplier, 0.0 if epsilon is None else epsilon
    for name, value, least, most in (
        ("--num-critics", num_critics, -math.inf, 1e9),
        ("--num-steps times --batch-size", answers, -math.inf, 1e11),
        ("--noise-multiplier", noise, 1e-3 if noise > 0 else -math.inf, 1e6),
        ("--epsilon", budget, -math.inf, 1e5 if budget < math.inf else math.inf),
    ):
        if value < least or value > most:
            raise InputError(
                f"{name} is {value:g}: too {'small' if value < least else 'large'} to account for; give a "
                f"{'larger' if value < least else 'smaller'} one"
            )


@contextlib.contextmanager
def accountable() -> Iterator[None]:
    """What an accountant cannot compute with, though each number alone is in range, is refused in one line.

    Raises:
        InputError: in place of an overflow or a division by zero.
    """
    try:
        yield
    except ArithmeticError:
        raise InputError("these numbers together are too large or too small to account for; change one") from None


def find_device(name: DeviceName) -> torch.device:
    """The device to compute on; ``auto`` takes a GPU when there is one.

    Raises:
        InputError: cuda was asked for and there is none.
    """
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this machine has no usable GPU; use --device cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def find_precision(name: PrecisionName) -> torch.dtype:
    """Precision for training critics and generator; critics answer in float32 whatever it is."""
    import torch

    return torch.bfloat16 if name == "bf16" else torch.float32
