"""Arguments as they are read from the words of a command line, and the choices that several verbs share."""

from __future__ import annotations

import collections
import contextlib
import csv
import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING
from typing import Any, TypeVar

from gossamer.cli.help_page import choice_asked, help_asked
from gossamer.cli.options import Setting
from gossamer.errors import InputError

T = TypeVar("T")

Numbers = tuple[float, ...]
Counts = tuple[int, ...]
Names = tuple[str, ...]
Typed = dict[tuple[str, ...], list[str]]
"""The words of each option that was given, by its path."""


def read_arguments(kind: type[T], words: Sequence[str], *, program: str, **start: object) -> T:
    """Fill a dataclass from the command line. Its docstring is the help text.

    Args:
        kind: dataclass.
        words: the words that were typed.
        program: the words before them.
        start: values of fields in place of their defaults.

    Raises:
        InputError: the arguments do not fit.
        HelpAsked: help was asked for.
    """
    setting = Setting(hint=kind, value=start)
    if "--help" in words or "-h" in words:
        raise help_asked(program, setting, words)
    return _filled(setting, words, program, _refuse_unknown)


def check_arguments(kind: type[Any], words: Sequence[str], *, program: str, **start: object) -> None:
    """Refuse a word that is no option, and a value of another kind, before anything is done.

    No dataclass is built, so that values which depend on each other, or on data, are left for later.

    Args:
        kind: dataclass.
        words: the words that were typed.
        program: the words before them.
        start: values of fields in place of their defaults.

    Raises:
        InputError: the arguments do not fit.
    """
    options = list(Setting(hint=kind, value=start).options())
    with _help_named(program):
        _read_all(options, _sorted_words(words, options, _refuse_unknown))


def read_known_arguments(kind: type[T], words: Sequence[str], *, program: str) -> T:
    """Fill a dataclass with the arguments that it knows, and leave the others for later.

    Raises:
        InputError: a known argument does not fit.
    """
    return _filled(Setting(hint=kind, value={}), words, program, lambda unknown, options: None)


def _filled(setting: Setting, words: Sequence[str], program: str, look_at_unknown: Callable[..., None]) -> Any:
    options = list(setting.options())
    with _help_named(program):
        found = _sorted_words(words, options, look_at_unknown)
        missing = [option.call for option in options if option.value is MISSING and option.path not in found]
        if missing:
            raise ValueError(f"Missing from gossamer {program}: {' '.join(missing)}")
        return setting.filled(_read_all(options, found))


@contextlib.contextmanager
def _help_named(program: str) -> Iterator[None]:
    """Turn a refusal into one that names the help page."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"{error}; `gossamer {program} --help` has all options") from None


def _read_all(options: Sequence[Setting], found: Typed) -> dict[tuple[str, ...], Any]:
    return {option.path: _read(option, found[option.path]) for option in options if option.path in found}


def _sorted_words(words: Sequence[str], options: Sequence[Setting], look_at_unknown: Callable[..., None]) -> Typed:
    """Sort words by the path of their option, and look at those that belong to none."""
    flags = {option.flag: option for option in options if option.flag}
    place = next((option for option in options if not option.flag), None)
    found: Typed = {}
    unknown, rest = [], collections.deque(words)
    while rest:
        word = rest.popleft()
        flag, sign, value = word.partition("=")
        option = flags.get(flag.replace("_", "-"))
        if option is not None and not (sign and not option.takes.metavar):
            found[option.path] = [value] if sign else _words_after(option, rest)
        elif place is None or _is_option(word) or (place.path in found and not place.takes.is_list):
            unknown.append(word)
        else:
            found.setdefault(place.path, []).append(word)
    look_at_unknown(unknown, options)
    return found


def _words_after(option: Setting, rest: collections.deque[str]) -> list[str]:
    found: list[str] = []
    while option.takes.metavar and rest and not _is_option(rest[0]) and (option.takes.is_list or not found):
        found.append(rest.popleft())
    if option.takes.metavar and not found:
        raise ValueError(f"{option.flag}: give {option.takes.metavar} after it")
    return found


def _is_option(word: str) -> bool:
    """Tell an option, right or wrong, from a value and from a number below 0."""
    return word[:1] == "-" and word[1:2] not in (*"0123456789.", "")


def _read(option: Setting, words: list[str]) -> Any:
    try:
        if not option.takes.metavar:
            return True
        if not option.takes.is_list:
            return option.takes.read(words[0])
        if option.flag:
            words = [one.strip() for word in words for one in _parts(word) if one.strip()]
        if not words:
            raise ValueError("give at least one value")
        return tuple(map(option.takes.read, words))
    except ValueError as error:
        raise ValueError(f"{option.flag or option.call}: {error}") from None


def _parts(word: str) -> list[str]:
    """Split a list at its commas, but for those within quotation marks: ``"b,c",d`` has two parts."""
    if '"' not in word or "\n" in word or "\r" in word:
        return word.split(",")
    return next(csv.reader([word], skipinitialspace=True), [])


def _refuse_unknown(unknown: Sequence[str], options: Sequence[Setting]) -> None:
    """Answer a word that is no option with the nearest one, if any is near."""
    calls = {option.flag: option.call for option in options if option.flag}
    for word in unknown:
        flag = word.partition("=")[0]
        if not _is_option(word):
            way_out = f"; what is written is named by {calls['--out']}" if "--out" in calls else ""
            raise ValueError(f"{word!r} is one word too many{way_out}")
        if flag in calls:
            raise ValueError(f"{flag} takes no value")
        near = difflib.get_close_matches(flag.replace("_", "-"), calls, n=1)
        raise ValueError(f"no option {flag}" + "".join(f"; perhaps you meant {calls[one]}" for one in near))


def choose(words: Sequence[str], choices: Mapping[str, str], *, program: str, what: str) -> tuple[str, list[str]]:
    """Split off a first word that must be one of the choices.

    Args:
        words: the words that were typed.
        choices: words that may be typed, each with a summary.
        program: the words before.
        what: the kind of choice.

    Raises:
        InputError: it is missing or another one.
        HelpAsked: help was asked for.
    """
    if words and words[0] in choices:
        return words[0], list(words[1:])
    if words and words[0] in ("-h", "--help"):
        raise choice_asked(program, choices)
    near = difflib.get_close_matches(words[0].lower(), choices, n=1) if words else []
    way_out = f"perhaps you meant `gossamer {program} {near[0]}`" if near else f"`gossamer {program} --help` has them"
    said = f", not {words[0]!r}" if words else ""
    raise InputError(f"{program}: name the {what} first ({', '.join(choices)}){said}; {way_out}")
