"""A new score is one function and one line, as the page on the house says: it appears although the cache is warm."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from gossamer.data.catalogue import load_records
from gossamer.evaluation import suite as images
from gossamer.evaluation.bootstrap import mean_interval
from gossamer.evaluation.comparison import headline, title_and_unit
from gossamer.evaluation.listed import ListedScore
from gossamer.evaluation.score import Score
from gossamer.evaluation.series import networks
from gossamer.evaluation.series import suite as series
from gossamer.evaluation.series.suite import Look
from gossamer.scoring import encoder
from gossamer.scoring import images as image_bench
from gossamer.scoring import series as series_bench
from gossamer.scoring.findings import Findings

HOUSE = Path(__file__).parents[2] / "docs" / "house.md"
QUICKLY = ("--quick", "--num-samples", 256, "--num-workers", 1)


def of_the_page() -> ListedScore[Any]:
    """Execute the function and the line that the page tells to write."""
    section = HOUSE.read_text(encoding="utf-8").partition("## A new score\n")[2].partition("\n## ")[0]
    function, line = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert line.count("\n") == 1
    names: dict[str, Any] = {}
    exec(compile(function, str(HOUSE), "exec"), names)
    (entry,) = eval(line, names)
    return entry


def mean_value(look: Look) -> Score:
    values = look.pair.synthetic.x.mean(axis=(1, 2))
    low, high = mean_interval(values, np.random.default_rng(look.seed))
    return Score(
        name="mean_value", value=float(values.mean()), low=low, high=high, higher_is_better=True,
        num_synthetic=len(values), num_real=0, seeds=(look.seed,), source="A toy.",
    )  # fmt: skip


def never(*arguments: Any, **more: Any) -> NoReturn:
    raise AssertionError("computed again")


@dataclasses.dataclass(frozen=True)
class Case:
    """A kind of records with its list, a new entry of it, and everything that must not be computed again."""

    listed: Any
    entry: ListedScore[Any]
    words: tuple[object, ...]
    costly: tuple[tuple[Any, str], ...]
    kind: type


@pytest.fixture(scope="module")
def beats(tmp_path_factory: Any) -> Iterator[Path]:
    """300 real beats as if another program had made them, and judges that learn for a moment."""
    train = load_records("beats").train
    low, high = train.spec.low[0], train.spec.high[0]
    path = tmp_path_factory.mktemp("beats") / "theirs.npz"
    np.savez(path, x=low + (high - low) * train.x.numpy()[::8], y=train.y.numpy()[::8])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_MIN_UPDATES", 30)
        patch.setattr(networks, "_MAX_UPDATES", 30)
        yield path


@pytest.fixture(autouse=True)
def own_cache(bench_of_seconds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache in which no other test has left the new score."""
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["images", "series"])
def case(request: Any, real_digits: Path, beats: Path) -> Case:
    if request.param == "images":
        words = (real_digits, "--data", "digits", *QUICKLY)
        costly = ((image_bench, "predict_all"), (encoder, "EncoderTraining"), (images, "manifold_scores"))
        return Case(images, of_the_page(), words, costly, image_bench.ImageBench)
    entry = ListedScore(name="mean_value", needs=Look, compute=mean_value, title="Mean value", is_headline=True)
    costly = ((series_bench, "judge_all"), (series, "manifold_scores"))
    return Case(series, entry, (beats, "--data", "beats", *QUICKLY), costly, series_bench.SeriesBench)


def appears_with_a_warm_cache(case: Case, gossamer: Callable[..., Any], patch: pytest.MonkeyPatch, out: Path) -> None:
    """Evaluate, add the line, and evaluate again: the new score is there, and nothing else was computed again."""
    name = case.entry.name
    before = json.loads(gossamer("evaluate", *case.words, "--json").out)
    assert name not in before["scores"]
    patch.setattr(case.listed, "SCORES", (*case.listed.SCORES, case.entry))
    for module, costly in case.costly:
        patch.setattr(module, costly, never)
    said = gossamer("evaluate", *case.words, "--out", out)
    assert said.code == 0, said.err
    after = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert set(after["scores"]) == {*before["scores"], name, f"{name}_real"}, "the new score is silently absent"
    assert {key: after["scores"][key] for key in before["scores"]} == before["scores"]
    assert re.search(rf"^{name} +higher +{after['scores'][name]['value']:.3f} ", said.out, re.MULTILINE)
    assert name not in after["skipped"]
    assert (title_and_unit(name), headline(case.listed.SCORES)[-1]) == ((case.entry.title, "value"), name)
    rows = (out / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert sum(row.split(",")[3] == name for row in rows) == 1
    # Now it is kept as well.
    patch.setattr(case.kind, "score", never)
    assert json.loads(gossamer("evaluate", *case.words, "--json").out) == after


def test_a_new_score_is_a_function_and_a_line(
    case: Case, gossamer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    appears_with_a_warm_cache(case, gossamer, monkeypatch, tmp_path / "out")


def test_another_version_of_a_score_takes_the_place_of_the_kept_one(
    case: Case, gossamer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, listed = case.entry.name, case.listed.SCORES
    monkeypatch.setattr(case.listed, "SCORES", (*listed, case.entry))
    before = json.loads(gossamer("evaluate", *case.words, "--json").out)["scores"]

    def halved(evidence: Any) -> Score:
        score = case.entry.compute(evidence)
        assert score is not None
        return dataclasses.replace(score, value=score.value / 2, low=score.low / 2, high=score.high / 2)

    for version, factor in ((1, 1.0), (2, 0.5)):
        entry = dataclasses.replace(case.entry, compute=halved, version=version)
        monkeypatch.setattr(case.listed, "SCORES", (*listed, entry))
        after = json.loads(gossamer("evaluate", *case.words, "--json").out)["scores"]
        assert after[name]["value"] == before[name]["value"] * factor
        assert after[f"{name}_real"]["value"] == before[f"{name}_real"]["value"] * factor
        assert {key: after[key] for key in after if name not in key} == {
            key: before[key] for key in before if name not in key
        }


def test_a_cache_that_does_not_ask_for_the_scores_is_caught(
    case: Case, gossamer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The old fault: anything kept under the suite's name was all there was."""
    monkeypatch.setattr(Findings, "lacks", lambda kept, listed: () if kept.versions else tuple(listed))
    with pytest.raises(AssertionError, match="silently absent"):
        appears_with_a_warm_cache(case, gossamer, monkeypatch, tmp_path / "out")
