"""Files are whole or absent, folders are made or refused, and a run belongs to one process at a time."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gossamer.errors import InputError, ResourceError
from gossamer.runs.files import clear_partial_files, json_lines, read_json, whole_file, whole_folder, write_json
from gossamer.runs.folder import RunFolder, environment


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_an_error_while_writing_leaves_the_old_file_and_no_part_of_the_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:  # noqa: PT012
        file.write(b"half of the n")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_disk_that_refuses_is_told_in_one_line(tmp_path: Path, monkeypatch: Any, number: int) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ResourceError, match=os.strerror(number)) as caught, whole_file(tmp_path / "file"):
        pass
    assert "\n" not in str(caught.value)


def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def refuse(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ResourceError, match="No space left"), whole_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"no folder .*absent\); make that folder$"):
        write_json(tmp_path / "absent" / "file.json", {})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"{'a': 1}"])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not readable as JSON"):
        read_json(path)


def test_absent_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "file.json")
    with pytest.raises(InputError):
        read_json(tmp_path)


def test_a_new_run_has_release_and_private_apart_and_private_is_closed_to_others(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "deep" / "run")
    assert names(folder.path) == ["environment.json", "private", "release", "released.json"]
    assert folder.private.stat().st_mode & 0o777 == 0o700
    assert names(folder.release) == []


@pytest.mark.parametrize("kind", ["file", "full folder"])
def test_a_run_is_made_over_nothing_that_is_there(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run"
    if kind == "file":
        path.write_text("mine")
    else:
        path.mkdir()
        (path / "mine").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        RunFolder.create(path)
    assert (path if kind == "file" else path / "mine").read_text() == "mine"


def test_a_run_may_be_made_in_an_empty_folder(tmp_path: Path) -> None:
    assert RunFolder.create(tmp_path).release.is_dir()


def test_a_run_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot make a run folder"):
        RunFolder.create(tmp_path / "file" / "run")


def test_a_folder_without_settings_is_no_run(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(InputError, match=r"config\.json is missing"):
        RunFolder.open(folder.path)
    write_json(folder.config_file, {})
    assert RunFolder.open(folder.path) == folder


LOCK = """
import sys
from pathlib import Path
from gossamer.errors import ResourceError
from gossamer.runs.folder import RunFolder
try:
    with RunFolder(Path(sys.argv[1])).locked():
        print("held")
except ResourceError as error:
    print("refused", error)
"""


def test_a_second_process_on_one_run_is_refused_by_name_until_the_first_has_left(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")

    def second() -> str:
        # Without torch, which this needs not and which takes seconds to import.
        return subprocess.run(
            [sys.executable, "-c", LOCK, str(folder.path)], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    with folder.locked():
        said = second()
        assert said.startswith("refused")
        assert str(folder.path) in said
        assert "another process" in said
    assert second() == "held\n"


def test_a_second_holder_in_one_process_is_refused_too(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with folder.locked(), pytest.raises(ResourceError), folder.locked():
        pass


def test_a_run_without_its_private_side_cannot_be_held(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"), RunFolder(tmp_path).locked():
        pass


def test_the_environment_names_no_host_and_no_path(tmp_path: Path) -> None:
    text = str(environment())
    assert os.uname().nodename not in text
    assert "/" not in text.replace("scikit-learn", "")
    assert {"python", "torch", "dp-accounting"} <= set(environment())


def test_a_folder_appears_when_it_is_complete_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "in" / "folder"
    with whole_folder(path) as partial:
        (partial / "file").write_bytes(b"new")
        assert not path.exists()
    assert names(tmp_path / "in") == ["folder"]
    assert (path / "file").read_bytes() == b"new"


def test_an_error_while_filling_a_folder_leaves_no_part_of_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "folder") as partial:  # noqa: PT012
        (partial / "file").write_bytes(b"half")
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_what_crashes_left_of_files_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    left = [tmp_path / "a" / ".step.pt.partial", tmp_path / "a" / "b" / ".chunk.pt.partial"]
    kept = [tmp_path / "a" / "step.pt", tmp_path / "a" / "partial", tmp_path / "elsewhere" / ".step.pt.partial"]
    for path in (*left, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    clear_partial_files(tmp_path / "a", tmp_path / "absent")
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_lines_are_there_as_soon_as_they_are_written_and_stand_alone_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0}\n{"st')
    with json_lines(path) as note:
        note({"step": 1})
        assert path.read_text() == '{"step": 0}\n{"st\n{"step": 1}\n'
        note({"step": 2})
    assert path.read_text().splitlines()[2:] == ['{"step": 1}', '{"step": 2}']


def test_a_line_that_cannot_be_written_is_told_by_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    words = r"metrics\.jsonl: cannot be written \(No space left"
    with json_lines(tmp_path / "metrics.jsonl") as note, pytest.raises(ResourceError, match=words):
        note({"step": 0})
    with pytest.raises(ResourceError, match="cannot be written"), json_lines(tmp_path / "absent" / "x.jsonl"):
        pass


@pytest.mark.parametrize(
    "left",
    [
        ("release/",),
        ("release/", "private/checkpoints/", "environment.json"),
        ("release/", "private/.data.sha256.partial", "private/lock"),
        ("release/", "private/data.sha256", "private/settings.sha256", "environment.json", ".config.json.partial"),
    ],
)
def test_a_run_that_crashed_before_its_settings_were_there_may_be_begun_again(
    tmp_path: Path, left: tuple[str, ...]
) -> None:
    place(tmp_path, left)
    assert RunFolder.create(tmp_path).checkpoints.is_dir()


@pytest.mark.parametrize(
    "left",
    [
        ("release/", "private/ledger.jsonl"),
        ("release/", "private/checkpoints/step-00000001.pt"),
        ("release/", "private/warm_start/stage-0.pt"),
        ("release/generator.safetensors", "private/"),
        ("release/", "private/", "config.json"),
        ("release/", "mine.txt"),
        ("private/", "environment.json"),
        ("my release/",),
    ],
)
def test_whatever_may_have_been_spent_or_is_a_users_own_is_left_alone(tmp_path: Path, left: tuple[str, ...]) -> None:
    place(tmp_path, left)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="not empty"):
        RunFolder.create(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def place(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(b"x")


def test_a_folder_that_cannot_be_locked_is_not_said_to_be_in_use(tmp_path: Path, monkeypatch: Any) -> None:
    folder = RunFolder.create(tmp_path / "run")

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(ResourceError, match="cannot be held \\(No locks available"), folder.locked():
        pass


def test_what_a_crash_left_of_a_folder_is_cleared_and_what_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".folder.partial").mkdir()
    (tmp_path / ".folder.partial" / "old").write_bytes(b"half")
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "file").write_bytes(b"first")
    assert names(tmp_path / "folder") == ["file"]
    with pytest.raises(ResourceError, match="folder"), whole_folder(tmp_path / "folder") as partial:
        (partial / "file").write_bytes(b"second")
    assert (tmp_path / "folder" / "file").read_bytes() == b"first"
    assert names(tmp_path) == ["folder"]
