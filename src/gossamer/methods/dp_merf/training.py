"""DP-MERF: one noisy mean embedding of every class, and a generator fitted to it afterwards.

Harder, Adamczewski, Park, "DP-MERF: differentially private mean embeddings with random features for practical
privacy-preserving data generation", AISTATS 2021. Two things differ here. Class counts come from the same release. The
published loss has a bias from the finite batch of synthetic samples, which is removed (docs/concepts/one-shot.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.errors import PrivacyError
from gossamer.mechanisms.crew import ALONE, AbstractCrew, Order, Task
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_shot.contributions import GroupedMoments, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.averaged import AveragedGenerator
from gossamer.methods.dp_merf.settings import DPMERFConfig, plan
from gossamer.methods.dp_merf.worth import ReleasedEmbeddings
from gossamer.methods.protected import bundles, owners_of, slot_sizes_of
from gossamer.methods.starting import FRESH, PublicStart
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.methods.training import AbstractStepReport, AbstractTraining, Progress, RunContext
from gossamer.methods.verdict import Judged, Verdict
from gossamer.nn.exact import matmul_of_rows
from gossamer.nn.merf import AbstractMERFGenerator
from gossamer.privacy.statement import PrivacyStatement

_CHUNK = 1000
_SETTLE_PER_CLASS = 100
_STEPS_A_REPORT = 25
_NUM_PIECES = 2


@dataclass(frozen=True, kw_only=True)
class RandomFeatures:
    r"""Random Fourier features of a Gaussian kernel, :math:`\varphi(x) = \sqrt{2/d}\,(\cos Wx, \sin Wx)`, norm 1.

    Attributes:
        frequencies: W, float32 (d / 2, pixels), from a public stream: normal, of variance one over the squared
            bandwidth.

    References: Rahimi, Recht 2007, "Random features for large-scale kernel machines".
    """

    frequencies: Tensor

    @classmethod
    def drawn(cls, config: DPMERFConfig, spec: AbstractSpec) -> RandomFeatures:
        """Draw the features that a seed stands for."""
        rng = public_stream(config.seed, "frequencies")
        normal = torch.randn(config.num_features // 2, math.prod(spec.shape), generator=rng)
        return cls(frequencies=normal / math.sqrt(config.squared_bandwidth))

    def __call__(self, images: Tensor) -> Tensor:
        """Compute features (batch, d) of samples (batch, *shape), with ``|phi| = 1`` for any sample."""
        return self._of(images.flatten(start_dim=1) @ self.frequencies.T)

    def of_records(self, images: Tensor) -> Tensor:
        """Compute features of private records, a row from its own record alone to the last bit (`matmul_of_rows`)."""
        return self._of(matmul_of_rows(images.flatten(start_dim=1), self.frequencies.T).to(images))

    def _of(self, angles: Tensor) -> Tensor:
        return torch.cat([angles.cos(), angles.sin()], dim=1) / math.sqrt(len(self.frequencies))


@dataclass(frozen=True, kw_only=True)
class DPMERFReport(AbstractStepReport):
    """Report of the release, or of some updates of the generator. Everything in it is public.

    Attributes:
        step: private steps done before: 0 for the release, then 1.
        num_updates: updates of the generator done.
        loss: squared distance of the embeddings up to a constant. NaN at the release.
    """

    num_updates: int
    loss: float


class DPMERFTraining(AbstractTraining[OneShotPlan]):
    r"""A training that the caller drives: iterate over it, and take the generator at the end.

    Let :math:`\tilde n_c` and :math:`\tilde S_c` be the noisy count and sum of a class, and :math:`m_c` the mean
    features of b samples of it. The generator minimises

    .. math:: \sum_c \frac{b}{b - 1} |m_c|^2 - 2 \langle m_c, \tilde S_c / \tilde n_c \rangle,

    The expectation is that of infinitely many samples, up to a constant, because all features have norm 1.

    Guarantee: `trained` has the privacy that its statement says. Records are read by the single release. All later work
    knows its noisy sum and public randomness alone, so that work is post-processing, however long it takes.

    Args:
        config: settings.
        records: private.
        noise: secret randomness of this process.
        context: of the run. float32 is the only precision.

    Raises:
        InputError: data of another number of classes, or settings that do not fit.
        PrivacyError: settings without a guarantee.
    """

    name = "dp-merf"
    public_inputs = ("the bandwidth of the kernel and its random frequencies",)

    def __init__(self, config: DPMERFConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> None:
        config.records.check(records.spec)
        self.config = config
        super().__init__(plan(config, context.slots_of(records)), noise, context, math.prod(records.spec.shape))
        self._records = records
        self._features = RandomFeatures.drawn(config, records.spec)
        self._fit = EmbeddingFit(config, records.spec, self._features, context.device, context.start, context.crew)
        self._released: Tensor | None = None
        if context.state is not None:
            self._released = context.state["released"]
            self._fit.restore(context.state["generator"])
        if context.sums is not None:
            self._released = next(iter(context.sums.released), None)
        sizes = slot_sizes_of(records, self.plan)
        self.releaser = OneShotReleaser(self.plan, noise, slot_sizes=sizes, gate=self.gate, crew=context.crew)

    def __iter__(self) -> Iterator[DPMERFReport]:
        """Make the release, then fit to the end, with a report after the release and after every few updates."""
        if self.step < self.end_step:
            self._released = self.releaser.release(0, self._slots())
            self.step = 1
            yield DPMERFReport(step=0, num_updates=0, loss=math.nan)
        if self._released is None:
            return
        # Privacy: from here on only `_released` and public things are used.
        target = self._target(self._released)
        num_all = self.config.num_fit_steps
        while self._fit.num_done < num_all:
            num_updates = min(_STEPS_A_REPORT, num_all - self._fit.num_done)
            loss = [self._fit.learn(target) for _ in range(num_updates)][-1]
            yield DPMERFReport(step=1, num_updates=self._fit.num_done, loss=loss)

    def progress(self, report: DPMERFReport) -> Progress:
        """Tell that the release is made, then the progress of the fit."""
        if report.num_updates == 0:
            return Progress(part="release", num_done=1, num_all=1)
        return Progress(part="generator", num_done=report.num_updates, num_all=self.config.num_fit_steps)

    @property
    def is_over(self) -> bool:
        """True if the fit is done, too, or if there is nothing to fit to."""
        is_fitted = self._released is None or self._fit.num_done >= self.config.num_fit_steps
        return self.step >= self.end_step and is_fitted

    @property
    def released_sums(self) -> tuple[Tensor, ...]:
        """The noisy sum, once it is released. See `AbstractTraining.released_sums`."""
        return () if self._released is None else (self._released,)

    def _do(self, order: Order) -> None:
        """Add this process's records to the release, or its classes to an update of the generator."""
        if order.task is Task.FIT:
            self._fit.help(order)
        else:
            self.releaser.help(order.number, self._slots())

    def _slots(self) -> Iterator[Slots]:
        records, owners = self._records, owners_of(self._records, self.plan.unit)
        labels = torch.zeros(records.num_records, dtype=torch.int64) if records.y is None else records.y
        for bundle in self._crew.share(bundles(records, self.plan.unit, _CHUNK)):
            rows, features = bundle.rows, bundle.compute(self._features.of_records, records.x)
            yield Slots(vectors=features, groups=labels[rows], owners=None if owners is None else owners[rows])

    def _target(self, released: Tensor) -> Tensor:
        """Return noisy mean features of each class, (classes, d): noisy sums over noisy counts."""
        # A count below its noise says nothing, and a mean of n features has norm 1 at most.
        counts = self._sums.counts(released).clamp_min(4 * self.plan.release_noise_std(0))
        return self._sums.sums(released) / counts[:, None]

    @property
    def _sums(self) -> GroupedMoments:
        (release,) = self.plan.releases
        assert isinstance(release.contribution, GroupedMoments)
        return release.contribution

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on, but the key of the noise."""
        return {"step": self.step, "released": self._released, "generator": self._fit.state_dict()}

    def verdict(self) -> Verdict | None:
        """Judge the mean features of classes against their noise. None before they are released."""
        if self._released is None:
            return None
        # Privacy: the released sum, the deviation of its noise, and the public frequencies.
        released = self._released.double()
        noise = self.plan.release_noise_std(0)
        counts = self._sums.counts(released).clamp_min(4 * noise)
        worth = ReleasedEmbeddings(
            means=self._sums.sums(released) / counts[:, None],
            counts=counts,
            noise=noise,
            frequencies=self._features.frequencies,
            num_channels=self._records.spec.shape[0],
        )
        return Verdict.of_sums(worth.signal, worth.classes_apart, worth.knows_level, Judged.EMBEDDINGS)

    def _generator(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return the moving average of the generator's weights."""
        if self._released is None:
            raise PrivacyError("nothing was released yet, or it was paid for and lost: start another run")
        recipe = GeneratorRecipe.of(
            self._records.spec,
            network=self.config.generator,
            latent=self.config.latent,
            noisy_counts=self._sums.counts(self._released),
        )
        return TrainedGenerator(recipe=recipe, weights=self._fit.released_weights(), statement=statement)

    def trained_so_far(self) -> TrainedGenerator:
        """Return the generator as `trained` does: the single release is the whole price, at any point of the fit."""
        return self.trained()


class EmbeddingFit(AveragedGenerator):
    """The generator while it is fitted to mean features, and the moving average that is released. All public.

    An update is computed in two pieces, each of some classes, which the processes of a crew share. The pieces depend on
    the number of classes alone, so any number of processes comes to the same bits. Two halves are faster on one core
    than the whole or quarters, so a third process has nothing to do.

    Args:
        config: settings.
        spec: shape and classes.
        features: of the embedding.
        device: to compute on.
        start: public weights to begin with.
        crew: the processes that work on the fit. The first holds the generator.
    """

    def __init__(
        self,
        config: DPMERFConfig,
        spec: AbstractSpec,
        features: RandomFeatures,
        device: torch.device,
        start: PublicStart = FRESH,
        crew: AbstractCrew = ALONE,
    ) -> None:
        recipe = GeneratorRecipe.of(spec, network=config.generator, latent=config.latent)
        super().__init__(recipe, config.adam, config.seed, device, start)
        assert isinstance(self.network, AbstractMERFGenerator)
        self._network = self.network.train()
        self._config, self._crew = config, crew
        self._features = RandomFeatures(frequencies=features.frequencies.to(device))
        self.num_done = 0

    def learn(self, target: Tensor) -> float:
        """Update the generator towards the mean features of each class, (classes, d), and return the loss."""
        config = self._config
        drawings = self._network.drawn(*self.inputs_by_class("fit", config.samples_per_class, self.num_done))
        target, weights = target.to(drawings), self._network.enlarging_weights()
        # In one tensor, since each message takes its time.
        known = torch.cat([one.detach().flatten() for one in (drawings, target, *weights)])
        self._crew.order(Order(task=Task.FIT, number=self.num_done, tensors=(known,)))
        answered = self._crew.total(self._part(drawings.detach(), target))
        by_drawings, rows = answered[: drawings.numel()], answered[drawings.numel() :].unflatten(0, (_NUM_PIECES, -1))
        *by_weights, loss = rows.sum(dim=0).split([*(one.numel() for one in weights), 1])
        self.optimiser.zero_grad()
        drawings.backward(by_drawings.view_as(drawings))
        for weight, gradient in zip(weights, by_weights, strict=True):
            weight.grad = gradient.view_as(weight)
        progress = self.num_done / config.num_fit_steps
        self.update(math.pi * progress, config.final_learning_rate)
        self.num_done += 1
        self.move_average(config.moving_average, self.num_done)
        return float(loss)

    @torch.no_grad()
    def help(self, order: Order) -> None:
        """Do this process's part of an update that the leader has begun."""
        (known,) = order.tensors
        assert known is not None
        weights, config = self._network.enlarging_weights(), self._config
        groups, num_features = config.records.num_groups, config.num_features
        shape = (groups * config.samples_per_class, *self._network.small)
        drawings, target, *sent = known.split(
            [math.prod(shape), groups * num_features, *(one.numel() for one in weights)]
        )
        for weight, one in zip(weights, sent, strict=True):
            weight.copy_(one.view_as(weight))
        self._crew.total(self._part(drawings.view(shape), target.view(groups, num_features)))

    def _part(self, drawings: Tensor, target: Tensor) -> Tensor:
        """Return this process's part of the gradients and the loss, with zeros in all places of other processes.

        Returns:
            One after the other: the gradient by the small drawings, and for each piece that by the weights, and its
            loss.
        """
        weights, b = self._network.enlarging_weights(), self._config.samples_per_class
        by_drawings = torch.zeros_like(drawings)
        rows = drawings.new_zeros(_NUM_PIECES, sum(one.numel() for one in weights) + 1)
        pieces = torch.arange(len(target)).tensor_split(_NUM_PIECES)
        for number, classes in self._crew.share(enumerate(pieces)):
            if len(classes):
                samples = slice(int(classes[0]) * b, (int(classes[-1]) + 1) * b)
                own = drawings[samples].clone().requires_grad_()
                loss = self._loss(own, target[classes])
                by_drawings[samples], *by_weights = torch.autograd.grad(loss, (own, *weights))
                rows[number] = torch.cat([*(one.flatten() for one in by_weights), loss.detach().view(1)])
        return torch.cat([by_drawings.flatten(), rows.flatten()])

    @torch.enable_grad()
    def _loss(self, drawings: Tensor, target: Tensor) -> Tensor:
        """Return the loss of some classes, which depends on the samples of these classes alone."""
        b = self._config.samples_per_class
        means = self._features(self._network.enlarged(drawings)).unflatten(0, (-1, b)).mean(dim=1)
        return b / (b - 1) * means.square().sum() - 2 * (means * target).sum()

    def released_weights(self) -> dict[str, Tensor]:
        """Return a copy of the moving average on the CPU, with the statistics of batch norm that belong to it."""
        network = self.recipe.build(public_stream(self._config.seed, "generator weights"))
        assert isinstance(network, AbstractMERFGenerator)
        network.load_state_dict(super().released_weights(), strict=False)
        latent, labels = self.inputs_by_class("statistics", _SETTLE_PER_CLASS, 0)
        network.settle(latent.cpu(), None if labels is None else labels.cpu())
        return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """Return network, average, optimiser and number of updates, the tensors in use."""
        return {"num_done": self.num_done} | super().state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a copy of a state that `state_dict` returned."""
        self.num_done = state["num_done"]
        super().restore(state)
