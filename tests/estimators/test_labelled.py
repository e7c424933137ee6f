"""A labelled mixture of a user's own records: an NPZ file of three classes, and a table with people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from gossamer import LabelledMixture, load
from gossamer.privacy import Adjacency, Unit


def test_a_file_of_three_classes_is_learnt_drawn_and_classified(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = (0.25 * y[:, None, None] + 0.3 * rng.random((120, 8, 8))).astype(np.float32)
    np.savez(tmp_path / "mine.npz", x=x[:, None], y=y)
    model = LabelledMixture(epsilon=20.0, num_classes=3, num_records=150, teacher_steps=4)
    model.fit(str(tmp_path / "mine.npz"))
    claim = model.statement
    assert "sums, one after the other, over all slots" in claim.mechanism
    assert "Poisson sample (DP-SGD)" in claim.mechanism
    assert claim.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    assert claim.epsilon <= 20.0 < (claim.epsilon_replaced or 0)
    drawn, labels = model.sample(9)
    assert (drawn.shape, labels is not None and labels.tolist()) == ((9, 1, 8, 8), [0, 1, 2] * 3)
    assert model.predict(x).shape == (120,)
    again = load(model.released.save(tmp_path / "mine.safetensors"))
    assert np.array_equal(again.sample(9)[0], drawn)
    assert np.array_equal(again.predict(x), model.predict(x))


def test_a_table_with_people_is_learnt_under_one_promise_for_people() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.uniform(40, 160, (90, 12)), columns=[f"t{time}" for time in range(12)])
    frame["beat"] = [("a", "b", "c")[row % 3] for row in range(90)]
    frame["patient"] = [f"p{row % 20}" for row in range(90)]
    model = LabelledMixture(epsilon=9.0, delta=1e-3, unit="person", num_people=30, teacher_steps=3)
    model.fit(frame, label="beat", person="patient", low=30, high=200, class_names=["a", "b", "c"])
    claim = model.statement
    assert (claim.unit, claim.num_slots) == (Unit.PERSON, 30)
    assert claim.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    assert "a weaker promise than for one replaced" in claim.mechanism
    drawn, _ = model.sample(6)
    assert drawn.shape == (6, 1, 12)
    assert set(model.predict(frame.drop(columns=["beat", "patient"]))) <= {"a", "b", "c"}
