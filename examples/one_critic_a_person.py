"""The user-level setting of the GS-WGAN paper, on made-up people: one critic a person, and both epsilons of it.

    python examples/one_critic_a_person.py

Digits of scikit-learn go to 449 people who do not exist, four to each. All images of a person are protected. A public
roster names 20 people more. By it each gets a critic of their own, in secret. GOSSAMER_EXAMPLE_STEPS makes it shorter.
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


def trained(folder: Path) -> PrivacyStatement:
    """Train on made-up people, with one draw a step as in the paper and noise for epsilon 10: the statement."""
    flat, y = map(np.asarray, load_digits(return_X_y=True))
    images = (flat / 16).astype("float32").reshape(-1, 8, 8)
    names = [f"person {number}" for number in range(449 + 20)]
    np.savez(folder / "people.npz", x=images[: 449 * 4], y=y[: 449 * 4], person=np.repeat(names[:449], 4))
    (folder / "roster.txt").write_text("\n".join(names), encoding="utf-8")
    files = ["--data", f"{folder}/people.npz", "--roster", f"{folder}/roster.txt", "--out", f"{folder}/run"]
    budget = f"--unit person --epsilon 10 --delta {DELTA} --num-steps {os.environ.get('GOSSAMER_EXAMPLE_STEPS', 1000)}"
    settings = "--num-classes 10 --recipe digits-cpu --draws-per-step 1 --critics-per-draw none --batch-size 32 --plain"
    if code := main(["train", "gs-wgan", *files, *budget.split(), *settings.split()]):
        raise SystemExit(code)
    return load(folder / "run").statement


if __name__ == "__main__":
    print("the paper's setting, epsilon at delta 1e-5 for one person:")
    for reading, epsilon in paper().items():
        print(f"  {reading}: {epsilon:.4g}")
    with tempfile.TemporaryDirectory() as folder:
        statement = trained(Path(folder))
    print(f"made-up people: {statement.claim}, proved for noise multiplier {statement.noise_multiplier:.4g}")
    print(f"  the paper's formula says epsilon {statement.published_epsilon:.4g} for the same draws and noise")
