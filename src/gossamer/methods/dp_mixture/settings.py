"""Settings of DP-mixture, the sizes among them that follow from the noise, and the plan: all of it public."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from gossamer.errors import InputError
from gossamer.mechanisms.one_shot.contributions import GroupedMoments
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.methods.dp_mixture.components import ClassCovariances, Covariances
from gossamer.methods.dp_mixture.sizes import COARSE_RADIUS, NUM_ROUNDS, borne_components, borne_radius
from gossamer.methods.records_expected import RecordsExpected
from gossamer.nn.choices import AnyMixtureGeneratorConfig
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.privacy.slots import PublicSlots

_MOST_ROUNDS: Final = 1000


@dataclass(frozen=True, kw_only=True)
class DPMixtureConfig:
    """All settings of DP-mixture. Every one of them is public.

    Radii are bounds on the norms of records' vectors, in units of the root of the number of pixel values (28 at 28x28).
    Longer vectors are shrunk, and much shorter ones drown in noise. Radii are constants, never fitted on private data.

    Attributes:
        records: shape and classes of the data.
        generator: features, subspace, number of components, and how samples are drawn.
        num_rounds: rounds that move the centres of components. 0 rounds and one component give one Gaussian for each
            class. None, as for the number of components, if the noise decides: see `sized`.
        mean_share: part of the budget for class means. Shares need not add up to 1.
        subspace_share: part for the subspace.
        round_share: part for all rounds together.
        covariance_share: part for the covariances of classes.
        mean_radius: bound on features less those of even grey.
        subspace_radius: bound on features less the class mean.
        round_radius: bound on the distance to a centre, in the rounds.
        covariance_radius: bound on the distance to a centre, for the covariances.
        covariances: one for a class, or one for a component.
        centre_noise: largest noise on a centre in a round, as a part of the spread within classes. A class has no more
            components than its noisy count allows.
        spread: distance at which components of a class start from its mean, in standard deviations.
        noise_multiplier: of all releases together. None until `calibrate`.
        seed: public. The starting places of components follow from it, noise never.
    """

    records: RecordsExpected = field(default_factory=RecordsExpected)
    generator: AnyMixtureGeneratorConfig = field(default_factory=MixtureGeneratorConfig)
    num_rounds: int | None = 0
    mean_share: float = 0.05
    subspace_share: float = 0.2
    round_share: float = 0.2
    covariance_share: float = 0.55
    mean_radius: float = 0.32
    subspace_radius: float = 0.22
    round_radius: float = 0.18
    covariance_radius: float = 0.25
    covariances: Covariances = field(default_factory=ClassCovariances)
    centre_noise: float = 1.0
    spread: float = 0.5
    noise_multiplier: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("num_rounds", 0), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name} must be at least {least}, got {value}")
        # A plan of another party may ask for any number, and each takes a release, its memory and its price.
        if self.num_rounds is not None and self.num_rounds > _MOST_ROUNDS:
            raise InputError(f"num_rounds must be at most {_MOST_ROUNDS}, got {self.num_rounds}")
        names = (*(f"{part}_share" for part in PARTS), *(f"{part}_radius" for part in PARTS))
        for name in names:
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be a positive number, got {getattr(self, name)}")
        if not 0 < self.centre_noise < math.inf:
            raise InputError(f"centre_noise must be a positive number, got {self.centre_noise}")
        if not 0 <= self.spread < math.inf:
            raise InputError(f"spread must be 0 or more, got {self.spread}")
        sizes = self.num_rounds, self.generator.num_components
        if None not in sizes and (self.num_rounds == 0) != (self.generator.num_components == 1):
            raise InputError("several components need num_rounds of at least 1, and one component needs none")

    @property
    def rounds(self) -> int:
        """Number of rounds.

        Raises:
            InputError: it was left to the noise, and `sized` has not settled it.
        """
        if self.num_rounds is None:
            raise InputError("num_rounds is not chosen yet: calibrate the settings to an epsilon first")
        return self.num_rounds

    def radius_of(self, part: str) -> float:
        """Return a radius in the units of features."""
        return getattr(self, f"{part}_radius") * math.sqrt(math.prod(self.records.shape))


PARTS = ("mean", "subspace", "round", "covariance")


def plan(config: DPMixtureConfig, slots: PublicSlots) -> OneShotPlan:
    """Return the plan of the settings for a public number of slots: their price, and the source of the run.

    The first release is counts and means of classes. The second is the second moment within classes, from which the
    subspace is taken. Then come `num_rounds` rounds, each with counts and means of components. The last is second
    moments about the centres for each class. Sizes that are left to the noise are settled first, by `sized`.
    """
    config = sized(config, slots)
    shape, classes, rounds = config.records.shape, config.records.num_groups, config.rounds
    kept, components = config.generator.num_kept(shape), config.generator.components

    def moments(part: str, groups: int, dim: int, **weights: float) -> GroupedMoments:
        return GroupedMoments(num_groups=groups, dim=dim, radius=config.radius_of(part), **weights)

    features = config.generator.num_features(shape)
    # Counts of weight 1 come free with means of weight 1: the sensitivity is 2 with and without counts.
    means = moments("mean", classes, features, count_weight=1.0, mean_weight=1.0)
    centres = moments("round", classes * components, kept, count_weight=1.0, mean_weight=1.0)
    releases = (
        Release(name="class means", contribution=means, share=config.mean_share),
        Release(
            name="subspace",
            contribution=moments("subspace", 1, features, square_weight=1.0),
            share=config.subspace_share,
        ),
        *(
            Release(name=f"centres {number + 1}", contribution=centres, share=config.round_share / rounds)
            for number in range(rounds)
        ),
        Release(
            name="covariances",
            contribution=moments(
                "covariance", config.covariances.num_groups(classes, components), kept, square_weight=1.0
            ),
            share=config.covariance_share,
        ),
    )
    return OneShotPlan(
        unit=slots.unit,
        num_slots=slots.number,
        source=slots.source,
        releases=releases,
        noise_multiplier=config.noise_multiplier,
    )


def sized(config: DPMixtureConfig, slots: PublicSlots) -> DPMixtureConfig:
    """Settle the sizes that were left to the noise: the radius of frequencies, the components and their rounds.

    Sizes that were given stay. One component needs no round, and several get `NUM_ROUNDS`. Without a noise multiplier
    there is one component, and the smaller radius.

    Guarantee: a function of public things alone, the settings and the number of slots.
    """
    if config.generator.radius is None:
        config = replace(config, generator=replace(config.generator, radius=_borne_radius(config, slots)))
    components, rounds = config.generator.num_components, config.num_rounds
    if components is None:
        components = 1 if rounds == 0 else max(_borne(config, slots), 1 if rounds is None else 2)
    if rounds is None:
        rounds = 0 if components == 1 else NUM_ROUNDS
    return replace(config, num_rounds=rounds, generator=replace(config.generator, num_components=components))


def sizes_in_words(config: DPMixtureConfig) -> str:
    """Say the sizes of settings, which are public.

    Raises:
        InputError: sizes are left to the noise, and `sized` has not settled them.
    """
    components, kept = config.generator.components, config.generator.num_kept(config.records.shape)
    several = f"at most {components} Gaussians for each class, moved in {config.rounds} rounds"
    return f"{several if components > 1 else 'one Gaussian for each class'}, in {kept} directions"


def _borne(config: DPMixtureConfig, slots: PublicSlots) -> int:
    """Return the number of components that the noise of the settings bears."""
    if not _has_noise(config):
        return 1
    rounds = NUM_ROUNDS if config.num_rounds is None else config.num_rounds
    return borne_components(
        num_records=slots.to_learn_from,
        num_classes=config.records.num_groups,
        dim=config.generator.num_kept(config.records.shape),
        round_multiplier=_multiplier(config, config.round_share / rounds),
        centre_noise=config.centre_noise,
    )


def _borne_radius(config: DPMixtureConfig, slots: PublicSlots) -> float:
    """Return the radius of frequencies that the noise of the settings bears, at most the longer side."""
    channels, *sides = config.records.shape
    borne = COARSE_RADIUS
    if _has_noise(config):
        borne = borne_radius(
            num_records=slots.to_learn_from,
            num_channels=channels,
            subspace_multiplier=_multiplier(config, config.subspace_share),
        )
    return min(borne, float(max(sides)))


def _has_noise(config: DPMixtureConfig) -> bool:
    """Tell if there is noise to reckon with. The plan refuses a number that is not positive, in its own words."""
    return config.noise_multiplier is not None and config.noise_multiplier > 0


def _multiplier(config: DPMixtureConfig, share: float) -> float:
    """Return the noise multiplier of a release that has this share of the budget."""
    assert config.noise_multiplier is not None
    shares = sum(getattr(config, f"{part}_share") for part in PARTS)
    return config.noise_multiplier * math.sqrt(shares / share)
