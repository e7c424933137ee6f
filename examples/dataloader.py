"""Train a network of torch on synthetic digits by a DataLoader, and test it on real ones.

    python examples/dataloader.py

GOSSAMER_EXAMPLE_STEPS says after how many batches to stop.
"""

from __future__ import annotations

import os
from itertools import islice

import torch
from torch import nn
from torch.utils.data import DataLoader

from gossamer import DPMERF, load_records


def main() -> None:
    """Whoever has the generator needs no record: the loader draws on synthetic ones alone."""
    torch.manual_seed(0)
    released = DPMERF(epsilon=1.0, num_fit_steps=300).fit("digits").released
    loader = DataLoader(released.to_dataset(5000), batch_size=50, shuffle=True)

    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    num_batches = int(os.environ.get("GOSSAMER_EXAMPLE_STEPS", "300"))
    batches = (batch for _ in range(1 + num_batches // len(loader)) for batch in loader)
    for images, labels in islice(batches, num_batches):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimiser.step()

    test = load_records("digits").test
    assert test is not None
    with torch.no_grad():
        right = network(test.x).argmax(dim=1) == test.y
    print(f"{right.float().mean():.0%} of real digits read by a network that saw none; {released.statement.claim}")


if __name__ == "__main__":
    main()
