"""What scoring images and scoring series differ in; here alone the kind of the real records decides."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from gossamer.cli.bench import Bench, Draws, Findings, RealRecords, Terms
from gossamer.cli.encoder import Count
from gossamer.cli.series_bench import SeriesBench
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.evaluation import suite as images
from gossamer.evaluation.classifiers import SMALL_CNN, TWELVE
from gossamer.evaluation.encoder import EncoderSettings
from gossamer.evaluation.inception import NUM_FEATURES
from gossamer.evaluation.memorisation import NearestPair
from gossamer.evaluation.series import suite as series
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.suite import SyntheticRecords
from gossamer.extras import from_extra, need
from gossamer.reports.grid import comparison_grid, save_png
from gossamer.reports.pairs import pairs_picture
from gossamer.runs.cache import CacheFolder

NUM_GRID_COLUMNS = 10
_UNLABELLED = "the {} have no labels"
_BY_QUICK = "left out by --quick"


class AnyBench(Protocol):
    """What scores any number of targets."""

    def score(self, draws: Draws, count: Count) -> dict[str, Findings]:
        """Findings by the name of a target."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A target as pictures show it.

    Attributes:
        name: of the target.
        records: the first seed's draw.
        pairs: those of them that are nearest to a training record.
        confusions: direction -> (classes, classes) numbers of test records, true class by predicted; may be empty.
        suffix: of the names of files that show this target alone.
    """

    name: str
    records: SyntheticRecords
    pairs: Sequence[NearestPair]
    confusions: Mapping[str, np.ndarray]
    suffix: str


class AbstractKind(abc.ABC):
    """How one kind of records is scored and shown."""

    @abc.abstractmethod
    def suite_name(self, *, quick: bool) -> str:
        """Name of the suite that is asked for."""

    @abc.abstractmethod
    def check_real(self, where: str, real: RealRecords) -> None:
        """Refuse real records that cannot be scored against.

        Raises:
            InputError: they lack what the scores need.
        """

    @abc.abstractmethod
    def check_draw(self, where: str, draw: SyntheticRecords, real: RealRecords) -> None:
        """Refuse synthetic records that no score can tell anything about.

        Raises:
            InputError: naming the first that breaks a rule.
        """

    @abc.abstractmethod
    def check_number(self, where: str, number: int, terms: Terms, real: RealRecords) -> None:
        """Refuse too few records before anything is computed.

        Raises:
            InputError: too few.
        """

    @abc.abstractmethod
    def prepare(self, terms: Terms, real: RealRecords, cache: CacheFolder, count: Count) -> AnyBench:
        """Make ready what depends on real records alone."""

    @abc.abstractmethod
    def skipped(self, terms: Terms, draw: SyntheticRecords, found: Findings) -> dict[str, str]:
        """Scores that were left out, and why."""

    @abc.abstractmethod
    def classifiers(self) -> Mapping[str, str]:
        """Name of a classifier -> the score that its bar shows."""

    @abc.abstractmethod
    def draw_pictures(self, folder: Path, shown: Sequence[Shown], real: RealRecords) -> None:
        """Write pictures of synthetic beside real records; the folder is private."""


def kind_of(spec: AbstractSpec) -> AbstractKind:
    """The kind of records that a specification describes."""
    return SeriesKind() if isinstance(spec, SeriesSpec) else ImageKind()


class ImageKind(AbstractKind):
    """Images: features of an encoder trained on them, and the twelve classifiers."""

    def suite_name(self, *, quick: bool) -> str:
        """Name of the suite that is asked for."""
        return (images.QUICK if quick else images.FULL).name

    def check_real(self, where: str, real: RealRecords) -> None:
        """Refuse real images without labels."""
        if real.train.y is None or real.test.y is None:
            raise InputError(
                f"{where}: has no labels, and encoder and classifiers need them; add them as y, or a sub-folder for "
                "each class"
            )

    def check_draw(self, where: str, draw: SyntheticRecords, real: RealRecords) -> None:
        """Refuse values, labels or copies that no score can tell anything about."""
        images.check_images(where, draw, real.train.spec.num_classes)

    def check_number(self, where: str, number: int, terms: Terms, real: RealRecords) -> None:
        """Refuse fewer than the inception score and the Frechet distance want."""
        images.check_number(
            where,
            number,
            num_features=EncoderSettings().num_features,
            num_classes=real.train.spec.num_classes,
            permit_few_samples=terms.permit_few_samples,
        )
        if terms.inception_weights is not None and number < NUM_FEATURES and not terms.permit_few_samples:
            raise InputError(
                f"{where}: {number} images; a FID wants {NUM_FEATURES}: give more, --allow-few-samples, or no weights"
            )

    def prepare(self, terms: Terms, real: RealRecords, cache: CacheFolder, count: Count) -> AnyBench:
        """Find or train the encoder, and encode the test images."""
        return Bench.prepare(terms, _image_suite(terms), real, cache, count)

    def skipped(self, terms: Terms, draw: SyntheticRecords, found: Findings) -> dict[str, str]:
        """Scores that were left out, and why."""
        asked = images.score_names(_image_suite(terms))
        skipped = {name: _BY_QUICK for name in images.score_names(images.FULL) if name not in asked}
        if draw.y is None:
            skipped |= dict.fromkeys(images.downstream_names(images.FULL), _UNLABELLED.format("images"))
        if "fid_inception" not in found.scores:
            skipped["fid_inception"] = "no --inception-weights given"
        return skipped

    def classifiers(self) -> Mapping[str, str]:
        """Name of a classifier -> the score that its bar shows."""
        return {one.name: f"{one.name}_accuracy" for one in (*TWELVE, SMALL_CNN)}

    def draw_pictures(self, folder: Path, shown: Sequence[Shown], real: RealRecords) -> None:
        """Grids of all targets and of real test images; nearest pairs."""
        assert real.test.y is not None
        scale = max(1, 48 // real.test.spec.shape[-1])
        named = [(one.name, one.records.x, one.records.y) for one in shown]
        named.append((f"real test images of {real.test.name}", real.test.x.numpy(), real.test.y.numpy()))
        save_png(folder / "samples.png", comparison_grid(named, NUM_GRID_COLUMNS, scale))
        for one in shown:
            if one.pairs:
                made, kept, distances = _paired(one, real)
                save_png(folder / f"nearest-pairs{one.suffix}.png", pairs_picture(made, kept, distances))


class SeriesKind(AbstractKind):
    """Time series: profiles, clouds of features, warping, and classifiers in both directions."""

    def suite_name(self, *, quick: bool) -> str:
        """Name of the suite that is asked for."""
        return (series.QUICK if quick else series.FULL).name

    def check_real(self, where: str, real: RealRecords) -> None:
        """Real series may do without labels, but not without what warps them."""
        need("series", "scoring time series")

    def check_draw(self, where: str, draw: SyntheticRecords, real: RealRecords) -> None:
        """Refuse values, labels or copies that no score can tell anything about."""
        series.check_series(where, SeriesSet(name=where, x=draw.x, y=draw.y), real.train.spec.num_classes)

    def check_number(self, where: str, number: int, terms: Terms, real: RealRecords) -> None:
        """Refuse fewer than the discrepancy and the Frechet distance want."""
        series.check_number(where, number, permit_few_samples=terms.permit_few_samples)

    def prepare(self, terms: Terms, real: RealRecords, cache: CacheFolder, count: Count) -> AnyBench:
        """There is nothing to make ready: the encoder is fixed."""
        return SeriesBench(terms=terms, suite=_series_suite(terms), real=real)

    def skipped(self, terms: Terms, draw: SyntheticRecords, found: Findings) -> dict[str, str]:
        """Scores that were left out, and why."""
        asked = series.score_names(_series_suite(terms))
        skipped = {name: _BY_QUICK for name in series.score_names(series.FULL) if name not in asked}
        needy = (*series.downstream_names(series.FULL), *series.people_names(series.FULL))
        if "class_distance" not in found.scores:
            skipped |= dict.fromkeys(needy, _UNLABELLED.format("series"))
        missing = (name for name in asked if name not in found.scores and name not in skipped)
        skipped |= {name: _reason(name, found) for name in missing}
        return skipped

    def classifiers(self) -> Mapping[str, str]:
        """Name of a classifier -> the score that its bar shows."""
        return {one.name: f"tstr_{one.name}_accuracy" for one in series.FULL.classifiers}

    def draw_pictures(self, folder: Path, shown: Sequence[Shown], real: RealRecords) -> None:
        """Series per class with mean and band, spectra, an embedding, nearest pairs; all of them show real series."""
        with from_extra("evaluate", "a picture of time series"):
            from gossamer.reports.curves import save_figure
            from gossamer.reports.series import SeriesView, confusions, embedding, overlaid, pairs_of_series, spectra

        spec = real.test.spec
        assert isinstance(spec, SeriesSpec)
        labels = None if real.test.y is None else real.test.y.numpy()
        kept = SeriesView(name=f"real test series of {real.test.name}", x=real.test.x.numpy(), y=labels)
        for one in shown:
            made = SeriesView(name=one.name, x=one.records.x, y=one.records.y)
            save_figure(overlaid(made, kept, spec.class_names), folder / f"samples{one.suffix}")
            save_figure(spectra(made, kept, sample_rate=spec.sample_rate), folder / f"spectra{one.suffix}")
            save_figure(embedding(made, kept, spec.class_names), folder / f"embedding{one.suffix}")
            if one.confusions:
                save_figure(confusions(one.confusions, spec.class_names), folder / f"confusions{one.suffix}")
            if one.pairs:
                save_figure(pairs_of_series(*_paired(one, real)), folder / f"nearest-pairs{one.suffix}")


def _reason(name: str, found: Findings) -> str:
    """Why a score of labelled series is not there."""
    if not name.endswith("_people"):
        return "all tested series are of one class"
    if name.startswith("tstr_") and "trtr_accuracy_people" in found.scores:
        return "the generator may have learnt from everybody who is tested; split the data between people"
    return "the data do not say which series are of one person, or there are too few people"


def _paired(one: Shown, real: RealRecords) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Synthetic records, the training record nearest to each, their distances."""
    made = one.records.x[[pair.synthetic_index for pair in one.pairs]]
    kept = real.train.x[[pair.train_index for pair in one.pairs]].numpy()
    return made, kept, np.array([pair.distance for pair in one.pairs])


def _image_suite(terms: Terms) -> images.Suite:
    return images.QUICK if terms.suite == images.QUICK.name else images.FULL


def _series_suite(terms: Terms) -> series.SeriesSuite:
    return series.QUICK if terms.suite == series.QUICK.name else series.FULL
