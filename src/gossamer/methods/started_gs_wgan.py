"""GS-WGAN whose generator starts from a one-shot release: one budget over two mechanisms.

The release is that of DP-mixture; a network is fitted to its samples, which costs nothing; then GS-WGAN's critics teach
that network. docs/concepts/started.md says why both together cost what their composition does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import AbstractNoise, LaterNoise, NoiseOfOneStep
from gossamer.mechanisms.started_plan import StartedPlan
from gossamer.methods import dp_mixture, settings
from gossamer.methods.distillation import Distillation, DistillationConfig
from gossamer.methods.dp_mixture import DPMixtureConfig, DPMixtureTraining
from gossamer.methods.gs_wgan import GSWGANTraining, StepReport
from gossamer.methods.method import AbstractStepReport, AbstractTraining, Circumstances, Method, Progress
from gossamer.methods.private_critics import WarmStartReport
from gossamer.methods.settings import GSWGANConfig
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.nn.latents import NormalLatent
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import PrivacyStatement

_UPDATES_A_REPORT = 50


@dataclass(frozen=True, kw_only=True)
class StartedGSWGANConfig:
    """All settings of GS-WGAN started from a one-shot release. Every one of them is public.

    Attributes:
        start: of the release. Its `noise_multiplier` is chosen by `calibrate`, anew each time; it is given by hand
            where `noise_multiplier` is.
        start_share: part of the budget's epsilon that the release may spend, in (0, 1).
        fit: how the network learns to draw what was released.
        gs_wgan: of all that follows; its latents begin with those of the release, and its own `noise_multiplier` stays
            None.
        noise_multiplier: of the critics' answers; None until `calibrate`.
        seed: public, of both parts; theirs stay 0.
    """

    start: DPMixtureConfig = field(default_factory=DPMixtureConfig)
    start_share: float = 0.1
    fit: DistillationConfig = field(default_factory=DistillationConfig)
    gs_wgan: GSWGANConfig = field(default_factory=lambda: GSWGANConfig(latent=NormalLatent(dim=41)))
    noise_multiplier: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0 or self.start.seed or self.gs_wgan.seed:
            raise InputError(f"seed must be 0 or more, said once for both parts; got {self.seed}")
        if not 0 < self.start_share < 1:
            raise InputError(f"start_share must lie between 0 and 1, both excluded, got {self.start_share}")
        if self.gs_wgan.noise_multiplier is not None:
            raise InputError("gs_wgan.noise_multiplier must be left out: noise_multiplier of the whole says it")
        if self.noise_multiplier is not None and self.start.noise_multiplier is None:
            raise InputError("start.noise_multiplier is missing: give both, or an epsilon and neither")
        least = self.start.generator.latent_dim(self.start.records.shape)
        latent = self.gs_wgan.latent
        if not isinstance(latent, NormalLatent) or latent.dim < least:
            raise InputError(
                f"gs_wgan.latent must be normal with a dim of at least {least}: its first latents are those of the "
                "one-shot release"
            )

    @property
    def release(self) -> DPMixtureConfig:
        """The settings of the release with their seed."""
        return replace(self.start, seed=self.seed)

    @property
    def critics(self) -> GSWGANConfig:
        """The settings of GS-WGAN with their noise and seed."""
        return replace(self.gs_wgan, noise_multiplier=self.noise_multiplier, seed=self.seed)


def plan(config: StartedGSWGANConfig, slots: PublicSlots) -> StartedPlan:
    """What the settings cost, for a public number of slots: the object that the run is then made from."""
    return StartedPlan(
        start=dp_mixture.plan(config.release, slots),
        rest=settings.plan(config.critics, slots),
        start_share=config.start_share,
    )


def calibrate(config: StartedGSWGANConfig, slots: PublicSlots, budget: PrivacyBudget) -> StartedGSWGANConfig:
    """The same settings with the noise of the release for its share, and the smallest noise of the critics' answers."""
    found = plan(config, slots).calibrated(budget)
    start = replace(config.start, noise_multiplier=found.start.noise_multiplier)
    return replace(config, start=start, noise_multiplier=found.noise_multiplier)


@dataclass(frozen=True, kw_only=True)
class ReleaseReport:
    """The one-shot sums are released; nothing was fitted to them yet."""


@dataclass(frozen=True, kw_only=True)
class FitReport(AbstractStepReport):
    """The network is fitted a little further to what was released. Everything in it is public.

    Attributes:
        step: 0, the release.
        num_updates: updates of the network done.
        loss: mean squared distance of a sample from that of the release.
    """

    num_updates: int
    loss: float


class StartedGSWGANTraining(AbstractTraining):
    """A training that the caller drives: iterate over it, and take the generator at the end.

    Step 0 is the whole one-shot release. A fit follows that costs time alone. Every later step is one of GS-WGAN.

    Guarantee: `trained` has the privacy that its statement says. Records are read by two doors, both made from `plan`:
    `OneShotReleaser` for step 0, `GradientSanitizer` for all others. The fit sees the released mixture and public
    randomness alone, and the generator that critics look at is computed from what was released before.

    Args:
        config: settings.
        images: private records.
        noise: secret randomness of this process, for both parts: no step of one shares a number with the other.
        circumstances: all else. A release that was lost, step 0, is paid for as such, a draw as a draw: the run ends as
            much earlier as that costs.

    Raises:
        InputError: data of another shape, fewer records than critics, or settings that do not fit.
        PrivacyError: settings without a guarantee.
    """

    def __init__(
        self, config: StartedGSWGANConfig, images: RecordSet, noise: AbstractNoise, circumstances: Circumstances
    ) -> None:
        self.config = config
        self.plan = plan(config, circumstances.slots_of(images))
        self.sample_size = _largest_vector(config, images.spec)
        # Before anything is spent: settings without an honest statement are refused here.
        public = ("the radii, the brightness of even grey and the posture of images",)
        self._terms = circumstances.terms("gs-wgan-started", noise, self.sample_size, public)
        self._statement = self.plan.statement(self._terms)
        state = circumstances.state
        begun = state if state is not None and state["step"] > 0 else {}
        self._lost_steps = circumstances.lost_steps
        self.end_step = self.plan.end_step(begun.get("step", 0), self._lost_steps, circumstances.delta)
        self._start = self._release_training(images, noise, begun.get("start"), circumstances)
        recipe = GeneratorRecipe.of(images.spec, network=config.gs_wgan.generator, latent=config.gs_wgan.latent)
        self._recipe = recipe
        self._fit = Distillation(config.fit, recipe, config.seed, circumstances.device)
        if begun:
            self._fit.restore(begun["fit"])
        num_left_out = config.gs_wgan.num_steps - max(self.end_step - 1, 0)
        others = replace(
            circumstances,
            state=begun.get("rest"),
            lost_steps=(0,) * num_left_out,
            charge=lambda step: circumstances.charge(1 + step),
        )
        self._rest = GSWGANTraining(config.critics, images, LaterNoise(noise, 1), others)

    def _release_training(
        self, images: RecordSet, noise: AbstractNoise, state: dict[str, Any] | None, circumstances: Circumstances
    ) -> DPMixtureTraining:
        sizes = tuple(release.contribution.size for release in self.plan.start.releases)

        def charge_release(release: int) -> None:
            # Privacy: all sums are one step, on the ledger before the first of them is read or drawn.
            if release == 0:
                circumstances.charge(0)

        own = replace(circumstances, state=state, lost_steps=(), charge=charge_release, precision=torch.float32)
        return DPMixtureTraining(self.config.release, images, NoiseOfOneStep(noise, 0, sizes), own)

    @property
    def step(self) -> int:  # type: ignore[override]
        """The release, and the steps of GS-WGAN."""
        return 1 + self._rest.step if self._start.is_over else 0

    def __iter__(self) -> Iterator[ReleaseReport | FitReport | WarmStartReport | StepReport]:
        """The release, the fit, then warm starts and steps of GS-WGAN to the end of the plan, a report after each."""
        if self.step < self.end_step and not self._start.is_over:
            for _ in self._start:
                pass
            yield ReleaseReport()
        if not self._start.is_over:
            return
        yield from self._fit_on()
        if self._rest.step == 0:
            self._rest.begin_from(self._fit.weights())
        for report in self._rest:
            yield replace(report, step=1 + report.step) if isinstance(report, StepReport) else report

    def _fit_on(self) -> Iterator[FitReport]:
        # Privacy: the teacher is what was released; the fit is given nothing else.
        teacher = self._start.trained()
        num_all = self.config.fit.num_updates
        while not self._fit.is_over:
            num_updates = min(_UPDATES_A_REPORT, num_all - self._fit.num_done)
            loss = [self._fit.update(teacher) for _ in range(num_updates)][-1]
            yield FitReport(step=0, num_updates=self._fit.num_done, loss=loss)

    def progress(self, report: ReleaseReport | FitReport | WarmStartReport | StepReport) -> Progress:
        """Whether the release is made, then how far the fit is, then as GS-WGAN."""
        if isinstance(report, ReleaseReport):
            return Progress(part="release", num_done=1, num_all=1)
        if isinstance(report, FitReport):
            return Progress(part="fit", num_done=report.num_updates, num_all=self.config.fit.num_updates)
        if isinstance(report, StepReport):
            return Progress(part="generator", num_done=1 + report.step, num_all=self.end_step)
        return self._rest.progress(report)

    @property
    def is_over(self) -> bool:
        """Whether the fit is done, too; or there is nothing to fit to."""
        return self.step >= self.end_step and (not self._start.is_over or self._fit.is_over)

    @property
    def num_paid_steps(self) -> int:
        """Steps of the plan spent so far: those done, and those paid for and lost in crashes."""
        return self.step + len(self._lost_steps)

    @property
    def statement(self) -> PrivacyStatement:
        """What the whole run will claim, priced as planned whatever the step."""
        return self._statement

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, but the key of the noise. Private: it holds critics.

        The tensors are those in use: save or copy them before the next step.
        """
        return {
            "step": self.step,
            "start": self._start.state_dict(),
            "fit": self._fit.state_dict(),
            "rest": self._rest.state_dict(),
        }

    def trained(self) -> TrainedGenerator:
        """The moving average of the generator with its statement, priced as planned whatever the step.

        Before a step of GS-WGAN it is the fitted network; a fit that is not done yet is done first.

        Raises:
            PrivacyError: nothing was released: not yet, or it was paid for and lost.
        """
        return TrainedGenerator(recipe=self._recipe, weights=self._weights(), statement=self._statement)

    def trained_so_far(self) -> TrainedGenerator:
        """As `trained`, priced for the steps paid for until now: after step 0 for the release alone.

        Guarantee: as `GSWGANTraining.trained_so_far`.

        Raises:
            PrivacyError: as `trained`.
        """
        weights = self._weights()
        so_far = self.plan.covering(self.step, self._lost_steps)
        return TrainedGenerator(
            recipe=self._recipe,
            weights=weights,
            statement=so_far.statement(replace(self._terms, num_planned_steps=self.plan.num_steps)),
        )

    def _weights(self) -> dict[str, Tensor]:
        if not self._start.is_over:
            raise PrivacyError("nothing was released yet, or it was paid for and lost: start another run")
        for _ in self._fit_on():
            pass
        return self._rest.trained().weights if self._rest.step else self._fit.weights()


def _largest_vector(config: StartedGSWGANConfig, spec: AbstractSpec) -> int:
    """Coordinates of a record, or of what a critic answers with."""
    return max(math.prod(spec.shape), *(math.prod(stage.view.shape(spec.shape)) for stage in config.gs_wgan.stages))


GS_WGAN_STARTED = Method(
    name="gs-wgan-started",
    summary="GS-WGAN whose generator begins at a one-shot release; one budget for both",
    config=StartedGSWGANConfig,
    plan=plan,
    calibrate=calibrate,
    start=StartedGSWGANTraining,
    saves_on_the_way=True,
)
