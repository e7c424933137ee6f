"""Made-up heartbeats of people who do not exist: an electrocardiogram drawn from a published formula."""

from __future__ import annotations

from typing import Final

import numpy as np

from gossamer.data.records import PublishedCounts, RecordData
from gossamer.data.series import SeriesSpec
from gossamer.data.splits import RecordingLists, Rows, divide

NUM_PEOPLE: Final = 100
BEATS_PER_PERSON: Final = 30
NAMES: Final = tuple(f"p{number:02d}" for number in range(NUM_PEOPLE))
"""Names of the made-up people, and of the one recording that each of them has."""
BEATS_SPEC: Final = SeriesSpec(
    channels=1,
    length=96,
    low=(-1.0,),
    high=(2.0,),
    sample_rate=100.0,
    channel_names=("ECG",),
    class_names=("normal", "early", "wide"),
    units=("mV",),
    peak=40,
)
NUM_TEST_PEOPLE: Final = 20
_SHARES: Final = (0.7, 0.15, 0.15)
_SEED: Final = 2003
_PEAK_SECONDS: Final = 0.4


# A wave is a Gaussian over time: its height in millivolts, seconds after the R peak, standard deviation in seconds.
NORMAL: Final = (
    (0.15, -0.17, 0.025),  # P
    (-0.12, -0.030, 0.010),  # Q
    (1.10, 0.0, 0.011),  # R
    (-0.25, 0.030, 0.010),  # S
    (0.30, 0.27, 0.045),  # T
)
"""A beat of the sinus rhythm."""
WIDE: Final = ((-0.15, -0.080, 0.030), (1.25, 0.0, 0.040), (-0.45, 0.11, 0.040), (-0.35, 0.30, 0.060))
"""A beat that begins in a ventricle: no P wave, a broad R, a T wave turned over."""


def load_made_beats() -> RecordData:
    r"""Draw 3,000 beats of 100 people, the same ones each time.

    A beat is a sum of Gaussians around its R peak, :math:`z(t) = \sum_i a_i \exp(-(t - t_i)^2 / 2 b_i^2)`. To this are
    added the end of the T wave of the beat before it, a slow baseline and measurement noise. A person has heights,
    times and widths of their own, and a heart rate. A beat varies around them. An early beat comes after two thirds of
    the usual interval, upon the T wave of the one before it. A wide beat has another shape. The electrocardiogram is
    that of the model of McSharry and others, in its closed form without the dynamics.

    Returns:
        80 people for training, 20 for testing.

    References:
        P. E. McSharry, G. D. Clifford, L. Tarassenko, L. A. Smith, "A Dynamical Model for Generating Synthetic
        Electrocardiogram Signals", IEEE Trans. Biomed. Eng. 50(3), 2003.
    """
    rng = np.random.Generator(np.random.PCG64(_SEED))
    people = [_person(rng) for _ in range(NUM_PEOPLE)]
    x = np.concatenate([beats for beats, _ in people])
    rows = Rows(
        name="beats",
        spec=BEATS_SPEC,
        x=np.clip((x + 1) / 3, 0, 1).astype(np.float32)[:, None],
        y=np.concatenate([labels for _, labels in people]),
        people=np.repeat(NAMES, BEATS_PER_PERSON),
        recordings=np.repeat(NAMES, BEATS_PER_PERSON),
    )
    note = "These heartbeats are made up, by a formula and a public seed: there is no person behind them."
    published = PublishedCounts(num_records=NUM_PEOPLE * BEATS_PER_PERSON, num_people=NUM_PEOPLE)
    return divide(rows, _sides(), (note,), published=published)


def _sides() -> RecordingLists:
    """Return the lists of people, the last ones in a published order for testing. A recording has its person's name."""
    order = np.argsort(np.random.PCG64(_SEED).random_raw(NUM_PEOPLE), kind="stable").tolist()
    names = [NAMES[person] for person in order]
    return RecordingLists(
        title="by a public seed",
        train=tuple(names[: NUM_PEOPLE - NUM_TEST_PEOPLE]),
        test=tuple(names[NUM_PEOPLE - NUM_TEST_PEOPLE :]),
    )


def _person(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the beats of one person in millivolts, (BEATS_PER_PERSON, length), and their classes."""
    normal, wide = _varied(np.array(NORMAL), rng, 0.15), _varied(np.array(WIDE), rng, 0.15)
    labels = rng.choice(3, size=(BEATS_PER_PERSON, 1), p=_SHARES)
    gap = rng.uniform(0.7, 1.0) * np.where(labels == 0, 1.0, 0.66) * rng.normal(1, 0.03, labels.shape)
    times = np.arange(BEATS_SPEC.length) / (BEATS_SPEC.sample_rate or 1) - _PEAK_SECONDS
    own = np.where(labels == 2, _signal(wide, times, rng), _signal(normal, times, rng))
    baseline = 0.05 * np.sin(2 * np.pi * (0.25 * times + rng.uniform(size=labels.shape)))
    noise = rng.normal(0, 0.01, own.shape)
    return own + _signal(normal, times + gap, rng) + baseline + noise, labels[:, 0].astype(np.int64)


def _signal(waves: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a person's waves, a little different at each beat, (BEATS_PER_PERSON, length)."""
    height, middle, width = np.moveaxis(_varied(np.tile(waves, (BEATS_PER_PERSON, 1, 1)), rng, 0.04), -1, 0)[..., None]
    distance = np.broadcast_to(times, (BEATS_PER_PERSON, BEATS_SPEC.length))[:, None] - middle
    return (height * np.exp(-((distance / width) ** 2) / 2)).sum(axis=1)


def _varied(waves: np.ndarray, rng: np.random.Generator, spread: float) -> np.ndarray:
    # Times vary less than heights, because waves would otherwise change places.
    return waves * np.exp(rng.normal(0, spread, waves.shape)) ** np.array([1, 1 / 3, 1 / 2])
