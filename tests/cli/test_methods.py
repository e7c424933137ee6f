"""The command line is one for all methods: the same verbs, folders and refusals, whatever is trained."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import dp_accounting
import numpy as np
import pytest
from dp_accounting import pld, rdp
from tiny import every, tiny_of

from gossamer.driving import releasing
from gossamer.estimators import load_generator
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.runs.ledger_file import read_ledger

SMALL = every(lambda tiny: tiny.words)
OTHERS = tuple(name for name in SMALL if name != "gs-wgan")
"""GS-WGAN's command line has tests of its own."""


@dataclass(frozen=True)
class Ended:
    """A finished run of a method on the digits. To be looked at, never to be changed."""

    method: str
    run: Path

    @property
    def statement(self) -> dict[str, Any]:
        return json.loads((self.run / "release" / "privacy.json").read_text())


@pytest.fixture(scope="module")
def train_small(gossamer: Any) -> Callable[..., Any]:
    """Train a small generator by a method; the words after the folder are added to the settings."""

    def train(method: str, data: object, out: Path, *more: object) -> Any:
        return gossamer("train", method, "--data", data, "--out", out, "--device", "cpu", *SMALL[method], *more)

    return train


@pytest.fixture(scope="module", params=OTHERS)
def ended(request: Any, train_small: Any, tmp_path_factory: Any, shared_folders: Any) -> Ended:
    run = tmp_path_factory.mktemp(request.param) / "run"
    said = train_small(request.param, "digits", run)
    assert said.code == 0, said.err
    assert "Protected: one record" in said.out
    # Privacy: where a record is added or removed, nobody promises as much for one that is replaced.
    assert ("or with another in its place" in said.out) == (request.param not in ("dp-cgan", "labelled-mixture"))
    return Ended(request.param, shared_folders.add(run))


def charged(run: Path) -> int:
    return read_ledger(run / "private" / "ledger.jsonl").num_charged_steps


def contents(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as kept:
        return kept["x"], kept["y"]


# ---- train, resume, sample ------------------------------------------------------------------------------------------


def test_every_method_is_trained_here_or_by_itself() -> None:
    assert ["gs-wgan", *OTHERS] == [method.name for method in METHODS]


def test_a_run_ends_with_a_release_whose_statement_names_its_method(ended: Ended) -> None:
    release = ended.run / "release"
    assert {path.name for path in release.iterdir()} == {
        "generator.safetensors", "manifest.json", "privacy.json", "PRIVACY.md", "README.md", "samples",
    }  # fmt: skip
    claim = ended.statement
    assert claim["mechanism"].startswith(f"{ended.method}: ")
    assert claim["is_secure"]
    assert claim["num_slots"] == 1437
    assert claim["delta"] == 1e-5
    if "--epsilon" in SMALL[ended.method]:
        assert 9.99 < claim["epsilon"] <= 10
    settings = json.loads((ended.run / "config.json").read_text())["method"]
    assert settings["noise_multiplier"] == claim["noise_multiplier"]
    steps = {json.loads(line)["step"] for line in (ended.run / "private" / "metrics.jsonl").read_text().splitlines()}
    assert set(range(charged(ended.run))) <= steps


def test_a_run_of_every_method_is_what_it_says(gossamer: Any, ended: Ended) -> None:
    for path in (ended.run, ended.run / "release"):
        said = gossamer("verify", path)
        assert said.code == 0, said.out
        assert said.out.count("is computed again") == 2


def test_the_ledger_says_where_a_one_shot_release_was_charged(gossamer: Any, ended: Ended) -> None:
    found = json.loads(gossamer("ledger", ended.run, "--json").out)
    assert found["num_charged_steps"] == found["num_planned_steps"] == charged(ended.run)
    assert found["epsilon_charged"] == ended.statement["epsilon"]
    num_one_shots = {"dp-cgan": 0, "dp-merf": 1, "dp-mixture": 3, "labelled-mixture": 3}[ended.method]
    assert [one["charged_by"] for one in found["one_shot"]] == [[0]] * num_one_shots
    said = gossamer("ledger", ended.run).out
    assert said.count("charged by process 0.") == num_one_shots


def test_the_claim_is_that_of_another_accountant(ended: Ended) -> None:
    claim = ended.statement
    event: dp_accounting.DpEvent = dp_accounting.GaussianDpEvent(claim["noise_multiplier"])
    if ended.method == "dp-cgan":
        event = dp_accounting.SelfComposedDpEvent(dp_accounting.PoissonSampledDpEvent(20 / 1437, event), 12)
    if ended.method == "labelled-mixture":
        parts = [claim["parameters"][f"noise_of_{part}_over_multiplier"] for part in ("sums", "samples")]
        noises = [claim["noise_multiplier"] * part for part in parts]
        sums, sample = map(dp_accounting.GaussianDpEvent, noises)
        drawn = dp_accounting.SelfComposedDpEvent(dp_accounting.PoissonSampledDpEvent(0.04, sample), 10)
        event = dp_accounting.ComposedDpEvent([sums, drawn])
    other = pld.PLDAccountant().compose(event).get_epsilon(1e-5)
    assert claim["epsilon"] == pytest.approx(other, rel=1e-3)


def test_samples_are_drawn_by_the_command_and_by_the_library_alike(ended: Ended, gossamer: Any, tmp_path: Path) -> None:
    made = tmp_path / "samples.npz"
    assert gossamer("sample", ended.run, "--num-samples", 20, "--seed", 4, "--out", made).code == 0
    x, y = arrays(made)
    assert x.shape == (20, 1, 8, 8)
    assert x.min() >= 0
    assert x.max() <= 1
    assert y.tolist() == 2 * list(range(10))
    again, labels = load_generator(ended.run).sample(20, seed=4)
    assert np.array_equal(x, again.numpy())
    assert np.array_equal(y, labels)


def test_a_run_that_has_ended_is_left_as_it_is(ended: Ended, gossamer: Any) -> None:
    before = contents(ended.run)
    said = gossamer("resume", ended.run)
    assert said.code == 0
    assert "this run has ended" in said.err
    assert contents(ended.run) == before


def test_the_settings_of_a_run_can_be_trained_from(ended: Ended, gossamer: Any, tmp_path: Path) -> None:
    again = tmp_path / "again"
    noise = ended.statement["noise_multiplier"]
    words = ("--data", "digits", "--out", again, "--device", "cpu", "--noise-multiplier", noise)
    said = gossamer("train", ended.method, *words, "--recipe", ended.run / "config.json")
    assert said.code == 0, said.err
    first, second = (json.loads((run / "config.json").read_text()) for run in (ended.run, again))
    # The settings are the same, and the words on their origin are not.
    assert second["recipe"]["name"] == "config.json"
    assert first | {"recipe": None} == second | {"recipe": None}
    claim = json.loads((again / "release" / "privacy.json").read_text())
    assert claim["run_id"] != ended.statement["run_id"]
    assert any("settings" in sentence and "file" in sentence for sentence in claim["public_inputs"])
    words_of_run = {name: claim[name] for name in ("run_id", "public_inputs")}
    assert claim == ended.statement | words_of_run
    samples = [arrays(run / "release" / "samples" / "samples.npz")[0] for run in (ended.run, again)]
    assert not np.array_equal(*samples)  # another secret key


@pytest.mark.parametrize("method", OTHERS)
def test_settings_of_another_method_are_refused(method: str, gossamer: Any, finished: Path, tmp_path: Path) -> None:
    words = ("--data", "digits", "--out", tmp_path / "run", "--recipe", finished / "config.json")
    said = gossamer("train", method, *words)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", OTHERS)
def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(
    method: str, gossamer: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    said = gossamer("train", method, "--data", "digits", "--device", "cpu", *SMALL[method], "--dry-run")
    assert said.code == 0
    for word in ("epsilon by PLD (claimed)", "noise multiplier", "time: about"):
        assert word in said.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", OTHERS)
def test_own_images_train_end_to_end(
    method: str, gossamer: Any, train_small: Any, own_npz: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    said = train_small(method, own_npz(), run, "--num-classes", 2)
    assert said.code == 0, said.err
    assert charged(run) >= 1
    images, labels = load_generator(run).sample(4)
    assert images.shape == (4, 1, 8, 8)
    assert labels is not None
    assert labels.tolist() == [0, 1, 0, 1]
    claim = json.loads((run / "release" / "privacy.json").read_text())
    assert claim["num_slots"] == 60
    assert claim["mechanism"].startswith(f"{method}: ")


@pytest.mark.parametrize("method", OTHERS)
def test_own_images_without_labels_train_end_to_end(
    method: str, train_small: Any, own_npz: Any, tmp_path: Path
) -> None:
    said = train_small(method, own_npz(y=None), tmp_path / "run")
    if tiny_of(method).needs_classes:
        assert said.code == 2
        assert "take dp-mixture" in said.err
        return
    assert said.code == 0, said.err
    assert load_generator(tmp_path / "run").sample(4)[1] is None


# ---- interrupts and crashes -----------------------------------------------------------------------------------------


def test_an_interrupt_while_dp_merf_fits_keeps_the_release_that_was_paid_for(
    gossamer: Any, train_small: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(24)
    said = train_small("dp-merf", "digits", run)
    assert said.code == 130
    assert f"gossamer resume {run}" in said.err
    assert list((run / "release").iterdir()) == []
    assert charged(run) == 1
    assert gossamer("resume", run).code == 0
    assert charged(run) == 1
    updates = [json.loads(line)["num_updates"] for line in (run / "private" / "metrics.jsonl").read_text().splitlines()]
    assert updates == [0, 25, 50, 60]
    claim = json.loads((run / "release" / "privacy.json").read_text())
    assert 9.99 < claim["epsilon"] <= 10


def test_a_crash_while_dp_merf_fits_costs_time_and_no_privacy(
    gossamer: Any, train_small: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.crash(49)
    with pytest.raises(ZeroDivisionError):
        train_small("dp-merf", "digits", run)
    said = gossamer("resume", run)
    assert said.code == 0
    assert "lost" not in said.err
    assert charged(run) == 1
    assert (run / "release" / "generator.safetensors").is_file()


def test_an_interrupt_of_dp_cgan_waits_for_what_is_paid_and_goes_on(
    gossamer: Any, train_small: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(-1)
    assert train_small("dp-cgan", "digits", run).code == 130
    assert charged(run) == 10
    assert gossamer("resume", run).code == 0
    assert charged(run) == 12
    steps = [json.loads(line)["step"] for line in (run / "private" / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(12))


@pytest.mark.parametrize("method", OTHERS)
def test_a_crash_while_the_release_is_written_is_mended_by_resume(
    method: str, gossamer: Any, train_small: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(releasing, "write_picture", full)
        assert train_small(method, "digits", run).code == 4
    paid = charged(run)
    said = gossamer("resume", run)
    assert said.code == 0, said.err
    assert charged(run) == paid
    assert (run / "release" / "generator.safetensors").is_file()


def test_a_generator_of_dp_cgan_taken_on_the_way_costs_less(train_small: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = train_small("dp-cgan", "digits", run, "--save-at-step", "3")
    assert said.code == 0, said.err
    claims = [json.loads(path.read_text())["epsilon"] for path in sorted(run.rglob("privacy.json"))]
    assert len(claims) == 2
    assert 0 < min(claims) < max(claims) == json.loads((run / "release" / "privacy.json").read_text())["epsilon"]


@pytest.mark.parametrize("method", ["dp-merf", "dp-mixture"])
@pytest.mark.parametrize("flag", ["--save-at-step", "--save-at-epsilon"])
def test_a_method_without_a_generator_on_the_way_refuses_to_save_one(
    method: str, flag: str, train_small: Any, tmp_path: Path
) -> None:
    said = train_small(method, "digits", tmp_path / "run", flag, 1)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "before its last release" in said.err
    assert list(tmp_path.iterdir()) == []


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", OTHERS)
def test_an_unknown_recipe_is_refused_with_the_names_there_are(method: str, gossamer: Any, tmp_path: Path) -> None:
    said = gossamer("train", method, "--data", "digits", "--recipe", "nonesuch", "--out", tmp_path / "run")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert all(recipe.name in said.err for recipe in find_method(method).recipes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["train", "account"])
def test_an_unknown_method_is_refused_with_the_names_there_are(verb: str, gossamer: Any) -> None:
    said = gossamer(verb, "dp-nothing", "--data", "digits")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert all(method.name in said.err for method in METHODS)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize(
    ("more", "code", "word"),
    [
        ("--delta 0.1", 3, "delta"),
        ("--seed -1", 2, "seed"),
        ("--num-critics 5", 2, "--num-critics"),
        ("--epsilon 3 --noise-multiplier 1", 2, "exclude each other"),
    ],
)
def test_bad_settings_get_one_line_and_nothing_is_written(
    method: str, more: str, code: int, word: str, train_small: Any, tmp_path: Path
) -> None:
    said = train_small(method, "digits", tmp_path / "run", *shlex.split(more))
    assert said.code == code
    assert said.err.count("\n") == 1
    assert word in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", OTHERS)
def test_several_processes_are_refused_where_a_method_has_nothing_to_share_out(
    method: str, train_small: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(vars(find_method(method).working()), "shares_work", False)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = train_small(method, "digits", tmp_path / "run")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "one process" in said.err
    assert not (tmp_path / "run").exists()  # nothing is made, nothing is spent


@pytest.mark.parametrize("method", ["dp-merf", "dp-mixture"])
def test_a_precision_that_a_method_has_not_is_refused(method: str, train_small: Any, tmp_path: Path) -> None:
    said = train_small(method, "digits", tmp_path / "run", "--precision", "bf16")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "float32" in said.err
    assert list(tmp_path.iterdir()) == []


# ---- account --------------------------------------------------------------------------------------------------------


def found(gossamer: Any, *words: object) -> dict[str, Any]:
    said = gossamer("account", *words, "--json")
    assert said.code == 0, said.err
    assert said.err == ""
    return json.loads(said.out)


@pytest.mark.parametrize("method", ["dp-merf", "dp-mixture"])
def test_the_noise_of_one_release_is_that_of_the_analytic_gaussian_mechanism(method: str, gossamer: Any) -> None:
    report = found(gossamer, method, "--epsilon", 1)
    assert report["noise_multiplier"]["pld"] == pytest.approx(3.73, abs=0.005)
    assert report["noise_multiplier"]["pld"] < report["noise_multiplier"]["rdp"]
    assert (report["delta"], report["unit"], report["adjacency"]) == (1e-5, "record", "slot")
    assert "published_epsilon" not in report
    back = found(gossamer, method, "--noise-multiplier", report["noise_multiplier"]["pld"])
    assert 0.999 < back["epsilon"]["pld"] <= 1
    direct = dp_accounting.get_epsilon_gaussian(report["noise_multiplier"]["pld"], 1e-5)
    assert back["epsilon"]["pld"] == pytest.approx(direct, rel=1e-4)


def test_several_releases_are_worth_one_of_less_noise(gossamer: Any) -> None:
    four = found(gossamer, "dp-merf", "--noise-multiplier", 4, "--num-steps", 4)["epsilon"]
    one = found(gossamer, "dp-merf", "--noise-multiplier", 2)["epsilon"]
    assert four["pld"] == pytest.approx(one["pld"], rel=1e-6)


def test_the_figures_of_dp_cgan_are_those_of_the_accountants_and_of_the_reference_code(gossamer: Any) -> None:
    settings = ("--num-slots", 60_000, "--noise-multiplier", 1.12, "--num-steps", 30_300)
    report = found(gossamer, "dp-cgan", *settings)
    step = dp_accounting.PoissonSampledDpEvent(0.01, dp_accounting.GaussianDpEvent(1.12))
    event = dp_accounting.SelfComposedDpEvent(step, 30_300)
    by_pld, by_rdp = (
        accountant.compose(event).get_epsilon(1e-5) for accountant in (pld.PLDAccountant(), rdp.RdpAccountant())
    )
    assert report["epsilon"]["pld"] == pytest.approx(by_pld, rel=1e-3)
    assert report["epsilon"]["rdp"] == pytest.approx(by_rdp, rel=0.01)
    assert report["published_epsilon"] == pytest.approx(9.6, abs=0.01)
    assert "no finite epsilon" in report["published_epsilon_caveat"]
    assert report["sample_rate"] == 0.01
    assert report["adjacency"] == "add-or-remove-one"
    # Its accountant is told noise times clip, so its figure moves with the clip; ours cannot.
    wider = found(gossamer, "dp-cgan", *settings, "--clip-norm", 2)
    assert wider["published_epsilon"] < report["published_epsilon"]
    assert wider["epsilon"] == report["epsilon"]


def test_steps_that_a_budget_buys_for_dp_cgan(gossamer: Any) -> None:
    settings = ("--num-slots", 60_000, "--noise-multiplier", 4)
    cost = found(gossamer, "dp-cgan", *settings, "--num-steps", 40)["epsilon"]["pld"]
    assert found(gossamer, "dp-cgan", *settings, "--epsilon", cost * 1.001)["num_steps"]["pld"] in (40, 41)


def test_plain_text_names_the_claim_and_the_published_figure(gossamer: Any) -> None:
    said = gossamer(*shlex.split("account dp-cgan --num-slots 60000 --noise-multiplier 1.12 --num-steps 30300"))
    words = " ".join(said.out.split())
    assert "epsilon by PLD (what a statement claims) 9.62" in words
    assert "published formula: epsilon 9.600. The published figure does not hold" in words
    assert "sample_rate 0.01" in words
    said = gossamer(*shlex.split("account dp-merf --noise-multiplier 3.73"))
    assert "published" not in said.out


@pytest.mark.parametrize(
    ("words", "code", "said_of_it"),
    [
        ("dp-merf", 2, "exactly two of --epsilon, --noise-multiplier and --num-steps (1 here);"),
        ("dp-merf --epsilon 1 --noise-multiplier 2", 2, "exactly two"),
        ("dp-merf --epsilon -1", 2, "epsilon"),
        ("dp-merf --noise-multiplier 0", 3, "noise_multiplier"),
        ("dp-merf --noise-multiplier nan", 2, "noise_multiplier"),
        ("dp-merf --epsilon 1 --num-steps 0", 2, "num_releases"),
        ("dp-mixture --epsilon 1 --delta 0", 3, "delta"),
        ("dp-mixture --epsilon 1 --num-slots 1000 --delta 0.001", 3, "delta"),
        ("dp-mixture --epsilon 1 --num-critics 5", 2, "--num-critics"),
        ("dp-cgan --noise-multiplier 1 --num-steps 5", 2, "--num-slots"),
        ("dp-cgan --num-slots 100 --noise-multiplier 1 --num-steps 5", 2, "sample_rate"),
        ("dp-cgan --num-slots 0 --noise-multiplier 1 --num-steps 5", 2, "num_slots"),
        ("dp-cgan --num-slots 60000 --expected-batch-size 0 --noise-multiplier 1 --num-steps 5", 2, "expected_batch"),
        ("dp-cgan --num-slots 60000 --noise-multiplier 0 --num-steps 5", 3, "noise_multiplier"),
        ("dp-cgan --num-slots 60000 --noise-multiplier 1 --num-steps 0", 2, "num_steps"),
        ("dp-cgan --num-slots 60000 --noise-multiplier 1 --num-steps 5 --clip-norm 0", 2, "--clip-norm"),
        ("dp-cgan --num-slots 60000 --noise-multiplier 1 --num-steps 5 --delta 0.001", 3, "delta"),
    ],
)
def test_what_cannot_be_accounted_for_gets_one_line(words: str, code: int, said_of_it: str, gossamer: Any) -> None:
    said = gossamer("account", *shlex.split(words))
    assert said.out == ""
    assert (said.code, said.err.count("\n")) == (code, 1), said.err
    assert said_of_it in said.err
