"""What the bare install can do, and what it says where an extra is missing."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement

from gossamer.errors import InputError
from gossamer.extras import MODULES, MissingExtra, from_extra, need

from .project import DEPENDENCIES, EXTRAS, ROOT, imported_name, names_of

SOURCE = ROOT / "src" / "gossamer"
CORE = {imported_name(Requirement(one)) for one in DEPENDENCIES}
# Files that draw with matplotlib live here, and are themselves imported only where something is drawn.
DRAWING = "gossamer.reports."
APART = {"inception", "federated"}
"""Extras that are in no other: what they ask for has no build for every machine, or does not suit lock.txt."""


def bare(argument: str, place: Path) -> str:
    """What `bare.py` prints, run in a folder."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GOSSAMER_CACHE": str(place / "cache")}
    command = [sys.executable, str(Path(__file__).with_name("bare.py")), argument]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bare_commands(commands: Sequence[Sequence[str]], place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bare(json.dumps(commands), place).splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with images and with series, as NPZ."""
    rng = np.random.default_rng(0)
    np.savez_compressed(
        tmp_path / "scans.npz", x=rng.integers(0, 256, size=(60, 8, 8), dtype=np.uint8), y=rng.integers(0, 3, size=60)
    )
    (tmp_path / "table.csv").write_text("a,b\n0.1,0.2\n0.3,0.4\n")
    return tmp_path


def test_loading_any_module_needs_no_extra_but_where_pictures_are_drawn(tmp_path: Path) -> None:
    asked = json.loads(bare("imports", tmp_path))
    assert set(asked.values()) == {"matplotlib"}
    assert all(name.startswith(DRAWING) for name in asked), asked


def test_the_bare_install_trains_samples_accounts_and_verifies_images(place: Path) -> None:
    done = bare_commands(
        [
            ["--version"],
            ["data", "list"],
            ["doctor"],
            ["data", "describe", "scans.npz", "--num-classes", "3"],
            ["account", "dp-merf", "--epsilon", "1"],
            ["train", "dp-mixture", "--data", "scans.npz", "--num-classes", "3", "--epsilon", "1", "--out", "run"],
            ["sample", "run", "--num-samples", "20", "--out", "made.npz"],
            ["sample", "run", "--num-samples", "20", "--out", "made.png"],
            ["sample", "run", "--num-samples", "20", "--out", "made"],
            ["ledger", "run"],
            ["verify", "run"],
            ["verify", "run/release"],
        ],
        place,
    )
    assert [one["code"] for one in done] == [0] * len(done), done
    assert (place / "run" / "release" / "samples" / "grid.png").is_file()


def test_the_bare_install_trains_on_series_and_says_what_would_draw_them(place: Path) -> None:
    train, sample, picture, verify = bare_commands(
        [
            ["train", "dp-mixture", "--data", "beats", "--epsilon", "1", "--out", "run"],
            ["sample", "run", "--num-samples", "20", "--out", "made.npz"],
            ["sample", "run", "--num-samples", "20", "--out", "made.png"],
            ["verify", "run"],
        ],
        place,
    )
    assert [train["code"], sample["code"], verify["code"]] == [0, 0, 0], (train, sample, verify)
    assert "the release has no grid.png" in train["out"] + train["err"]
    assert picture["code"] == 2
    assert "matplotlib" in picture["err"]
    assert "gossamer[series]" in picture["err"]


def test_what_needs_an_extra_says_so_in_one_line(place: Path) -> None:
    series = ["--value-columns", "a,b", "--low", "0", "--high", "1", "--length", "2"]
    asking = [
        ("evaluate", ["demo"]),
        ("evaluate", ["data", "describe", "digits"]),
        ("evaluate", ["evaluate", "scans.npz", "--data", "scans.npz", "--num-classes", "3", "--quick"]),
        ("evaluate", ["compare", "scans.npz", "scans.npz", "--data", "scans.npz", "--num-classes", "3"]),
        ("evaluate", ["audit", "membership", "run"]),
        ("report", ["report", "run"]),
        ("tensorboard", ["train", "dp-mixture", "--data", "beats", "--epsilon", "1", "--out", "run", "--tensorboard"]),
        ("series", ["data", "describe", "table.csv", *series]),
        ("federated", ["federate", "gather", "plan.json", "--certificate", "a", "--key", "b", "--authority", "c"]),
    ]
    for (extra, command), done in zip(asking, bare_commands([command for _, command in asking], place), strict=True):
        assert done["code"] == 2, command
        assert len(done["err"].splitlines()) == 1, command
        assert done["err"].rstrip().endswith(f"pip install 'gossamer[{extra}]'"), (command, done["err"])
    assert not (place / "run").exists()


def test_every_extra_is_declared_with_just_the_modules_that_it_brings() -> None:
    for extra, modules in MODULES.items():
        assert {imported_name(Requirement(one)) for one in EXTRAS[extra]} == set(modules)


def test_all_is_every_extra_that_an_index_can_serve_and_dev_is_all_and_more() -> None:
    assert names_of("all") == set().union(*(names_of(extra) for extra in MODULES if extra not in APART))
    assert names_of("all") < names_of("dev")


def test_a_block_imports_only_what_its_extra_brings() -> None:
    found = 0
    for path, extra, block in blocks():
        for name in imports(block):
            assert name in {*MODULES[extra], *CORE, "gossamer"}, f"{path}: {name} is not of the extra {extra}"
            found += 1
    assert found > 5


def test_what_files_import_at_the_top_comes_with_the_bare_install() -> None:
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        tops = {name for node in ast.parse(path.read_text()).body for name in imports_at_load(node)}
        foreign = tops - CORE - {"gossamer"} - set(sys.stdlib_module_names)
        assert foreign <= ({"matplotlib"} if name.startswith(DRAWING) else set()), path


def test_every_package_of_the_bare_install_is_imported_somewhere() -> None:
    used = {name for path in SOURCE.rglob("*.py") for name in imports(ast.parse(path.read_text()))}
    assert used >= CORE


def test_a_missing_module_is_asked_for_by_the_name_that_pip_knows() -> None:
    words = r"^scores needs scikit-learn, .*: pip install 'gossamer\[evaluate\]'$"
    with pytest.raises(MissingExtra, match=words) as told, from_extra("evaluate", "scores"):
        raise ModuleNotFoundError("No module named 'sklearn.svm'", name="sklearn.svm")
    assert isinstance(told.value, InputError)
    assert told.value.exit_code == 2


def test_a_fault_inside_gossamer_is_not_taken_for_a_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError), from_extra("evaluate", "scores"):
        import gossamer.no_such_module  # noqa: F401


def test_need_is_content_where_everything_is_installed() -> None:
    for extra in MODULES:
        if extra != "federated":
            need(extra, "this test")


def blocks() -> Iterator[tuple[Path, Any, ast.With]]:
    """Every `with from_extra(...)` of the source: file, extra, block."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.With):
                call = node.items[0].context_expr
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "from_extra":
                    assert isinstance(call.args[0], ast.Constant)
                    yield path, call.args[0].value, node


def imports(tree: ast.AST) -> Iterator[str]:
    """Names of the top packages that a piece of code imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module.partition(".")[0]


def imports_at_load(node: ast.stmt) -> Iterator[str]:
    """The same for what runs when a file is loaded: nothing in functions, nothing that is for type checkers alone."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from imports(node)
    elif isinstance(node, ast.If) and not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
        for part in (*node.body, *node.orelse):
            yield from imports_at_load(part)
