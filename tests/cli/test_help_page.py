"""The help of a command: every option is in it, what matters comes first, an example last."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from gossamer.cli import train
from gossamer.cli.evaluate import Evaluate
from gossamer.cli.help_page import help_asked, sections_of
from gossamer.cli.main import VERBS
from gossamer.cli.options import Mark, Setting
from gossamer.methods.catalogue import METHODS, find_method


@dataclass(frozen=True, kw_only=True)
class Part:
    """Of a part.

    Attributes:
        on: whether ``it`` is on
    """

    on: bool = False


@dataclass(frozen=True, kw_only=True)
class Taken:
    """How wide, and no more. The rest is not said.

    Args:
        wide: how ``wide`` it is, and
            no more
    """

    wide: int | None = None


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Do a METHOD that takes
    two lines.

    Example: gossamer METHOD a --wide 3

    Args:
        path: a path
        some: numbers
        part: of it
        taken: other
    """

    path: Annotated[Path, Mark.POSITIONAL]
    some: tuple[int, ...] = (1, 2)
    part: Part = Part()
    taken: Annotated[Taken, Mark.TAKEN_OVER] = Taken()


THING = Setting(hint=Thing, value={})


def test_what_matters_comes_first_and_parts_last() -> None:
    text = help_asked("thing", THING, ["--help"]).text
    assert text.splitlines()[0] == "usage: gossamer thing [-h] [OPTIONS] PATH"
    assert "\n\nDo a thing that takes two lines.\n\n" in text
    titles = ["arguments", "options", "how wide", "part"]
    assert re.findall(r"^(\w.*):$", text, re.MULTILINE) == [*titles, "example"]
    assert "part:\n  of it\n  --part.on               whether `it` is on" in text
    assert "  --wide INT              how `wide` it is, and no more\n" in text
    assert text.endswith("example:\n  $ gossamer thing a --wide 3")


def test_defaults_that_say_nothing_are_left_out_and_others_stay() -> None:
    text = help_asked("thing", THING, ["--help"]).text
    assert "None" not in text
    assert "False" not in text
    assert "numbers (default: 1,2)" in text
    assert "a path (required)" in text


def test_a_page_is_as_wide_as_the_terminal(monkeypatch: Any) -> None:
    for width in (50, 70, 300):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = help_asked("evaluate", Setting(hint=Evaluate, value={}), ["--help"]).text.splitlines()
        assert max(map(len, lines)) <= min(width, 100) + 6 * (width == 50)  # one long name stands alone


def test_a_brief_page_leaves_parts_out_and_says_so() -> None:
    brief = help_asked("thing", THING, ["-h"])
    assert "--wide" in brief.text
    assert "--part.on" not in brief.text
    assert "`gossamer thing --help`" in brief.text
    assert brief.options == help_asked("thing", THING, ["--help"]).options


def test_options_of_a_part_without_a_name_get_its_heading() -> None:
    found = {option.flag: one.title for one in sections_of(Setting(hint=Evaluate, value={})) for option in one.options}
    assert found["--data"] == "against which real images"
    assert found["--layout"] == "the way in which series are read"
    assert found["--out"] == "options"


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


def test_a_lost_option_would_be_noticed(gossamer: Any) -> None:
    said = gossamer("evaluate", "--help").out
    hints = {field.name for field in dataclasses.fields(Evaluate)} - {"choice", "target"}
    assert all(f"--{name.replace('_', '-')}" in said for name in hints)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_help_never_needs_a_recipe(gossamer: Callable[..., Any], monkeypatch: Any, method: Any) -> None:
    work = dataclasses.replace(method.working(), recipes=())
    bare = dataclasses.replace(method, working=lambda: work)
    monkeypatch.setattr(train, "find_method", lambda name: bare)
    for words in ("--help", "-h", "--data own.npz --help"):
        said = gossamer("train", method.name, *words.split())
        assert (said.code, said.err) == (0, "")
        assert "--data STR" in said.out
    settings = {field.name for field in dataclasses.fields(method.config)}
    numbers = {one.path[-1] for one in Setting(hint=method.config, value={}).members() if one.is_option}
    assert numbers <= settings
    assert all(f"--{name.replace('_', '-')}" in gossamer("train", method.name, "--help").out for name in numbers)


def test_the_help_shows_the_settings_of_the_recipe_that_is_named(gossamer: Any) -> None:
    first, other = (gossamer("train", "gs-wgan", "--data", name, "--help").out for name in ("mnist", "digits"))
    shown = [re.search(r"--num-critics INT .*\(default: (\d+)\)", text) for text in (first, other)]
    for one, data in zip(shown, ("mnist", "digits")):
        method = find_method("gs-wgan")
        assert one is not None
        assert int(one[1]) == method.find_for(data).config.num_critics
    assert next(option for option in THING.options() if option.name == "").value is MISSING
