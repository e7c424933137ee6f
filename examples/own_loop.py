"""The loop in your own hands: a training that is priced before it begins, and then is an iterator.

    python examples/own_loop.py

Nothing is written. GOSSAMER_EXAMPLE_STEPS makes it shorter.
"""

from __future__ import annotations

import os

from gossamer import GSWGAN, ReleasedGenerator


def main() -> None:
    """Choose settings, learn their price, train, sample."""
    num_steps = int(os.environ.get("GOSSAMER_EXAMPLE_STEPS", "1000"))
    model = GSWGAN(epsilon=10.0, delta=1e-5, recipe="digits-cpu", num_steps=num_steps)
    training = model.start("digits")

    # The price follows from public numbers, and nothing is spent before the first step of the loop.
    statement = training.statement
    print(f"noise multiplier {statement.noise_multiplier:.4g} for epsilon {statement.epsilon:.4f}")
    for report in training:
        # A report may hold losses on private records: look at them if you must, but choose nothing by them. How far
        # the training is, is public.
        progress = training.progress(report)
        if progress.num_done % 100 == 0 or progress.num_done == progress.num_all:
            print(f"{progress.part}: {progress.num_done} of {progress.num_all}")

    released = ReleasedGenerator(trained=training.trained())
    x, y = released.sample(100)
    print(f"{len(x)} images, {0 if y is None else int(y.max()) + 1} classes: {released.statement.claim}")


if __name__ == "__main__":
    main()
