"""The key of the noise stays in memory: no traceback shows it, with all locals, and no file of a run holds it."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import resource
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from gossamer.cli.main import main
from gossamer.driving import driver
from gossamer.errors import ResourceError
from gossamer.mechanisms import noise
from gossamer.mechanisms.noise import AbstractNoise, KeyedNoise
from gossamer.privacy import dealing, keystream
from gossamer.privacy.keystream import KEY_BYTES, Keystream


@dataclass(frozen=True)
class Keys:
    """Every key that was drawn, as a spy on the operating system's randomness saw it."""

    drawn: list[bytes] = field(default_factory=list, repr=False)

    def spellings(self) -> set[bytes]:
        found: set[bytes] = set()
        for key in self.drawn:
            numbers = {int.from_bytes(key, order) for order in ("little", "big")}
            found |= {key, key.hex().encode(), key.hex().upper().encode(), repr(key).encode(), repr(key)[2:-1].encode()}
            found |= {base64.b64encode(key), *(str(number).encode() for number in numbers)}
            found |= {repr(list(key)).encode(), key[:16], key.hex()[:32].encode()}
        assert found
        return found

    def are_in(self, content: bytes) -> bool:
        return any(spelling in content for spelling in self.spellings())


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    found, urandom = Keys(), os.urandom

    def spy(size: int) -> bytes:
        drawn = urandom(size)
        # But the key that deals units, which the run folder keeps.
        if size == KEY_BYTES and sys._getframe(1).f_code.co_filename != dealing.__file__:
            found.drawn.append(drawn)
        return drawn

    monkeypatch.setattr(os, "urandom", spy)
    return found


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and everything that hangs on it, shown or not."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def as_told(error: BaseException) -> bytes:
    """Traceback with the locals of every frame, of everything in the chain; and the locals' own contents."""
    text = ""
    for one in chain(error):
        text += "".join(traceback.TracebackException.from_exception(one, capture_locals=True).format())
        frames = [frame for frame, _ in traceback.walk_tb(one.__traceback__)]
        # But those of this file, which holds the keys as a spy.
        for frame in (frame for frame in frames if frame.f_code.co_filename != __file__):
            for value in frame.f_locals.values():
                text += repr(value) + repr(getattr(value, "__dict__", ""))
    return text.encode()


def train(folder: Path, flags: tuple[str, ...]) -> int:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    np.savez(folder / "own.npz", x=x, y=np.arange(60) % 2)
    words = ["train", "gs-wgan", "--data", folder / "own.npz", "--out", folder / "run", *flags]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return main([str(word) for word in words])


def test_a_crash_in_the_middle_of_a_draw_shows_no_key_anywhere(
    tmp_path: Path, keys: Keys, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(words: np.ndarray) -> NoReturn:
        raise ZeroDivisionError("the power went")

    monkeypatch.setattr(noise, "unit_interval", fail)
    with pytest.raises(ZeroDivisionError) as caught:
        train(tmp_path, flags)
    told = as_told(caught.value)
    assert b"KeyedNoise(key hidden)" in told
    assert not keys.are_in(told)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert any(path.name == "ledger.jsonl" for path in files)
    assert not [path for path in files if keys.are_in(path.read_bytes())]


def test_a_training_that_crashes_leaves_no_core(
    tmp_path: Path, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []

    def fail(*_: object, **__: object) -> NoReturn:
        limits.append(resource.getrlimit(resource.RLIMIT_CORE)[0])
        raise ZeroDivisionError("the power went")

    before = resource.getrlimit(resource.RLIMIT_CORE)
    monkeypatch.setattr(driver, "KeyedNoise", fail)
    try:
        with pytest.raises(ZeroDivisionError):
            train(tmp_path, flags)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert limits == [0]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_cipher_that_fails_shows_no_key(keys: Keys, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """In the cipher's own frames, which hold the key: their error must not hang on ours."""

    def fail(key: bytes) -> NoReturn:
        raise (MemoryError, ValueError("Invalid key size"), RuntimeError("no AES here"))[number]

    monkeypatch.setattr(keystream.algorithms, "AES", fail)
    with pytest.raises(ResourceError, match="AES-256 cannot be set up") as caught:
        KeyedNoise()
    assert len(list(chain(caught.value))) == 1
    assert not keys.are_in(as_told(caught.value))


class Careless(AbstractNoise):
    """Keeps its key under a name, as a break that must be caught."""

    is_secure = True

    def __init__(self) -> None:
        self.key = os.urandom(KEY_BYTES)
        super().__init__(Keystream(self.key))


def test_a_key_that_is_kept_under_a_name_would_be_seen(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: np.ndarray) -> NoReturn:
        raise ZeroDivisionError("the power went")

    monkeypatch.setattr(noise, "unit_interval", fail)
    with pytest.raises(ZeroDivisionError) as caught:
        Careless().gaussian(0, (1, 2))
    assert keys.are_in(as_told(caught.value))
