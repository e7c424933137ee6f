"""Copies of a run folder and backups put back: refused where they would spend twice, and said where they did."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gossamer.driving import branches
from gossamer.driving import run as taking_up
from gossamer.driving.job import TrainingJob
from gossamer.driving.run import slots_kept
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.privacy import tradeoff
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.events import compose_events, one_of_many_event
from gossamer.privacy.ledger import Ledger, LedgerEntry
from gossamer.reports.page.together import JointPrice, Together
from gossamer.runs.files import write_json
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import read_ledger

FLAGS = ("--num-steps", 25, "--save-at-step", 15)


@pytest.fixture(autouse=True, scope="module")
def few_points() -> Iterator[None]:
    """A curve of a few points: how good it is stands elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tradeoff, "_DELTAS", (1e-4, 0.05, 0.5))
        yield


def claim(release: Path) -> Any:
    return json.loads((release / "privacy.json").read_text())


def ended(run: Path) -> bool:
    return (run / "release" / "generator.safetensors").exists()


# ---- a private side put back --------------------------------------------------------------------------------------


@pytest.fixture
def interrupted(gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path) -> Path:
    """Ten of 25 steps are done, a generator is to be saved after 15; `before` is a copy of what is private."""
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run, *FLAGS).code == 130
    shutil.copytree(run / "private", tmp_path / "before")
    return run


@pytest.fixture
def gone_on(gossamer: Any, interrupted: Path, at_step: Any) -> Path:
    """The same after a crash in step 17: the generator of step 15 is released."""
    at_step.crash(17)
    with pytest.raises(ZeroDivisionError):
        gossamer("resume", interrupted)
    assert (interrupted / "release" / "checkpoints" / "step-000015" / "generator.safetensors").is_file()
    return interrupted


def folder_put_back(run: Path) -> None:
    # Aside, and not away: the number of a folder that is gone is given out again.
    (run / "private").rename(run.parent / "after")
    shutil.copytree(run.parent / "before", run / "private")


def files_put_back(run: Path) -> None:
    """The folder stays, and with it its inode; so does what the copy has not."""
    shutil.copytree(run.parent / "before", run / "private", dirs_exist_ok=True)


def files_put_back_alone(run: Path) -> None:
    for path in [path for path in (run / "private").rglob("*") if path.is_file()]:
        path.unlink()
    files_put_back(run)


def ledger_and_checkpoints_removed(run: Path) -> None:
    (run / "private" / "ledger.jsonl").unlink()
    for path in (run / "private" / "checkpoints").iterdir():
        path.unlink()


def list_removed_too(run: Path) -> None:
    ledger_and_checkpoints_removed(run)
    (run / "private" / "released.jsonl").unlink()


PUT_BACK: list[Callable[[Path], None]] = [
    folder_put_back, files_put_back, files_put_back_alone, ledger_and_checkpoints_removed, list_removed_too
]  # fmt: skip


@pytest.mark.parametrize("change", PUT_BACK)
def test_a_private_side_put_back_after_a_generator_was_saved_is_refused(
    gossamer: Any, gone_on: Path, change: Callable[[Path], None]
) -> None:
    """2.504 and 2.729 were spent where 2.000 was printed, and every check held."""
    change(gone_on)
    verified = gossamer("verify", gone_on)
    assert verified.code == 3, verified.out
    assert verified.err.count("\n") == 1
    before = (gone_on / "private" / "ledger.jsonl").exists() and (gone_on / "private" / "ledger.jsonl").read_bytes()
    for more in ((), ("--only-copy",)):
        said = gossamer("resume", gone_on, *more)
        assert said.code == 3, said.err
        assert said.err.count("\n") == 1
        assert "put back" in said.err
    after = (gone_on / "private" / "ledger.jsonl").exists() and (gone_on / "private" / "ledger.jsonl").read_bytes()
    assert before == after
    assert not ended(gone_on)


@pytest.mark.parametrize("change", PUT_BACK)
def test_a_private_side_put_back_after_a_saved_generator_was_carried_off_is_refused(
    gossamer: Any, gone_on: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """What is told elsewhere by what lies in `release/`: it is meant to be taken from there."""
    (gone_on / "release" / "checkpoints" / "step-000015").rename(tmp_path / "published")
    change(gone_on)
    verified = gossamer("verify", gone_on)
    assert verified.code == 3, verified.out
    for more in ((), ("--only-copy",)):
        said = gossamer("resume", gone_on, *more)
        assert said.code == 3, said.err
        assert "put back" in said.err
    assert not ended(gone_on)


def test_a_saved_generator_that_was_carried_off_keeps_nobody_from_going_on(
    gossamer: Any, gone_on: Path, tmp_path: Path
) -> None:
    (gone_on / "release" / "checkpoints" / "step-000015").rename(tmp_path / "published")
    assert gossamer("resume", gone_on).code == 0
    assert json.loads((gone_on / "released.json").read_text())["num_released"] >= 2


@pytest.mark.parametrize("content", [None, "[]", "{}", '{"num_released": -1}', '{"num_released": "2"}'])
def test_without_the_number_of_what_was_released_nobody_goes_on(
    gossamer: Any, interrupted: Path, content: str | None
) -> None:
    (interrupted / "released.json").unlink()
    if content is not None:
        (interrupted / "released.json").write_text(content)
    said = gossamer("resume", interrupted)
    assert said.code == 2
    assert "released.json: " in said.err
    assert said.err.count("\n") == 1


def test_without_the_list_the_second_branch_would_be_released_at_the_price_of_one(
    gossamer: Any, gone_on: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counter-test: what happened before there were lists and places."""
    files_put_back_alone(gone_on)
    monkeypatch.setattr(taking_up, "refuse_unlisted", lambda folder: None)
    assert gossamer("resume", gone_on).code == 0
    said = gossamer("verify", gone_on)
    assert said.code == 3
    assert "step-000015/generator.safetensors: not in private/released.jsonl" in said.out


def test_a_private_side_put_back_before_anything_was_released_is_a_copy(gossamer: Any, interrupted: Path) -> None:
    folder_put_back(interrupted)
    said = gossamer("resume", interrupted)
    assert said.code == 3
    assert f"gossamer resume {interrupted} --only-copy" in said.err
    verified = gossamer("verify", interrupted)
    assert verified.code == 0
    assert "not checked private/run.json: this folder is a copy" in verified.out


# ---- copies -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(
    gossamer: Any, train_tiny: Any, new_at_step: Any, tmp_path_factory: Any, shared_folders: Any
) -> tuple[Path, Path]:
    """A run that was copied after ten of 25 steps, and both brought to their end. To be looked at, never to change."""
    place = tmp_path_factory.mktemp("two")
    one, other = place / "one", place / "other"
    with pytest.MonkeyPatch.context() as patch:
        new_at_step(patch).interrupt(0)
        assert train_tiny("digits", one, *FLAGS).code == 130
    shutil.copytree(one, other)
    said = gossamer("resume", other)
    assert (said.code, said.err.count("\n")) == (3, 1)
    assert "go on in one copy only" in said.err
    assert not ended(other)
    assert gossamer("resume", one).code == 0
    assert gossamer("resume", other, "--only-copy").code == 0
    return shared_folders.add(one), shared_folders.add(other)


def charged_once(run: Path) -> list[tuple[int, int]]:
    entries = read_ledger(run / "private" / "ledger.jsonl").entries
    return [(entry.first_step, entry.num_steps) for entry in entries]


def test_a_copy_goes_on_when_it_is_said_to_be_the_only_one_and_says_so_ever_after(
    gossamer: Any, two: tuple[Path, Path]
) -> None:
    one, other = two
    assert claim(one / "release")["num_only_copies"] == 0
    assert claim(one / "release")["run_id"] == claim(other / "release")["run_id"]
    for release in (other / "release", other / "release" / "checkpoints" / "step-000015"):
        assert claim(release)["num_only_copies"] == 1
        assert "no other copy goes on" in (release / "PRIVACY.md").read_text()
    lines = [json.loads(line) for line in (other / "private" / "ledger.jsonl").read_text().splitlines()]
    assert [line for line in lines if "only_copy" in line] == [{"only_copy": 1, "process_index": 1}]
    for run in two:
        said = gossamer("verify", run)
        assert said.code == 0, said.out
        assert gossamer("ledger", run).code == 0


def test_a_statement_that_hides_the_copy_is_broken(
    gossamer: Any, two: tuple[Path, Path], copy_run: Any, tmp_path: Path
) -> None:
    run = copy_run(two[1], tmp_path / "run")
    ledger = run / "private" / "ledger.jsonl"
    ledger.write_text(ledger.read_text() + '{"only_copy": 1, "process_index": 9}\n')
    said = gossamer("verify", run)
    assert said.code == 3
    assert "num_only_copies is 1, and private/ledger.jsonl declares an only copy 2 times" in said.out


def test_a_statement_of_another_run_is_broken(
    gossamer: Any, two: tuple[Path, Path], copy_run: Any, tmp_path: Path
) -> None:
    run = copy_run(two[0], tmp_path / "run")
    path = run / "private" / "run.json"
    write_json(path, json.loads(path.read_text()) | {"run_id": "0" * 32})
    said = gossamer("verify", run)
    assert said.code == 3
    assert "its run_id is not that of this run" in said.out


def test_the_copy_of_a_run_that_has_ended_is_verified_sampled_and_reported_on(
    gossamer: Any, two: tuple[Path, Path], tmp_path: Path
) -> None:
    run = shutil.copytree(two[0], tmp_path / "run")
    said = gossamer("verify", run)
    assert said.code == 0, said.out
    assert "not checked private/run.json: this folder is a copy of the run's" in said.out
    assert gossamer("sample", run, "--num-samples", 3, "--out", tmp_path / "x.npz").code == 0
    assert gossamer("report", run).code == 0
    assert "has ended" in gossamer("resume", run).err
    assert gossamer("resume", run).code == 0


def test_a_run_whose_folder_was_renamed_goes_on_without_a_word(
    gossamer: Any, interrupted: Path, tmp_path: Path
) -> None:
    renamed = interrupted.rename(tmp_path / "renamed")
    said = gossamer("resume", renamed, "--only-copy")
    assert said.code == 0, said.err
    assert "--only-copy is not needed" in said.err
    assert claim(renamed / "release")["num_only_copies"] == 0


def test_a_crash_between_the_declaration_and_the_move_has_it_declared_again(
    gossamer: Any, interrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(interrupted, tmp_path / "copy")

    def crash(folder: RunFolder) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(taking_up, "moved_here", crash)
        with pytest.raises(ZeroDivisionError):
            gossamer("resume", run, "--only-copy")
    assert gossamer("resume", run).code == 3
    assert gossamer("resume", run, "--only-copy").code == 0
    assert claim(run / "release")["num_only_copies"] == 2


# ---- what branches cost together ----------------------------------------------------------------------------------


def told_epsilon(said: Any) -> float:
    found = re.search(r"epsilon ([0-9.]+) at delta", said.out)
    assert found is not None, said.out
    return float(found[1])


def independent_epsilon(run: Path, *num_steps: int) -> float:
    """Of common part and branches, by an event written down here anew."""
    method = json.loads((run / "config.json").read_text())
    settings = {name: method["method"][name] for name in ("num_critics", "batch_size", "draws_per_step")}
    noise = method["method"]["noise_multiplier"]
    parts = (one_of_many_event(**settings, noise_multiplier=noise, num_steps=number) for number in num_steps)
    return epsilon_by_pld(compose_events(*parts), method["delta"]).epsilon


def test_a_report_on_two_branches_counts_once_what_they_share_and_no_less(
    gossamer: Any, two: tuple[Path, Path], tmp_path: Path
) -> None:
    one, other = two
    assert charged_once(one)[0] == charged_once(other)[0] == (0, 10)
    said = gossamer("report", *two, "--out", tmp_path / "both.html")
    assert said.code == 0, said.err
    assert "Branches of one run: one, other" in said.out
    told, alone = told_epsilon(said), claim(one / "release")["epsilon"]
    joint = independent_epsilon(one, 10, 15, 15)
    assert joint <= told < joint + 0.0011
    assert alone < told < 2 * alone
    page = " ".join((tmp_path / "both.html").read_text().split())
    assert "They are branches of it" in page
    assert f"is bounded by epsilon {told:.3f} at delta" in page
    assert "from how many steps the ledgers of their runs charge" in page
    assert not re.search(r"Made from the release alone", page)


def test_releases_alone_are_added_up_and_the_page_says_what_would_give_less(
    gossamer: Any, two: tuple[Path, Path], tmp_path: Path
) -> None:
    one, other = two
    said = gossamer("report", one / "release", other, "--out", tmp_path / "both.html")
    assert told_epsilon(said) == pytest.approx(2 * claim(one / "release")["epsilon"], abs=1.1e-3)
    page = " ".join((tmp_path / "both.html").read_text().split())
    assert "Their statements name one run id" in page
    assert "counts that once and gives a smaller figure" in page
    # A generator that was saved on the way is of the same run, and no branch.
    said = gossamer("report", one, one / "release" / "checkpoints" / "step-000015", "--out", tmp_path / "both.html")
    assert said.code == 0
    assert "or generators that it saved on its way" in " ".join((tmp_path / "both.html").read_text().split())


def test_branches_of_an_edited_ledger_are_added_up(
    gossamer: Any, two: tuple[Path, Path], copy_run: Any, tmp_path: Path
) -> None:
    """A ledger that was put back says less than was spent; its list of releases tells."""
    run = copy_run(two[1], tmp_path / "other")
    shutil.copy(two[0] / "private" / "ledger.jsonl", run / "private" / "ledger.jsonl")
    said = gossamer("report", two[0], run, "--out", tmp_path / "both.html")
    assert told_epsilon(said) == pytest.approx(2 * claim(two[0] / "release")["epsilon"], abs=1.1e-3)


def test_two_runs_on_the_same_records_are_no_branches(
    gossamer: Any, two: tuple[Path, Path], finished: Path, tmp_path: Path
) -> None:
    said = gossamer("report", two[0], finished, "--out", tmp_path / "both.html")
    assert said.code == 0
    assert "Branches" not in said.out


def test_blocks_without_a_tag_would_be_counted_once_where_two_took_them(two: tuple[Path, Path]) -> None:
    """The counter-test: two copies that were both moved charge blocks that are equal but for their tags."""
    plan, ledger = plan_of(two[0]), read_ledger(two[0] / "private" / "ledger.jsonl")
    twin = Ledger(
        entries=tuple(replace(entry, tag=entry.tag if entry.process_index == 0 else 1234) for entry in ledger.entries)
    )
    steps = branches.steps_of_branches([ledger, twin])
    assert len(steps) == 10 + 2 * 15
    without = [Ledger(entries=tuple(replace(entry, tag=7) for entry in one.entries)) for one in (ledger, twin)]
    assert len(branches.steps_of_branches(without)) == 25
    assert plan.paid_for(0, steps).event == replace(plan, num_steps=40).event
    old = [Ledger(entries=tuple(replace(entry, tag=None) for entry in one.entries)) for one in (ledger, twin)]
    assert len(branches.steps_of_branches(old)) == 50


def plan_of(run: Path) -> Any:
    folder = RunFolder(run)
    return TrainingJob.read(folder).plan(slots_kept(folder))


def test_a_tree_of_three_branches_counts_every_part_once() -> None:
    def block(first: int, tag: int, process: int) -> LedgerEntry:
        return LedgerEntry(first_step=first, num_steps=5, process_index=process, tag=tag)

    root, early, late = block(0, 1, 0), block(5, 2, 1), block(10, 3, 2)
    ledgers = [
        Ledger(entries=(root, early, late)), Ledger(entries=(root, early, block(10, 4, 2))),
        Ledger(entries=(root, block(5, 5, 1))),
    ]  # fmt: skip
    steps = branches.steps_of_branches(ledgers)
    assert [steps.count(step) for step in (0, 5, 10)] == [1, 2, 2]
    for order in itertools.permutations(ledgers):
        assert branches.steps_of_branches(order) == steps


def test_joint_events_of_one_shot_plans_and_of_draws(gossamer: Any, tmp_path: Path) -> None:
    from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
    from gossamer.mechanisms.one_shot.contributions import GroupedVectors
    from gossamer.mechanisms.one_shot.plan import Release
    from gossamer.privacy.adjacency import Unit

    sums = tuple(
        Release(name=name, contribution=GroupedVectors(num_groups=2, dim=3, radius=1.0), share=share)
        for name, share in (("a", 1.0), ("b", 3.0))
    )
    start = OneShotPlan(unit=Unit.RECORD, num_slots=100, releases=sums, noise_multiplier=3.0)
    once = epsilon_by_pld(start.event, 1e-4).epsilon
    assert epsilon_by_pld(start.paid_for(0, (0, 1)).event, 1e-4).epsilon == pytest.approx(once)
    branched = epsilon_by_pld(start.paid_for(0, (0, 1, 1)).event, 1e-4).epsilon
    blocks = (LedgerEntry(first_step=step, num_steps=1, process_index=0) for step in (0, 1))
    spent = [start.spent_by(Ledger(entries=(block,))) for block in blocks]
    assert branched == pytest.approx(epsilon_by_pld(compose_events(spent[0], spent[1], spent[1]), 1e-4).epsilon)
    rest = OneOfManyPlan(
        unit=Unit.RECORD, num_slots=100, num_critics=5, num_steps=8, batch_size=4, draws_per_step=2, clip_norm=1.0,
        noise_multiplier=2.0,
    )  # fmt: skip
    assert rest.paid_for(0, tuple(range(8))).event == rest.event
    together = rest.paid_for(0, (*range(8), *range(3, 8))).event
    alone = replace(rest, num_steps=13).event
    assert epsilon_by_pld(together, 1e-4).epsilon == pytest.approx(epsilon_by_pld(alone, 1e-4).epsilon)


def test_a_joint_price_takes_the_place_of_a_sum_for_all_branches_or_for_none() -> None:
    def run(run_id: str | None, epsilon: float, adjacency: Adjacency = Adjacency.SLOT) -> Any:
        from types import SimpleNamespace

        from gossamer.privacy.adjacency import Unit

        statement = SimpleNamespace(run_id=run_id, epsilon=epsilon, delta=1e-5, unit=Unit.RECORD, adjacency=adjacency)
        return SimpleNamespace(statement=statement, name=f"of {run_id}")

    joint = {"a": JointPrice(epsilon=2.5, delta=1e-5, num_branches=2)}
    both = Together.of([run("a", 2.0), run("a", 2.0), run(None, 1.0), run(None, 1.0)], joint)
    assert both is not None
    assert (both.epsilon, both.delta, both.is_priced_once) == (pytest.approx(4.5), pytest.approx(3e-5), True)
    assert both.branches == (("of a", "of a"),)
    three = Together.of([run("a", 2.0)] * 3, joint)
    assert three is not None
    assert (three.epsilon, three.is_priced_once) == (6.0, False)
    low = Together.of([run("a", 2.0), run("a", 3.0)], joint)
    assert low is not None
    assert low.epsilon == 3.0  # never below one claim
    mixed = [Adjacency.REPLACE_ONE, Adjacency.SLOT, Adjacency.ADD_OR_REMOVE_ONE]
    replaced = Together.of([run(None, 1.0, one) for one in mixed[:2]])
    assert replaced is not None
    assert replaced.adjacency is Adjacency.REPLACE_ONE
    assert Together.of([run(None, 1.0, one) for one in mixed]) is None


# ---- runs of older versions ---------------------------------------------------------------------------------------


@pytest.fixture
def older(finished: Path, tmp_path: Path) -> Path:
    """What a version before ids, keys and the second format of statements would have left."""
    run = shutil.copytree(finished, tmp_path / "older")
    for name in ("run.json", "units.key", "released.jsonl"):
        (run / "private" / name).unlink()
    return run


def test_an_older_run_is_named_as_such_with_the_way_out(gossamer: Any, older: Path) -> None:
    (older / "release" / "generator.safetensors").rename(older / "g")
    said = gossamer("resume", older)
    assert (said.code, said.err.count("\n")) == (2, 1)
    for words in ("begun by an older version", "finish it with the version that began it", "CHANGELOG under Privacy"):
        assert words in said.err
    (older / "g").rename(older / "release" / "generator.safetensors")
    told = gossamer("verify", older)
    assert told.code == 2, told.out
    assert "begun by an older version" in told.out
    assert "broken" not in told.out


def test_an_older_run_that_is_broken_is_broken(gossamer: Any, older: Path) -> None:
    path = older / "release" / "samples" / "samples.npz"
    path.write_bytes(path.read_bytes()[:-1])
    assert gossamer("verify", older).code == 3


def in_first_format(run: Path) -> None:
    """The release as a version wrote it whose statements say less."""
    from gossamer.estimators import load_generator
    from gossamer.runs.config_io import to_json_tree
    from gossamer.runs.release import write_release

    trained = load_generator(run)
    since = ("gossamer_version", "date", "run_id", "num_only_copies", "mu", "rho", "epsilon_replaced")
    tree = {name: value for name, value in trained.statement.to_json().items() if name not in since}
    samples = tuple((run / "release" / "samples").iterdir())
    write_release(
        RunFolder(run), weights=trained.weights, recipe=to_json_tree(trained.recipe),
        statement=tree | {"format_version": 1}, text="what was said then\n", card="a card of then\n", samples=samples,
    )  # fmt: skip


def test_an_older_release_is_still_sampled_and_read_and_says_that_it_is_older(
    gossamer: Any, older: Path, tmp_path: Path
) -> None:
    in_first_format(older)
    assert gossamer("sample", older, "--num-samples", 3, "--out", tmp_path / "x.npz").code == 0
    alone = gossamer("verify", older / "release")
    assert alone.code == 0, alone.out
    assert alone.out.count("an older version released this") == 3
    assert "CHANGELOG under Privacy" in alone.out
    assert alone.out.count("is computed again") == 2
    whole = gossamer("verify", older)
    assert whole.code == 2, whole.out
    assert "begun by an older version" in whole.out
    assert gossamer("report", older, "--out", tmp_path / "r.html").code == 0
    shutil.rmtree(older / "private")
    assert gossamer("verify", older).code == 2


def test_a_lost_identity_does_not_make_a_run_older(gossamer: Any, interrupted: Path) -> None:
    """Else whoever takes it away would come past the check of the place."""
    (interrupted / "private" / "run.json").unlink()
    for verb in ("resume", "verify"):
        said = gossamer(verb, interrupted)
        assert said.code == 2
        assert "without it nobody can tell a copy" in said.err + said.out
