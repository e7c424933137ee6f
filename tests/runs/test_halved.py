"""Symmetric matrices leave half of their numbers out of a generator's file, and come back to the last bit."""

from __future__ import annotations

import pytest
import torch

from gossamer.runs.halved import LOWER, halved, whole


def symmetric(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    drawn = torch.randn(*shape, shape[-1], generator=torch.Generator().manual_seed(0)).to(dtype)
    return drawn + drawn.mT


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_symmetric_matrices_take_half_the_room_and_come_back_to_the_last_bit(dtype: torch.dtype) -> None:
    own = {"factors": symmetric(3, 2, 5, dtype=dtype), "beyond": symmetric(4, dtype=dtype)}
    kept = halved(own)
    assert {name: tuple(one.shape) for name, one in kept.items()} == {
        f"factors{LOWER}": (3, 2, 15), f"beyond{LOWER}": (10,)
    }  # fmt: skip
    again = whole(kept)
    assert all(torch.equal(again[name].view(torch.uint8), own[name].view(torch.uint8)) for name in own)


def test_whatever_is_not_symmetric_to_the_last_bit_stays_whole() -> None:
    nearly, signed, alone = symmetric(6), torch.zeros(3, 3), torch.ones(1, 1)
    nearly[0, 1] = torch.nextafter(nearly[0, 1], torch.tensor(9.0))
    signed[0, 2] = -0.0
    own = {"nearly": nearly, "signed": signed, "alone": alone, "row": torch.ones(4), "none": torch.ones(0, 3, 3)}
    own["number"] = torch.tensor(1.0)
    kept = halved(own)
    assert set(kept) == set(own)
    assert all(torch.equal(kept[name].view(torch.uint8), own[name].view(torch.uint8)) for name in ("nearly", "signed"))
    assert set(whole(kept)) == set(own)


@pytest.mark.parametrize(
    "damaged",
    [
        {f"a{LOWER}": torch.ones(4)},
        {f"a{LOWER}": torch.ones(0)},
        {f"a{LOWER}": torch.ones(1)},
        {f"a{LOWER}": torch.tensor(1.0)},
        # No number at all: a file of a few bytes may claim any length, here indices of 7 gigabytes.
        {f"a{LOWER}": torch.ones(0, 450_015_000)},
        {f"a{LOWER}": torch.ones(3), "a": torch.ones(2, 2)},
    ],
)
def test_halves_of_nothing_are_refused(damaged: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match=r"half of no matrix|two tensors"):
        whole(damaged)
