"""The command `gossamer federate`: files that travel, refusals with their exit codes, and a release at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.methods.catalogue import METHODS

Gossamer = Callable[..., Any]
FORM = ("--shape", "1,8,8", "--classes", "0,1", "--num-features", "20", "--num-fit-steps", "3")
NAMES = ("north", "south")


@pytest.fixture
def study(gossamer: Gossamer, tmp_path: Path) -> Path:
    """A plan for one round of two sites, and their records."""
    rng = np.random.default_rng(0)
    for name, number in zip(NAMES, (30, 50), strict=True):
        np.savez(tmp_path / f"{name}.npz", x=rng.random((number, 8, 8), dtype=np.float32), y=np.arange(number) % 2)
    done = gossamer(
        "federate", "plan", "dp-merf", "--sites", "north:40:5,south:60:3:1e-4", *FORM, "--out", tmp_path / "study"
    )
    assert done.code == 0, done.err
    assert "that of one place with 100 slots at epsilon 2." in done.out
    return tmp_path / "study"


def contributed(gossamer: Gossamer, study: Path, name: str, *more: object, state: str = "plan.json") -> Any:
    home = study.parent
    words = ("--site", name, "--data", home / f"{name}.npz", "--num-classes", 2, "--folder", home / name, *more)
    return gossamer("federate", "contribute", study / state, *words)


def all_rounds(gossamer: Gossamer, study: Path, num_rounds: int) -> list[Path]:
    """Go from a plan to its release, and return the answers of the first site."""
    first, state = [], "plan.json"
    for number in range(1, num_rounds + 1):
        for name in NAMES:
            done = contributed(gossamer, study, name, "--cap", 6, state=state)
            assert done.code == 0, done.err
        files = [study / f"{name}-round-{number}.safetensors" for name in NAMES]
        done = gossamer("federate", "combine", study / state, *files)
        assert done.code == 0, done.err
        first.append(files[0])
        state = f"round-{number + 1}.safetensors"
    return first


def test_two_sites_make_a_release(gossamer: Gossamer, study: Path) -> None:
    for name in NAMES:
        done = contributed(gossamer, study, name, "--cap", 6)
        assert done.code == 0, done.err
        assert f"site {name}: epsilon" in done.out
    files = [study / f"{name}-round-1.safetensors" for name in NAMES]
    shown = gossamer("federate", "show", files[0])
    assert "secret, as the site says" in shown.out
    again = contributed(gossamer, study, "north")
    assert "nothing is spent" in again.out
    done = gossamer("federate", "combine", study / "plan.json", *files)
    assert done.code == 0, done.err
    claim = json.loads((study / "release" / "privacy.json").read_text())
    assert [site["name"] for site in claim["sites"]] == list(NAMES)
    assert claim["sites"][1]["epsilon"] <= 3.0001 < claim["epsilon"]
    assert "| south | 60 | 3.000 | 0.0001 | all 1 |" in (study / "release" / "PRIVACY.md").read_text()
    verified = gossamer("verify", study)
    assert verified.code == 0
    assert "noise of the site south are those of privacy.json" in verified.out
    assert gossamer("report", study, "--out", study / "report.html").code == 0
    assert "<td>3.000</td>" in (study / "report.html").read_text()
    plan = study / "plan.json"
    whole = plan.read_bytes()
    for old, new in (
        (b'"num_slots": 60', b'"num_slots": 61'),
        (b'"south"', b'"rome"'),
        (b'"epsilon": 3', b'"epsilon": 2'),
    ):
        plan.write_bytes(whole.replace(old, new))
        assert gossamer("verify", study).code == 3, new
    plan.write_bytes(whole)
    listed = gossamer("federate", "show", study.parent / "north")
    assert "together, each as planned: epsilon 5.000" in listed.out
    assert gossamer("federate", "combine", study / "plan.json", *files).code == 2


def test_refusals_name_the_file_and_lose_nothing(gossamer: Gossamer, study: Path) -> None:
    assert contributed(gossamer, study, "north").code == 2  # no cap
    assert contributed(gossamer, study, "north", "--cap", 1).code == 3
    assert contributed(gossamer, study, "rome", "--cap", 9).code == 2
    assert contributed(gossamer, study, "north", "--cap", 9).code == 0
    good, plan = study / "north-round-1.safetensors", study / "plan.json"
    damaged = study / "damaged.safetensors"
    damaged.write_bytes(good.read_bytes()[:-8])
    before = sorted(study.rglob("*"))
    refused = gossamer("federate", "combine", plan, good, damaged)
    assert refused.code == 2
    assert "damaged.safetensors" in refused.err
    twice = gossamer("federate", "combine", plan, good, good)
    assert (twice.code, sorted(study.rglob("*"))) == (2, before)
    plan.write_bytes(plan.read_bytes().replace(b'"num_slots": 60', b'"num_slots": 61'))
    assert contributed(gossamer, study, "north").code == 3


def test_a_plan_is_never_written_over(gossamer: Gossamer, study: Path) -> None:
    words = ("federate", "plan", "dp-merf", "--sites", "a:40", *FORM, "--out", study)
    assert gossamer(*words).code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--sites", "a"),
        ("--sites", "a:b"),
        ("--sites", "a:4:1:1e-3:9"),
        ("--sites", "a:40,a:40"),
        ("--sites", "a b:40"),
        ("--sites", "a:40:-1"),
        ("--sites", "a:40", "--shape", "8"),
        ("--sites", "a:40", "--low", "0"),
    ],
    ids=" ".join,
)
def test_sites_that_are_none_are_refused_in_one_line(
    gossamer: Gossamer, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = gossamer("federate", "plan", "dp-merf", *FORM, *words, "--out", tmp_path / "study")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert not (tmp_path / "study").exists()


def test_a_method_that_does_not_work_between_sites_is_refused(
    gossamer: Gossamer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tuple(method for method in METHODS if method.name != "dp-merf")
    monkeypatch.setattr("gossamer.cli.federate.METHODS", others)
    done = gossamer("federate", "plan", "dp-merf", "--sites", "a:40", *FORM, "--out", tmp_path / "study")
    assert done.code == 2
    assert "labelled-mixture" in done.err


GAN = (
    "--recipe", "digits-cpu", "--num-critics", "10", "--num-steps", "3", "--batch-size", "4", "--critics-per-draw", "4",
    "--generator.hidden-sizes", "8", "--pool-per-class", "4", "--critics-at-once", "4",
)  # fmt: skip


def test_two_sites_send_networks(gossamer: Gossamer, study: Path) -> None:
    """Two rounds, of two steps and of one, to a release that verify holds and that samples are drawn from."""
    home, out = study.parent, study.parent / "gan"
    words = ("--sites", "north:40:5,south:60:3:1e-4", *FORM[:4], *GAN, "--steps-per-round", 2, "--out", out)
    done = gossamer("federate", "plan", "gs-wgan", *words)
    assert done.code == 0, done.err
    assert "2 private steps of each site in a round, 3 in all" in done.out
    *_, last = all_rounds(gossamer, out, 2)
    shown = gossamer("federate", "show", out / "round-2.safetensors")
    assert "round 2 of 2 comes now: steps 3 to 3 of each site" in shown.out
    assert "networks of" in gossamer("federate", "show", last).out
    assert "3 steps of 3" in gossamer("federate", "show", home / "north").out
    assert gossamer("verify", out).code == 0
    assert gossamer("sample", out, "--num-samples", 5, "--out", home / "drawn.npz").code == 0
    assert gossamer("report", out, "--out", home / "report.html").code == 0
    claim = json.loads((out / "release" / "privacy.json").read_text())
    assert [round(site["epsilon"], 1) for site in claim["sites"]] == [5, 3]


LABELLED = ("--mixture.generator.num-directions", "4", "--teacher-steps", "3")


def test_two_sites_send_sums_and_then_a_teacher(gossamer: Gossamer, study: Path) -> None:
    """Three rounds of sums and two of the teacher, to a release that verify holds and that names records."""
    home, out = study.parent, study.parent / "labelled"
    words = ("--sites", "north:40:5,south:60:3:1e-4", *FORM[:4], *LABELLED, "--steps-per-round", 2, "--out", out)
    done = gossamer("federate", "plan", "labelled-mixture", *words)
    assert done.code == 0, done.err
    assert "labelled-mixture in 5 rounds" in done.out
    assert "3 rounds of one sum each, then 2 private steps of each site in a round, 6 in all" in done.out
    for number, file in enumerate(all_rounds(gossamer, out, 5), start=1):
        kind = "one noisy sum" if number < 4 else "networks of 16 tensors"
        assert kind in gossamer("federate", "show", file).out
    assert "round 3 of 5 comes now: covariances" in gossamer("federate", "show", out / "round-3.safetensors").out
    shown = gossamer("federate", "show", out / "round-5.safetensors").out
    assert "round 3: a sum of 20 numbers, from north, south" in shown
    assert "round 4: networks, from north, south" in shown
    assert "round 5 of 5 comes now: steps 6 to 6 of each site" in shown
    assert "6 steps of 6" in gossamer("federate", "show", home / "north").out
    verified = gossamer("verify", out)
    assert verified.code == 0
    assert "noise of the site south are those of privacy.json" in verified.out
    named = gossamer("predict", out, "--data", home / "north.npz", "--num-classes", 2, "--out", home / "named.csv")
    assert named.code == 0, named.err
    assert gossamer("report", out, "--out", home / "report.html").code == 0
    claim = json.loads((out / "release" / "privacy.json").read_text())
    assert [round(site["epsilon"], 1) for site in claim["sites"]] == [5, 3]
    assert "the teacher, which names their classes" in (out / "release" / "PRIVACY.md").read_text()


def test_steps_of_a_round_are_for_networks_alone(gossamer: Gossamer, tmp_path: Path) -> None:
    done = gossamer(
        "federate", "plan", "dp-merf", "--sites", "a:40", *FORM, "--steps-per-round", 2, "--out", tmp_path / "s"
    )
    assert done.code == 2
    assert "leave --steps-per-round out" in done.err


def test_an_answer_is_never_written_over_the_file_that_it_answers(gossamer: Gossamer, study: Path) -> None:
    plan = study / "plan.json"
    plan.rename(study / "north-round-1.safetensors")
    words = ("--site", "north", "--data", study.parent / "north.npz", "--num-classes", 2, "--cap", 9)
    place = study / "north-round-1.safetensors"
    done = gossamer("federate", "contribute", place, "--folder", study.parent / "north", *words)
    assert done.code == 2
    assert "--out" in done.err
    assert place.read_bytes()[:1] == b"{"
    assert not list(study.parent.rglob("ledger.jsonl"))


def test_an_answer_that_the_folder_has_forgotten_is_not_given_twice(gossamer: Gossamer, study: Path) -> None:
    """The folder was put back from a backup, in its own place: the file of the answer is still there."""
    assert contributed(gossamer, study, "north", "--cap", 9).code == 0
    before = (study / "north-round-1.safetensors").read_bytes()
    private = study.parent / "north" / "private"
    for path in sorted((private / "plans").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (private / "joined.jsonl").unlink()
    again = contributed(gossamer, study, "north")
    assert again.code == 3
    assert "send the file that is there" in again.err
    assert (study / "north-round-1.safetensors").read_bytes() == before
