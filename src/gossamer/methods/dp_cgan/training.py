"""DP-CGAN: one discriminator trained by DP-SGD, and a generator that learns from the discriminator alone.

Torkzadehmahani, Kairouz, Paten, "DP-CGAN: differentially private synthetic data and label generation", CVPR workshops
2019. Here samples are Poisson samples, one clip is over all parameters, and synthetic labels follow a public law. So
the price holds (docs/concepts/poisson.md). Bie, Kamath, Zhang, "Private GANs, revisited", TMLR 2023: large batches, and
several updates of the discriminator for each of the generator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.mechanisms.crew import Order
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.poisson.dense import DenseLosses
from gossamer.mechanisms.poisson.door import PoissonReleaser, RecordLosses, Tensors
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.averaged import AveragedGenerator, TrainedNetwork, cosine_decay
from gossamer.methods.dp_cgan.settings import DPCGANConfig, GradientDescent, plan
from gossamer.methods.of_sites import NetworksOfSites
from gossamer.methods.protected import described, units_of
from gossamer.methods.starting import DISCRIMINATOR, FRESH, GENERATOR, Networks, PublicStart
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.methods.training import AbstractStepReport, AbstractTraining, Progress, RunContext
from gossamer.methods.verdict import Verdict
from gossamer.methods.worth import ReleasedEnergy
from gossamer.nn.descent import AbstractDescent, AdamDescent, PlainDescent
from gossamer.nn.devices import mixed_precision
from gossamer.nn.images.settings import MLPDiscriminatorConfig
from gossamer.nn.registered import check_own_critic
from gossamer.nn.settings import Adam
from gossamer.nn.spectral_norm import advance
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.statement import PrivacyStatement

_DISCRIMINATOR: Final = "discriminator "
"""Beginning of the names that the tensors of the discriminator travel under."""


@dataclass(frozen=True, kw_only=True)
class DPCGANReport(AbstractStepReport):
    """Report of one step. Everything in it is public.

    Attributes:
        step: number of the step, from 0.
        gradient_norm: norm of the sanitized gradient.
        synthetic_loss: of the discriminator on synthetic samples.
    """

    gradient_norm: float
    synthetic_loss: float


class DPCGANTraining(AbstractTraining[PoissonPlan]):
    r"""A training that the caller drives: iterate over it, and take the generator at the end.

    The discriminator's loss, with the log odds D and softplus s, is

    .. math:: L = \underbrace{\frac{1}{qN} \sum_{i \in S} s(-D(x_i, y_i))}_{\text{records}}
        + \underbrace{\frac{1}{b} \sum_j s(D(G(z_j, c_j), c_j))}_{\text{synthetic}}

    and the generator's is ``mean s(-D(G(z, c), c))``.

    Guarantee: `trained` has the privacy that its statement says. Both networks start from a public seed, z and c are
    public: latents of the seed, and classes all in turn. The gradient of the first sum is released by
    `PoissonReleaser`, and the plan prices a record's contribution to it. The gradient of the second sum is a function
    of both networks as they are and of public things. By induction over the steps the networks are functions of
    released gradients and public things. So the second gradient is post-processing, and is added as it is, neither
    clipped nor noised. The published system clips both parts. There the synthetic part used the labels of the drawn
    records, and here it uses nothing of theirs. Nothing is saved by counting the second gradient inside the clip, where
    it would only take room from the records.

    Args:
        config: settings.
        records: private.
        noise: secret randomness of this process.
        context: of the run. bfloat16 is for the synthetic part alone, and records are in float32 always.

    Raises:
        InputError: settings that do not fit the data.
        PrivacyError: settings without a guarantee.
    """

    name = "dp-cgan"
    allows_bfloat16 = True

    def __init__(self, config: DPCGANConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> None:
        self.config = config
        slots = context.slots_of(records)
        units = units_of(records, slots, records_per_person=config.records_per_person, seed=config.seed)
        self._networks = PublicNetworks(config, records.spec, context.device, context.precision, context.start)
        sample_size = sum(map(torch.numel, self._networks.parameters().values()))
        super().__init__(plan(config, slots), noise, context, sample_size)
        self._energy: ReleasedEnergy | None = ReleasedEnergy()
        if context.state is not None:
            self._energy = ReleasedEnergy.restored(context.state)
            self._networks.restore(context.state["networks"])
        if context.networks is not None:
            self._networks.take_up(context.networks)
            # The gradients of other rounds and sites are not here to be judged.
            self._energy = None
        self.releaser = PoissonReleaser(
            self.plan,
            units,
            _seen(config, records, slots.unit, context.device),
            noise,
            chunk_size=config.chunk_size,
            gate=self.gate,
            crew=context.crew,
            known=self._networks.of_discriminator,
            meanwhile=self._networks.learn_ahead,
        )

    def __iter__(self) -> Iterator[DPCGANReport]:
        """Take steps to the end of the plan, with a report after each."""
        while self.step < self.end_step:
            yield self._train_step()

    @property
    def steps_per_update(self) -> int:
        """Steps of the discriminator until the generator has learnt once."""
        return self.config.discriminator_steps

    def progress(self, report: DPCGANReport) -> Progress:
        """Tell the number of steps done."""
        return Progress(part="discriminator and generator", num_done=report.step + 1, num_all=self.end_step)

    def _train_step(self) -> DPCGANReport:
        step, networks = self.step, self._networks
        released = self.releaser.release(step, networks.parameters(), networks.losses())
        # Privacy: from here on only `released` and public things are used.
        if self._energy is not None:
            noise_std = self.plan.noise_std / self.plan.expected_batch_size
            self._energy = self._energy.with_release(released.values(), noise_std)
        synthetic_loss = networks.improve_discriminator(released, step)
        if (step + 1) % self.config.discriminator_steps == 0:
            networks.let_generator_learn(step)
        self.step += 1
        norm = float(torch.stack([part.norm() for part in released.values()]).norm())
        return DPCGANReport(step=step, gradient_norm=norm, synthetic_loss=synthetic_loss)

    def _do(self, order: Order) -> None:
        """Add this process's units to a release, at the leader's discriminator."""
        is_drawn, head_start, *discriminator = order.tensors
        assert is_drawn is not None
        assert head_start is not None
        networks = self._networks
        networks.take_up_discriminator(discriminator)
        self.releaser.help(order.number, is_drawn, head_start, networks.parameters(), networks.losses())

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on, but the key of the noise. Tensors are those in use: save or copy them."""
        state = {"step": self.step, "networks": self._networks.state_dict()}
        return state if self._energy is None else state | {"energy": self._energy.state_dict()}

    def verdict(self) -> Verdict | None:
        """Judge gradients, not images, against their noise. None if a run of an earlier version did not add them up."""
        return None if self._energy is None else self._energy.verdict

    def travelling(self) -> Tensors:
        """Return generator and discriminator as they travel between sites.

        Guarantee: both are functions of released gradients and public things, so they are as safe as the generator.
        """
        return self._networks.travelling()

    def _generator(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return the moving average of the generator's weights."""
        return self._networks.released(statement)


def _seen(config: DPCGANConfig, records: RecordSet, unit: Unit, device: torch.device) -> tuple[Tensor, ...]:
    """Return the private tensors as the discriminator sees them: images in the view, and classes if there are any."""
    looked = described(lambda x, _: config.view.apply_to_records(x), records, unit).to(device)
    return (looked,) if records.y is None else (looked, records.y.to(device))


class PublicNetworks:
    """Generator and discriminator in training, and the moving average that is released.

    Guarantee: built from public settings, and changed by released gradients and public randomness alone. Records enter
    only in `losses_of_records`, which changes nothing.

    Args:
        config: settings.
        spec: shape and classes of the images.
        device: to compute on.
        precision: of the synthetic part.
        start: public weights to begin with, of one network or both.
    """

    def __init__(
        self,
        config: DPCGANConfig,
        spec: AbstractSpec,
        device: torch.device,
        precision: torch.dtype,
        start: PublicStart = FRESH,
    ) -> None:
        self._config = config
        self._device = device
        self._precision = precision
        recipe = GeneratorRecipe.of(spec, network=config.generator, latent=config.latent)
        self._generator = AveragedGenerator(recipe, config.generator_adam, config.seed, device, start)
        shape = config.view.shape(spec.shape)
        check_own_critic(config.discriminator, shape, spec.num_classes)
        self._discriminator = config.discriminator.build(
            shape, spec.num_classes, public_stream(config.seed, "discriminator weights")
        )
        start.put_into(self._discriminator, DISCRIMINATOR)
        self._discriminator.to(device)
        self._descent = _optimiser(config.discriminator_optimiser, self._discriminator)
        self._due: int | None = None
        self._synthetic_loss: Tensor | None = None

    def parameters(self) -> Tensors:
        """Return the discriminator's parameters, by name."""
        return dict(self._discriminator.named_parameters())

    def of_discriminator(self) -> tuple[Tensor, ...]:
        """Return the discriminator's parameters and buffers, in order."""
        return tuple(self._discriminator.state_dict().values())

    def take_up_discriminator(self, tensors: Sequence[Tensor | None]) -> None:
        """Take up the discriminator of another process, as its `of_discriminator` returned it."""
        self._discriminator.load_state_dict(dict(zip(self._discriminator.state_dict(), tensors, strict=True)))

    def losses(self) -> RecordLosses | DenseLosses:
        """Return `losses_of_records` as the releaser takes them fastest: with the layers, if all are dense."""
        match self._config.discriminator:
            case MLPDiscriminatorConfig():
                return DenseLosses(network=self._discriminator, losses=self.losses_of_records)
            case _:
                return self.losses_of_records

    def losses_of_records(self, parameters: Tensors, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Compute ``-log`` of the discriminator's probability of "real": (m,) for m records of one unit."""
        return F.softplus(-functional_call(self._discriminator, parameters, (image, label)))

    def let_generator_learn(self, step: int) -> None:
        """Leave the generator's update after a step to `learn_ahead`, or to the next who asks for the networks."""
        self._due = step

    def learn_ahead(self, step: int) -> None:
        """Make an update of the generator that is due, and compute the discriminator's slope on synthetic samples.

        Neither needs the release of the step, so other processes work on that meanwhile.
        """
        self._settle()
        with torch.no_grad():
            looked, labels = self._synthetic("synthetic", self._config.synthetic_batch_size, step)
        self._descent.zero_grad()
        self._synthetic_loss = F.softplus(self._discriminator(looked, labels)).mean()
        self._synthetic_loss.backward()

    def _settle(self) -> None:
        """Make the update of the generator that is due, if any is."""
        if self._due is not None:
            self.improve_generator(self._due)
            self._due = None

    def improve_discriminator(self, released: Tensors, step: int) -> float:
        """Update by the released gradient on records plus the gradient on synthetic samples.

        Args:
            released: sanitized gradient, by name.
            step: number of the step.

        Returns:
            The loss on synthetic samples before the update.
        """
        if self._synthetic_loss is None:
            self.learn_ahead(step)
        loss, self._synthetic_loss = self._synthetic_loss, None
        assert loss is not None
        for name, parameter in self.parameters().items():
            assert parameter.grad is not None
            parameter.grad += released[name]
        self._descent.step(_learning_rate(self._config, step))
        return float(loss.detach())

    def improve_generator(self, step: int) -> None:
        """Update the generator by the gradient that the discriminator gives, and then the moving average."""
        config = self._config
        advance(self._generator.network)
        looked, labels = self._synthetic("generator", config.generator_batch_size, step)
        self._generator.optimiser.zero_grad()
        F.softplus(-self._discriminator(looked, labels)).mean().backward()
        self._generator.update(math.pi * step / config.num_steps, config.final_learning_rate)
        self._generator.move_average(config.moving_average, (step + 1) // config.discriminator_steps)

    def _synthetic(self, purpose: str, num_samples: int, step: int) -> tuple[Tensor, Tensor | None]:
        """Draw samples in the view, and their classes: all in turn, from a place that moves on with the step."""
        latent, labels = self._generator.inputs_in_turn(purpose, num_samples, step)
        with mixed_precision(self._device, self._precision):
            made = self._generator.network(latent, labels)
        # The view of samples is computed as that of records: in float32, which the discriminator asks for.
        return self._config.view.apply(made.float()), labels

    def released(self, statement: PrivacyStatement) -> TrainedGenerator:
        """Return a copy of the moving average with its statement, on the CPU."""
        self._settle()
        made = self._generator
        return TrainedGenerator(recipe=made.recipe, weights=made.released_weights(), statement=statement)

    def to_start_from(self) -> Networks:
        """Return a copy of the moving average and of the discriminator, on the CPU."""
        discriminator = {name: tensor.cpu().clone() for name, tensor in self._discriminator.state_dict().items()}
        return {GENERATOR: self._generator.released_weights(), DISCRIMINATOR: discriminator}

    def travelling(self) -> Tensors:
        """Return both networks, the average and the moments of their optimisers, as they travel between sites.

        Returns:
            float32 by name, the tensors in use.
        """
        self._settle()
        return self._generator.travelling() | {
            f"{_DISCRIMINATOR}{name}": tensor for name, tensor in self._trained_discriminator.travelling().items()
        }

    def take_up(self, networks: NetworksOfSites) -> None:
        """Go on from tensors that `travelling` returned, or from a mean of several of them. Any numbers will do."""
        tensors = networks.tensors
        self._generator.take_up(tensors, networks.num_updates(self._config.discriminator_steps))
        of_discriminator = {
            name.removeprefix(_DISCRIMINATOR): tensor
            for name, tensor in tensors.items()
            if name.startswith(_DISCRIMINATOR)
        }
        self._trained_discriminator.take_up(of_discriminator, networks.num_updates())

    @property
    def _trained_discriminator(self) -> TrainedNetwork:
        return TrainedNetwork(self._descent)

    def state_dict(self) -> dict[str, Any]:
        """Return networks, average and optimisers, the tensors in use."""
        self._settle()
        made = self._generator.state_dict()
        return {
            "generator": made["network"],
            "average": made["average"],
            "discriminator": self._discriminator.state_dict(),
            "descent": self._descent.state_dict(),
            "adam": made["optimiser"],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a copy of a state that `state_dict` returned."""
        made = {"network": state["generator"], "average": state["average"], "optimiser": state["adam"]}
        self._generator.restore(made)
        self._discriminator.load_state_dict(state["discriminator"])
        self._descent.load_state_dict(state["descent"])


def travels(config: DPCGANConfig, spec: AbstractSpec) -> Tensors:
    """Return both networks before their first update, as they travel between sites."""
    return PublicNetworks(config, spec, torch.device("cpu"), torch.float32).travelling()


def _optimiser(settings: GradientDescent | Adam, network: nn.Module) -> AbstractDescent:
    match settings:
        case GradientDescent():
            return PlainDescent(network)
        case Adam():
            return AdamDescent(settings, network)


def _learning_rate(config: DPCGANConfig, step: int) -> float:
    match config.discriminator_optimiser:
        case GradientDescent() as descent:
            return descent.rate(step)
        case Adam() as adam:
            return adam.learning_rate * cosine_decay(math.pi * step / config.num_steps, config.final_learning_rate)
