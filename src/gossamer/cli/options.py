"""Options of a command as data, read once from a frozen dataclass: reading, help and completion follow from them."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal


class Mark(enum.Enum):
    """A place on the command line for a field that is no option of its own name. It stands in `Annotated`."""

    POSITIONAL = enum.auto()
    TAKEN_OVER = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Value:
    """A kind of value that can be typed.

    Attributes:
        metavar: name of a value in the help, empty for a switch, which takes none.
        read: from a word. It raises ValueError with a sentence for a person.
        words: all that may be typed, if they are few.
        is_list: several values, between commas, spaces or both. Paths stand between spaces alone.
    """

    metavar: str
    read: Callable[[str], Any]
    words: tuple[str, ...] = ()
    is_list: bool = False

    @property
    def is_open(self) -> bool:
        """A name or a path, of which nobody can list all."""
        return self.metavar.startswith(("STR", "TEXT", "PATH"))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A field in its place: an option, or a dataclass with fields of its own.

    A union holds the variant of its present value, which no option changes.

    Attributes:
        hint: type.
        value: the value if nothing is typed, `dataclasses.MISSING` if something must be. Of the outermost dataclass
            a mapping, of values that fields have in place of their defaults.
        path: names of fields that lead to it, and numbers.
        name: as an option without its hyphens, ``generator.radius``, or empty for a setting without a name.
        text: its purpose.
    """

    hint: Any
    value: Any
    path: tuple[str, ...] = ()
    name: str = ""
    text: str = ""

    @property
    def flag(self) -> str:
        """The word that begins an option, empty for an argument without a name."""
        return f"--{self.name}" if self.name else ""

    @property
    def call(self) -> str:
        """The option as it is typed: ``--out PATH``."""
        return f"{self.flag} {self.takes.metavar}".strip()

    @property
    def takes(self) -> Value:
        """The kind of value that an option takes: none, too, in the place of a number that settings may lack."""
        value = value_of(self.hint)
        # A verb's own option that lacks a number takes no none: --epsilon none is not the wish for its default.
        has_number = type(self.value) in (int, float) or (self.value is None and len(self.path) > 1)
        is_number = value.metavar in (_PLAIN[int].metavar, _PLAIN[float].metavar)
        return _or_none(value) if has_number and is_number and _admits_none(self.hint) else value

    @property
    def kind(self) -> Any:
        """The dataclass, without a parameter."""
        return type(self.value) if dataclasses.is_dataclass(self.value) else typing.get_origin(self.hint) or self.hint

    @property
    def is_option(self) -> bool:
        """A setting that can be typed, and holds no dataclass."""
        return not _holds_dataclass(self.hint)

    def members(self) -> Iterator[Setting]:
        """List the settings of a dataclass's fields, or the dataclasses of a tuple of them."""
        if isinstance(self.value, tuple) and not self.is_option:
            for number, value in enumerate(self.value):
                yield Setting(
                    hint=type(value), value=value, path=(*self.path, str(number)), name=f"{self.name}.{number}"
                )
        elif self.value is not None and not self.is_option:
            yield from self._fields()

    def _fields(self) -> Iterator[Setting]:
        stands_for = dict(zip(getattr(self.kind, "__parameters__", ()), typing.get_args(self.hint), strict=False))
        hints, texts = typing.get_type_hints(self.kind, include_extras=True), described(self.kind)[1]
        for field in dataclasses.fields(self.kind):
            hint, *marks = typing.get_args(Annotated[hints[field.name], None])
            own = "" if Mark.POSITIONAL in marks or Mark.TAKEN_OVER in marks else field.name.replace("_", "-")
            yield Setting(
                hint=stands_for.get(hint, hint),
                value=self._value(field),
                path=(*self.path, field.name),
                name=".".join(part for part in (self.name, own) if part),
                text=texts.get(field.name, ""),
            )

    def _value(self, field: dataclasses.Field[Any]) -> Any:
        if dataclasses.is_dataclass(self.value):
            return getattr(self.value, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        return self.value.get(field.name, default) if isinstance(self.value, Mapping) else default

    def options(self) -> Iterator[Setting]:
        """List all options in it."""
        for member in self.members():
            yield from [member] if member.is_option else member.options()

    def filled(self, given: Mapping[tuple[str, ...], object]) -> Any:
        """Build the value with the settings that were given, each by its path.

        Raises:
            ValueError: a constructor refuses them.
        """
        if self.path in given:
            return given[self.path]
        is_touched = any(path[: len(self.path)] == self.path for path in given)
        if self.is_option or not (is_touched or self.value is MISSING or isinstance(self.value, Mapping)):
            return self.value
        found = {member.path[-1]: member.filled(given) for member in self.members()}
        try:
            return tuple(found.values()) if isinstance(self.value, tuple) else self.kind(**found)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}" if self.name else str(error)) from None


def described(kind: type) -> tuple[tuple[str, ...], dict[str, str]]:
    """Read the paragraphs of a dataclass's docstring, and the texts of its fields, inherited ones too."""
    paragraphs: tuple[str, ...] = ()
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        head, *below = re.split(r"^[A-Z]\w+:\n", inspect.cleandoc(one.__doc__ or ""), flags=re.MULTILINE)
        paragraphs = tuple(_plain(part) for part in re.split(r"\n\s*\n", head) if part.strip())
        for entry in re.finditer(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", "".join(below), re.MULTILINE):
            texts[entry[1]] = _plain(entry[2])
    is_made = bool(paragraphs) and paragraphs[0].startswith(f"{kind.__name__}(")  # by dataclass itself, out of fields
    return () if is_made else paragraphs, texts


def value_of(hint: Any) -> Value:
    """Find the kind of value that a type takes on the command line.

    Raises:
        TypeError: it can not be typed, by a mistake of ours.
    """
    members = tuple(member for member in typing.get_args(hint) if member is not types.NoneType)
    if typing.get_origin(hint) is Literal:
        return Value(metavar=f"{{{','.join(members)}}}", read=_one_of(members), words=members)
    if typing.get_origin(hint) is tuple and members[1:] == (Ellipsis,):
        name = "TEXT" if members[0] is str else value_of(members[0]).metavar
        metavar = f"{name} [{name} ...]" if members[0] is Path else f"{name}[,{name}...]"
        return dataclasses.replace(value_of(members[0]), metavar=metavar, is_list=True)
    if hint not in _PLAIN and len(members) == 1:  # or None, which can be typed in the place of a number alone
        return value_of(members[0])
    if hint not in _PLAIN:
        raise TypeError(f"{hint} can not be typed as an option")
    return _PLAIN[hint]


def _admits_none(hint: Any) -> bool:
    return types.NoneType in typing.get_args(hint)


def _or_none(number: Value) -> Value:
    """Take the word none, too, in the place of a number that a setting has. In the place of a text it would be one."""
    return dataclasses.replace(number, read=lambda word: None if word.lower() == "none" else number.read(word))


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in words:
            raise ValueError(f"{word!r} is none of {', '.join(words)}")
        return word

    return read


def _number(kind: type, name: str) -> Callable[[str], Any]:
    def read(word: str) -> Any:
        try:
            return kind(word)
        except ValueError:
            raise ValueError(f"{word.strip()!r} is no {name}") from None

    return read


_PLAIN: Final[dict[Any, Value]] = {
    bool: Value(metavar="", read=bool),
    int: Value(metavar="INT", read=_number(int, "whole number")),
    float: Value(metavar="FLOAT", read=_number(float, "number")),
    str: Value(metavar="STR", read=str),
    Path: Value(metavar="PATH", read=Path),
}


def _holds_dataclass(hint: Any) -> bool:
    kind = typing.get_origin(hint) or hint
    return dataclasses.is_dataclass(kind) or any(map(_holds_dataclass, typing.get_args(hint)))


def _plain(text: str) -> str:
    """Return one line, with names quoted as in a terminal and not as in a docstring."""
    return " ".join(text.split()).replace("``", "`")
