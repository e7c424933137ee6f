"""A training as the run folder remembers it: the digests of its records and of its settings."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch

from gossamer.data.identities import digests_of_names
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.driving import job
from gossamer.driving.job import TrainingJob, data_digest, settings_digest
from gossamer.methods.dp_mixture.components import ComponentCovariances
from gossamer.methods.dp_mixture.settings import DPMixtureConfig, sized
from gossamer.nn.images.postures import Upright
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.config_io import from_json_tree, to_json_tree


def test_the_digest_is_that_of_all_bytes_one_after_the_other() -> None:
    x = torch.arange(3 * 16, dtype=torch.float32).reshape(3, 1, 4, 4) / 48
    spec = ImageSpec(channels=1, height=4, width=4, class_names=("a", "b"))
    names = digests_of_names(["anna", "bert"])
    y, people = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])
    records = RecordSet(name="t", spec=spec, x=x, y=y, people=people, num_people=2, person_digests=names)
    parts = [x.numpy().tobytes(), y.numpy().tobytes(), *(names[person].tobytes() for person in (1, 0, 1))]
    # Runs of before are known by this digest.
    assert data_digest(records) == hashlib.sha256(b"".join(parts)).hexdigest()
    turned = x.transpose(2, 3)
    assert data_digest(replace(records, x=turned)) != data_digest(records)
    assert data_digest(replace(records, x=turned)) == data_digest(replace(records, x=turned.contiguous()))


ONE_EACH = DPMixtureConfig(
    generator=MixtureGeneratorConfig(num_directions=40, radius=13, posture=Upright(), brightness=0.13, contrast=2.0),
    noise_multiplier=3.7306,
)
SEVERAL = DPMixtureConfig(
    generator=MixtureGeneratorConfig(num_components=4),
    num_rounds=3,
    covariances=ComponentCovariances(),
    noise_multiplier=0.5,
)
BEFORE = [
    (ONE_EACH, "438a2d1414d1f962efd2560992288c8659f6c99121dc9e35cd15910d029b9008"),
    (SEVERAL, "a562e1330854f9db96efa8cbd1dcb97ee6a277e5b07a2d1cd18b8fd789eef51e"),
]
"""Settings of DP-mixture from before sizes could follow from the noise, and the digests that their runs wrote down."""


def job_of(config: DPMixtureConfig) -> TrainingJob:
    return TrainingJob(
        data="mnist", data_dir=None, num_classes=None, delta=1e-5, device="cpu", precision="fp32", method=config
    )


@pytest.mark.parametrize(("config", "digest"), BEFORE)
def test_mixtures_from_before_keep_their_digest_and_their_sizes(config: DPMixtureConfig, digest: str) -> None:
    assert settings_digest(job_of(config)) == digest
    assert sized(config, PublicSlots(10**6)) == config
    tree = to_json_tree(config)
    del tree["generator"]["remainder"]
    assert from_json_tree(DPMixtureConfig, tree, "config.json") == config


def test_a_setting_that_is_not_known_as_new_changes_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: runs from before are no longer known."""
    monkeypatch.setattr(job, "_ADDED", {})
    assert settings_digest(job_of(ONE_EACH)) != BEFORE[0][1]
    monkeypatch.undo()
    assert (
        settings_digest(job_of(replace(ONE_EACH, generator=replace(ONE_EACH.generator, remainder=1.0)))) != BEFORE[0][1]
    )
