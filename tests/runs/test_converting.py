"""Conversions of pictures: values by the public rule, interrupted and taken up, nothing overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer import convert_images, load_records
from gossamer.cli.main import main
from gossamer.errors import InputError
from gossamer.runs import converting
from gossamer.runs.converting import Conversion, fit_to

WIDE = np.arange(8 * 16, dtype=np.float32).reshape(1, 1, 8, 16) / 128


def save(path: Path, size: tuple[int, int] = (16, 8), shade: object = 9, mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, shade).save(path)  # type: ignore[arg-type]
    return path


def test_each_fit_has_its_values() -> None:
    blocks = WIDE.reshape(4, 2, 4, 4).mean(axis=(1, 3))
    found, words = fit_to(WIDE, Conversion(size="4"))
    np.testing.assert_allclose(found[0, 0], blocks, atol=1e-6)
    assert words == ("stretched",)
    found, words = fit_to(WIDE, Conversion(size="4", fit="crop"))
    np.testing.assert_allclose(found[0, 0], WIDE[0, 0, :, 4:12].reshape(4, 2, 4, 2).mean(axis=(1, 3)), atol=1e-6)
    assert words == ("cropped",)
    found, words = fit_to(WIDE, Conversion(size="4", fit="pad", ground="black"))
    np.testing.assert_allclose(found[0, 0, 1:3], WIDE[0, 0].reshape(2, 4, 4, 4).mean(axis=(1, 3)), atol=1e-6)
    assert not found[0, 0, [0, 3]].any()
    assert words == ("padded",)
    assert fit_to(WIDE, Conversion(size="8x16", fit="crop")) == (WIDE, ())
    assert fit_to(WIDE, Conversion(size="4x8", fit="pad"))[1] == ("resized",)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (3, 7)])
def test_any_shape_comes_to_the_size(fit: converting.Fit, shape: tuple[int, int]) -> None:
    found, _ = fit_to(np.full((1, 1, *shape), 0.5, np.float32), Conversion(size="4x64", fit=fit, ground="white"))
    assert found.shape == (1, 1, 4, 64)
    assert set(np.unique(found)) <= {0.5, 1.0}


def test_mixed_pictures_become_a_folder_that_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "in/cat/a.jpg", (30, 20), (9, 9, 9), "RGB")
    save(tmp_path / "in/cat/b.png", (11, 12), (9, 0), "LA")
    save(tmp_path / "in/dog/c.tif", (8, 8), (0, 0, 0, 0), "CMYK")
    save(tmp_path / "in/__MACOSX/._a.jpg")
    for name in ("cat/Thumbs.db", "dog/Thumbs.db", "README.md", ".of Anna", "cat/.of Ben"):
        (tmp_path / "in" / name).write_bytes(b"x")
    (tmp_path / "in/eel").mkdir()
    arguments = ["data", "convert", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--size", "8", "--gray"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "3 pictures made" in said
    assert "private: formats: JPEG 1, PNG 1, TIFF 1" in said
    assert "private: changes: CMYK to RGB 1, colour to gray 2, stretched 2, transparency laid on the ground 1" in said
    assert "private: left out: README.md 1, Thumbs.db 2, __MACOSX 1, hidden names 2" in said
    # Hidden names are their owner's, and may be people's.
    assert "Anna" not in said
    data = load_records(tmp_path / "out")
    assert data.train.spec.class_names == ("cat", "dog", "eel")
    np.testing.assert_allclose(data.train.x[:, 0, 0, 0].numpy() * 255, [9, 255, 255], atol=0.5)
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["num_kept"] == 3
    assert told["left_out"]["__MACOSX"] == 1


def test_gray_of_16_bits_keeps_them(tmp_path: Path) -> None:
    deep = (np.arange(64).reshape(8, 8) * 64).astype(np.uint16)
    (tmp_path / "in").mkdir()
    Image.fromarray(deep).save(tmp_path / "in/a.tif")
    convert_images(tmp_path / "in", tmp_path / "out", size=8)
    np.testing.assert_array_equal(load_records(tmp_path / "out").train.x[0, 0], deep / np.float32(65535))


def test_an_interrupted_conversion_goes_on_and_overwrites_nothing(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"in/{number}.png", shade=number)

    def stop(what: str, num_done: int, num_all: int) -> None:
        if num_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_images(tmp_path / "in", tmp_path / "out", size=8, count=stop)
    with pytest.raises(InputError, match="lacks pictures: `gossamer data convert` was interrupted"):
        load_records(tmp_path / "out")
    first = (tmp_path / "out/0.png").stat().st_mtime_ns
    done = convert_images(tmp_path / "in", tmp_path / "out", size=8)
    assert (done.num_made, done.num_kept) == (2, 2)
    assert (tmp_path / "out/0.png").stat().st_mtime_ns == first
    assert load_records(tmp_path / "out").train.num_records == 4
    with pytest.raises(InputError, match="other settings"):
        convert_images(tmp_path / "in", tmp_path / "out", size=9)
    os.utime(tmp_path / "in/1.png", ns=(first + 10**12, first + 10**12))
    with pytest.raises(InputError, match="younger"):
        convert_images(tmp_path / "in", tmp_path / "out", size=8)


def test_folders_that_would_be_overwritten_or_mixed_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png")
    save(tmp_path / "full/b.png")
    for out, word in (("full", "not empty"), ("in", "lies in"), ("in/out", "lies in")):
        with pytest.raises(InputError, match=word):
            convert_images(tmp_path / "in", tmp_path / out, size=8)
    (tmp_path / "in/metadata.csv").write_text("file_name\na.png\n")
    with pytest.raises(InputError, match="table"):
        convert_images(tmp_path / "in", tmp_path / "out", size=8)
    (tmp_path / "in/metadata.csv").unlink()
    save(tmp_path / "in/a.jpg")
    save(tmp_path / "in/a.jpg.png")
    with pytest.raises(InputError, match="both become"):
        convert_images(tmp_path / "in", tmp_path / "out", size=8)


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    for wrong in ({"size": 3}, {"size": "8x"}, {"size": None}, {"fit": "squeeze"}, {"ground": "red"}, {"ground": None}):
        with pytest.raises(InputError):
            Conversion(**({"size": "8"} | {name: str(v) if name == "size" and v else v for name, v in wrong.items()}))  # type: ignore[arg-type]
