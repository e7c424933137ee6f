"""Pages of help are kept on the machine: the second time no verb is imported. A changed program writes them anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gossamer.cli import kept_help
from gossamer.cli.kept_help import KeptHelp

HEAVY = ("torch", "numpy", "scipy", "scipy.stats", "pandas", "sklearn", "dp_accounting.rdp", "rich")
ASK = f"""
import sys
from gossamer.cli.main import main
code = main()
print(code, sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""


def asked(folder: Path, *words: str) -> tuple[str, str]:
    """Ask the command in a process of its own: its answer, and its code with the heavy modules that it imported."""
    environment = os.environ | {"GOSSAMER_CACHE": str(folder), "COLUMNS": "90"}
    done = subprocess.run([sys.executable, "-c", ASK, *words], env=environment, capture_output=True, text=True)
    return done.stdout, done.stderr.strip().splitlines()[-1]


def test_a_page_is_the_same_the_second_time_and_takes_no_module(tmp_path: Path) -> None:
    first, before = asked(tmp_path, "train", "gs-wgan", "--help")
    second, after = asked(tmp_path, "train", "gs-wgan", "--help")
    assert "usage: gossamer train gs-wgan" in first
    assert first == second
    assert "torch" in before
    assert after == "0 []"


def test_what_is_no_page_is_neither_kept_nor_read(tmp_path: Path) -> None:
    assert asked(tmp_path, "train", "no-such-method", "--help")[1].startswith("2 ")
    assert not any(tmp_path.rglob("*.txt"))


@pytest.mark.parametrize(
    "words",
    [[], ["train"], ["train", "gs-wgan", "--data", "x", "--help"], ["sample", "runs/one", "--help"], ["--version"]],
)
def test_words_that_files_may_decide_have_no_kept_page(words: list[str]) -> None:
    assert KeptHelp.of(words) is None


def test_a_changed_program_and_another_width_have_pages_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_help, "_PACKAGE", tmp_path)
    (tmp_path / "one.py").write_text("1")
    places = [KeptHelp.of(["train", "--help"])]
    (tmp_path / "one.py").write_text("12")
    places.append(KeptHelp.of(["train", "--help"]))
    (tmp_path / "two.py").write_text("")
    places.append(KeptHelp.of(["train", "--help"]))
    monkeypatch.setenv("COLUMNS", "61")
    places.append(KeptHelp.of(["train", "--help"]))
    assert len(set(places)) == 4


def test_a_folder_that_cannot_be_written_is_not_noticed(tmp_path: Path) -> None:
    (tmp_path / "help").write_text("a file in the place of the folder")
    kept = KeptHelp(file=tmp_path / "help" / "page.txt")
    kept.write("a page")
    assert kept.read() is None
