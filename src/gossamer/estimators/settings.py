"""The settings of each method as typed keywords, so that an editor completes them and a type checker knows them.

Written by hand, because no type checker reads fields of a dataclass as keywords of another class. A test holds that
names and types are those of the methods' configurations.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from gossamer.methods.dp_cgan.settings import GradientDescent
from gossamer.methods.dp_mixture.components import Covariances
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.gs_wgan.augmentation import Augmentation
from gossamer.methods.gs_wgan.centre import Centre
from gossamer.methods.gs_wgan.settings import Stage, WassersteinLoss
from gossamer.methods.records_expected import RecordsExpected
from gossamer.nn.choices import (
    AnyMixtureGeneratorConfig,
    DiscriminatorConfig,
    EmbeddingGeneratorConfig,
    GeneratorConfig,
)
from gossamer.nn.devices import DeviceName
from gossamer.nn.labelled_settings import TeacherConfig
from gossamer.nn.latents import Latent
from gossamer.nn.settings import Adam
from gossamer.nn.views import View
from gossamer.privacy.adjacency import UnitName


class SharedArguments(TypedDict, total=False):
    """The keywords that all estimators share, as `AbstractEstimator` describes them."""

    recipe: str | None
    unit: UnitName | None
    num_people: int | None
    num_records: int | None
    num_classes: int | None
    num_tuning_runs: int
    roster: str | Path | None
    device: DeviceName
    seed: int
    start_from: str | Path | None
    start_steps: int | None


class GSWGANSettings(SharedArguments, total=False):
    """The keywords of `GSWGAN`: shared arguments, and the fields of `GSWGANConfig`."""

    num_critics: int
    num_steps: int
    batch_size: int
    draws_per_step: int
    critics_per_draw: int | None
    clip_norm: float
    generator: GeneratorConfig
    latent: Latent
    stages: tuple[Stage, ...]
    critic_batch_size: int
    pool_per_class: int
    fork_steps: int
    renewals_per_step: int
    renewal_steps: int
    critic_adam: Adam
    generator_adam: Adam
    final_learning_rate: float
    loss: WassersteinLoss
    augmentation: Augmentation
    variety: float
    moving_average: float
    centre: Centre
    critics_at_once: int


class DPCGANSettings(SharedArguments, total=False):
    """The keywords of `DPCGAN`: shared arguments, and the fields of `DPCGANConfig`."""

    num_steps: int
    expected_batch_size: int
    clip_norm: float
    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    latent: Latent
    view: View
    synthetic_batch_size: int
    generator_batch_size: int
    discriminator_steps: int
    discriminator_optimiser: GradientDescent | Adam
    generator_adam: Adam
    final_learning_rate: float
    moving_average: float
    records_per_person: int
    chunk_size: int


class DPMERFSettings(SharedArguments, total=False):
    """The keywords of `DPMERF`: shared arguments, and the fields of `DPMERFConfig`."""

    records: RecordsExpected
    num_features: int
    squared_bandwidth: float
    generator: EmbeddingGeneratorConfig
    latent: Latent
    num_fit_steps: int
    samples_per_class: int
    adam: Adam
    final_learning_rate: float
    moving_average: float


class DPMixtureSettings(SharedArguments, total=False):
    """The keywords of `DPMixture`: shared arguments, and the fields of `DPMixtureConfig`."""

    records: RecordsExpected
    generator: AnyMixtureGeneratorConfig
    num_rounds: int | None
    mean_share: float
    subspace_share: float
    round_share: float
    covariance_share: float
    mean_radius: float
    subspace_radius: float
    round_radius: float
    covariance_radius: float
    covariances: Covariances
    centre_noise: float
    spread: float


class LabelledMixtureSettings(SharedArguments, total=False):
    """The keywords of `LabelledMixture`: shared arguments, and the fields of `LabelledMixtureConfig`."""

    mixture: DPMixtureConfig
    teacher: TeacherConfig
    teacher_share: float
    teacher_steps: int
    sample_rate: float
    clip_norm: float
    adam: Adam
    final_learning_rate: float
    moving_average: float
    records_per_person: int
    chunk_size: int
