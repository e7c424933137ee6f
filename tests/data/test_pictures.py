"""One picture of each format: exact values, and each kind that Pillow would hand over changed is refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer.data import pictures
from gossamer.data.image_choice import ImageChoice
from gossamer.data.picture_rules import AsRecords, ToConvert
from gossamer.data.pictures import CMYK, DEEP_COLOUR, LAID, TURNED, read_picture

GRAY = (np.arange(6 * 7).reshape(6, 7) * 6).astype(np.uint8)
COLOUR = np.stack([GRAY, GRAY.T.reshape(6, 7), 255 - GRAY], axis=-1)
ON_WHITE = AsRecords(choice=ImageChoice(alpha="white"))
CONVERTED = ToConvert(on=1.0)


def planes(pixels: np.ndarray) -> np.ndarray:
    stacked = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return stacked.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "tiff", "pgm"])
def test_gray_of_every_exact_format_has_its_values(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending.upper()}"
    Image.fromarray(GRAY).save(path)
    np.testing.assert_array_equal(read_picture(path).x, planes(GRAY))


@pytest.mark.parametrize(
    ("ending", "options"), [*((one, {}) for one in ("png", "bmp", "tif", "ppm", "gif")), ("webp", {"lossless": True})]
)
def test_colour_of_every_exact_format_has_its_values(tmp_path: Path, ending: str, options: dict[str, bool]) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(COLOUR).save(path, **options)
    np.testing.assert_array_equal(read_picture(path).x, planes(COLOUR))


def test_a_jpeg_has_the_values_that_its_decoder_gives(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOUR).save(path, quality=95)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read_picture(path).x, planes(np.asarray(image)))


def test_a_gif_is_colour_whatever_grays_are_left_in_its_palette(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for pixels in (ramp, GRAY):
        Image.fromarray(pixels).save(tmp_path / "a.gif")
        np.testing.assert_array_equal(read_picture(tmp_path / "a.gif").x, np.repeat(planes(pixels), 3, axis=0))


def test_a_palette_is_colour_even_if_all_its_colours_are_gray(tmp_path: Path) -> None:
    for ending in ("gif", "png", "bmp"):
        path = tmp_path / f"a.{ending}"
        image = Image.fromarray((GRAY > 100).astype(np.uint8), mode="P")
        image.putpalette([9, 9, 9, 200, 200, 200])
        image.save(path)
        expected = planes(np.where(GRAY > 100, 200, 9).astype(np.uint8))
        np.testing.assert_array_equal(read_picture(path).x, np.repeat(expected, 3, axis=0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "tif", "webp", "png"])
def test_a_picture_is_turned_upright_as_viewers_show_it(tmp_path: Path, orientation: int, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOUR).save(path, exif=exif, **({"lossless": True} if ending == "webp" else {}))
    found = read_picture(path)
    # Rows and columns of a stored picture stand for (top, left), (top, right), (bottom, right), ... in turn.
    with Image.open(path) as image:
        stored = COLOUR if ending != "jpg" else np.asarray(image.convert("RGB"))
    expected = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1], 5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1), 7: stored[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(stored),
    }[orientation]  # fmt: skip
    np.testing.assert_array_equal(found.x, planes(expected))
    assert found.changes == ((TURNED,) if orientation > 1 else ())


def test_the_break_of_not_turning_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_turned", lambda x, orientation: x)
    with pytest.raises(AssertionError):
        test_a_picture_is_turned_upright_as_viewers_show_it(tmp_path, 6, "jpg")


@pytest.mark.parametrize("maximum", [255, 4095, 65535])
def test_the_head_of_a_pgm_says_its_white(tmp_path: Path, maximum: int) -> None:
    values = (np.arange(42).reshape(6, 7) * (maximum // 42)).astype(">u2" if maximum > 255 else np.uint8)
    (tmp_path / "a.pgm").write_bytes(b"P5\n# a\n7 6\n%d\n" % maximum + values.tobytes())
    np.testing.assert_allclose(read_picture(tmp_path / "a.pgm").x[0], values / maximum, atol=1e-5)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_gray_of_16_bits_has_its_values(tmp_path: Path, order: str) -> None:
    deep = (np.arange(42).reshape(6, 7) * 1500).astype(np.uint16)
    Image.fromarray(deep.astype(order)).save(tmp_path / "a.tif")
    found = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.x[0], deep / np.float32(65535))
    assert found.is_deep


def tiff(bits: tuple[int, ...], photometric: int, body: bytes) -> bytes:
    """Return a TIFF of 7 x 6 pixels, little-endian, in one strip."""
    many = 8 + len(body)
    entries = [
        (256, 4, 1, 7), (257, 4, 1, 6), (258, 3, len(bits), bits[0] if len(bits) == 1 else many), (259, 3, 1, 1),
        (262, 3, 1, photometric), (273, 4, 1, 8), (277, 3, 1, len(bits)), (278, 4, 1, 6), (279, 4, 1, len(body)),
    ]  # fmt: skip
    extra = struct.pack(f"<{len(bits)}H", *bits) if len(bits) > 1 else b""
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", many + len(extra)) + body + extra + table


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (tiff((16,), 0, bytes(84)), "0 is white"),
        (tiff((12,), 1, bytes(66)), "12 bits"),
        (tiff((16, 16, 16), 2, bytes(252)), "16 bits a colour"),
    ],
)
def test_a_tiff_that_pillow_would_hand_over_at_another_scale_is_refused(
    tmp_path: Path, refusal, content: bytes, word: str
) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    assert word in refusal(read_picture, tmp_path / "a.tif")


def test_white_as_zero_in_8_bits_is_read_as_it_is_meant(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff((8,), 0, GRAY.tobytes()))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").x, planes(255 - GRAY))


def several(ending: str, tmp_path: Path) -> Path:
    path = tmp_path / f"a.{ending}"
    frames = [Image.fromarray(GRAY // part) for part in (1, 2)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


@pytest.mark.parametrize("ending", ["tif", "gif", "webp"])
def test_several_pages_are_refused(tmp_path: Path, refusal, ending: str) -> None:
    assert "several pictures" in refusal(read_picture, several(ending, tmp_path))


@pytest.mark.parametrize(
    ("ending", "mode", "word"), [("jpg", "CMYK", "CMYK"), ("tif", "F", "'F'"), ("tif", "LAB", "'LAB'")]
)
def test_kinds_without_one_way_to_rgb_are_refused(tmp_path: Path, refusal, ending: str, mode: str, word: str) -> None:
    Image.new(mode, (8, 8)).save(tmp_path / f"a.{ending}")
    assert word in refusal(read_picture, tmp_path / f"a.{ending}")


def test_a_conversion_takes_cmyk_and_16_bits_a_colour_and_says_so(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.tif")
    found = read_picture(tmp_path / "a.tif", CONVERTED)
    assert found.changes == (CMYK,)
    assert found.x[:, 0, 0].tolist() == [0, 1, 1]
    head = b"P6 8 8 65535\n"
    (tmp_path / "b.ppm").write_bytes(head + struct.pack(">HHH", 65535, 0, 32768) * 64)
    found = read_picture(tmp_path / "b.ppm", CONVERTED)
    assert found.changes == (DEEP_COLOUR,)
    np.testing.assert_allclose(found.x[:, 0, 0], [1, 0, 0.5], atol=1 / 255)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_transparency_is_refused_by_kind_and_laid_on_a_named_ground(
    tmp_path: Path, refusal, mode: str, ending: str
) -> None:
    if (mode, ending) == ("LA", "webp"):
        return
    path = tmp_path / f"a.{ending}"
    first = GRAY if mode == "LA" else COLOUR
    opacity = GRAY[::-1, ::-1]
    stored = np.concatenate([np.atleast_3d(first), opacity[..., None]], axis=-1)
    Image.fromarray(stored, mode=mode).save(path, **({"lossless": True, "exact": True} if ending == "webp" else {}))
    assert "--alpha" in refusal(read_picture, path)
    a = opacity / 255
    for ground, gray in (("white", 1.0), ("black", 0.0)):
        found = read_picture(path, AsRecords(choice=ImageChoice(alpha=ground)))
        np.testing.assert_allclose(found.x, planes(first) * a + (1 - a) * gray, atol=1e-6)
        assert found.changes == (LAID,)


def test_opaque_transparency_is_refused_too_since_opaqueness_is_of_one_record(tmp_path: Path, refusal) -> None:
    Image.fromarray(COLOUR).convert("RGBA").save(tmp_path / "a.png")
    assert "--alpha" in refusal(read_picture, tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", ON_WHITE).x, planes(COLOUR))


def test_a_transparent_colour_is_laid_on_the_ground(tmp_path: Path, refusal) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.png", transparency=int(GRAY[0, 1]))
    assert "--alpha" in refusal(read_picture, tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", ON_WHITE).x
    assert found.shape == (1, 6, 7)
    assert found[0, 0, 1] == 1
    assert (found[0].ravel()[2:] == planes(GRAY).ravel()[2:]).all()


def test_a_format_under_the_ending_of_another_is_refused(tmp_path: Path, refusal) -> None:
    for ending, format in (("jpg", "PNG"), ("tif", "JPEG"), ("gif", "BMP"), ("webp", "TIFF"), ("pgm", "GIF")):
        path = tmp_path / f"a.{ending}"
        Image.fromarray(GRAY).save(path, format=format)
        assert "whatever its name" in refusal(read_picture, path)


@pytest.mark.parametrize("ending", ["jpg", "bmp", "tif", "webp", "ppm", "gif"])
def test_a_cut_file_is_refused(tmp_path: Path, refusal, ending: str) -> None:
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(content, format=pictures.FORMATS[f".{ending}"])
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    refusal(read_picture, path)


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("webp", b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + b"\xff\x3f\x00\xff\x3f\x00"),
        ("webp", b"RIFF\x00\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f\xff\xff\xff\x0f" + bytes(20)),
        ("webp", b"RIFF\x00\x00\x00\x00WEBPVP8 \x0a\x00\x00\x00\x00\x00\x00\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(20)),
        ("ppm", b"P6 60000 60000 255\n"),
        ("pgm", b"P5 60000 60000 65535\n"),
        ("gif", b"GIF89a\xff\xff\xff\xff\x00\x00\x00"),
        ("bmp", b"BM" + bytes(8) + struct.pack("<IIiiHHIIIIII", 54, 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_a_head_of_billions_of_pixels_is_refused_before_there_is_room_for_them(
    tmp_path: Path, refusal, ending: str, content: bytes
) -> None:
    (tmp_path / f"a.{ending}").write_bytes(content)
    for rules in (AsRecords(), CONVERTED):
        assert "pixels" in refusal(read_picture, tmp_path / f"a.{ending}", rules) or ending == "gif"
