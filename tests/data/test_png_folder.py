"""A user's folder of PNG images: classes by sub-folder, exact values, and no file that could mislead."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gossamer.data.folder import load_picture_folder

GRAY = (np.arange(6 * 7).reshape(6, 7) * 6).astype(np.uint8)
COLOUR = np.stack([GRAY, GRAY.T.reshape(6, 7), 255 - GRAY], axis=-1)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def save(path: Path, pixels: np.ndarray = GRAY, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, format="PNG")
    return path


def test_sub_folders_are_classes_in_the_order_of_their_names(tmp_path) -> None:
    save(tmp_path / "dog/2.png", GRAY)
    save(tmp_path / "dog/1.PNG", GRAY // 2)
    save(tmp_path / "cat/9.png", 255 - GRAY)
    (tmp_path / "eel").mkdir()
    data = load_picture_folder(tmp_path, num_classes=3)
    assert data.train.spec.class_names == ("cat", "dog", "eel")
    assert data.train.y is not None
    assert data.train.y.tolist() == [0, 1, 1]
    expected = np.stack([255 - GRAY, GRAY // 2, GRAY])[:, None].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(data.train.x.numpy(), expected)
    assert any("sub-folders" in note for note in data.public_notes)


def test_images_straight_in_the_folder_have_no_labels(tmp_path) -> None:
    save(tmp_path / "a.png", COLOUR)
    data = load_picture_folder(tmp_path)
    assert data.train.y is None
    assert data.train.spec.shape == (3, 6, 7)
    np.testing.assert_array_equal(
        data.train.x[0].numpy(), np.moveaxis(COLOUR, -1, 0).astype(np.float32) / np.float32(255)
    )


def test_hidden_files_and_folders_are_skipped(tmp_path) -> None:
    save(tmp_path / "cat/1.png")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "cat/.hidden").write_bytes(b"")
    (tmp_path / ".git").mkdir()
    assert load_picture_folder(tmp_path).train.num_records == 1


def test_sixteen_bit_gray_is_divided_by_65535(tmp_path) -> None:
    pixels = (np.arange(30).reshape(5, 6) * 2259).astype(np.uint16)
    save(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(load_picture_folder(tmp_path).train.x[0, 0].numpy(), pixels / np.float32(65535))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_grays_span_the_unit_range(tmp_path, depth) -> None:
    rows = (b"\x00" + b"\x00\xff\x00\xff") * 4
    (tmp_path / "a.png").write_bytes(raw_png(32 // depth, 4, depth, 0, rows))
    x = load_picture_folder(tmp_path).train.x
    assert x.shape == (1, 1, 4, 32 // depth)
    assert set(x.unique().tolist()) == {0.0, 1.0}


def test_a_palette_becomes_colours(tmp_path) -> None:
    image = Image.fromarray(COLOUR).quantize(256)
    image.save(tmp_path / "a.png")
    expected = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(load_picture_folder(tmp_path).train.x[0].numpy(), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_alpha_channel_is_refused(tmp_path, refusal, mode) -> None:
    save(tmp_path / "a.png", COLOUR, mode)
    assert "transparency" in refusal(load_picture_folder, tmp_path)


def test_a_transparent_colour_is_refused(tmp_path, refusal) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.png", transparency=6)
    assert "transparency" in refusal(load_picture_folder, tmp_path)


def test_an_animation_is_refused(tmp_path, refusal) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.png", save_all=True, append_images=[Image.fromarray(255 - GRAY)])
    assert "animation" in refusal(load_picture_folder, tmp_path)


def test_sixteen_bit_colour_is_refused(tmp_path, refusal) -> None:
    (tmp_path / "a.png").write_bytes(raw_png(4, 4, 16, 2, (b"\x00" + bytes(24)) * 4))
    assert "16 bits" in refusal(load_picture_folder, tmp_path)


def test_the_first_file_of_another_size_is_named_with_both_sizes(tmp_path, refusal) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "2.png")
    save(tmp_path / "3.png", GRAY[:5])
    save(tmp_path / "4.png", GRAY[:4])
    message = refusal(load_picture_folder, tmp_path)
    for part in ("3.png", "1.png", "5 x 7", "6 x 7"):
        assert part in message


def test_gray_and_colour_do_not_mix(tmp_path, refusal) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", COLOUR)
    assert "2.png' has 3 channels" in refusal(load_picture_folder, tmp_path)


@pytest.mark.parametrize(
    ("width", "height"), [(3, 8), (8, 3), (1025, 8), (60000, 60000), (2**31 - 1, 2**31 - 1), (0, 0)]
)
def test_a_size_out_of_range_is_refused_from_the_header_alone(tmp_path, refusal, width, height) -> None:
    (tmp_path / "a.png").write_bytes(raw_png(width, height, 8, 0, b""))
    assert f"{height} x {width}" in refusal(load_picture_folder, tmp_path)


def test_a_second_header_cannot_enlarge_an_image(tmp_path, refusal) -> None:
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(raw_png(8, 8, 8, 0, (b"\x00" + bytes(8)) * 8, second))
    assert "damaged" in refusal(load_picture_folder, tmp_path)


def test_a_text_chunk_that_expands_absurdly_is_refused(tmp_path, refusal) -> None:
    text = chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(80 * 2**20)))
    (tmp_path / "a.png").write_bytes(raw_png(8, 8, 8, 0, (b"\x00" + bytes(8)) * 8, text))
    assert "damaged" in refusal(load_picture_folder, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.jpg", b"\xff\xd8\xff", "damaged"),
        ("notes.txt", b"hello", "no picture that is read"),
        ("a.png", b"", "whatever its name"),
        ("a.png", b"\xff\xd8\xff" + bytes(50), "whatever its name"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "whatever its name"),
        ("a.png", raw_png(8, 8, 8, 0, (b"\x00" + bytes(8)) * 8).replace(b"IDAT\x78", b"IDAT\x77"), "damaged"),
        ("a.png", raw_png(8, 8, 8, 5, bytes(9)), "damaged"),
        ("a.png", raw_png(8, 8, 7, 0, bytes(72)), "damaged"),
        ("a.png", raw_png(8, 8, 8, 0, (b"\x00" + bytes(8)) * 8)[:-1], "damaged"),
        ("a.png", raw_png(8, 8, 8, 0, (b"\x00" + bytes(8)) * 7), "damaged"),
        ("a.png", raw_png(8, 8, 8, 0, (b"\x00" + bytes(8)) * 9), "damaged"),
    ],
)
def test_a_file_that_is_no_png_is_refused_by_name(tmp_path, refusal, name, content, word) -> None:
    save(tmp_path / "cat/0.png", np.zeros((8, 8), np.uint8))
    (tmp_path / "cat" / name).write_bytes(content)
    message = refusal(load_picture_folder, tmp_path)
    assert word in message
    assert name in message


def test_layouts_that_are_not_one_level_of_classes_are_refused(tmp_path, refusal) -> None:
    assert "no picture" in refusal(load_picture_folder, tmp_path)
    (tmp_path / "cat").mkdir()
    assert "no picture" in refusal(load_picture_folder, tmp_path)
    save(tmp_path / "cat/deep/1.png")
    assert "one level" in refusal(load_picture_folder, tmp_path)
    save(tmp_path / "1.png")
    assert "1.png" in refusal(load_picture_folder, tmp_path)


def test_a_number_of_classes_that_does_not_fit_is_refused(tmp_path, refusal) -> None:
    save(tmp_path / "a/cat/1.png")
    save(tmp_path / "b/1.png")
    for folder in ("a", "b"):
        assert "--num-classes" in refusal(load_picture_folder, tmp_path / folder, num_classes=2)


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_followed(tmp_path, refusal) -> None:
    outside = save(tmp_path / "outside/1.png")
    save(tmp_path / "mine/cat/1.png")
    (tmp_path / "mine/cat/2.png").symlink_to("1.png")
    assert load_picture_folder(tmp_path / "mine").train.num_records == 2
    link = tmp_path / "mine/cat/3.png"
    for target in (outside, tmp_path / "absent.png", link):
        link.symlink_to(target)
        assert "link" in refusal(load_picture_folder, tmp_path / "mine")
        link.unlink()
    (tmp_path / "mine/dog").symlink_to(outside.parent)
    assert "link out of" in refusal(load_picture_folder, tmp_path / "mine")


def test_a_folder_that_is_itself_a_link_is_read(tmp_path) -> None:
    save(tmp_path / "real/1.png")
    (tmp_path / "mine").symlink_to(tmp_path / "real")
    assert load_picture_folder(tmp_path / "mine").train.num_records == 1


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path, refusal) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert "regular file" in refusal(load_picture_folder, tmp_path)


def test_a_folder_name_with_a_line_break_is_refused_on_one_line(tmp_path, refusal) -> None:
    save(tmp_path / "a\nb/1.png")
    assert "class_names[0]" in refusal(load_picture_folder, tmp_path)


def test_no_file_that_is_cut_short_is_taken_for_a_whole_one(tmp_path, refusal) -> None:
    content = png_bytes(GRAY)
    for length in range(len(content)):
        (tmp_path / "a.png").write_bytes(content[:length])
        assert "PNG" in refusal(load_picture_folder, tmp_path) or "damaged" in refusal(load_picture_folder, tmp_path)


@pytest.mark.parametrize(("width", "height"), [(4, 4), (5, 7), (8, 8), (9, 31)])
def test_interlaced_images_are_read(tmp_path, width, height) -> None:
    pixels = (np.arange(width * height).reshape(height, width) % 251).astype(np.uint8)
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    passes = [pixels[top::down, left::across] for left, top, across, down in steps]
    rows = b"".join(b"\x00" + row.tobytes() for part in passes if part.size for row in part)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    expected = pixels.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(load_picture_folder(tmp_path).train.x[0, 0].numpy(), expected)


def png_bytes(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def repaired(content: bytearray) -> bytes:
    """The same chunks with their checksums made right again, so that damage gets past them."""
    parts, position = [bytes(content[:8])], 8
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind, body = content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        parts.append(content[position : position + 4] + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
        position += 12 + length
    return b"".join(parts)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from([png_bytes(GRAY), png_bytes(COLOUR), png_bytes(GRAY.astype(np.uint16))]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3),
    repair=st.booleans(),
)
def test_random_damage_is_refused_or_harmless(tmp_path, read_or_refused, content, edits, repair) -> None:
    damaged = bytearray(content)
    for position, value in edits:
        damaged[position % len(damaged)] = value
    (tmp_path / "a.png").write_bytes(repaired(damaged) if repair else damaged)
    data = read_or_refused(load_picture_folder, tmp_path)
    assert data is None or torch.isfinite(data.train.x).all()


@pytest.mark.parametrize("twin", ["e\u0301t\u00e9", "\u00e9t\u00e9 "])
def test_two_folders_with_one_name_are_refused(tmp_path, refusal, twin) -> None:
    save(tmp_path / "\u00e9t\u00e9" / "1.png")
    save(tmp_path / twin / "1.png")
    assert "repeats an earlier name" in refusal(load_picture_folder, tmp_path)
    (tmp_path / twin).rename(tmp_path / "hiver")
    assert load_picture_folder(tmp_path).train.spec.num_classes == 2
