"""Scores: what can be measured is kept, what cannot is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gossamer.errors import InputError
from gossamer.evaluation.score import Score


def score(**change: Any) -> Score:
    facts: dict[str, Any] = {
        "name": "accuracy",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "higher_is_better": True,
        "num_synthetic": 9,
        "num_real": 9,
        "seeds": (0,),
        "source": "an example",
    }
    return Score(**{**facts, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"low": 0.5, "high": 0.5},
        {"low": 0.5},
        {"high": 0.5},
        {"num_synthetic": 0},
        {"num_real": 0},
        {"value": -3.0, "low": -4.0, "high": 7.0},
        {"seeds": (0, 1, 2)},
    ],
)
def test_possible_scores_are_kept(change: dict[str, Any]) -> None:
    kept = score(**change)
    assert all(getattr(kept, name) == value for name, value in change.items())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": math.nan}, "finite"),
        ({"low": -math.inf}, "finite"),
        ({"high": math.inf}, "finite"),
        ({"low": 0.51}, "outside"),
        ({"high": 0.49}, "outside"),
        ({"num_synthetic": 0, "num_real": 0}, "images"),
        ({"num_synthetic": -1}, "images"),
        ({"num_real": -1}, "images"),
        ({"seeds": ()}, "seed"),
    ],
)
def test_impossible_scores_are_refused_in_one_line_that_names_them(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        score(**change)
    assert str(error.value).startswith("accuracy: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_score_reads_as_a_line() -> None:
    assert str(score()) == "accuracy 0.500 (95 % interval 0.400 to 0.600)"
