"""Stores of finished pieces with a place for files, as that of a run has."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from gossamer.methods.training import NoStore


class InFolder(NoStore):
    """A store that has a place for files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, name: str) -> Path:
        return self._folder / name


class Keeping:
    """A store that has a place for files, and keeps pieces in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.pieces = folder, dict[str, dict[str, Tensor]]()

    def load(self, name: str) -> dict[str, Tensor] | None:
        return self.pieces.get(name)

    def save(self, name: str, tensors: dict[str, Tensor]) -> None:
        self.pieces[name] = tensors

    def place(self, name: str) -> Path:
        return self._folder / name
