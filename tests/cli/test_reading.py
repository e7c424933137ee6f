"""Images at another size through every verb, and one recipe for the same records on every road."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gossamer as library
from gossamer.cli import train
from gossamer.cli.audit import _members
from gossamer.cli.scoring import ScoringChoice, load_real
from gossamer.data.image_choice import AS_STORED
from gossamer.driving.job import TrainingJob
from gossamer.driving.run import take_up_run
from gossamer.errors import InputError
from gossamer.estimators import DPMixture
from gossamer.methods.method import Method
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

WORDS = ("--epsilon", "10", "--device", "cpu")
FAST = ("--generator.num-directions", "5")


@pytest.fixture(scope="module")
def own(tmp_path_factory: Any) -> Path:
    """Colour images of 12x20, some to learn from and some to test on."""
    folder, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    for name, number in (("mine", 80), ("test", 20)):
        x = rng.integers(0, 256, (number, 3, 12, 20), dtype=np.uint8)
        np.savez(folder / f"{name}.npz", x=x, y=np.arange(number) % 2)
    return folder


@pytest.fixture(scope="module")
def run(own: Path, gossamer: Any, shared_folders: Any) -> Path:
    """A run on the images at 8x8 and gray. To be looked at, never to be changed."""
    read = ("--num-classes", "2", "--resize", "8x8", "--gray")
    path = own / "run"
    words = ("train", "dp-mixture", "--data", own / "mine.npz", *read, *WORDS, *FAST, "--out", path)
    assert gossamer(*words).code == 0
    return shared_folders.add(path)


def test_a_run_remembers_how_images_were_read_and_says_so(run: Path, gossamer: Any) -> None:
    job = TrainingJob.read(RunFolder(run))
    assert (job.images.size, job.images.gray) == ((8, 8), True)
    said = json.loads((run / "release" / "privacy.json").read_text())["public_inputs"]
    assert any(line.startswith("Each image was brought to 8 x 8") for line in said)
    assert any(line.startswith("Colour images were read as gray") for line in said)
    assert library.load(run).spec.shape == (1, 8, 8)
    assert gossamer("verify", run).code == 0


def test_settings_of_before_are_read_as_they_were_meant(run: Path, copy_run: Any, tmp_path: Path) -> None:
    folder = RunFolder(copy_run(run, tmp_path / "copy"))
    settings = json.loads(folder.config_file.read_text())
    del settings["images"], settings["recipe"]
    folder.config_file.write_text(json.dumps(settings))
    job = TrainingJob.read(folder)
    assert job.images == AS_STORED
    assert job.recipe_notes == ()


def test_evaluation_audit_and_resume_read_alike(run: Path, own: Path) -> None:
    choice = ScoringChoice(data=str(own / "mine.npz"), test_data=str(own / "test.npz"), num_classes=2)
    real = load_real(choice, [run])
    assert real.train.spec.shape == real.test.spec.shape == (1, 8, 8)
    members, others = _members(RunFolder(run), str(own / "test.npz"))
    assert (members.x == real.train.x).all()
    assert (others.x == real.test.x).all()
    # Without the run, the size is said again.
    assert load_real(choice, []).train.spec.shape == (3, 12, 20)


def test_another_size_in_the_settings_is_no_way_to_go_on(run: Path, copy_run: Any, tmp_path: Path) -> None:
    copy = copy_run(run, tmp_path / "copy")
    settings = json.loads((copy / "config.json").read_text())
    settings["images"]["gray"] = False
    (copy / "config.json").write_text(json.dumps(settings))
    folder = RunFolder(copy)
    with pytest.raises(InputError, match="not the records that this run began with"):
        take_up_run(folder, print, lambda job: job.load(read_key(folder)))


def test_what_is_described_is_what_would_be_learnt_from(own: Path, gossamer: Any) -> None:
    said = gossamer("data", "describe", own / "mine.npz", "--num-classes", "2", "--resize", "9x8", "--json")
    assert json.loads(said.out)["shape"] == [3, 9, 8]
    refused = gossamer("train", "dp-mixture", "--data", "beats", "--resize", "8x8", "--dry-run")
    assert (refused.code, refused.out) == (2, "")
    assert "--resize, --gray and --alpha change images, and these are series" in refused.err
    wrong = gossamer("train", "dp-mixture", "--data", "digits", "--resize", "8", "--dry-run")
    assert wrong.code == 2
    assert "must be HxW" in wrong.err


def recipes(folder: Path, gossamer: Any) -> list[dict[str, Any]]:
    """Return what runs remember of their settings: by the command line, by name, by records, by one side of them."""
    assert gossamer("train", "dp-mixture", "--data", "digits", *WORDS, "--out", folder / "0").code == 0
    data = library.load_records("digits")
    for number, source in enumerate(("digits", data, data.train), start=1):
        DPMixture(epsilon=10.0, device="cpu").fit(source, run=folder / str(number))
    found = [json.loads((folder / str(number) / "config.json").read_text()) for number in range(4)]
    return [{name: one[name] for name in ("method", "recipe")} for one in found]


def test_the_same_records_have_the_same_recipe_on_every_road(tmp_path: Path, gossamer: Any) -> None:
    first, *others = recipes(tmp_path, gossamer)
    assert first["recipe"] == {"type": "TakenRecipe", "name": "digits", "changed": []}
    assert first["recipe"] == others[0]["recipe"]
    # The number of slots is counted for one side alone, so that its noise may differ.
    for one in (first, *others):
        one["method"].pop("noise_multiplier")
    assert all(one == first for one in others)


def test_the_road_of_before_is_caught(tmp_path: Path, gossamer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The break: records from Python have no name.
    plain = Method.recipe_of

    def nameless(self: Any, recipe: str | None, records: Any, num_slots: int) -> Any:
        is_named = records is not data.train
        return plain(self, recipe, records, num_slots) if is_named else self._recipe_for(records.spec, num_slots)

    data = library.load_records("digits")
    monkeypatch.setattr(library, "load_records", lambda name: data)
    monkeypatch.setattr(Method, "recipe_of", nameless)
    assert len({one["recipe"]["name"] for one in recipes(tmp_path, gossamer)}) == 2


def test_the_recipe_is_announced_with_its_changes(gossamer: Any, own: Path) -> None:
    said = gossamer("train", "dp-mixture", "--data", "digits", *WORDS, *FAST, "--dry-run").out
    assert "recipe" in said
    assert "digits, with changes (generator)" in said
    dry = ("train", "dp-mixture", "--data", own / "mine.npz", "--num-classes", "2", *WORDS, "--dry-run")
    assert re.search(r"recipe +own ", gossamer(*dry).out)


def test_settings_of_a_file_are_called_so(run: Path, own: Path, gossamer: Any) -> None:
    read = ("--num-classes", "2", "--resize", "8x8", "--gray", "--recipe", run / "config.json")
    said = gossamer("train", "dp-mixture", "--data", own / "mine.npz", *read, *WORDS, "--dry-run").out
    assert re.search(r"recipe +config\.json ", said)
    assert train.FROM_FILE == "config.json"
