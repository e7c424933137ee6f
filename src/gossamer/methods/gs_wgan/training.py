"""GS-WGAN: many critics on disjoint shards, and a generator that sees only their sanitized gradients.

Chen, Orekondy, Fritz, "GS-WGAN: a gradient-sanitized approach for learning differentially private generators", NeurIPS
2020. Here each group of samples is answered by a Poisson sum of critics (docs/concepts/sum-of-many.md), or by one of K,
as published. Forks that are thrown away stand in place of critics that remember having been drawn
(docs/concepts/one-of-many.md says why).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.crew import Order, Task
from gossamer.mechanisms.critics_plan import AbstractCriticsPlan
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.pieces import Answers, whole
from gossamer.mechanisms.sum_of_many.door import Ask, SumOfManyReleaser
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.methods.gs_wgan.centre import AbstractTwins
from gossamer.methods.gs_wgan.places import find_chunk_size
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question, WarmStartReport, side_of
from gossamer.methods.gs_wgan.public_generator import PublicGenerator, apart
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig, Stage, plan
from gossamer.methods.gs_wgan.twins import PublicTwins
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractStepReport, AbstractTraining, Progress, RunContext
from gossamer.methods.verdict import Verdict
from gossamer.methods.worth import WindowedEnergy
from gossamer.nn.ensemble import Tensors
from gossamer.privacy.statement import PrivacyStatement

__all__ = ["GSWGANConfig", "GSWGANTraining", "Stage", "StepReport", "WarmStartReport", "plan"]


@dataclass(frozen=True, kw_only=True)
class StepReport(AbstractStepReport):
    """Report of one step.

    Attributes:
        step: number of the step, from 0.
        stage: number of its stage.
        answer_norm: mean norm of the sanitized gradients, public.
        critic_loss: mean loss of the critics renewed at this step, private. NaN if none was.
    """

    stage: int
    answer_norm: float
    critic_loss: float


class GSWGANTraining(AbstractTraining[AbstractCriticsPlan]):
    """A training that the caller drives: iterate over it, and take the generator at the end.

    Guarantee: `trained` has the privacy that its statement says. There are three objects. `PrivateCritics` see records,
    and `PublicGenerator` leaves. Between them, the releaser of the plan alone releases the answers of the critics
    to the generator. The answers are priced by the plan that the statement is written from.

    Args:
        config: settings.
        records: private.
        noise: secret randomness of this process.
        context: of the run.

    Raises:
        InputError: fewer records than critics, or settings that do not fit.
        PrivacyError: settings without a guarantee.
    """

    name = "gs-wgan"
    allows_bfloat16 = True

    def __init__(self, config: GSWGANConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> None:
        self.config = config
        if config.num_critics < context.crew.size:
            raise InputError(f"num_critics {config.num_critics} are fewer than the processes: start fewer of them")
        slots = context.slots_of(records)
        sample_size = max(math.prod(stage.view.shape(records.spec.shape)) for stage in config.stages)
        super().__init__(plan(config, slots), noise, context, sample_size)
        for stage in range(len(config.stages)):  # at once what the last stage would refuse
            side_of(config, stage, records.spec, context).check()
        self._critics = PrivateCritics(config, records, slots.unit, context)
        self._public = PublicGenerator(
            config, records.spec, context.device, context.precision, context.start, context.crew
        )
        self._twins: PublicTwins | None = None
        if isinstance(config.centre, AbstractTwins):
            self._twins = PublicTwins(config, config.centre, records.spec, slots, self._public, context)
        self._energy: WindowedEnergy | None = WindowedEnergy()
        if context.state is not None:
            self._restore(context.state)
        if context.networks is not None:
            self._public.take_up(context.networks.tensors, context.networks.num_updates())
            # The answers of other rounds and sites are not here to be judged.
            self._energy = None
        self._asked: Question | None = None
        shared: dict[str, Any] = {"gate": self.gate, "crew": context.crew, "known": self._known}
        match self.plan:
            case OneOfManyPlan():
                self.releaser = OneOfManyReleaser(self.plan, noise, **shared)
            case SumOfManyPlan():
                at_once = find_chunk_size(config, records.spec, context)
                self.releaser = SumOfManyReleaser(self.plan, noise, chunk_size=at_once, **shared)

    def _restore(self, state: dict[str, Any]) -> None:
        self._energy = WindowedEnergy.restored(state)
        self._critics.restore(state["critics"])
        self._public.restore(state["generator"])
        if self._twins is not None:
            self._twins.restore(state["twins"])

    def __iter__(self) -> Iterator[WarmStartReport | StepReport]:
        """Make warm starts and steps to the end of the plan, with a report after each."""
        for stage, stage_end in enumerate(self.config.stage_starts()[1:]):
            end = min(stage_end, self.end_step)
            if self.step < end:
                pool = self._warm_start_pool(stage)
                yield from self._critics.enter(stage, pool)
                if self._twins is not None:
                    self._twins.enter(stage, pool)
                while self.step < end:
                    yield self._train_step(stage)

    def warm_up(self, places: Iterable[int]) -> Iterator[int]:
        """Warm-start some chunks of the first stage's critics for the store, and yield the place of each when ready."""
        yield from self._critics.warm_up(self._warm_start_pool(0), places)

    @property
    def remarks(self) -> tuple[str, ...]:
        """A line if more critics are expected in a draw than there are: then all of them answer, at another price."""
        asked, num_critics = self.config.critics_per_draw, self.config.num_critics
        if asked is None or asked <= num_critics:
            return ()
        return (
            f"advice: critics_per_draw {asked} is above the {num_critics} critics, so all of them answer every draw. "
            "No secret coin lowers the price then, and the noise is that of a run without sampling. "
            f"Give critics_per_draw below {num_critics} for a sample",
        )

    def progress(self, report: WarmStartReport | StepReport) -> Progress:
        """Tell the progress of critics or generator."""
        if isinstance(report, WarmStartReport):
            return Progress(
                part=f"critics of stage {report.stage + 1}", num_done=report.num_ready, num_all=report.num_critics
            )
        return Progress(part="generator", num_done=report.step + 1, num_all=self.end_step)

    def _known(self) -> tuple[Tensor | None, ...]:
        """Return the question of the present step as tensors. All of it is public."""
        asked = self._asked
        assert asked is not None
        return asked.looked, asked.labels, asked.pool, asked.centre

    def _do(self, order: Order) -> None:
        """Warm-start, renew, hand over or ask this process's own critics, or draw a part of a pool for all."""
        if order.task is Task.DRAW:
            self._public.help(order)
            return
        if order.task is not Task.RELEASE:
            self._critics.obey(order)
            return
        coins, looked, labels, pool, centre = order.tensors
        assert coins is not None
        assert looked is not None
        assert pool is not None
        question = Question(looked=looked, labels=labels, pool=pool, step=order.number, centre=centre)
        ask = self._asking(question)
        match self.releaser:
            case SumOfManyReleaser():
                around = None if centre is None else centre.flatten(end_dim=1)
                self.releaser.help(coins, ask, around)
            case OneOfManyReleaser():
                every_group = torch.arange(self.plan.draws_per_step)
                self.releaser.help(coins, lambda critics: whole(ask(critics, every_group), every_group))

    def _train_step(self, stage: int) -> StepReport:
        step, view = self.step, self.config.stages[stage].view
        pool, samples, labels = self._public.pool_and_samples(stage, step)
        critic_loss = self._critics.renew(pool, step)
        looked = view.apply(samples)
        question = self._centred(self._question(looked, labels, pool, step), stage)
        sanitized = self._released(question)
        # Privacy: from here on only `sanitized` and public things are used.
        followed = self._judged_and_followed(sanitized, question, labels)
        direction = followed / self.config.clip_norm + self.config.variety * apart(looked.detach(), labels, pool)
        self._public.improve(looked, direction, step)
        self.step += 1
        if self.step in self.config.stage_starts():
            # Also for a caller who stops here: the state must not carry one stage's critics into the next.
            self._leave()
        norm = float(sanitized.flatten(start_dim=1).norm(dim=1).mean())
        return StepReport(step=step, stage=stage, answer_norm=norm, critic_loss=critic_loss)

    def _question(self, looked: Tensor, labels: Tensor | None, pool: Tensor, step: int) -> Question:
        groups = (self.config.draws_per_step, -1)
        classes = None if labels is None else labels.view(groups)
        return Question(looked=looked.detach().unflatten(0, groups), labels=classes, pool=pool, step=step)

    def _centred(self, question: Question, stage: int) -> Question:
        """Return the question with the centre of its answers, if these settings have one."""
        if self._twins is None:
            return question
        # Privacy: twins know public things and earlier releases alone, as the theorem asks of a centre.
        self._twins.renew(question.pool, question.step)
        return replace(question, centre=self._twins.centre(question, stage))

    def _judged_and_followed(self, released: Tensor, question: Question, labels: Tensor | None) -> Tensor:
        """Add a release to the energies that the verdict is on, and return the direction that the generator follows.

        The verdict is on the release less the centre, because the centre tells nothing of the records.
        """
        beyond = followed = released
        if question.centre is not None:
            centre = question.centre.flatten(end_dim=1).to(released)
            assert isinstance(self.config.centre, AbstractTwins)
            beyond, followed = released - centre, self.config.centre.followed(released, centre)
        if self._energy is not None:
            self._energy = self._energy.with_answers(beyond, labels, self._answer_noise)
        return followed

    def _leave(self) -> None:
        """Forget critics and twins of a stage that has ended."""
        self._critics.leave()
        if self._twins is not None:
            self._twins.leave()

    def _released(self, question: Question) -> Tensor:
        """Return the sanitized answers to a question, (B, *shape)."""
        self._asked, ask = question, self._asking(question)
        # An audit may have put a door with canaries in its place.
        releaser: Any = self.releaser
        if isinstance(self.plan, SumOfManyPlan):
            if question.centre is None:
                return releaser.release(question.step, ask)
            return releaser.release(question.step, ask, question.centre.flatten(end_dim=1))
        every_group = torch.arange(self.plan.draws_per_step)
        return releaser.release(question.step, lambda coins: whole(ask(coins, every_group), every_group))

    def _asking(self, question: Question) -> Ask:
        """Return a function that asks critics a question. Its answers are private, for the releaser alone."""

        def ask(critics: Tensor, groups: Tensor) -> Answers:
            return self._critics.answer(critics, groups, question)

        return ask

    def _warm_start_pool(self, stage: int) -> Tensor:
        settings, first = self.config.stages[stage], self.config.stage_starts()[stage]
        num_pools = 0 if isinstance(settings.critic, DistanceCritic) else settings.warm_start.num_pools
        return self._public.pool(settings.view, first, times=num_pools)

    def state_dict(self) -> dict:
        """Return everything needed to go on, but the key of the noise. Private: it holds critics."""
        state = {"step": self.step, "critics": self._critics.state_dict(), "generator": self._public.state_dict()}
        state |= {} if self._energy is None else {"energy": self._energy.state_dict()}
        return state if self._twins is None else state | {"twins": self._twins.state_dict()}

    def travelling(self) -> Tensors:
        """Return the generator, its moving average and its optimiser's moments. Critics never leave."""
        return self._public.travelling()

    def verdict(self) -> Verdict | None:
        """Judge the sanitized gradients against their noise. None if a run of an earlier version did not add them up.

        The verdict is on gradients and not on images.
        """
        return None if self._energy is None else self._energy.ended(self._answer_noise).verdict

    @property
    def _answer_noise(self) -> float:
        """Standard deviation of the noise on a released coordinate: a sum is divided by its expected number."""
        return self.plan.noise_std / self.plan.expected_answers

    def _generator(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return the moving average of the generator's weights."""
        weights = self._public.released_weights()
        return TrainedGenerator(recipe=self._public.recipe, weights=weights, statement=statement)
