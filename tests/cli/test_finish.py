"""`gossamer finish`: what saw records and is of no more use is deleted, and every proof still holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gossamer.driving import finishing


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A finished run that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def private_files(run: Path, part: str) -> list[str]:
    return sorted(path.name for path in (run / "private" / part).iterdir())


def test_a_finished_run_loses_its_critics_and_keeps_its_proof(copied: Path, gossamer: Any) -> None:
    before = {path: path.read_bytes() for path in (copied / "release").rglob("*") if path.is_file()}
    ledger = (copied / "private" / "ledger.jsonl").read_bytes()
    told = json.loads(gossamer("ledger", copied, "--json").out)
    assert private_files(copied, "checkpoints")
    said = gossamer("finish", copied, "--dry-run")
    assert said.code == 0
    assert "would delete" in said.out
    assert private_files(copied, "checkpoints"), "a dry run deletes nothing"
    said = gossamer("finish", copied)
    assert said.code == 0, said.err
    assert "Kept: the ledger" in said.out
    assert "backups" in said.out
    assert private_files(copied, "checkpoints") == private_files(copied, "warm_start") == []
    assert before == {path: path.read_bytes() for path in (copied / "release").rglob("*") if path.is_file()}
    assert (copied / "private" / "ledger.jsonl").read_bytes() == ledger
    assert gossamer("verify", copied).code == 0
    assert json.loads(gossamer("ledger", copied, "--json").out) == told, "no step counts as lost"
    assert "has ended" in gossamer("resume", copied).err
    assert "nothing: no checkpoint" in gossamer("finish", copied).out, "twice does no harm"
    assert json.loads(gossamer("ledger", copied, "--json").out) == told


def test_a_run_that_has_not_ended_is_not_finished(copied: Path, gossamer: Any) -> None:
    (copied / "release" / "generator.safetensors").unlink()
    said = gossamer("finish", copied)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "gossamer resume" in said.err
    assert private_files(copied, "checkpoints")


def test_a_run_that_does_not_hold_keeps_what_could_tell_why(copied: Path, gossamer: Any) -> None:
    (copied / "release" / "real.npz").write_bytes(b"x")
    said = gossamer("finish", copied)
    assert said.code == 3
    assert "gossamer verify" in said.err
    assert private_files(copied, "checkpoints")


def test_a_run_that_was_finished_cannot_spend_again(copied: Path, gossamer: Any) -> None:
    assert gossamer("finish", copied).code == 0
    for path in (copied / "release").glob("generator.safetensors"):
        path.unlink()
    said = gossamer("resume", copied, "--only-copy")
    assert said.code in (2, 3), said.out


def test_without_the_number_of_steps_done_all_steps_would_count_as_lost(
    copied: Path, gossamer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "write_json", lambda path, tree: None)
    assert gossamer("finish", copied).code == 0
    assert json.loads(gossamer("ledger", copied, "--json").out)["num_lost_steps"] == 12
