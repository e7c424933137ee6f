"""Checkpoints: the newest whole one is taken, a torn one never."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from gossamer.errors import InputError, PrivacyError
from gossamer.runs import checkpoint
from gossamer.runs.checkpoint import (
    Manifest,
    Origin,
    find_checkpoints,
    is_as_written,
    load_checkpoint,
    load_tensors,
    read_manifest,
    save_checkpoint,
    save_tensors,
)
from gossamer.runs.files import write_json
from gossamer.runs.ledger_file import LedgerFile

ORIGIN = Origin(settings_sha256="a" * 64, data_sha256="b" * 64, key_sha256="d" * 64)
VERSIONS = checkpoint._versions()


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
    tree = Manifest(
        step=1, sha256=hashlib.sha256(buffer.getvalue()).hexdigest(), replaces=None, origin=None, ledger=None,
        versions=dict(VERSIONS),
    ).to_json()  # fmt: skip
    write_json(tmp_path / "step-00000001.json", tree)
    with pytest.raises(InputError, match="another version"):
        load_checkpoint(tmp_path)
    write_json(tmp_path / "step-00000001.json", tree | {"schema": 1})
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
    save_tensors(path, {"a": torch.ones(2)}, ORIGIN)
    assert torch.equal(load_tensors(path, ORIGIN)["a"], torch.ones(2))
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged") as caught:
        load_tensors(path, ORIGIN)
    assert "\n" not in str(caught.value)


# ---- whose it is -------------------------------------------------------------------------------------------------


def test_a_manifest_says_what_a_checkpoint_belongs_to(tmp_path: Path) -> None:
    ledger = LedgerFile(tmp_path / "ledger.jsonl", num_planned_steps=25)
    ledger.charge(0)
    path = save_checkpoint(tmp_path, 10, state(10), ORIGIN, ledger.position())
    manifest = read_manifest(path)
    assert manifest is not None
    assert manifest.step == 10
    assert manifest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest.origin == ORIGIN
    assert manifest.ledger is not None
    assert manifest.ledger.num_charged_steps == 10
    assert set(manifest.versions) == {"gossamer", "torch", "public streams"}
    assert not any("+" in version for version in manifest.versions.values())
    assert Manifest.from_json(json.loads(path.with_suffix(".json").read_text())) == manifest


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (dataclasses.replace(ORIGIN, settings_sha256="c" * 64), r"step-00000007\.pt: of a run with other settings"),
        (dataclasses.replace(ORIGIN, data_sha256="c" * 64), r"step-00000007\.pt: of a run on other records"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_name(tmp_path: Path, other: Origin, words: str) -> None:
    save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    assert load_checkpoint(tmp_path, ORIGIN) is not None
    with pytest.raises(InputError, match=words):
        load_checkpoint(tmp_path, other)


def test_what_another_key_dealt_is_refused(tmp_path: Path) -> None:
    """Over two dealings a person would lie in two shards, which no price here is of."""
    other = dataclasses.replace(ORIGIN, key_sha256="c" * 64)
    save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    with pytest.raises(PrivacyError, match="of a run with another key than"):
        load_checkpoint(tmp_path, other)
    save_tensors(tmp_path / "chunk.pt", {"a": torch.ones(2)}, ORIGIN)
    with pytest.raises(PrivacyError, match="of critics with other settings, records or shards"):
        load_tensors(tmp_path / "chunk.pt", other)


@pytest.mark.parametrize("name", ["gossamer", "torch"])
def test_a_checkpoint_of_another_version_is_refused_by_name(tmp_path: Path, name: str, monkeypatch: Any) -> None:
    save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    monkeypatch.setattr(checkpoint, "_versions", lambda: VERSIONS | {name: "99.9"})
    with pytest.raises(InputError, match=f"this is {name} 99.9; resume it with {name} {VERSIONS[name]}"):
        load_checkpoint(tmp_path, ORIGIN)


def test_a_ledger_older_than_the_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = LedgerFile(path, num_planned_steps=25)
    ledger.charge(0)
    older = path.read_bytes()
    ledger.charge(10)
    save_checkpoint(tmp_path, 20, state(20), ORIGIN, ledger.position())
    ledger.charge(20)
    assert load_checkpoint(tmp_path, ORIGIN, path) is not None, "what was charged since is no change"
    whole = path.read_bytes()
    path.write_bytes(older)
    with pytest.raises(PrivacyError, match="fewer steps are charged than the 20"):
        load_checkpoint(tmp_path, ORIGIN, path)
    path.write_bytes(whole.replace(b'"num_steps": 10', b'"num_steps": 19', 1))
    with pytest.raises(PrivacyError, match="not those that were written"):
        load_checkpoint(tmp_path, ORIGIN, path)


def test_a_line_that_a_crash_cut_off_is_no_part_of_the_position(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    LedgerFile(path, num_planned_steps=40).charge(0)
    with path.open("ab") as file:
        file.write(b'{"first_step": 10, "nu')
    ledger = LedgerFile(path, num_planned_steps=40)
    save_checkpoint(tmp_path, 10, state(10), ORIGIN, ledger.position())
    ledger.charge(10)  # which drops what was cut off
    assert load_checkpoint(tmp_path, ORIGIN, path) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"step": "7"}, {"step": True}, {"sha256": "short"}, {"sha256": None}, {"origin": {}}, {"origin": []},
        {"origin": {"settings_sha256": 3, "data_sha256": 4}}, {"ledger": {"num_bytes": -1}}, {"versions": 3},
        {"surplus": 1},
    ],
)  # fmt: skip
def test_a_manifest_that_holds_something_else_is_none(tmp_path: Path, change: dict[str, Any]) -> None:
    path = save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    tree = json.loads(path.with_suffix(".json").read_text())
    write_json(path.with_suffix(".json"), tree | change)
    assert read_manifest(path) is None
    with pytest.raises(InputError, match="no checkpoint is whole"):
        load_checkpoint(tmp_path, ORIGIN)


# ---- crashes in writing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_renames", [0, 1, 2])
@pytest.mark.parametrize("steps", [(7,), (5, 7), (7, 12)])
def test_a_crash_in_writing_leaves_the_state_before_or_the_state_after(
    tmp_path: Path, monkeypatch: Any, num_renames: int, steps: tuple[int, ...]
) -> None:
    """The same step written again, too, as when a run that is spent goes on to its release."""
    for step in steps[:-1]:
        save_checkpoint(tmp_path, step, state(step), ORIGIN)
    if len(steps) == 1:
        save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    before = load_checkpoint(tmp_path, ORIGIN)
    assert before is not None
    replace, left = Path.replace, [num_renames]

    def until_the_power_goes(self: Path, target: Path) -> Path:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", until_the_power_goes)
        new = state(steps[-1]) | {"weights": {"a": torch.full((3,), -1.0)}}
        try:
            save_checkpoint(tmp_path, steps[-1], new, ORIGIN)
        except KeyboardInterrupt:
            assert num_renames < 2
    found = load_checkpoint(tmp_path, ORIGIN)
    assert found is not None
    expected = new if num_renames == 2 else before
    assert torch.equal(found["weights"]["a"], expected["weights"]["a"])


def test_a_damaged_file_is_not_taken_for_what_a_new_one_replaces(tmp_path: Path, monkeypatch: Any) -> None:
    save_checkpoint(tmp_path, 5, state(5), ORIGIN)
    path = save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    def full(*_: object) -> NoReturn:
        raise OSError(28, os.strerror(28))

    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: full() if to.suffix == ".pt" else replace(self, to))
    with pytest.raises(Exception, match="No space left"):
        save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    found = load_checkpoint(tmp_path, ORIGIN)
    assert found is not None
    assert found["step"] == 5


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 7, state(7), ORIGIN)
    content = path.with_suffix(".json").read_bytes()
    path.with_suffix(".json").unlink()
    os.mkfifo(path.with_suffix(".json"))
    assert read_manifest(path) is None
    path.with_suffix(".json").unlink()
    path.with_suffix(".json").write_bytes(content)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="no checkpoint is whole"):
        load_checkpoint(tmp_path)


def test_checkpoints_are_ordered_by_their_steps_and_not_by_their_names(tmp_path: Path) -> None:
    for step in (999_999_999, 1_000_000_000, 12):
        save_checkpoint(tmp_path, step, state(step))
    assert [path.name for path in find_checkpoints(tmp_path)] == ["step-999999999.pt", "step-1000000000.pt"]


def test_a_run_of_the_earlier_rule_of_public_streams_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = {name: version for name, version in VERSIONS.items() if name != "public streams"}
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_versions", lambda: earlier)
        path = save_checkpoint(tmp_path, 10, state(10))
    # It can still be read and verified, and is not gone on from.
    manifest = read_manifest(path)
    assert manifest is not None
    assert is_as_written(path, manifest)
    with pytest.raises(InputError, match="draws its public streams by another rule"):
        load_checkpoint(tmp_path)
