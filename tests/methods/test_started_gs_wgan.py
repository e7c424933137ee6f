"""GS-WGAN started from a release: one door after the other, a fit that sees no record, a price for both."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dp_accounting
import pytest
import torch
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.mechanisms.one_shot import OneShotReleaser
from gossamer.mechanisms.sanitizer import GradientSanitizer
from gossamer.mechanisms.started_plan import StartedPlan
from gossamer.methods.distillation import Distillation, DistillationConfig
from gossamer.methods.dp_mixture import DPMixtureConfig
from gossamer.methods.gs_wgan import GSWGANConfig, Stage, StepReport
from gossamer.methods.method import Circumstances, RecordsExpected
from gossamer.methods.private_critics import WarmStartReport
from gossamer.methods.started_gs_wgan import FitReport, ReleaseReport, StartedGSWGANConfig, StartedGSWGANTraining
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.warm_start import AgainstPresentGenerator
from gossamer.nn.images.mixture import MixtureGeneratorConfig
from gossamer.nn.images.mlp import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent, UniformLatent
from gossamer.privacy import Adjacency, epsilon_by_pld
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.events import compose_events, gaussian_event, one_of_many_event
from gossamer.privacy.slots import PublicSlots

RECORDS, DELTA, KEY = 90, 1e-3, UnitKey(bytes(32))
CONFIG = StartedGSWGANConfig(
    start=DPMixtureConfig(
        records=RecordsExpected(shape=(1, 8, 8), num_classes=3),
        generator=MixtureGeneratorConfig(num_directions=5, radius=4),
        noise_multiplier=5.0,
    ),
    fit=DistillationConfig(num_updates=120, batch_size=12),
    gs_wgan=GSWGANConfig(
        num_critics=6,
        num_steps=3,
        batch_size=8,
        draws_per_step=4,
        generator=MLPGeneratorConfig(hidden_sizes=(6,)),
        latent=NormalLatent(dim=8),
        stages=(Stage(critic=MLPCriticConfig(hidden_sizes=(6,)), warm_start=AgainstPresentGenerator(num_updates=2)),),
        critic_batch_size=3,
        pool_per_class=3,
        fork_steps=1,
        renewals_per_step=2,
        critics_at_once=6,
    ),
    noise_multiplier=1.0,
)


def images(seed: int = 0) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    return RecordSet(
        name="fixture",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(RECORDS, 1, 8, 8, generator=rng),
        y=torch.randint(0, 3, (RECORDS,), generator=rng),
    )


def training(
    private: RecordSet | None = None,
    noise: AbstractNoise | None = None,
    config: StartedGSWGANConfig = CONFIG,
    **options: Any,
) -> StartedGSWGANTraining:
    return StartedGSWGANTraining(
        config,
        private or images(),
        noise or DeterministicNoise(0),
        Circumstances(**{"delta": DELTA, "slots": PublicSlots(RECORDS), "key": KEY, **options}),
    )


def after_fit(run: StartedGSWGANTraining) -> StartedGSWGANTraining:
    """A run taken to the end of the fit."""
    reports = iter(run)
    while not run._fit.is_over:
        next(reports)
    return run


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ---- order and parts ------------------------------------------------------------------------------------------------


def test_the_release_comes_first_then_the_fit_then_critics() -> None:
    charged: list[int] = []
    run = training(charge=charged.append)
    kinds: list[type] = []
    for report in run:
        if not kinds or kinds[-1] is not type(report):
            kinds.append(type(report))
        assert charged == list(range(run.step))
    assert kinds == [ReleaseReport, FitReport, WarmStartReport, StepReport]
    assert (run.step, run.end_step, run.num_paid_steps) == (4, 4, 4)


def test_critics_begin_at_the_fitted_network_and_so_does_the_moving_average() -> None:
    run = after_fit(training())
    fitted = run.trained_so_far().weights
    reports = iter(run)
    assert isinstance(next(reports), WarmStartReport)
    assert equal(run._rest.trained().weights, fitted)
    next(reports)
    moved = run.trained().weights
    assert not equal(moved, fitted)
    # One step of Adam moves no weight by more than its learning rate.
    rate = CONFIG.gs_wgan.generator_adam.learning_rate
    assert max(float((moved[name] - fitted[name]).abs().max()) for name in fitted) <= rate * (1 + 1e-3)


def test_the_fit_comes_near_to_the_release() -> None:
    """The settings are small, the noise is not secret: the same at every run."""
    config = replace(
        CONFIG,
        fit=replace(CONFIG.fit, num_updates=600, batch_size=30),
        gs_wgan=replace(CONFIG.gs_wgan, generator=MLPGeneratorConfig(hidden_sizes=(64,))),
    )
    losses = []
    for report in training(config=config):
        if isinstance(report, WarmStartReport):
            break
        losses += [report.loss] if isinstance(report, FitReport) else []
    assert losses[-1] < 0.35 * losses[0]


def test_what_is_taken_in_the_middle_of_the_fit_is_the_fitted_network_all_the_same() -> None:
    run = training()
    reports = iter(run)
    next(reports), next(reports)
    assert 0 < run._fit.num_done < CONFIG.fit.num_updates
    early = run.trained_so_far()
    assert equal(early.weights, after_fit(training()).trained_so_far().weights)
    assert early.statement.epsilon == pytest.approx(START_ALONE, rel=1e-6)
    assert len([report for report in reports if isinstance(report, StepReport)]) == 3


# ---- price ----------------------------------------------------------------------------------------------------------

DRAWS: dict[str, Any] = {"num_critics": 6, "noise_multiplier": 1.0, "batch_size": 8, "draws_per_step": 4}
START_ALONE = epsilon_by_pld(gaussian_event(noise_multiplier=5.0), DELTA).epsilon
BOTH = epsilon_by_pld(
    compose_events(gaussian_event(noise_multiplier=5.0), one_of_many_event(num_steps=3, **DRAWS)), DELTA
).epsilon


def claims_both() -> bool:
    """Whether a run claims what release and steps cost together, computed apart from its plan."""
    claim = training().statement
    return claim.epsilon >= BOTH * (1 - 1e-6)


def test_the_statement_is_that_of_the_composition() -> None:
    assert claims_both()
    run = training()
    claims = []
    for report in run:
        if not isinstance(report, ReleaseReport):
            claims.append(run.trained_so_far().statement)
    assert claims[0].epsilon == pytest.approx(START_ALONE, rel=1e-6)
    assert "critic" not in claims[0].mechanism
    assert [claim.epsilon for claim in claims] == sorted(claim.epsilon for claim in claims)
    assert claims[-1].epsilon == pytest.approx(BOTH, rel=1e-6)
    assert run.trained().statement == run.statement
    assert run.statement.published_epsilon is None


def test_a_release_left_out_of_the_price_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def free(self: StartedPlan, noise_multiplier: float) -> dp_accounting.DpEvent:
        assert self.rest is not None
        return replace(self.rest, noise_multiplier=noise_multiplier).event

    monkeypatch.setattr(StartedPlan, "_event_with", free)
    assert not claims_both()


def test_a_release_lost_in_a_crash_is_paid_for_and_made_again() -> None:
    charged: list[int] = []
    run = training(lost_steps=(0,), charge=charged.append)
    for _ in run:
        pass
    twice = [gaussian_event(noise_multiplier=5.0)] * 2
    spent = epsilon_by_pld(compose_events(*twice, one_of_many_event(num_steps=run.step - 1, **DRAWS)), DELTA).epsilon
    assert 1 < run.step < 4
    assert charged == list(range(run.step))
    claimed = run.trained_so_far().statement.epsilon
    assert claimed == pytest.approx(spent, rel=1e-6)
    assert claimed <= run.trained().statement.epsilon
    assert dict(run.trained_so_far().statement.parameters)["times step 1 is paid for"] == 2
    kept = copy.deepcopy(run.state_dict())
    again = training(lost_steps=(0,), state=kept)
    assert (again.step, again.end_step, again.num_paid_steps) == (run.step, run.end_step, run.step + 1)
    assert again.trained_so_far().statement == run.trained_so_far().statement


def test_steps_lost_after_the_release_was_kept_are_no_releases() -> None:
    run = training()
    reports = iter(run)
    while run.step < 2:
        next(reports)
    resumed = training(lost_steps=(2,), state=copy.deepcopy(run.state_dict()))
    assert (resumed.step, resumed.end_step, resumed.num_paid_steps) == (2, 3, 3)
    claim = resumed.trained_so_far().statement
    assert dict(claim.parameters)["times step 1 is paid for"] == 1
    draws = one_of_many_event(num_steps=2, **DRAWS)
    both = epsilon_by_pld(compose_events(gaussian_event(noise_multiplier=5.0), draws), DELTA).epsilon
    assert claim.epsilon == pytest.approx(both, rel=1e-6)


def test_critics_are_not_taken_up_again_under_another_key() -> None:
    run = training()
    reports = iter(run)
    while run.step < 2:
        next(reports)
    with pytest.raises(PrivacyError, match="the key that the run began with"):
        training(state=copy.deepcopy(run.state_dict()), key=UnitKey(bytes(31) + b"1"))


def test_without_a_number_of_slots_a_replacement_is_all_that_is_claimed() -> None:
    assert training().statement.adjacency is Adjacency.SLOT
    counted = training(slots=None)
    assert counted.statement.adjacency is Adjacency.REPLACE_ONE
    assert counted._rest.statement.adjacency is counted._start.statement.adjacency is Adjacency.REPLACE_ONE


# ---- two doors, and nothing beside them -----------------------------------------------------------------------------


def leaves(private: RecordSet, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The weights that leave when both doors hand out zeros and noise, whatever they were given."""
    with monkeypatch.context() as patch:
        release, sanitize = OneShotReleaser.release, GradientSanitizer.release

        def nothing(self: OneShotReleaser, step: int, chunks: Any) -> Tensor:
            return release(self, step, iter(()))

        def deaf(self: GradientSanitizer, step: int, ask: Any) -> Tensor:
            return sanitize(self, step, lambda coins: torch.zeros_like(ask(coins)))

        patch.setattr(OneShotReleaser, "release", nothing)
        patch.setattr(GradientSanitizer, "release", deaf)
        run = training(private)
        for _ in run:
            pass
        return run.trained().weights


def test_nothing_private_leaves_but_through_the_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert equal(leaves(images(0), monkeypatch), leaves(images(1), monkeypatch))


def test_a_fit_that_sees_a_record_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    fit_on = StartedGSWGANTraining._fit_on

    def peek(self: StartedGSWGANTraining) -> Iterator[FitReport]:
        record = self._start._images.x[17]
        taught = Distillation._taught

        def with_record(fit: Distillation, teacher: TrainedGenerator, latent: Tensor, labels: Tensor | None) -> Tensor:
            return 0.9 * taught(fit, teacher, latent, labels) + 0.1 * record

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Distillation, "_taught", with_record)
            yield from fit_on(self)

    monkeypatch.setattr(StartedGSWGANTraining, "_fit_on", peek)
    assert not equal(leaves(images(0), monkeypatch), leaves(images(1), monkeypatch))


def test_the_two_parts_draw_different_noise() -> None:
    drawn: list[tuple[int, tuple[int, ...]]] = []

    class Watched(DeterministicNoise):
        def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
            drawn.append((step, shape))
            return super().gaussian(step, shape)

    for _ in training(noise=Watched(0)):
        pass
    assert [step for step, _ in drawn] == [0, 1, 2, 3]
    assert drawn[0][1][0] == 3  # a row for each sum of the release


# ---- refusals -------------------------------------------------------------------------------------------------------


def test_settings_that_do_not_fit_together_are_refused() -> None:
    for latent in (NormalLatent(dim=5), UniformLatent(dim=8)):
        with pytest.raises(InputError, match="at least 6"):
            replace(CONFIG, gs_wgan=replace(CONFIG.gs_wgan, latent=latent))
    with pytest.raises(InputError, match="left out"):
        replace(CONFIG, gs_wgan=replace(CONFIG.gs_wgan, noise_multiplier=1.0))
    with pytest.raises(InputError, match=r"start\.noise_multiplier is missing"):
        replace(CONFIG, start=replace(CONFIG.start, noise_multiplier=None))
    for share in (0.0, 1.0):
        with pytest.raises(InputError, match="start_share"):
            replace(CONFIG, start_share=share)
    with pytest.raises(InputError, match="num_updates"):
        DistillationConfig(num_updates=0)
    other = replace(images(), spec=ImageSpec(channels=1, height=8, width=8, class_names=tuple("abcd")))
    with pytest.raises(InputError, match="recipe for this data"):
        training(other)


def test_nothing_can_be_had_before_the_release_nor_other_weights_after_a_step() -> None:
    run = training()
    for take in (run.trained, run.trained_so_far):
        with pytest.raises(PrivacyError, match="nothing was released"):
            take()
    for _ in run:
        pass
    with pytest.raises(InputError, match="before the first"):
        run._rest.begin_from(run.trained().weights)
