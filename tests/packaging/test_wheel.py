"""The built wheel, alone in an empty environment: the command works with only what it asks for."""

from __future__ import annotations

import email
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from .project import DEPENDENCIES, ROOT, canonical, names_of

pytestmark = pytest.mark.slow


def ran(words: Sequence[str | Path], place: Path, *, code: int = 0) -> str:
    """What a command says; it must end with a code."""
    # What developers have in their environment must not be found.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment |= {"OMP_NUM_THREADS": "1", "GOSSAMER_CACHE": str(place / "cache")}
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist: those of `make build` that came of this tree just before, or made now."""
    if "GOSSAMER_DIST" in os.environ:
        folder = Path(os.environ["GOSSAMER_DIST"])
    else:
        folder = tmp_path_factory.mktemp("dist")
        ran([sys.executable, "-m", "build", "--outdir", folder, ROOT], ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def empty(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel and what it asks for."""
    place = tmp_path_factory.mktemp("empty")
    ran([sys.executable, "-m", "venv", "--without-pip", place / "venv"], place)
    python, lock = place / "venv" / "bin" / "python", ROOT / "lock.txt"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    ran([*pip, "--constraint", lock, built[0]], place)
    return python.parent


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, size=(60, 8, 8), dtype=np.uint8)
    np.savez_compressed(place / "scans.npz", x=x, y=rng.integers(0, 3, size=60))
    return place


def test_both_pass_the_checks_of_an_index(built: tuple[Path, Path]) -> None:
    assert "PASSED" in ran([sys.executable, "-m", "twine", "check", "--strict", *built], ROOT)


def test_the_wheel_holds_the_package_whole_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    here = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert names == {name for name in here if "__pycache__" not in name and ".egg-info" not in name}
    assert "gossamer/py.typed" in names


def test_the_wheel_asks_for_the_bare_install_alone(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(wheel.read(name))
    asked = map(Requirement, told.get_all("Requires-Dist", []))
    bare = {one.name for one in asked if one.marker is None or "extra" not in str(one.marker)}
    assert bare == {canonical(Requirement(one).name) for one in DEPENDENCIES}
    assert told["License-Expression"] == "MIT"


def test_the_sdist_brings_what_tests_and_image_need_and_no_build(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"lock.txt", "Makefile", "Dockerfile", "compose.yaml", "tests/packaging/test_wheel.py", "LICENSE"} <= names
    assert not [name for name in names if name.startswith((".venv", "runs/", "build/", ".git/"))]


def test_the_version_is_that_of_the_files_name(built: tuple[Path, Path], empty: Path, place: Path) -> None:
    version = built[0].name.split("-")[1]
    assert re.match(r"\d+\.\d+", version)
    assert ran([empty / "gossamer", "--version"], place).strip() == version


def test_the_environment_has_no_module_of_any_extra(empty: Path, place: Path) -> None:
    listed = ran([sys.executable, "-m", "pip", "--python", empty / "python", "list", "--format=freeze"], place)
    installed = {canonical(line.partition("==")[0]) for line in listed.splitlines()}
    # torch brings jinja2 along.
    assert installed & names_of("all") <= {"jinja2"}


def test_it_trains_samples_accounts_and_verifies(empty: Path, place: Path) -> None:
    gossamer = empty / "gossamer"
    scans = ["--data", "scans.npz", "--num-classes", "3"]
    tiny = ["--num-steps", "2", "--num-critics", "6", "--batch-size", "4", "--draws-per-step", "4"]
    assert "verify" in ran([gossamer, "--help"], place)
    ran([gossamer, "account", "gs-wgan", "--num-critics", "1000", "--epsilon", "10", "--num-steps", "200"], place)
    ran([gossamer, "train", "dp-mixture", *scans, "--epsilon", "1", "--out", "one"], place)
    ran([gossamer, "train", "gs-wgan", *scans, *tiny, "--epsilon", "10", "--out", "many"], place)
    for run in ("one", "many"):
        ran([gossamer, "sample", run, "--num-samples", "30", "--out", f"{run}.npz"], place)
        ran([gossamer, "verify", run], place)
        assert np.load(place / f"{run}.npz")["x"].shape[0] == 30


def test_an_example_runs_on_a_folder_of_pictures(empty: Path, place: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("left", "right"):
        (place / "scans" / name).mkdir(parents=True)
        for number in range(30):
            Image.fromarray(rng.integers(0, 256, size=(8, 8), dtype=np.uint8)).save(
                place / "scans" / name / f"{number}.png"
            )
    ran([empty / "python", ROOT / "examples" / "your_images.py", "scans", "out", "--epsilon", "2"], place)
    assert (place / "out" / "PRIVACY.md").is_file()
    ran([empty / "gossamer", "sample", "out/generator.safetensors", "--num-samples", "9", "--out", "nine.png"], place)


def test_what_needs_an_extra_says_which(empty: Path, place: Path) -> None:
    told = ran(
        [empty / "gossamer", "evaluate", "scans.npz", "--data", "scans.npz", "--num-classes", "3"], place, code=2
    )
    assert told.strip().endswith("pip install 'gossamer[evaluate]'")
    assert len(told.splitlines()) == 1


def test_the_empty_environment_is_not_this_one(empty: Path, place: Path) -> None:
    where = ran([empty / "python", "-c", "import gossamer; print(gossamer.__file__)"], place)
    assert str(empty.parent) in where
    assert importlib.util.find_spec("sklearn") is not None
