"""Words for an officer: figures of the same curve, rounded to the side that promises less."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from two_sites import two_sites

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.events import GaussianPart, PoissonPart
from gossamer.privacy.statement import PrivacyStatement
from gossamer.privacy.tradeoff import TradeOff
from gossamer.reports.page.mechanism_audit import mechanism_audit
from gossamer.reports.page.officer import classes_in_words, currencies, questions, trust_of, weak_classes
from gossamer.reports.page.owner import OwnerWords, read_owner
from gossamer.runs.files import write_json
from gossamer.runs.folder import RunFolder

STATEMENT = PrivacyStatement(
    mechanism="dp-merf: a noisy sum", adjacency=Adjacency.SLOT, unit=Unit.RECORD, num_slots=1000, epsilon=1.0001,
    delta=1e-4, epsilon_rdp=None, noise_multiplier=10.0, clip_norm=None, parameters=(), accountants=(),
    num_tuning_runs=0, public_inputs=(), covered=(), not_covered=(), truncation_delta=1e-20, is_secure=True,
    mu=0.26801, rho=0.03591, event=(GaussianPart(noise_multiplier=10.0, count=1),),
)  # fmt: skip
SITES = two_sites()
CURVE = TradeOff(points=((1.0001, 1e-4),))


@pytest.mark.parametrize("num_values", [2, 10, 1000])
def test_the_success_of_a_guess_is_bounded_by_the_curve_at_one_over_k(num_values: int) -> None:
    assert CURVE.largest_guess_rate(num_values) == CURVE.largest_catch_rate(1 / num_values) > 1 / num_values


def test_a_bound_on_guesses_holds_for_the_mechanism_that_reaches_it() -> None:
    """Randomised response of k values under epsilon: e^eps / (e^eps + k - 1) right guesses."""
    for num_values, response in ((2, 0.7311), (10, 0.2319), (100, 0.0267)):
        assert TradeOff(points=((1.0, 0.0),)).largest_guess_rate(num_values) >= response


@pytest.mark.parametrize("number", [0, -1, 2.0, True])
def test_a_guess_is_of_a_whole_number_of_values(number: object) -> None:
    with pytest.raises(InputError, match="whole number"):
        CURVE.largest_guess_rate(number)  # type: ignore[arg-type]


def test_the_three_questions_have_their_figures_rounded_up() -> None:
    found = questions(STATEMENT, CURVE)
    assert [one.name for one in found] == ["Singling out", "Linkability", "Inference"]
    assert "at most 2.8 %" in found[0].bounded, "e^1.0001 % and a little delta"
    assert all(one.open_part for one in found)
    assert dict(currencies(STATEMENT))["mu of Gaussian differential privacy"] == "0.269"
    assert dict(currencies(STATEMENT))["rho of zero-concentrated differential privacy"] == "0.036"


def test_sites_are_another_trust_model_than_one_curator() -> None:
    assert trust_of(STATEMENT).model == "Central"
    of_two = dataclasses.replace(STATEMENT, sites=SITES)
    assert trust_of(of_two).model == "Federated"
    assert "2 sites (north, south)" in trust_of(of_two).actors
    assert "One curator" not in trust_of(of_two).actors
    assert weak_classes(of_two, ("a", "b"), (0.974, 0.026)) == ("b",), "noise of both sites is in the sum"
    assert weak_classes(STATEMENT, ("a", "b"), (0.974, 0.026)) == ()


def test_classes_that_noise_outweighs_are_named_by_the_released_counts() -> None:
    shares = (0.95, 0.021, 0.019, 0.01)
    assert weak_classes(STATEMENT, ("a", "b", "c", "d"), shares) == ("c", "d"), "below 2 x 10 of 1000 slots"
    assert "2 of 4 classes (c, d)" in classes_in_words(STATEMENT, ("a", "b", "c", "d"), shares)
    none = classes_in_words(STATEMENT, ("a", "b"), (0.5, 0.5))
    assert "By the released counts no class has fewer than about 20 records" in none


def test_without_released_counts_nothing_is_said_of_rare_classes() -> None:
    assert "no counts of classes" in classes_in_words(STATEMENT, ("a", "b"), ())
    sampled = dataclasses.replace(
        STATEMENT,
        adjacency=Adjacency.ADD_OR_REMOVE_ONE,
        event=(PoissonPart(sample_rate=0.1, noise_multiplier=1.0, count=3),),
    )
    assert weak_classes(sampled, ("a", "b"), (0.999, 0.001)) == ()


# ---- the owner's words -------------------------------------------------------------------------------------------


def filled(folder: Path, text: str) -> Path:
    path = folder / "owner.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_owner_fills_fields_and_leaves_others_open(tmp_path: Path) -> None:
    text = 'curator = """The\n  clinic"""\npublic_scores = ["one", "two"]\nsector = "Healthcare"'
    owner = read_owner(filled(tmp_path, text))
    assert owner == OwnerWords(curator="The clinic", public_scores=("one", "two"), sector="Healthcare")
    assert dict(owner.rows)["Curator"] == ("The clinic",)
    assert dict(owner.rows)["Purpose"] == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("curator = 3", "one text belongs there"),
        ('curater = "x"', "perhaps curator was meant"),
        ('zebra = "x"', "the fields are curator"),
        ('curator = ""', "1 to 600 characters"),
        (f'curator = "{"a" * 601}"', "1 to 600 characters"),
        ('curator = "a\\u202eb"', "can be printed"),
        ('curator = "a\\u0000b"', "can be printed"),
        ('sector = "Zoo"', "must be one of Technology"),
        ('public_scores = "x"', "a list of texts"),
        (f"public_scores = {['x'] * 21}", "more than 20"),
        ("curator = SECRET", "not TOML"),
    ],
)
def test_other_words_of_an_owner_are_refused_without_being_shown(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        read_owner(filled(tmp_path, text))
    assert "SECRET" not in str(refused.value)


# ---- the audit that reads no record ------------------------------------------------------------------------------


def audited(folder: Path, name: str, **figures: object) -> RunFolder:
    run = RunFolder(folder)
    run.audits.mkdir(parents=True, exist_ok=True)
    tree = {"kind": "mechanism: x", "num_games": 100, "lower_bound_epsilon": 0.5, "claimed_epsilon": 1.0, **figures}
    write_json(run.audits / f"{name}.json", tree)
    return run


def test_an_audit_that_passed_is_told_by_counts_alone(tmp_path: Path) -> None:
    audited(tmp_path, "membership", kind="membership", num_games=7, lower_bound_epsilon=9.0)
    run = audited(tmp_path, "mechanism-x", note="SECRET")
    said = mechanism_audit(run, STATEMENT)
    assert "one kind of game, 100 plays" in said
    assert "SECRET" not in said


def test_an_audit_that_failed_ends_the_report(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match="showed more than is claimed"):
        mechanism_audit(audited(tmp_path, "mechanism-x", lower_bound_epsilon=1.5), STATEMENT)
    with pytest.raises(PrivacyError, match="showed more than is claimed"):
        mechanism_audit(audited(tmp_path, "mechanism-x", lower_bound_mu=0.3, claimed_mu=0.2), STATEMENT)


@pytest.mark.parametrize(
    "figures",
    [{"kind": "membership"}, {"num_games": True}, {"num_games": 0}, {"claimed_epsilon": None}, {"claimed_epsilon": 2}],
)
def test_a_file_that_is_no_audit_of_this_mechanism_is_refused(tmp_path: Path, figures: dict[str, object]) -> None:
    with pytest.raises(InputError, match="audit again"):
        mechanism_audit(audited(tmp_path, "mechanism-x", **figures), STATEMENT)


def test_no_audit_is_no_passed_audit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no audit of the mechanism yet"):
        mechanism_audit(RunFolder(tmp_path), STATEMENT)
