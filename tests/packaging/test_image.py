"""Dockerfile and compose.yaml beside the project that they package; `dockerfile.py` runs the steps themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from gossamer.cli.main import VERBS

from .dockerfile import Stage, stages
from .project import EXTRAS, PROJECT, ROOT

BUILD, FINAL = stages()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_hadolint_finds_nothing() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


def test_hadolint_finds_a_planted_fault() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("FROM python:3.11-slim\n", "FROM python\n")
    found = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "-"], input=text, capture_output=True, text=True, check=False
    )
    assert "DL3006" in found.stdout


def test_both_stages_are_one_python_that_the_project_runs_on() -> None:
    assert BUILD.base == FINAL.base
    version = re.fullmatch(r"python:(\d\.\d+)-slim", FINAL.base)
    assert version is not None
    assert SpecifierSet(PROJECT["requires-python"]).contains(version[1])


def test_the_image_installs_extras_that_exist_at_the_versions_of_the_lock() -> None:
    extras = next(one.pairs()["EXTRAS"] for one in BUILD.all("ARG") if one.text.startswith("EXTRAS"))
    assert set(extras.split(",")) <= EXTRAS.keys()
    (install,) = (one.text for one in BUILD.all("RUN") if " install " in one.text and "pip" in one.text)
    assert "--constraint lock.txt" in install
    assert '".[${EXTRAS}]"' in install


def test_what_the_image_is_built_from_is_there_and_nothing_else_is_sent() -> None:
    sent = {name for one in BUILD.all("COPY") for name in one.words()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert all((ROOT / name).exists() for name in sent)
    assert ignored[1] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == sent


def test_the_image_runs_as_nobody_in_particular() -> None:
    user = FINAL.all("USER")[-1].text
    assert not user.startswith(("root", "0"))
    assert FINAL.instructions.index(FINAL.all("USER")[-1]) > FINAL.instructions.index(FINAL.all("RUN")[-1])


@pytest.mark.parametrize("stage", [BUILD, FINAL], ids=["build", "final"])
def test_no_stage_names_a_host_or_a_secret(stage: Stage) -> None:
    text = " ".join(one.text for one in stage.instructions)
    assert not re.search(r"://|password|token", text, re.IGNORECASE)


def test_data_and_runs_are_volumes_where_the_program_looks_for_them() -> None:
    (volumes,) = FINAL.all("VOLUME")
    settings = {name: value for one in FINAL.all("ENV") for name, value in one.pairs().items()}
    data, runs = volumes.words()
    assert settings["GOSSAMER_DATA"] == data
    assert settings["GOSSAMER_CACHE"].startswith(f"{runs}/")
    assert {data, runs} == {f"{FINAL.all('WORKDIR')[-1].text}/{name}" for name in ("data", "runs")}


def test_services_train_and_evaluate_by_commands_that_exist() -> None:
    assert {"train", "evaluate"} <= SERVICES.keys()
    for name, service in SERVICES.items():
        program, *verb = service.get("entrypoint", FINAL.all("ENTRYPOINT")[0].words())
        assert program == "gossamer", name
        assert set(verb) <= VERBS.keys(), name
        assert all(isinstance(word, str) for word in service.get("command", [])), name


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reaches_no_network_and_writes_to_the_runs_alone(name: str) -> None:
    service = SERVICES[name]
    assert service["network_mode"] == "none"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith(("0", "root"))
    data, runs = (volume.rsplit("}:", 1)[1] for volume in service["volumes"])
    assert (data, runs) == ("/work/data:ro", "/work/runs")


def test_services_know_only_keys_of_compose() -> None:
    known = {
        "build", "cap_drop", "command", "entrypoint", "image", "network_mode", "profiles", "read_only", "security_opt",
        "shm_size", "tmpfs", "user", "volumes",
    }  # fmt: skip
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"name", "services"}
    for service in SERVICES.values():
        assert service.keys() <= known
        arguments = {name for one in BUILD.all("ARG") for name in one.pairs()}
        assert service["build"]["args"].keys() <= arguments
