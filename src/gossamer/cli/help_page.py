"""The help of a command as plain text: the options that matter first, an example last."""

from __future__ import annotations

import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from shutil import get_terminal_size
from typing import Final

from gossamer.cli.options import Setting, described

_INDENT: Final = 26
_HELP: Final = Setting(hint=bool, value=False, name="help", text="show this help message and exit")


class HelpAsked(SystemExit):
    """The end of a command that was asked for help: `main` prints the text, and completion reads the rest.

    Args:
        text: the answer.
        options: all that the command takes.
        choices: words of which one must come next.
    """

    def __init__(self, text: str, options: Sequence[Setting] = (), choices: Sequence[str] = ()) -> None:
        super().__init__(0)
        self.text, self.options, self.choices = text, options, choices


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
    note: str = ""
    options: Sequence[Setting]
    is_part: bool = False


def choice_asked(program: str, choices: Mapping[str, str]) -> HelpAsked:
    """Answer with the words of which one must come next, each with a summary."""
    width = max(map(len, choices))
    lines = [f"usage: gossamer {program} {{{','.join(choices)}}} ...", ""]
    lines += [f"  {choice:<{width}}  {summary}".rstrip() for choice, summary in choices.items()]
    text = "\n".join([*lines, "", f"Next: gossamer {program} {next(iter(choices))} --help"])
    return HelpAsked(text, choices=tuple(choices))


def help_asked(program: str, setting: Setting, words: Sequence[str]) -> HelpAsked:
    """Answer with the options of a command: all if ``--help`` is among the words, else those needed most."""
    sections = sorted(sections_of(setting), key=lambda section: section.is_part)
    paragraphs = [one.replace("METHOD", program.split()[-1]) for one in described(setting.kind)[0]]
    options = [option for section in sections for option in section.options]
    num_first = 2 + any(section.title == "arguments" for section in sections)
    if "--help" not in words and len(sections) > num_first:
        paragraphs.append(f"These are the options that are needed most; `gossamer {program} --help` has them all.")
        sections = sections[:num_first]
    arguments = " ".join(option.call for option in options if not option.flag)
    usage = f"usage: gossamer {program} [-h] [OPTIONS] {arguments}".rstrip()
    return HelpAsked(rendered(usage, paragraphs, sections, min(get_terminal_size().columns, 100)), options)


def sections_of(setting: Setting) -> Iterator[Section]:
    """List the options of a dataclass's own fields, then those of the dataclasses in it."""
    own = [member for member in setting.members() if member.is_option]
    named = [option for option in own if option.flag]
    if len(named) < len(own):
        yield Section(title="arguments", options=[option for option in own if not option.flag])
    if not setting.path:
        yield Section(title="options", options=[_HELP, *named])
    elif named and setting.name:
        is_variant = typing.get_origin(setting.hint) in (types.UnionType, typing.Union)
        note = " ".join(described(setting.kind)[0]) if is_variant else setting.text
        yield Section(title=setting.name, note=note, options=named, is_part=True)
    elif named:
        title = re.split(r"[.,\n]", setting.kind.__doc__ or "", maxsplit=1)[0]
        yield Section(title=title[:1].lower() + title[1:], options=named)
    for member in setting.members():
        if not member.is_option:
            yield from sections_of(member)


def rendered(usage: str, paragraphs: Sequence[str], sections: Sequence[Section], width: int) -> str:
    """Set a page in so many columns."""
    lines = [usage]
    for paragraph in paragraphs:
        if not paragraph.startswith("Example: "):
            lines += ["", *textwrap.wrap(paragraph, width, break_on_hyphens=False)]
    for section in sections:
        note = textwrap.wrap(section.note, width - 2, break_on_hyphens=False)
        lines += ["", f"{section.title}:", *(f"  {line}" for line in note)]
        lines += [line for option in section.options for line in _lines(option, width)]
    examples = [f"  $ {one.removeprefix('Example: ')}" for one in paragraphs if one.startswith("Example: ")]
    lines += ["", "example:" if len(examples) == 1 else "examples:", *examples] if examples else []
    return "\n".join(lines)


def _lines(option: Setting, width: int) -> Iterator[str]:
    text = textwrap.wrap(f"{option.text} {_default(option)}".strip(), max(width - _INDENT, 20), break_on_hyphens=False)
    head = f"  -h, {option.call}" if option is _HELP else f"  {option.call}"
    if len(head) > _INDENT - 2:
        yield head
    else:
        yield f"{head:<{_INDENT}}{text.pop(0) if text else ''}".rstrip()
    yield from (" " * _INDENT + line for line in text)


def _default(option: Setting) -> str:
    """Write the default in brackets. One that says nothing is left out."""
    if option.value is MISSING:
        return "(required)"
    if option.value is None or option.value is False or option.value in ("", ()):
        return ""
    shown = ",".join(map(str, option.value)) if isinstance(option.value, tuple) else option.value
    return f"(default: {shown})"
