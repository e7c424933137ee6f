"""Sites that train together: the release is the central one without noise, and each site spends by its own plan."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import (
    DP_GAN,
    GAN,
    LABELLED,
    MERF,
    ONE,
    SEVERAL,
    ZeroNoise,
    all_rounds,
    answer,
    joined,
    plan_for,
    records,
    with_sum,
)

from gossamer.data.records import RecordData
from gossamer.driving.claims import Known, check_claim
from gossamer.driving.examination import examine
from gossamer.driving.federated.combining import combine, released, write_federated_release
from gossamer.driving.federated.contributing import contribute
from gossamer.driving.federated.plan import FederatedPlan, check_works_between_sites
from gossamer.driving.federated.rounds import Contribution, Round
from gossamer.driving.federated.site_folder import JoinedPlan
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import DeterministicNoise, KeyedNoise
from gossamer.methods.catalogue import METHODS, method_of
from gossamer.methods.dp_merf import DP_MERF
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.findings import Verdict
from gossamer.runs.ledger_file import read_ledger

SLOTS = {"berlin": 30, "paris": 50}
NOISE = {"berlin": 3.0, "paris": 4.0}
"""Together the noise of multiplier 5, exactly."""
HELD = {"berlin": records(30, 1), "paris": records(50, 2)}


def people_of(number: int) -> torch.Tensor:
    return torch.arange(number) // 2


def central(config: Any, held: Any, slots: PublicSlots) -> TrainedGenerator:
    """The training in one place, with the noise of both sites in its settings and none in its sums."""
    method = method_of(config)
    settled = method.sized(dataclasses.replace(config, noise_multiplier=5.0), slots)
    training = method.start(settled, held, ZeroNoise(), RunContext(delta=1e-3, slots=slots))
    for _ in training:
        pass
    return training.trained()


@pytest.mark.parametrize("config", [ONE, SEVERAL, MERF], ids=["one Gaussian", "several", "merf"])
def test_without_noise_two_sites_release_what_one_place_does(tmp_path: Path, config: Any) -> None:
    over = all_rounds(tmp_path, plan_for(config, SLOTS, noise=NOISE), HELD)
    mine, wanted = released(over), central(config, joined(*HELD.values()), PublicSlots(80))
    # Each sum is rounded to float32 at each site, by 2^-24 of it. Nothing else differs.
    for name, weight in wanted.weights.items():
        torch.testing.assert_close(mine.weights[name], weight, rtol=1e-4, atol=2e-5)
    assert mine.recipe.class_shares == pytest.approx(wanted.recipe.class_shares, rel=1e-6)
    assert not mine.statement.is_secure


@pytest.mark.parametrize("config", [ONE, MERF], ids=["mixture", "merf"])
def test_without_noise_the_first_sums_are_equal_bit_for_bit(tmp_path: Path, config: Any) -> None:
    """So few records that each sum, a whole number of grid steps, is a float32 number at every site."""
    plan = plan_for(config, SLOTS, noise=NOISE)
    first = [(name, answer(tmp_path, plan.to_bytes(), name, held).content) for name, held in HELD.items()]
    (mine,) = combine(plan.to_bytes(), first).round.tensors.values()
    alone = plan_for(config, {"all": 80}, noise={"all": 5.0})
    whole = answer(tmp_path, alone.to_bytes(), "all", joined(*HELD.values())).content
    assert torch.equal(mine, Contribution.read(whole, "whole").tensors["sum"])


def test_people_are_protected_at_their_sites(tmp_path: Path) -> None:
    held = {name: records(n, n, people=people_of(n)) for name, n in SLOTS.items()}
    slots = {"berlin": 15, "paris": 25}
    over = all_rounds(tmp_path, plan_for(ONE, slots, unit=Unit.PERSON, noise=NOISE), held)
    wanted = central(ONE, joined(*held.values()), PublicSlots(40, Unit.PERSON))
    mine = released(over)
    for name, weight in wanted.weights.items():
        torch.testing.assert_close(mine.weights[name], weight, rtol=1e-4, atol=1e-5)
    assert mine.statement.unit is Unit.PERSON


def test_the_statement_has_the_claim_of_each_site(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    over = all_rounds(tmp_path, plan, HELD, noise=KeyedNoise)
    statement = write_federated_release(tmp_path / "study", over, pytest.fail).statement
    assert statement.is_secure
    assert [claim.name for claim in statement.sites] == ["berlin", "paris"]
    assert all(claim.epsilon <= 5.0001 <= statement.epsilon + 0.001 for claim in statement.sites)
    assert PrivacyStatement.from_json(json.loads(json.dumps(statement.to_json()))) == statement
    assert "| berlin | 30 |" in statement.to_markdown()
    assert any("at several sites" in sentence for sentence in statement.not_covered)
    findings = list(examine(tmp_path / "study"))
    assert {finding.verdict for finding in findings} == {Verdict.HOLDS, Verdict.UNCHECKED}
    assert any("site paris is computed again" in str(finding) for finding in findings)


def test_a_smaller_claim_for_a_site_is_found(tmp_path: Path) -> None:
    over = all_rounds(tmp_path, plan_for(ONE, SLOTS), HELD, noise=KeyedNoise)
    statement = released(over).statement
    first = dataclasses.replace(statement.sites[0], epsilon=1.0)
    wrong = dataclasses.replace(statement, sites=(first, *statement.sites[1:]))
    assert any("of the site berlin is 1" in str(finding) for finding in check_claim(wrong, Known(), None))


def test_claims_that_were_changed_are_found_beside_the_plan(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    (tmp_path / "plan.json").write_bytes(plan.to_bytes())
    statement = released(all_rounds(tmp_path, plan, HELD, noise=KeyedNoise)).statement
    first, second = statement.sites
    changes = {
        (first, second): "",
        (): "has the site berlin",
        (first,): "has the site paris",
        (first, second, dataclasses.replace(first, name="rome")): "has no site rome",
        (dataclasses.replace(first, num_rounds=9), second): "other rounds for the site berlin",
        (dataclasses.replace(first, num_slots=31), second): "other slots",
        (dataclasses.replace(first, event=first.event[:1]), second): "other noise of the site berlin",
    }
    for sites, words in changes.items():
        changed = dataclasses.replace(statement, sites=sites)
        (tmp_path / "release").mkdir(exist_ok=True)
        (tmp_path / "release" / "privacy.json").write_text(json.dumps(changed.to_json()))
        broken = [str(one) for one in examine(tmp_path) if one.verdict is Verdict.BROKEN and one.where == "plan.json"]
        assert bool(broken) == bool(words), broken
        assert words in " ".join(broken)


def test_a_statement_without_sites_reads_as_before() -> None:
    statement = central(ONE, HELD["paris"], PublicSlots(50)).statement
    assert "sites" not in statement.to_json()
    assert PrivacyStatement.from_json(statement.to_json()) == statement


def test_a_site_drops_out_and_comes_late(tmp_path: Path) -> None:
    """Berlin misses the first round, paris the last: sums stand for all slots, and each pays for all rounds."""
    plan = plan_for(ONE, SLOTS, noise=NOISE)
    last = plan.num_rounds - 1
    over = all_rounds(
        tmp_path, plan, HELD, absent=lambda number, site: (number, site) in ((0, "berlin"), (last, "paris"))
    )
    assert over.givers == (("paris",), ("berlin", "paris"), ("berlin",))
    trained = released(over)
    # The counts of the first round, of paris alone, stand for all 80 slots.
    assert float(over.tensors["sum 1"][:2].sum()) == pytest.approx(80, abs=0.5)
    assert trained.statement.sites[0].answered == (2, 3)
    assert over.context["sums"].multipliers[0] == pytest.approx(4.0 * 80 / 50)
    assert read_ledger(next((tmp_path / "berlin").rglob("ledger.jsonl"))).num_charged_steps == 2


def test_sums_of_different_sites_in_different_rounds_stand_for_as_many_records(tmp_path: Path) -> None:
    """Unscaled, the spread of 80 records over the count of 50 would be too large by more than a half."""
    plan = plan_for(ONE, SLOTS, noise=NOISE)
    held = {"berlin": HELD["berlin"], "paris": HELD["paris"]}
    whole = released(all_rounds(tmp_path / "a", plan, held)).weights["factors"].square().sum()
    late = all_rounds(tmp_path / "b", plan, held, absent=lambda number, site: number == 0 and site == "berlin")
    assert float(released(late).weights["factors"].square().sum() / whole) == pytest.approx(1, abs=0.25)


# ---- what a site spends ----------------------------------------------------------------------------------------------


def test_an_answer_is_sent_again_and_never_computed_again(tmp_path: Path) -> None:
    content = Round(plan=plan_for(ONE, SLOTS)).to_bytes()
    first = answer(tmp_path, content, "berlin", HELD["berlin"], noise=KeyedNoise)

    def drawn() -> KeyedNoise:
        pytest.fail("noise was drawn")

    again = answer(tmp_path, content, "berlin", HELD["berlin"], noise=drawn)
    assert again.content == first.content
    assert again.is_sent_again
    assert not first.is_sent_again
    assert read_ledger(next(tmp_path.rglob("ledger.jsonl"))).num_charged_steps == 1


def states(plan: FederatedPlan, number: int, *, num_rounds: int = 1) -> list[bytes]:
    """Files of one later round that differ."""
    files = []
    for one in range(number):
        now = Round(plan=plan)
        for release in plan.whole.releases[:num_rounds]:
            now = with_sum(now, torch.full((release.contribution.size,), 5.0 + one))
        files.append(now.to_bytes())
    return files


def refused(folder: Path, state: bytes) -> str | None:
    """The words of the refusal of berlin, None if it answers."""
    try:
        answer(folder, state, "berlin", HELD["berlin"])
    except PrivacyError as error:
        return str(error)
    return None


def test_a_round_asked_again_after_another_state_is_charged_with_fresh_noise(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    made: list[KeyedNoise] = []

    def noise() -> KeyedNoise:
        made.append(KeyedNoise())
        return made[-1]

    answers = [answer(tmp_path, state, "berlin", HELD["berlin"], noise=noise) for state in states(plan, 2)]
    assert len(made) == 2
    assert answers[0].content != answers[1].content
    more = states(plan, 6)[2:]
    refusals = [refusal for state in more if (refusal := refused(tmp_path, state)) is not None]
    assert "cannot be paid for any more" in refusals[-1]
    ledger = read_ledger(next(tmp_path.rglob("ledger.jsonl")))
    part = plan.sums_of(plan.site("berlin"))
    assert sum(part.releases[step].share for step in ledger.lost_steps(0)) <= sum(r.share for r in part.releases) + 1e-9


def test_a_coordinator_that_goes_back_is_charged(tmp_path: Path) -> None:
    """Any order of rounds and states costs no more than the plan."""
    plan = plan_for(SEVERAL, SLOTS)
    part = plan.sums_of(plan.site("berlin"))
    first, second = Round(plan=plan).to_bytes(), states(plan, 6)
    outcomes = [refused(tmp_path, state) for state in (second[0], first, *second[1:])]
    assert outcomes[:3] == [None, None, None]
    assert outcomes[-1] is not None
    charged = read_ledger(next(tmp_path.rglob("ledger.jsonl"))).lost_steps(0)
    assert sum(part.releases[step].share for step in charged) <= sum(one.share for one in part.releases) + 1e-9


def dearest_asked_again(folder: Path) -> float:
    """The share of the plan's budget that is spent when the last round, the dearest, is asked again and again."""
    plan = plan_for(ONE, SLOTS)
    part = plan.sums_of(plan.site("berlin"))
    for state in states(plan, 3, num_rounds=2):
        with contextlib.suppress(PrivacyError):
            answer(folder, state, "berlin", HELD["berlin"])
    charged = read_ledger(next(folder.rglob("ledger.jsonl"))).lost_steps(0)
    return sum(part.releases[step].share for step in charged) / sum(one.share for one in part.releases)


def test_the_dearest_round_is_answered_once(tmp_path: Path) -> None:
    assert 0.5 < dearest_asked_again(tmp_path) <= 1


def test_a_step_counter_that_believes_the_coordinator_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: earlier charges are forgotten, because the file says which round it is."""
    monkeypatch.setattr(JoinedPlan, "lost_steps", lambda self, step: ())
    assert dearest_asked_again(tmp_path) > 1


def test_the_plan_is_pinned(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"])
    changed = dataclasses.replace(plan, method=dataclasses.replace(plan.method, mean_radius=0.4))
    with pytest.raises(PrivacyError, match="another plan"):
        answer(tmp_path, changed.to_bytes(), "berlin", HELD["berlin"])
    with pytest.raises(PrivacyError, match="answers as the site berlin"):
        _as(tmp_path / "berlin", plan, "paris")


def _as(folder: Path, plan: FederatedPlan, site: str) -> None:
    contribute(folder, plan.to_bytes(), site, lambda key: RecordData(train=HELD["berlin"]), cap=1000.0, noise=ZeroNoise)


def test_a_false_price_is_refused(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    berlin, paris = plan.sites
    cheap = dataclasses.replace(plan, sites=(dataclasses.replace(berlin, epsilon=1.0), paris))
    with pytest.raises(PrivacyError, match="says epsilon 1 for the site berlin"):
        answer(tmp_path, cheap.to_bytes(), "berlin", HELD["berlin"])
    assert not list(tmp_path.rglob("ledger.jsonl"))


def test_the_cap_holds_over_all_plans(tmp_path: Path) -> None:
    """Two plans at epsilon 5 cost less together than 10, and more than 7."""
    first, second, third = (plan_for(ONE, SLOTS) for _ in range(3))
    held = HELD["berlin"]
    with pytest.raises(InputError, match="--cap is missing"):
        answer(tmp_path, first.to_bytes(), "berlin", held, cap=None)
    with pytest.raises(PrivacyError, match="more than its cap of 4"):
        answer(tmp_path, first.to_bytes(), "berlin", held, cap=4.0)
    one = answer(tmp_path, first.to_bytes(), "berlin", held, cap=7.0)
    with pytest.raises(PrivacyError, match="and the 1 others of this site cost"):
        answer(tmp_path, second.to_bytes(), "berlin", held, cap=None)
    two = answer(tmp_path, second.to_bytes(), "berlin", held, cap=10.0)
    assert one.spent is not None
    assert two.spent is not None
    assert one.spent.epsilon <= 5.0001
    assert 7 < two.spent.epsilon < 10
    with pytest.raises(PrivacyError, match="its cap of 10"):
        answer(tmp_path, third.to_bytes(), "berlin", held, cap=None)


def test_plans_for_different_units_are_not_added_up(tmp_path: Path) -> None:
    held = records(30, 1, people=people_of(30))
    answer(tmp_path, plan_for(ONE, SLOTS).to_bytes(), "berlin", held)
    with pytest.raises(PrivacyError, match="another unit"):
        answer(tmp_path, plan_for(ONE, SLOTS, unit=Unit.PERSON).to_bytes(), "berlin", held)


def test_a_copy_of_a_site_is_refused(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"])
    shutil.move(tmp_path / "berlin", tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "berlin")
    with pytest.raises(PrivacyError, match="a copy of the folder"):
        answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"])


def test_other_records_are_refused(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"])
    with pytest.raises(InputError, match="not the records"):
        answer(tmp_path, states(plan, 1)[0], "berlin", records(30, 7))
    with pytest.raises(InputError, match="more records than the 30 slots"):
        answer(tmp_path / "other", plan.to_bytes(), "berlin", records(31, 7))


def test_a_site_that_lost_its_plans_or_its_identity_is_refused(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"])
    private = tmp_path / "berlin" / "private"
    for name in ("run.json", "plans"):
        (private / name).rename(private / "away")
        with pytest.raises(InputError, match="missing"):
            answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"])
        (private / "away").rename(private / name)
    assert answer(tmp_path, plan.to_bytes(), "berlin", HELD["berlin"]).is_sent_again


def test_every_method_that_works_between_sites_is_tested_here() -> None:
    assert {method.name for method in METHODS if method.works_between_sites} == {
        method_of(config).name for config in (ONE, SEVERAL, MERF, GAN, DP_GAN, LABELLED)
    }


def test_a_method_that_sends_neither_sums_nor_networks_is_refused() -> None:
    alone = dataclasses.replace(DP_MERF, works_between_sites=False)
    with pytest.raises(InputError, match="dp-merf does not work between sites yet; the methods that do are gs-wgan"):
        check_works_between_sites(alone)


# ---- what a coordinator refuses --------------------------------------------------------------------------------------


def hostile(plan: FederatedPlan, content: bytes) -> dict[str, bytes]:
    one = Contribution.read(content, "good")
    size = len(one.tensors["sum"])
    changed = {
        "another plan": {"plan_digest": "0" * 64},
        "another study": {"study": "0" * 32},
        "an old round": {"round_number": 5},
        "another state": {"round_digest": "0" * 64},
        "no site": {"site": "rome"},
        "not finite": {"tensors": {"sum": torch.full((size,), float("nan"))}},
        "too short": {"tensors": {"sum": torch.zeros(size - 1)}},
        "too large": {"tensors": {"sum": torch.full((size,), 1e6)}},
        "other numbers": {"tensors": {"sum": torch.zeros(size, dtype=torch.float64)}},
        "a matrix": {"tensors": {"sum": torch.zeros(1, size)}},
    }
    files = {name: dataclasses.replace(one, **fields).to_bytes() for name, fields in changed.items()}
    return files | {"nothing": b"", "text": b"hello, this is text", "cut": content[:-8], "a plan": plan.to_bytes()}


def test_hostile_contributions_are_refused_by_name(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    content = plan.to_bytes()
    good = [(name, answer(tmp_path, content, name, held, noise=KeyedNoise).content) for name, held in HELD.items()]
    for name, wrong in hostile(plan, good[1][1]).items():
        with pytest.raises(InputError, match=r"^wrong\.safetensors: ") as refusal:
            combine(content, [good[0], ("wrong.safetensors", wrong)])
        assert refusal.value.exit_code == 2, name
    with pytest.raises(InputError, match=r"^twice\.safetensors: a second contribution of the site berlin"):
        combine(content, [good[0], ("twice.safetensors", good[0][1])])
    with pytest.raises(InputError, match="no contribution"):
        combine(content, [])
    assert combine(content, good).absent == ()
    assert combine(content, good[:1]).absent == ("paris",)


def test_a_true_contribution_is_never_too_large(tmp_path: Path) -> None:
    """The bound on sums is that of all slots with the largest rows, and of noise that may be had."""
    plan = plan_for(ONE, {"berlin": 30})
    bright = dataclasses.replace(HELD["berlin"], x=torch.ones(30, 1, 4, 4))
    for seed in range(5):
        folder = tmp_path / str(seed)
        now = answer(folder, plan.to_bytes(), "berlin", bright, noise=lambda: DeterministicNoise(seed))  # noqa: B023
        assert combine(plan.to_bytes(), [("one", now.content)]).round.number == 1


def test_the_end_is_the_end(tmp_path: Path) -> None:
    over = all_rounds(tmp_path, plan_for(MERF, SLOTS), HELD)
    with pytest.raises(InputError, match="rounds are over"):
        answer(tmp_path, over.to_bytes(), "berlin", HELD["berlin"])
    with pytest.raises(InputError, match="rounds are over"):
        combine(over.to_bytes(), [])
    with pytest.raises(InputError, match="still to come"):
        released(Round(plan=over.plan))
