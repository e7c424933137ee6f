"""Critics in a file: the same bits as in memory, checkpoints of what changed, and no file that was changed."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from stores import InFolder, Keeping
from tiny import tiny_of
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError, ResourceError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.cost import random_records
from gossamer.methods.gs_wgan import trained_side
from gossamer.methods.gs_wgan.kept_critics import KeptCritics
from gossamer.methods.gs_wgan.training import GSWGANTraining, StepReport
from gossamer.methods.training import NoStore, PieceStore, RunContext
from gossamer.nn.ensemble import Ensemble, stack
from gossamer.nn.images.settings import ConvCriticConfig
from gossamer.privacy.dealing import UnitKey

CONFIG = replace(tiny_of("gs-wgan").images, num_steps=5, renewals_per_step=2)
SPEC = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c"))


def training(store: PieceStore, state: dict[str, Any] | None = None) -> GSWGANTraining:
    context = RunContext(delta=1e-3, key=UnitKey(bytes(32)), store=store, state=state)
    return GSWGANTraining(CONFIG, random_records(SPEC, 40), DeterministicNoise(0), context)


def advanced(made: GSWGANTraining, step: int) -> GSWGANTraining:
    for report in made:
        if isinstance(report, StepReport) and made.step == step:
            return made
    raise AssertionError(step)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_side, "LARGE_STACK", 0)


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def weights(made: GSWGANTraining) -> dict[str, Tensor]:
    return made.trained().weights


def test_a_training_with_critics_in_a_file_is_that_in_memory_bit_for_bit(large: None, tmp_path: Path) -> None:
    kept, plain = advanced(training(InFolder(tmp_path)), 4), advanced(training(NoStore()), 4)
    assert [path.name for path in tmp_path.iterdir()] == ["critics-of-stage-0.bin"]
    assert (tmp_path / "critics-of-stage-0.bin").stat().st_mode & 0o077 == 0
    assert same(weights(kept), weights(plain))


@pytest.mark.parametrize("taken", [1, 2])
def test_a_run_goes_on_from_either_of_the_last_two_checkpoints(large: None, tmp_path: Path, taken: int) -> None:
    whole = advanced(training(InFolder(tmp_path)), 4)
    made, states = training(InFolder(tmp_path)), {}
    for step in (1, 2):
        made = advanced(made, step)
        states[step] = copy.deepcopy(made.state_dict())
    advanced(made, 3)  # a step after the checkpoint, lost in a crash
    again = advanced(training(InFolder(tmp_path), states[taken]), 4)
    assert same(weights(again), weights(whole))


def test_a_state_in_memory_is_taken_up_in_a_file(large: None, tmp_path: Path) -> None:
    plain = advanced(training(NoStore()), 2)
    again = advanced(training(InFolder(tmp_path), copy.deepcopy(plain.state_dict())), 4)
    assert isinstance(again.state_dict()["critics"]["critics"]["kept/copy"], Tensor)
    assert same(weights(again), weights(advanced(plain, 4)))


def test_a_checkpoint_holds_no_critic(large: None, tmp_path: Path) -> None:
    state = advanced(training(InFolder(tmp_path)), 1).state_dict()["critics"]["critics"]
    assert sum(tensor.numel() * tensor.element_size() for tensor in state.values()) == CONFIG.num_critics * 34


def test_a_file_that_was_changed_cut_or_lost_is_refused(large: None, tmp_path: Path) -> None:
    state = advanced(training(InFolder(tmp_path)), 1).state_dict()
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[10] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="not the critics of the newest checkpoint"):
        training(InFolder(tmp_path), state)
    file.write_bytes(content[:100])
    with pytest.raises(InputError, match="cut off"):
        training(InFolder(tmp_path), state)
    file.unlink()
    with pytest.raises(ResourceError, match="cannot be kept"):
        training(InFolder(tmp_path), state)
    with pytest.raises(InputError, match="in a file of its folder"):
        training(NoStore(), state)


def critics(num: int) -> Ensemble:
    return stack([ConvCriticConfig(width=2).build((1, 8, 8), 3, torch.Generator().manual_seed(k)) for k in range(num)])


def test_critics_come_back_as_they_were_written(tmp_path: Path) -> None:
    held = critics(5)
    kept = KeptCritics(tmp_path / "critics.bin", held, 5)
    kept.update_(torch.arange(5), held)
    for rows in ([4, 0, 4], [2], []):
        chosen = kept.select(torch.tensor(rows, dtype=torch.int64)).state_dict()
        assert same(chosen, held.select(torch.tensor(rows, dtype=torch.int64)).state_dict())


def test_a_checkpoint_that_is_written_over_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = critics(3)
    kept = KeptCritics(tmp_path / "critics.bin", held, 3)
    kept.update_(torch.arange(3), held)
    state = kept.state_dict()
    monkeypatch.setattr(kept, "_checkpoints", [])  # the break: no place is spared
    kept.update_(torch.tensor([1]), held.select(torch.tensor([0])))
    with pytest.raises(InputError, match="newest checkpoint"):
        KeptCritics.restored(tmp_path / "critics.bin", held, state)


def test_critics_that_are_warmed_for_the_store_leave_the_file_of_a_training_alone(large: None, tmp_path: Path) -> None:
    """`gossamer pretrain` takes no lock, so that many may share the work: a training may have begun meanwhile."""
    whole, store = advanced(training(NoStore()), 4), Keeping(tmp_path)
    made = advanced(training(store), 1)
    state, kept = copy.deepcopy(made.state_dict()), dict(store.pieces)
    assert kept
    store.pieces.clear()
    assert list(training(store).warm_up(range(len(kept)))) == list(range(len(kept)))
    assert store.pieces.keys() == kept.keys()
    assert all(same(store.pieces[name], kept[name]) for name in kept)
    assert same(weights(advanced(training(store, state), 4)), weights(whole))
