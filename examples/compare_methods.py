"""Three methods at epsilon 1 on the small digits: what does a classifier learn from their images?

    python examples/compare_methods.py

Scores are on real test images, which here are public. On private ones a choice by them would be tuning, and no
statement pays for that. GOSSAMER_EXAMPLE_STEPS makes the trainings shorter.
"""

from __future__ import annotations

import os

import numpy as np
from sklearn.linear_model import LogisticRegression

from gossamer import DPMERF, GSWGAN, DPMixture, load_records


def main() -> None:
    """Fit each, teach a classifier with 1,000 of its images, and test it on real ones."""
    digits = load_records("digits")
    train, test = digits.train, digits.test
    assert test is not None
    assert train.y is not None
    assert test.y is not None

    def accuracy(x: np.ndarray, y: np.ndarray | None) -> float:
        classifier = LogisticRegression(max_iter=1000).fit(x.reshape(len(x), -1), y)
        return float(classifier.score(test.x.flatten(1).numpy(), test.y))

    print(f"{'real images':12} {accuracy(train.x.numpy(), train.y.numpy()):.2f}")
    num_steps = int(os.environ.get("GOSSAMER_EXAMPLE_STEPS", "500"))
    for model in (
        GSWGAN(epsilon=1.0, num_steps=num_steps),
        DPMixture(epsilon=1.0),
        DPMERF(epsilon=1.0, num_fit_steps=num_steps),
    ):
        x, y = model.fit("digits").sample(1000)
        print(f"{type(model).__name__:12} {accuracy(x, y):.2f}, {model.statement.claim}")


if __name__ == "__main__":
    main()
