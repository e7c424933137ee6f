"""Recipes of the labelled mixture: those of DP-mixture, with half the budget, and a teacher for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError
from gossamer.methods.dp_mixture import recipes as mixtures
from gossamer.methods.dp_mixture.settings import sizes_in_words
from gossamer.methods.labelled_mixture.settings import LabelledMixtureConfig, plan, sized
from gossamer.methods.method import Recipe
from gossamer.methods.working import Working
from gossamer.nn.settings import Adam

if TYPE_CHECKING:
    from gossamer.data.records import RecordSet
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.methods.labelled_mixture.training import LabelledMixtureTraining
    from gossamer.methods.training import RunContext
    from gossamer.nn.ensemble import Tensors


MNIST = LabelledMixtureConfig(
    mixture=mixtures.MNIST, clip_norm=0.1, adam=Adam(learning_rate=1e-2, beta1=0.9, beta2=0.99)
)
"""The Gaussians name digits so well that gradients of most are far shorter than 1: a clip of 1 would be noise alone."""
MNIST5K = LabelledMixtureConfig(mixture=mixtures.MNIST5K)
FASHION_MNIST = LabelledMixtureConfig(mixture=mixtures.WIDE_FASHION_MNIST)
"""The spread that classifiers learn most from, since they are all that the teacher's labels are good for."""
DIGITS = LabelledMixtureConfig(mixture=mixtures.DIGITS)
MITDB = LabelledMixtureConfig(mixture=mixtures.MITDB)
BEATS = LabelledMixtureConfig(mixture=mixtures.BEATS)

RECIPES = (
    Recipe(name="digits", summary="8x8 digits of scikit-learn, seconds on one core", config=DIGITS),
    Recipe(name="mnist", summary="MNIST, a minute on one core", config=MNIST),
    Recipe(name="mnist5k", summary="5,000 digits of MNIST, seconds on one core", config=MNIST5K),
    Recipe(name="fashion-mnist", summary="Fashion-MNIST, a minute on one core", config=FASHION_MNIST),
    Recipe(
        name="mitdb", summary="MIT-BIH beats in the Kaggle layout, minutes on one core", config=MITDB, shape=(1, 187)
    ),
    Recipe(name="beats", summary="made-up heartbeats, seconds on one core", config=BEATS, shape=(1, 96)),
)


def recipe_for(spec: AbstractSpec, num_records: int) -> Recipe[LabelledMixtureConfig]:
    """Return settings for a user's own records, with those of DP-mixture for the mixture.

    Raises:
        InputError: the records have fewer than two classes.
    """
    if spec.num_classes < 2:
        raise InputError("labelled-mixture names its samples, and these records have no two classes: take dp-mixture")
    found: Recipe[Any] = mixtures.recipe_for(spec, num_records)
    return replace(found, config=LabelledMixtureConfig(mixture=found.config))


# Here and below: training imports torch, which options, plans and ledgers do without.
def _start(
    config: LabelledMixtureConfig, records: RecordSet, noise: AbstractNoise, context: RunContext
) -> LabelledMixtureTraining:
    from gossamer.methods.labelled_mixture.training import LabelledMixtureTraining

    return LabelledMixtureTraining(config, records, noise, context)


def _travels(config: LabelledMixtureConfig, spec: AbstractSpec) -> Tensors:
    from gossamer.methods.labelled_mixture.training import travels

    return travels(config, spec)


WORKING = Working(
    config=LabelledMixtureConfig,
    plan=plan,
    start=_start,
    recipes=RECIPES,
    for_own=recipe_for,
    sized=sized,
    travels=_travels,
    sums_first=True,
    shares_work=True,
    sizes_in_words=lambda config: sizes_in_words(config.mixture),
)
