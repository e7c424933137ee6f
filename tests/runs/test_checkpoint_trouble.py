"""Checkpoints when memory gives out, an interrupt comes in between, or a crash left half of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from gossamer.errors import InputError, is_lack_of_memory
from gossamer.runs.checkpoint import Origin, load_checkpoint, load_tensors, save_checkpoint, save_tensors

ORIGIN = Origin(settings_sha256="a" * 64, data_sha256="b" * 64, key_sha256="d" * 64)
ALLOCATOR = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes"


def state(step: int) -> dict[str, Any]:
    return {"step": step, "weights": torch.full((3,), float(step))}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize("stop", [MemoryError, KeyboardInterrupt])
def test_what_stopped_the_writer_of_torch_is_not_hidden_by_its_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    save_checkpoint(tmp_path, 10, state(10))
    before = names(tmp_path)

    class Writer:
        def write_record(self, *_: object) -> NoReturn:
            raise stop

        def write_end_of_file(self) -> NoReturn:
            raise RuntimeError("[enforce fail at inline_container.cc] . unexpected pos 64 vs 0")

    def save(tree: Any, buffer: Any) -> None:
        writer = Writer()
        try:
            writer.write_record(tree)
        finally:
            writer.write_end_of_file()

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(stop):
        save_checkpoint(tmp_path, 20, state(20))
    with pytest.raises(stop):
        save_tensors(tmp_path / "chunk.pt", {}, ORIGIN)
    assert names(tmp_path) == before


def test_a_mistake_in_what_is_saved_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "save", failing(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        save_checkpoint(tmp_path, 20, state(20))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(ALLOCATOR)], ids=repr)
def test_a_lack_of_memory_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: MemoryError | RuntimeError
) -> None:
    """Whoever is told that a checkpoint is damaged throws it away."""
    save_checkpoint(tmp_path, 10, state(10))
    save_tensors(tmp_path / "chunk.pt", {"a": torch.ones(2)}, ORIGIN)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", failing(error))
        with pytest.raises(type(error)):
            load_checkpoint(tmp_path)
        with pytest.raises(type(error)):
            load_tensors(tmp_path / "chunk.pt", ORIGIN)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", failing(RuntimeError("PytorchStreamReader failed")))
        with pytest.raises(InputError):
            load_tensors(tmp_path / "chunk.pt", ORIGIN)


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (RuntimeError(ALLOCATOR), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("ft2font.so: failed to map segment from shared object"), True),
        (ImportError("no module of that name"), False),
        (RuntimeError("a bug"), False),
        (ValueError("out of memory"), False),
        (OSError("out of memory"), False),
    ],
    ids=repr,
)
def test_a_lack_of_memory_is_known_by_what_it_says(error: Exception, is_it: bool) -> None:
    assert is_lack_of_memory(error) is is_it


def test_one_without_a_manifest_is_the_first_half_of_a_crash_and_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "step-00000010.pt").write_bytes(b"never told whole")
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, 7, state(7))
    assert names(tmp_path) == ["step-00000007.json", "step-00000007.pt"]


def test_halves_do_not_take_the_place_of_one_of_the_two_that_are_kept(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 10, state(10))
    (tmp_path / "step-00000020.pt").write_bytes(b"never told whole")
    save_checkpoint(tmp_path, 17, state(17))
    assert [name for name in names(tmp_path) if name.endswith(".pt")] == ["step-00000010.pt", "step-00000017.pt"]
