"""Synthetic records as torch, pandas and Hugging Face have them: the same numbers, whoever asks."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import csv
from torch.utils.data import DataLoader

from gossamer.driving.handing_over import write_records
from gossamer.errors import InputError
from gossamer.estimators import GSWGAN, DPMixture


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library keeps, it keeps it here; and nobody is asked on the net."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")


def test_a_dataset_holds_what_sample_draws(fitted: GSWGAN) -> None:
    dataset = fitted.released.to_dataset(7, seed=3)
    x, y = fitted.sample(7, seed=3)
    assert len(dataset) == 7
    assert y is not None
    for index, (image, label) in enumerate(dataset[place] for place in range(7)):
        assert torch.equal(image, torch.from_numpy(x[index]))
        assert label == y[index]
    with pytest.raises(IndexError):
        _ = dataset[7]
    assert repr(dataset) == "SyntheticDataset of 7 records of shape (1, 8, 8)"


def test_a_loader_shuffles_it_and_shares_it_out_to_workers(fitted: GSWGAN) -> None:
    dataset = fitted.released.to_dataset(24)
    loader = DataLoader(dataset, batch_size=6, num_workers=2, shuffle=True, generator=torch.Generator().manual_seed(0))
    batches = list(loader)
    x, y = torch.cat([image for image, _ in batches]), torch.cat([label for _, label in batches])
    assert x.shape == (24, 1, 8, 8)
    assert (y.dtype, sorted(y.tolist())) == (torch.int64, sorted(fitted.sample(24)[1]))
    assert torch.allclose(x.sum(), dataset.x.sum())
    assert not torch.equal(x, dataset.x)


def test_without_classes_an_item_is_the_record_alone(images: np.ndarray) -> None:
    dataset = DPMixture(epsilon=10.0).fit(images).released.to_dataset(5)
    assert isinstance(dataset[0], torch.Tensor)
    assert next(iter(DataLoader(dataset, batch_size=5))).shape == (5, 1, 8, 8)


def test_a_frame_of_images_has_a_column_a_pixel_and_the_class_by_name(fitted: GSWGAN) -> None:
    frame = fitted.released.to_frame(6, np.array([2, 2, 2, 0, 0, 1]))
    x, _ = fitted.sample(6, np.array([2, 2, 2, 0, 0, 1]))
    assert frame.shape == (6, 65)
    assert list(frame.columns[[0, 1, 8, 63, 64]]) == ["pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_7_7", "class"]
    assert np.array_equal(frame.iloc[:, :64].to_numpy(), x.reshape(6, 64))
    assert frame["class"].tolist() == ["2", "2", "2", "0", "0", "1"]
    assert frame["class"].cat.categories.tolist() == ["0", "1", "2"]


def test_a_frame_of_series_is_the_table_that_the_command_line_writes(of_series: DPMixture, tmp_path: Path) -> None:
    frame = of_series.released.to_frame(9)
    trained = of_series.released.trained
    x, y = trained.sample(9)
    assert y is not None
    write_records(tmp_path / "series.csv", x.numpy(), y.numpy(), trained.recipe.spec)
    written = csv.read_csv(tmp_path / "series.csv").to_pandas()
    assert list(frame.columns) == list(written.columns)
    assert frame.columns[0] == "II_t0"
    assert np.allclose(frame.iloc[:, :-1].to_numpy(), written.iloc[:, :-1].to_numpy(), rtol=1e-6)
    assert frame["class"].tolist() == written["class"].tolist()


def test_a_frame_of_colour_images_names_the_colours() -> None:
    x = np.random.default_rng(0).random((60, 3, 4, 5))
    frame = DPMixture(epsilon=10.0).fit(x).released.to_frame(2)
    assert frame.shape == (2, 60)
    assert list(frame.columns[[0, 20, 59]]) == ["red_0_0", "green_0_0", "blue_3_4"]


@pytest.mark.usefixtures("hugging_face")
def test_hugging_face_holds_the_same_pictures_and_names_the_classes(fitted: GSWGAN) -> None:
    dataset = fitted.released.to_hugging_face(6)
    x, y = fitted.sample(6)
    assert y is not None
    assert dataset.column_names == ["image", "label"]
    assert dataset.features["label"].names == ["0", "1", "2"]
    assert dataset["label"][:] == y.tolist()
    assert "differentially private" in dataset.info.description
    for row, image in zip(dataset, x, strict=True):
        assert np.array_equal(np.asarray(row["image"], dtype=np.float32) / 255, image[0])
    assert dataset.with_format("torch")[0]["image"].shape == (1, 8, 8)


@pytest.mark.usefixtures("hugging_face")
def test_hugging_face_holds_series_in_their_own_units(of_series: DPMixture) -> None:
    dataset = of_series.released.to_hugging_face(6)
    x, _ = of_series.sample(6)
    assert dataset.column_names == ["series", "label"]
    assert np.array_equal(dataset.with_format("numpy")["series"][:], x)
    held = io.BytesIO()
    dataset.to_parquet(held)
    assert held.tell() > 0


@pytest.mark.parametrize(("module", "ask"), [("pandas", "to_frame"), ("datasets", "to_hugging_face")])
def test_what_is_not_installed_is_named_in_one_line(
    module: str, ask: str, fitted: GSWGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"needs {module}, which is not installed: pip install 'gossamer\[views\]'"):
        getattr(fitted.released, ask)(2)


def test_a_file_holds_what_sample_draws(fitted: GSWGAN, of_series: DPMixture, tmp_path: Path) -> None:
    path = fitted.released.write(tmp_path / "drawn.npz", 7, seed=3)
    x, y = fitted.sample(7, seed=3)
    with np.load(path) as found:
        assert np.array_equal(found["x"], x)
        assert np.array_equal(found["y"], y)
    folder = of_series.released.write(tmp_path / "drawn.csv", 9, evenness=0.5)
    assert csv.read_csv(folder).num_rows == 9
    with pytest.raises(InputError, match="cannot write"):
        fitted.released.write(tmp_path / "drawn.csv", 7)
