"""Plain words: the sentences that break a rule of the house are counted, and the counts only fall.

`words.json` beside this file holds the numbers of each package below `src/gossamer`. They are written by
`python benchmarks/ruler.py --counts > tests/docs/words.json`, and a number is only ever lowered.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_ruler import ROOT, RULER

COMMITTED: dict[str, dict[str, int]] = json.loads((Path(__file__).with_name("words.json")).read_text(encoding="utf-8"))
FOUND: dict[str, dict[str, int]] = RULER.count_places(ROOT / "src" / "gossamer")
LOWER = "lower it: python benchmarks/ruler.py --counts > tests/docs/words.json"


def complaint(found: int, committed: int) -> str:
    """Return the sentence that tells a developer the way out, or "" if the numbers are equal."""
    if found > committed:
        return f"{found} sentences break it and {committed} are allowed; say the new one plainly (docs/house.md, Style)"
    return f"only {found} sentences of {committed} break it; {LOWER}" if found < committed else ""


@pytest.mark.parametrize("place", sorted(FOUND.keys() | COMMITTED.keys()))
def test_the_number_of_hard_sentences_only_falls(place: str) -> None:
    found, committed = FOUND.get(place, {}), COMMITTED.get(place, {})
    rules = found.keys() | committed.keys()
    wrong = {rule: complaint(found.get(rule, 0), committed.get(rule, 0)) for rule in rules}
    assert {rule: words for rule, words in wrong.items() if words} == {}, place


def test_a_new_hard_sentence_and_a_number_left_too_high_are_both_told() -> None:
    assert complaint(3, 3) == ""
    assert "3 sentences break it and 2 are allowed" in complaint(3, 2)
    assert complaint(2, 3).endswith(LOWER)
