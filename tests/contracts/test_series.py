"""Every method on series of two channels: what holds for images holds, without a line of the methods' own for it.

Comparisons are exact: nothing here has a false alarm.
"""

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer import methods
from gossamer.data.records import RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import BOOKS, find_book
from gossamer.methods.dp_cgan.training import DPCGANConfig
from gossamer.methods.dp_merf.training import DPMERFConfig
from gossamer.methods.dp_mixture.components import ComponentCovariances
from gossamer.methods.dp_mixture.training import DPMixtureConfig
from gossamer.methods.gs_wgan.augmentation import SmallMotions
from gossamer.methods.gs_wgan.training import GSWGANConfig, Stage
from gossamer.methods.gs_wgan.warm_start import AgainstOwnGenerator, AgainstPresentGenerator
from gossamer.methods.method import AbstractTraining, Method, RecordsExpected, RunContext
from gossamer.nn.images.mlp import MLPCriticConfig
from gossamer.nn.latents import NormalLatent
from gossamer.nn.series.critic import SeriesConvCriticConfig
from gossamer.nn.series.discriminator import SeriesConvDiscriminatorConfig
from gossamer.nn.series.generator import SeriesConvGeneratorConfig
from gossamer.nn.series.merf import SeriesMERFGeneratorConfig
from gossamer.nn.series.mixture import BeforeZeros, SeriesMixtureGeneratorConfig
from gossamer.nn.views import LowFrequencies, Pooled
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.config_io import from_json_tree, to_json_tree

RECORDS, DELTA, KEY = 60, 1e-3, UnitKey(bytes(32))
SPEC = SeriesSpec(channels=2, length=24, low=(0.0, 0.0), high=(1.0, 1.0), class_names=("a", "b", "c"))
EXPECTED = RecordsExpected(shape=(2, 24), num_classes=3)
MIXTURE = SeriesMixtureGeneratorConfig(num_directions=5, radius=9, ending=BeforeZeros())
GS_WGAN = GSWGANConfig(
    num_critics=6, num_steps=4, batch_size=8, draws_per_step=4, noise_multiplier=1.0, variety=0.1,
    generator=SeriesConvGeneratorConfig(width=2),
    stages=(
        Stage(view=Pooled(factor=2), critic=SeriesConvCriticConfig(width=2),
              warm_start=AgainstOwnGenerator(num_updates=2, hidden=4)),
        Stage(view=LowFrequencies(radius=6), critic=MLPCriticConfig(hidden_sizes=(5,)),
              warm_start=AgainstPresentGenerator(num_updates=2)),
    ),
    critic_batch_size=3, pool_per_class=3, fork_steps=2, renewals_per_step=2, critics_at_once=4,
)  # fmt: skip

TINY: dict[str, Any] = {
    "gs-wgan": GS_WGAN,
    "dp-cgan": DPCGANConfig(
        num_steps=3, expected_batch_size=15, noise_multiplier=1.0, generator=SeriesConvGeneratorConfig(width=2),
        latent=NormalLatent(dim=4), discriminator=SeriesConvDiscriminatorConfig(width=3), synthetic_batch_size=7,
        generator_batch_size=6,
    ),
    "dp-merf": DPMERFConfig(
        records=EXPECTED, num_features=40, squared_bandwidth=8.0, noise_multiplier=0.7,
        generator=SeriesMERFGeneratorConfig(hidden_size=12, width=4), num_fit_steps=30, samples_per_class=4,
    ),
    "dp-mixture": DPMixtureConfig(
        records=EXPECTED, generator=replace(MIXTURE, num_components=2), num_rounds=2, noise_multiplier=0.7,
        covariances=ComponentCovariances(),
    ),
}  # fmt: skip
"""Settings of a few private steps for series of two channels, 24 samples and three classes."""


@pytest.fixture(params=[book.method.name for book in BOOKS])
def method(request: Any) -> Method[Any]:
    """Each method that can be asked for by name."""
    return find_book(request.param).method


def series(seed: int = 0) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(RECORDS, 2, 24, generator=rng)
    x[::3, :, 17:] = 0
    return RecordSet(name="fixture", spec=SPEC, x=x, y=torch.randint(0, 3, (RECORDS,), generator=rng))


def start(method: Method[Any], private: RecordSet | None = None, **given: Any) -> AbstractTraining:
    circumstances = RunContext(**{"delta": DELTA, "key": KEY, **given})
    return method.start(TINY[method.name], private or series(), DeterministicNoise(3), circumstances)


def finished(training: AbstractTraining) -> AbstractTraining:
    for _ in training:
        pass
    return training


def test_every_method_has_settings_for_series_here() -> None:
    assert [book.method.name for book in BOOKS] == list(TINY)


def test_settings_for_series_are_read_back_as_they_were_written(method: Method[Any]) -> None:
    settings = TINY[method.name]
    assert from_json_tree(type(settings), to_json_tree(settings), "here") == settings


def test_a_few_steps_give_a_generator_of_series_with_classes_in_turn(method: Method[Any]) -> None:
    trained = finished(start(method)).trained()
    samples, labels = trained.sample(7)
    assert samples.shape == (7, 2, 24)
    assert 0 <= samples.min() <= samples.max() <= 1
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert samples.flatten(start_dim=1).unique(dim=0).shape[0] == 7


def test_interrupted_after_any_report_and_resumed_equals_uninterrupted(method: Method[Any], check_resumed: Any) -> None:
    check_resumed(functools.partial(start, method))


def test_a_series_of_another_shape_is_refused_where_settings_name_one(method: Method[Any]) -> None:
    longer = replace(SPEC, length=25)
    private = RecordSet(name="longer", spec=longer, x=torch.rand(RECORDS, 2, 25), y=torch.arange(RECORDS) % 3)
    if "records" in vars(TINY[method.name]):
        with pytest.raises(InputError, match="shape"):
            start(method, private)
    else:
        assert finished(start(method, private)).trained().sample(2)[0].shape == (2, 2, 25)


def test_motions_of_images_are_refused_for_series() -> None:
    with pytest.raises(InputError, match="NoAugmentation"):
        SmallMotions(count=2).variant(series().x, 0, torch.arange(RECORDS), 0)


def test_no_method_asks_whether_its_records_are_series() -> None:
    """`trained.py` alone knows both specifications, because a file has to name one; and augmentation refuses series."""
    folder = Path(inspect.getfile(methods)).parent
    asking = {
        path.name
        for path in folder.glob("*.py")
        if re.search(r"SeriesSpec|nn\.series|\.dim\(\) [!=]= \d|len\([^)]*shape[^)]*\) [!=]= \d", path.read_text())
    }
    assert asking <= {"trained.py", "augmentation.py"}
