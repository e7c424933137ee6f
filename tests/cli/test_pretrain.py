"""`gossamer pretrain`: critics that were warmed elsewhere are those that the training would have warmed itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gossamer.methods.gs_wgan.settings import AgainstPresentGenerator


@pytest.fixture
def begun(train_tiny: Any, at_step: Any, tmp_path: Path) -> Path:
    """A run of 30 critics in chunks of 10 that was interrupted while it warmed them up."""
    run = tmp_path / "run"
    at_step.interrupt(-1)
    assert train_tiny("digits", run).code == 130
    for chunk in (run / "private" / "warm_start").iterdir():
        chunk.unlink()
    return run


def chunks(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "private" / "warm_start").glob("*.pt")}


def test_ranges_from_two_nodes_are_brought_together_and_taken_up(
    begun: Path, gossamer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Path(shutil.copytree(begun, tmp_path / "node"))
    said = gossamer("pretrain", begun, "--critics", "0..19")
    assert said.code == 0, said.err
    assert "critics up to 19 are warm" in said.out
    assert gossamer("pretrain", node, "--critics", "20..29").code == 0, "a copy may do it: nothing is spent"
    assert (len(chunks(begun)), len(chunks(node))) == (2, 1)
    assert not (node / "private" / "ledger.jsonl").exists() or not (node / "private" / "ledger.jsonl").read_bytes()
    for path in (node / "private" / "warm_start").iterdir():
        shutil.copy(path, begun / "private" / "warm_start")

    def fail(*arguments: Any) -> None:
        pytest.fail("a critic was warmed twice")

    monkeypatch.setattr(AgainstPresentGenerator, "train", fail)
    assert gossamer("resume", begun).code == 0
    assert gossamer("verify", begun).code == 0


def test_a_critic_is_the_same_wherever_it_was_warmed(begun: Path, gossamer: Any, tmp_path: Path) -> None:
    node = Path(shutil.copytree(begun, tmp_path / "node"))
    assert gossamer("pretrain", node, "--critics", "10..19").code == 0
    assert gossamer("pretrain", begun, "--critics", "0..29").code == 0
    (name,) = chunks(node)
    assert chunks(node)[name] == chunks(begun)[name]


def test_a_range_of_other_form_is_refused(begun: Path, gossamer: Any) -> None:
    refused = {"5..19": "chunks of 10", "0..29999": "of 30 in all", "20..10": "before", "0-9": "0..99", "0..8": "0..9"}
    for critics, words in refused.items():
        said = gossamer("pretrain", begun, "--critics", critics)
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert words in said.err


def test_a_run_that_has_ended_has_no_critics_to_warm(finished: Path, gossamer: Any) -> None:
    said = gossamer("pretrain", finished, "--critics", "0..9")
    assert said.code == 2
    assert "has ended" in said.err
