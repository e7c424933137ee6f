"""All scores of series in one go: their names, quick and full, between people, and which way each moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from gossamer.errors import InputError
from gossamer.evaluation.comparison import headline
from gossamer.evaluation.listed import (
    Suite,
    SyntheticRecords,
    as_reference,
    check_labels,
    names_of,
    needing,
    scores_of,
    set_name,
)
from gossamer.evaluation.score import Score
from gossamer.evaluation.series import networks
from gossamer.evaluation.series.downstream import Verdict
from gossamer.evaluation.series.matching import MatchedPair, SeriesSet, drawn_like, match
from gossamer.evaluation.series.profiles import acf_distance
from gossamer.evaluation.series.suite import FULL, QUICK, SCORES, Look, check_number
from gossamer.evaluation.series.use import HALVES, REAL, TEST, SeriesAnswers, all_fits, halves_by_person

REQUIRED = (
    "tstr_accuracy", "tstr_macro_f1", "tstr_auroc", "trtr_accuracy", "trtr_macro_f1", "trtr_auroc", "trts_macro_f1",
    "discriminative_score", "predictive_score", "acf_distance", "psd_distance", "histogram_distance", "mmd",
    "dtw_distance", "frechet_distance", "padded_length_distance", "memorisation", "tstr_macro_f1_people",
    "trtr_macro_f1_people",
)  # fmt: skip


def score_names(suite: Suite) -> tuple[str, ...]:
    return names_of(suite.of(SCORES))


def look_names(suite: Suite) -> tuple[str, ...]:
    return tuple(one.name for one in needing(suite.of(SCORES), Look))


def score_look(suite: Suite, pair: MatchedPair, *, seed: int) -> dict[str, Score]:
    return scores_of(suite.of(SCORES), [Look(pair=pair, seed=seed)])


@pytest.fixture(autouse=True, scope="module")
def few_updates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_MIN_UPDATES", 40)
        patch.setattr(networks, "_NUM_EPOCHS", 1)
        yield


def test_the_promised_scores_are_there_and_nothing_is_named_twice() -> None:
    names = score_names(FULL)
    assert set(REQUIRED) <= set(names)
    assert headline(SCORES) == (
        "acf_distance", "psd_distance", "histogram_distance", "mmd", "frechet_distance", "precision", "recall",
        "density", "coverage", "discriminative_score", "predictive_score", "dtw_distance", "tstr_accuracy",
        "tstr_macro_f1", "tstr_auroc", "tstr_macro_f1_people",
    )  # fmt: skip
    assert len(names) == len(set(names))
    assert set(score_names(QUICK)) < set(names)
    left_out = set(names) - set(score_names(QUICK))
    assert {"dtw_distance", "memorisation", "trts_macro_f1", "tstr_logistic_regression_accuracy"} <= left_out


@pytest.mark.parametrize("channels", [1, 3])
def test_every_score_of_looks_is_there_for_any_number_of_channels(channels: int, pulses: Callable) -> None:
    scores = score_look(FULL, match(pulses(80, 1, channels), pulses(90, 0, channels), seed=0), seed=0)
    assert tuple(scores) == look_names(FULL)
    assert all(name == score.name for name, score in scores.items())
    again = score_look(FULL, match(pulses(80, 1, channels), pulses(90, 0, channels), seed=0), seed=0)
    assert again == scores


def test_real_series_score_best_and_every_spoiling_is_seen_by_several_scores(pulses: Callable, spoil: Callable) -> None:
    real, other = pulses(400, 0), pulses(400, 1)
    best = score_look(QUICK, match(other, real, seed=0), seed=0)
    for how, least in (("noised", 7), ("reversed", 5), ("collapsed", 7), ("shuffled", 7)):
        found = score_look(QUICK, match(spoil(other, how), real, seed=0), seed=0)
        worse = {
            name
            for name, score in found.items()
            if (score.high < best[name].low if score.higher_is_better else score.low > best[name].high)
        }
        assert len(worse) >= least, (how, sorted(worse))
        assert {"mmd", "frechet_distance", "coverage"} <= worse, how


def test_shares_of_the_classes_weigh_in_no_score_of_looks(pulses: Callable) -> None:
    """A tenth of one class: matched, the distance is that of two samples of one law; unmatched, it is not."""
    real, other = pulses(1200, 0), pulses(1200, 1)
    assert other.y is not None
    lopsided = other.chosen(np.flatnonzero((other.y > 0) | (np.arange(1200) % 10 == 0)))
    pairs = [match(one, real, seed=0) for one in (lopsided, SeriesSet(name="unlabelled", x=lopsided.x))]
    matched, unmatched = (acf_distance(pair.synthetic, pair.real, seed=0) for pair in pairs)
    assert matched.high < unmatched.low
    assert unmatched.value > 3 * matched.value


def test_references_have_names_of_their_own(pulses: Callable) -> None:
    real = pulses(90, 0)
    pair = match(pulses(80, 1), real, seed=0)
    beside = match(drawn_like(pair, pulses(300, 2), seed=0), real, seed=0)
    found = as_reference(score_look(QUICK, beside, seed=0), Look.reference)
    assert set(found) == {f"{name}_real" for name in look_names(QUICK)}
    assert found["mmd_real"].num_synthetic == 0


def test_what_cannot_be_scored_is_refused(pulses: Callable) -> None:
    few = pulses(30, 0)
    with pytest.raises(InputError, match="30 series are left when every class"):
        score_look(QUICK, match(few, few, seed=0), seed=0)
    with pytest.raises(InputError, match=r"30 series; .* want 256: give more, or --allow-few-samples"):
        check_number("mine", 30, permit_few_samples=False)
    with pytest.raises(InputError, match=r"want 40: give more$"):
        check_number("mine", 30, permit_few_samples=True)
    same = SyntheticRecords(x=np.tile(few.x[:1], (4, 1, 1)), y=np.arange(4) % 2)
    with pytest.raises(InputError, match="all 4 series are the same"):
        check_labels("mine", "series", same, 3)
    with pytest.raises(InputError, match="all labels are of one class"):
        check_labels("mine", "series", SyntheticRecords(x=few.x, y=np.zeros(30, dtype=int)), 3)
    with pytest.raises(InputError, match=r"is outside 0 \.\. 1"):
        check_labels("mine", "series", SyntheticRecords(x=few.x, y=few.y), 2)


def judged(train: SeriesSet, sets: dict[str, SeriesSet], name: str, seed: int, right: float) -> dict[str, Verdict]:
    """Verdicts that are right for a share of the series, without any learning."""
    found = {}
    for tested, series in sets.items():
        assert series.y is not None
        rng = np.random.default_rng(seed)
        labels = np.where(rng.random(len(series)) < right, series.y, (series.y + 1) % 3)
        found[tested] = Verdict(classifier=name, seed=seed, probabilities=np.eye(3)[labels])
    return found


@pytest.mark.parametrize("new", ["all", "some", "none", "unsaid"])
def test_between_people_scores_are_of_people_nobody_learnt_from(new: str, pulses: Callable) -> None:
    sets = {REAL: pulses(300, 0), TEST: pulses(400, 1), set_name("t", 0): pulses(200, 2)}
    train_people, test_people = np.arange(300) % 10, np.arange(400) % 20 + {"all": 10, "some": 0, "none": 0}.get(new, 0)
    if new == "none":
        test_people = np.arange(400) % 10
    is_new = None if new == "unsaid" else ~np.isin(test_people, train_people)
    if new == "none":
        sets |= halves_by_person((sets[REAL], train_people), (sets[TEST], test_people), seed=0)
    fits = all_fits(FULL, ("t",), (0,), real_sets=tuple(sets))
    verdicts = {
        (fit.train, fit.classifier.name, fit.seed): judged(
            sets[fit.train], {name: sets[name] for name in fit.tests}, fit.classifier.name, fit.seed,
            {REAL: 0.9, set_name("t", 0): 0.6}.get(fit.train, 0.7),
        )
        for fit in fits
    }  # fmt: skip
    answers = SeriesAnswers(
        suite=FULL, target="t", seeds=(0,), sets=sets, verdicts=verdicts, is_new=is_new, num_classes=3
    )
    found = scores_of(SCORES, [answers])
    every = names_of(needing(SCORES, SeriesAnswers))
    people = {name for name in every if name.endswith("_people")}
    assert len(people) == 2 * (3 + 3 * 2)
    expected = {"all": people, "some": people, "unsaid": set()}.get(
        new, {name for name in people if name.startswith("trtr")}
    ) | (set(every) - people)
    assert set(found) == expected
    assert found["tstr_accuracy"].value == pytest.approx(0.6, abs=0.08)
    assert found["trtr_accuracy"].value == pytest.approx(0.9, abs=0.05)
    if new in ("all", "some"):
        assert found["tstr_accuracy_people"].num_real == {"all": 400, "some": 200}[new]
    if new == "all":
        assert found["tstr_accuracy_people"].value == found["tstr_accuracy"].value
    if new == "none":
        assert found["trtr_accuracy_people"].value == pytest.approx(0.7, abs=0.08)
    counts = answers.confusions()
    assert {name: matrix.sum() for name, matrix in counts.items()} == {"tstr": 1200, "trtr": 1200}
    assert np.trace(counts["trtr"]) == pytest.approx(0.9 * 1200, rel=0.05)


def test_nobody_is_both_learnt_from_and_tested_in_the_halves(pulses: Callable) -> None:
    train, test = pulses(200, 0), pulses(100, 1)
    people = (np.arange(200) % 7, np.arange(100) % 7)
    rows = {"train": train.x[:, 0, 20], "test": test.x[:, 0, 20]}
    sets = halves_by_person((train, people[0]), (test, people[1]), seed=0)
    for learnt, tested in HALVES:
        own = set(people[0][np.isin(rows["train"], sets[learnt].x[:, 0, 20])])
        others = set(people[1][np.isin(rows["test"], sets[tested].x[:, 0, 20])])
        assert own
        assert others
        assert not own & others
        assert sets[learnt].name == learnt
    assert halves_by_person((train, np.zeros(200)), (test, np.zeros(100)), seed=0) == {}
    with pytest.raises(InputError, match="people for 200 series"):
        halves_by_person((train, np.zeros(3)), (test, people[1]), seed=0)
