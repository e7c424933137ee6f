"""States of a training to go on from: whole files with a digest, the last two kept. Private."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from gossamer.errors import InputError
from gossamer.runs.files import whole_file, write_json

# What torch's reader of tensors alone says of a file that is cut or changed.
_DAMAGE = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError)

KEPT = 2
SCHEMA = 1


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state after ``step`` steps, then forget all but the last two.

    Args:
        folder: the run's checkpoint folder.
        step: number of steps done.
        state: plain dictionaries, tensors and numbers.

    Returns:
        The file.
    """
    buffer = io.BytesIO()
    torch.save({"schema": SCHEMA, "state": state}, buffer)
    path = folder / f"step-{step:08d}.pt"
    with whole_file(path) as file:
        file.write(buffer.getbuffer())
    write_json(path.with_suffix(".json"), {"sha256": hashlib.sha256(buffer.getbuffer()).hexdigest(), "step": step})
    for old in _checkpoints(folder)[:-KEPT]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)
    return path


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The newest state whose digest is right, or None when there is none at all.

    Raises:
        InputError: checkpoints are there but none is whole, or they are of another version.
    """
    found = _checkpoints(folder)
    for path in reversed(found):
        if _is_whole(path):
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content["schema"] != SCHEMA:
                raise InputError(f"{path}: written by another version of gossamer; resume it with that version")
            return content["state"]
    if found:
        raise InputError(f"{folder}: no checkpoint is whole; start the run anew in another folder")
    return None


def save_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write tensors that stay private."""
    with whole_file(path) as file:
        torch.save(tensors, file)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read what `save_tensors` wrote; no code is run.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE:
        raise InputError(f"{path}: damaged; delete it and resume, and it is computed anew") from None


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*.pt") if re.fullmatch(r"step-\d{8,}\.pt", path.name))


def _is_whole(path: Path) -> bool:
    manifest = path.with_suffix(".json")
    if not manifest.is_file():
        return False
    return f'"{hashlib.sha256(path.read_bytes()).hexdigest()}"'.encode() in manifest.read_bytes()
