"""Checkpoints: the newest whole one is taken, a torn one never."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
import torch

from gossamer.errors import InputError
from gossamer.runs.checkpoint import load_checkpoint, load_tensors, save_checkpoint, save_tensors
from gossamer.runs.files import write_json


def state(step: int) -> dict:
    return {"step": step, "weights": {"a": torch.full((3,), float(step))}, "critics": None, "nested": [1, (2.5, "x")]}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 7, state(7))
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert torch.equal(found["weights"]["a"], torch.full((3,), 7.0))
    assert found["nested"] == [1, (2.5, "x")]
    assert found["critics"] is None


def test_nothing_saved_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None


def test_the_last_two_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    for step in (0, 5, 90, 100_000_000):
        save_checkpoint(tmp_path, step, state(step))
    assert names(tmp_path) == [
        "step-00000090.json", "step-00000090.pt", "step-100000000.json", "step-100000000.pt",
    ]  # fmt: skip
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found["step"] == 100_000_000


@pytest.mark.parametrize("damage", ["cut", "changed", "no manifest", "manifest cut", "manifest no text"])
def test_a_torn_newest_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    save_checkpoint(tmp_path, 10, state(10))
    path = save_checkpoint(tmp_path, 20, state(20))
    content, manifest = path.read_bytes(), path.with_suffix(".json")
    match damage:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "changed":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "no manifest":
            manifest.unlink()
        case "manifest cut":
            manifest.write_bytes(manifest.read_bytes()[:30])
        case _:
            manifest.write_bytes(b"\xff\xfe\xff")
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found["step"] == 10


def test_when_none_is_whole_the_run_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 10, state(10)).write_bytes(b"torn")
    with pytest.raises(InputError, match="no checkpoint is whole"):
        load_checkpoint(tmp_path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"schema": 999, "state": {}}, buffer)
    (tmp_path / "step-00000001.pt").write_bytes(buffer.getvalue())
    write_json(tmp_path / "step-00000001.json", {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest()})
    with pytest.raises(InputError, match="another version"):
        load_checkpoint(tmp_path)


def test_files_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "step-mine.pt").write_bytes(b"mine")
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, state(step))
    assert (tmp_path / "step-mine.pt").read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"", b"torn", b"PK\x03\x04 torn", b"\x80\x02."])
def test_damaged_tensors_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chunk.pt"
    save_tensors(path, {"a": torch.ones(2)})
    assert torch.equal(load_tensors(path)["a"], torch.ones(2))
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged") as caught:
        load_tensors(path)
    assert "\n" not in str(caught.value)
