"""A process leaves the others: nothing of their group stays behind. What they do together is in tests/contracts."""

from __future__ import annotations

import socket
import subprocess
import sys

SCRIPT = """
import torch
from gossamer.mechanisms.ranks import Ranks

crew = Ranks(torch.device("cpu"))
torch.func.vmap(torch.func.grad(lambda x: x.sum()))(torch.ones(3, 2))
import torch.distributed.nn.functional as late
print("kept:", late.broadcast.__defaults__)
crew.close()
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_gradients_of_units_keep_no_group_of_processes_alive() -> None:
    """The threads of a group that outlives `close` may end the process with an abort, after all work is done."""
    environment = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "kept: (None,)\n"
