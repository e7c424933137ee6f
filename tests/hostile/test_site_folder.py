"""A site's folder in bad luck: files lost or put back, full disks, wrong names. Nothing is spent unseen."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from federated_sites import GAN, MERF, ONE, SEVERAL, ZeroNoise, answer, plan_for, records, with_sum

from gossamer.cli.site_files import show
from gossamer.data.records import RecordData, RecordSet
from gossamer.driving.federated import plan as plans
from gossamer.driving.federated import site_folder
from gossamer.driving.federated.contributing import Answer, contribute
from gossamer.driving.federated.plan import FederatedPlan
from gossamer.driving.federated.rounds import Round
from gossamer.driving.federated.site_folder import JoinedPlan, SiteFolder
from gossamer.errors import GossamerError, InputError, PrivacyError, ResourceError
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.runs.ledger_file import read_ledger

SLOTS = {"berlin": 30, "paris": 50}
HELD = records(30, 1)


def part(home: Path, plan: FederatedPlan) -> Path:
    """The part of berlin's folder that belongs to a plan."""
    return home / "berlin" / "private" / "plans" / plan.study


def second(plan: FederatedPlan, givers: tuple[str, ...] = ("paris",)) -> bytes:
    """The file of the second round."""
    size = plan.whole.releases[0].contribution.size
    return with_sum(Round(plan=plan), torch.full((size,), 5.0), givers).to_bytes()


def asked(home: Path, content: bytes, held: RecordSet = HELD, *, earlier: bytes = b"") -> Answer:
    return contribute(
        home / "berlin",
        content,
        "berlin",
        lambda key: RecordData(train=held),
        cap=1000.0,
        noise=KeyedNoise,
        earlier=earlier,
    )


# ---- files lost or put back ------------------------------------------------------------------------------------------


def without_ledger(place: Path) -> None:
    (place / "ledger.jsonl").unlink()


def without_plan(place: Path) -> None:
    (place / "plan.json").unlink()


def without_study(place: Path) -> None:
    shutil.rmtree(place)


def with_a_round_too_many(place: Path) -> None:
    line = json.loads((place / "ledger.jsonl").read_text())
    (place / "ledger.jsonl").write_text(json.dumps(line | {"first_step": 9}) + "\n")


LOSSES = (without_ledger, without_plan, without_study, with_a_round_too_many)


@pytest.mark.parametrize("lose", LOSSES, ids=lambda one: one.__name__)
def test_a_folder_that_forgot_what_it_spent_answers_nothing(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    plan, other = plan_for(ONE, SLOTS), plan_for(ONE, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    lose(part(tmp_path, plan))
    for content in (plan.to_bytes(), second(plan), other.to_bytes()):
        with pytest.raises(GossamerError, match="begin a new") as refusal:
            answer(tmp_path, content, "berlin", HELD)
        assert refusal.value.exit_code in (2, 3)
    assert not part(tmp_path, other).exists()


def test_checks_of_the_folder_that_are_left_out_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: a plan without its ledger counts as never answered, and the cap lets as much pass again."""
    monkeypatch.setattr(JoinedPlan, "check_charges", lambda self: None)
    monkeypatch.setattr(SiteFolder, "_check_all_there", lambda self: None)
    for lose in (without_ledger, without_study):
        home, plan = tmp_path / lose.__name__, plan_for(ONE, SLOTS)
        answer(home, plan.to_bytes(), "berlin", HELD, cap=6.0)
        lose(part(home, plan))
        spent = answer(home, plan_for(ONE, SLOTS).to_bytes(), "berlin", HELD, cap=None).spent
        assert spent is not None
        assert spent.epsilon < 6


def test_an_older_ledger_put_back_is_found_by_the_answers(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    ledger = part(tmp_path, plan) / "ledger.jsonl"
    before = ledger.read_bytes()
    answer(tmp_path, second(plan), "berlin", HELD)
    ledger.write_bytes(before)
    with pytest.raises(PrivacyError, match="put back from a backup"):
        answer(tmp_path, second(plan), "berlin", HELD)


def put_back(home: Path, plan: FederatedPlan) -> bytes:
    """Answer the first round, and put the folder back in place as it was before. Return the answer."""
    answer(home, plan_for(MERF, SLOTS).to_bytes(), "berlin", HELD)
    shutil.copytree(home / "berlin", home / "backup")
    content = asked(home, plan.to_bytes()).content
    shutil.rmtree(part(home, plan))
    shutil.copytree(home / "backup", home / "berlin", dirs_exist_ok=True)
    return content


def test_a_folder_put_back_in_its_place_is_found_by_its_answer(tmp_path: Path) -> None:
    """Place and content are those of the backup. The answer that is still there tells."""
    plan = plan_for(ONE, SLOTS)
    earlier = put_back(tmp_path, plan)
    with pytest.raises(PrivacyError, match="send the file that is there"):
        asked(tmp_path, plan.to_bytes(), earlier=earlier)
    assert not part(tmp_path, plan).exists()
    # The break: nobody looks at the file, and the same round is answered twice for one charge.
    again = asked(tmp_path, plan.to_bytes())
    assert again.content != earlier
    assert read_ledger(part(tmp_path, plan) / "ledger.jsonl").num_charged_steps == 1


def test_a_file_that_is_no_answer_to_this_round_is_replaced(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    first = asked(tmp_path, plan.to_bytes()).content
    for earlier in (first, b"words", plan.to_bytes()):
        assert asked(tmp_path, second(plan), earlier=earlier).round_number == 1


def test_a_folder_put_back_in_its_place_is_found_by_the_next_round(tmp_path: Path) -> None:
    """The file says that this site answered, and its ledger knows nothing of it."""
    plan = plan_for(ONE, SLOTS)
    put_back(tmp_path, plan)
    with pytest.raises(PrivacyError, match="answered round 1, which this ledger does not charge"):
        asked(tmp_path, second(plan, ("berlin", "paris")))
    assert not part(tmp_path, plan).exists()
    assert asked(tmp_path, second(plan)).round_number == 1


def test_the_lost_key_is_asked_for_before_anything_is_spent(tmp_path: Path) -> None:
    plan = plan_for(ONE, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    (tmp_path / "berlin" / "private" / "units.key").unlink()
    with pytest.raises(InputError, match="missing"):
        answer(tmp_path, second(plan), "berlin", HELD)
    assert read_ledger(part(tmp_path, plan) / "ledger.jsonl").num_charged_steps == 1


# ---- refused attempts leave no trace ---------------------------------------------------------------------------------


def test_a_wrong_name_or_wrong_records_can_be_put_right(tmp_path: Path) -> None:
    """Nothing is pinned, neither plan nor name nor records nor cap, until the site answers."""
    plan = plan_for(ONE, SLOTS)

    def tried(site: str, held: RecordSet, cap: float) -> Answer:
        load = lambda key: RecordData(train=held)  # noqa: E731
        return contribute(tmp_path, plan.to_bytes(), site, load, cap=cap, noise=ZeroNoise)

    with pytest.raises(InputError, match="more records than the 30 slots"):
        tried("berlin", records(40), 9.0)
    with pytest.raises(PrivacyError, match="more than its cap of 1"):
        tried("paris", records(40), 1.0)
    assert list((tmp_path / "private" / "plans").iterdir()) == []
    assert json.loads((tmp_path / "private" / "cap.json").read_text()) == {"epsilon": 9.0}
    assert tried("paris", records(40), 8.0).terms.name == "paris"


def test_records_that_were_never_answered_from_may_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_for(ONE, SLOTS)

    def full(path: Path, content: bytes) -> None:
        raise ResourceError("no space left")

    with monkeypatch.context() as disk:
        disk.setattr(JoinedPlan, "take_room", lambda self, size: full(self.path, b""))
        with pytest.raises(ResourceError):
            answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    answer(tmp_path, plan.to_bytes(), "berlin", records(30, 7))
    with pytest.raises(InputError, match="not the records"):
        answer(tmp_path, second(plan), "berlin", HELD)


def test_a_full_disk_is_found_before_the_charge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only round of dp-merf could not be paid for again."""
    plan = plan_for(MERF, SLOTS)
    size = Round(plan=plan).size_of_answer
    whole = site_folder.write_whole

    def full(path: Path, content: bytes) -> None:
        if len(content) > size and path.parent.name == "contributions":
            raise ResourceError("no space left")
        whole(path, content)

    with monkeypatch.context() as disk:
        disk.setattr(site_folder, "write_whole", full)
        with pytest.raises(ResourceError, match="no space"):
            answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    assert not read_ledger(part(tmp_path, plan) / "ledger.jsonl").entries
    done = answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    assert len(done.content) > size
    assert [one.name[:7] for one in (part(tmp_path, plan) / "contributions").iterdir()] == ["round-1"]


def test_a_crash_between_charge_and_file_is_charged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_for(SEVERAL, SLOTS)

    def killed(self: JoinedPlan, now: Round, content: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(JoinedPlan, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    assert not answer(tmp_path, plan.to_bytes(), "berlin", HELD).is_sent_again
    assert read_ledger(part(tmp_path, plan) / "ledger.jsonl").lost_steps(1) == (0,)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    plan = plan_for(MERF, SLOTS)
    answer(tmp_path, plan.to_bytes(), "berlin", HELD)
    with SiteFolder(tmp_path / "berlin").held(), pytest.raises(ResourceError, match="another process"):
        answer(tmp_path, plan.to_bytes(), "berlin", HELD)


def test_looking_at_another_folder_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    with pytest.raises(InputError, match="no folder of a site"):
        show(tmp_path)
    assert list(tmp_path.rglob("*")) == [tmp_path / "private"]


# ---- plans that ask too much -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "path", "value"),
    [
        (SEVERAL, ("num_rounds",), 10**9),
        (SEVERAL, ("generator", "num_components"), 10**9),
        (MERF, ("num_features",), 10**12),
        (ONE, ("mean_radius",), 1e-323),
        (ONE, ("mean_radius",), 1e300),
        (MERF, ("latent", "dim"), 10**30),
    ],
    ids=lambda one: str(one[-1]) if isinstance(one, tuple) else None,
)
def test_a_plan_that_asks_too_much_is_refused_at_once(
    tmp_path: Path, config: object, path: tuple[str, ...], value: float
) -> None:
    tree = json.loads(plan_for(config, SLOTS).to_bytes())
    place = tree["method"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(InputError, match=r"at most|must lie in|cannot be worked with"):
        answer(tmp_path, json.dumps(tree).encode(), "berlin", HELD)
    assert not list(tmp_path.rglob("plan.json"))


@pytest.mark.parametrize("noise", [1e-160, 1e160])
def test_noise_of_another_site_that_is_no_number_to_count_with_is_refused(noise: float) -> None:
    tree = json.loads(plan_for(MERF, SLOTS).to_bytes())
    tree["sites"][1]["noise_multiplier"] = noise
    with pytest.raises(InputError, match="noise multiplier of the site paris"):
        Round.read(json.dumps(tree).encode(), "round")


def test_the_limit_on_numbers_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_for(MERF, SLOTS)
    monkeypatch.setattr(plans, "MAX_NUMBERS", 41)
    with pytest.raises(InputError, match="a sum of 42 numbers"):
        dataclasses.replace(plan)


def test_deltas_of_several_plans_add_up_to_less_than_one_over_the_slots(tmp_path: Path) -> None:
    """Each plan of networks has a delta that may be claimed, and two of them together have none."""

    def plan() -> FederatedPlan:
        made = plan_for(GAN, {"berlin": 30}, steps_per_round=7)
        sites = tuple(dataclasses.replace(one, delta=0.03) for one in made.sites)
        return dataclasses.replace(made, sites=sites)

    asked(tmp_path, plan().to_bytes())
    with pytest.raises(PrivacyError, match=r"delta 0\.06 is not below 1/30"):
        asked(tmp_path, plan().to_bytes())
    assert len(list(tmp_path.rglob("ledger.jsonl"))) == 1
