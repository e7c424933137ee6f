"""MNIST and Fashion-MNIST: found in every known layout, verified when downloaded, a clear line otherwise."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import http.server
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from gossamer.data import mnist, room
from gossamer.data.catalogue import load_records
from gossamer.data.downloads import PublishedFile
from gossamer.data.mnist import FASHION_MNIST, MNIST, IdxImages, load_idx_images
from gossamer.data.published import others_note
from gossamer.data.records import NOTHING_PUBLISHED, PublishedCounts
from gossamer.data.room import Disk

CONTENT = {
    "train-images-idx3-ubyte.gz": np.arange(3 * 784, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28),
    "train-labels-idx1-ubyte.gz": np.array([0, 9, 5], dtype=np.uint8),
    "t10k-images-idx3-ubyte.gz": np.full((2, 28, 28), 255, dtype=np.uint8),
    "t10k-labels-idx1-ubyte.gz": np.array([1, 2], dtype=np.uint8),
}


def idx_bytes(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_files(folder: Path, *, packed: bool = True, **replaced: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in CONTENT.items():
        content = idx_bytes(replaced.get(name.split("-idx")[0].replace("-", "_"), values))
        path = folder / (name if packed else name.removesuffix(".gz"))
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)


@pytest.fixture(autouse=True)
def no_folders_from_the_environment(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def unset_data_dir(monkeypatch) -> None:
    monkeypatch.delenv("GOSSAMER_DATA", raising=False)


@pytest.fixture
def home(tmp_path):
    """A web server on this machine that publishes the folder `tmp_path/home`."""
    (tmp_path / "home").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args) -> None:
            super().__init__(*args, directory=str(tmp_path / "home"))

        def log_message(self, *args) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def published_at(home: str, folder: Path) -> IdxImages:
    files = [
        PublishedFile(
            name=name,
            num_bytes=len((folder / name).read_bytes()),
            sha256=hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        )
        for name in CONTENT
    ]
    return dataclasses.replace(MNIST, home=home, files=tuple(files))


@pytest.mark.parametrize(
    ("source", "counts", "test_counts"),
    [
        (
            MNIST,
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        ),
        (FASHION_MNIST, [6000] * 10, [1000] * 10),
    ],
    ids=["mnist", "fashion-mnist"],
)
def test_the_real_files_have_their_published_counts(data_dir, source, counts, test_counts) -> None:
    data = load_idx_images(source, data_dir)
    assert data.test is not None
    for images, expected in ((data.train, counts), (data.test, test_counts)):
        assert images.y is not None
        assert torch.bincount(images.y).tolist() == expected
        assert (images.x.min().item(), images.x.max().item()) == (0.0, 1.0)
    assert len(data.public_notes) == 1


@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=["mnist", "fashion-mnist"])
def test_the_checksums_are_those_of_the_real_files(data_dir, source) -> None:
    for file in source.files:
        content = (data_dir / source.name / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.num_bytes, file.sha256)


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
@pytest.mark.parametrize(
    ("source", "folder"),
    [
        (MNIST, "mnist"),
        (MNIST, "MNIST/raw"),
        (FASHION_MNIST, "fashion-mnist"),
        (FASHION_MNIST, "FashionMNIST/raw"),
    ],
)
def test_files_are_found_in_every_known_layout(tmp_path, source, folder, packed) -> None:
    write_files(tmp_path / "data" / folder, packed=packed)
    data = load_idx_images(source, tmp_path / "data")
    assert data.train.spec.class_names == source.class_names
    assert torch.equal(
        (data.train.x * 255).round().to(torch.uint8)[:, 0],
        torch.from_numpy(CONTENT["train-images-idx3-ubyte.gz"]),
    )
    assert data.train.y is not None
    assert data.train.y.tolist() == [0, 9, 5]
    # Three images in place of sixty thousand: they are read, and nothing published is claimed of them.
    assert data.public_notes == (others_note(source.title),)
    assert data.published == NOTHING_PUBLISHED
    assert load_records(source.name, tmp_path / "data").train.published_name is None


def holding(source: IdxImages, **replaced: np.ndarray) -> IdxImages:
    """A set of which `CONTENT` is what was published."""
    values = [replaced.get(name, content) for name, content in CONTENT.items()]
    return dataclasses.replace(source, contents=tuple(hashlib.sha256(idx_bytes(one)).hexdigest() for one in values))


@pytest.mark.parametrize("level", [1, 9, None])
def test_the_published_files_are_known_however_they_are_packed(tmp_path: Path, level: int | None) -> None:
    write_files(tmp_path / "mnist", packed=False)
    if level is not None:
        for path in list((tmp_path / "mnist").iterdir()):
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), level))
            path.unlink()
    data = load_idx_images(holding(MNIST), tmp_path)
    assert data.published == PublishedCounts(num_records=60_000)
    assert data.public_notes == ("Shape, classes and the largest number of records are those published for MNIST.",)


def test_files_of_the_other_set_are_refused_by_name(tmp_path, refusal, monkeypatch) -> None:
    write_files(tmp_path / "mnist")
    monkeypatch.setattr(mnist, "FASHION_MNIST", holding(FASHION_MNIST))
    line = refusal(load_idx_images, MNIST, tmp_path)
    assert "holds files of Fashion-MNIST, not of MNIST: name fashion-mnist" in line


def test_clothes_in_the_folder_of_digits_are_refused(data_dir: Path, tmp_path: Path, refusal) -> None:
    (tmp_path / "mnist").symlink_to(data_dir / "fashion-mnist")
    assert "holds files of Fashion-MNIST" in refusal(load_records, "mnist", tmp_path)


def test_the_old_claim_on_any_files_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path / "mnist")
    monkeypatch.setattr(mnist, "_is_published", lambda source, paths, arrays: True)
    assert load_records("mnist", tmp_path).train.published_name == "mnist"


@pytest.mark.usefixtures("unset_data_dir")
def test_the_environment_names_the_data_folder(tmp_path, monkeypatch) -> None:
    write_files(tmp_path / "data/mnist")
    monkeypatch.setenv("GOSSAMER_DATA", str(tmp_path / "data"))
    assert load_idx_images(MNIST).train.num_records == 3


def test_a_data_folder_that_does_not_exist_is_refused_before_any_download(tmp_path, refusal) -> None:
    assert "--data-dir" in refusal(load_idx_images, MNIST, tmp_path / "absent")


@pytest.mark.parametrize(
    ("replaced", "word"),
    [
        ({"train_images": np.zeros((3, 27, 28), np.uint8)}, "28 x 28"),
        ({"train_labels": np.zeros(2, np.uint8)}, "2 labels for 3 images"),
        ({"t10k_labels": np.array([1, 10], np.uint8)}, "y[1]"),
        ({"train_images": np.zeros((0, 28, 28), np.uint8), "train_labels": np.zeros(0, np.uint8)}, "0 records"),
    ],
)
def test_files_that_are_not_mnist_are_refused(tmp_path, refusal, replaced, word) -> None:
    write_files(tmp_path / "mnist", **replaced)
    assert word in refusal(load_idx_images, MNIST, tmp_path)


def test_a_download_is_verified_and_kept(tmp_path, home) -> None:
    write_files(tmp_path / "home")
    source = published_at(home, tmp_path / "home")
    (tmp_path / "data").mkdir()
    assert load_idx_images(source, tmp_path / "data").train.num_records == 3
    assert sorted(path.name for path in (tmp_path / "data/mnist").iterdir()) == sorted(CONTENT)
    for file in (tmp_path / "home").iterdir():
        file.unlink()
    assert load_idx_images(source, tmp_path / "data").train.num_records == 3


@pytest.mark.usefixtures("unset_data_dir")
def test_without_a_data_folder_a_download_goes_to_the_cache(tmp_path, home) -> None:
    write_files(tmp_path / "home")
    load_idx_images(published_at(home, tmp_path / "home"))
    assert sorted(path.name for path in (tmp_path / "cache/mnist").iterdir()) == sorted(CONTENT)


def test_an_interrupted_download_is_completed(tmp_path, home) -> None:
    write_files(tmp_path / "home")
    source = published_at(home, tmp_path / "home")
    first = tmp_path / "home" / source.files[0].name
    (tmp_path / "data/mnist").mkdir(parents=True)
    first.rename(tmp_path / "data/mnist" / first.name)
    assert load_idx_images(source, tmp_path / "data").train.num_records == 3


@pytest.mark.parametrize("change", [b"", b"\x00", None], ids=["shorter", "longer", "altered"])
def test_another_content_than_the_published_one_is_never_kept(tmp_path, home, refusal, change) -> None:
    write_files(tmp_path / "home")
    source = published_at(home, tmp_path / "home")
    served = tmp_path / "home" / source.files[0].name
    content = served.read_bytes()
    served.write_bytes({b"": content[:-1], b"\x00": content + b"\x00", None: b"\x00" + content[1:]}[change])
    (tmp_path / "data").mkdir()
    assert "SHA-256" in refusal(load_idx_images, source, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_home_without_the_file_is_told_in_one_line(tmp_path, home, refusal) -> None:
    message = refusal(load_idx_images, dataclasses.replace(MNIST, home=home), tmp_path)
    assert "HTTP 404" in message


def test_without_files_and_without_network_the_line_is_quick_and_says_where_to_put_them(tmp_path, refusal) -> None:
    # Port 9 of this machine answers nobody, as a machine without network does.
    source = dataclasses.replace(MNIST, home="http://127.0.0.1:9/")
    start = time.monotonic()
    message = refusal(load_idx_images, source, tmp_path)
    assert time.monotonic() - start < 5
    for part in ("mnist", "MNIST/raw", "--data-dir", "GOSSAMER_DATA", *CONTENT):
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path, home, refusal) -> None:
    write_files(tmp_path / "home")
    source = published_at(home, tmp_path / "home")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mnist").write_text("a file where the folder should be")
    assert "cannot be written" in refusal(load_idx_images, source, tmp_path / "data")


def test_images_lie_in_the_room_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory they would stay for the whole run, in each of its processes, whatever the training lets go."""
    write_files(tmp_path / "mnist")
    monkeypatch.setattr(room, "LARGE_BYTES", 0)
    place = Disk(tmp_path)
    read, plain = load_idx_images(MNIST, tmp_path, room=place), load_idx_images(MNIST, tmp_path)
    assert read.test is not None
    for records in (read.train, read.test):
        assert records.room is place
    assert len(place._held) == 2  # arrays on the disk
    assert torch.equal(read.train.x, plain.train.x)
