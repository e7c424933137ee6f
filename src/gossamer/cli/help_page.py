"""The help of a command as plain text: the options that matter first, an example last."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import Final, Protocol

from gossamer.cli.options import Described, Missing, Option, Section, Value

_INDENT: Final = 26
_SAYS_NOTHING: Final = (None, False, "", ())
_HELP: Final = Option(
    path=(), flag="--help", value=Value(metavar="", read=str), default=None, text="show this help message and exit"
)


class Page(Protocol):
    """An answer to ``--help``."""

    def render(self) -> str:
        """Set the answer for a terminal."""


class HelpAsked(SystemExit):
    """The end of a command that was asked for help: `main` prints the page, and completion reads it.

    Args:
        page: the answer.
    """

    def __init__(self, page: Page) -> None:
        super().__init__(0)
        self.page = page


@dataclass(frozen=True, kw_only=True)
class ChoicePage:
    """The help of a command that wants a second word.

    Attributes:
        program: ``gossamer train``.
        choices: words, each with a summary.
    """

    program: str
    choices: Mapping[str, str]

    def render(self) -> str:
        """Set the choices one below the other, and name the next command."""
        width = max(map(len, self.choices))
        lines = [f"  {choice:<{width}}  {summary}".rstrip() for choice, summary in self.choices.items()]
        first = next(iter(self.choices))
        usage = f"usage: {self.program} {{{','.join(self.choices)}}} ..."
        return "\n".join([usage, "", *lines, "", f"Next: {self.program} {first} --help"])


@dataclass(frozen=True, kw_only=True)
class HelpPage:
    """The help of a command with its options.

    Attributes:
        program: ``gossamer train gs-wgan``.
        paragraphs: the purpose of the command.
        examples: command lines.
        sections: options, those of parts last.
    """

    program: str
    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]
    sections: tuple[Section, ...]

    @classmethod
    def of(cls, program: str, described: Described, sections: tuple[Section, ...]) -> HelpPage:
        """Arrange the options of a command, and part its examples from its purpose."""
        paragraphs = [one.replace("METHOD", program.split()[-1]) for one in described.paragraphs]
        with_help = [_with_help(section) for section in sections]
        if not any(section.title == "options" for section in sections):
            with_help.append(Section(title="options", note="", options=(_HELP,)))
        return cls(
            program=program,
            paragraphs=tuple(one for one in paragraphs if not one.startswith("Example: ")),
            examples=tuple(one.removeprefix("Example: ") for one in paragraphs if one.startswith("Example: ")),
            sections=tuple(sorted(with_help, key=lambda section: section.is_part)),
        )

    @property
    def options(self) -> list[Option]:
        """Options of all sections."""
        return [option for section in self.sections for option in section.options]

    def brief(self) -> HelpPage:
        """Keep the first sections alone, and say how to see the others."""
        number = 1 + sum(section.title in ("arguments", "options") for section in self.sections)
        if number >= len(self.sections):
            return self
        more = f"These are the options that are needed most; `{self.program} --help` has them all."
        return dataclasses.replace(self, sections=self.sections[:number], paragraphs=(*self.paragraphs, more))

    def render(self, width: int | None = None) -> str:
        """Set the page in as many columns as the terminal has, and 100 at most, unless told otherwise."""
        width = min(get_terminal_size().columns, 100) if width is None else width
        arguments = [option.call for option in self.options if not option.flag]
        lines = [" ".join([f"usage: {self.program} [-h] [OPTIONS]", *arguments])]
        for paragraph in self.paragraphs:
            lines += ["", *textwrap.wrap(paragraph, width, break_on_hyphens=False)]
        for section in self.sections:
            note = textwrap.wrap(section.note, width - 2, break_on_hyphens=False)
            lines += ["", f"{section.title}:", *(f"  {line}" for line in note)]
            lines += [line for option in section.options for line in _lines(option, width)]
        title = "example" if len(self.examples) == 1 else "examples"
        lines += ["", f"{title}:", *(f"  $ {example}" for example in self.examples)] if self.examples else []
        return "\n".join(lines)


def _with_help(section: Section) -> Section:
    return dataclasses.replace(section, options=(_HELP, *section.options)) if section.title == "options" else section


def _lines(option: Option, width: int) -> Iterator[str]:
    """Set an option; a default that says nothing is left out."""
    text = textwrap.wrap(f"{option.text} {_default(option)}".strip(), max(width - _INDENT, 20), break_on_hyphens=False)
    head = f"  -h, {option.call}" if option is _HELP else f"  {option.call}"
    if len(head) > _INDENT - 2:
        yield head
    else:
        yield f"{head:<{_INDENT}}{text.pop(0) if text else ''}".rstrip()
    yield from (" " * _INDENT + line for line in text)


def _default(option: Option) -> str:
    default = option.default
    if default is Missing.MISSING:
        return "(required)"
    if any(default is nothing or default == nothing != 0 for nothing in _SAYS_NOTHING):
        return ""
    return f"(default: {','.join(map(str, default)) if isinstance(default, tuple) else default})"
