"""Images read at another size or in gray: each by itself, by means over areas, whatever file they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gossamer.data import catalogue, image_choice, own
from gossamer.data.catalogue import load_records
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.reading import SeriesReading
from gossamer.data.series_choice import SeriesChoice, load_beside
from gossamer.data.series_facts import SeriesFacts
from gossamer.errors import InputError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (7, 3, 12, 20), dtype=np.uint8)
SMALL = ImageChoice(resize="6x8")


def by_hand(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return means over areas of one channel, each from a copy of the image in which every pixel is a whole block."""
    fine = image.repeat(height, axis=0).repeat(width, axis=1)
    rows, columns = image.shape
    return fine.reshape(height, rows, width, columns).mean(axis=(1, 3))


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 9), st.integers(4, 9), st.integers(1, 13), st.integers(1, 13))
def test_a_pixel_is_the_mean_of_its_area(height: int, width: int, rows: int, columns: int) -> None:
    images = np.random.default_rng(rows).random((2, 3, rows, columns), dtype=np.float32)
    found = ImageChoice(resize=f"{height}x{width}").changed(images)
    expected = [[by_hand(channel.astype(np.float64), height, width) for channel in image] for image in images]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
    assert 0 <= found.min() <= found.max() <= 1


def test_the_size_as_stored_changes_nothing_and_level_is_kept() -> None:
    images = RNG.random((3, 1, 8, 9), dtype=np.float32)
    assert (ImageChoice(resize="8x9", gray=True).read(images, lambda block, _: block) == images).all()
    for level in (0.0, 0.1, 0.9, 1.0):
        even = np.full((1, 3, 31, 17), level, dtype=np.float32)
        found = ImageChoice(resize="5x4", gray=True).read(even, lambda block, _: block)
        np.testing.assert_allclose(found, np.float32(level), rtol=0, atol=1e-7)
    assert AS_STORED.notes == ()


def is_alone(choice: ImageChoice) -> bool:
    """Tell if each image comes out the same to the last bit beside others and alone."""
    images = RNG.random((50, 3, 33, 29), dtype=np.float32)
    together = choice.changed(images)
    return all((choice.changed(images[[number]])[0] == together[number]).all() for number in range(len(images)))


def test_each_image_is_changed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = ImageChoice(resize="7x5", gray=True)
    assert is_alone(choice)

    # The break: values stretched to the range of all images that are read together.
    def stretched(images: np.ndarray, num: int, axis: int) -> np.ndarray:
        low, high = images.min(), images.max()
        return image_choice_averaged((images - low) / (high - low), num, axis)

    image_choice_averaged = image_choice._averaged
    monkeypatch.setattr(image_choice, "_averaged", stretched)
    assert not is_alone(choice)


def test_blocks_are_no_part_of_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SMALL.read(COLOUR, lambda block, _: np.divide(block, 255, dtype=np.float32))
    monkeypatch.setattr(image_choice, "_AT_ONCE", 1500)
    starts: list[int] = []

    def in_unit_range(block: np.ndarray, start: int) -> np.ndarray:
        starts.append(start)
        return np.divide(block, 255, dtype=np.float32)

    assert (SMALL.read(COLOUR, in_unit_range) == whole).all()
    assert starts == [0, 2, 4, 6]


def test_an_array_in_a_file_is_read_at_the_size_that_was_asked_for(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=COLOUR, y=np.arange(7) % 2)
    as_stored = load_records(str(tmp_path / "a.npz"), num_classes=2)
    data = load_records(str(tmp_path / "a.npz"), num_classes=2, resize=(6, 8), gray=True)
    assert data.train.spec.shape == (1, 6, 8)
    assert (data.train.x.numpy() == ImageChoice(resize="6x8", gray=True).changed(as_stored.train.x.numpy())).all()
    assert (data.train.y == as_stored.train.y).all()
    assert data.public_notes[-2].startswith("Each image was brought to 6 x 8 (height x width)")
    assert "0.299 red + 0.587 green + 0.114 blue" in data.public_notes[-1]
    red = np.zeros((4, 3, 8, 8), dtype=np.float32)
    red[:, 0] = 1
    np.savez(tmp_path / "red.npz", x=red)
    assert load_records(str(tmp_path / "red.npz"), gray=True).train.x.unique().tolist() == pytest.approx([0.299])


def test_pictures_of_several_sizes_and_kinds_come_to_one(tmp_path: Path) -> None:
    for number, size in enumerate(((30, 20), (8, 9), (1300, 5))):
        Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    Image.fromarray(RNG.integers(0, 256, (9, 9), dtype=np.uint8)).save(tmp_path / "3.png")
    data = load_records(str(tmp_path), resize="16x12", gray=True)
    assert data.train.x.shape == (4, 1, 16, 12)
    assert data.public_notes[0].startswith("The number of channels was read")
    with pytest.raises(InputError, match=r"has 1 channels.*make all images gray \(--gray\)"):
        load_records(str(tmp_path), resize="16x12")
    with pytest.raises(InputError, match="all images must have one size; --resize HxW"):
        load_records(str(tmp_path), gray=True)
    for number in (0, 1):
        (tmp_path / f"{number}.png").unlink()
    with pytest.raises(InputError, match=r"1300 x 5.*4 to 1024 pixels; --resize HxW"):
        load_records(str(tmp_path), gray=True)


def test_a_side_too_long_to_be_read_is_refused_even_then(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4097, 4), dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"4097 x 4.*no side may be above 4096"):
        load_records(str(tmp_path), resize=(8, 8))


def test_a_published_set_at_another_size_keeps_its_counts_and_not_its_name() -> None:
    as_stored, data = load_records("digits"), load_records("digits", resize=(12, 10))
    assert data.train.spec.shape == (1, 12, 10)
    assert (as_stored.train.published_name, data.train.published_name) == ("digits", None)
    assert as_stored.published == data.published
    assert (data.train.y == as_stored.train.y).all()
    assert data.public_notes[0].startswith("Classes and split are those published")
    same = load_records("digits", resize=(8, 8), gray=True)
    assert same.train.published_name == "digits"
    assert (same.train.x == as_stored.train.x).all()


@pytest.mark.parametrize("said", [{"resize": (8, 8)}, {"gray": True}], ids=["resize", "gray"])
def test_series_have_no_size_and_no_colour(said: dict, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 1, 9)), low=0.0, high=1.0)
    (tmp_path / "a.csv").write_text("0.1,0.2\n0.3,0.4\n")
    reading = SeriesReading(facts=SeriesFacts(low=(0.0,), high=(1.0,)))
    for source, read in (("beats", None), (tmp_path / "a.npz", None), (tmp_path / "a.csv", reading)):
        with pytest.raises(InputError, match="--resize, --gray and --alpha change images, and these are series"):
            load_records(str(source), **({} if read is None else {"reading": read}), **said)


@pytest.mark.parametrize("size", ["8", "8x", "3x8", "8x1025", "8x8x8", "-8x8", "axb", (8,), (8, 8.5), (True, 8), 8])
def test_a_size_that_is_none_is_refused(size: object) -> None:
    with pytest.raises(InputError, match="resize"):
        ImageChoice.of(size, gray=False)  # type: ignore[arg-type]


def test_a_ground_is_refused_where_nothing_is_transparent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=pixels)
    np.save(tmp_path / "a.npy", pixels)
    idx = bytes((0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 8)) + pixels.tobytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx)
    sources = ("digits", *(str(tmp_path / name) for name in ("a.npz", "a.npy", "train-images-idx3-ubyte")))
    for source in sources:
        with pytest.raises(InputError, match="--alpha is of pictures in a folder, and nothing is transparent here"):
            load_records(source, alpha="white")
    # The break: the ground does nothing, and the statement says that it was laid.
    for module in (catalogue, own):
        monkeypatch.setattr(module, "refuse_alpha", lambda name, images: None)
    for source in sources[1:]:
        assert any("laid on white" in note for note in load_records(source, alpha="white").public_notes)


def test_records_beside_a_folder_need_no_ground(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 8, 8), dtype=np.uint8))
    words = SeriesChoice(split="random")
    data = load_beside(str(tmp_path / "a.npz"), None, None, words, images=ImageChoice(alpha="white"))
    assert (data.train.num_records, data.test) == (4, None)
