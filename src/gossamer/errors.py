"""The errors a user can meet, each with the exit code of the command line."""

from __future__ import annotations

import re

_LONGEST = 2000
_LACKS = ("allocate", "bad_alloc", "out of memory", "start new thread", "failed to map segment")


class GossamerError(Exception):
    """An error whose message is one line for a person: what, where, which rule, the way out.

    What a message quotes may come from a hostile file: line breaks become spaces, what a terminal would obey is
    escaped, and what is endless loses its middle.

    Args:
        message: the line.

    Example:
        >>> print(GossamerError("no class 'a\\x1b[2J'"))
        no class 'a\\x1b[2J'
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class InputError(GossamerError, ValueError):
    """Something handed in by the user is wrong: data, a path, a parameter. Exit code 2."""

    exit_code = 2


class PrivacyError(GossamerError):
    """What was asked for has no honest privacy guarantee, so it is refused. Exit code 3."""

    exit_code = 3


class ResourceError(GossamerError):
    """The machine cannot do it: disk, memory, permission, a lock held by another process. Exit code 4."""

    exit_code = 4


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is lacking: torch has no class of its own for that, nor Python for threads.

    Nor for a library that is to be loaded and finds no room.
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and any(word in str(error) for word in _LACKS)
    )


def one_line(text: str) -> str:
    r"""A text as it may be written to a terminal: one line of printable characters, of bounded length.

    Example:
        >>> print(one_line("two\nlines and a bell \a"))
        two lines and a bell \x07
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 4 :]}"
    text = re.sub(r"[ ]*[\t\n\v\f\r]\s*", " ", text).strip()
    return "".join(part if part.isprintable() else part.encode("unicode_escape").decode("ascii") for part in text)
