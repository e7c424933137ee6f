"""The short examples and the notebook run to their end with short recipes, and use nothing that is not public."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import gossamer

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _short(short_recipes: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A few steps in place of hundreds, and a folder to work in."""
    monkeypatch.setenv("GOSSAMER_EXAMPLE_STEPS", "5")
    monkeypatch.chdir(tmp_path)


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def test_the_digits_example_leaves_a_generator_and_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_example("digits").main(tmp_path / "out")
    assert "-differentially private for one record" in capsys.readouterr().out
    with np.load(tmp_path / "out" / "samples.npz") as samples:
        assert samples["x"].shape == (1000, 1, 8, 8)
    assert gossamer.load(tmp_path / "out" / "generator.safetensors").statement.epsilon <= 10


def test_the_loop_example_prices_trains_and_samples(capsys: pytest.CaptureFixture[str]) -> None:
    load_example("own_loop").main()
    said = capsys.readouterr().out
    assert "for epsilon 9.99" in said
    assert "generator: 5 of 5" in said
    assert "100 images, 10 classes: (10.000, 1e-05)-differentially private for one record" in said


def test_the_user_level_example_prints_what_is_proved_beside_the_formula_of_the_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load_example("one_critic_a_person")
    formula, secret, known = example.paper().values()
    assert (formula, secret, known) == tuple(pytest.approx(epsilon, rel=0.01) for epsilon in (9.993, 346.7, 379.4))
    statement = example.trained(tmp_path)  # five steps learn nothing, as the verdict says
    assert "The 469 people are those on a list of names" in capsys.readouterr().out
    assert (statement.unit.value, statement.num_slots) == ("person", 469)
    assert 9.9 < statement.epsilon <= 10
    assert statement.published_epsilon < 1


def test_the_folder_example_turns_png_files_into_others_of_the_same_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        place = tmp_path / "scans" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, size=(9, 7, 3), dtype=np.uint8)).save(place / f"{number}.png")
    load_example("your_images").main(tmp_path / "scans", tmp_path / "out", 5.0)
    assert "40 images" in capsys.readouterr().out
    again = gossamer.load_records(str(tmp_path / "out" / "samples")).train
    assert (again.num_records, again.spec.shape, again.spec.class_names) == (40, (3, 9, 7), ("cat", "dog"))
    released = gossamer.load(tmp_path / "out" / "generator.safetensors")
    assert (tmp_path / "out" / "PRIVACY.md").read_text(encoding="utf-8") == released.statement.to_markdown()


def test_the_series_example_as_it_is_typed_writes_a_table_of_the_same_columns(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "series.py")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2400 series" in done.stdout
    lines = (tmp_path / "synthetic-beats.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2401
    assert lines[0].split(",") == [*(f"t{time}" for time in range(96)), "kind"]
    beat = [float(value) for value in lines[1].split(",")[:-1]]
    assert -1 <= min(beat) < max(beat) <= 2
    assert max(beat) > 0.3, "an R peak, in millivolts"
    assert gossamer.load(tmp_path / "synthetic-beats.safetensors").spec.class_names == ("normal", "early", "wide")


def test_the_comparison_scores_three_methods_below_real_images(capsys: pytest.CaptureFixture[str]) -> None:
    load_example("compare_methods").main()
    rows = [line.replace(",", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["real", "GSWGAN", "DPMixture", "DPMERF"]
    real, *others = (float(row[1 + (row[0] == "real")]) for row in rows)
    assert real > 0.9
    assert max(others) < real


def test_the_loader_example_trains_a_network_on_the_view(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOSSAMER_EXAMPLE_STEPS", "120")
    load_example("dataloader").main()
    said = capsys.readouterr().out
    # A tenth is what guessing reads.
    assert int(said.partition("%")[0]) > 25
    assert "network that saw none; (1.000, 1e-05)-differentially private" in said


def notebook() -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "examples" / "first_steps.ipynb", as_version=4)


def test_the_notebook_runs_as_it_stands_but_for_its_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = notebook()
    (fitting,) = (cell for cell in book.cells if "num_fit_steps=300" in cell.source)
    fitting.source = fitting.source.replace("num_fit_steps=300", "num_fit_steps=5")
    with warnings.catch_warnings():
        # What Jupyter's client says of its own event loop and sockets.
        warnings.simplefilter("ignore")
        NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "taught by real digits:      0.9" in str(outputs)


def test_the_notebook_is_stored_with_small_outputs_of_a_run_from_top_to_bottom() -> None:
    codes = [cell for cell in notebook().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in codes] == list(range(1, 1 + len(codes)))
    assert not [output for cell in codes for output in cell.outputs if output.output_type in ("error", "stderr")]
    assert (ROOT / "examples" / "first_steps.ipynb").stat().st_size < 120_000
    assert sum(len(cell.source.splitlines()) for cell in codes) < 60


def test_examples_use_public_names_alone() -> None:
    larger = {"study", "heartbeats", "published_claims", "sites_by_flower", "one_critic_a_person"}
    sources = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.py")}
    sources["first_steps"] = "\n".join(cell.source for cell in notebook().cells if cell.cell_type == "code")
    for name in sources.keys() - larger:
        found = re.findall(r"^(?:from|import) gossamer(\.\S+)? ?(?:import )?(.*)$", sources[name], re.MULTILINE)
        assert found, name
        for module, names in found:
            assert not module, f"{name}: gossamer{module}"
            assert set(names.split(", ")) <= set(gossamer.__all__), name
