"""The list of what was released: written before it appears, and compared with what lies there and with the ledger."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.errors import InputError, PrivacyError, ResourceError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.methods.trained import GeneratorRecipe
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.findings import Verdict
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerFile
from gossamer.runs.release import GENERATOR, generator_digest, saved_path, write_release, write_saved_generator
from gossamer.runs.released_list import check_released, list_release, read_released, refuse_unlisted

RECIPE = GeneratorRecipe(
    network=MLPGeneratorConfig(hidden_sizes=(5,)), latent=NormalLatent(dim=3),
    spec=ImageSpec(channels=1, height=4, width=5, class_names=("a", "b")),
)  # fmt: skip
PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=100, num_critics=10, num_steps=30, batch_size=4, draws_per_step=4, clip_norm=1.0,
    noise_multiplier=2.0,
)  # fmt: skip


def statement(num_steps: int) -> Any:
    return PLAN.first_steps(num_steps).statement(
        ClaimTerms(delta=1e-4, method="gs-wgan", sample_size=20, is_secure=True)
    )


class Runner:
    """A run that charges and releases without training."""

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder.create(path)
        self.ledger = LedgerFile(self.folder.ledger_file, num_planned_steps=30)
        self.recipe = to_json_tree(RECIPE)

    def charge(self, first: int, end: int) -> None:
        for step in range(first, end):
            self.ledger.charge(step)

    def weights(self, number: int) -> dict[str, torch.Tensor]:
        return dict(RECIPE.build(torch.Generator().manual_seed(number)).state_dict())

    def list(self, num_steps: int | None, number: int = 0) -> None:
        claim = statement(num_steps or 30).to_json()
        place = self.folder.release if num_steps is None else saved_path(self.folder, num_steps)
        digest = generator_digest(self.weights(number), self.recipe, claim)
        list_release(self.folder, place / GENERATOR, digest, self.ledger.position())

    def save(self, num_steps: int, number: int = 0) -> None:
        claim = statement(num_steps)
        write_saved_generator(
            self.folder, num_steps, weights=self.weights(number), recipe=self.recipe, statement=claim.to_json(),
            text=claim.to_markdown(), card="",
        )  # fmt: skip

    def end(self, number: int = 0) -> None:
        claim = statement(30)
        write_release(
            self.folder, weights=self.weights(number), recipe=self.recipe, statement=claim.to_json(),
            text=claim.to_markdown(), card="",
        )  # fmt: skip

    def refusal(self) -> str:
        with pytest.raises(PrivacyError) as caught:
            refuse_unlisted(self.folder)
        assert str(caught.value).isprintable()
        return str(caught.value)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    found = Runner(tmp_path / "run")
    found.charge(0, 10)
    return found


def broken(folder: RunFolder) -> list[str]:
    return [finding.what for finding in check_released(folder) if finding.verdict is Verdict.BROKEN]


def test_what_is_listed_first_and_released_then_holds(runner: Runner) -> None:
    assert read_released(runner.folder) == ()
    refuse_unlisted(runner.folder)
    runner.list(10)
    refuse_unlisted(runner.folder)  # a crash here leaves an entry without a release
    runner.save(10)
    runner.charge(10, 30)
    runner.list(None)
    runner.end()
    refuse_unlisted(runner.folder)
    first, last = read_released(runner.folder)
    assert (first.generator, last.generator) == (f"checkpoints/step-000010/{GENERATOR}", GENERATOR)
    assert (first.ledger.num_charged_steps, last.ledger.num_charged_steps) == (10, 30)
    assert all(finding.verdict is Verdict.HOLDS for finding in check_released(runner.folder))


def test_what_was_released_again_after_a_crash_is_either_of_two_entries(runner: Runner) -> None:
    runner.list(10, number=1)
    runner.list(10, number=2)
    runner.save(10, number=2)
    refuse_unlisted(runner.folder)


def test_a_release_that_is_not_listed_is_refused(runner: Runner) -> None:
    runner.save(10)
    assert "step-000010/generator.safetensors: not in private/released.jsonl" in runner.refusal()


def test_a_final_release_without_its_generator_is_refused_too(runner: Runner) -> None:
    """Somebody took the generator away to have the end trained once more."""
    runner.charge(10, 30)
    runner.list(None)
    runner.end()
    (runner.folder.release / GENERATOR).unlink()
    refuse_unlisted(runner.folder)  # as a crash leaves it
    runner.folder.released_file.unlink()
    assert "lists 0 generators and 1 were released" in runner.refusal()
    runner.folder.num_released_file.write_text('{"num_released": 0}')
    assert "release/privacy.json: not in private/released.jsonl" in runner.refusal()


def test_another_generator_in_the_place_of_the_listed_one_is_refused(runner: Runner) -> None:
    runner.list(10, number=1)
    runner.save(10, number=2)
    assert "not the generator that private/released.jsonl lists" in runner.refusal()


def test_a_release_that_is_later_than_the_ledger_is_refused(runner: Runner) -> None:
    before = runner.folder.ledger_file.read_bytes()
    runner.charge(10, 20)
    runner.list(20)
    runner.save(20)
    runner.folder.ledger_file.write_bytes(before)
    assert "fewer steps are charged than the 20 when checkpoints/step-000020/generator" in runner.refusal()
    # Also where the list was put back with it.
    runner.folder.released_file.unlink()
    told = broken(runner.folder)
    assert any("prices 20 steps and private/ledger.jsonl charges 10" in line for line in told)
    assert any("not in private/released.jsonl" in line for line in told)


def test_a_ledger_that_went_on_from_another_state_is_refused(runner: Runner) -> None:
    """As many steps and more, by another process: the length alone would not tell."""
    before = runner.folder.ledger_file.read_bytes()
    runner.charge(10, 20)
    runner.list(20)
    runner.folder.ledger_file.write_bytes(before)
    other = LedgerFile(runner.folder.ledger_file, num_planned_steps=30)
    for step in range(10, 30):
        other.charge(step)
    assert "are not those that were written" in runner.refusal()


def test_a_last_line_that_a_crash_cut_off_is_dropped_and_another_is_refused(runner: Runner) -> None:
    runner.list(10)
    with runner.folder.released_file.open("ab") as file:
        file.write(b'{"generator": "checkpoints/st')
    assert len(read_released(runner.folder)) == 1
    runner.list(None)
    assert [entry.generator for entry in read_released(runner.folder)][1:] == [GENERATOR]
    content = runner.folder.released_file.read_bytes()
    runner.folder.released_file.write_bytes(b"{}\n" + content)
    with pytest.raises(InputError, match="line 1 is none that gossamer wrote"):
        read_released(runner.folder)
    with pytest.raises(InputError, match="line 1"):
        refuse_unlisted(runner.folder)


@pytest.mark.parametrize(
    "change",
    [
        {"generator": "../generator.safetensors"},
        {"generator": "checkpoints/step-10/generator.safetensors"},
        {"content_sha256": "a" * 63},
        {"content_sha256": 7},
        {"ledger": {}},
        {"ledger": {"num_charged_steps": 1.5, "num_bytes": 3, "sha256": "a"}},
        {"ledger": {"num_charged_steps": -1, "num_bytes": 3, "sha256": "a"}},
        {"more": 1},
    ],
)
def test_an_entry_that_is_none_is_refused(runner: Runner, change: dict[str, Any]) -> None:
    runner.list(10)
    line = json.loads(runner.folder.released_file.read_text()) | change
    runner.folder.released_file.write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match="line 1 is none that gossamer wrote"):
        read_released(runner.folder)


def test_nothing_is_released_where_the_list_cannot_be_written(runner: Runner) -> None:
    runner.folder.released_file.mkdir()
    with pytest.raises(ResourceError, match=r"released\.jsonl: cannot be written"):
        runner.list(10)


def test_the_list_is_flushed_to_the_disk_with_its_name(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr("os.fsync", lambda number: flushed.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    runner.list(10)
    listed = [str(runner.folder.released_file), str(runner.folder.private)]
    assert flushed[:2] == listed
    # The number afterwards: the list may be longer than it says, and never shorter.
    assert flushed[-1] == str(runner.folder.path)
    assert len(flushed) == 4


def test_a_digest_is_of_what_a_generator_says_and_of_nothing_else(runner: Runner) -> None:
    weights, claim = runner.weights(0), statement(10).to_json()
    first = generator_digest(weights, runner.recipe, claim)
    assert generator_digest(dict(reversed(weights.items())), runner.recipe, claim) == first
    assert generator_digest(runner.weights(1), runner.recipe, claim) != first
    assert generator_digest(weights, runner.recipe, claim | {"epsilon": 1.0}) != first
    other = {name: weight.double() for name, weight in weights.items()}
    assert generator_digest(other, runner.recipe, claim) != first


def test_a_run_that_only_lost_its_list_and_released_nothing_goes_on(runner: Runner, tmp_path: Path) -> None:
    shutil.rmtree(runner.folder.release)
    runner.folder.release.mkdir()
    refuse_unlisted(runner.folder)
