"""Messages between real processes, and how they leave each other. What they do together is in tests/contracts."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest
import torch
import torch.distributed as dist

from gossamer.errors import ResourceError
from gossamer.mechanisms import ranks

MANY_TENSORS = """
import torch
from gossamer.mechanisms.crew import Order, Task
from gossamer.mechanisms.ranks import Ranks

crew = Ranks(torch.device("cpu"))
tensors = tuple(torch.full((number % 3 + 1, 2), float(number)) for number in range(NUMBER))
if crew.leads:
    crew.order(Order(task=Task.RELEASE, number=7, tensors=tensors))
    crew.order(Order(task=Task.END, number=0))
else:
    (order,) = crew.orders()
    assert order.number == 7
    assert len(order.tensors) == NUMBER
    assert all(map(torch.equal, order.tensors, tensors))
crew.close()
"""

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


def test_a_process_that_died_before_it_was_connected_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """gloo itself would wait for days, and hear no signal."""
    place = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    released = threading.Event()
    monkeypatch.setattr(ranks, "_CONNECTING_S", 0.2)
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **__: released.wait())
    with pytest.raises(ResourceError, match="nothing is spent twice"):
        ranks.Ranks(torch.device("cpu"))
    released.set()


@pytest.mark.parametrize("number", [0, 25, 26, 300])
def test_an_order_may_have_any_number_of_tensors(number: int) -> None:
    """Five numbers describe each of these, and 125 fit into the head of an order."""
    script, shared = MANY_TENSORS.replace("NUMBER", str(number)), {"MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    both = [
        subprocess.Popen([sys.executable, "-c", script], env={"RANK": str(rank), "MASTER_ADDR": "127.0.0.1", **shared})
        for rank in range(2)
    ]
    assert [one.wait(timeout=120) for one in both] == [0, 0]


def test_gradients_of_units_keep_no_group_of_processes_alive() -> None:
    """The threads of a group that outlives `close` may end the process with an abort, after all work is done."""
    environment = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "kept: (None,)\n"
