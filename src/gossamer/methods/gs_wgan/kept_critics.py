"""Critics in a file of the run: in memory are those alone that are asked or learn, however many there are."""

from __future__ import annotations

import hashlib
import math
import os
import weakref
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from gossamer.errors import InputError, ResourceError
from gossamer.nn.ensemble import Ensemble, Tensors

_COPIES: Final = 3
"""Places of each critic in the file: its present state, and its states in the last two checkpoints."""
_COPY: Final = "kept/copy"
_BEFORE: Final = "kept/copy before"
_DIGEST: Final = "kept/sha256"


class KeptCritics:
    """A stack of critics as an `Ensemble` has it, in a file that is also their part of a checkpoint.

    Each critic has three places in the file. A critic that learns is written to a place that none of the last two
    checkpoints names. A checkpoint holds places and digests alone, and the file holds the critics, each state once.

    Several processes may share one file. Each writes and reads critics of its own, and its state tells of these alone.

    Guarantee: the critics that are taken up are byte for byte those of the checkpoint. A file that was changed is
    refused. The file is private, and so are places and digests.

    Args:
        path: of the file. It is made if it is not there, and only its owner may read it.
        like: an ensemble of this architecture, of any number of networks. It gives names, shapes and types.
        num_critics: K, critics in the file.
    """

    def __init__(self, path: Path, like: Ensemble, num_critics: int) -> None:
        # What an earlier beginning left in it is never read. Another process may have begun to write already.
        self._open(path, like, num_critics, os.O_CREAT)

    def _open(self, path: Path, like: Ensemble, num_critics: int, flags: int) -> None:
        self._path, self._num_critics = path, num_critics
        self._like = like.select(torch.zeros(1, dtype=torch.int64, device=like.num_updates.device))
        self._length = sum(tensor.numel() * tensor.element_size() for tensor in self._like.state_dict().values())
        self._copy = torch.zeros(num_critics, dtype=torch.uint8)
        self._digest = torch.zeros(num_critics, 32, dtype=torch.uint8)
        self._changed: set[int] = set()
        self._checkpoints: list[Tensor] = []
        try:
            # Privacy: for the owner's eyes alone, as all that saw records.
            self._file = os.open(path, os.O_RDWR | flags, 0o600)
        except OSError as error:
            raise self._hindered(error) from None
        weakref.finalize(self, os.close, self._file)

    @staticmethod
    def state_like(num_critics: int) -> Tensors:
        """Return zeros of the names, shapes and types that `state_dict` returns."""
        places = {name: torch.zeros(num_critics, dtype=torch.uint8) for name in (_COPY, _BEFORE)}
        return places | {_DIGEST: torch.zeros(num_critics, 32, dtype=torch.uint8)}

    @classmethod
    def restored(cls, path: Path, like: Ensemble, state: Tensors) -> KeptCritics:
        """Return the critics of a state that `state_dict` returned, from the file that was written then.

        Raises:
            InputError: the file is gone, or it does not hold the critics of that state.
        """
        critics = cls.__new__(cls)
        critics._open(path, like, len(state[_COPY]), 0)
        critics._copy, critics._digest = state[_COPY].clone(), state[_DIGEST].clone()
        critics._checkpoints = [state[_BEFORE].clone(), state[_COPY].clone()]
        for number in range(critics._num_critics):
            if not torch.equal(critics._digest_of(number), critics._digest[number]):
                raise InputError(
                    f"{path}: not the critics of the newest checkpoint; put the file back, or start a new run"
                )
        return critics

    @staticmethod
    def is_state(state: Tensors) -> bool:
        """Return True for a state that `state_dict` of this class returned."""
        return _COPY in state

    def select(self, networks: Tensor) -> Ensemble:
        """Read the chosen critics, in the order given, repeats allowed: int64 (c,).

        Raises:
            InputError: the file was cut off.
        """
        chosen = self._like.room_for(len(networks))
        rows = _rows_of(chosen)
        for row, number in enumerate(networks.tolist()):
            parts = [tensor[row] for tensor in rows]
            try:
                length = os.preadv(self._file, parts, self._offset(number))
            except OSError as error:
                raise self._hindered(error) from None
            if length != self._length:
                raise InputError(f"{self._path}: cut off; put the file back, or start a new run")
        return chosen

    def update_(self, networks: Tensor, changed: Ensemble) -> None:
        """Write the chosen distinct critics."""
        rows = _rows_of(changed)
        for row, number in enumerate(networks.tolist()):
            taken = {int(one[number]) for one in self._checkpoints}
            if int(self._copy[number]) in taken:
                self._copy[number] = min(set(range(_COPIES)) - taken)
            parts = [tensor[row] for tensor in rows]
            try:
                length = os.pwritev(self._file, parts, self._offset(number))
            except OSError as error:
                raise self._hindered(error) from None
            if length != self._length:
                raise ResourceError(f"{self._path}: cannot be written (disk full); free space, then `gossamer resume`")
            self._changed.add(number)

    def state_dict(self) -> Tensors:
        """Return places and digests for a checkpoint, once the file is on the disk."""
        for number in sorted(self._changed):
            self._digest[number] = self._digest_of(number)
        self._changed.clear()
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._hindered(error) from None
        before = self._checkpoints[-1] if self._checkpoints else self._copy
        self._checkpoints = [before.clone(), self._copy.clone()]
        return {_COPY: self._copy.clone(), _BEFORE: before.clone(), _DIGEST: self._digest.clone()}

    def _digest_of(self, number: int) -> Tensor:
        """Return the SHA-256 of a critic's bytes, uint8 (32,)."""
        digest = hashlib.sha256()
        for tensor in _rows_of(self.select(torch.tensor([number]))):
            digest.update(tensor.data)
        return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)

    def _offset(self, number: int) -> int:
        return (int(self._copy[number]) * self._num_critics + number) * self._length

    def _hindered(self, error: OSError) -> ResourceError:
        reason = error.strerror or type(error).__name__
        return ResourceError(f"{self._path}: cannot be kept ({reason}); free space, then `gossamer resume`")


def _rows_of(ensemble: Ensemble) -> list[np.ndarray]:
    """Return the tensors of an ensemble as bytes, (networks, bytes) each, sharing their memory if they can."""
    tensors = ensemble.state_dict().values()
    shaped = (tensor.contiguous().reshape(len(tensor), math.prod(tensor.shape[1:])) for tensor in tensors)
    return [tensor.view(torch.uint8).numpy() for tensor in shaped]
