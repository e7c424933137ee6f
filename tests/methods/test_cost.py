"""What a training will take is told in units that a person can read, and a long one with the way out."""

from __future__ import annotations

import pytest
import torch

from gossamer.methods.cost import Cost


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "about 1 s "), (80, "about 80 s "), (600, "10.0 minutes"), (7200, "2.0 hours"), (400_000, "4.6 days")],
)
def test_time_is_told_in_a_fitting_unit(seconds: float, told: str) -> None:
    assert told in str(Cost(seconds=seconds, num_bytes=None, device=torch.device("cpu")))


def test_days_come_with_the_way_out_and_minutes_without() -> None:
    short, long = (str(Cost(seconds=one, num_bytes=1, device=torch.device("cpu"))) for one in (600.0, 1e6))
    assert "--num-steps" in long
    assert "--num-steps" not in short
