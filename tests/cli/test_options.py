"""Options read from dataclasses: each kind of value, each place, and what is refused."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.cli.arguments import Names, Numbers, read_arguments, read_known_arguments
from gossamer.cli.options import Mark, Setting, described, value_of
from gossamer.errors import InputError, PrivacyError
from gossamer.methods.catalogue import METHODS
from gossamer.methods.method import Method

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class Round:
    radius: float = 1.0

    def __post_init__(self) -> None:
        if self.radius < 0:
            raise InputError("radius must be 0 or more")
        if self.radius > 99:
            raise PrivacyError("no guarantee")


@dataclass(frozen=True, kw_only=True)
class Square:
    side: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings.

    Attributes:
        num_steps: how many
    """

    num_steps: int = 3
    shape: Round | Square = field(default_factory=Round)
    stages: tuple[Square, ...] = (Square(), Square(side=2.0))
    sizes: tuple[int, ...] = (4,)
    nothing: Round | None = None


@dataclass(frozen=True, kw_only=True)
class Asked(Generic[C]):
    place: Annotated[Path, Mark.POSITIONAL]
    device: Literal["cpu", "cuda"] = "cpu"
    low: Numbers = ()
    names: Names = ()
    delta: float | None = None
    json: bool = False
    method: Annotated[C, Mark.TAKEN_OVER]


@dataclass(frozen=True, kw_only=True)
class Many:
    places: Annotated[tuple[Path, ...], Mark.POSITIONAL]
    json: bool = False


def read(words: str, **start: object) -> Asked[Settings]:
    return read_arguments(Asked[Settings], words.split(), program="ask", **start)


def test_values_of_every_kind_are_read() -> None:
    found = read(
        "here --low -1,2 -.5 --device cuda --names a,b c --delta=1e-5 --json --num_steps 7 --shape.radius 2 "
        "--stages.1.side 9 --sizes 1 2"
    )
    assert found == Asked(
        place=Path("here"), device="cuda", low=(-1.0, 2.0, -0.5), names=("a", "b", "c"), delta=1e-5, json=True,
        method=Settings(num_steps=7, shape=Round(radius=2.0), stages=(Square(), Square(side=9.0)), sizes=(1, 2)),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Lacking:
    most: int | None = 5
    count: int = 5


@dataclass(frozen=True, kw_only=True)
class Around:
    within: Lacking = field(default_factory=lambda: Lacking(most=None))


def test_none_takes_the_place_of_a_number_that_a_setting_may_lack() -> None:
    assert read_arguments(Lacking, ["--most", "none"], program="test") == Lacking(most=None)
    assert read_arguments(Around, ["--within.most", "none"], program="test") == Around()
    assert read_arguments(Around, ["--within.most", "7"], program="test").within == Lacking(most=7)
    with pytest.raises(InputError, match="no whole number"):
        read_arguments(Lacking, ["--count", "none"], program="test")


def test_a_verb_s_own_number_that_is_not_given_cannot_be_typed_as_none() -> None:
    """Epsilon none would read as no bound on epsilon."""
    with pytest.raises(InputError, match="'none' is no number"):
        read("x --delta none")


def test_what_is_not_given_stays_as_it_was() -> None:
    """A reader that builds settings anew from what was typed would lose the recipe's other values without a word."""
    recipe = Settings(num_steps=50, shape=Square(side=3.0), stages=(Square(side=5.0),), sizes=(8, 8))
    assert read("x", method=recipe).method == recipe
    changed = read("x --stages.0.side 6", method=recipe).method
    assert changed == Settings(num_steps=50, shape=Square(side=3.0), stages=(Square(side=6.0),), sizes=(8, 8))


def test_a_reader_that_forgets_the_recipe_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_the_class(self: Setting, field: Field[Any]) -> Any:
        default = field.default if field.default_factory is MISSING else field.default_factory()
        return self.value.get(field.name, default) if isinstance(self.value, dict) else default

    monkeypatch.setattr(Setting, "_value", of_the_class)
    with pytest.raises(AssertionError):
        test_what_is_not_given_stays_as_it_was()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_setting_of_every_recipe_can_be_typed_and_changes_nothing_else(method: Method[Any]) -> None:
    for recipe in method.recipes:
        setting = Setting(hint=type(recipe.config), value=recipe.config)
        options = list(setting.options())
        assert len({option.flag for option in options}) == len(options)
        words = [f"{option.flag}={shown(option.value)}" for option in options if option.value is not None]
        assert read_arguments(
            Asked[type(recipe.config)], ["x", *words], program="ask", method=recipe.config
        ).method == (recipe.config)


def shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "Missing from gossamer ask: PATH; `gossamer ask --help` has all options"),
        ("x y", "'y' is one word too many"),
        ("x --delta", "--delta: give FLOAT after it"),
        ("x --delta --json", "--delta: give FLOAT after it"),
        ("x --low --json", "--low: give FLOAT[,FLOAT...] after it"),
        ("x --low ,", "--low: give at least one value"),
        ("x --low 1,a", "--low: 'a' is no number"),
        ("x --num-steps 3.5", "--num-steps: '3.5' is no whole number"),
        ("x --delta None", "--delta: 'None' is no number"),
        ("x --device gpu", "--device: 'gpu' is none of cpu, cuda"),
        ("x --json=1", "--json takes no value"),
        ("x --jsn", "no option --jsn; perhaps you meant --json"),
        ("x --zzzzzz=3", "no option --zzzzzz; `gossamer ask --help`"),
        ("x --shape.side 3", "no option --shape.side"),
        ("x --nothing.radius 3", "no option --nothing.radius"),
        ("x --method.num-steps 3", "no option --method.num-steps"),
        ("x --stages.2.side 3", "no option --stages.2.side"),
        ("x --shape.radius -3", "shape: radius must be 0 or more"),
    ],
)
def test_words_that_do_not_fit_are_refused(words: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(words)
    assert said in str(caught.value)


def test_a_refusal_for_privacy_stays_one() -> None:
    with pytest.raises(PrivacyError, match="no guarantee"):
        read("x --shape.radius 100")


def test_paths_are_not_parted_at_commas_and_the_last_word_counts() -> None:
    assert read_arguments(Many, ["a,b", "--json", "c d"], program="many").places == (Path("a,b"), Path("c d"))
    assert read("x --delta 1 --delta 2").delta == 2


def test_some_options_are_read_and_others_left_for_later() -> None:
    found = read_known_arguments(
        Settings, ["--data", "x", "--num-steps", "4", "y", "--other=3", "--more", "a", "b"], program="ask"
    )
    assert found == Settings(num_steps=4)
    with pytest.raises(InputError, match="--num-steps"):
        read_known_arguments(Settings, ["--num-steps", "x"], program="ask")


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.integers(), st.text(min_size=1))
def test_what_is_written_is_read_back(low: list[float], steps: int, place: str) -> None:
    words = [f"--low={','.join(map(str, low))}", f"--num-steps={steps}"]
    found = read_arguments(Asked[Settings], [*words, f"./{place}"], program="ask")
    assert (found.low, found.method.num_steps, found.place) == (tuple(low), steps, Path(f"./{place}"))


def test_a_type_that_cannot_be_typed_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="dict"):
        value_of(dict[str, int])


def test_a_docstring_is_read_and_one_that_dataclass_made_is_not() -> None:
    assert described(Settings) == (("Settings.",), {"num_steps": "how many"})
    assert described(Square) == ((), {})


def test_a_name_with_a_comma_stands_in_quotation_marks() -> None:
    words = ["x", "--names", '"b,c", d']
    assert read_arguments(Asked[Settings], words, program="ask").names == ("b,c", "d")
