"""A user's NPZ: every honest layout is read, everything else is refused in one line without a private value."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.data import array_stream
from gossamer.data.npz import load_npz
from gossamer.errors import InputError

PIXELS = np.linspace(0, 1, 3 * 6 * 7).reshape(3, 1, 6, 7)
LABELS = np.array([2, 0, 1])


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    return path


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def archived(folder: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "mine.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_float_in_every_order_is_read(tmp_path, kind, order) -> None:
    x = np.asarray(PIXELS, dtype=kind, order=order)
    data = load_npz(saved(tmp_path, x=x))
    assert data.train.x.dtype == torch.float32
    np.testing.assert_array_equal(data.train.x.numpy(), x.astype(np.float32))
    assert data.test is None
    assert data.train.y is None
    assert data.train.spec.class_names == ()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_bytes_are_divided_by_255(tmp_path, save, order) -> None:
    x = np.asarray(np.arange(2 * 16 * 16).reshape(2, 16, 16) % 256, dtype=np.uint8, order=order)
    save(tmp_path / "a.npz", x=x)
    data = load_npz(tmp_path / "a.npz")
    assert data.train.spec.shape == (1, 16, 16)
    np.testing.assert_array_equal(data.train.x.numpy()[:, 0], x.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 1, 4, 1024), (2, 3, 32, 32), (1, 3, 64, 5), (2, 14, 14)])
def test_one_or_three_channels_of_any_size_are_read(tmp_path, shape) -> None:
    data = load_npz(saved(tmp_path, x=np.ones(shape, dtype=np.float32)))
    assert data.train.x.shape == (shape if len(shape) == 4 else (shape[0], 1, *shape[1:]))


def test_many_records_are_converted_exactly(tmp_path) -> None:
    x = np.random.default_rng(0).random((9000, 28, 28), dtype=np.float32)
    np.testing.assert_array_equal(load_npz(saved(tmp_path, x=x)).train.x.numpy()[:, 0], x)


@pytest.mark.parametrize("kind", ["i1", "i2", "<i4", ">i4", "<i8", ">i8", "u1", "<u2", ">u4", "<u8", ">u8"])
def test_every_integer_label_is_read(tmp_path, kind) -> None:
    train = load_npz(saved(tmp_path, x=PIXELS, y=LABELS.astype(kind)), num_classes=3).train
    assert train.y is not None
    assert train.y.dtype == torch.int64
    assert train.y.tolist() == LABELS.tolist()


def test_labels_of_text_are_refused_with_advice_that_works(tmp_path) -> None:
    words = np.array(["dog", "cat", "dog"])
    with pytest.raises(InputError, match="return_inverse=True") as caught:
        load_npz(saved(tmp_path, x=PIXELS, y=words))
    assert "astype" not in str(caught.value)
    names, y = np.unique(words, return_inverse=True)
    assert load_npz(saved(tmp_path, x=PIXELS, y=y, class_names=names)).train.y.tolist() == [1, 0, 1]


def test_the_default_number_of_classes_does_not_depend_on_the_labels(tmp_path) -> None:
    few = load_npz(saved(tmp_path, x=PIXELS, y=np.zeros(3, int)))
    many = load_npz(saved(tmp_path, x=PIXELS, y=np.array([0, 5, 9])))
    assert few.train.spec == many.train.spec
    assert few.train.spec.class_names == tuple("0123456789")
    assert few.public_notes == many.public_notes
    assert any("--num-classes" in note and "10" in note for note in few.public_notes)


def test_the_number_of_classes_can_be_given_or_stand_in_the_file(tmp_path) -> None:
    given_ = load_npz(saved(tmp_path, x=PIXELS, y=LABELS), num_classes=4)
    assert given_.train.spec.class_names == ("0", "1", "2", "3")
    assert not any("default" in note for note in given_.public_notes)
    for kind in ("<U5", ">U5"):
        named = saved(tmp_path, x=PIXELS, y=LABELS, class_names=np.array(["Katze", "Hund", "ü"], dtype=kind))
        for num_classes in (None, 3):
            assert load_npz(named, num_classes=num_classes).train.spec.class_names == ("Katze", "Hund", "ü")


def test_no_note_holds_the_number_of_records_or_the_path(tmp_path) -> None:
    x = np.zeros((137, 4, 4), np.uint8)
    for arrays in ({"x": x}, {"x": x, "y": np.zeros(137, int)}):
        notes = " ".join(load_npz(saved(tmp_path, **arrays)).public_notes)
        assert "137" not in notes
        assert "mine" not in notes


def with_pixel(value: float, kind: str = "f8") -> np.ndarray:
    x = PIXELS.astype(kind)
    x[1, 0, 2, 3] = value
    return x


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize(
    ("value", "word"),
    [
        (np.nan, "NaN or infinite"),
        (np.inf, "NaN or infinite"),
        (-np.inf, "NaN or infinite"),
        (73.25, "divide by 255"),
        (-0.5, "divide by 255"),
    ],
)
def test_a_bad_pixel_is_named_by_its_first_index_and_never_by_its_value(tmp_path, refusal, kind, value, word) -> None:
    x = with_pixel(value, kind)
    x[2] = value
    message = refusal(load_npz, saved(tmp_path, x=np.asfortranarray(x)))
    assert word in message
    assert "x[1, 0, 2, 3]" in message
    assert "mine.npz" in message
    assert str(value).lstrip("-") not in message.replace("infinite", "").replace("NaN", "")


def test_an_index_in_a_later_block_is_counted_from_the_beginning(tmp_path, refusal) -> None:
    x = np.zeros((9000, 28, 28), np.float32)
    x[8123, 4, 5] = 2
    assert "x[8123, 4, 5]" in refusal(load_npz, saved(tmp_path, x=x))


def test_a_signalling_nan_is_refused_without_a_warning(tmp_path, refusal) -> None:
    x = PIXELS.astype("<f4")
    x.view("<u4")[0, 0, 0, 1] = 0x7FA00000
    assert "x[0, 0, 0, 1]" in refusal(load_npz, saved(tmp_path, x=x))


OBJECTS = np.array([1, "a", None], dtype=object)
FIELDS = np.zeros(3, dtype=[("a", "f4")])


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"images": PIXELS}, "no key 'x'"),
        ({}, "no key 'x'"),
        ({"x": OBJECTS}, "Python objects"),
        ({"x": FIELDS}, "Python objects"),
        ({"x": PIXELS, "y": OBJECTS}, "y holds Python objects"),
        ({"x": PIXELS, "y": LABELS, "class_names": OBJECTS}, "class_names holds Python objects"),
        ({"x": np.zeros(5)}, "1 dimensions"),
        ({"x": np.float32(0.5)}, "0 dimensions"),
        ({"x": np.zeros((4, 4))}, "2 dimensions"),
        ({"x": np.zeros((1, 1, 1, 4, 4))}, "5 dimensions"),
        ({"x": np.zeros((2, 2, 8, 8))}, "2 channels"),
        ({"x": np.zeros((2, 4, 8, 8))}, "4 channels"),
        ({"x": np.zeros((2, 28, 28, 1))}, "moveaxis"),
        ({"x": np.zeros((0, 8, 8))}, "0 records"),
        ({"x": np.zeros((0, 1, 8, 8), np.uint8)}, "0 records"),
        ({"x": np.zeros((2, 3, 8))}, "3 x 8"),
        ({"x": np.zeros((2, 8, 0))}, "8 x 0"),
        ({"x": np.zeros((2, 8, 1025), np.uint8)}, "8 x 1025"),
        ({"x": np.zeros((2, 8, 8), int)}, "dtype"),
        ({"x": np.zeros((2, 8, 8), bool)}, "dtype"),
        ({"x": np.zeros((2, 8, 8), complex)}, "dtype"),
        ({"x": np.zeros((2, 8, 8), np.longdouble)}, "dtype"),
        ({"x": np.full((2, 8, 8), "a")}, "dtype"),
        ({"x": PIXELS, "y": LABELS[:2]}, "one label for each"),
        ({"x": PIXELS, "y": np.zeros(4, int)}, "one label for each"),
        ({"x": PIXELS, "y": np.int64(1)}, "one label for each"),
        ({"x": PIXELS, "y": np.eye(3, dtype=int)}, "one label for each"),
        ({"x": PIXELS, "y": LABELS + 0.5}, "integers"),
        ({"x": PIXELS, "y": LABELS.astype(float)}, "integers"),
        ({"x": PIXELS, "y": np.array(["a", "b", "c"])}, "integers"),
        ({"x": PIXELS, "y": np.array([1, -7, 77])}, "y[1] is outside 0 .. 9"),
        ({"x": PIXELS, "y": np.array([1, 2, 77])}, "y[2] is outside 0 .. 9"),
        ({"x": PIXELS, "y": np.array([1, 2, 2**64 - 77], dtype=np.uint64)}, "y[2] is outside 0 .. 9"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array(["a", "b"])}, "y[0] is outside 0 .. 1"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array(["a", "b", "a"])}, "class_names[2]"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array(["a", "b\n", "c"])}, "class_names[1]"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array([["a", "b", "c"]])}, "1-D array of text"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array([b"a", b"b", b"c"])}, "1-D array of text"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array([], dtype=str)}, "1 to 1000 names"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array(["a" * 101])}, "1 to 1000 names"),
        ({"x": PIXELS, "class_names": np.array(["a", "b"])}, "no labels y"),
    ],
)
def test_arrays_that_break_a_rule_are_refused(tmp_path, refusal, arrays, word) -> None:
    message = refusal(load_npz, saved(tmp_path, **arrays))
    assert word in message
    assert "mine.npz" in message
    assert "77" not in message.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("arrays", "num_classes", "word"),
    [
        ({"x": PIXELS, "y": LABELS}, 2, "--num-classes"),
        ({"x": PIXELS, "y": LABELS}, 0, "--num-classes"),
        ({"x": PIXELS, "y": LABELS}, -1, "--num-classes"),
        ({"x": PIXELS, "y": LABELS}, 1001, "--num-classes"),
        ({"x": PIXELS}, 3, "no labels y"),
        ({"x": PIXELS, "y": LABELS, "class_names": np.array(["a", "b", "c"])}, 4, "make them agree"),
    ],
)
def test_a_number_of_classes_that_does_not_fit_is_refused(tmp_path, refusal, arrays, num_classes, word) -> None:
    assert word in refusal(load_npz, saved(tmp_path, **arrays), num_classes=num_classes)


def test_a_pickle_in_any_key_is_never_loaded(tmp_path, refusal) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.write_text, (tmp_path / "exploded", "")

    path = saved(tmp_path, x=np.array([Bomb()], dtype=object), y=LABELS)
    assert "Python objects" in refusal(load_npz, path)
    assert load_npz(saved(tmp_path, x=PIXELS, other=np.array([Bomb()], dtype=object))).train.num_records == 3
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", npy(PIXELS), b"PK\x03\x04 and nothing else", bytes(1000)])
def test_a_file_that_is_no_npz_is_refused(tmp_path, refusal, content) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    assert "not an NPZ" in refusal(load_npz, tmp_path / "a.npz")


def test_paths_that_are_no_readable_file_are_refused(tmp_path, refusal, monkeypatch) -> None:
    assert "is a folder" in refusal(load_npz, tmp_path)
    assert "does not exist" in refusal(load_npz, tmp_path / "absent.npz")
    path = saved(tmp_path, x=PIXELS)

    def forbidden(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    assert "read permission" in refusal(load_npz, path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["x.npy", "x"])
def test_a_key_that_stands_twice_is_refused(tmp_path, refusal, second) -> None:
    path = archived(tmp_path, ("x.npy", npy(PIXELS)), (second, npy(PIXELS / 2)))
    assert "twice" in refusal(load_npz, path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_numpy_does_not_use_are_refused(tmp_path, refusal, method) -> None:
    assert "numpy does not use" in refusal(load_npz, archived(tmp_path, ("x.npy", npy(PIXELS)), method=method))


def header(text: str, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not a numpy array"),
        (b"\x93NUMPY", "not a numpy array"),
        (b"\x93NUMPY\x09\x00", "not a numpy array"),
        (b"\x93NUMPY\x01\x00\xff\xff", "header of 65535 bytes"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "header of"),
        (header("{}"), "damaged header"),
        (header("__import__('os').abort()"), "damaged header"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8), 'more': 1}"), "damaged header"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, -8, 8), }"), "damaged header"),
        (header("{'descr': '<f4', 'fortran_order': 7, 'shape': (1, 8, 8), }"), "damaged header"),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 8, 8), }"), "Python objects"),
        (header("{'descr': '<f3', 'fortran_order': False, 'shape': (1, 8, 8), }"), "dtype"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8), }") + bytes(255), "promises 256"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8), }") + bytes(257), "promises 256"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 1024, 1024), }"), "at most"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 900 + ", 8, 8), }"), "digits"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (2000, 1024, 1024), }"), "promises"),
    ],
)
def test_a_header_that_lies_is_refused_before_its_values_are_read(tmp_path, refusal, content, word) -> None:
    assert word in refusal(load_npz, archived(tmp_path, ("x.npy", content)))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_headers_of_every_version_and_writer_are_read(tmp_path, version) -> None:
    text = "{ 'shape':(1,8,8),'fortran_order':False , 'descr':'|u1'}\n"
    path = archived(tmp_path, ("x.npy", header(text, version) + bytes(64)))
    assert load_npz(path).train.num_records == 1


def test_an_archive_that_expands_absurdly_is_refused_before_unpacking(tmp_path, refusal) -> None:
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (128, 1024, 1024), }"
    path = archived(tmp_path, ("x.npy", header(text) + bytes(128 * 2**20)), method=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    message = refusal(load_npz, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "would unpack" in message
    assert peak < 8 * 2**20


def test_a_directory_that_lies_about_the_size_is_refused(tmp_path, refusal) -> None:
    content = header("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 8, 8), }") + bytes(64)
    path = archived(tmp_path, ("x.npy", content + bytes(5 * 2**20)), method=zipfile.ZIP_DEFLATED)
    real, false = struct.pack("<I", len(content) + 5 * 2**20), struct.pack("<I", len(content))
    path.write_bytes(path.read_bytes().replace(real, false))
    assert "damaged" in refusal(load_npz, path)


def test_a_flipped_value_is_caught_by_the_archive_checksum(tmp_path, refusal) -> None:
    path = saved(tmp_path, x=np.full((2, 8, 8), 85, np.uint8))
    path.write_bytes(path.read_bytes().replace(b"U" * 128, b"U" * 127 + b"V"))
    assert "damaged" in refusal(load_npz, path)


def test_too_many_arrays_are_refused(tmp_path, refusal) -> None:
    path = archived(tmp_path, *((f"{index}.npy", b"") for index in range(1001)))
    assert "1001 arrays" in refusal(load_npz, path)


def test_an_encrypted_archive_is_refused(tmp_path, refusal) -> None:
    path = saved(tmp_path, x=PIXELS)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refusal(load_npz, path)


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path, refusal) -> None:
    path = archived(tmp_path, ("a\nb.npy", npy(PIXELS)))
    assert refusal(load_npz, path)
    odd = tmp_path / "a\nb\x1b[31m.npz"
    odd.write_bytes(b"")
    assert refusal(load_npz, odd)


def small_archive(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(buffer, x=np.zeros((2, 4, 4), np.uint8), y=np.array([0, 1]), class_names=np.array(["a", "b"]))
    return buffer.getvalue()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from([small_archive(True), small_archive(False)]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    cut=st.one_of(st.just(0), st.integers(0, 2000)),
)
def test_random_damage_is_refused_or_harmless(tmp_path, read_or_refused, content, edits, cut) -> None:
    damaged = bytearray(content)
    for position, value in edits:
        damaged[position % len(damaged)] = value
    (tmp_path / "a.npz").write_bytes(damaged[: len(damaged) - cut] if cut else damaged)
    data = read_or_refused(load_npz, tmp_path / "a.npz")
    assert data is None or data.train.num_records >= 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=3))
def test_random_damage_of_an_array_header_behind_a_valid_checksum_is_refused_or_harmless(
    tmp_path, read_or_refused, edits
) -> None:
    content = bytearray(npy(np.zeros((2, 4, 4), np.uint8)))
    for position, value in edits:
        content[position] = value
    data = read_or_refused(load_npz, archived(tmp_path, ("x.npy", bytes(content))))
    assert data is None or data.train.num_records >= 1


def test_the_keys_of_published_code_are_read_with_channels_last(tmp_path) -> None:
    x = np.random.default_rng(0).random((6, 8, 9, 1), dtype=np.float32)
    path = tmp_path / "gen_data.npz"
    np.savez(path, data_x=x, data_y=np.arange(6))
    found = load_npz(path).train
    assert found.spec.shape == (1, 8, 9)
    assert found.y is not None
    assert found.y.tolist() == list(range(6))
    np.testing.assert_array_equal(found.x.numpy()[:, 0], x[..., 0])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"data_x": np.zeros((2, 1, 28, 28))}, "channels come last"),
        ({"data_x": np.zeros((2, 28, 28, 1)), "data_y": np.array([0, 10])}, "data_y[1] is outside 0 .. 9"),
        ({"data_x": np.full((2, 28, 28, 3), np.nan)}, "data_x[0, 0, 0, 0] is NaN"),
    ],
)
def test_what_is_wrong_under_published_keys_is_named(tmp_path, arrays, words) -> None:
    path = tmp_path / "gen_data.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=re.escape(words)):
        load_npz(path)


def test_images_in_fortran_order_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # So small that several pieces and blocks are needed.
    for name, size in (("_PIECE_BYTES", 500), ("_BLOCK_BYTES", 300), ("_VALUES_AT_ONCE", 7)):
        monkeypatch.setattr(array_stream, name, size)
    x = np.random.default_rng(0).integers(0, 256, (9, 3, 8, 8), dtype=np.uint8)
    turned = load_npz(saved(tmp_path, x=np.asfortranarray(x))).train.x
    assert torch.equal(turned, torch.from_numpy(x / np.float32(255)))
