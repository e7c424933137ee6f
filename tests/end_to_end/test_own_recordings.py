"""A folder of EDF recordings with a table of people, from `describe` to scores, and nothing of a header on the way."""

from __future__ import annotations

import json
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest

from gossamer.cli.main import main
from gossamer.estimators import load_series

NUM_PEOPLE, SECONDS = 60, 40
SECRETS = (b"Katharina", b"0234567", b"02-MAY-1951", b"Dr_Holst")
READ = (
    *("--channel-names", "ECG", "--class-names", "rest", "work", "--window", "50", "--low=-2", "--high", "2"),
    *("--split", "people"),
)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of sixty people, half at rest and half at work, two files a person."""
    folder = tmp_path_factory.mktemp("own") / "nights"
    folder.mkdir()
    rng = np.random.default_rng(0)
    time = np.arange(50 * SECONDS) / 50
    is_work = time >= SECONDS / 2
    for place in range(2 * NUM_PEOPLE):
        wave = np.sin(2 * np.pi * np.where(is_work, 3, 1) * time + 0.2 * rng.normal()) + 0.05 * rng.normal(
            size=len(time)
        )
        _write(folder / f"n{place}.edf", [wave, rng.normal(size=len(time)) / 4])
    lines = [f"n{place},{place % NUM_PEOPLE}" for place in range(2 * NUM_PEOPLE)]
    (folder / "people.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _write(path: Path, signals: list[np.ndarray]) -> None:
    header: dict[str, Any] = {
        "dimension": "mV", "sample_frequency": 50, "physical_min": -3, "physical_max": 3, "digital_min": -32768,
        "digital_max": 32767, "prefilter": "", "transducer": "",
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pyedflib.EdfWriter(str(path), 2) as file:
            file.setSignalHeaders([header | {"label": label} for label in ("ECG", "Resp")])
            file.setPatientName("Katharina")
            file.setPatientCode("MCH-0234567")
            file.setBirthdate(date(1951, 5, 2))
            file.setTechnician("Dr Holst")
            file.writeSamples(signals)
            file.writeAnnotation(0, SECONDS / 2, "rest")
            file.writeAnnotation(SECONDS / 2, SECONDS / 2, "work")


@pytest.fixture(scope="module")
def run(nights: Path, shared_folders: Any) -> Path:
    path = nights.parent / "run"
    settings = ("--epsilon", "20", "--delta", "1e-3", "--out", str(path))
    assert main(["train", "dp-mixture", "--data", str(nights), *READ, *settings]) == 0
    return shared_folders.add(path)


def test_people_channels_and_units_are_said(nights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "describe", str(nights), *READ[:-2], "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["num_people"], said["shape"], said["units"]) == (NUM_PEOPLE, [1, 50], ["mV"])
    assert said["classes"] == {"rest": 2 * NUM_PEOPLE * 20, "work": 2 * NUM_PEOPLE * 20}
    python = load_series(nights, channel_names=["ECG"], class_names=["rest", "work"], window=50, low=-2, high=2)
    assert python.train.num_records == said["num_records"]


def test_the_guarantee_is_for_people_and_no_file_has_a_word_of_a_header(run: Path) -> None:
    statement = json.loads((run / "release" / "privacy.json").read_text(encoding="utf-8"))
    assert "person" in json.dumps(statement)
    contents = [path.read_bytes() for path in run.rglob("*") if path.is_file()]
    assert contents
    assert not [secret for secret in SECRETS for content in contents if secret in content]


def test_samples_come_back_as_a_recording_with_their_classes(run: Path, tmp_path: Path) -> None:
    assert main(["sample", str(run), "--num-samples", "60", "--out", str(tmp_path / "x.edf")]) == 0
    with pyedflib.EdfReader(str(tmp_path / "x.edf")) as file:
        assert (file.getSignalLabels(), file.getPhysicalDimension(0)) == (["ECG"], "mV")
        assert file.getNSamples().tolist() == [60 * 50]
        assert set(file.readAnnotations()[2]) == {"rest", "work"}
        x = file.readSignal(0).reshape(60, 50)
    spectrum = np.abs(np.fft.rfft(x, axis=1))
    # One swing a second at rest and three at work.
    assert spectrum[::2, 1].mean() > 2 * spectrum[::2, 3].mean()
    assert spectrum[1::2, 3].mean() > 2 * spectrum[1::2, 1].mean()


@pytest.mark.filterwarnings("ignore::gossamer.errors.GossamerWarning")
def test_the_run_is_scored_on_people_held_out(nights: Path, run: Path, tmp_path: Path) -> None:
    lighter = ("--quick", "--num-samples", "120", "--num-seeds", "1", "--num-workers", "1", "--allow-few-samples")
    scores = ("--out", str(tmp_path / "scores"), *lighter)
    assert main(["evaluate", str(run), "--data", str(nights), *READ, *scores]) == 0
