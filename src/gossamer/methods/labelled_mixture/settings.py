"""Settings of a labelled mixture, the sizes among them that follow from the noise, and the plan: all public."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gossamer.errors import InputError
from gossamer.mechanisms.one_shot.neighbours import ComingOrLeaving
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.mechanisms.sums_then_samples.split import Split
from gossamer.methods.dp_mixture import settings as dp_mixture
from gossamer.methods.dp_mixture.settings import DPMixtureConfig
from gossamer.methods.records_expected import RecordsExpected
from gossamer.nn.labelled_settings import LabelledGeneratorConfig, TeacherConfig
from gossamer.nn.settings import Adam
from gossamer.privacy.slots import PublicSlots


@dataclass(frozen=True, kw_only=True)
class LabelledMixtureConfig:
    """All settings of a labelled mixture. Every one of them is public.

    Attributes:
        mixture: settings of the mixture. Its noise and its seed are those of the whole, and not set by themselves.
        teacher: architecture of the teacher.
        teacher_steps: T, updates of the teacher, each a release.
        teacher_share: part of the budget for the teacher, in (0, 1).
        sample_rate: q, probability with which a unit is in a Poisson sample.
        clip_norm: C, bound on the norm of one unit's gradient, over all parameters.
        adam: optimiser of the teacher.
        final_learning_rate: fraction of the learning rate that a cosine schedule ends at.
        moving_average: decay of the average of the teacher's weights. The average is released.
        records_per_person: records of a drawn person that are averaged in the clipped gradient, if people are
            protected. More records cost time and no privacy.
        chunk_size: units that have their gradients in memory at once.
        noise_multiplier: of a Gaussian that is worth about both parts together. None until `calibrate`.
        seed: public. Initial weights and starting places follow from it, noise and samples of records never.
    """

    mixture: DPMixtureConfig = field(default_factory=DPMixtureConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    teacher_steps: int = 250
    teacher_share: float = 0.5
    sample_rate: float = 0.04
    clip_norm: float = 1.0
    adam: Adam = field(default_factory=lambda: Adam(learning_rate=3.2e-2, beta1=0.9, beta2=0.99))
    final_learning_rate: float = 0.05
    moving_average: float = 0.97
    records_per_person: int = 8
    chunk_size: int = 128
    noise_multiplier: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        Split(share=self.teacher_share)
        if self.mixture.noise_multiplier is not None or self.mixture.seed != 0:
            raise InputError("noise_multiplier and seed are those of the whole: leave those of the mixture out")
        for name in ("teacher_steps", "records_per_person", "chunk_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.sample_rate <= 1:
            raise InputError(f"sample_rate must lie in (0, 1], got {self.sample_rate}")
        for name in ("final_learning_rate", "moving_average"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, got {self.seed}")

    @property
    def records(self) -> RecordsExpected:
        """Shape and classes of the data."""
        return self.mixture.records

    @property
    def split(self) -> Split:
        """Division of the noise between mixture and teacher."""
        return Split(share=self.teacher_share)

    @property
    def generator(self) -> LabelledGeneratorConfig:
        """The network that is released."""
        return LabelledGeneratorConfig(mixture=self.mixture.generator, teacher=self.teacher)

    @property
    def own_mixture(self) -> DPMixtureConfig:
        """Settings of the mixture with its part of the noise, and the seed of the whole."""
        noise = None if self.noise_multiplier is None else self.split.of_sums(self.noise_multiplier)
        return replace(self.mixture, noise_multiplier=noise, seed=self.seed)


def plan(config: LabelledMixtureConfig, slots: PublicSlots) -> SumsThenSamplesPlan:
    """Return the plan of the settings for a public number of slots: their price, and the source of the run."""
    sums = dp_mixture.plan(config.own_mixture, slots)
    samples = PoissonPlan(
        unit=slots.unit,
        num_slots=slots.number,
        source=slots.source,
        training_share=slots.training_share,
        sample_rate=config.sample_rate,
        num_steps=config.teacher_steps,
        clip_norm=config.clip_norm,
        noise_multiplier=None,
        records_per_unit=config.records_per_person if slots.unit.is_group else 1,
    )
    return SumsThenSamplesPlan(
        unit=slots.unit,
        num_slots=slots.number,
        source=slots.source,
        sums=replace(sums, neighbours=ComingOrLeaving(), noise_multiplier=None),
        samples=samples,
        split=config.split,
        noise_multiplier=config.noise_multiplier,
        from_sums="the mixture, which draws samples",
        from_samples="the teacher, which names their classes",
    )


def sized(config: LabelledMixtureConfig, slots: PublicSlots) -> LabelledMixtureConfig:
    """Settle the sizes of the mixture that were left to the noise, by the noise of its part of the budget."""
    mixture = dp_mixture.sized(config.own_mixture, slots)
    return replace(config, mixture=replace(mixture, noise_multiplier=None, seed=0))
