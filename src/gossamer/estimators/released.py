"""A generator that may be shared, in numpy's terms: the result of `fit`, and of `load` from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np
import torch
from PIL import Image

from gossamer.data.files import path_of
from gossamer.data.layouts import as_long, as_wide
from gossamer.data.series import SeriesSpec
from gossamer.driving.generator_file import load_generator, write_generator_file
from gossamer.errors import InputError, told
from gossamer.estimators.classifying import classes_of, probabilities_of
from gossamer.estimators.drawing import Labels, chosen_labels, uneven_labels, write_drawn, write_drawn_series
from gossamer.estimators.records import Source
from gossamer.estimators.tables import Said
from gossamer.estimators.values import whole
from gossamer.estimators.views import SyntheticDataset, frame_of, hugging_face_of
from gossamer.extras import from_extra
from gossamer.methods.trained import Spec, TrainedGenerator
from gossamer.methods.verdict import Verdict
from gossamer.privacy.statement import PrivacyStatement
from gossamer.reports.grid import image_grid
from gossamer.runs.edf_file import write_edf
from gossamer.runs.series_files import in_own_units
from gossamer.runs.ts_files import write_ts
from gossamer.runs.wfdb_file import write_wfdb

if TYPE_CHECKING:
    import datasets
    import pandas


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedGenerator:
    """A generator that may be shared, with its statement: the result of `fit`, and of `load` from a file.

    Guarantee: the object holds no record, no critic and no path to one. Sampling is post-processing: any number of
    samples, and anything made of them, costs nothing more.

    Every way to draw takes a number, the classes and a seed. The same three give the same records. On the same machine
    with the same number of threads records are equal to the last bit.

    Classes are drawn in turn, as many of each, if nothing is said. So their shares are not those of the data. Where the
    method released shares, ``evenness=0`` draws the classes in them.

    Args:
        trained: generator and statement, in torch's terms, such as a training's own `trained()`.
    """

    trained: TrainedGenerator

    def __post_init__(self) -> None:
        if not isinstance(self.trained, TrainedGenerator):
            raise InputError(
                f"trained must be a TrainedGenerator, as a training's own trained(), not {told(self.trained)}"
            )

    @property
    def statement(self) -> PrivacyStatement:
        """Privacy statement: the claim, its unit of protection, and its assumptions."""
        return self.trained.statement

    @property
    def verdict(self) -> Verdict | None:
        """Verdict on the worth of the samples, in three grades. None if there is none, as in files of earlier versions.

        It was released with the generator, and follows from releases that the statement prices.
        """
        return self.trained.verdict

    @property
    def spec(self) -> Spec:
        """Shape, classes, and of series bounds and rate: all public."""
        return self.trained.recipe.spec

    def sample(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw synthetic records.

        Args:
            num_samples: number of records, at least 1.
            labels: one class for all records, by its number or name, or a number or name for each, (num_samples,). None
                for all classes in turn, as many of each.
            evenness: in place of labels: classes between the released shares (0) and all alike (1).
            seed: the same seed gives the same records.

        Returns:
            Images float32 (num_samples, channels, height, width) in [0, 1], or series float32 (num_samples, channels,
            time) in their own units. Labels are int64 (num_samples,), None for a generator without classes.

        Raises:
            InputError: a number below 1, or labels of another length, of another kind or outside the classes. Or an
                evenness beside labels, out of range, or of a generator without released shares.
        """
        x, y = self._drawn(num_samples, labels, evenness, seed)
        return in_own_units(x, self.spec) if isinstance(self.spec, SeriesSpec) else x, y

    def soft_labels(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> np.ndarray:
        """Return the teacher's probabilities of all classes for the records that `sample` draws with these arguments.

        Args:
            num_samples: as for `sample`, and so are the others.
            labels: as for `sample`.
            evenness: as for `sample`.
            seed: as for `sample`.

        Returns:
            float32 (num_samples, num_classes), each row together 1, under the shares of classes that were released.

        Raises:
            InputError: as `sample`, or a generator of a method without a teacher.
        """
        num_samples, seed = whole("num_samples", num_samples), whole("seed", seed)
        chosen = chosen_labels(self.trained, num_samples, labels, evenness, seed)
        return self.trained.probabilities(num_samples, labels=chosen, seed=seed).numpy()

    def uneven_labels(self, num_samples: int, *, evenness: float = 0.5, seed: int = 0) -> np.ndarray:
        """Choose labels to draw, between the released shares of the classes (evenness 0) and equal shares (1).

        Raises:
            InputError: a number out of range, or a generator of a method that released no shares.
        """
        return uneven_labels(self.trained, num_samples, evenness, seed).numpy()

    def predict(self, x: Source, *, evenness: float | None = None, **said: Unpack[Said]) -> np.ndarray:
        """Name the most probable class of each record, by a release that classifies.

        Those of DP-mixture classify by their Gaussians, and those of a labelled mixture by its teacher.

        Guarantee: post-processing of the release, which spends nothing. The records are read, and not kept. The named
        classes tell of these records, so they are as private as the records are.

        Args:
            x: records in any form that `fit` takes. Labels that come along are left aside.
            evenness: shares that the classes are taken to have: those released (0), all alike (1), or between them.
                None for those released, and for all alike if none were released.
            said: public facts of the records, as for `fit`. Facts that the release knows need not be said again.

        Returns:
            Names of classes (records,), text. Whole numbers int64 if nobody named the classes.

        Raises:
            InputError: the release has no classes, or its method brings no classifier. Or records that break a rule, or
                are of another shape, unit, rate or other bounds than those of the release.
        """
        return classes_of(self.predict_proba(x, evenness=evenness, **said), self.spec)

    def predict_proba(self, x: Source, *, evenness: float | None = None, **said: Unpack[Said]) -> np.ndarray:
        """Return the probabilities of the classes of each record, as `predict` has them.

        Those of the released Gaussians are raised to a public power, because records are no Gaussians and the
        probabilities would be too sure.

        Args:
            x: as for `predict`.
            evenness: as for `predict`.
            said: as for `predict`.

        Returns:
            float64 (records, classes), in the order of ``spec.class_names``.

        Raises:
            InputError: as `predict`.
        """
        return probabilities_of(self.trained, x, evenness, said)

    def to_dataset(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> SyntheticDataset:
        """Draw records as `sample` does, as a data set for `torch.utils.data.DataLoader`."""
        x, y = self.sample(num_samples, labels, evenness=evenness, seed=seed)
        drawn = None if y is None else torch.from_numpy(y)
        return SyntheticDataset(x=torch.from_numpy(x), y=drawn, class_names=self.spec.class_names)

    def to_frame(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> pandas.DataFrame:
        """Draw records as `sample` does, as a table of pandas, in the layout in which the data came.

        Series that were read from a long table come back as one: a row for each time. All other records are a row each,
        with their values side by side. `to_long_frame` and `to_wide_frame` choose.

        Columns are ``pixel_ROW_COLUMN``, of colour images ``red_0_0`` and so on, of series as in the tables of
        ``gossamer sample``. The last is ``class``, by name, if there are classes. Columns that were named when the
        series were read keep those names.

        Raises:
            InputError: as `sample`, or pandas is not installed.
        """
        return frame_of(*self.sample(num_samples, labels, evenness=evenness, seed=seed), self.spec)

    def to_wide_frame(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> pandas.DataFrame:
        """Draw records as `to_frame` does, a row for each record: of series ``t0`` or ``CHANNEL_t0``.

        Raises:
            InputError: as `to_frame`.
        """
        drawn = self.sample(num_samples, labels, evenness=evenness, seed=seed)
        return frame_of(*drawn, self.spec, as_wide(self.spec.table) if isinstance(self.spec, SeriesSpec) else None)

    def to_long_frame(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> pandas.DataFrame:
        """Draw series as `to_frame` does, a row for each time.

        Columns are ``series``, ``time``, one for each channel, and ``class``. Series are counted from 0. Times are
        seconds, or steps if there is no sample rate.

        Raises:
            InputError: as `to_frame`, or the samples are images.
        """
        if not isinstance(self.spec, SeriesSpec):
            raise InputError("a long table is of time series, and these samples are images: take to_wide_frame")
        drawn = self.sample(num_samples, labels, evenness=evenness, seed=seed)
        return frame_of(*drawn, self.spec, as_long(self.spec.table))

    def to_hugging_face(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> datasets.Dataset:
        """Draw records as `sample` does, as a data set of Hugging Face's library, in memory.

        Columns are ``image`` (pictures, PNG inside) or ``series`` (channels x time), and ``label`` with the names of
        the classes. The description of the data set has its guarantee.

        Raises:
            InputError: as `sample`, or datasets is not installed.
        """
        said = f"Synthetic records of a generator that is {self.statement.claim}."
        return hugging_face_of(*self.sample(num_samples, labels, evenness=evenness, seed=seed), self.spec, said)

    def write(
        self,
        path: str | Path,
        num_samples: int,
        labels: Labels = None,
        *,
        evenness: float | None = None,
        seed: int = 0,
    ) -> Path:
        """Draw records as `sample` does into a file or folder, as ``gossamer sample --out`` writes them.

        They are drawn and written piece by piece, so that a million records take little memory.

        Returns:
            The path. A warning says all that the format could not hold as it is.

        Raises:
            InputError: as `sample`, or the ending is of a format that such records are not written in.
            ResourceError: the file cannot be written.
        """
        return write_drawn(self.trained, path, num_samples, labels, evenness, seed)

    def to_ts(
        self,
        path: str | Path,
        num_samples: int,
        labels: Labels = None,
        *,
        evenness: float | None = None,
        seed: int = 0,
    ) -> Path:
        """Draw series as `sample` does, into a .ts file of the UCR and UEA archives.

        Returns:
            The path.

        Raises:
            InputError: as `sample`, or the samples are images, or a class's name cannot stand in such a file.
            ResourceError: the file cannot be written.
        """
        asked = self.trained, path, num_samples, labels, evenness, seed
        return write_drawn_series(*asked, write=write_ts, what="a .ts file")

    def to_edf(
        self,
        path: str | Path,
        num_samples: int,
        labels: Labels = None,
        *,
        evenness: float | None = None,
        seed: int = 0,
    ) -> Path:
        """Draw series as `sample` does, into one EDF+ recording. An annotation spans each, and names its class.

        Returns:
            The path. A warning says all that the format could not hold as it is.

        Raises:
            InputError: as `sample`, or the samples are images. Or their rate or bounds do not fit an EDF header.
            ResourceError: the file cannot be written.
        """
        asked = self.trained, path, num_samples, labels, evenness, seed
        return write_drawn_series(*asked, write=write_edf, what="a recording")

    def to_wfdb(
        self,
        path: str | Path,
        num_samples: int,
        labels: Labels = None,
        *,
        evenness: float | None = None,
        seed: int = 0,
    ) -> Path:
        """Draw series as `sample` does, into a folder with one WFDB recording and a mark in each series.

        Returns:
            The path. A warning says all that the format could not hold as it is.

        Raises:
            InputError: as `sample`, or the samples are images. Or they have no sample rate, or the folder holds
                something.
            ResourceError: the recording cannot be written.
        """
        asked = self.trained, path, num_samples, labels, evenness, seed
        return write_drawn_series(*asked, write=write_wfdb, what="a recording")

    def picture(
        self, num_samples: int = 100, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> Image.Image:
        """Draw samples as one picture: images ten to a row, series in panels, by class if there are classes.

        Raises:
            InputError: as `sample`, or the samples are series and the extra that draws them is not installed.
        """
        x, y = self._drawn(num_samples, labels, evenness, seed)
        if not isinstance(self.spec, SeriesSpec):
            return image_grid(x, y, self.spec.class_names)
        with from_extra("series", "a picture of time series"):
            from gossamer.reports.curves import picture_of
            from gossamer.reports.series_grid import series_grid
        return picture_of(series_grid(x, y, self.spec))

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file with weights, recipe and statement, which `load` and `gossamer sample` read.

        Raises:
            ResourceError: the file cannot be written.
        """
        return write_generator_file(self.trained, path_of(path, "path"))

    def __repr__(self) -> str:
        """Tell the kind, shape, claim and verdict of the samples."""
        kind = "series" if isinstance(self.spec, SeriesSpec) else "images"
        classes = f" in {self.spec.num_classes} classes" if self.spec.num_classes else ""
        return f"ReleasedGenerator of {kind} {self.spec.shape}{classes}, {claimed(self.trained)}"

    def _drawn(
        self, num_samples: int, labels: Labels, evenness: float | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw records in [0, 1], and their labels."""
        num_samples, seed = whole("num_samples", num_samples), whole("seed", seed)
        chosen = chosen_labels(self.trained, num_samples, labels, evenness, seed)
        x, y = self.trained.sample(num_samples, labels=chosen, seed=seed)
        return x.numpy(), None if y is None else y.numpy()


def claimed(trained: TrainedGenerator) -> str:
    """Return the claim of a generator's statement, and the grade of its verdict if it has one."""
    claim, verdict = trained.statement.claim, trained.verdict
    return claim if verdict is None else f"{claim}, verdict: {verdict.grade.value}"


def load(path: str | Path) -> ReleasedGenerator:
    """Read a generator that `save` or `gossamer train` wrote. No code in the file is run.

    Args:
        path: the safetensors file, or a run folder, of which only ``release/`` is read. Or the folder of a generator
            that a run saved on the way, ``release/checkpoints/step-000500``.

    Raises:
        InputError: there is no generator, or it is damaged.
    """
    return ReleasedGenerator(trained=load_generator(path_of(path, "path")))
