"""The user-level setting of the GS-WGAN paper, on made-up people: one critic a person, and both epsilons of it.

    python examples/one_critic_a_person.py

Digits of scikit-learn are given to people who do not exist, four to each. Protected are all images of one person. As
many critics as people: a secret key deals each person to a critic by itself, so that a critic has one on average. It
may have two or nobody, at the same price. Nothing is written. GOSSAMER_EXAMPLE_STEPS makes it shorter.
"""

from __future__ import annotations

import os

import numpy as np
from sklearn.datasets import load_digits

from gossamer import GSWGAN, ReleasedGenerator, privacy

DELTA = 1e-5
PAPER = {"num_critics": 1000, "noise_multiplier": 1.07, "num_steps": 20_000, "batch_size": 32}
IMAGES_A_PERSON = 4


def paper() -> dict[str, float]:
    """Return epsilon of the paper's own setting for one of 1,000 people, each with a critic, by three readings."""
    secret = privacy.one_of_many_event(**PAPER, draws_per_step=1)
    # A person is drawn 20 times on average, and answers for 32 samples each time.
    known = privacy.gaussian_event(noise_multiplier=1.07, num_releases=20 * 32)
    return {
        "the paper's formula": privacy.published_gs_wgan_epsilon(**PAPER, delta=DELTA),
        "proved, against readers who do not know who was drawn": privacy.epsilon_by_pld(secret, DELTA).epsilon,
        "proved, against the server that draws": privacy.epsilon_by_pld(known, DELTA).epsilon,
    }


def trained() -> ReleasedGenerator:
    """Return a generator of the made-up people, with one draw a step as in the paper, and with noise for epsilon 10."""
    flat, y = map(np.asarray, load_digits(return_X_y=True))
    num_people = len(flat) // IMAGES_A_PERSON  # public: as many as a roster has names
    kept = slice(num_people * IMAGES_A_PERSON)
    images = (flat / 16).astype("float32").reshape(-1, 8, 8)
    names = np.array([f"person {number // IMAGES_A_PERSON}" for number in range(len(flat))])
    num_steps = int(os.environ.get("GOSSAMER_EXAMPLE_STEPS", "1000"))
    as_paper = {"num_critics": num_people, "draws_per_step": 1, "critics_per_draw": None, "batch_size": 32}
    model = GSWGAN(
        10.0, DELTA, recipe="digits-cpu", unit="person", num_people=num_people, num_steps=num_steps, **as_paper
    )
    return model.fit(images[kept], y[kept], names[kept]).released


if __name__ == "__main__":
    print("the paper's setting, epsilon at delta 1e-5 for one person:")
    for reading, epsilon in paper().items():
        print(f"  {reading}: {epsilon:.4g}")
    statement = trained().statement
    print(f"made-up people: {statement.claim}, proved for noise multiplier {statement.noise_multiplier:.4g}")
    print(f"  the paper's formula says epsilon {statement.published_epsilon:.4g} for the same draws and noise")
