"""The benchmark of the data signal runs from its command line, and its figures are those of the measure."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.methods.gs_wgan.centre import TwinsTakenAway

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("data_signal", ROOT / "benchmarks" / "data_signal.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCH = load()
TRAINED = ("--recipes", "digits-trained", "--num-critics", "12", "--critics-per-draw", "2")


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    """The table that a command prints, without its head."""
    assert BENCH.main([*words, "--critics", "12"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["recipe", "steps", "data", "share", "likeness", "rho", "twins", "over", "noise"]
    return [line.split() for line in lines]


def test_a_line_is_printed_for_each_recipe_and_state(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "--recipes", "digits-cpu", "--num-critics", "40", "--after", "0", "2")
    assert [line[:2] for line in found] == [["digits-cpu", "0"], ["digits-cpu", "2"]]
    assert all(float(line[4]) > 0 for line in found)
    assert found[0] != found[1]


def test_twins_are_taken_away_from_trained_critics_and_refused_with_distance_critics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (line,) = rows(capsys, *TRAINED, "--twins", "4")
    assert line[:2] == ["digits-trained", "0"]
    assert BENCH.asked_for(GS_WGAN.find("digits-trained").config, BENCH._read([*TRAINED, "--twins", "4"])).centre == (
        TwinsTakenAway(num_critics=4)
    )
    with pytest.raises(ValueError, match="all stages have distance critics"):
        BENCH.main(["--recipes", "digits-cpu", "--twins", "4"])
