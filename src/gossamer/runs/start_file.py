"""The networks that a run starts from, kept in `private/` so that a resumed run needs no other file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gossamer.errors import InputError
from gossamer.runs.files import read_bounded, write_whole
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import MAX_GENERATOR_BYTES

if TYPE_CHECKING:
    from torch import Tensor

_BETWEEN: Final = "/"
_MAX_BYTES: Final = 2 * MAX_GENERATOR_BYTES


def write_start(folder: RunFolder, networks: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Keep weights by network and name, and the digest of their file.

    Raises:
        ResourceError: they cannot be written.
    """
    import safetensors.torch

    flat = {
        f"{network}{_BETWEEN}{name}": tensor.contiguous()
        for network, tensors in networks.items()
        for name, tensor in tensors.items()
    }
    content = safetensors.torch.save(flat)
    write_whole(folder.start_file, content)
    write_whole(folder.start_digest_file, hashlib.sha256(content).hexdigest().encode())


def read_start(folder: RunFolder) -> dict[str, dict[str, Tensor]]:
    """Read the weights that a run began with. No code is run.

    Raises:
        InputError: the file is missing, or is not the one that the run wrote.
    """
    import safetensors.torch

    path = folder.start_file
    try:
        content = read_bounded(path, _MAX_BYTES)
        kept = read_bounded(folder.start_digest_file, 100).decode("ascii", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {_WAY_OUT}") from None
    if hashlib.sha256(content).hexdigest() != kept:
        raise InputError(f"{path}: not the start that this run began with; {_WAY_OUT}")
    networks: dict[str, dict[str, Tensor]] = {}
    for key, tensor in safetensors.torch.load(content).items():
        network, _, name = key.partition(_BETWEEN)
        networks.setdefault(network, {})[name] = tensor
    return networks


_WAY_OUT: Final = "put the file and its digest back as the training wrote them, or start a new run"
