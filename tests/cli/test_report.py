"""`gossamer report`: what may leave is made from the release alone, and what may not says so."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.evaluation.record import Claim, Evaluation
from gossamer.evaluation.score import Score
from gossamer.privacy import tradeoff

CANARY = "xanarkand"
FIGURE = 0.4736251


@pytest.fixture(autouse=True, scope="module")
def few_points() -> Iterator[None]:
    """A curve of a few points: how good it is stands elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tradeoff, "_DELTAS", (1e-4, 0.05, 0.5))
        yield


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A finished run that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def evaluation(target: str, value: float) -> dict[str, Any]:
    score = Score(
        name="cnn_accuracy", value=value, low=value - 0.01, high=value + 0.01, higher_is_better=True, num_synthetic=10,
        num_real=10, seeds=(0,), source="a test",
    )  # fmt: skip
    return Evaluation(
        target=target, claim=Claim(mechanism="gs-wgan", epsilon=1.0, delta=1e-3, step=None), data="mnist",
        suite="quick", num_samples=10, seeds=(0,), scores={score.name: score}, skipped={}, notes=(target,),
    ).to_json()  # fmt: skip


def tiles(page: str) -> list[np.ndarray]:
    """Pixels of all pictures of a page."""
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert sources
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))) for source in sources]


@pytest.fixture(scope="module")
def bugged(tmp_path_factory: Any, train_tiny: Any, shared_folders: Any) -> tuple[Path, np.ndarray]:
    """A run with something to be recognised by in its records, in the path of its data, and all over private/.

    Not to be changed.
    """
    folder = tmp_path_factory.mktemp("bugged")
    x = np.random.default_rng(0).integers(0, 256, size=(300, 8, 8), dtype=np.uint8)
    data = folder / f"{CANARY}-of-patients.npz"
    np.savez(data, x=x, y=np.arange(300) % 10)
    run = folder / "run"
    assert train_tiny(data, run).code == 0
    (run / "private" / "evaluation").mkdir()
    (run / "private" / "evaluation" / "evaluation.json").write_text(json.dumps(evaluation(CANARY, FIGURE)))
    (run / "private" / "audit").mkdir()
    (run / "private" / "audit" / "mechanism.json").write_text(
        json.dumps({"kind": CANARY, "lower_bound_epsilon": FIGURE, "claimed_epsilon": 5.0, "confidence": 0.95})
    )
    for file in ("metrics.jsonl", "environment.json"):
        place = run / file if file.startswith("env") else run / "private" / file
        with place.open("a") as text:
            text.write(json.dumps({CANARY: FIGURE}) + "\n")
    assert CANARY in (run / "config.json").read_text()
    return shared_folders.add(run), x


def test_a_release_report_holds_nothing_of_the_records_the_scores_or_the_paths(
    bugged: tuple[Path, np.ndarray], gossamer: Any, tmp_path: Path
) -> None:
    run, x = bugged
    out = tmp_path / "report.html"
    assert gossamer("report", run, "--out", out).code == 0
    page = out.read_text(encoding="utf-8")
    assert CANARY not in page
    assert str(FIGURE)[:5] not in page
    assert str(run.parent) not in page
    strips = tiles(page)
    records = {one.tobytes() for one in x}
    for strip in strips:
        assert not any(strip[:, 9 * place : 9 * place + 8, 0].tobytes() in records for place in range(8))
        assert CANARY.encode() not in strip.tobytes()


def test_these_canaries_are_found_where_they_are_shown(
    bugged: tuple[Path, np.ndarray], gossamer: Any, tmp_path: Path
) -> None:
    run, x = bugged
    data, out = run.parent / f"{CANARY}-of-patients.npz", tmp_path / "report-PRIVATE.html"
    assert gossamer("report", run, "--with-private", "--data", data, "--out", out).code == 0
    page = out.read_text(encoding="utf-8")
    assert CANARY in page
    assert f"{FIGURE:.3f}" in page
    records = {one.tobytes() for one in x}
    shown = [strip[:, 9 * place : 9 * place + 8, 0].tobytes() for strip in tiles(page) for place in range(8)]
    assert sum(one in records for one in shown) == 80


def test_a_release_report_is_the_same_without_anything_beside_the_release(
    bugged: tuple[Path, np.ndarray], gossamer: Any, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(bugged[0], tmp_path / "run"))
    assert gossamer("report", run, "--out", tmp_path / "whole.html").code == 0
    shutil.rmtree(run / "private")
    (run / "config.json").unlink()
    (run / "environment.json").unlink()
    assert gossamer("report", run, "--out", tmp_path / "bare.html").code == 0
    assert gossamer("report", run / "release", "--out", tmp_path / "release.html").code == 0
    whole = (tmp_path / "whole.html").read_bytes()
    assert whole == (tmp_path / "bare.html").read_bytes() == (tmp_path / "release.html").read_bytes()


@pytest.fixture(scope="session")
def opened() -> list[str]:
    """Files that Python opened while this list was watched."""
    found: list[str] = []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | Path):
            found.append(str(arguments[0]))

    sys.addaudithook(hear)
    return found


def test_a_release_report_opens_no_file_of_the_run_outside_its_release(
    copied: Path, gossamer: Any, tmp_path: Path, opened: list[str]
) -> None:
    opened.clear()
    assert gossamer("report", copied, "--out", tmp_path / "report.html").code == 0
    of_run = [Path(path) for path in opened if path.startswith(str(copied))]
    assert of_run
    assert all(path.is_relative_to(copied / "release") for path in of_run)
    opened.clear()
    assert gossamer("report", copied, "--with-private").code == 0
    assert any("private/ledger.jsonl" in path for path in opened), "the watch is awake"


def test_a_report_changes_nothing_of_the_release_and_is_written_over_by_the_next(copied: Path, gossamer: Any) -> None:
    files = {path: path.read_bytes() for path in (copied / "release").rglob("*") if path.is_file()}
    for title in ("First", "Second"):
        said = gossamer("report", copied, "--title", title)
        assert said.code == 0
        assert "may leave" in said.out
        assert f"<h1>{title}</h1>" in (copied / "report.html").read_text(encoding="utf-8")
    assert files == {path: path.read_bytes() for path in (copied / "release").rglob("*") if path.is_file()}
    assert gossamer("verify", copied).code == 0


def test_a_private_report_is_closed_says_so_and_tells_what_it_lacks(copied: Path, gossamer: Any) -> None:
    said = gossamer("report", copied, "--with-private")
    assert said.code == 0
    assert "PRIVATE" in said.out
    file = copied / "private" / "report-PRIVATE.html"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text(encoding="utf-8")
    assert page.count("PRIVATE") >= 3
    assert "gossamer evaluate" in page
    assert "gossamer audit" in page
    assert "Steps charged" in page


def test_several_runs_make_one_page_with_their_sum(finished: Path, gossamer: Any, tmp_path: Path) -> None:
    out = tmp_path / "both.html"
    assert gossamer("report", finished, finished / "release", "--out", out).code == 0
    text = out.read_text(encoding="utf-8")
    epsilon = json.loads((finished / "release" / "privacy.json").read_text())["epsilon"]
    (shown,) = re.findall(r"is bounded by epsilon ([\d.]+)", text)
    assert 2 * epsilon <= float(shown) < 2 * epsilon + 0.001


def test_a_generator_saved_on_the_way_is_reported_on_by_its_own_statement(
    saved_on_the_way: Path, gossamer: Any, tmp_path: Path
) -> None:
    saved = saved_on_the_way / "release" / "checkpoints" / "step-000003"
    out = tmp_path / "saved.html"
    assert gossamer("report", saved, "--out", out).code == 0
    page = out.read_text(encoding="utf-8")
    assert "<h1>run, step 000003</h1>" in page
    final = json.loads((saved_on_the_way / "release" / "privacy.json").read_text())["epsilon"]
    assert json.loads((saved / "privacy.json").read_text())["epsilon"] < final
    assert f"{final:.3f}" not in page


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("{tmp}/nowhere",), 2, "neither a run nor a release"),
        ((), 2, "PATH [PATH ...]; `gossamer report --help`"),
        (("{run}", "--data", "digits"), 2, "--with-private"),
        (("{run}", "--out", "{run}/release/report.html"), 3, "lies in a release"),
        (("{run}", "--out", "{run}/release/samples/report.html"), 3, "lies in a release"),
        (("{run}", "--out", "{tmp}"), 2, "is a folder"),
        (("{run}", "--out", "{tmp}/none/report.html"), 2, "there is no folder"),
        (("{run}", "--out", "{run}/config.json"), 2, "no report"),
        (("{run}", "--with-private", "--out", "{tmp}/report.html"), 3, "report-PRIVATE.html"),
        (("{run}", "{run}",), 2, "--out"),
        (("{run}/release", "--with-private"), 2, "no private/ beside it"),
        (("{run}", "--with-private", "--data", "{tmp}/none.npz"), 2, "none.npz"),
    ],
)  # fmt: skip
def test_what_cannot_be_reported_is_said_in_one_line(
    finished: Path, gossamer: Any, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    said = gossamer("report", *(one.format(run=finished, tmp=tmp_path) for one in arguments))
    assert said.code == code, said.err
    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_run_that_has_not_ended_is_told_how_to_go_on(copied: Path, gossamer: Any) -> None:
    shutil.rmtree(copied / "release")
    said = gossamer("report", copied)
    assert said.code == 2
    assert f"gossamer resume {copied}" in said.err


def spoil_statement(run: Path) -> None:
    file = run / "release" / "privacy.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"epsilon": 0.1}))


def spoil_files(run: Path) -> None:
    (run / "release" / "real.npz").write_bytes(b"something else")


@pytest.mark.parametrize("spoil", [spoil_statement, spoil_files])
def test_a_release_that_is_not_what_it_claims_gets_no_report(
    copied: Path, gossamer: Any, spoil: Callable[[Path], None]
) -> None:
    spoil(copied)
    said = gossamer("report", copied)
    assert said.code == 3
    assert "gossamer verify" in said.err
    assert not (copied / "report.html").exists()


def test_a_release_from_before_manifests_is_reported_on_and_says_so(copied: Path, gossamer: Any) -> None:
    for name in ("manifest.json", "README.md"):
        (copied / "release" / name).unlink(missing_ok=True)
    assert gossamer("report", copied).code == 0
    assert "written before releases had one" in (copied / "report.html").read_text(encoding="utf-8")
