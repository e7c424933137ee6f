"""A start of DP-MERF on public records: the same fit, to mean features without noise."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.dp_merf.training import EmbeddingFit, RandomFeatures
from gossamer.methods.starting import GENERATOR, Networks

_CHUNK = 1000


def pretrain(config: DPMERFConfig, public: RecordSet, num_steps: int, device: torch.device) -> Networks:
    """Return a generator fitted to the mean features of public records, without noise.

    Guarantee: none for these records. They must be public.

    Args:
        config: settings of the private training.
        public: records of the same shape and number of classes.
        num_steps: updates of the generator.
        device: to compute on.
    """
    config = replace(config, num_fit_steps=num_steps)
    features = RandomFeatures.drawn(config, public.spec)
    fit, target = EmbeddingFit(config, public.spec, features, device), mean_features(config, public, features)
    for _ in range(num_steps):
        fit.learn(target)
    return {GENERATOR: fit.released_weights()}


def mean_features(config: DPMERFConfig, public: RecordSet, features: RandomFeatures) -> Tensor:
    """Compute mean features of each class, (classes, d). A class without records takes the mean of all."""
    num_groups = config.records.num_groups
    labels = torch.zeros(public.num_records, dtype=torch.int64) if public.y is None else public.y
    sums, counts = torch.zeros(num_groups, config.num_features), torch.bincount(labels, minlength=num_groups)
    for x, y in zip(public.x.split(_CHUNK), labels.split(_CHUNK), strict=True):
        sums.index_add_(0, y, features(x))
    everything = sums.sum(dim=0) / public.num_records
    return torch.where((counts > 0)[:, None], sums / counts.clamp_min(1)[:, None], everything)
