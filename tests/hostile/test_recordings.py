"""Hostile WFDB folders: headers that lie, links that lead out, annotations without order or end."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data.wfdb_annotations import MAX_ANNOTATION_BYTES
from gossamer.data.wfdb_headers import MAX_HEADER_BYTES

PEAKS = np.arange(200, 3400, 300)
HEADER = "100 1 360 3600\n100.dat 16 200(0)/mV 12 0 0 0 0 MLII\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: Any) -> dict[str, bytes]:
    """The three files of a recording of ten seconds."""
    folder = tmp_path_factory.mktemp("whole")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        wfdb.wrann("100", "atr", sample=PEAKS, symbol=["N"] * len(PEAKS), write_dir=str(folder))
    signal = np.random.default_rng(0).integers(-200, 200, size=3600).astype("<i2")
    return {"hea": HEADER.encode(), "dat": signal.tobytes(), "atr": (folder / "100.atr").read_bytes()}


def header(old: str, new: str) -> Callable[[Path], Any]:
    assert old in HEADER
    return lambda folder: (folder / "100.hea").write_text(HEADER.replace(old, new))


def written(name: str, content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(content)


def linked(name: str, target: str) -> Callable[[Path], Any]:
    def link(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return link


def piped(name: str) -> Callable[[Path], Any]:
    def pipe(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return pipe


BEAT = bytes([0, 1 << 2])
FAR, BACK = bytes([0, 59 << 2, 255, 127, 255, 255]), bytes([0, 59 << 2, 255, 255, 0, 255])
LINE = HEADER.splitlines()[1] + "\n"
LIES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a thousand million signals": (header("100 1 360", "100 1000000000 360"), "signals"),
    "signals without end": (lambda f: (f / "100.hea").write_text(HEADER + 3000 * LINE), "more than 256"),
    "more lines than signals": (lambda f: (f / "100.hea").write_text(HEADER + LINE), "names 2"),
    "three hundred signals": (
        lambda f: (f / "100.hea").write_text("100 300 360 3600\n" + 300 * LINE), "256"
    ),
    "more samples than there are": (header("3600", "3601"), "cut short"),
    "samples beyond counting": (header("3600", "9" * 30), "how many samples"),
    "no samples": (header("3600", "0"), "how many samples"),
    "a sample rate of nothing": (header("360 3600", "0 3600"), "sample rate"),
    "a sample rate that asks for gigabytes": (header("360 3600", "0.00001 3600"), "factor of 100"),
    "a sample rate of a millionth part": (header("360 3600", "0.9 3600"), "factor of 100"),
    "another format": (header(" 16 ", " 99 "), "format"),
    "a format that is not that of the file": (header(" 16 ", " 516 "), "damaged"),
    "a compressed file of days": (
        lambda f: (f / "100.hea").write_text(HEADER.replace("3600", "900000000").replace(" 16 ", " 516 ")),
        "times as many",
    ),
    "no format at all": (header(" 16 ", " sixteen "), ".hea"),
    "a signal late by hours": (header(" 16 ", " 16:1000000000 "), "skew"),
    "frames of a thousand million samples": (header(" 16 ", " 16x1000000000 "), "cut short"),
    "values that begin behind the end": (header(" 16 ", " 16+1000000000 "), "cut short"),
    "a baseline beyond counting": (header("200(0)", f"200({'9' * 30})"), ".hea"),
    "a unit that is no voltage": (header("/mV", "/mmHg"), "no voltage"),
    "a signal file elsewhere": (header("100.dat", "../100.dat"), ".hea"),
    "a signal file at the root": (header("100.dat", "/etc/passwd"), ".hea"),
    "a signal file at an address": (header("100.dat", "http://localhost/100.dat"), ".hea"),
    "segments that are days of gaps": (
        lambda f: (f / "101.hea").write_text("101/3 1 360 900003600\nlay 0\n100 3600\n~ 900000000\n")
        and (f / "lay.hea").write_text("lay 1 360 0\n~ 0 200/mV 12 0 0 0 0 MLII\n")
        and (f / "100.atr").rename(f / "101.atr"), "times as many"
    ),
    "segments that lead out": (
        lambda f: (f / "101.hea").write_text("101/2 1 360 7200\n../100 3600\n100 3600\n"), "101"
    ),
    "a note that the package reads for ever": (
        written("100.atr", bytes([0, 88, 6, 252]) + b"## me!" + BEAT + bytes(2)), "not one beat"
    ),
    "a clock that stands still": (
        written("100.atr", bytes([0, 88, 21, 252]) + b"## time resolution: 0" + bytes(1) + BEAT + bytes(2)), "ticks"
    ),
    "segments": (lambda f: (f / "100.hea").write_text("100/2 1 360 3600\n100 1800\n100 1800\n"), "segments"),
    "nothing in the header": (written("100.hea", b""), ".hea"),
    "a header of zeros": (written("100.hea", bytes(500)), ".hea"),
    "a header without end": (written("100.hea", b"# " + b"a" * MAX_HEADER_BYTES), "longer than"),
    "a word that takes a pattern hours": (written("100.hea", b"100 1 360 3600\n" + b"a" * 20_000 + b"\n"), "too long"),
    "many words that do": (written("100.hea", b"100 250 360 3600\n" + b"".join(b"a" * 99 + b"\t" + b"b" * 99 + b"\n" for _ in range(250))), ".hea"),  # noqa: E501
    "no annotation": (written("100.atr", b""), "cut short"),
    "annotations of odd length": (written("100.atr", b"\x01\x02\x03"), "100.atr"),
    "annotations that skip and end": (written("100.atr", bytes([0, 59 << 2]) * 5), "100.atr"),
    "annotations far behind the end": (written("100.atr", FAR + BEAT + bytes(2)), "100"),
    "annotations that go back": (written("100.atr", BACK + BEAT * 2 + bytes(2)), "100"),
    "a note longer than the file": (written("100.atr", BEAT + bytes([255, 63 << 2]) + b"ab"), "100.atr"),
    "ten thousand beats at one time": (written("100.atr", BEAT * 10_000 + bytes(2)), "within 5 s"),
    "annotations without end": (written("100.atr", bytes(MAX_ANNOTATION_BYTES + 2)), "longer than"),
    "no beat": (written("100.atr", bytes([0, 22 << 2]) + bytes(2)), "not one beat"),
    "a signal that is cut": (lambda f: os.truncate(f / "100.dat", 100), "cut short"),
    "a link out to a signal": (linked("100.dat", "/etc/hostname"), "link out"),
    "a link out to a header": (linked("101.hea", "/etc/hostname"), "link out"),
    "a link to nothing": (linked("101.hea", "nowhere"), "link to nothing"),
    "a pipe for a signal": (piped("100.dat"), "100.dat"),
    "a pipe for a header": (piped("100.hea"), "100"),
    "a pipe for annotations": (piped("100.atr"), "100.atr"),
    "a name that is an address": (written("simplecache::http:x.hea", b""), "no name of a recording"),
    "a name that a terminal obeys": (written("\x1b[2J.hea", b""), "no name of a recording"),
    "people twice": (written("people.csv", b"100,anna\n100,bert\n"), "line 2"),
    "people without end": (written("people.csv", b'100,"' + b"a" * 200_000 + b'"\n'), "people.csv"),
    "people by another alphabet": (written("people.csv", b"100,\xff\xfe\n"), "people.csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_hostile_recording_ends_in_one_line(tmp_path: Path, refused: Any, whole: Any, name: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for ending, content in whole.items():
        (folder / f"100.{ending}").write_bytes(content)
    spoil, word = LIES[name]
    spoil(folder)
    assert word in refused(
        "data", "describe", folder, at="100" if "factor" in word else "mine", hides=("anna", "root:")
    )


def test_a_whole_recording_is_described_and_one_without_a_gain_too(tmp_path: Path, gossamer: Any, whole: Any) -> None:
    for ending, content in whole.items():
        (tmp_path / f"100.{ending}").write_bytes(content)
    for gain in ("200", "0"):
        (tmp_path / "100.hea").write_text(HEADER.replace("200(0)", f"{gain}(0)"))
        said = gossamer("data", "describe", tmp_path)
        assert (said.code, said.err) == (0, "")


def test_random_damage_is_refused_or_harmless(tmp_path: Path, gossamer: Any, whole: Any) -> None:
    rng = np.random.default_rng(21)
    for ending, content in whole.items():
        (tmp_path / f"100.{ending}").write_bytes(content)
    codes = set()
    for number in range(60):
        ending = ("hea", "atr")[number % 2]
        content = bytearray(whole[ending])
        for place in rng.integers(0, len(content), size=rng.integers(1, 4)):
            content[place] = rng.integers(0, 256)
        (tmp_path / f"100.{ending}").write_bytes(bytes(content))
        said = gossamer("data", "describe", tmp_path)
        (tmp_path / f"100.{ending}").write_bytes(whole[ending])
        codes.add(said.code)
        assert said.code in (0, 2), said.err
        assert said.err.count("\n") == (said.code == 2)
    assert codes == {0, 2}
