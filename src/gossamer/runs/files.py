"""Files that are either whole or absent: written beside, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from gossamer.errors import InputError, ResourceError

T = TypeVar("T")

MAX_JSON_BYTES = 2**24
"""Longest JSON file that is read."""
_THEN_RESUME = "free space, then `gossamer resume`"
LINE_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""The errors that reading a line that was cut off or changed may raise. `InputError` is a `ValueError`."""


@contextlib.contextmanager
def writing(path: Path, way_out: str) -> Iterator[None]:
    """Put an error of the system at writing into a line of ours, with a way out.

    Raises:
        ResourceError: disk full, no permission, read-only.
    """
    try:
        yield
    except OSError as error:
        if not path.parent.exists():
            raise ResourceError(f"{path}: cannot be written (no folder {path.parent}); make that folder") from None
        reason = error.strerror or type(error).__name__
        raise ResourceError(f"{path}: cannot be written ({reason}); {way_out}") from None


def check_is_none_of(path: Path, read: Iterable[str]) -> None:
    """Refuse to write over a file that is read, by any of its names or links.

    Args:
        path: to be written.
        read: paths of data, or their names.

    Raises:
        InputError: the path is one of them.
    """
    for source in read:
        with contextlib.suppress(OSError):
            if path.samefile(source):
                raise InputError(f"--out {path}: would be written over the records themselves; name another --out")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when it is complete.

    Raises:
        ResourceError: disk full, no permission, read-only.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with writing(path, "free space or choose another --out"):
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            flush_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a new folder that appears under its name only when it is complete. Remains of a crash are cleared away.

    Raises:
        ResourceError: disk full, no permission, read-only, or something else has taken the name.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with writing(path, "free space or choose another --out"):
            if partial.exists():
                shutil.rmtree(partial)
            partial.mkdir(parents=True)
            yield partial
            partial.replace(path)
            flush_folder(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def clear_partial_files(*folders: Path) -> None:
    """Remove the remains of files being written in a crash, in folders and below. Nobody may be writing there."""
    for partial in (path for folder in folders for path in folder.rglob(".*.partial")):
        if partial.is_file():
            with contextlib.suppress(OSError):
                partial.unlink()


def flush_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, tree: Any) -> None:
    """Write JSON, indented."""
    write_whole(path, (json.dumps(tree, indent=2) + "\n").encode())


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file as `whole_file` does, all at once."""
    with whole_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def json_lines(path: Path) -> Iterator[Callable[[Any], None]]:
    """Append JSON, an object a line. A reader who follows the file sees each line as soon as it is written.

    Raises:
        ResourceError: disk full, no permission, read-only.
    """
    with writing(path, _THEN_RESUME):
        is_torn = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")
        file = path.open("ab", buffering=0)

    def append(tree: Any) -> None:
        nonlocal is_torn
        line = (b"\n" if is_torn else b"") + json.dumps(tree).encode() + b"\n"
        with writing(path, _THEN_RESUME):
            is_torn = file.write(line) != len(line)

    with file:
        yield append


def append_durably(path: Path, line: bytes, read: Callable[[bytes], object], *, is_first: bool) -> None:
    """Append a line that is on the disk when this returns. A last line that a crash cut off is mended first.

    Args:
        path: the file, made if it is absent.
        line: without its end.
        read: reads a line. If the last line has no end, it is kept if `read` accepts it, and dropped if `read` refuses.
        is_first: True if the file's name may not outlast a power cut yet.

    Raises:
        ResourceError: disk full, no permission, read-only.
    """
    with writing(path, _THEN_RESUME):
        _mend_end(path, read)
        with path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_first:
            flush_folder(path.parent)


def _mend_end(path: Path, read: Callable[[bytes], object]) -> None:
    content = path.read_bytes() if path.is_file() else b""
    torn = content.rpartition(b"\n")[2]
    if not torn:
        return
    try:
        read(torn)
    except LINE_DAMAGE:
        os.truncate(path, len(content) - len(torn))
        return
    with path.open("ab") as file:
        file.write(b"\n")


def read_lines(path: Path, content: bytes, read: Callable[[bytes], T], refusal: str) -> list[T]:
    """Read each line of a file that only grows. A last line that a crash cut off was never relied on, and is left out.

    Args:
        path: of the file, for the message.
        content: of the file.
        read: reads a line.
        refusal: the words for a line that `read` refuses.

    Raises:
        InputError: a line before the last cannot be read.
    """
    lines, found = content.split(b"\n"), []
    for number, line in enumerate(lines, start=1):
        try:
            found += [read(line)] if line else []
        except LINE_DAMAGE:
            if number < len(lines):
                raise InputError(
                    f"{path}: line {number} {refusal} start a new run: its epsilon adds to the epsilon of this run"
                ) from None
    return found


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: absent, or no JSON.
    """
    try:
        return strict_json(read_bounded(path, MAX_JSON_BYTES))
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable as JSON ({type(error).__name__}); put the file back as it was written"
        ) from None


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Read a regular file of bounded length: a sparse file may claim any length, a pipe never ends.

    Raises:
        InputError: the file is longer, or no regular file.
        OSError: the file is absent, or cannot be read.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a regular file; put the file itself there")
    if path.stat().st_size > max_bytes:
        raise InputError(f"{path}: longer than {max_bytes} bytes, so not a file that gossamer wrote; put that one back")
    return path.read_bytes()


def strict_json(text: str | bytes) -> Any:
    """Read JSON as the standard has it, every number finite. Python's own reader takes NaN, Infinity and 1e999 too.

    Raises:
        ValueError, RecursionError: the text is no such JSON.

    >>> strict_json("[1, 2.5]")
    [1, 2.5]
    >>> strict_json("[1e999]")
    Traceback (most recent call last):
    ...
    ValueError: a number that is not finite
    """
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number
