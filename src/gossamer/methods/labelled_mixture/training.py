"""Labelled mixture: the releases of DP-mixture, then a teacher trained by DP-SGD in the coordinates that they define.

A method of this library: docs/concepts/labelled-mixture.md states and proves it. DP-SGD is that of Abadi et al. 2016,
"Deep learning with differential privacy".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.mechanisms.crew import Order
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.poisson.dense import DenseLosses
from gossamer.mechanisms.poisson.door import PoissonReleaser, Tensors
from gossamer.mechanisms.streams import public_stream
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.methods.averaged import TrainedNetwork, cosine_decay
from gossamer.methods.dp_mixture.training import AbstractMixtureTraining, DPMixtureReport
from gossamer.methods.labelled_mixture.settings import LabelledMixtureConfig, plan, sized
from gossamer.methods.protected import bundles, units_of
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractStepReport, Progress, RunContext
from gossamer.nn.descent import AdamDescent
from gossamer.nn.labelled import LabelledGenerator
from gossamer.nn.teacher import Teacher
from gossamer.privacy.statement import PrivacyStatement

_CHUNK = 2000


@dataclass(frozen=True, kw_only=True)
class TeacherReport(AbstractStepReport):
    """Report of one update of the teacher. Everything in it is public.

    Attributes:
        step: number of the step, from 0, the releases of the mixture included.
        gradient_norm: norm of the sanitized gradient.
    """

    gradient_norm: float


class LabelledMixtureTraining(AbstractMixtureTraining[SumsThenSamplesPlan]):
    r"""A training that the caller drives: iterate over it, and take the generator at the end.

    The releases of the mixture come first. They define the teacher's inputs for a record. One is the place u in the
    released subspace, in standard form, the other are the logits b of the released Gaussians. Then the teacher is
    trained by DP-SGD on the cross entropy of a record's class under ``softmax(b + MLP(u))``.

    Guarantee: `trained` has the privacy that its statement says. The inputs of a record are a function of that record,
    of released sums and of public things, to the last bit. `PoissonReleaser` releases the gradients, and the plan
    prices them in one composition with the sums. The teacher starts from a public seed and is changed by released
    gradients alone.

    Args:
        config: settings.
        records: private.
        noise: secret randomness of this process.
        context: of the run. float32 is the only precision.

    Raises:
        InputError: data of another shape or number of classes, or without two classes, or settings that do not fit.
        PrivacyError: settings without a guarantee.
    """

    name = "labelled-mixture"

    def __init__(
        self, config: LabelledMixtureConfig, records: RecordSet, noise: AbstractNoise, context: RunContext
    ) -> None:
        config.records.check(records.spec)
        slots = context.slots_of(records)
        config = sized(config, slots)
        self.config = config
        self.units = units_of(records, slots, records_per_person=config.records_per_person, seed=config.seed)
        self._noise = noise
        self._network = _fresh(config)
        self._network.teacher.to(context.device)
        num_parameters = sum(map(torch.numel, self._parameters().values()))
        size = max(num_parameters, math.prod(records.spec.shape))
        super().__init__(config.own_mixture, plan(config, slots), records, noise, context, size)
        self._optimiser = AdamDescent(config.adam, self._network.teacher)
        self._average = {name: tensor.detach().clone() for name, tensor in self._parameters().items()}
        if context.state is not None:
            self._restore(context.state)
        if context.networks is not None:
            self._trained_teacher.take_up(context.networks.tensors, context.networks.num_updates())
            self.step = context.networks.step

    def _sums_of(self, plan: SumsThenSamplesPlan) -> OneShotPlan:
        return plan.of_sums

    def __iter__(self) -> Iterator[DPMixtureReport | TeacherReport]:
        """Make the releases and then the updates to the end of the plan, with a report after each."""
        while self.step < self.end_step:
            yield self._release_next() if self.step < self.plan.num_sums else self._teach()

    def progress(self, report: DPMixtureReport | TeacherReport) -> Progress:
        """Tell the number of steps done, by part."""
        num_sums = self.plan.num_sums
        if isinstance(report, DPMixtureReport) or self.end_step <= num_sums:
            return Progress(part="releases", num_done=report.step + 1, num_all=min(num_sums, self.end_step))
        return Progress(part="teacher", num_done=report.step + 1 - num_sums, num_all=self.end_step - num_sums)

    def state_dict(self) -> dict[str, Any]:
        """Return the sums released so far, and the teacher. Tensors are those in use: save or copy them."""
        return {
            **self._state_of_mixture(),
            "teacher": self._network.teacher.state_dict(),
            "average": self._average,
            "adam": self._optimiser.state_dict(),
        }

    # ---- the teacher ------------------------------------------------------------------------------------------------

    def _teach(self) -> TeacherReport:
        config, number = self.config, self.step - self.plan.num_sums
        released = self.teacher_releaser.release(self.step, self._parameters(), self._losses())
        # Privacy: from here on only `released` and public things are used.
        for name, parameter in self._network.teacher.named_parameters():
            parameter.grad = released[name]
        decay = cosine_decay(math.pi * number / config.teacher_steps, config.final_learning_rate)
        self._optimiser.step(config.adam.learning_rate * decay)
        weight = min(config.moving_average, 1 - 1 / (number + 1))
        for name, parameter in self._parameters().items():
            self._average[name].lerp_(parameter.detach(), 1 - weight)
        self.step += 1
        norm = float(torch.stack([part.norm() for part in released.values()]).norm())
        return TeacherReport(step=self.step - 1, gradient_norm=norm)

    def _do(self, order: Order) -> None:
        """Add this process's records to a release of the mixture, or its units to one of the teacher's gradients."""
        if order.number < self.plan.num_sums:
            super()._do(order)
            return
        names = list(self._parameters())
        is_drawn, head_start, *known = order.tensors
        # Privacy: released sums define the teacher's inputs, and are the same in all processes.
        self._take_up_all(known[len(names) :])
        parameters = {name: tensor for name, tensor in zip(names, known, strict=False) if tensor is not None}
        assert is_drawn is not None
        assert head_start is not None
        self.teacher_releaser.help(order.number, is_drawn, head_start, parameters, self._losses())

    def _losses(self) -> DenseLosses:
        return DenseLosses(network=self._network.teacher, losses=self.losses_of_records)

    def losses_of_records(self, parameters: Tensors, place: Tensor, base: Tensor, one_hot: Tensor) -> Tensor:
        """Compute the cross entropy of each record's class, (m,) for m records of one unit."""
        logits = functional_call(self._network.teacher, parameters, (place, base))
        return -(one_hot * F.log_softmax(logits, dim=1)).sum(dim=1)

    @functools.cached_property
    def teacher_releaser(self) -> PoissonReleaser:
        """The door for gradients of the teacher. It is made after the sums, which define the inputs."""
        samples = self.plan.of_samples
        # Privacy: the noise of the sums and that of the samples are of different steps of the run.
        return PoissonReleaser(
            samples,
            self.units,
            self._inputs(),
            self._noise,
            chunk_size=self.config.chunk_size,
            gate=self.gate.of_part(samples),
            crew=self._crew,
            known=lambda: (*self._parameters().values(), *self._released),
        )

    def _inputs(self) -> tuple[Tensor, ...]:
        """Compute the teacher's inputs of all records, and their classes. Private, and each row is of one record."""
        features, groups = self._described
        # Privacy: released sums alone define the inputs' coordinates, and each record is computed by itself.
        network = self._labelled().requires_grad_(False)

        def inputs(features: Tensor) -> Tensor:
            return torch.cat(network.inputs_of(features), dim=1)

        found, rows = [], []
        for bundle in bundles(self._records, self.plan.unit, _CHUNK):
            found.append(bundle.compute(inputs, features))
            rows.append(bundle.rows)
        joined = torch.cat(found)[torch.argsort(torch.cat(rows))]
        classes = self.config.records.num_classes
        place, base = joined.split([joined.shape[1] - classes, classes], dim=1)
        one_hot = (groups[:, None] == torch.arange(classes)).to(torch.float32)
        return place.contiguous().to(self._device), base.contiguous().to(self._device), one_hot.to(self._device)

    def _parameters(self) -> Tensors:
        return dict(self._network.teacher.named_parameters())

    def _labelled(self) -> LabelledGenerator:
        """Return the network with the mixture as it is known, and a teacher of the initial weights."""
        network = _fresh(self.config)
        network.load_state_dict(self._generator(self._statement).weights)
        return network

    @property
    def _trained_teacher(self) -> TrainedNetwork:
        return TrainedNetwork(self._optimiser, self._average)

    def travelling(self) -> Tensors:
        """Return the teacher, its average and the moments of its optimiser, as they travel between sites.

        Guarantee: functions of released gradients and public things. The mixture does not travel with them, since all
        sites know it from the released sums.
        """
        return self._trained_teacher.travelling()

    def _restore(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])
        self._network.teacher.load_state_dict(state["teacher"])
        self._optimiser.load_state_dict(state["adam"])
        self._average = {name: tensor.clone().to(self._device) for name, tensor in state["average"].items()}

    # ---- what leaves ------------------------------------------------------------------------------------------------

    def _generator(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return the mixture as it is known now, and the average of the teacher's weights."""
        drawing = self._mixture_so_far(statement)
        weights = {f"mixture.{name}": tensor for name, tensor in drawing.weights.items()}
        weights |= {f"teacher.{name}": tensor.detach().cpu().clone() for name, tensor in self._average.items()}
        weights["class_shares"] = torch.tensor(drawing.recipe.class_shares, dtype=torch.float32)
        recipe = replace(drawing.recipe, network=self.config.generator)
        return TrainedGenerator(recipe=recipe, weights=weights, statement=statement)


def travels(config: LabelledMixtureConfig, spec: AbstractSpec) -> Tensors:
    """Return the teacher before its first update, as it travels between sites.

    Raises:
        InputError: records of another shape, of other classes, or without two of them.
    """
    config.records.check(spec)
    dim = config.mixture.generator.num_kept(spec.shape)
    teacher = Teacher(config.teacher, dim=dim, num_classes=spec.num_classes, rng=_stream(config))
    average = {name: parameter.detach().clone() for name, parameter in teacher.named_parameters()}
    return TrainedNetwork(AdamDescent(config.adam, teacher), average).travelling()


def _fresh(config: LabelledMixtureConfig) -> LabelledGenerator:
    """Build the network that is released, with a teacher that knows nothing."""
    expected = config.records
    return config.generator.build(
        expected.shape,
        expected.num_classes,
        config.generator.latent_dim(expected.shape),
        _stream(config),
    )


def _stream(config: LabelledMixtureConfig) -> torch.Generator:
    """Return the public stream of the teacher's initial weights."""
    return public_stream(config.seed, "teacher weights")
