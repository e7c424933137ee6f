"""The usual terms of an evaluation, the same for the command line and for Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gossamer.errors import InputError
from gossamer.evaluation.inception import WEIGHTS_NAME, WEIGHTS_VARIABLE, find_inception_weights
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.runs.cache import CacheFolder
from gossamer.scoring.findings import Terms
from gossamer.scoring.targets import Target

FULL_NUM_SAMPLES: Final = 10_000
QUICK_NUM_SAMPLES: Final = 2_500
"""Enough for a FID, which wants 2,048, and for the inception score of up to 250 classes."""
FULL_NUM_SEEDS: Final = 3
QUICK_NUM_SEEDS: Final = 1
MOST_SEEDS: Final = 1000


def usual_seeds(seed: int, num_seeds: int | None, *, is_quick: bool) -> tuple[int, ...]:
    """Return seeds, one a repetition: three, or one for the quick scores, if no number is given."""
    default = QUICK_NUM_SEEDS if is_quick else FULL_NUM_SEEDS
    return tuple(range(seed, seed + (default if num_seeds is None else num_seeds)))


def usual_num_samples(num_samples: int | None, *, is_quick: bool) -> int:
    """Return the number of samples: 10,000, or 2,500 for the quick scores, if no number is given."""
    default = QUICK_NUM_SAMPLES if is_quick else FULL_NUM_SAMPLES
    return default if num_samples is None else num_samples


def usual_terms(
    targets: Sequence[Target],
    cache: CacheFolder,
    *,
    is_quick: bool,
    seeds: tuple[int, ...],
    num_samples: int | None,
    permit_few_samples: bool,
    inception_weights: Path | None = None,
    num_workers: int | None = None,
    crew: AbstractCrew = ALONE,
) -> Terms:
    """Return the terms on which targets are scored.

    Args:
        targets: to be scored. As many samples are taken of each as the smallest has.
        cache: that may hold the Inception network.
        is_quick: the quick suite of scores, not the full one.
        seeds: one a repetition.
        num_samples: synthetic records, and real ones beside them, at most. None for the usual number.
        permit_few_samples: go on with fewer records than features.
        inception_weights: file of the Inception network. None for the one in its usual place, if there is one.
        num_workers: classifiers at a time. None for one a core.
        crew: the processes of this command.

    Raises:
        InputError: the file of the Inception network is not there.
    """
    # As many of every target, and of real images beside them: scores of unequal numbers do not compare.
    sizes = [target.num_images for target in targets if target.num_images is not None]
    return Terms(
        is_quick=is_quick,
        seeds=seeds,
        num_samples=min([usual_num_samples(num_samples, is_quick=is_quick), *sizes]),
        permit_few_samples=permit_few_samples,
        inception_weights=_weights(inception_weights, cache),
        num_workers=os.cpu_count() or 1 if num_workers is None else num_workers,
        crew=crew,
    )


def check_numbers(
    names: Sequence[str], num_samples: int | None, num_seeds: int | None, num_workers: int | None
) -> None:
    """Refuse numbers that ask for nothing, or for more repetitions than anybody waits for.

    Args:
        names: of the three numbers, as the user calls them.
        num_samples: synthetic records, or None.
        num_seeds: repetitions, or None.
        num_workers: classifiers at a time, or None.

    Raises:
        InputError: naming the number.
    """
    for name, value in zip(names, (num_samples, num_seeds, num_workers), strict=True):
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, not {value}")
    if (num_seeds or 1) > MOST_SEEDS:
        raise InputError(f"{names[1]} must be at most {MOST_SEEDS}; 3 are usual")


def _weights(given: Path | None, cache: CacheFolder) -> Path | None:
    """Return the Inception network's file if one is named, or lies where it is looked for."""
    is_named = given is not None or bool(os.environ.get(WEIGHTS_VARIABLE))
    if not is_named and not (cache.path / WEIGHTS_NAME).is_file():
        return None
    return find_inception_weights(given, cache.path)
