"""The manifest of a release: digests of plain files, and nothing that is followed, waited for or endless."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import InputError
from gossamer.runs import manifest
from gossamer.runs.manifest import MANIFEST, file_digest, files_in, manifest_tree, read_manifest


def test_what_was_written_is_read(tmp_path: Path) -> None:
    digests = {"b/c.npz": "0" * 64, "a.json": "f" * 64}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest_tree(digests)))
    assert read_manifest(tmp_path) == digests
    assert list(read_manifest(tmp_path)) == ["a.json", "b/c.npz"], "in the order of names"


@pytest.mark.parametrize(
    "tree",
    [
        [], {}, None, {"format": "other", "sha256": {}}, {"format": manifest.FORMAT, "sha256": []},
        {"format": manifest.FORMAT, "sha256": {"a": "short"}}, {"format": manifest.FORMAT, "sha256": {"a": None}},
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(tmp_path: Path, tree: Any) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps(tree))
    with pytest.raises(InputError, match="use the folder as it was written"):
        read_manifest(tmp_path)


def test_a_digest_is_that_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert file_digest(path) == hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize("kind", ["absent", "link", "folder", "pipe"])
def test_what_is_no_plain_file_has_no_digest(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    (tmp_path / "file").write_bytes(b"content")
    match kind:
        case "link":
            path.symlink_to(tmp_path / "file")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
    with pytest.raises(InputError, match="it: "):
        file_digest(path)


def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"")
    folder = tmp_path / "release"
    (folder / "samples").mkdir(parents=True)
    (folder / "samples" / "x.npz").write_bytes(b"")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "samples" / "dangling").symlink_to(tmp_path / "nowhere")
    assert sorted(files_in(folder)) == ["link", "samples/dangling", "samples/x.npz"]


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(manifest, "MAX_FILES", 3)
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(InputError, match="more than 3 files"):
        list(files_in(tmp_path))
