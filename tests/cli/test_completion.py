"""`gossamer completion`: what the scripts complete, in the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gossamer.cli.completion import SHELLS, read_calls, script
from gossamer.cli.main import VERBS
from gossamer.methods.catalogue import METHODS

CASES = [
    ("tr", ["train"]),
    ("train dp-m", ["dp-merf", "dp-mixture"]),
    ("train gs-wgan --dev", ["--device"]),
    ("train gs-wgan --device c", ["cpu", "cuda"]),
    ("train dp-mixture --data mni", ["mnist5k", "mnist"]),
    ("train gs-wgan --recipe digits-c", ["digits-cpu"]),
    ("train gs-wgan --generator.rad", ["--generator.radius"]),
    ("data desc", ["describe"]),
    ("data describe digi", ["digits"]),
    ("account dp-cgan --num-sl", ["--num-slots"]),
    ("audit mem", ["membership"]),
    ("evaluate --qui", ["--quick"]),
    ("completion f", ["fish"]),
    ("resume my-r", ["my-run"]),
    ("sample my-run --out own-f", ["own-file.npz"]),
    ("evaluate my-run --num-seeds my-r", []),
    ("zzz", []),
]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: Any, gossamer: Any) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("completion")
    (folder / "my-run").mkdir()
    (folder / "own-file.npz").touch()
    said = gossamer("completion", "bash")
    assert said.code == 0
    assert said.err == ""
    first, _, text = said.out.partition("\n")
    assert SHELLS["bash"] in first
    calls = read_calls()
    assert script("bash", calls) == text.rstrip("\n")
    found = {shell: folder / f"gossamer.{shell}" for shell in SHELLS}
    for shell, path in found.items():
        path.write_text(script(shell, calls))
    return found


def ask(script: Path, code: str, shell: str) -> list[list[str]]:
    done = subprocess.run(
        [shell, *(["--norc", "--noprofile"] if shell == "bash" else ["--no-config"]), "-c", code],
        capture_output=True, text=True, cwd=script.parent, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [block.split() for block in done.stdout.split("--next--\n")[1:]]


def test_bash_completes_commands_methods_options_words_recipes_data_and_paths(scripts: dict[str, Path]) -> None:
    lines = [f"source {scripts['bash']}", "complete -p gossamer >/dev/null || exit 1"]
    lines += ['try() { COMP_WORDS=(gossamer "$@"); COMP_CWORD=$#; _gossamer; echo --next--; echo "${COMPREPLY[*]}"; }']
    lines += [f"try {line}" for line, _ in CASES]
    lines += ["try train dp-mixture --data = mni", "try train gs-wgan --device = cu", "try ''"]
    found = ask(scripts["bash"], "\n".join(lines), "bash")
    assert dict(zip((line for line, _ in CASES), found)) == dict(CASES)
    assert found[len(CASES) :] == [["mnist5k", "mnist"], ["cuda"], [*VERBS, "help"]]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_the_same(scripts: dict[str, Path]) -> None:
    lines = [f"source {scripts['fish']}"]
    lines += [f"echo --next--; complete -C 'gossamer {line}' | cut -f 1" for line, _ in CASES[:-5]]
    found = ask(scripts["fish"], "\n".join(lines), "fish")
    assert dict(zip((line for line, _ in CASES[:-5]), found)) == dict(CASES[:-5])


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_reads_the_script_and_knows_the_command(scripts: dict[str, Path]) -> None:
    code = f"autoload -Uz compinit; compinit -u -D; source {scripts['zsh']}; print -r -- $_comps[gossamer]"
    done = subprocess.run(
        ["zsh", "-f", "-c", code], capture_output=True, text=True, cwd=scripts["zsh"].parent, check=False, timeout=60
    )
    assert "_gossamer" in done.stdout, done.stderr


def test_every_command_and_every_recipe_is_in_the_script(scripts: dict[str, Path]) -> None:
    text = scripts["bash"].read_text()
    calls = read_calls()
    assert {call.words[0] for call in calls} == set(VERBS)
    assert all(
        "--help" in [option.flag for option in call.options]
        for call in calls
        if call.words[0] != "completion" and call.name != "data list"
    )
    for method in METHODS:
        assert f"'train {method.name} --recipe'" in text
        assert all(recipe.name in text for recipe in method.recipes)


def test_a_word_that_is_not_offered_would_be_noticed(scripts: dict[str, Path]) -> None:
    code = f"source {scripts['bash']}; COMP_WORDS=(gossamer train x); COMP_CWORD=2; _gossamer; echo --next--; "
    assert ask(scripts["bash"], code + 'echo "${COMPREPLY[*]}"', "bash") == [[]]
