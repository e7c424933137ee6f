"""The kept start of a run: read back bit for bit, and refused when it is not the one that was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gossamer.errors import InputError
from gossamer.runs.folder import RunFolder
from gossamer.runs.start_file import read_start, write_start

NETWORKS = {
    "generator": {"layer.weight": torch.randn(3, 2, generator=torch.Generator().manual_seed(1)), "n": torch.tensor(4)},
    "discriminator": {"a/b": torch.zeros(1)},
}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "run")
    write_start(folder, NETWORKS)
    return folder


def test_weights_come_back_as_they_were(folder: RunFolder) -> None:
    found = read_start(folder)
    assert found.keys() == NETWORKS.keys()
    for network, tensors in NETWORKS.items():
        assert found[network].keys() == tensors.keys()
        assert all(torch.equal(found[network][name], tensor) for name, tensor in tensors.items())
    assert folder.start_file.parent == folder.private


def test_another_file_in_its_place_is_refused(folder: RunFolder) -> None:
    content = bytearray(folder.start_file.read_bytes())
    content[-1] ^= 1
    folder.start_file.write_bytes(content)
    with pytest.raises(InputError, match="not the start that this run began with; put the file"):
        read_start(folder)


@pytest.mark.parametrize("name", ["start_file", "start_digest_file"])
def test_a_missing_file_is_refused(folder: RunFolder, name: str) -> None:
    getattr(folder, name).unlink()
    with pytest.raises(InputError, match="put the file and its digest back"):
        read_start(folder)
