"""A plan says the price, the noise, the prospect and the time of a training, and nothing is spent by it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.estimators import DPMERF, GSWGAN, DPMixture, PlannedTraining
from gossamer.methods.cost import Cost


def test_a_plan_has_the_figures_of_the_statement_that_fit_writes(images: np.ndarray, labels: np.ndarray) -> None:
    model = DPMixture(epsilon=3.0, num_classes=3)
    planned = model.plan(images, labels)
    assert isinstance(planned, PlannedTraining)
    statement = model.fit(images, labels).statement
    assert statement.num_tuning_runs == 0, "a plan is no run"
    assert (planned.epsilon, planned.delta, planned.num_slots) == (statement.epsilon, statement.delta, 90)
    assert planned.noise_multiplier == statement.noise_multiplier
    assert planned.statement.is_secure
    assert (planned.unit, planned.recipe) == ("record", "own")
    assert planned.prospect == model.start(images, labels).prospect()
    assert planned.config.noise_multiplier == statement.noise_multiplier


def test_a_plan_of_a_name_takes_its_recipe_and_of_people_their_unit(images: np.ndarray) -> None:
    assert DPMERF(epsilon=1.0).plan("digits").recipe == DPMERF.method.find_for("digits").name  # type: ignore[union-attr]
    people = np.arange(len(images)) % 30
    planned = DPMixture(epsilon=1.0, unit="person", num_people=40).plan(images, people=people)
    assert (planned.unit, planned.num_slots) == ("person", 40)
    assert DPMixture(epsilon=1.0).plan(images, people=people).advice[0].startswith("protected: one record.")


def test_time_is_measured_when_it_is_asked_for_and_then_shown(images: np.ndarray) -> None:
    planned = DPMERF(epsilon=1.0, num_fit_steps=2, num_features=40).plan(images)
    before = repr(planned)
    assert "time: ask for .cost" in before
    assert isinstance(planned.cost, Cost)
    assert planned.cost is planned.cost
    assert "time: about 1 s on this machine" in repr(planned)
    for said in ("DP-MERF by recipe own, planned: nothing is spent yet", "epsilon 1", "noise multiplier", "prospect"):
        assert said in before


def test_a_plan_is_frozen_and_holds_no_record(images: np.ndarray) -> None:
    planned = DPMixture(epsilon=1.0).plan(images)
    with pytest.raises(dataclasses.FrozenInstanceError):
        planned.recipe = "other"  # type: ignore[misc]
    held = [*vars(planned).values(), *planned.measure.args]  # type: ignore[attr-defined]
    assert not any(type(one).__name__ in ("RecordSet", "RecordData", "Loaded", "Tensor", "ndarray") for one in held)


def test_what_fit_refuses_a_plan_refuses(images: np.ndarray) -> None:
    with pytest.raises(InputError):
        DPMixture(epsilon=1.0).plan(images * 2)
    with pytest.raises(PrivacyError, match="delta"):
        DPMixture(epsilon=1.0, delta=1 / 90).plan(images)


def test_the_verdict_on_stand_ins_reads_no_record_and_is_shown_once_asked_for(images: np.ndarray) -> None:
    plans = [DPMixture(epsilon=0.1).plan(x) for x in (images, np.zeros_like(images))]
    assert "stand-ins" not in repr(plans[0])
    verdicts = [planned.verdict_on_stand_ins for planned in plans]
    assert verdicts[0] == verdicts[1], "a function of public things alone"
    assert verdicts[0] is not None
    assert verdicts[0].is_noise
    assert "on stand-ins: noise. " in repr(plans[0])
    held = [*plans[0].rehearse.args]  # type: ignore[attr-defined]
    assert not any(type(one).__name__ in ("RecordSet", "RecordData", "Loaded", "Tensor", "ndarray") for one in held)
    many = np.zeros((4000, 8, 8), dtype=np.float32)
    clearer = DPMixture(epsilon=30.0).plan(many).verdict_on_stand_ins
    assert clearer is not None
    assert not clearer.is_noise


def test_a_training_on_records_is_not_rehearsed(images: np.ndarray) -> None:
    planned = GSWGAN(epsilon=10.0, num_critics=5, num_steps=2, batch_size=4, draws_per_step=4).plan(images)
    assert planned.verdict_on_stand_ins is None
    assert "stand-ins" not in repr(planned)
