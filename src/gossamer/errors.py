"""The errors that a user can meet, each with the exit code of the command line."""

from __future__ import annotations

import re

_LONGEST = 2000
_LONGEST_NAME = 100
_LACKS = ("allocate", "bad_alloc", "out of memory", "start new thread", "failed to map segment")


class GossamerError(Exception):
    """An error with a message of one line for a person: the fault, its place, the rule, the way out.

    A message may quote from a hostile file. Line breaks become spaces, control characters are escaped, and a very long
    message loses its middle.

    Args:
        message: The line.

    Example:
        >>> print(GossamerError("no class 'a\\x1b[2J'"))
        no class 'a\\x1b[2J'
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))

    # Privacy: an error that this one stands in place of may quote a private cell, as those of pandas and pyarrow do.
    # `from None` only hides it, and some loggers print it all the same. A cause is named by hand, and is shown.
    @property
    def __context__(self) -> BaseException | None:
        """None in place of the error that was being handled."""
        return None

    @__context__.setter
    def __context__(self, error: BaseException | None) -> None: ...


class InputError(GossamerError, ValueError):
    """A fault in the user's input: data, a path, a parameter. Exit code 2."""

    exit_code = 2


class PrivacyError(GossamerError):
    """A request without an honest privacy guarantee, and therefore refused. Exit code 3."""

    exit_code = 3


class ResourceError(GossamerError):
    """A limit of the machine: disk, memory, permission, a lock held by another process. Exit code 4."""

    exit_code = 4


class GossamerWarning(UserWarning):
    """A warning that a run would be of little use, or would promise less than it seems to."""


def is_lack_of_memory(error: BaseException) -> bool:
    """Return True if an error says that memory is lacking.

    Neither torch nor Python's threads have a class of their own for that error. Neither does a library that finds no
    room when it is loaded. Their messages are read instead.
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and any(word in str(error) for word in _LACKS)
    )


def told(value: object) -> str:
    r"""Return a value that a user handed over as a message may show it: a number, a short name, or its kind alone.

    Guarantee:
        A message shows nothing of a table, an array, a collection, bytes, or a text that is long or of several lines. A
        user who hands private data over by mistake does not find them in a log.

    Args:
        value: Anything.

    Example:
        >>> told("people"), told(0.5), told(["a", "b"]), told("name,age\nAnna,41")
        ("'people'", '0.5', 'a list', 'a text of several lines')
    """
    if value is None or isinstance(value, bool | int | float):
        return str(value) if len(str(value)) <= _LONGEST_NAME else "a number of very many digits"
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    if len(value.splitlines()) > 1:
        return "a text of several lines"
    return repr(value) if len(value) <= _LONGEST_NAME else f"a text of more than {_LONGEST_NAME} characters"


def one_line(text: str) -> str:
    r"""Return a text as it may be written to a terminal: one line of printable characters, of bounded length.

    Example:
        >>> print(one_line("two\nlines and a bell \a"))
        two lines and a bell \x07
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 4 :]}"
    text = re.sub(r"[ ]*[\t\n\v\f\r]\s*", " ", text).strip()
    return "".join(part if part.isprintable() else part.encode("unicode_escape").decode("ascii") for part in text)
