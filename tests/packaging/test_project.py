"""What pyproject.toml, lock.txt and the files around them promise each other."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from gossamer.cli.main import VERBS

from .project import DEPENDENCIES, EXTRAS, PROJECT, ROOT, canonical, locked, names_of

MADE_BY_INSTALL = {"opacus"}


WITH_FLOWER = ("federated", "evaluate")


@pytest.mark.parametrize("lock", ["lock.txt", "lock-federated.txt"])
def test_every_package_that_is_asked_for_is_locked_at_a_version_that_suits(lock: str) -> None:
    versions = locked(lock)
    extras = [name for name in EXTRAS if name != "federated"] if lock == "lock.txt" else WITH_FLOWER
    for one in [Requirement(one) for group in (DEPENDENCIES, *(EXTRAS[name] for name in extras)) for one in group]:
        if one.name != "gossamer" and (one.marker is None or one.marker.evaluate()):
            assert one.specifier.contains(versions[canonical(one.name)]), one


def test_flower_is_pinned_to_one_version_by_the_extra_and_by_its_lock() -> None:
    (flower,) = [one for one in map(Requirement, EXTRAS["federated"]) if one.name == "flwr"]
    assert str(flower.specifier) == f"=={locked('lock-federated.txt')['flwr']}"


def test_what_both_locks_name_differs_only_where_flower_asks_for_it() -> None:
    usual, other = locked(), locked("lock-federated.txt")
    differing = {name for name in usual.keys() & other.keys() if usual[name] != other[name]}
    assert differing == {"certifi", "packaging", "protobuf", "rich"}


@pytest.mark.parametrize("lock", ["lock.txt", "lock-federated.txt"])
def test_a_lock_is_sorted_plain_and_holds_no_package_twice(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert lines == sorted(lines, key=str.lower)
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert len(locked(lock)) == len(lines)


def test_the_bare_install_brings_none_of_what_extras_are_for() -> None:
    bare = {canonical(Requirement(one).name) for one in DEPENDENCIES}
    assert not bare & names_of("all")


def test_the_first_words_about_the_project_are_complete() -> None:
    assert (ROOT / PROJECT["readme"]).is_file()
    assert PROJECT["license"] in (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()[0]
    assert {"version", "license"} <= PROJECT.keys() | set(PROJECT["dynamic"])
    assert (ROOT / "src" / "gossamer" / "py.typed").is_file()
    assert sys.version_info[:2] in {(3, minor) for minor in range(11, 20)}
    assert SpecifierSet(PROJECT["requires-python"]).contains("3.11")


def test_citation_and_changes_speak_of_one_released_version() -> None:
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)", changes, re.MULTILINE)
    assert (None if cited is None else cited[1]) == (released[0] if released else None)


def test_make_says_what_every_target_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    told = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {line.split()[1] for line in told.stdout.splitlines()} == targets


def test_every_command_of_the_program_is_a_file_of_its_own() -> None:
    for verb in VERBS:
        assert (ROOT / "src" / "gossamer" / "cli" / f"{verb}.py").is_file()


@pytest.mark.parametrize("name", ["ci", "make"])
def test_scripts_name_no_host(name: str) -> None:
    text = (ROOT / {"ci": ".ci/run", "make": "Makefile"}[name]).read_text(encoding="utf-8")
    assert "://" not in text
