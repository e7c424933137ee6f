"""Whole trainings with canaries in them: honest ones stay within their claim, and noise that is missing is heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from gossamer.auditing.bounds import Guesses
from gossamer.auditing.canaries import Canaries, CanaryOneOfMany, CanarySumOfMany, tags_of, toss_canaries
from gossamer.auditing.mechanism import of_guesses
from gossamer.auditing.result import AuditResult
from gossamer.data.images import ImageSpec
from gossamer.driving.audited import num_canaries_for, play_training
from gossamer.errors import InputError
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.methods.catalogue import method_of
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.gs_wgan.settings import AgainstPresentGenerator, GSWGANConfig, Stage
from gossamer.nn.images.settings import MLPCriticConfig, MLPDiscriminatorConfig, MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.nn.views import Pooled
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import PublicSlots

SLOTS, DELTA = 60, 1e-5
SPEC = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c"))
SMALL, CRITIC = MLPGeneratorConfig(hidden_sizes=(6,)), MLPCriticConfig(hidden_sizes=(4,))
# Two stages; 40 critics, more than the 16 numbers of the first view.
GS_WGAN = GSWGANConfig(
    num_critics=40, num_steps=4, batch_size=40, draws_per_step=20, noise_multiplier=8.0, generator=SMALL,
    stages=tuple(
        Stage(view=Pooled(factor=factor), critic=CRITIC, warm_start=AgainstPresentGenerator(num_updates=1))
        for factor in (2, 1)
    ),
    critic_batch_size=2, pool_per_class=2, fork_steps=1, renewals_per_step=2, critics_at_once=40,
)  # fmt: skip
SUMS = replace(GS_WGAN, critics_per_draw=4, noise_multiplier=16.0)
DP_CGAN = DPCGANConfig(
    num_steps=6, expected_batch_size=15, noise_multiplier=5.0, generator=SMALL, latent=NormalLatent(dim=4),
    discriminator=MLPDiscriminatorConfig(hidden_sizes=(4,)), synthetic_batch_size=4, generator_batch_size=4,
)  # fmt: skip


class HardlyAny(DeterministicNoise):
    """A hundredth of the noise."""

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return 0.01 * super().gaussian(step, shape)


def audited(config: GSWGANConfig | DPCGANConfig, noise: type[AbstractNoise], num_runs: int) -> AuditResult:
    plan = method_of(config).plan(config, PublicSlots(SLOTS))
    num, rng = num_canaries_for(config, SPEC, SLOTS), np.random.default_rng(0)
    evidence, bits = [], []
    for seed in range(num_runs):
        canaries = toss_canaries(num, rng)
        evidence.append(play_training(config, plan, SPEC, canaries, noise(seed)))  # type: ignore[call-arg]
        bits.append(canaries.bits.numpy())
    guesses = Guesses(evidence=np.concatenate(evidence), bits=np.concatenate(bits))
    return of_guesses("training", guesses, plan.budget_at(DELTA).epsilon, DELTA, 0.95)


@pytest.mark.parametrize("config", [GS_WGAN, SUMS, DP_CGAN], ids=["gs-wgan", "sums of gs-wgan", "dp-cgan"])
def test_a_training_without_its_noise_is_caught_and_an_honest_one_is_not(config: GSWGANConfig | DPCGANConfig) -> None:
    """The same bits and coins; noise of seeds, so the same result at every run."""
    assert audited(config, DeterministicNoise, 2).is_within_claim
    broken = audited(config, HardlyAny, 6)
    assert not broken.is_within_claim, broken


def test_a_training_has_room_for_a_canary_in_every_critic_and_in_half_of_the_slots() -> None:
    assert num_canaries_for(GS_WGAN, SPEC, SLOTS) == 40
    assert num_canaries_for(DP_CGAN, SPEC, SLOTS) == 30
    assert num_canaries_for(DP_CGAN, SPEC, 10**6) == 1000 or num_canaries_for(DP_CGAN, SPEC, 10**6) > 200
    with pytest.raises(InputError, match="audit mechanism"):
        num_canaries_for(DPMERFConfig(noise_multiplier=1.0), SPEC, SLOTS)


def test_people_are_canaries_too() -> None:
    config = replace(DP_CGAN, records_per_person=2)
    plan = method_of(config).plan(config, PublicSlots(SLOTS, Unit.PERSON))
    canaries = toss_canaries(20, np.random.default_rng(1))
    evidence = play_training(config, plan, SPEC, canaries, HardlyAny(0))
    order = np.argsort(evidence)
    assert bool((canaries.bits.numpy()[order[-5:]] > 0).all())
    assert (canaries.bits.numpy()[order[:10]] > 0).sum() <= 3


def test_canaries_pass_the_clip_at_its_bound_and_others_answer_as_they_are() -> None:
    """With next to no noise, what is released of a canary has the norm of the clip, and of others what they said."""
    plan = method_of(GS_WGAN).plan(replace(GS_WGAN, noise_multiplier=1e-9), PublicSlots(SLOTS))
    seen: list[Tensor] = []

    class Door:
        def release(self, step: int, ask: object) -> Tensor:
            seen.append(ask(torch.arange(20)))  # type: ignore[operator]
            return seen[0].flatten(end_dim=1)

    canaries = Canaries(bits=torch.tensor([1, -1, 1]))
    honest = torch.randn(20, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    CanaryOneOfMany(Door(), plan, canaries).release(0, lambda coins: honest)
    assert torch.equal(seen[0][3:], honest[3:])
    assert seen[0][1].flatten(start_dim=1).tolist() == [[0, -10 * plan.clip_norm, *[0] * 14]] * 2


def test_canaries_of_sums_pass_the_clip_at_its_bound_beside_others_that_answer_as_they_are() -> None:
    plan = method_of(SUMS).plan(replace(SUMS, noise_multiplier=1e-9), PublicSlots(SLOTS))
    asked, seen = torch.tensor([0, 7, 1]), []

    class Door:
        def release(self, step: int, ask: object) -> Tensor:
            seen.append(ask(asked, torch.tensor([3, 3, 0])))  # type: ignore[operator]
            return torch.zeros(40, 1, 4, 4)

    honest = torch.randn(3, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    CanarySumOfMany(Door(), plan, Canaries(bits=torch.tensor([1, -1]))).release(0, lambda critics, groups: honest)
    assert torch.equal(seen[0][1], honest[1])
    assert seen[0][0].flatten(start_dim=1).tolist() == [[10 * plan.clip_norm, *[0] * 15]] * 2
    assert seen[0][2].flatten(start_dim=1).tolist() == [[0, -10 * plan.clip_norm, *[0] * 14]] * 2


def test_too_many_canaries_and_none_are_refused() -> None:
    plan = method_of(GS_WGAN).plan(GS_WGAN, PublicSlots(SLOTS))
    many = toss_canaries(41, np.random.default_rng(0))
    with pytest.raises(InputError, match="40 critics"):
        CanaryOneOfMany(CanaryOneOfMany, plan, many)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="40 records"):
        tags_of(many, 40)
    with pytest.raises(InputError, match="at least one"):
        toss_canaries(0, np.random.default_rng(0))


def test_a_training_is_played_with_the_plan_that_its_claim_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part held out belongs to the rate: without it the training would draw fewer units than the claim is of."""
    plan, played = method_of(DP_CGAN).plan(DP_CGAN, PublicSlots(SLOTS, training_share=0.75)), []
    monkeypatch.setattr("gossamer.driving.audited._finish", lambda training: played.append(training.plan))
    monkeypatch.setattr("gossamer.driving.audited.CanaryPoisson.evidence", torch.zeros(5), raising=False)
    play_training(DP_CGAN, plan, SPEC, toss_canaries(5, np.random.default_rng(0)), DeterministicNoise(0))
    assert played == [plan]
