"""The zoo: every release in it is whole, checked before it is read, and true to its statement."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from gossamer.errors import GossamerError, InputError, PrivacyError
from gossamer.runs.manifest import MANIFEST
from gossamer.runs.zoo import INDEX, Zoo, ZooEntry, own_zoo, resolved

HERE = [entry.name for entry in own_zoo().entries if entry.manifest_sha256 is not None]
_MOST_BYTES = 10_000_000


@pytest.fixture
def zoo(tmp_path: Path) -> Zoo:
    """A copy of the index and of one release, which a test may change."""
    own = own_zoo()
    folder = tmp_path / "zoo"
    folder.mkdir()
    shutil.copy(own.folder / INDEX, folder / INDEX)
    shutil.copytree(own.folder / HERE[0], folder / HERE[0])
    return Zoo.read(folder)


def test_the_zoo_is_small_and_has_nothing_but_its_releases() -> None:
    folder = own_zoo().folder
    assert sorted(path.name for path in folder.iterdir()) == sorted([*HERE, INDEX])
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < _MOST_BYTES


@pytest.mark.parametrize("name", HERE)
def test_every_release_is_as_its_digests_say(name: str) -> None:
    folder = resolved(Path(f"zoo:{name}"))
    assert {path.suffix for path in folder.iterdir()} == {".md", ".json", ".safetensors"}


def test_a_path_that_is_no_name_of_the_zoo_stays_as_it_is(tmp_path: Path) -> None:
    assert resolved(tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["generator.safetensors", "privacy.json", "README.md", MANIFEST])
def test_another_file_in_its_place_is_refused(zoo: Zoo, name: str) -> None:
    file = zoo.folder / HERE[0] / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(PrivacyError, match="not the file that the zoo was made with"):
        zoo.checked(zoo.find(HERE[0]))


def test_a_manifest_that_fits_another_file_is_refused_too(zoo: Zoo) -> None:
    """Whoever changes a generator changes its manifest with it: the index has the manifest's own digest."""
    folder = zoo.folder / HERE[0]
    tree = json.loads((folder / MANIFEST).read_text())
    tree["sha256"]["generator.safetensors"] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(tree))
    with pytest.raises(PrivacyError):
        zoo.checked(zoo.find(HERE[0]))


def test_a_file_too_many_is_refused_and_never_opened(zoo: Zoo) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pytest.fail, ("code in a file was run",)

    (zoo.folder / HERE[0] / "netG.pth").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(PrivacyError, match="netG"):
        zoo.checked(zoo.find(HERE[0]))


def test_a_link_in_place_of_a_file_is_refused(zoo: Zoo, tmp_path: Path) -> None:
    file = zoo.folder / HERE[0] / "generator.safetensors"
    shutil.move(file, tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GossamerError):
        zoo.checked(zoo.find(HERE[0]))


def test_a_name_that_is_nearly_right_is_answered() -> None:
    with pytest.raises(InputError, match=f"perhaps zoo:{HERE[0]}"):
        own_zoo().find(HERE[0][:-1])
    with pytest.raises(InputError, match="gossamer zoo"):
        resolved(Path("zoo:../../etc"))


def test_what_is_not_in_the_package_says_how_to_train_it(zoo: Zoo) -> None:
    entry = ZooEntry(name="later", words=("gs-wgan", "--data", "mnist"), cpu_seconds=250)
    with pytest.raises(InputError, match="--rebuild later"):
        zoo.checked(entry)


@pytest.mark.parametrize(
    "changes",
    [{"name": "../x"}, {"words": []}, {"manifest_sha256": "x"}, {"surprise": 1}, {"words": [1]}],
)
def test_a_damaged_index_is_refused(zoo: Zoo, changes: dict[str, object]) -> None:
    tree = json.loads((zoo.folder / INDEX).read_text())
    tree["entries"][0] |= changes
    (zoo.folder / INDEX).write_text(json.dumps(tree))
    with pytest.raises(InputError, match=r"zoo\.json"):
        Zoo.read(zoo.folder)
