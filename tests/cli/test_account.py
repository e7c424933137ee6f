"""`gossamer account`: every number of the contract's golden table, and honest refusals."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gossamer.cli import account
from gossamer.methods.catalogue import find_method
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.slots import PublicSlots

PAPER = ("account", "gs-wgan", "--batch-size", 32, "--delta", 1e-5)


def found(gossamer: Any, *more: object) -> dict[str, Any]:
    said = gossamer(*PAPER, *more, "--json")
    assert said.code == 0
    assert said.err == ""
    return json.loads(said.out)


@pytest.mark.parametrize(("draws", "rdp", "pld", "fixed_pair"), [(32, 9.243, 5.509, 4.117), (1, 2.97e5, 346.7, 329.4)])
def test_epsilon_is_golden(gossamer: Any, draws: int, rdp: float, pld: float, fixed_pair: float) -> None:
    report = found(
        gossamer,
        *("--num-critics", 1000, "--noise-multiplier", 1.07, "--num-steps", 20_000, "--draws-per-step", draws),
    )
    assert report["epsilon"] == pytest.approx({"rdp": rdp, "pld": pld, "fixed_pair": fixed_pair}, rel=0.01)
    assert report["published_epsilon"] == pytest.approx(9.993, abs=1e-3)
    assert report["published_epsilon_caveat"]
    assert report["unit"] == "record"
    assert report["adjacency"]
    assert report["delta"] == 1e-5
    assert report["draws_per_step"] == draws


@pytest.mark.parametrize(
    ("epsilon", "num_critics", "draws", "golden"),
    [
        (10, 1000, 32, {"rdp": 1.004, "pld": 0.816, "fixed_pair": 0.714}),
        (10, 1000, 1, {"rdp": 2.874, "pld": 2.631, "fixed_pair": 2.558}),
        (1, 1000, 32, {"rdp": 6.518, "pld": 3.392, "fixed_pair": 3.073}),
        (10, 100, 32, {"rdp": 8.627, "pld": 4.398, "fixed_pair": 4.071}),
        (10, 1000, 4, {"pld": 1.551}),
        (10, 1000, 16, {"pld": 0.986}),
    ],
)
def test_calibrated_noise_is_golden(
    gossamer: Any, epsilon: float, num_critics: int, draws: int, golden: dict[str, float]
) -> None:
    report = found(
        gossamer,
        *("--num-critics", num_critics, "--epsilon", epsilon, "--num-steps", 20_000, "--draws-per-step", draws),
    )
    noise = report["noise_multiplier"]
    assert {name: noise[name] for name in golden} == pytest.approx(golden, rel=0.01)
    assert noise["fixed_pair"] < noise["pld"] < noise["rdp"]
    assert report["epsilon_target"] == epsilon


def test_the_noise_of_a_budget_costs_what_was_asked_for(gossamer: Any) -> None:
    settings = ("--num-critics", 500, "--num-steps", 20_000, "--draws-per-step", 8)
    noise = found(gossamer, *settings, "--epsilon", 3)["noise_multiplier"]
    assert noise["fixed_pair"] < noise["pld"] < noise["rdp"]
    assert 2.997 < found(gossamer, *settings, "--noise-multiplier", noise["pld"])["epsilon"]["pld"] <= 3


PUBLISHED = ("--num-critics", 1000, "--num-steps", 20_000)


@pytest.mark.parametrize(("per_draw", "golden"), [(1, 0.450), (2, 0.405), (4, 0.400)])
def test_noise_of_a_sum_stands_beside_that_of_one_of_many(gossamer: Any, per_draw: int, golden: float) -> None:
    """The noise multiplier is for a signal of all critics expected in a draw: over their number it is the table's."""
    report = found(gossamer, *PUBLISHED, "--epsilon", 10, "--critics-per-draw", per_draw)
    noise = report["noise_multiplier"]
    assert noise["pld"] / per_draw == pytest.approx(golden, rel=0.01)
    assert noise["one_of_many"] == pytest.approx(0.8154, rel=0.01)
    assert noise["pld"] < noise["rdp"]
    assert "fixed_pair" not in noise
    assert (report["critics_per_draw"], report["adjacency"]) == (per_draw, "slot")
    assert report["published_epsilon_caveat"]


def test_epsilon_of_a_sum_stands_beside_that_of_one_of_many(gossamer: Any) -> None:
    report = found(gossamer, *PUBLISHED, "--noise-multiplier", 1.07, "--critics-per-draw", 1)
    assert report["epsilon"]["one_of_many"] == pytest.approx(5.509, rel=0.01)
    assert report["epsilon"]["pld"] < 0.65 * report["epsilon"]["one_of_many"]
    assert report["epsilon"]["pld"] < report["epsilon"]["rdp"]
    assert report["published_epsilon"] == pytest.approx(9.993, abs=1e-3)


def test_steps_and_tables_of_steps_are_those_of_a_sum(gossamer: Any) -> None:
    settings = ("--num-critics", 1000, "--critics-per-draw", 2)
    report = found(gossamer, *settings, "--noise-multiplier", 0.81, "--epsilon", 10)
    assert report["num_steps"]["pld"] == pytest.approx(20_000, rel=0.02)
    table = found(gossamer, *settings, "--noise-multiplier", "0.81,1.6", "--epsilon", "3,10")
    assert table["num_steps"]["pld"][0][1] == report["num_steps"]["pld"]


def test_a_sum_is_labelled_in_plain_text(gossamer: Any) -> None:
    said = gossamer(*PAPER, *PUBLISHED, "--noise-multiplier", 1.07, "--critics-per-draw", 4)
    assert said.code == 0
    words = " ".join(said.out.split())
    assert "critics_per_draw 4" in words
    assert "epsilon if one of K answered each draw, by PLD 5.5" in words
    assert "no accountant can go below" not in words
    assert "published formula: epsilon 9.99" in words
    without = gossamer(*PAPER, *PUBLISHED, "--noise-multiplier", 1.07)
    assert "critics_per_draw" not in without.out


def test_steps_that_a_budget_buys(gossamer: Any) -> None:
    report = found(gossamer, "--num-critics", 1000, "--noise-multiplier", 1.07, "--epsilon", 5.51)
    assert report["num_steps"]["pld"] == pytest.approx(20_000, rel=0.02)


def test_a_coin_for_every_sample_is_the_default(gossamer: Any) -> None:
    settings = ("--num-critics", 1000, "--noise-multiplier", 1.07, "--num-steps", 100)
    assert found(gossamer, *settings) == found(gossamer, *settings, "--draws-per-step", 32)


def test_one_coin_a_batch_costs_far_more_than_the_published_figure(gossamer: Any) -> None:
    report = found(
        gossamer, "--num-critics", 1000, "--noise-multiplier", 1.07, "--num-steps", 20_000, "--draws-per-step", 1
    )
    assert report["epsilon"]["fixed_pair"] > 30 * report["published_epsilon"]


def test_plain_text_names_the_claim_and_what_the_published_figure_is_not(gossamer: Any) -> None:
    said = gossamer(*PAPER, "--num-critics", 1000, "--noise-multiplier", 1.07, "--num-steps", 20_000)
    assert said.code == 0
    words = " ".join(said.out.split())
    assert "epsilon by PLD (what a statement claims) 5.5" in words
    assert "epsilon by RDP (looser, independent) 9.24" in words
    assert "no accountant can go below" in words
    assert "published formula: epsilon 9.99" in words
    assert "draws_per_step 32" in words


@pytest.mark.parametrize(
    ("more", "code", "said_of_it"),
    [
        ("", 2, "exactly two"),
        ("--epsilon 3", 2, "exactly two"),
        ("--epsilon 3 --noise-multiplier 1 --num-steps 5", 2, "exactly two"),
        ("--epsilon -1 --num-steps 5", 2, "epsilon"),
        ("--epsilon nan --num-steps 5", 2, "epsilon"),
        ("--epsilon inf --num-steps 5", 2, "epsilon"),
        ("--epsilon 1e300 --num-steps 5", 2, "--epsilon"),
        ("--epsilon abc --num-steps 5", 2, "--epsilon"),
        ("--epsilon --num-steps 5", 2, "--epsilon"),
        ("--epsilon 1,2 --num-steps 5", 2, "several values"),
        ("--noise-multiplier 1 2 --num-steps 5", 2, "several values"),
        ("--epsilon 1,2", 2, "several values"),
        ("--epsilon 1,x --noise-multiplier 1", 2, "'x' is no number"),
        ("--epsilon 1,-2 --noise-multiplier 1", 2, "epsilon"),
        ("--epsilon 1,1e300 --noise-multiplier 1", 2, "--epsilon"),
        ("--epsilon 1,2 --noise-multiplier 1,0", 3, "noise_multiplier"),
        ("--noise-multiplier 0 --num-steps 5", 3, "noise_multiplier"),
        ("--noise-multiplier -1 --num-steps 5", 2, "noise_multiplier"),
        ("--noise-multiplier nan --num-steps 5", 2, "noise_multiplier"),
        ("--noise-multiplier 1e-300 --num-steps 5", 2, "--noise-multiplier"),
        ("--noise-multiplier 1e300 --num-steps 5", 2, "--noise-multiplier"),
        ("--noise-multiplier 1 --num-steps 0", 2, "num_steps"),
        ("--noise-multiplier 1 --num-steps 1.5", 2, "--num-steps"),
        ("--noise-multiplier 1 --num-steps 1000000000000000000", 2, "--num-steps"),
        ("--noise-multiplier 1e6 --num-steps 3 --num-critics 1000000000", 2, "too large or too small"),
        ("--noise-multiplier 1 --num-steps 5 --batch-size 0", 2, "batch_size"),
        ("--noise-multiplier 1 --num-steps 5 --draws-per-step 0", 2, "draws_per_step"),
        ("--noise-multiplier 1 --num-steps 5 --draws-per-step 3", 2, "draws_per_step"),
        ("--noise-multiplier 1 --num-steps 5 --num-critics 0", 2, "num_critics"),
        ("--noise-multiplier 1 --num-steps 5 --num-critics 1000000000000000000000000", 2, "--num-critics"),
        ("--noise-multiplier 1 --num-steps 5 --critics-per-draw 0", 2, "critics_per_draw"),
        ("--noise-multiplier 1 --num-steps 5 --critics-per-draw -3", 2, "critics_per_draw"),
        ("--noise-multiplier 1 --num-steps 5 --critics-per-draw 101", 2, "above the 100 critics"),
        ("--noise-multiplier 1 --num-steps 5 --critics-per-draw 1.5", 2, "--critics-per-draw"),
        ("--noise-multiplier 0 --num-steps 5 --critics-per-draw 2", 3, "noise_multiplier"),
        ("--noise-multiplier 1 --num-steps 5 --delta 0", 3, "delta"),
        ("--noise-multiplier 1 --num-steps 5 --delta 1", 3, "delta"),
        ("--noise-multiplier 1 --num-steps 5 --delta 0.01 --num-slots 100", 3, "delta"),
        ("--noise-multiplier 1 --num-steps 5 --num-slots 0", 2, "num_slots"),
        ("--noise-multiplier 1 --num-steps 5 --surprise", 2, "--surprise"),
    ],
)
def test_bad_numbers_get_one_line(gossamer: Any, more: str, code: int, said_of_it: str) -> None:
    said = gossamer("account", "gs-wgan", "--num-critics", 100, *more.split())
    assert said.code == code
    assert said.out == ""
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
    assert said_of_it in said.err


def test_several_budgets_and_noises_give_the_steps_that_each_pair_allows(gossamer: Any) -> None:
    settings = ("--num-critics", 200, "--draws-per-step", 32)
    report = found(gossamer, *settings, "--epsilon", "0.001,2", 4, "--noise-multiplier", "1.07", "2,")
    assert report["epsilon_target"] == [0.001, 2.0, 4.0]
    assert report["noise_multiplier"] == [1.07, 2.0]
    table = report["num_steps"]["pld"]
    assert [row[0] for row in table] == [0, 0]
    for noise, row in zip(report["noise_multiplier"], table, strict=True):
        for epsilon, steps in zip((2, 4), row[1:], strict=True):
            alone = found(gossamer, *settings, "--epsilon", epsilon, "--noise-multiplier", noise)
            assert alone["num_steps"] == {"pld": steps}
            assert alone.keys() == report.keys()
    first, second = table
    assert 0 < first[1] < first[2] < second[2]
    assert first[1] < second[1]


def test_the_table_of_steps_is_shown_with_a_row_for_each_noise(gossamer: Any) -> None:
    said = gossamer(*PAPER, "--num-critics", 200, "--epsilon", "2,4", "--noise-multiplier", 1.07)
    assert said.code == 0
    rows = [line.split() for line in said.out.splitlines()]
    assert ["noise", "multiplier", "epsilon", "2", "epsilon", "4"] in rows
    (row,) = [row for row in rows if row[:1] == ["1.07"]]
    report = found(gossamer, "--num-critics", 200, "--epsilon", "2,4", "--noise-multiplier", 1.07)
    assert [[int(word) for word in row[1:]]] == report["num_steps"]["pld"]
    assert ["draws_per_step", "32"] in rows
    assert not any(row[:1] == ["epsilon_target"] for row in rows)


@pytest.mark.parametrize("method", ["dp-merf", "dp-mixture"])
def test_an_epsilon_that_no_training_can_state_has_no_price(gossamer: Any, method: str) -> None:
    priced = gossamer("account", method, "--epsilon", 1000)
    trained = gossamer("train", method, "--data", "digits", "--epsilon", 1000, "--dry-run")
    assert (priced.code, trained.code) == (3, 3)
    for said in (priced, trained):
        assert "ask for a smaller epsilon" in said.err
    assert gossamer("account", method, "--epsilon", 40).code == 0


def test_noise_that_depends_on_the_division_of_the_budget_has_a_caveat(gossamer: Any) -> None:
    priced = gossamer("account", "dp-mixture", "--epsilon", 80, "--json")
    assert priced.code == 0
    assert gossamer("train", "dp-mixture", "--data", "digits", "--epsilon", 80, "--dry-run").code == 3
    assert "a training may refuse this noise" in json.loads(priced.out)["range_caveat"]
    assert "range_caveat" not in json.loads(gossamer("account", "dp-mixture", "--epsilon", 30, "--json").out)


def test_noise_that_no_training_can_state_has_a_price_and_a_caveat(gossamer: Any) -> None:
    words = ("account", "dp-cgan", "--num-slots", 60_000, "--num-steps", 10)
    said = gossamer(*words, "--noise-multiplier", 0.0397, "--json")
    assert json.loads(said.out)["epsilon"]["pld"] == pytest.approx(1001.7, rel=1e-3)
    assert "a training refuses this noise" in json.loads(said.out)["range_caveat"]
    assert "range_caveat" not in json.loads(gossamer(*words, "--noise-multiplier", 1, "--json").out)
    assert gossamer(*words, "--epsilon", 1000).code == 3


@pytest.mark.parametrize(
    "words",
    [
        "dp-merf",
        "dp-mixture",
        "gs-wgan --num-critics 1000 --num-steps 20000",
        "dp-cgan --num-slots 60000 --num-steps 1000",
    ],
)
def test_a_budget_that_no_training_spends_is_refused_before_any_search(
    gossamer: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Calibrations to such a budget took 50 seconds, and then the training refused it.
    for name in ("calibrate_noise_multiplier", "calibrate_noise_multiplier_by_rdp"):
        monkeypatch.setattr(account, name, None)
    said = gossamer("account", *words.split(), "--epsilon", 100_000)
    assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
    assert "no training spends epsilon 100000 with these settings" in said.err


def test_the_largest_budget_that_is_named_is_answered(gossamer: Any) -> None:
    refused = gossamer("account", "dp-mixture", "--epsilon", 1000)
    most = float(re.search(r"costs at most ([0-9.]+):", refused.err)[1])
    assert most == pytest.approx(90.3, abs=0.1)
    noise = json.loads(gossamer("account", "dp-mixture", "--epsilon", most - 0.1, "--json").out)["noise_multiplier"]
    assert noise["pld"] == pytest.approx(0.101, abs=0.001)


@pytest.mark.parametrize("method", ["dp-cgan --num-slots 60000", "gs-wgan --num-critics 1000"])
def test_steps_are_not_counted_for_a_budget_without_a_guarantee(gossamer: Any, method: str) -> None:
    said = gossamer("account", *method.split(), "--noise-multiplier", 1, "--epsilon", "1,1001")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--epsilon is 1001: steps are counted for 1000 at most" in said.err


@pytest.mark.parametrize("method", ["dp-mixture", "labelled-mixture"])
def test_the_sizes_that_follow_from_the_noise_are_told(gossamer: Any, method: str) -> None:
    """They are those that a training has, for the records of the published set or as many as are given."""
    asked = ("account", method, "--epsilon", 10, "--recipe", "mnist")
    told = json.loads(gossamer(*asked, "--json").out)["sizes"]
    config = find_method(method).find("mnist").config
    config = find_method(method).calibrate(config, PublicSlots(60_000), PrivacyBudget(epsilon=10.0, delta=1e-5))
    mixture = getattr(config, "mixture", config)
    assert f"at most {mixture.generator.num_components} Gaussians" in told
    assert f"{mixture.num_rounds} rounds, in 40 directions" in told
    assert "sizes: one Gaussian for each class" in gossamer(*asked, "--num-slots", 3000).out
    assert "sizes" not in gossamer(*asked[:4]).out


def test_sizes_that_nothing_decides_are_not_made_up(gossamer: Any) -> None:
    said = gossamer("account", "dp-mixture", "--epsilon", 1, "--recipe", "elsewhere")
    assert (said.code, said.out) == (2, "")
    assert "leaves no size to the noise" in gossamer("account", "dp-merf", "--epsilon", 1, "--recipe", "mnist").out
