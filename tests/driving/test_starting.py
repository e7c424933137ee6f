"""A start as it is asked for: read once, checked before a run, kept in its folder, resumed without its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordSet
from gossamer.driving import starting
from gossamer.driving.examination import examine
from gossamer.driving.generator_file import load_generator
from gossamer.driving.job import TrainingJob
from gossamer.driving.starting import StartChoice, kept_start, prepare_start
from gossamer.errors import InputError
from gossamer.estimators import DPMERF
from gossamer.methods.catalogue import find_method
from gossamer.methods.starting import GENERATOR, FreshStart, StartFromRecords, StartFromRelease
from gossamer.runs.findings import Verdict
from gossamer.runs.folder import RunFolder

SETTINGS: dict[str, Any] = {"num_fit_steps": 10, "num_features": 40, "device": "cpu", "num_classes": 3}
CPU = torch.device("cpu")


def images(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((90, 8, 8), dtype=np.float32), np.arange(90) % 3


def model(**given: Any) -> DPMERF:
    return DPMERF(epsilon=10.0, **SETTINGS, **given)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model().fit(*images(0)).save(tmp_path_factory.mktemp("released") / "generator.safetensors")


@pytest.fixture
def public(tmp_path: Path) -> Path:
    x, y = images(1)
    np.savez(tmp_path / "public.npz", x=x, y=y)
    return tmp_path / "public.npz"


def prepared(choice: StartChoice) -> Any:
    trained = load_generator(Path(choice.source or ""))
    config = find_method("dp-merf").settings_for(trained.recipe.spec, 90)
    x, y = map(torch.from_numpy, images(0))
    private = RecordSet(name="private", spec=trained.recipe.spec, x=x[:, None], y=y)
    return prepare_start(choice, find_method("dp-merf"), config, private)


def test_a_release_is_told_from_records_and_read_with_its_digest(released: Path) -> None:
    found = prepared(StartChoice(source=str(released)))
    assert isinstance(found.facts, StartFromRelease)
    assert found.facts.sha256 == starting.file_digest(released)
    assert found.facts.claim.endswith("differentially private for one record")
    weights = found.made(CPU).networks[GENERATOR]
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_generator(released).weights.items())


def test_a_file_that_changes_while_it_is_read_is_refused(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = iter(("a", "b"))
    monkeypatch.setattr(starting, "file_digest", lambda path: next(digests))
    with pytest.raises(InputError, match="changed while it was read"):
        prepared(StartChoice(source=str(released)))


def test_a_damaged_generator_is_refused_in_a_line(released: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "generator.safetensors"
    damaged.write_bytes(released.read_bytes()[:200])
    with pytest.raises(InputError, match="not a generator of gossamer"):
        model(start_from=damaged).start(*images(2))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"num_steps": 5}, "goes with --start-from"),
        ({"source": "mnist", "num_steps": 0}, "must be 1 or more"),
    ],
)
def test_choices_that_contradict_themselves_are_refused(choice: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        StartChoice(**choice)


def test_steps_on_a_released_generator_are_refused(released: Path) -> None:
    with pytest.raises(InputError, match="taken as it is"):
        model(start_from=released, start_steps=3).start(*images(2))


def test_the_private_records_themselves_are_no_public_start(public: Path) -> None:
    with pytest.raises(InputError, match="names the private records themselves"):
        model(start_from=public.parent / "." / public.name).start(public)


def test_a_copy_of_the_private_records_is_no_public_start(public: Path) -> None:
    copy = public.with_name("copy.npz")
    copy.write_bytes(public.read_bytes())
    for private in ((public,), images(1)):
        with pytest.raises(InputError, match="holds the private records themselves"):
            model(start_from=copy, start_steps=1).start(*private)


def test_a_published_set_in_memory_is_no_public_start_for_itself() -> None:
    with pytest.raises(InputError, match="names the private records themselves"):
        DPMERF(epsilon=10.0, num_features=40, start_from="digits", start_steps=1).start(load_records("digits"))


def test_public_records_of_another_shape_are_refused(public: Path) -> None:
    with pytest.raises(InputError, match=r"public records of shape \(1, 8, 8\) in 3 classes, the data has shape"):
        model(start_from=public).start(np.zeros((90, 9, 8), dtype="uint8"), images(0)[1])


def test_the_statement_says_the_start_and_names_no_path(released: Path, public: Path) -> None:
    for source, words in ((released, "a released generator (sha256 "), (public, "7 steps without noise on records")):
        steps = 7 if source == public else None
        said = model(start_from=source, start_steps=steps).start(*images(2)).statement.public_inputs
        assert words in said[-1]
        assert str(source.parent) not in " ".join(said)
    assert not any("start of" in one for one in model().start(*images(2)).statement.public_inputs)


# ---- a run ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(public: Path, tmp_path: Path) -> Path:
    """A finished run that was started from public records, which are gone since."""
    model(start_from=public, start_steps=5).fit(*images(2), run=tmp_path / "run")
    public.unlink()
    return tmp_path / "run"


def test_a_run_keeps_its_start_and_verify_checks_it(run: Path) -> None:
    findings = list(examine(run))
    assert not [one for one in findings if one.verdict in (Verdict.BROKEN, Verdict.UNREADABLE)]
    assert any("networks that the run began with" in one.what for one in findings)
    assert any("5 steps without noise" in one for one in load_generator(run).statement.public_inputs)
    file = RunFolder(run).start_file
    file.write_bytes(file.read_bytes() + b"\0")
    assert any(one.where == "private/start.safetensors" for one in examine(run) if one.verdict is not Verdict.HOLDS)


def test_a_statement_without_the_start_of_its_settings_is_told(run: Path) -> None:
    folder = RunFolder(run)
    config = folder.config_file.read_text()
    folder.config_file.write_text(config.replace('"num_steps": 5', '"num_steps": 6'))
    told = [one for one in examine(run) if one.verdict is Verdict.BROKEN]
    assert any("public_inputs is not what config.json makes it" in one.what for one in told)
    assert any("not the settings that the run began with" in one.what for one in told)


def test_a_run_goes_on_without_the_source_and_not_under_another_start(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "load_beside", lambda *given, **more: pytest.fail("the source was read again"))
    again = model(start_from=tmp_path / "public.npz", start_steps=5).fit(*images(2), run=run)
    assert any("5 steps without noise" in one for one in again.statement.public_inputs)
    for other in (
        {},
        {"start_from": tmp_path / "public.npz"},
        {"start_from": tmp_path / "other.npz", "start_steps": 5},
    ):
        with pytest.raises(InputError, match="began with another start"):
            model(**other).fit(*images(2), run=run)


def test_a_kept_start_is_the_one_that_was_made_and_is_made_once(
    public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    method = find_method("dp-merf")
    honest = type(method).pretrain

    def counted(self: Any, *given: Any) -> Any:
        made.append(honest(self, *given))
        return made[-1]

    monkeypatch.setattr(type(method), "pretrain", counted)
    model(start_from=public, start_steps=4).fit(*images(2), run=tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    facts = TrainingJob.read(folder).start
    assert isinstance(facts, StartFromRecords)
    assert len(made) == 1
    kept = kept_start(folder, facts).networks[GENERATOR]
    assert all(torch.equal(kept[name], tensor) for name, tensor in made[0][GENERATOR].items())
    assert kept_start(folder, FreshStart()).networks == {}
