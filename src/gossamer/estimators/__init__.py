"""Fit and sample in few lines: every method after the habit of scikit-learn, in numpy's terms."""

from gossamer.driving.generator_file import load_generator, write_generator_file
from gossamer.estimators.arrays import as_images, as_series
from gossamer.estimators.choosing import fit
from gossamer.estimators.estimator import AbstractEstimator
from gossamer.estimators.methods import DPCGAN, DPMERF, GSWGAN, DPMixture, LabelledMixture
from gossamer.estimators.planned import PlannedTraining
from gossamer.estimators.records import load_series
from gossamer.estimators.released import ReleasedGenerator, load
from gossamer.estimators.scores import EvaluationScores
from gossamer.estimators.views import SyntheticDataset

__all__ = [
    "DPCGAN",
    "DPMERF",
    "GSWGAN",
    "AbstractEstimator",
    "DPMixture",
    "EvaluationScores",
    "LabelledMixture",
    "PlannedTraining",
    "ReleasedGenerator",
    "SyntheticDataset",
    "as_images",
    "as_series",
    "fit",
    "load",
    "load_generator",
    "load_series",
    "write_generator_file",
]
