"""Every error names the next step: real mistakes, each answered in one line with a command, an option or a change."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.cli.main import VERBS

# What is typed; the exit code; what the line tells to do. RUN is a finished run, OPEN an interrupted one.
MISTAKES = [
    ("trian", 2, "`gossamer train`"),
    ("train", 2, "`gossamer train --help`"),
    ("train dp-mixtur --data digits", 2, "`gossamer train dp-mixture`"),
    ("train dp-mixture --epsilon 1", 2, "--data"),
    ("train dp-mixture --data digits", 2, "--out"),
    ("train dp-mixture --data digits --dryrun", 2, "--dry-run"),
    ("train dp-mixture --data digits --epsilon ten --dry-run", 2, "`gossamer train dp-mixture --help`"),
    ("train dp-mixture --data digits --epsilon 0 --dry-run", 2, "give for example 10"),
    ("train dp-mixture --data digits --delta 0.5 --dry-run", 3, "use 1e-05"),
    ("train dp-mixture --data digits --noise-multiplier 0 --dry-run", 3, "or an epsilon"),
    ("train dp-mixture --data digits --noise-multiplier=-1 --dry-run", 2, "not -1"),
    ("train dp-mixture --data digits --recipe mnst --dry-run", 2, "the recipes are digits"),
    ("train dp-mixture --data digits --unit person --dry-run", 2, "--person-column"),
    ("train dp-mixture --data digits --num-people 3 --dry-run", 2, "--unit person"),
    ("train dp-mixture --data digits --save-at-step 1 --dry-run", 2, "--save-at-step out"),
    ("train dp-mixture --data digits --low 0 --high 1 --dry-run", 2, "leave them out"),
    ("train gs-wgan --data digits --num-critics 5000 --dry-run", 2, "--num-critics 1437"),
    ("train gs-wgan --data digits --epsilon 1 --noise-multiplier 1 --dry-run", 2, "give one"),
    ("train gs-wgan --data digits --out RUN", 2, "`gossamer resume RUN`"),
    ("data describe digts", 2, "perhaps you meant digits"),
    ("data describe mnist --data-dir /nowhere", 2, "--data-dir"),
    ("data describe mitdb --data-dir .", 2, "--data-dir"),
    ("data describe nothing", 2, "sub-folder"),
    ("data describe odd", 2, "all images must have one size"),
    ("data describe photo", 2, "convert"),
    ("data describe clear", 2, "--alpha white or --alpha black"),
    ("data describe bytes.npz", 2, "divide by 255"),
    ("data describe last.npz", 2, "numpy.moveaxis"),
    ("data describe named.npz", 2, "save them as x"),
    ("data describe many.npz", 2, "--num-classes"),
    ("data describe excel.csv", 2, "sep=';', decimal=','"),
    ("data describe latin.csv", 2, "save the table as UTF-8"),
    ("data describe words.csv", 2, "--class-column"),
    ("data describe words.csv --class-column kind", 2, "--low"),
    ("data describe words.csv --class-column knd", 2, "it has 'kind'"),
    ("sample RUN --num-samples 3", 2, "--out"),
    ("sample RUN --num-samples 3 --out x.jpg", 2, "X.png"),
    ("sample RUN --num-samples 3 --out x.npz --labels eleven", 2, "its classes are '0', '1'"),
    ("sample RUN --num-samples 0 --out x.npz", 2, "at least 1"),
    ("sample nowhere --num-samples 3 --out x.npz", 2, "`gossamer train`"),
    ("sample plain.npy --num-samples 3 --out x.npz", 2, "generator.safetensors"),
    ("predict RUN", 2, "--data"),
    ("predict RUN --data digits", 2, "labelled-mixture can classify"),
    ("predict RUN --data digits --out named.txt", 2, "X.csv or X.npz"),
    ("predict RUN --data digits --out RUN/release/x.csv", 3, "name another --out"),
    ("predict nowhere --data digits", 2, "`gossamer train`"),
    ("resume nowhere", 2, "`gossamer train`"),
    ("ledger nowhere", 2, "`gossamer train`"),
    ("verify nowhere", 2, "name a run folder"),
    ("report OPEN", 2, "`gossamer resume OPEN`"),
    ("evaluate RUN --data fair", 2, "--test-data"),
    ("evaluate RUN --data digits --num-samples 0", 2, "at least 1"),
    ("evaluate RUN --data digits --checkpoints", 2, "--save-at-epsilon"),
    ("evaluate RUN --data digits --out RUN/release/x", 3, "name another --out"),
    ("compare RUN --data digits", 2, "gossamer evaluate"),
    ("federate plan gs-wgan --sites a:50,b:50 --shape 1,8,8 --out x --roster who.txt", 2, "gossamer train gs-wgan"),
    ("federate contribute plan.json --site a --folder x --data y --roster=who.txt", 2, "--unit person"),
    ("federate plan dp-mixture --sites a:50,b:50 --shape 1,8,8 --out x --in-turn", 2, "leave --in-turn out"),
    ("encoder train --data fair", 2, "--test-data"),
    ("account gs-wgan --num-critics 9 --epsilon 1", 2, "--num-steps"),
    ("account gs-wgan --epsilon 1", 2, "--num-critics"),
    ("account dp-mixture --epsilon 0", 2, "give for example 10"),
    ("audit mechanism nowhere", 2, "`gossamer train`"),
    ("audit RUN", 2, "`gossamer audit --help`"),
    ("demo --out fair", 2, "--out"),
    ("federate", 2, "plan, contribute, show, combine"),
    ("federate plan dp-cgn", 2, "dp-mixture"),
    ("federate show nowhere", 2, "check the path"),
    ("finish nowhere", 2, "`gossamer train`"),
    ("pretrain nowhere --critics 0..9", 2, "`gossamer train`"),
    ("zoo --rebuild nothing", 2, "--out zoo"),
    ("sample zoo:mnst --num-samples 3 --out x.npz", 2, "`gossamer zoo`"),
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: Any, finished: Path) -> Path:
    """A folder with the files that people hand over by mistake."""
    folder = tmp_path_factory.mktemp("mistakes")
    rng = np.random.default_rng(0)
    (folder / "RUN").symlink_to(finished)
    (folder / "OPEN" / "private").mkdir(parents=True)
    (folder / "OPEN" / "release").mkdir()
    (folder / "OPEN" / "config.json").write_bytes((finished / "config.json").read_bytes())
    for name in ("nothing", "odd", "photo", "clear", "fair"):
        (folder / name).mkdir()
    for number, width in enumerate((9, 9, 10)):
        Image.new("L", (width, 9)).save(folder / "odd" / f"{number}.png")
        Image.new("L", (8, 8)).save(folder / "fair" / f"{number}.png")
    Image.new("CMYK", (9, 9)).save(folder / "photo" / "a.jpg")
    Image.new("RGBA", (9, 9)).save(folder / "clear" / "a.png")
    x = rng.random((30, 8, 8), dtype=np.float32)
    np.savez(folder / "bytes.npz", x=255 * x)
    np.savez(folder / "last.npz", x=np.zeros((30, 8, 8, 3), dtype=np.uint8))
    np.savez(folder / "named.npz", images=x)
    np.savez(folder / "many.npz", x=x, y=np.arange(30))
    np.save(folder / "plain.npy", x)
    (folder / "excel.csv").write_bytes("Größe;t0;t1\r\na;1,5;2,5\r\n".encode("utf-8-sig"))
    (folder / "latin.csv").write_bytes("Größe,t0\r\n1,2\r\n".encode("cp1252"))
    head = ",".join(["kind", *(f"t{number}" for number in range(8))])
    (folder / "words.csv").write_text(head + "\n" + "ill,2,2,2,2,2,2,2,2\nwell,2,2,2,2,2,2,2,2\n")
    return folder


def options_of(help_text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", help_text))


@pytest.mark.parametrize(("words", "code", "way_out"), MISTAKES)
def test_a_mistake_is_answered_with_what_to_do(
    gossamer: Callable[..., Any], place: Path, monkeypatch: Any, words: str, code: int, way_out: str
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("GOSSAMER_DATA", raising=False)
    monkeypatch.setenv("GOSSAMER_CACHE", str(place / "cache"))
    said = gossamer(*shlex.split(words))
    assert said.code == code, said.err
    line = said.err.splitlines()[-1]
    assert said.err.count("\n") == 1
    assert line.startswith("gossamer: ")
    assert way_out in line
    check_that_it_can_be_typed(gossamer, line, words)


def check_that_it_can_be_typed(gossamer: Callable[..., Any], line: str, words: str) -> None:
    """Every command in back quotes is one, and every option that a line names belongs to the command that was typed."""
    for command in re.findall(r"`gossamer ([^`]*)`", line):
        assert command.split()[0] in {*VERBS, "--help"}, command
    verb = words.split()[0]
    if verb not in VERBS or "--help`" in line:
        return
    known = set()
    for call in {" ".join(words.split()[:2]), verb, "train gs-wgan"}:
        known |= options_of(gossamer(*call.split(), "--help").out)
    typed = options_of(words)
    assert options_of(line) - typed - {"--help"} <= known, line


def test_there_are_many_mistakes_of_every_kind() -> None:
    assert len(MISTAKES) >= 30
    assert {code for _, code, _ in MISTAKES} >= {2, 3}
    assert {words.split()[0] for words, _, _ in MISTAKES} >= set(VERBS) - {"doctor", "completion"}


def test_a_way_out_that_cannot_be_typed_would_be_noticed(gossamer: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError):
        check_that_it_can_be_typed(gossamer, "gossamer: no; use --no-such-option", "data describe digits")
    with pytest.raises(AssertionError):
        check_that_it_can_be_typed(gossamer, "gossamer: no; `gossamer mend`", "data describe digits")
