"""Options of a command as data, read once from a frozen dataclass: reading, help and completion follow from them."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal


class Mark(enum.Enum):
    """A place on the command line for a field that is no option of its own name; stands in `Annotated`."""

    POSITIONAL = enum.auto()
    TAKEN_OVER = enum.auto()


class Missing(enum.Enum):
    """The default of an option that must be given."""

    MISSING = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Value:
    """A kind of value that can be typed.

    Attributes:
        metavar: name of a value in the help; empty for a switch, which takes none.
        read: from a word; raises ValueError with a sentence for a person.
        words: all that may be typed, if they are few.
        is_list: several values, between commas, spaces or both; paths between spaces alone.
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
class Option:
    """An option, or an argument without a name.

    Attributes:
        path: names of fields, from the outermost in.
        flag: the word that begins it, ``--generator.radius``; empty for an argument without a name.
        value: its kind.
        default: its value if it is not given.
        text: its purpose.
    """

    path: tuple[str, ...]
    flag: str
    value: Value
    default: object
    text: str

    @property
    def call(self) -> str:
        """The option as it is typed: ``--out PATH``."""
        return f"{self.flag} {self.value.metavar}".strip()


@dataclass(frozen=True, kw_only=True)
class Section:
    """Options of one dataclass.

    Attributes:
        title: heading.
        note: a sentence on all of them, or nothing.
        options: in the order of the fields.
        is_part: its flags begin with the name of the part.
    """

    title: str
    note: str
    options: tuple[Option, ...]
    is_part: bool = False


@dataclass(frozen=True, kw_only=True)
class Part:
    """A dataclass in its place among others.

    Attributes:
        kind: dataclass, or a generic one with its parameter.
        start: values that fields have in place of their defaults.
        path: names of fields that lead to it.
        prefix: of its flags, ``generator.``; empty for options without one.
        text: said of it where it is a field.
    """

    kind: Any
    start: Mapping[str, object]
    path: tuple[str, ...] = ()
    prefix: str = ""
    text: str = ""

    @classmethod
    def of(cls, value: Any, path: tuple[str, ...], prefix: str, text: str) -> Part:
        """A part whose settings are there."""
        start = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return cls(kind=type(value), start=start, path=path, prefix=prefix, text=text)

    @property
    def bare(self) -> Any:
        """The dataclass without its parameter."""
        return typing.get_origin(self.kind) or self.kind

    def fields(self) -> Iterator[_Field]:
        """Fields with their kinds, in their order."""
        stands_for = dict(zip(getattr(self.bare, "__parameters__", ()), typing.get_args(self.kind), strict=False))
        hints, texts = typing.get_type_hints(self.bare, include_extras=True), described(self.bare).texts
        for field in dataclasses.fields(self.bare):
            hint, *marks = _without_marks(hints[field.name])
            if field.default_factory is not dataclasses.MISSING:
                default: object = field.default_factory()
            else:
                default = Missing.MISSING if field.default is dataclasses.MISSING else field.default
            yield _Field(
                part=self,
                name=field.name,
                hint=stands_for.get(hint, hint),
                marks=tuple(marks),
                value=self.start.get(field.name, default),
                text=texts.get(field.name, ""),
            )

    def options(self) -> tuple[Option, ...]:
        """Options of its own fields."""
        return tuple(field.option() for field in self.fields() if not field.is_nested)

    def sections(self) -> Iterator[Section]:
        """Its own options, then those of the dataclasses in it."""
        own = self.options()
        placed = tuple(option for option in own if not option.flag)
        named = tuple(option for option in own if option.flag)
        if placed:
            yield Section(title="arguments", note="", options=placed)
        if named and self.prefix:
            yield Section(title=self.prefix[:-1], note=self.text, options=named, is_part=True)
        elif named:
            title = re.split(r"[.,\n]", self.bare.__doc__ or "", maxsplit=1)[0]
            yield Section(title=title[:1].lower() + title[1:] if self.path else "options", note="", options=named)
        for field in self.fields():
            for part in field.parts():
                yield from part.sections()

    def filled(self, given: Mapping[tuple[str, ...], object]) -> Any:
        """The dataclass with values that were given, each by its path.

        Raises:
            ValueError: a constructor refuses them.
        """
        found = dict(self.start)
        for field in self.fields():
            path = (*self.path, field.name)
            touched = any(other[: len(path)] == path for other in given)
            if path in given:
                found[field.name] = given[path]
            elif field.is_nested and (touched or field.value is Missing.MISSING):
                parts = [part.filled(given) for part in field.parts()]
                found[field.name] = tuple(parts) if isinstance(field.value, tuple) else parts[0]
        try:
            return self.bare(**found)
        except ValueError as error:
            raise ValueError(f"{self.prefix[:-1]}: {error}" if self.prefix else str(error)) from None


@dataclass(frozen=True, kw_only=True)
class _Field:
    part: Part
    name: str
    hint: Any
    marks: tuple[object, ...]
    value: Any
    text: str

    @property
    def is_nested(self) -> bool:
        """Whether dataclasses stand in it, and no value that can be typed."""
        return bool(_dataclasses_in(self.hint))

    def parts(self) -> Iterator[Part]:
        """Dataclasses in it. A union holds the variant of its present value, which no option changes."""
        path, prefix = (*self.part.path, self.name), f"{self.part.prefix}{self.name.replace('_', '-')}."
        prefix = self.part.prefix if Mark.TAKEN_OVER in self.marks else prefix
        if isinstance(self.value, tuple):
            for number, value in enumerate(self.value if self.is_nested else ()):
                yield Part.of(value, (*path, str(number)), f"{prefix}{number}.", "")
        elif dataclasses.is_dataclass(self.value):
            chosen = typing.get_origin(self.hint) in _UNIONS
            yield Part.of(self.value, path, prefix, described(type(self.value)).summary if chosen else self.text)
        elif self.value is Missing.MISSING and self.is_nested:
            yield Part(kind=self.hint, start={}, path=path, prefix=prefix, text=self.text)

    def option(self) -> Option:
        """The option that it is."""
        is_positional = Mark.POSITIONAL in self.marks
        return Option(
            path=(*self.part.path, self.name),
            flag="" if is_positional else f"--{self.part.prefix}{self.name.replace('_', '-')}",
            value=value_of(self.hint),
            default=self.value,
            text=self.text,
        )


@dataclass(frozen=True, kw_only=True)
class Described:
    """The docstring of a dataclass.

    Attributes:
        paragraphs: above its list of fields.
        texts: of fields, by their names.
    """

    paragraphs: tuple[str, ...]
    texts: dict[str, str]

    @property
    def summary(self) -> str:
        """All paragraphs in one."""
        return " ".join(self.paragraphs)


def described(kind: type) -> Described:
    """The docstring of a dataclass, with the texts of fields that it inherits."""
    paragraphs: tuple[str, ...] = ()
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        doc = inspect.cleandoc(one.__dict__.get("__doc__") or "")
        head, *below = re.split(r"^[A-Z]\w+:\n", doc, flags=re.MULTILINE)
        paragraphs = tuple(_plain(part) for part in re.split(r"\n\s*\n", head) if part.strip())
        for entry in re.finditer(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", "".join(below), re.MULTILINE):
            texts[entry[1]] = _plain(entry[2])
    is_made = bool(paragraphs) and paragraphs[0].startswith(f"{kind.__name__}(")  # by dataclass itself, out of fields
    return Described(paragraphs=() if is_made else paragraphs, texts=texts)


def value_of(hint: Any) -> Value:
    """The kind of value that a type takes on the command line.

    Raises:
        TypeError: it can not be typed; a mistake of ours.
    """
    members = tuple(member for member in typing.get_args(hint) if member is not types.NoneType)
    match typing.get_origin(hint):
        case types.UnionType | typing.Union if len(members) == 1:
            return value_of(members[0])
        case literal if literal is Literal:
            return Value(metavar=f"{{{','.join(members)}}}", read=_one_of(members), words=members)
        case sequence if sequence is tuple and members[1:] == (Ellipsis,):
            one = value_of(members[0])
            name = "TEXT" if members[0] is str else one.metavar
            metavar = f"{name} [{name} ...]" if members[0] is Path else f"{name}[,{name}...]"
            return dataclasses.replace(one, metavar=metavar, is_list=True)
    if hint not in _PLAIN:
        raise TypeError(f"{hint} can not be typed as an option")
    return _PLAIN[hint]


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


_UNIONS: Final = (types.UnionType, typing.Union)
_PLAIN: Final[dict[Any, Value]] = {
    bool: Value(metavar="", read=bool),
    int: Value(metavar="INT", read=_number(int, "whole number")),
    float: Value(metavar="FLOAT", read=_number(float, "number")),
    str: Value(metavar="STR", read=str),
    Path: Value(metavar="PATH", read=Path),
}


def _without_marks(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)


def _dataclasses_in(hint: Any) -> list[Any]:
    """The dataclasses that a type may hold."""
    if dataclasses.is_dataclass(typing.get_origin(hint) or hint):
        return [hint]
    return [one for member in typing.get_args(hint) for one in _dataclasses_in(member)]


def _plain(text: str) -> str:
    """One line, with names quoted as in a terminal and not as in a docstring."""
    return " ".join(text.split()).replace("``", "`")
