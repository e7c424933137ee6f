"""The help of a command: nothing is lost of what tyro knows, what matters comes first, an example last."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from gossamer.cli.evaluate import Evaluate
from gossamer.cli.help_page import HelpPage, Option, headings_of, wide_enough
from gossamer.cli.main import VERBS

DRAWN = """usage: gossamer thing [-h] [OPTIONS] PATH

Do a thing that takes
two lines.

Example: gossamer thing a --wide 3

╭─ positional arguments ──────────────╮
│ PATH        a path (required)       │
╰─────────────────────────────────────╯
╭─ options ───────────────────────────╮
│ -h, --help  show it                 │
│ --wide INT  how ``wide`` it is, and │
│             no more (default: None) │
│ --a-very-long-name [INT [INT ...]]  │
│             numbers (default: 1 2)  │
╰─────────────────────────────────────╯
╭─ part options ──────────────────────╮
│ Of a part.                          │
│ ─────────────────────────────────── │
│ --part.on   whether (default:       │
│             False)                  │
╰─────────────────────────────────────╯
"""


def test_a_page_is_read_as_it_was_drawn() -> None:
    page = HelpPage.read(DRAWN)
    assert page.paragraphs == ("Do a thing that takes two lines.",)
    assert page.examples == ("gossamer thing a --wide 3",)
    assert [(one.title, one.note, len(one.options)) for one in page.sections] == [
        ("arguments", "", 1), ("options", "", 3), ("part", "Of a part.", 1),
    ]  # fmt: skip
    wide, numbers = page.sections[1].options[1:]
    assert wide == Option(call="--wide INT", text="how `wide` it is, and no more (default: None)")
    assert numbers.call == "--a-very-long-name INT [INT ...]"


def test_defaults_that_say_nothing_are_left_out_and_others_stay() -> None:
    text = HelpPage.read(DRAWN).render(width=60)
    assert "None" not in text
    assert "False" not in text
    assert "(default: 1 2)" in text
    assert text.endswith("example:\n  $ gossamer thing a --wide 3")
    assert max(map(len, text.splitlines())) <= 60


def test_a_brief_page_leaves_parts_out_and_says_so() -> None:
    page = HelpPage.read(DRAWN).arranged({"--wide": "how wide"})
    assert [one.title for one in page.sections] == ["arguments", "options", "how wide", "part"]
    brief = page.brief()
    assert [one.title for one in brief.sections] == ["arguments", "options", "how wide"]
    assert "`gossamer thing --help`" in brief.paragraphs[-1]
    assert brief.brief() == brief


def test_options_of_a_part_without_a_name_get_its_heading() -> None:
    found = headings_of(Evaluate)
    assert found["--data"] == "against which real images"
    assert found["--layout"] == "how series are read"
    assert "--out" not in found


@pytest.mark.parametrize("verb", [*VERBS, "train gs-wgan", "account dp-cgan", "data describe", "audit membership"])
def test_every_help_ends_with_what_to_type(gossamer: Any, verb: str) -> None:
    said = gossamer(*verb.split(), "--help")
    assert said.code == 0
    last = said.out.strip().splitlines()[-1]
    assert last.startswith(("  $ gossamer ", "Next: gossamer ")), last
    assert "(default: None)" not in said.out
    assert not re.search(r"[╭│]|``", said.out)


def test_the_short_help_of_a_training_fits_on_a_page_and_the_long_one_has_every_setting(gossamer: Any) -> None:
    short, long = gossamer("train", "gs-wgan", "-h").out, gossamer("train", "gs-wgan", "--help").out
    assert len(short.splitlines()) < 60 < len(long.splitlines())
    assert "--data STR" in short
    assert "(required)" in short
    assert "--generator.radius" in long


def test_the_width_is_given_back(monkeypatch: Any) -> None:
    import os

    monkeypatch.setenv("COLUMNS", "77")
    with wide_enough():
        assert os.environ["COLUMNS"] != "77"
    assert os.environ["COLUMNS"] == "77"
    monkeypatch.delenv("COLUMNS")
    with wide_enough():
        pass
    assert "COLUMNS" not in os.environ


def test_a_lost_option_would_be_noticed(gossamer: Any) -> None:
    said = gossamer("evaluate", "--help").out
    hints = {field.name for field in dataclasses.fields(Evaluate)} - {"choice", "target"}
    assert all(f"--{name.replace('_', '-')}" in said for name in hints)
