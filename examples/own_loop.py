"""The loop in your own hands: settings, plan, and a training that is an iterator.

    python examples/own_loop.py

Nothing is written. GOSSAMER_EXAMPLE_STEPS makes it shorter.
"""

from __future__ import annotations

import os
from dataclasses import replace

from gossamer import GSWGANTraining, KeyedNoise, PrivacyBudget, calibrate, load_records
from gossamer.methods.gs_wgan import StepReport, plan
from gossamer.recipes.gs_wgan import find_recipe


def main() -> None:
    """Choose settings, price them, train, sample."""
    images = load_records("digits").train
    num_steps = int(os.environ.get("GOSSAMER_EXAMPLE_STEPS", "1000"))
    config = replace(find_recipe("digits-cpu").config, num_steps=num_steps)

    # The price is known before anything private is touched: it follows from public numbers.
    budget = PrivacyBudget(epsilon=10.0, delta=1e-5)
    config = calibrate(config, images.num_records, budget)
    spent = plan(config, images.num_records).budget_at(budget.delta)
    print(f"noise multiplier {config.noise_multiplier:.4g} for epsilon {spent.epsilon:.4f}")

    training = GSWGANTraining(config, images, KeyedNoise(), delta=budget.delta)
    for report in training:
        # critic_loss is computed on private records: look at it if you must, but choose nothing by it.
        if isinstance(report, StepReport) and (report.step + 1) % 100 == 0:
            print(f"step {report.step + 1}: mean norm of the sanitized answers {report.answer_norm:.3f}")

    trained = training.trained()
    x, y = trained.sample(100)
    print(f"{len(x)} images, {0 if y is None else int(y.max()) + 1} classes, epsilon {trained.statement.epsilon:.4f}")


if __name__ == "__main__":
    main()
