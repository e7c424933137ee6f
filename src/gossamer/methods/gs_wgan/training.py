"""GS-WGAN: many critics on disjoint shards, and a generator that sees only their sanitized gradients.

Chen, Orekondy, Fritz, "GS-WGAN: a gradient-sanitized approach for learning differentially private generators", NeurIPS
2020; with one secret coin for each group of samples, and with forks that are thrown away in place of critics that
remember having been drawn (docs/concepts/one-of-many.md says why).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, WarmStartReport
from gossamer.methods.gs_wgan.public_generator import PublicGenerator, apart
from gossamer.methods.gs_wgan.settings import GSWGANConfig, Stage, calibrate, plan
from gossamer.methods.method import AbstractStepReport, AbstractTraining, Circumstances, Method, Progress
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy.statement import PrivacyStatement

__all__ = ["GS_WGAN", "GSWGANConfig", "GSWGANTraining", "Stage", "StepReport", "WarmStartReport", "calibrate", "plan"]

_WARM_START_POOLS = 8


@dataclass(frozen=True, kw_only=True)
class StepReport(AbstractStepReport):
    """One step is done.

    Attributes:
        step: number of the step, from 0.
        stage: number of its stage.
        answer_norm: mean norm of the sanitized gradients, public.
        critic_loss: mean loss of the critics renewed at this step, private; NaN when none was.
    """

    stage: int
    answer_norm: float
    critic_loss: float


class GSWGANTraining(AbstractTraining):
    """A training that the caller drives: iterate over it, and take the generator at the end.

    Guarantee: `trained` has the privacy that its statement says. Three objects, and one door between the first two:
    `PrivateCritics` see records, `PublicGenerator` is what leaves, and `OneOfManyReleaser` releases the answers of the
    ones to the other, priced by the plan that the statement is written from.

    Args:
        config: settings.
        images: private records.
        noise: secret randomness of this process.
        circumstances: all else.

    Raises:
        InputError: fewer records than critics, or settings that do not fit.
        PrivacyError: settings without a guarantee.
    """

    def __init__(
        self, config: GSWGANConfig, images: RecordSet, noise: AbstractNoise, circumstances: Circumstances
    ) -> None:
        self.config = config
        slots = circumstances.slots_of(images)
        self.plan = plan(config, slots)
        self.sample_size = max(math.prod(stage.view.shape(images.spec.shape)) for stage in config.stages)
        # Before anything is spent: settings without an honest statement are refused here.
        self._terms = circumstances.terms("gs-wgan", noise, self.sample_size)
        self._statement = self.plan.statement(self._terms)
        _check_critics(config, images.spec)
        device, precision = circumstances.device, circumstances.precision
        self._critics = PrivateCritics(config, images, slots.unit, circumstances)
        self._generator = PublicGenerator(config, images.spec, device, precision)
        state = circumstances.state
        self.step = 0
        if state is not None:
            self.step = state["step"]
            self._critics.restore(state["critics"])
            self._generator.restore(state["generator"])
        self._num_lost_steps = len(circumstances.lost_steps)
        self.end_step = max(self.step, config.num_steps - self._num_lost_steps)
        self._sanitizer = OneOfManyReleaser(
            self.plan,
            noise,
            next_step=self.step,
            num_lost_steps=self._num_lost_steps,
            charge=circumstances.charge,
        )

    def __iter__(self) -> Iterator[WarmStartReport | StepReport]:
        """Warm starts and steps to the end of the plan, a report after each."""
        for stage, stage_end in enumerate(self.config.stage_starts()[1:]):
            end = min(stage_end, self.end_step)
            if self.step < end:
                yield from self._critics.enter(stage, self._warm_start_pool(stage))
                while self.step < end:
                    yield self._train_step(stage)

    def progress(self, report: WarmStartReport | StepReport) -> Progress:
        """How far critics or generator are."""
        if isinstance(report, WarmStartReport):
            return Progress(
                part=f"critics of stage {report.stage + 1}", num_done=report.num_ready, num_all=report.num_critics
            )
        return Progress(part="generator", num_done=report.step + 1, num_all=self.end_step)

    def warm_start_part(self, rank: int, num_processes: int) -> Iterator[WarmStartReport]:
        """This process's part of the first stage's warm start, kept in the store."""
        yield from self._critics.warm_start_part(self._warm_start_pool(0), rank, num_processes)

    def _train_step(self, stage: int) -> StepReport:
        step, view = self.step, self.config.stages[stage].view
        pool = self._generator.pool(view, step)
        critic_loss = self._critics.renew(pool, step)
        samples, labels = self._generator.samples(step)
        looked = view.look(samples)

        def ask(coins: Tensor) -> Tensor:
            return self._critics.answer(coins, looked.detach(), labels, pool, step)

        sanitized = self._sanitizer.release(step, ask)
        # Privacy: from here on only `sanitized` and public things are used.
        direction = sanitized / self.config.clip_norm + self.config.variety * apart(looked.detach(), labels, pool)
        self._generator.improve(looked, direction, step)
        self.step += 1
        if self.step in self.config.stage_starts():
            # Also for a caller who stops here: what is kept must not carry one stage's critics into the next.
            self._critics.leave()
        norm = float(sanitized.flatten(start_dim=1).norm(dim=1).mean())
        return StepReport(step=step, stage=stage, answer_norm=norm, critic_loss=critic_loss)

    def _warm_start_pool(self, stage: int) -> Tensor:
        view, first = self.config.stages[stage].view, self.config.stage_starts()[stage]
        return self._generator.pool(view, first, times=_WARM_START_POOLS)

    @property
    def num_paid_steps(self) -> int:
        """Steps of the plan spent so far: those done, and those paid for and lost in crashes."""
        return self.step + self._num_lost_steps

    @property
    def statement(self) -> PrivacyStatement:
        """What the whole run will claim, priced as planned whatever the step."""
        return self._statement

    def state_dict(self) -> dict:
        """Everything needed to go on, but the key of the noise. Private: it holds critics.

        The tensors are those in use: save or copy them before the next step.
        """
        return {
            "step": self.step,
            "critics": self._critics.state_dict(),
            "generator": self._generator.state_dict(),
        }

    def trained(self) -> TrainedGenerator:
        """The moving average of the generator with its statement, priced as planned whatever the step."""
        return TrainedGenerator(
            recipe=self._generator.recipe, weights=self._generator.released_weights(), statement=self._statement
        )

    def trained_so_far(self) -> TrainedGenerator:
        """The moving average as it is now, priced for the steps paid for until now.

        Guarantee: it is computed from the sanitized gradients of those steps alone, so it has the privacy that its
        statement says, on the condition that the steps after which it is taken were fixed before the training. All
        that are taken of one run, and `trained`, are computed from the same gradients: together they have the privacy
        of the latest, and their epsilons do not add up.

        Raises:
            InputError: no step was done yet.
        """
        if self.step == 0:
            raise InputError("the generator has not learnt anything yet: take at least one step first")
        so_far = self.plan.first_steps(self.num_paid_steps)
        return TrainedGenerator(
            recipe=self._generator.recipe,
            weights=self._generator.released_weights(),
            statement=so_far.statement(replace(self._terms, num_planned_steps=self.plan.num_steps)),
        )


def _check_critics(config: GSWGANConfig, spec: AbstractSpec) -> None:
    """Refuse at once what the last stage would refuse."""
    for stage in config.stages:
        stage.critic.build(stage.view.shape(spec.shape), spec.num_classes, torch.Generator())


GS_WGAN = Method(
    name="gs-wgan",
    summary="many critics on disjoint shards; only clipped, noised image gradients reach the generator",
    config=GSWGANConfig,
    plan=plan,
    calibrate=calibrate,
    start=GSWGANTraining,
    saves_on_the_way=True,
)
