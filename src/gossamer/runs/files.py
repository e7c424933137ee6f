"""Files that are either whole or absent: written beside, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from gossamer.errors import InputError, ResourceError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when it is complete.

    Raises:
        ResourceError: disk full, no permission, read-only.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ResourceError(f"{path}: cannot be written ({reason}); free space or choose another --out") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a new folder that appears under its name only when it is complete; what a crash left of it is cleared away.

    Raises:
        ResourceError: disk full, no permission, read-only, or something else has taken the name.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        yield partial
        partial.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ResourceError(f"{path}: cannot be written ({reason}); free space or choose another --out") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def flush_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, tree: Any) -> None:
    """Write JSON, indented."""
    with whole_file(path) as file:
        file.write((json.dumps(tree, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: absent, or no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({type(error).__name__})") from None
