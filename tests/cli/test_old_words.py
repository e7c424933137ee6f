"""`gossamer help WORD`: words of the published program and of the study lead to the command that stands for them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli.main import VERBS
from gossamer.cli.old_words import OLD_WORDS, PAGE, explain
from gossamer.data.npz import load_npz
from gossamer.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("word", OLD_WORDS)
def test_an_old_word_is_answered_by_the_command_and_found_on_the_page(gossamer: Any, word: str) -> None:
    said = gossamer("help", word)
    assert said.code == 0
    assert OLD_WORDS[word].command in said.out
    assert PAGE in said.out
    assert word in (ROOT / PAGE).read_text(encoding="utf-8").lower(), "a search of the site finds it there"


@pytest.mark.parametrize("word", OLD_WORDS)
def test_the_command_of_an_old_word_is_one(gossamer: Any, word: str) -> None:
    words = shlex.split(OLD_WORDS[word].command)
    if words[0] != "gossamer":
        assert words[0] in ("torchrun", "docker")
        return
    _, verb, *rest = words
    assert verb in VERBS
    chosen = rest[:1] if verb in ("train", "account", "encoder", "data") else []
    if [verb, *chosen] == ["data", "list"]:
        return
    shown = gossamer(verb, *chosen, "--help").out
    assert all(flag in shown for flag in rest if flag.startswith("--"))
    assert not {"--epsilon", "--noise-multiplier"} <= set(rest), "they exclude each other"


def test_a_path_and_a_slip_are_understood_and_other_words_are_not() -> None:
    assert explain("source/pretrain.sh") == explain("pretrain.sh")
    assert explain("meta-start") == explain("meta_start")
    assert explain("zebra") is None


def test_help_on_a_command_stays_its_help(gossamer: Any) -> None:
    assert gossamer("help", "sample").out == gossamer("sample", "--help").out
    assert gossamer("help", "zebra").code == 2


def test_samples_of_the_published_program_are_read_as_they_are(tmp_path: Path) -> None:
    """`data_x` with channels last, float32 in [0, 1], and `data_y` as int64."""
    x = np.random.default_rng(0).random((40, 28, 28, 1), dtype=np.float32)
    np.savez_compressed(tmp_path / "gen_data.npz", data_x=x, data_y=np.arange(40) % 10)
    train = load_npz(tmp_path / "gen_data.npz").train
    np.testing.assert_array_equal(train.x.numpy(), np.moveaxis(x, -1, 1))
    assert train.y is not None
    assert train.y.tolist() == [number % 10 for number in range(40)]


@pytest.mark.parametrize("name", ["netG.pth", "params.pkl"])
def test_a_pickled_file_is_never_opened(gossamer: Any, tmp_path: Path, name: str) -> None:
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return pytest.fail, ("code in a file was run",)

    file = tmp_path / name
    file.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(BaseException, match="code in a file was run"):
        pickle.loads(file.read_bytes())
    for words in (("verify", file), ("sample", file, "--num-samples", 1, "--out", tmp_path / "x.npz")):
        assert gossamer(*words).code == 2
    with pytest.raises(InputError):
        load_npz(file)
