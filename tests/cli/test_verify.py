"""`gossamer verify`: a run that is what it says holds, and every planted break is told by its name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.data.catalogue import find_named
from gossamer.driving.handing_over import card_facts
from gossamer.estimators import load_generator
from gossamer.mechanisms import critics_plan
from gossamer.mechanisms import plan as priced_plan
from gossamer.privacy import priceable
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs import verification
from gossamer.runs.cards import model_card
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.drawn import write_sample_cards
from gossamer.runs.folder import RunFolder
from gossamer.runs.manifest import MANIFEST, file_digest, manifest_tree, read_manifest
from gossamer.runs.release import write_generator, write_release


@pytest.fixture(autouse=True, scope="module")
def prices_computed_once() -> Iterator[None]:
    """The same mechanism costs the same in every test of this file; computing that takes most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (priceable, "proved_epsilon"),
            (priceable, "epsilon_by_rdp"),
            (priced_plan, "epsilon_by_pld"),
            (priced_plan, "epsilon_by_rdp"),
            (critics_plan, "published_gs_wgan_epsilon"),
        ):
            patch.setattr(module, name, remembering(getattr(module, name)))
        yield


def remembering(compute: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[str, Any] = {}

    def remembered(*arguments: Any, **named: Any) -> Any:
        key = repr((arguments, named))
        if key not in known:
            known[key] = compute(*arguments, **named)
        return known[key]

    return remembered


@pytest.fixture
def copied(finished: Path, tmp_path: Path, copy_run: Any) -> Path:
    """A finished run that may be changed."""
    return copy_run(finished, tmp_path / "run")


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text())), indent=2) + "\n")


def edit_lines(path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in change(lines)))


def released_again(run: Path, **changes: Any) -> None:
    """The release with another statement, everything else made to fit it as a careful forger would."""
    trained = load_generator(run)
    statement = dataclasses.replace(trained.statement, **changes)
    facts = card_facts(dataclasses.replace(trained, statement=statement), find_named("digits"))
    write_sample_cards(run / "release" / "samples", facts)
    samples = tuple((run / "release" / "samples").iterdir())
    write_release(
        RunFolder(run), weights=trained.weights, recipe=to_json_tree(trained.recipe), statement=statement.to_json(),
        text=statement.to_markdown(), card=model_card(facts), samples=samples,
    )  # fmt: skip


# ---- what holds --------------------------------------------------------------------------------------------------


def test_a_finished_run_is_what_it_says(gossamer: Any, finished: Path) -> None:
    said = gossamer("verify", finished)
    assert (said.code, said.err) == (0, "")
    for words in (
        "release/manifest.json: 8 files have the SHA-256",
        "release/manifest.json: is the one that this run wrote",
        "release/generator.safetensors: whole, and carries the statement of privacy.json",
        "release/PRIVACY.md: says what privacy.json says",
        "release/README.md: says what privacy.json says",
        "release/samples/README.md: says what privacy.json says",
        "release/samples/croissant.json: says what privacy.json says",
        "release/privacy.json: states the mechanism and the numbers of config.json",
        "config.json: the settings that the run began with",
        "private/checkpoints/step-00000012.pt: whole, 12 steps done",
        "private/ledger.jsonl: 2 blocks without a gap charge 12 steps, 12 are done",
        "charges the whole plan",
        "release/privacy.json: of this run, ",
        "private/run.json: run ",
        "release/generator.safetensors: listed in private/released.jsonl before it was released",
        "private/ledger.jsonl: begins as it did when generator.safetensors was released",
        "no audit was made",
    ):
        assert words in said.out
    assert said.out.count("is computed again") == 2
    assert "broken" not in said.out


def test_the_generators_saved_on_the_way_are_looked_at_too(gossamer: Any, saved_on_the_way: Path) -> None:
    said = gossamer("verify", saved_on_the_way, "--json")
    assert said.code == 0
    told = json.loads(said.out)
    assert told["verdict"] == "holds"
    for step in (3, 7):
        of_step = [one for one in told["findings"] if f"step-{step:06d}/" in one["where"]]
        assert len(of_step) == 11
        assert {one["verdict"] for one in of_step} == {"holds"}
    one = saved_on_the_way / "release" / "checkpoints" / "step-000003"
    assert gossamer("verify", one).code == 0


def test_a_release_alone_is_checked_as_far_as_it_goes_and_says_how_far(
    gossamer: Any, finished: Path, tmp_path: Path
) -> None:
    release = shutil.copytree(finished / "release", tmp_path / "theirs")
    said = gossamer("verify", release)
    assert said.code == 0
    assert "not checked" in said.out
    assert "without config.json and private/ nobody can tell" in said.out
    assert said.out.count("is computed again") == 2
    edit(release / "privacy.json", lambda tree: tree | {"epsilon": 1.0})
    assert "epsilon is 1; computed again it is 9.18" in gossamer("verify", release).out


def test_a_license_may_be_filled_in_by_whoever_publishes_the_release(gossamer: Any, copied: Path) -> None:
    for card in (copied / "release" / "README.md", copied / "release" / "samples" / "README.md"):
        card.write_text(card.read_text().replace("license: other", "license: cc-by-4.0", 1))
    for target in (copied, copied / "release"):
        said = gossamer("verify", target)
        assert said.code == 0
        assert said.out.count("has filled in a license; the rest is as it was released") == 2


def test_a_release_of_before_there_were_cards_is_no_broken_one(gossamer: Any, copied: Path) -> None:
    release = copied / "release"
    cards = ("README.md", "samples/README.md", "samples/croissant.json")
    digests = {name: digest for name, digest in read_manifest(release).items() if name not in cards}
    for name in cards:
        (release / name).unlink()
    (release / MANIFEST).write_text(json.dumps(manifest_tree(digests), indent=2) + "\n")
    said = gossamer("verify", release)
    assert said.code == 0
    assert "README.md: no card" in said.out


def test_a_card_in_the_words_of_another_version_is_no_broken_one(
    gossamer: Any, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, card = copied / "release", copied / "release" / "README.md"
    card.write_text(card.read_text().replace("synthetic records", "synthetic images and time series"))
    (release / MANIFEST).write_text(
        json.dumps(manifest_tree({**read_manifest(release), "README.md": file_digest(card)}), indent=2) + "\n"
    )
    said = gossamer("verify", release)
    assert said.code != 0
    assert "README.md: does not say what privacy.json says, word for word" in said.out
    monkeypatch.setattr(verification, "own_version", lambda: "9.9")
    said = gossamer("verify", release)
    assert said.code == 0
    assert "whose cards may have had other words" in said.out


def test_a_run_whose_private_side_was_deleted_still_holds(gossamer: Any, copied: Path) -> None:
    shutil.rmtree(copied / "private")
    said = gossamer("verify", copied)
    assert said.code == 0
    assert "private: not here: ledger, checkpoints and audits cannot be checked" in said.out
    assert "states the mechanism and the numbers of config.json" in said.out


def test_an_interrupted_run_holds_as_far_as_it_has_come(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run).code == 130
    said = gossamer("verify", run)
    assert said.code == 0
    assert "the run has not ended" in said.out
    assert "private/ledger.jsonl: 10 steps are charged, at most the 12 planned" in said.out
    assert "what is charged costs epsilon" in said.out
    edit_lines(run / "private" / "ledger.jsonl", lambda lines: [lines[0] | {"num_steps": 1000}])
    said = gossamer("verify", run)
    assert said.code == 3
    assert "the budget is exceeded" in said.out


# ---- planted breaks ----------------------------------------------------------------------------------------------


def ledger_line_changed(run: Path) -> None:
    edit_lines(run / "private" / "ledger.jsonl", lambda lines: [lines[0] | {"num_steps": 9}, *lines[1:]])


def ledger_process_changed(run: Path) -> None:
    edit_lines(run / "private" / "ledger.jsonl", lambda lines: [lines[0], lines[1] | {"process_index": 1}])


def first_block_missing(run: Path) -> None:
    edit_lines(run / "private" / "ledger.jsonl", lambda lines: lines[1:])


def last_block_missing(run: Path) -> None:
    edit_lines(run / "private" / "ledger.jsonl", lambda lines: lines[:-1])


def surplus_block(run: Path) -> None:
    more = {"first_step": 12, "num_steps": 5, "process_index": 0}
    edit_lines(run / "private" / "ledger.jsonl", lambda lines: [*lines, more])


def ledger_removed(run: Path) -> None:
    (run / "private" / "ledger.jsonl").unlink()


def stated_epsilon_lowered(run: Path) -> None:
    edit(run / "release" / "privacy.json", lambda tree: tree | {"epsilon": 1.0})


def stated_epsilon_lowered_everywhere(run: Path) -> None:
    released_again(run, epsilon=1.0)


def stated_rdp_lowered_everywhere(run: Path) -> None:
    released_again(run, epsilon_rdp=9.5)


def stated_noise_raised_everywhere(run: Path) -> None:
    released_again(run, noise_multiplier=2.4)


def more_covered_than_is(run: Path) -> None:
    released_again(run, covered=("everything in private/",))


def slots_raised(run: Path) -> None:
    released_again(run, num_slots=50_000)


def text_softened(run: Path) -> None:
    path = run / "release" / "PRIVACY.md"
    path.write_text(path.read_text().replace("9.185", "0.185"))


def card_softened(run: Path) -> None:
    path = run / "release" / "README.md"
    path.write_text(path.read_text().replace("9.185", "0.185"))


def card_and_manifest_softened(run: Path) -> None:
    card_softened(run)
    manifest_made_to_fit(run)


def card_of_samples_and_manifest_changed(run: Path) -> None:
    path = run / "release" / "samples" / "README.md"
    path.write_text(path.read_text().replace("1,000 synthetic", "1,000 anonymous"))
    manifest_made_to_fit(run)


def croissant_and_manifest_changed(run: Path) -> None:
    edit(run / "release" / "samples" / "croissant.json", lambda tree: tree | {"rai:dataLimitations": "None."})
    manifest_made_to_fit(run)


def card_of_another_data_set(run: Path) -> None:
    trained = load_generator(run)
    (run / "release" / "README.md").write_text(model_card(card_facts(trained, find_named("mnist"))))
    manifest_made_to_fit(run)


def manifest_made_to_fit(run: Path) -> None:
    release = run / "release"
    digests = {name: file_digest(release / name) for name in read_manifest(release)}
    (release / MANIFEST).write_text(json.dumps(manifest_tree(digests), indent=2) + "\n")


def generator_swapped(run: Path) -> None:
    trained = load_generator(run)
    weights = {name: torch.zeros_like(weight) for name, weight in trained.weights.items()}
    write_generator(
        run / "release" / "generator.safetensors", weights=weights, recipe=to_json_tree(trained.recipe),
        statement=trained.statement.to_json(),
    )  # fmt: skip


def generator_and_manifest_swapped(run: Path) -> None:
    generator_swapped(run)
    manifest_made_to_fit(run)


def generator_of_another_statement(run: Path) -> None:
    trained = load_generator(run)
    statement = dataclasses.replace(trained.statement, num_tuning_runs=7)
    write_generator(
        run / "release" / "generator.safetensors", weights=trained.weights, recipe=to_json_tree(trained.recipe),
        statement=statement.to_json(),
    )  # fmt: skip


def a_file_slipped_in(run: Path) -> None:
    (run / "release" / "samples" / "metrics.csv").write_text("loss\n0.3\n")


def a_link_slipped_in(run: Path) -> None:
    (run / "release" / "more").symlink_to(run / "private")


def samples_missing(run: Path) -> None:
    (run / "release" / "samples" / "samples.npz").unlink()


def samples_a_link(run: Path) -> None:
    path = run / "release" / "samples" / "samples.npz"
    path.rename(run / "private" / "samples.npz")
    path.symlink_to(run / "private" / "samples.npz")


def noise_in_config_changed(run: Path) -> None:
    edit(run / "config.json", lambda tree: tree | {"method": tree["method"] | {"noise_multiplier": 5.0}})


def steps_in_config_changed(run: Path) -> None:
    edit(run / "config.json", lambda tree: tree | {"method": tree["method"] | {"num_steps": 4}})


def tuning_runs_in_config_changed(run: Path) -> None:
    edit(run / "config.json", lambda tree: tree | {"num_tuning_runs": 3})


def seed_in_config_changed(run: Path) -> None:
    edit(run / "config.json", lambda tree: tree | {"method": tree["method"] | {"seed": 3}})


def insecure(run: Path) -> None:
    released_again(run, is_secure=False)


def checkpoint_of_other_records(run: Path) -> None:
    other = hashlib.sha256(b"other records").hexdigest()
    for path in (run / "private" / "checkpoints").glob("*.json"):
        edit(path, lambda tree: tree | {"origin": tree["origin"] | {"data_sha256": other}})


def checkpoint_of_other_settings(run: Path) -> None:
    other = hashlib.sha256(b"other settings").hexdigest()
    for path in (run / "private" / "checkpoints").glob("*.json"):
        edit(path, lambda tree: tree | {"origin": tree["origin"] | {"settings_sha256": other}})


def another_key(run: Path) -> None:
    (run / "private" / "units.key").write_text("5a" * 32)


def audit_above_the_claim(run: Path) -> None:
    write_audit(run, {"lower_bound_epsilon": 9.3, "claimed_epsilon": 9.2, "confidence": 0.95})


def audit_above_the_claim_in_mu(run: Path) -> None:
    bounds = {"lower_bound_epsilon": 0.0, "claimed_epsilon": 9.2, "lower_bound_mu": 1.5, "claimed_mu": 1.0}
    write_audit(run, bounds | {"confidence": 0.95})


def write_audit(run: Path, tree: Any) -> None:
    (run / "private" / "audit").mkdir(exist_ok=True)
    (run / "private" / "audit" / "mechanism.json").write_text(json.dumps(tree))


def digest_of_records_missing(run: Path) -> None:
    (run / "private" / "data.sha256").unlink()


BREAKS: list[tuple[Callable[[Path], None], str]] = [
    (ledger_line_changed, "private/ledger.jsonl: fewer steps are charged than the 12 when the checkpoint was written"),
    (ledger_line_changed, "private/ledger.jsonl: a block is missing, no block charges step 9"),
    (ledger_process_changed, "private/ledger.jsonl: the blocks charged before"),
    (first_block_missing, "private/ledger.jsonl: a block is missing, no block charges step 0"),
    (last_block_missing, "private/ledger.jsonl: a block is missing, no block charges step 10"),
    (surplus_block, "private/ledger.jsonl: 17 steps are charged and 12 planned: the budget is exceeded"),
    (ledger_removed, "private/ledger.jsonl: nothing is charged, though a generator is released"),
    (stated_epsilon_lowered, "release/privacy.json: epsilon is 1; computed again it is 9.18"),
    (stated_epsilon_lowered_everywhere, "release/privacy.json: epsilon is 1; computed again it is 9.18"),
    (stated_rdp_lowered_everywhere, "release/privacy.json: epsilon_rdp is 9.5; computed again it is 13.4"),
    (stated_noise_raised_everywhere, "release/privacy.json: the numbers that it prints are not those of the event"),
    (more_covered_than_is, "release/privacy.json: covered is not what config.json makes it"),
    (slots_raised, "release/privacy.json: num_slots is not what config.json makes it"),
    (text_softened, "release/PRIVACY.md: does not say what privacy.json says"),
    (card_softened, "release/README.md: not the file that was released"),
    (card_and_manifest_softened, "release/README.md: does not say what privacy.json says"),
    (card_of_samples_and_manifest_changed, "release/samples/README.md: does not say what privacy.json says"),
    (croissant_and_manifest_changed, "release/samples/croissant.json: does not say what privacy.json says"),
    (card_of_another_data_set, "release/README.md: does not say what privacy.json says"),
    (generator_swapped, "release/generator.safetensors: not the file that was released"),
    (generator_and_manifest_swapped, "release/manifest.json: not the one that this run wrote"),
    (generator_of_another_statement, "release/generator.safetensors: carries another statement than privacy.json"),
    (a_file_slipped_in, "release/samples/metrics.csv: not of this release"),
    (a_link_slipped_in, "release/more: not of this release"),
    (samples_missing, "release/samples/samples.npz: missing, though manifest.json names it"),
    (noise_in_config_changed, "config.json: the settings are 48 draws of one of 30"),
    (noise_in_config_changed, "config.json: not the settings that the run began with"),
    (steps_in_config_changed, "config.json: the settings are 16 draws of one of 30"),
    (tuning_runs_in_config_changed, "release/privacy.json: num_tuning_runs is not what config.json makes it"),
    (seed_in_config_changed, "config.json: not the settings that the run began with"),
    (insecure, "release/privacy.json: stamped insecure"),
    (checkpoint_of_other_records, "step-00000012.pt: of a run on other records"),
    (checkpoint_of_other_settings, "step-00000012.pt: of a run with other settings than config.json"),
    (another_key, "step-00000012.pt: of a run with another key than private/units.key"),
    (audit_above_the_claim, "private/audit/mechanism.json: epsilon is above 9.3 with confidence 0.95"),
    (audit_above_the_claim_in_mu, "private/audit/mechanism.json: mu is above 1.5"),
    (digest_of_records_missing, "private/settings.sha256: missing, or data.sha256 beside it"),
]


@pytest.mark.parametrize(("break_it", "words"), BREAKS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_break_is_told_by_name(
    gossamer: Any, copied: Path, break_it: Callable[[Path], None], words: str
) -> None:
    break_it(copied)
    said = gossamer("verify", copied)
    assert said.code == 3
    told = [line for line in said.out.splitlines() if line.startswith("broken")]
    assert any(words.format(run=copied) in line for line in told), said.out
    assert said.err.count("\n") == 1
    assert "do not rely on it" in said.err


def test_a_run_of_another_version_whose_settings_have_gained_a_field_is_not_called_broken(
    gossamer: Any, copied: Path
) -> None:
    settings_of_another_version(copied)
    assert gossamer("verify", copied).code == 3
    edit(copied / "environment.json", lambda tree: tree | {"gossamer": "0.0.1"})
    said = gossamer("verify", copied)
    assert said.code == 0, said.err
    assert "not checked config.json: private/settings.sha256 is of gossamer 0.0.1" in said.out


def test_a_key_that_is_gone_cannot_be_checked_and_breaks_no_claim(gossamer: Any, copied: Path) -> None:
    (copied / "private" / "units.key").unlink()
    said = gossamer("verify", copied)
    assert said.code == 0, said.err
    assert "not checked private/units.key: missing" in said.out
    (copied / "private" / "units.key").write_text("no key")
    said = gossamer("verify", copied)
    assert said.code == 2
    assert "private/units.key: damaged" in said.out


def settings_of_another_version(run: Path) -> None:
    checkpoint_of_other_settings(run)
    (run / "private" / "settings.sha256").write_text(hashlib.sha256(b"fewer fields").hexdigest())


def bit_of_a_checkpoint_flipped(run: Path) -> None:
    (path,) = (run / "private" / "checkpoints").glob("*.pt")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def manifest_of_a_checkpoint_missing(run: Path) -> None:
    for path in (run / "private" / "checkpoints").glob("*.json"):
        path.unlink()


def release_manifest_missing(run: Path) -> None:
    (run / "release" / MANIFEST).unlink()


def statement_no_json(run: Path) -> None:
    (run / "release" / "privacy.json").write_bytes(b"[" * 100_000)


def statement_a_list(run: Path) -> None:
    (run / "release" / "privacy.json").write_text("[[1], {}]")


def ledger_no_json(run: Path) -> None:
    (run / "private" / "ledger.jsonl").write_bytes(b"charged\n" * 3)


def config_of_another_kind(run: Path) -> None:
    (run / "config.json").write_text("{}")


def generator_cut(run: Path) -> None:
    path = run / "release" / "generator.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    digests = read_manifest(run / "release") | {path.name: file_digest(path)}
    (run / "release" / MANIFEST).write_text(json.dumps(manifest_tree(digests), indent=2) + "\n")
    (run / "private" / "release.sha256").unlink()


def audit_without_numbers(run: Path) -> None:
    (run / "private" / "audit").mkdir()
    (run / "private" / "audit" / "game.json").write_text('{"lower_bound_epsilon": "9", "claimed_epsilon": 3}')


def number_of_slots_gone(run: Path) -> None:
    (run / "private" / "plan.json").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (bit_of_a_checkpoint_flipped, "private/checkpoints/step-00000012.pt: damaged: its SHA-256"),
        (manifest_of_a_checkpoint_missing, "private/checkpoints/step-00000012.pt: no manifest"),
        (release_manifest_missing, "release/manifest.json: no such file"),
        (samples_a_link, "samples.npz: cannot be read"),
        (statement_no_json, "release/privacy.json: not readable as JSON"),
        (statement_a_list, "release/privacy.json: not a privacy statement"),
        (ledger_no_json, "private/ledger.jsonl: line 1 is no ledger entry"),
        (config_of_another_kind, "config.json: expected an object with type TrainingJob"),
        (generator_cut, "release/generator.safetensors: not a generator"),
        (audit_without_numbers, "private/audit/game.json: lower_bound_epsilon is no number"),
        (number_of_slots_gone, "private/plan.json: no such file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_read_is_told_by_name(
    gossamer: Any, copied: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(copied)
    said = gossamer("verify", copied)
    told = [line for line in said.out.splitlines() if line.startswith("unreadable")]
    assert any(words.format(run=copied) in line for line in told), said.out
    assert said.code == 2 or "broken" in said.out
    assert said.err.count("\n") == 1


def test_an_audit_within_the_claim_is_listed(gossamer: Any, copied: Path) -> None:
    write_audit(
        copied, {"lower_bound_epsilon": 3.25, "claimed_epsilon": 9.2, "confidence": 0.95, "lower_bound_mu": None}
    )
    said = gossamer("verify", copied)
    assert said.code == 0
    assert "private/audit/mechanism.json: epsilon at least 3.25, 9.2 claimed" in said.out


def test_what_a_name_would_do_to_a_terminal_is_not_done(gossamer: Any, copied: Path) -> None:
    (copied / "release" / "a\x1b[2Jb\nc").write_text("")
    said = gossamer("verify", copied)
    assert said.code == 3
    assert "\x1b" not in said.out + said.err
    assert "a\\x1b[2Jb c: not of this release" in said.out


@pytest.mark.parametrize(
    ("adjacency", "words"),
    [
        (Adjacency.ADD_OR_REMOVE_ONE, "too large to compute again"),
        (Adjacency.REPLACE_ONE, "too large to compute again"),
    ],
)
def test_a_statement_with_too_little_noise_to_price_takes_no_memory(
    gossamer: Any, copied: Path, adjacency: Adjacency, words: str
) -> None:
    (copied / "config.json").unlink()
    trained = load_generator(copied)
    steps = (("sample_rate", 0.5), ("expected_batch_size", 3.0), ("num_steps", 10**9))
    statement = dataclasses.replace(
        trained.statement, noise_multiplier=1e-3, parameters=steps, event=None, adjacency=adjacency
    )
    assert isinstance(statement, PrivacyStatement)
    (copied / "release" / "privacy.json").write_text(json.dumps(statement.to_json()))
    said = gossamer("verify", copied)
    assert words in said.out


def test_settings_put_into_a_release_do_not_make_it_a_run_that_has_not_ended(
    gossamer: Any, copied: Path, finished: Path
) -> None:
    shutil.copy(finished / "config.json", copied / "release" / "config.json")
    said = gossamer("verify", copied / "release")
    assert said.code == 3
    assert "config.json: not of this release" in said.out


def test_a_folder_with_settings_and_nothing_else_is_no_success(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "config.json", tmp_path / "config.json")
    said = gossamer("verify", tmp_path)
    assert said.code == 2
    assert "nothing that could be checked is here" in said.err


@pytest.mark.parametrize("kind", ["nothing", "empty folder", "file"])
def test_what_is_no_run_gets_one_line(gossamer: Any, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("mine")
    said = gossamer("verify", path)
    assert said.code == 2
    assert "neither a run nor a release" in said.err
