"""The cache: found by content, private, and never a reason to fail."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from gossamer.errors import InputError, ResourceError
from gossamer.runs import cache as cache_module
from gossamer.runs.cache import CacheFolder, content_key

KEY = content_key({"x": np.arange(3.0)}, {"seed": 0})
TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(7)}


@pytest.fixture
def cache(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "cache" / "private")


def test_json_comes_back_as_it_was(cache: CacheFolder) -> None:
    tree = {"a": [1, 2.5, None, True], "b": {"c": "é"}}
    cache.save_json("real-on-real", KEY, tree)
    assert cache.load_json("real-on-real", KEY) == tree


def test_tensors_come_back_with_their_tree(cache: CacheFolder) -> None:
    cache.save_tensors("encoder", KEY, TENSORS, {"seed": 0})
    found = cache.load_tensors("encoder", KEY)
    assert found is not None
    tensors, tree = found
    assert tree == {"seed": 0}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_tensors_saved_twice_are_one_file_and_those_of_an_earlier_version_are_read(cache: CacheFolder) -> None:
    path = cache.save_tensors("encoder", KEY, TENSORS, {"seed": 0})
    content = path.read_bytes()
    assert {cache.save_tensors("encoder", KEY, TENSORS, {"seed": 0}).read_bytes() for _ in range(20)} == {content}
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["gossamer"])
    safetensors.torch.save_file(TENSORS, path, metadata=header)
    assert path.read_bytes() != content
    found = cache.load_tensors("encoder", KEY)
    assert found is not None
    assert found[1] == {"seed": 0}
    safetensors.torch.save_file(TENSORS, path, metadata={"gossamer": "[]"})
    assert cache.load_tensors("encoder", KEY) is None


def test_what_was_never_saved_is_absent(cache: CacheFolder) -> None:
    assert cache.load_json("real-on-real", KEY) is None
    assert cache.load_tensors("encoder", KEY) is None
    assert not cache.path.exists()


def test_kinds_and_keys_are_kept_apart(cache: CacheFolder) -> None:
    other = content_key({}, None)
    cache.save_json("one", KEY, 1)
    cache.save_json("two", KEY, 2)
    cache.save_json("one", other, 3)
    assert [cache.load_json(*entry) for entry in (("one", KEY), ("two", KEY), ("one", other))] == [1, 2, 3]
    assert cache.load_json("two", other) is None


def test_the_folder_is_closed_to_others_and_says_that_it_is_private(cache: CacheFolder) -> None:
    cache.path.mkdir(parents=True, mode=0o755)
    cache.save_json("one", KEY, 1)
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o700
    words = (cache.path / "README").read_text()
    assert all(word in words for word in ("Private", "Never share", "deleted at any time"))


def test_no_partial_file_stays_behind(cache: CacheFolder) -> None:
    cache.save_json("one", KEY, 1)
    cache.save_tensors("two", KEY, TENSORS, None)
    assert sorted(path.name for path in cache.path.iterdir()) == [
        "README", f"one-{KEY}.json", f"two-{KEY}.safetensors",
    ]  # fmt: skip


def damaged(content: bytes, how: str) -> bytes:
    match how:
        case "empty":
            return b""
        case "cut":
            return content[: len(content) // 2]
        case "one bit":
            place = len(content) - 5
            return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        case "another program's":
            return b'["not ours"]'
        case _:
            return content.replace(cache_module.FORMAT.encode(), b"gossamer-cache-0")


@pytest.mark.parametrize("how", ["empty", "cut", "one bit", "another program's", "another version's"])
def test_a_damaged_or_foreign_file_counts_as_absent_and_can_be_replaced(cache: CacheFolder, how: str) -> None:
    for path in (cache.save_json("one", KEY, [1.25, 2]), cache.save_tensors("two", KEY, TENSORS, {"a": 1})):
        path.write_bytes(damaged(path.read_bytes(), how))
    assert cache.load_json("one", KEY) is None
    assert cache.load_tensors("two", KEY) is None
    cache.save_json("one", KEY, [1.25, 2])
    assert cache.load_json("one", KEY) == [1.25, 2]


def test_a_changed_number_is_noticed(cache: CacheFolder) -> None:
    path = cache.save_json("one", KEY, {"accuracy": 0.25})
    path.write_text(path.read_text().replace("0.25", "0.75"))
    assert "0.75" in path.read_text()
    assert cache.load_json("one", KEY) is None


def test_a_file_under_another_name_is_not_taken(cache: CacheFolder) -> None:
    other = content_key({}, 1)
    cache.save_json("one", KEY, 1).rename(cache.file("one", other, ".json"))
    cache.save_tensors("two", KEY, TENSORS, 1).rename(cache.file("two", other, ".safetensors"))
    assert cache.load_json("one", other) is None
    assert cache.load_tensors("two", other) is None


def test_a_folder_in_the_place_of_a_file_counts_as_absent(cache: CacheFolder) -> None:
    for path in (cache.file("one", KEY, ".json"), cache.file("one", KEY, ".safetensors")):
        path.mkdir(parents=True)
    assert cache.load_json("one", KEY) is None
    assert cache.load_tensors("one", KEY) is None


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="GOSSAMER_CACHE") as error:
        CacheFolder(tmp_path / "file" / "private").save_json("one", KEY, 1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("tree", [{"a": float("nan")}, {"a": np.zeros(2)}, {"a": {1, 2}}])
def test_what_json_cannot_hold_is_refused(cache: CacheFolder, tree: Any) -> None:
    with pytest.raises(InputError, match="JSON"):
        cache.save_json("one", KEY, tree)
    assert not cache.path.exists()


@pytest.mark.parametrize(("kind", "key"), [("../one", KEY), ("One", KEY), ("one", "../" + KEY), ("one", KEY[:-1])])
def test_a_name_cannot_lead_out_of_the_folder(cache: CacheFolder, kind: str, key: str) -> None:
    with pytest.raises(InputError, match="cache entry"):
        cache.file(kind, key, ".json")


def test_two_writers_at_once_leave_a_whole_file(cache: CacheFolder) -> None:
    cache.prepare()
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                cache.save_json("one", KEY, [number] * 1000)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert cache.load_json("one", KEY) in [[number] * 1000 for number in range(3)]


def key_of(x: Any = None, y: Any = None, tree: Any = None) -> str:
    x = np.arange(6, dtype=np.float32).reshape(2, 3) if x is None else x
    return content_key({"x": x, "y": np.array([0, 1]) if y is None else y}, {"seed": 0} if tree is None else tree)


def test_equal_content_has_an_equal_key_whatever_its_layout_in_memory() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert key_of() == key_of(x.copy(order="F"))
    assert content_key({"x": x, "y": x}, {"a": 1, "b": 2}) == content_key({"y": x, "x": x}, {"b": 2, "a": 1})


@pytest.mark.parametrize(
    "other",
    [
        key_of(x=np.arange(6, dtype=np.float64).reshape(2, 3)),
        key_of(x=np.arange(6, dtype=np.float32).reshape(3, 2)),
        key_of(x=np.arange(6, dtype=np.float32).reshape(2, 3) + np.float32(1e-6)),
        key_of(y=np.array([1, 0])),
        key_of(tree={"seed": 1}),
    ],
)
def test_any_change_of_records_or_settings_changes_the_key(other: str) -> None:
    assert other != key_of()


def test_another_version_of_torch_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of()
    monkeypatch.setattr(cache_module.metadata, "version", lambda name: "0")
    assert key_of() != before


def test_arrays_of_objects_have_no_key() -> None:
    with pytest.raises(InputError, match="Python objects"):
        content_key({"x": np.array([None])}, {})


@pytest.mark.parametrize(
    ("gossamer_cache", "xdg", "expected"),
    [
        ("/some/where", "/other", "/some/where/private"),
        (None, "/other", "/other/gossamer/private"),
        (None, None, "/home/one/.cache/gossamer/private"),
        ("", "", "/home/one/.cache/gossamer/private"),
    ],
)
def test_where_it_is_by_default(
    monkeypatch: pytest.MonkeyPatch, gossamer_cache: str | None, xdg: str | None, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/one")
    for name, value in (("GOSSAMER_CACHE", gossamer_cache), ("XDG_CACHE_HOME", xdg)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert CacheFolder.default().path == Path(expected)


def test_entries_are_readable_json(cache: CacheFolder) -> None:
    envelope = json.loads(cache.save_json("one", KEY, {"a": 1}).read_text())
    assert (envelope["format"], envelope["kind"], envelope["key"]) == (cache_module.FORMAT, "one", KEY)
