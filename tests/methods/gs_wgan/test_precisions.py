"""A training in bfloat16: every critic is warm-started, renewed and forked. Answers, clips and noise never are."""

from __future__ import annotations

from dataclasses import replace

import own_networks
import pytest
import torch
from tiny import tiny_of
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.mechanisms import clipping, grid
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.cost import random_records
from gossamer.methods.gs_wgan import trained_side
from gossamer.methods.gs_wgan.critics import answers
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.gs_wgan.training import GSWGANTraining, StepReport
from gossamer.methods.training import RunContext
from gossamer.nn.ensemble import Ensemble, outputs
from gossamer.nn.images.settings import ConvCriticConfig, DCGANGeneratorConfig, MLPCriticConfig, ResNetGeneratorConfig
from gossamer.nn.series.settings import SeriesConvCriticConfig, SeriesConvGeneratorConfig
from gossamer.nn.views import WholeImage
from gossamer.privacy.dealing import UnitKey

IMAGES = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c"))
SERIES = SeriesSpec(channels=2, length=24, low=(0.0, 0.0), high=(1.0, 1.0), class_names=("a", "b", "c"))
TINY = replace(tiny_of("gs-wgan").images, num_steps=2, critics_per_draw=2, fork_steps=2)
NETWORKS = {
    "published": (ResNetGeneratorConfig(width=4), ConvCriticConfig(width=2), IMAGES),
    "dcgan": (DCGANGeneratorConfig(width=2), MLPCriticConfig(hidden_sizes=(5,)), IMAGES),
    "own": (own_networks.OwnGeneratorConfig(), own_networks.OwnCriticConfig(), IMAGES),
    "series": (SeriesConvGeneratorConfig(width=2), SeriesConvCriticConfig(width=2), SERIES),
}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def config_of(name: str) -> tuple[GSWGANConfig, AbstractSpec]:
    generator, critic, spec = NETWORKS[name]
    (stage,) = TINY.stages[:1]
    stages = (replace(stage, view=WholeImage(), critic=critic),)
    return replace(TINY, generator=generator, stages=stages), spec


def trained(name: str, precision: torch.dtype, device: str = "cpu") -> tuple[GSWGANTraining, list[StepReport]]:
    config, spec = config_of(name)
    context = RunContext(delta=1e-3, key=UnitKey(bytes(32)), device=torch.device(device), precision=precision)
    training = GSWGANTraining(config, random_records(spec, 40), DeterministicNoise(0), context)
    return training, [report for report in training if isinstance(report, StepReport)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_critic_is_warm_started_renewed_and_forked(name: str, precision: torch.dtype, device: str) -> None:
    training, reports = trained(name, precision, device)
    assert [report.step for report in reports] == [0, 1]
    weights = training.trained().weights.values()
    assert all(weight.isfinite().all() and weight.dtype != torch.bfloat16 for weight in weights)


def are_coarse(values: Tensor) -> bool:
    """Whether all values are numbers of bfloat16."""
    return bool((values.bfloat16().to(values.dtype) == values).all())


def seen_by_the_clip(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Tensor]:
    """All that is rounded to the grid in a training in bfloat16: clipped answers, before they are integers."""
    seen, plain = [], grid.PublicGrid.nearest_

    def nearest(scaled: Tensor) -> Tensor:
        seen.append(scaled.clone())
        return plain(scaled)

    monkeypatch.setattr(clipping.PublicGrid, "nearest_", staticmethod(nearest))
    trained(name, torch.bfloat16)
    return seen


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_and_clips_are_never_in_bfloat16(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked: list[Tensor] = []

    def spied(critics: Ensemble, samples: Tensor, labels: Tensor | None) -> Tensor:
        assert all(tensor.dtype != torch.bfloat16 for tensor in critics.state_dict().values())
        asked.append(answers(critics, samples, labels))
        return asked[-1]

    monkeypatch.setattr(trained_side, "answers", spied)
    clipped = seen_by_the_clip(monkeypatch, name)
    assert all(answer.dtype == torch.float32 and not are_coarse(answer) for answer in asked)
    assert asked
    assert all(values.dtype == torch.float64 for values in clipped)
    assert not are_coarse(torch.cat([values.flatten() for values in clipped]))


def test_an_answer_in_bfloat16_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def coarse(critics: Ensemble, samples: Tensor, labels: Tensor | None) -> Tensor:
        points = samples.detach().clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            scores = outputs(critics, critics.parameters, points, labels)
        return torch.autograd.grad(scores.sum(), points)[0].bfloat16().float()

    monkeypatch.setattr(f"{__name__}.answers", coarse)
    with pytest.raises(AssertionError):
        test_answers_and_clips_are_never_in_bfloat16(monkeypatch, "published")


def test_noise_is_drawn_in_float64_whatever_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []
    plain = DeterministicNoise.gaussian

    def spied(self: DeterministicNoise, step: int, shape: tuple[int, ...]) -> Tensor:
        drawn.append(plain(self, step, shape))
        return drawn[-1]

    monkeypatch.setattr(DeterministicNoise, "gaussian", spied)
    trained("published", torch.bfloat16)
    assert drawn
    assert all(noise.dtype == torch.float64 and not are_coarse(noise) for noise in drawn)
