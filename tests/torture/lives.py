"""Lives of the command, forked from one process that has imported everything, so that a hundred of them fit in a test.

Run as a script it reads a life as JSON from each line of its input, forks a process for it, says its process id, waits
for its end, and says how it ended. What a life may have done to it is chosen by keys, see `live`; the command line
itself offers none of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import json
import math
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SEED = 7
POINTS = ("fsync", "replace", "unlink", "mkdir", "truncate")
"""Calls of the module os after which something on the disk is another."""
PRELOADED = (
    *("gossamer.cli.train", "gossamer.cli.resume", "gossamer.cli.sample", "gossamer.cli.data"),
    *("sklearn.datasets", "safetensors.torch", "PIL.PngImagePlugin", "torch._functorch.apis", "torch._dynamo"),
)


# ---- what is compared ----------------------------------------------------------------------------------------------


def digest(tree: Any) -> str:
    """SHA-256 of a tree of dictionaries, lists, numbers and tensors: equal if all of it is equal bit for bit."""
    found = hashlib.sha256()
    _feed(found, tree)
    return found.hexdigest()


def _feed(found: Any, tree: Any) -> None:
    import torch

    match tree:
        case dict():
            found.update(b"{%d" % len(tree))
            for key in sorted(tree, key=repr):
                found.update(repr(key).encode())
                _feed(found, tree[key])
        case list() | tuple():
            found.update(b"[%d" % len(tree))
            for item in tree:
                _feed(found, item)
        case torch.Tensor():
            array = tree.detach().cpu().contiguous().numpy()
            found.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
        case float() if math.isnan(tree):
            found.update(b"nan")
        case _:
            found.update(repr(tree).encode())


# ---- what a life is ------------------------------------------------------------------------------------------------


def live(life: dict[str, Any]) -> int:
    """One process from its first line to its exit code.

    Keys: ``words`` of the command, or ``reference``, a run folder whose training is done unbroken in memory; ``out``
    and ``err``, files, or null for a pipe that nobody reads; ``noise``, "deterministic" or "keyed"; ``journal``, a
    file for what is drawn, charged and released; ``often``, checkpoints wherever one may be; ``crash``, see
    `_crash_at`; ``memory``, bytes more than now; ``file_size``, of the largest file; ``clock``, seconds to set it back;
    ``is_plain``, without the rights of root; ``deaf``, a signal that is ignored; ``signals``, see `_signalling`;
    ``is_forgetful``, see `_forget_an_optimiser`; ``prices``, a folder that keeps what was priced; ``env``, variables.
    """
    os.environ.update(life.get("env", {}))
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(_opened(life[name]), number)
    if life.get("is_plain"):
        _give_up_rights_of_root()
    if "reference" in life:
        return _tell_reference(Path(life["reference"]), Path(life["result"]))
    _spy(life)
    _price_once(Path(life["prices"]))
    if "deaf" in life:
        signal.signal(life["deaf"], signal.SIG_IGN)
    if "crash" in life:
        _crash_at(**life["crash"])
    if "clock" in life:
        now = time.time
        time.time = lambda: now() - life["clock"]  # type: ignore[assignment]
    if "memory" in life:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + life["memory"],) * 2)
    if "file_size" in life:
        resource.setrlimit(resource.RLIMIT_FSIZE, (life["file_size"],) * 2)
    from gossamer.cli.main import main

    sys.argv = ["gossamer", *life["words"]]
    return main()


def _give_up_rights_of_root() -> None:
    """Be bound by the modes of files, as any other user is.

    The user stays the same. Another one could not read Python's own files in a folder that only root may enter. The
    right to read everything is kept, if there is one: files may belong to somebody else there.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    may_read_all, version_3 = 1 << 2, 0x20080522
    header, held = (ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)()
    _done(libc.capget(header, held))
    permitted = held[1] & may_read_all
    _done(libc.capset(header, (ctypes.c_uint32 * 6)(permitted, permitted)))


def _done(result: int) -> None:
    """Raise the error of a call to the system that failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _opened(path: str | None) -> int:
    if path is not None:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _spy(life: dict[str, Any]) -> None:
    """The noise, the ledger and the clock of checkpoints as the test wants them."""
    from gossamer.driving import driver, releasing
    from gossamer.privacy.dealing import UnitKey

    if life.get("noise") == "deterministic":
        # So that two runs deal the same shards, and can be compared.
        UnitKey.drawn = classmethod(lambda kind: kind(b"u" * 32))  # type: ignore[method-assign, assignment]
    if life.get("often"):
        driver.SECONDS_BETWEEN_CHECKPOINTS = -1.0
    journal = Path(life["journal"]).open("a", buffering=1) if "journal" in life else None  # noqa: SIM115
    noise = _watched_noise(journal)
    driver.KeyedNoise = noise[life.get("noise", "keyed")]  # type: ignore[assignment]
    charge = driver.LedgerFile.charge

    def watched(self: Any, step: int) -> None:
        charge(self, step)
        if journal:
            journal.write(json.dumps({"life": os.getpid(), "charged": step, "process": self._process_index}) + "\n")

    driver.LedgerFile.charge = watched  # type: ignore[method-assign]
    save = releasing.write_saved_generator

    def watched_save(folder: Any, step: int, **released: Any) -> Any:
        if journal:
            journal.write(json.dumps({"life": os.getpid(), "released": step}) + "\n")
        return save(folder, step, **released)

    releasing.write_saved_generator = watched_save
    if life.get("is_forgetful"):
        _forget_an_optimiser()
    if "signals" in life:
        driver.json_lines = _signalling(driver.json_lines, **life["signals"])


def _forget_an_optimiser() -> None:
    """A mistake, planted: of the generator's optimiser nothing is taken up from a checkpoint."""
    from gossamer.methods.dp_cgan.training import PublicNetworks

    restore = PublicNetworks.restore

    def forgetful(self: Any, state: dict[str, Any]) -> None:
        restore(self, state | {"adam": self._generator.optimiser.state_dict()})

    PublicNetworks.restore = forgetful  # type: ignore[method-assign]


def _signalling(json_lines: Callable[..., Any], after: int, numbers: list[int]) -> Callable[..., Any]:
    """The file of metrics, and signals to this process when so many lines of it are written."""

    @contextlib.contextmanager
    def opened(path: Path) -> Iterator[Callable[[Any], None]]:
        num_lines = 0
        with json_lines(path) as note:

            def noted(tree: Any) -> None:
                nonlocal num_lines
                note(tree)
                num_lines += 1
                if num_lines == after:
                    for number in numbers:
                        os.kill(os.getpid(), number)

            yield noted

    return opened


def _price_once(folder: Path) -> None:
    """Accountants whose answers are kept: every life asks the same, and it is not their sums that are tested here."""
    from gossamer.driving import claims
    from gossamer.mechanisms import plan as priced_plan

    def kept(price: Callable[..., Any]) -> Callable[..., Any]:
        def remember(event: Any, delta: float) -> Any:
            path = folder / hashlib.sha256(f"{price.__name__} {event!r} {delta!r}".encode()).hexdigest()
            if not path.exists():
                path.with_suffix(".new").write_bytes(pickle.dumps(price(event, delta)))
                path.with_suffix(".new").replace(path)
            return pickle.loads(path.read_bytes())

        return remember

    by_pld = ((module, "epsilon_by_pld") for module in (priced_plan, claims))
    for module, name in (*by_pld, (priced_plan, "epsilon_by_rdp")):
        setattr(module, name, kept(getattr(module, name)))


def _watched_noise(journal: Any) -> dict[str, Callable[[], Any]]:
    """Kinds of noise that write down which blocks were asked for, and a digest of the secret that they gave."""
    from gossamer.mechanisms.noise import DeterministicNoise, KeyedNoise

    class Watched:
        def _words(self, domain: int, step: int, low: np.ndarray) -> np.ndarray:
            words = super()._words(domain, step, low)  # type: ignore[misc]
            if journal:
                drawn = hashlib.sha256(words.tobytes()).hexdigest()[:32]
                journal.write(
                    json.dumps({"life": os.getpid(), "drawn": step, "domain": domain, "digest": drawn}) + "\n"
                )
            return words

    class WatchedKeyed(Watched, KeyedNoise):
        pass

    class WatchedDeterministic(Watched, DeterministicNoise):
        def __init__(self) -> None:
            super().__init__(SEED)

    return {"keyed": WatchedKeyed, "deterministic": WatchedDeterministic}


def _crash_at(*, inside: str, at: int | None, how: str, said_in: str | None = None) -> None:
    """Let something happen at the n-th call that changes a folder on the disk.

    Args:
        inside: the folder; other calls are not counted.
        at: which call, from 0; None for never, to count them.
        how: "before" and "after" kill the process there; "torn" kills it after half of what was to be flushed is
            gone, as a power cut may; a number is the error that the call ends with.
        said_in: file that gets a line for every call.
    """
    counted, truncate = 0, os.truncate

    def point(name: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        nonlocal counted
        path = str(Path(f"/proc/self/fd/{arguments[0]}").readlink()) if name == "fsync" else os.fspath(arguments[0])
        if not path.startswith(inside):
            return call(*arguments, **named)
        number, counted = counted, counted + 1
        if said_in is not None:
            with Path(said_in).open("a") as file:
                file.write(f"{name} {path.removeprefix(inside)}\n")
        if number != at:
            return call(*arguments, **named)
        if how.isdigit():
            raise OSError(int(how), os.strerror(int(how)), path)
        if how == "torn" and name == "fsync" and Path(path).is_file():
            truncate(path, _half_unflushed(Path(path)))
        if how == "after":
            call(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    for name in POINTS:
        call = getattr(os, name)
        setattr(os, name, lambda *given, _name=name, _call=call, **named: point(_name, _call, *given, **named))


def _half_unflushed(path: Path) -> int:
    """Bytes that a power cut before a flush may leave: half of a new file, or of a ledger's last line alone."""
    content = path.read_bytes()
    flushed = content.rstrip(b"\n").rfind(b"\n") + 1 if path.suffix == ".jsonl" else 0
    return (flushed + len(content)) // 2


def _tell_reference(run: Path, result: Path) -> int:
    """Train unbroken, and keep the digests of the state at each step, and of what is released at the end."""
    from gossamer.driving.job import TrainingJob
    from gossamer.mechanisms.noise import DeterministicNoise
    from gossamer.methods.catalogue import method_of
    from gossamer.methods.training import RunContext
    from gossamer.runs.folder import RunFolder
    from gossamer.runs.key_file import read_key

    job = TrainingJob.read(RunFolder(run))
    key = read_key(RunFolder(run))
    loaded = job.load(key)
    context = RunContext(delta=job.delta, slots=loaded.slots, key=key)
    training = method_of(job.method).start(job.method, loaded.data.train, DeterministicNoise(SEED), context)
    states: dict[int, list[str]] = {0: [digest(training.state_dict())]}
    for _ in training:
        states.setdefault(training.step, []).append(digest(training.state_dict()))
    result.write_text(json.dumps({"states": states, "weights": digest(training.trained().weights)}))
    return 0


# ---- the process that they are forked from --------------------------------------------------------------------------


def mount(kind: str, path: str, size: str) -> None:
    """Mount something that this process and its children alone can see, and that ends with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private, read_only, bind, remount = 0x20000, 0x44000, 0x1, 0x1000, 0x20
    where = path.encode()
    if Path("/proc/self/ns/mnt").readlink() == Path(f"/proc/{os.getppid()}/ns/mnt").readlink():
        _done(libc.unshare(new_namespace))
        _done(libc.mount(b"none", b"/", None, private, None))
    match kind:
        case "tmpfs":
            _done(libc.mount(b"tmpfs", where, b"tmpfs", 0, f"size={size}".encode()))
        case _:
            _done(libc.mount(where, where, None, bind, None))
            _done(libc.mount(where, where, None, bind | remount | read_only, None))


def serve() -> None:
    """Fork a process for each line of the input; end when the input ends."""
    import torch

    torch.set_num_threads(1)
    for name in PRELOADED:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    lines = os.fdopen(os.dup(0), "r")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    answers.write(json.dumps({"ready": True}) + "\n")
    for line in lines:
        life = json.loads(line)
        if "mount" in life:
            try:
                mount(life["mount"], life["path"], life.get("size", ""))
            except OSError as error:
                answers.write(json.dumps({"refused": error.strerror}) + "\n")
            else:
                answers.write(json.dumps({"mounted": True}) + "\n")
            continue
        child = os.fork()
        if child == 0:
            lines.close()
            answers.close()
            _exit_as_python_does(life)
        answers.write(json.dumps({"pid": child}) + "\n")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers.write(json.dumps({"code": status}) + "\n")


def _exit_as_python_does(life: dict[str, Any]) -> None:
    """Tracebacks and last flushes as at the end of an interpreter, and its exit code."""
    code = 1
    try:
        code = live(life)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception as error:
                os.write(2, f"Exception ignored while flushing: {error!r}\n".encode())
                code = 120
        os._exit(code)


if __name__ == "__main__":
    serve()
