"""Opening and unpacking a user's file: it is regular, readable and no bomb, or it is refused in one line."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from gossamer.errors import GossamerError, InputError, ResourceError, told

FREE_BYTES: Final = 64 * 2**20
"""Unpacked sizes in bytes that are always accepted."""
MAX_EXPANSION: Final = 200
"""Largest ratio of unpacked to packed size above `FREE_BYTES`. Images of few grays reach about 50."""
CHUNK_BYTES: Final = 2**20
"""Bytes read at a time from a packed stream."""
MAX_PATH_LENGTH: Final = 4096
"""Longest text that is taken for a path, in characters."""
MAX_PART_LENGTH: Final = 255
"""Longest name of a file or folder, in characters."""


def shown(path: Path | str) -> str:
    """Return a path as it may stand in a one-line message: quoted, with line breaks and the like escaped.

    Example:
        >>> print(shown("a\\nb"))
        'a\\nb'
    """
    return repr(str(path))


def title_of(name: str, otherwise: str) -> str:
    """Return the public name of records: that of their file or folder, or another word if it cannot be printed.

    Example:
        >>> title_of("gait", "series"), title_of("a\\tb", "series")
        ('gait', 'series')
    """
    return name if name and name.isprintable() else otherwise


def path_of(value: object, what: str) -> Path:
    """Return a path, from text or from a path.

    Args:
        value: A text or a path.
        what: Beginning of the message.

    Raises:
        InputError: It is neither, or the text is the content of a file.
    """
    if not isinstance(value, str | Path):
        raise InputError(f"{what} must be a path, not {told(value)}")
    # A path that is an object was made on purpose, and text may be the content of a file.
    if isinstance(value, str):
        longest = max(map(len, value.split("/")))
        if len(value) > MAX_PATH_LENGTH or longest > MAX_PART_LENGTH or len(value.splitlines()) > 1:
            raise InputError(f"{what} is {told(value)}, and no path: hand over the path of the file, not its content")
    return Path(value)


def is_file(path: Path) -> bool:
    """Return True if there is a regular file that can be reached. A forbidden or impossible path is none."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return True if there is a folder that can be reached. A forbidden or impossible path is none."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def is_absent(path: Path) -> bool:
    """Return True if nothing is there, and False if the path cannot be looked at for want of permission."""
    try:
        path.stat()
    except PermissionError:
        return False
    except (OSError, ValueError):
        return True
    return False


def check_link(path: Path, root: Path) -> None:
    """Refuse a link that leads out of the folder which its owner handed over.

    Args:
        path: A path that may be a link.
        root: The folder, resolved.

    Raises:
        InputError: The link leads out of the folder, or to nothing.
    """
    # Privacy: a link must not draw in records that their owner did not hand over.
    try:
        is_inside = not path.is_symlink() or path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        raise InputError(f"{shown(path)} is a link to nothing: remove it or copy the file") from None
    if not is_inside:
        raise InputError(f"{shown(path)} is a link out of {shown(root)}: copy the file into the folder")


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. The caller closes it.

    Raises:
        InputError: The file is absent, a folder, a pipe or device, or may not be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{shown(path)} is a folder, not a file: name the file inside it")
        if not stat.S_ISREG(mode):
            raise InputError(f"{shown(path)} is not a regular file: copy the data into one")
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{shown(path)} does not exist: check the path") from None
    except PermissionError:
        raise InputError(f"{shown(path)} may not be read: give yourself read permission on it") from None
    except InputError:
        raise
    except (OSError, ValueError):
        raise InputError(f"{shown(path)} cannot be opened: check the path") from None


@contextmanager
def damage_refused(where: str) -> Iterator[None]:
    """Turn any error that a decoder raises on a damaged file into one line, which begins with `where`.

    Raises:
        InputError: The decoder gave up. Its own words are dropped, since they may quote private bytes.
        ResourceError: The memory does not suffice.
    """
    try:
        yield
    except GossamerError:
        raise
    except MemoryError:
        raise ResourceError(f"{where}: not enough memory to read it: use fewer or smaller images") from None
    except Exception:
        # All exceptions, because packages that decode have errors of their own, which share no ancestor but this one.
        # Privacy: `from None`, because a decoder's message or traceback can carry the bytes that it failed on.
        raise InputError(f"{where} is damaged or cut short: make or copy the file again") from None


def check_expansion(where: str, unpacked: int, packed: int) -> None:
    """Refuse a packed file that would unpack to an absurd multiple of its size, before anything is unpacked.

    Args:
        where: Beginning of the message.
        unpacked: Bytes that the header promises.
        packed: Bytes in the file.

    Raises:
        InputError: More than 64 MiB and more than 200 times the packed size.
    """
    if unpacked > FREE_BYTES and unpacked > MAX_EXPANSION * packed:
        raise InputError(
            f"{where}: would unpack {packed} bytes into {unpacked}, more than {MAX_EXPANSION} times as many: "
            "save it again without compression if it is genuine"
        )


def read_promised(stream: BinaryIO, num_bytes: int, where: str) -> bytearray:
    """Read the bytes that a header promises, and never more than one byte beyond.

    Args:
        stream: A plain or an unpacking stream, at the first promised byte.
        num_bytes: Bytes promised.
        where: Beginning of the message.

    Returns:
        The bytes. Memory grows with the true length of the stream and not with the promise.

    Raises:
        InputError: The stream ends earlier or goes on.
    """
    content = read_part(stream, num_bytes, where, num_bytes)
    check_ended(stream, num_bytes, where)
    return content


def read_part(stream: BinaryIO, num_bytes: int, where: str, promised: int) -> bytearray:
    """Read a part of the bytes that a header promises.

    Args:
        stream: A plain or an unpacking stream.
        num_bytes: Bytes of this part.
        where: Beginning of the message.
        promised: Bytes of all parts, for the message.

    Raises:
        InputError: The stream ends earlier.
    """
    content = bytearray()
    while len(content) < num_bytes:
        chunk = stream.read(min(CHUNK_BYTES, num_bytes - len(content)))
        if not chunk:
            there = f"only {len(content)} are there" if num_bytes == promised else "fewer are there"
            raise InputError(f"{where}: the header promises {promised} bytes, {there}: copy the file again")
        content += chunk
    return content


def check_ended(stream: BinaryIO, num_bytes: int, where: str) -> None:
    """Refuse a stream that goes on after the bytes that its header promises.

    Raises:
        InputError: It goes on.
    """
    if stream.read(1):  # also makes the unpacker compare its checksum
        raise InputError(f"{where}: goes on after the {num_bytes} bytes that its header promises: make the file again")
