"""Which run a folder is of: an id that tells nothing, and a place that a copy does not have."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.claim import own_version
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import (
    check_goes_on_here,
    is_older,
    moved_here,
    new_identity,
    read_identity,
)
from gossamer.runs.key_file import write_key


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


def test_an_identity_comes_back_as_it_was_written(folder: RunFolder) -> None:
    identity = new_identity(folder)
    assert read_identity(folder) == identity
    assert len(identity.run_id) == 32
    assert identity.gossamer_version == own_version()
    assert identity.is_of(folder)
    tree = json.loads(folder.identity_file.read_text())
    assert tree["schema"] == 1
    assert tree["folder"] == {"device": folder.path.stat().st_dev, "inode": folder.path.stat().st_ino}
    assert tree["private"] == {"device": folder.private.stat().st_dev, "inode": folder.private.stat().st_ino}


def test_an_id_comes_from_the_operating_system_and_from_nothing_else(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert new_identity(folder).run_id != new_identity(folder).run_id
    monkeypatch.setattr(os, "urandom", lambda size: b"\x1f" * size)
    assert new_identity(folder).run_id == "1f" * 16


def test_a_folder_that_was_renamed_is_the_same_and_one_that_was_copied_is_not(
    folder: RunFolder, tmp_path: Path
) -> None:
    new_identity(folder)
    folder.path.rename(tmp_path / "renamed")
    renamed = RunFolder(tmp_path / "renamed")
    check_goes_on_here(renamed, read_identity(renamed))
    copied = RunFolder(shutil.copytree(renamed.path, tmp_path / "copied"))
    with pytest.raises(PrivacyError, match=r"is a copy of the run's folder, or was moved .* --only-copy`") as caught:
        check_goes_on_here(copied, read_identity(copied))
    assert caught.value.exit_code == 3
    assert str(caught.value).isprintable()
    before = read_identity(copied).run_id
    assert moved_here(copied).run_id == before
    check_goes_on_here(copied, read_identity(copied))


def test_a_private_side_that_was_put_back_is_another_folder(folder: RunFolder, tmp_path: Path) -> None:
    new_identity(folder)
    # Moved away and not removed: a file system may give the number of a removed folder to the next one.
    folder.private.rename(tmp_path / "before")
    shutil.copytree(tmp_path / "before", folder.private)
    with pytest.raises(PrivacyError, match="restored from a backup"):
        check_goes_on_here(folder, read_identity(folder))


def test_a_run_with_neither_id_nor_key_is_older_and_one_that_lost_one_is_damaged(folder: RunFolder) -> None:
    assert is_older(folder)
    with pytest.raises(InputError, match=r"older version of gossamer.* finish it with the version .* CHANGELOG"):
        read_identity(folder)
    write_key(folder, UnitKey.drawn())
    assert not is_older(folder)
    with pytest.raises(InputError, match=r"run\.json: missing"):
        read_identity(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "0" * 31},
        {"run_id": "G" * 32},
        {"run_id": 7},
        {"schema": 2},
        {"schema": None},
        {"folder": {"device": 1}},
        {"folder": {"device": True, "inode": 1}},
        {"private": {"device": 1, "inode": -1}},
        {"private": []},
        {"gossamer_version": "1\x1b[2J"},
        {"more": 1},
    ],
)
def test_a_damaged_identity_gets_one_line(folder: RunFolder, change: dict[str, Any]) -> None:
    new_identity(folder)
    tree = json.loads(folder.identity_file.read_text()) | change
    folder.identity_file.write_text(json.dumps(tree))
    with pytest.raises(InputError, match=r"run\.json: damaged; put the file back") as caught:
        read_identity(folder)
    assert str(caught.value).isprintable()
