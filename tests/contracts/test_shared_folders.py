"""What tests share stays as it is: whoever changes it is told, so that no test depends on those before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def add(folder: Path) -> None:
    (folder / "private" / "evaluation").mkdir()


def remove(folder: Path) -> None:
    (folder / "private" / "ledger").unlink()


def write(folder: Path) -> None:
    (folder / "private" / "ledger").write_text("another")


def open_to_all(folder: Path) -> None:
    (folder / "private").chmod(0o755)


@pytest.mark.parametrize(
    ("change", "place"),
    [(add, "private/evaluation"), (remove, "private/ledger"), (write, "private/ledger"), (open_to_all, "private")],
)
def test_a_change_of_what_is_shared_is_named_once(
    tmp_path: Path, shared_folders: Any, change: Callable[[Path], None], place: str
) -> None:
    folders = type(shared_folders)()
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private" / "ledger").write_text("a line")
    assert folders.add(tmp_path) == tmp_path
    assert folders.changed() == []
    change(tmp_path)
    assert folders.changed() == [f"{tmp_path}/{place}"]
    assert folders.changed() == []
