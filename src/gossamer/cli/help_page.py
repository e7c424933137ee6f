"""The help of a command, read from what tyro draws and set as plain text: what matters first, an example last."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import Annotated, Any

_READ_AT = 120
_INDENT = 26
_DEFAULT = re.compile(r" ?\(default: (?P<value>.*)\)$")
_FIRST = ("arguments", "options")
_LIST = re.compile(r"\{?\[(\w+) \[\1 \.\.\.\]\]\}?")
_SAYS_NOTHING = ("None", "", "False")


@contextlib.contextmanager
def wide_enough() -> Iterator[None]:
    """Let tyro draw its boxes one below the other, and wide enough to break no word, whatever the terminal is."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_READ_AT)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option, or an argument without a name.

    Attributes:
        call: as it is typed: ``--out PATH``.
        text: what it is for.
    """

    call: str
    text: str

    @property
    def flag(self) -> str:
        """The word that begins it; empty for an argument without a name."""
        found = re.search(r"--[\w.-]+", self.call)
        return found.group() if found else ""

    def lines(self, width: int) -> list[str]:
        """In the help; a default that says nothing is left out."""
        found = _DEFAULT.search(self.text)
        text = self.text[: found.start()] if found and found["value"] in _SAYS_NOTHING else self.text
        wrapped = textwrap.wrap(text, max(width - _INDENT, 20), break_on_hyphens=False)
        head = f"  {self.call}"
        if len(head) > _INDENT - 2:
            return [head, *(" " * _INDENT + line for line in wrapped)]
        first, *others = wrapped or [""]
        return [f"{head:<{_INDENT}}{first}".rstrip(), *(" " * _INDENT + line for line in others)]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Options that stand together.

    Attributes:
        title: of them.
        note: what is said of all.
        options: in their order.
    """

    title: str
    note: str
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class HelpPage:
    """What tyro says of a command.

    Attributes:
        usage: the line of that name.
        paragraphs: what the command does.
        examples: command lines.
        sections: options.
    """

    usage: str
    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]
    sections: tuple[Section, ...]

    @classmethod
    def read(cls, drawn: str) -> HelpPage:
        """From what tyro drew at the width of `wide_enough`."""
        lines = re.sub(r"\x1b\[[0-9;]*m", "", drawn).splitlines()
        boxes = [number for number, line in enumerate(lines) if line.startswith("╭─")]
        above = "\n".join(lines[: boxes[0]] if boxes else lines)
        usage, *paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", above) if part.strip()]
        is_example = [part.startswith("Example: ") for part in paragraphs]
        ends = [*boxes[1:], len(lines)]
        return cls(
            usage=_LIST.sub(r"\1 [\1 ...]", usage),
            paragraphs=tuple(part for part, is_one in zip(paragraphs, is_example, strict=True) if not is_one),
            examples=tuple(
                part.removeprefix("Example: ") for part, is_one in zip(paragraphs, is_example, strict=True) if is_one
            ),
            sections=tuple(_section(lines[first:end]) for first, end in zip(boxes, ends, strict=True)),
        )

    def arranged(self, headings: Mapping[str, str]) -> HelpPage:
        """With options that have a heading of their own below those without, and settings of parts at the end."""
        moved: dict[str, list[Option]] = {}
        kept: list[Section] = []
        for section in self.sections:
            is_movable = section.title == "options"
            for option in section.options:
                if is_movable and option.flag in headings:
                    moved.setdefault(headings[option.flag], []).append(option)
            rest = tuple(one for one in section.options if not (is_movable and one.flag in headings))
            kept += [dataclasses.replace(section, options=rest)] if rest else []
        first = [section for section in kept if section.title in _FIRST]
        others = [Section(title=title, note="", options=tuple(options)) for title, options in moved.items()]
        return dataclasses.replace(self, sections=(*first, *others, *(one for one in kept if one not in first)))

    def brief(self) -> HelpPage:
        """The first sections alone, and how to see the others."""
        number = 1 + sum(section.title in _FIRST for section in self.sections)
        if number >= len(self.sections):
            return self
        program = self.usage.removeprefix("usage: ").partition(" [")[0]
        more = f"These are the options that are needed most; `{program} --help` has them all."
        return dataclasses.replace(self, sections=self.sections[:number], paragraphs=(*self.paragraphs, more))

    def render(self, width: int | None = None) -> str:
        """As plain text, of as many columns as the terminal has, and 100 at most, unless told otherwise."""
        width = min(get_terminal_size().columns, 100) if width is None else width
        lines = [self.usage]
        for paragraph in self.paragraphs:
            lines += ["", *textwrap.wrap(paragraph, width, break_on_hyphens=False)]
        for section in self.sections:
            note = textwrap.wrap(section.note, width - 2, break_on_hyphens=False)
            lines += ["", f"{section.title}:", *(f"  {line}" for line in note)]
            lines += [line for option in section.options for line in option.lines(width)]
        title = "example" if len(self.examples) == 1 else "examples"
        lines += ["", f"{title}:", *(f"  $ {example}" for example in self.examples)] if self.examples else []
        return "\n".join(lines)


def headings_of(kind: Any, default: Any = None) -> dict[str, str]:
    """Headings for options that a dataclass takes over from another one: the beginning of the other's docstring.

    Args:
        kind: a dataclass, or a generic one with its parameter.
        default: an instance, where the kinds of its fields are not told by their types.
    """
    kind = typing.get_origin(kind) or kind
    found: dict[str, str] = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        taken_over, *marks = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
        if not any(getattr(mark, "name", None) == "" for mark in marks):
            continue
        inner = taken_over if default is None else type(getattr(default, name))
        if not dataclasses.is_dataclass(inner):  # settings without any recipe, which begin at nothing
            continue
        words = re.split(r"[.,\n]", inner.__doc__ or "", maxsplit=1)[0]
        title = words[:1].lower() + words[1:]
        found |= {f"--{field.name.replace('_', '-')}": title for field in dataclasses.fields(inner)}
        found |= headings_of(inner, None if default is None else getattr(default, name))
    return found


def _section(lines: list[str]) -> Section:
    """A box: its title, a note above a rule, and the options, whose text goes on in deeper lines."""
    title = lines[0].strip("╭╮─ ").removesuffix(" options").removeprefix("positional ")
    body = [line[2:].rstrip(" │") for line in lines[1:] if line.startswith("│")]
    rule = next((number for number, line in enumerate(body) if line and set(line) == {"─"}), None)
    note = [] if rule is None else body[:rule]
    options: list[list[str]] = []
    for line in body if rule is None else body[rule + 1 :]:
        if line and not line.startswith(" "):
            options.append(re.split(r" {2,}", line, maxsplit=1))
        elif options:
            options[-1].append(line)
    read = (Option(call=_LIST.sub(r"\1 [\1 ...]", call), text=_plain(text)) for call, *text in options)
    return Section(title=title, note=_plain(note), options=tuple(read))


def _plain(lines: list[str]) -> str:
    """One line, with names quoted as in a terminal and not as in a docstring."""
    return " ".join(" ".join(lines).split()).replace("``", "`")
