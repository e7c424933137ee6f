"""Several processes that work on one command, joined by torch: ranks of which the first leads."""

from __future__ import annotations

import contextlib
import datetime
import platform
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
import torch.distributed as dist

# Imported before any group exists: its functions keep the group of the moment as their default argument. torch.func
# imports it late, and the group's threads would then outlive `close` and could end the process amid its own end.
import torch.distributed.nn.functional
from torch import Tensor

from gossamer.errors import GossamerError, InputError, ResourceError, is_lack_of_memory
from gossamer.mechanisms.crew import AbstractCrew, Order, Task

_JOINING: Final = datetime.timedelta(minutes=10)


_WORKING: Final = datetime.timedelta(days=7)
"""The longest wait for an order or an answer. The end of a process is noticed at once, however long this is."""


_CONNECTING_S = 30.0
"""The longest wait until processes that have met are connected, which takes a moment."""


_DTYPES: Final = (torch.float32, torch.float64, torch.int64, torch.bool, torch.bfloat16, torch.uint8, torch.int32)


_NOTHING: Final = -1


_HEAD: Final = 128
"""Numbers in the head of an order: its task, its number, and the layouts of its tensors. Longer ones come after it."""
_OF_ORDER: Final = 3
"""Numbers of a head before the layouts."""


class Ranks(AbstractCrew):
    """Several processes, joined by `torch.distributed`: gloo for tensors on the CPU, nccl for those on a GPU.

    Messages between processes are private and not encrypted. Processes must trust each other and their network.

    Args:
        device: to compute on, of this process.
        fault: for which this process refuses the work, told to the leader. None if it is ready.

    Raises:
        InputError: another process refuses the work.
        ResourceError: they cannot reach each other.
    """

    def __init__(self, device: torch.device, fault: GossamerError | None = None) -> None:
        self._device = device
        self._has_ended = False
        with _reaching():
            store, self.rank, self.size = next(dist.rendezvous("env://", timeout=_JOINING))
        meet(store, self.rank, self.size, fault, rounding_of(device))
        with _reaching():
            _connect("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", store, self.rank, self.size)

    def order(self, order: Order) -> None:
        """Send an order to all helpers."""
        if self._has_ended or not self.leads:
            return
        self._has_ended = order.task is Task.END
        layouts = [number for tensor in order.tensors for number in _layout(tensor)]
        head = torch.zeros(max(_HEAD, _OF_ORDER + len(layouts)), dtype=torch.int64)
        head[: _OF_ORDER + len(layouts)] = torch.tensor([order.task, order.number, len(layouts), *layouts])
        self._spread(head[:_HEAD])
        if len(head) > _HEAD:
            self._spread(head[_HEAD:])
        for together in _together(order.tensors):
            self._spread(torch.cat([_words(tensor) for tensor in together]))

    def orders(self) -> Iterator[Order]:
        """Yield the leader's orders until it ends the work."""
        while True:
            task, number, length, *numbers = self._spread(torch.zeros(_HEAD, dtype=torch.int64)).tolist()
            if task == Task.END:
                return
            if length > len(numbers):
                numbers += self._spread(torch.zeros(length - len(numbers), dtype=torch.int64)).tolist()
            tensors = tuple(self._made(numbers[:length]))
            for together in _together(tensors):
                places = [_words(tensor) for tensor in together]
                words = self._spread(torch.empty(sum(map(len, places)), dtype=torch.uint8, device=places[0].device))
                for place, own in zip(places, words.split([*map(len, places)]), strict=True):
                    place.copy_(own)
            yield Order(task=Task(task), number=number, tensors=tensors)

    def total(self, part: Tensor) -> Tensor:
        """Add up the parts of all processes, for the leader, in the order of their numbers."""
        part = part.contiguous()
        # The own sum of gloo takes two to four times as long as these messages do.
        for other in self._received(part, [len(part)] * self.size):
            part += other
        return part

    def from_rank(self, rank: int, tensor: Tensor) -> Tensor:
        """Return the tensor of one process in all of them."""
        return self._spread(tensor.detach().contiguous(), rank)

    def collected(self, part: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Return the parts of all processes to the leader."""
        own = part.detach().cpu().contiguous()
        others = list(self._received(own, sizes))
        return [own, *others] if self.leads else []

    def dealt(self, parts: Sequence[Tensor], like: Tensor) -> Tensor:
        """Return its part to each process."""
        with _reaching():
            if not self.leads:
                own = torch.empty(like.shape, dtype=like.dtype)
                dist.recv(own, src=0)
                return own
            for rank in range(1, self.size):
                dist.send(parts[rank].cpu().contiguous(), dst=rank)
        return parts[0]

    def send(self, message: memoryview, rank: int) -> None:
        """Send a message to one process, and wait until it is taken. It is not copied, and so must be writable."""
        words = torch.frombuffer(message, dtype=torch.uint8)
        with _reaching():
            dist.send(torch.tensor([len(words)]), dst=rank)
            dist.send(words, dst=rank)

    def receive(self, rank: int) -> memoryview:
        """Wait for a message of one process."""
        length = torch.zeros(1, dtype=torch.int64)
        with _reaching():
            dist.recv(length, src=rank)
            words = torch.empty(int(length), dtype=torch.uint8)
            dist.recv(words, src=rank)
        return words.numpy().data

    def close(self) -> None:
        """Leave the others. Those who wait for this process are told so by an error, unless the work has ended."""
        if dist.is_initialized():
            with contextlib.suppress(RuntimeError, ValueError):
                dist.destroy_process_group()

    def _spread(self, tensor: Tensor, rank: int = 0) -> Tensor:
        with _reaching():
            dist.broadcast(tensor, src=rank)
        return tensor

    def _received(self, own: Tensor, sizes: Sequence[int]) -> Iterator[Tensor]:
        """Yield the tensors of the helpers to the leader, one by one. A helper sends its own, and gets none."""
        with _reaching():
            if not self.leads:
                dist.send(own, dst=0)
                return
            for size, rank in zip(sizes[1:], range(1, self.size), strict=True):
                other = own.new_empty(size, *own.shape[1:])
                dist.recv(other, src=rank)
                yield other

    def _made(self, layouts: list[int]) -> Iterator[Tensor | None]:
        """Make room for tensors as `_layout` describes them."""
        place = 0
        while place < len(layouts):
            kind, is_on_device, num_axes = layouts[place : place + 3]
            shape = layouts[place + 3 : place + 3 + num_axes]
            place += 3 + num_axes
            device = self._device if is_on_device else torch.device("cpu")
            yield None if kind == _NOTHING else torch.empty(shape, dtype=_DTYPES[kind], device=device)


def _connect(backend: str, store: dist.Store, rank: int, size: int) -> None:
    """Make the group of processes that have met.

    Raises:
        RuntimeError: one of them died before it was connected.
    """
    store, faults = dist.PrefixStore("crew", store), []

    def connect() -> None:
        try:
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_WORKING)
        except BaseException as fault:
            faults.append(fault)

    # gloo waits for a process that has died, for as long as a group may wait, and hears no signal meanwhile.
    thread, end = threading.Thread(target=connect, daemon=True), time.monotonic() + _CONNECTING_S
    thread.start()
    while thread.is_alive():
        thread.join(0.01)
        if time.monotonic() > end:
            raise RuntimeError("not connected")
    if faults:
        raise faults[0]


def rounding_of(device: torch.device) -> str:
    """Describe, in words, all that decides how this process rounds a float.

    Args:
        device: to compute on.
    """
    processor = Path("/proc/cpuinfo")
    lines = processor.read_text(errors="replace").splitlines() if processor.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    kinds = (
        f"torch {torch.__version__}",
        *(models[:1] or [platform.processor() or platform.machine()]),
        torch.backends.cpu.get_cpu_capability(),
        f"{torch.get_num_threads()} threads",
        *([torch.cuda.get_device_name(device)] if device.type == "cuda" else []),
    )
    return ", ".join(kinds)


def meet(store: dist.Store, rank: int, size: int, fault: GossamerError | None = None, rounding: str = "") -> None:
    """Wait until all processes are ready. One that is not tells the leader, which then refuses the work for all.

    Guarantee: all processes that go on round alike. The process that computes a unit may follow from the number of
    other units. So one that rounded otherwise would let one unit move the parts of others.

    Args:
        store: that all of them see.
        rank: of this process.
        size: number of processes.
        fault: of this process, None if it is ready.
        rounding: of this process, as `rounding_of` describes it.

    Raises:
        GossamerError: the fault, once the leader has heard of it.
        InputError: to the leader, for the fault of another process, or for one that rounds otherwise.
        ResourceError: a process did not come.
    """
    others = [f"process {other}" for other in range(1, size)]
    store.set(f"rounding {rank}", rounding)
    store.set(f"process {rank}", "" if fault is None else str(fault))
    with _reaching():
        has_come = _come(store, others if rank == 0 else ["heard"])
        said = [(other, store.get(other).decode()) for other in others] if rank == 0 and has_come else []
        roundings = [store.get(f"rounding {other}").decode() for other in range(1, len(said) + 1)]
        if rank == 0:
            store.set("heard", "")
    if fault is not None:
        raise fault
    if not has_come:
        raise ResourceError("another process did not come; start all of them again with torchrun")
    for other, word in said:
        if word:
            raise InputError(f"{other}: {word}")
    for other, its in zip(others, roundings, strict=False):
        # Privacy: the process of a record or unit depends on how many others there are. The numbers must not.
        if its != rounding:
            raise InputError(
                f"{other} computes otherwise ({its}) than the first ({rounding}); take machines of one kind, with "
                "one torch and as many threads each (OMP_NUM_THREADS=1)"
            )


def _come(store: dist.Store, names: list[str]) -> bool:
    """Wait for names in a store, in steps between which signals are heard."""
    end = time.monotonic() + _JOINING.total_seconds()
    while not store.check(names):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _layout(tensor: Tensor | None) -> tuple[int, ...]:
    """Describe a tensor: type, its place on a GPU or not, number of axes, and shape."""
    if tensor is None:
        return (_NOTHING, 0, 0)
    return (_DTYPES.index(tensor.dtype), int(tensor.device.type != "cpu"), tensor.dim(), *tensor.shape)


def _together(tensors: Sequence[Tensor | None]) -> list[list[Tensor]]:
    """Return the tensors on the CPU and those on the device, each list as one message."""
    found = [tensor for tensor in tensors if tensor is not None and tensor.numel()]
    lists = ([one for one in found if (one.device.type == "cpu") is is_on_cpu] for is_on_cpu in (True, False))
    return [together for together in lists if together]


def _words(tensor: Tensor) -> Tensor:
    """Return the bytes of a tensor. They are its own if it is contiguous."""
    return tensor.detach().contiguous().flatten().view(torch.uint8)


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    """Say in one line that another process cannot be reached."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if is_lack_of_memory(error):
            raise
        raise ResourceError(
            "another process cannot be reached or has ended: start all of them again with torchrun; a training goes on "
            "by `gossamer resume`, and nothing is spent twice"
        ) from None
