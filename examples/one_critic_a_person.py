"""The user-level setting of the GS-WGAN paper, on made-up people: one critic a person, and both epsilons of it.

    python examples/one_critic_a_person.py

Digits of scikit-learn are given to people who do not exist, four to each. Protected are all images of one person. A
roster names everybody who may have records, and twenty who have none. By it each person gets a critic of their own: a
secret key matches names and critics, one to one. All files are made in a folder that is gone afterwards.
GOSSAMER_EXAMPLE_STEPS makes it shorter.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from gossamer import PrivacyStatement, load, privacy
from gossamer.cli.main import main

DELTA = 1e-5
PAPER = {"num_critics": 1000, "noise_multiplier": 1.07, "num_steps": 20_000, "batch_size": 32}
IMAGES_A_PERSON, NUM_WITHOUT = 4, 20


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


def write_people(records: Path, roster: Path) -> None:
    """Write digits with a made-up person each, and the public list of all who may have some, one name a line."""
    flat, y = map(np.asarray, load_digits(return_X_y=True))
    num_people = len(flat) // IMAGES_A_PERSON
    people = [f"person {number}" for number in range(num_people + NUM_WITHOUT)]
    kept = slice(num_people * IMAGES_A_PERSON)
    images = (flat / 16).astype("float32").reshape(-1, 8, 8)
    np.savez(records, x=images[kept], y=y[kept], person=np.repeat(people[:num_people], IMAGES_A_PERSON))
    roster.write_text("\n".join(people) + "\n", encoding="utf-8")


def trained(folder: Path) -> PrivacyStatement:
    """Train on the made-up people, with one draw a step as in the paper and noise for epsilon 10: the statement."""
    records, roster, run = folder / "people.npz", folder / "roster.txt", folder / "run"
    write_people(records, roster)
    num_steps = os.environ.get("GOSSAMER_EXAMPLE_STEPS", "1000")
    words = f"--unit person --num-classes 10 --epsilon 10 --delta {DELTA} --recipe digits-cpu --num-steps {num_steps}"
    as_paper = "--draws-per-step 1 --critics-per-draw none --batch-size 32 --plain"
    files = ["--data", str(records), "--roster", str(roster), "--out", str(run)]
    code = main(["train", "gs-wgan", *files, *words.split(), *as_paper.split()])
    if code != 0:
        raise SystemExit(code)
    return load(run).statement


if __name__ == "__main__":
    print("the paper's setting, epsilon at delta 1e-5 for one person:")
    for reading, epsilon in paper().items():
        print(f"  {reading}: {epsilon:.4g}")
    with tempfile.TemporaryDirectory() as folder:
        statement = trained(Path(folder))
    print(f"made-up people: {statement.claim}, proved for noise multiplier {statement.noise_multiplier:.4g}")
    print(f"  the paper's formula says epsilon {statement.published_epsilon:.4g} for the same draws and noise")
