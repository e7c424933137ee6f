"""Synthetic records for other libraries: a data set of torch, a table of pandas, a data set of Hugging Face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from gossamer.data.layouts import LABEL, TableColumns
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.extras import from_extra
from gossamer.runs.samples import as_picture
from gossamer.runs.series_files import table_columns

if TYPE_CHECKING:
    import datasets
    import pandas

_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticDataset(Dataset[Any]):
    """Synthetic records for a `torch.utils.data.DataLoader`, with any number of workers. `to_dataset` makes it.

    The records were drawn once and lie in memory, so every epoch sees the same records, and an index always means the
    same record. An item is (record, label), a float32 tensor and an int. Without classes it is the record alone.

    Attributes:
        x: float32 (num_samples, ...), images in [0, 1], series in their own units.
        y: int64 (num_samples,), or None.
        class_names: in the order of the labels.
    """

    x: Tensor
    y: Tensor | None
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        """Count the records."""
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | Tensor:
        """Return a record, with its label if there are classes."""
        return self.x[index] if self.y is None else (self.x[index], int(self.y[index]))

    def __repr__(self) -> str:
        """Tell the number of records and their shape."""
        return f"SyntheticDataset of {len(self.x)} records of shape {tuple(self.x.shape[1:])}"


def frame_of(
    x: np.ndarray, y: np.ndarray | None, spec: AbstractSpec, columns: TableColumns | None = None
) -> pandas.DataFrame:
    """Return drawn records as a table. The last column is the class, by name, if there are classes.

    Args:
        x: records, series in their own units.
        y: int64 (num_samples,), or None.
        spec: of the records.
        columns: layout of a table of series. None for the layout in which they came.

    Raises:
        InputError: pandas is not installed.
    """
    with from_extra("views", "a table of pandas"):
        import pandas

    if isinstance(spec, SeriesSpec):
        found = table_columns(x, y, spec, spec.table if columns is None else columns)
    else:
        found = dict(zip(_pixel_names(spec), x.reshape(len(x), -1).T, strict=True))
        found |= {} if y is None else {LABEL: y}
    if y is None:
        return pandas.DataFrame(found)
    label = list(found)[-1]
    classes = pandas.Categorical.from_codes(found.pop(label), categories=pandas.Index(spec.class_names))
    return pandas.DataFrame(found | {label: classes})


def hugging_face_of(x: np.ndarray, y: np.ndarray | None, spec: AbstractSpec, description: str) -> datasets.Dataset:
    """Return drawn records as a data set of Hugging Face, in memory: ``image`` or ``series``, and ``label``.

    Raises:
        InputError: datasets is not installed.
    """
    with from_extra("views", "a data set of Hugging Face"):
        import datasets

    if isinstance(spec, SeriesSpec):
        name, kind, records = "series", datasets.Array2D(shape=spec.shape, dtype="float32"), list(x)
    else:
        name, kind, records = "image", datasets.Image(), [as_picture(image) for image in x]
    columns: dict[str, Any] = {name: records}
    features: dict[str, Any] = {name: kind}
    if y is not None:
        columns["label"] = y.tolist()
        features["label"] = datasets.ClassLabel(names=list(spec.class_names))
    info = datasets.DatasetInfo(description=description, features=datasets.Features(features))
    return datasets.Dataset.from_dict(columns, features=info.features, info=info)


def _pixel_names(spec: AbstractSpec) -> list[str]:
    """Name each pixel of an image."""
    channels, height, width = spec.shape
    colours = ("pixel",) if channels == 1 else _COLOURS
    return [f"{colour}_{row}_{column}" for colour in colours for row in range(height) for column in range(width)]
