"""The estimators: every method fits, samples, states and refuses alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.data.mitdb import BETWEEN_PEOPLE
from gossamer.data.reading import SeriesReading
from gossamer.data.records import DEFAULT_NUM_CLASSES, RecordData, RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.estimators import (
    DPCGAN,
    DPMERF,
    GSWGAN,
    AbstractEstimator,
    DPMixture,
    LabelledMixture,
    ReleasedGenerator,
    advice,
    records,
)
from gossamer.methods.catalogue import METHODS
from gossamer.methods.gs_wgan import GS_WGAN
from gossamer.methods.training import Progress
from gossamer.nn.settings import Adam
from gossamer.privacy.adjacency import Adjacency

NUM_RECORDS = 90
TINY: dict[str, Any] = {"num_critics": 5, "num_steps": 2, "batch_size": 4, "draws_per_step": 4, "device": "cpu"}
KINDS: tuple[type[AbstractEstimator], ...] = (GSWGAN, DPCGAN, DPMERF, DPMixture, LabelledMixture)
Settings = dict[type[AbstractEstimator], dict[str, Any]]


def test_there_is_an_estimator_for_every_method() -> None:
    assert {kind(epsilon=1.0).method.name for kind in KINDS} == {method.name for method in METHODS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_fits_within_its_budget_and_samples(
    kind: type[AbstractEstimator], tiny_settings: Settings, images: np.ndarray, labels: np.ndarray
) -> None:
    seen: list[Progress] = []
    model = kind(epsilon=3.0, device="cpu", num_classes=3, **tiny_settings[kind])
    assert model.fit(images, labels, progress=seen.append) is model
    x, y = model.sample(4)
    assert (x.shape, x.dtype) == ((4, 1, 8, 8), np.float32)
    assert y is not None
    assert y.tolist() == [0, 1, 2, 0]
    assert 2.9 < model.statement.epsilon <= 3
    assert seen[-1].num_done == seen[-1].num_all
    assert repr(model).startswith(f"{kind.__name__}(epsilon=3.0, num_classes=3, device='cpu'")
    assert ", fitted: (3" in repr(model)


@pytest.mark.parametrize("kind", [DPMERF, DPMixture])
def test_a_loop_of_ones_own_is_priced_before_it_spends_and_leaves_a_generator(
    kind: type[AbstractEstimator], tiny_settings: Settings, images: np.ndarray
) -> None:
    model = kind(epsilon=3.0, device="cpu", num_tuning_runs=2, **tiny_settings[kind])
    training = model.start(images)
    assert training.num_paid_steps == 0
    assert 2.9 < training.statement.epsilon <= 3
    done = [training.progress(report) for report in training]
    assert done[-1].num_done == done[-1].num_all
    released = ReleasedGenerator(trained=training.trained())
    assert released.statement == training.statement
    assert released.statement.num_tuning_runs == 2
    assert released.sample(3)[1] is None
    with pytest.raises(InputError, match="learnt nothing"):
        _ = model.released


def earlier_runs(model: AbstractEstimator, *sources: Any) -> list[int]:
    return [model.fit(source).statement.num_tuning_runs for source in sources]


def test_a_second_fit_declares_the_first(images: np.ndarray) -> None:
    assert earlier_runs(DPMixture(epsilon=10.0), images, images, images) == [0, 1, 2]
    assert earlier_runs(DPMixture(epsilon=10.0, num_tuning_runs=3), images, images) == [3, 4]
    # Whether other records are the same ones in part, nobody can tell here.
    assert earlier_runs(DPMixture(epsilon=10.0), images, 1 - images) == [0, 1]
    assert earlier_runs(DPMixture(epsilon=10.0), images) == earlier_runs(DPMixture(epsilon=10.0), images) == [0]


def test_a_loop_that_was_begun_counts_as_a_run_and_one_that_was_refused_does_not(images: np.ndarray) -> None:
    model = DPMixture(epsilon=10.0)
    model.start(images)
    assert model.fit(images).statement.num_tuning_runs == 1
    with pytest.raises(InputError):
        model.fit(images * 2)
    assert model.fit(images).statement.num_tuning_runs == 2


def test_fits_that_forget_each_other_would_be_seen(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    forgets = property(lambda self: 0, lambda self, value: None)
    monkeypatch.setattr(advice.Starts, "number", forgets, raising=False)
    assert earlier_runs(DPMixture(epsilon=10.0), images, images) != [0, 1]


def test_a_training_that_diverged_releases_nothing(images: np.ndarray) -> None:
    steep = Adam(learning_rate=1e30, beta1=0.5, beta2=0.99)
    model = GSWGAN(epsilon=10.0, generator_adam=steep, **TINY | {"num_steps": 6})
    with pytest.raises(InputError, match="diverged"):
        model.fit(images)
    with pytest.raises(InputError, match="learnt nothing"):
        model.save("nowhere.safetensors")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"num_steps": 2.5}, "expected int, got float"),
        ({"num_steps": "many"}, "wrong type|expected int"),
        ({"num_steps": True}, "expected int, got bool"),
        ({"latent": 10}, "type must be one of"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused_in_one_line(
    settings: dict[str, Any], line: str, images: np.ndarray
) -> None:
    with pytest.raises(InputError, match=line) as caught:
        GSWGAN(epsilon=10.0, **TINY | settings).fit(images)
    assert str(caught.value).isprintable()


def test_numbers_of_numpy_are_settings_too(images: np.ndarray) -> None:
    model = DPMERF(np.float32(2.0), num_fit_steps=np.int64(5), num_features=np.int32(40), seed=np.int64(3))
    assert model.fit(images).statement.epsilon <= 2


def test_samples_have_the_shape_of_the_images_and_labels_in_turn(fitted: GSWGAN) -> None:
    x, y = fitted.sample(7)
    assert isinstance(x, np.ndarray)
    assert x.shape == (7, 1, 8, 8)
    assert x.dtype == np.float32
    assert 0 <= x.min() <= x.max() <= 1
    assert y is not None
    assert y.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_labels_are_drawn_as_asked(fitted: GSWGAN) -> None:
    _, y = fitted.sample(3, np.array([2, 2, 0], dtype=np.uint8))
    assert y is not None
    assert y.tolist() == [2, 2, 0]


def test_the_same_seed_gives_the_same_samples_and_another_seed_others(fitted: GSWGAN) -> None:
    first, second, other = fitted.sample(5, seed=4)[0], fitted.sample(5, seed=4)[0], fitted.sample(5, seed=5)[0]
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_statement_is_of_secure_noise_within_the_budget(fitted: GSWGAN) -> None:
    statement = fitted.statement
    assert statement.is_secure
    assert 9.9 < statement.epsilon <= 10.0
    assert statement.num_slots == NUM_RECORDS
    # Nobody said how many: whoever knows that there are ninety is promised nothing about coming and leaving.
    assert statement.adjacency is Adjacency.REPLACE_ONE
    assert statement.delta == 1e-3
    assert dict(statement.parameters) == {"num_critics": 5, "num_steps": 2, "batch_size": 4, "draws_per_step": 4}


def test_two_fits_with_one_seed_differ_by_their_secret_noise(images: np.ndarray) -> None:
    first, second = (DPMixture(epsilon=10.0, seed=1).fit(images).sample(3)[0] for _ in range(2))
    assert not np.array_equal(first, second)


def test_without_labels_the_generator_has_no_classes(images: np.ndarray) -> None:
    x, y = DPMixture(epsilon=10.0).fit(np.round(images * 255).astype(np.uint8)).sample(2)
    assert x.shape == (2, 1, 8, 8)
    assert y is None


def test_the_number_of_classes_is_never_read_from_the_labels(images: np.ndarray) -> None:
    model = DPMixture(epsilon=10.0).fit(images, np.zeros(NUM_RECORDS, dtype=np.int64))
    assert model.released.trained.recipe.spec.num_classes == DEFAULT_NUM_CLASSES
    assert any("public default of 10" in sentence for sentence in model.statement.public_inputs)


def test_a_given_number_of_classes_stands_in_the_statement(fitted: GSWGAN) -> None:
    assert fitted.released.trained.recipe.spec.num_classes == 3
    assert any("number of classes, 3, was given" in sentence for sentence in fitted.statement.public_inputs)


def test_colour_images_and_an_image_set_are_taken() -> None:
    colour = np.random.default_rng(1).random((NUM_RECORDS, 3, 8, 6)).astype(np.float64)
    assert DPMixture(epsilon=10.0).fit(colour).sample(2)[0].shape == (2, 3, 8, 6)
    spec = ImageSpec(channels=1, height=8, width=8)
    own = RecordSet(name="own", spec=spec, x=torch.rand(NUM_RECORDS, 1, 8, 8))
    assert DPMixture(epsilon=10.0).fit(own).sample(2)[0].shape == (2, 1, 8, 8)


def test_the_name_of_a_published_set_brings_its_recipe() -> None:
    model = GSWGAN(epsilon=10.0, **TINY).fit("digits")
    assert model.released.trained.recipe.network == GS_WGAN.find("digits-cpu").config.generator
    assert model.statement.num_slots == 1437


def test_what_leaves_reaches_no_record_and_no_critic(fitted: GSWGAN) -> None:
    held = vars(fitted.released.trained)
    assert set(held) == {"recipe", "weights", "statement"}
    assert all(value is not held for value in vars(fitted).values())
    assert not any(isinstance(value, RecordSet | torch.Tensor | np.ndarray) for value in vars(fitted).values())


@pytest.mark.parametrize("ask", [lambda m: m.sample(1), lambda m: m.statement, lambda m: m.save("x")])
def test_nothing_is_given_before_fit(ask: Any) -> None:
    with pytest.raises(InputError, match=r"call fit\(x, y\) first"):
        ask(GSWGAN(epsilon=10.0))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"epsilon": -1.0}, "epsilon must be"),
        ({"epsilon": float("nan")}, "epsilon must be"),
        ({"num_critic": 4}, "no setting 'num_critic'; the settings are"),
        ({"num_class": 3}, "no setting 'num_class'; the settings are .*, num_classes, .*, num_tuning_runs"),
        ({"noise_multiplier": 1.0}, "follows from epsilon"),
        ({"recipe": "cifar"}, "no recipe 'cifar'"),
        ({"device": "tpu"}, "device must be"),
        ({"num_classes": 0}, "num_classes"),
        ({"epsilon": "1"}, "epsilon must be a number"),
        ({"delta": True}, "delta must be a number"),
        ({"num_tuning_runs": -1}, "num_tuning_runs"),
        ({"num_tuning_runs": "1"}, "num_tuning_runs must be a whole number, not str"),
        ({"num_classes": "3"}, "num_classes must be a whole number, not str"),
        ({"unit": "person", "num_people": 2.5}, "num_people must be a whole number, not float"),
        ({"num_records": "9"}, "num_records must be a whole number, not str"),
        ({"unit": "person", "num_records": 9}, "num_records goes with unit record"),
        ({"seed": "x"}, "seed must be a whole number, not str"),
    ],
)
def test_bad_settings_are_refused_before_any_data_are_seen(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        GSWGAN(**{"epsilon": 10.0} | settings)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("delta", [0.0, 1.0, 1 / NUM_RECORDS])
def test_a_delta_that_promises_nothing_is_refused(delta: float, images: np.ndarray) -> None:
    with pytest.raises(PrivacyError, match="delta"):
        GSWGAN(epsilon=10.0, delta=delta, **TINY).fit(images)


def _with_nan(x: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(x))[:, None, None] == 7, np.nan, x)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda x: x * 2, r"x\[\d+\] has a value"),
        (_with_nan, r"x\[7\] has a value"),
        (lambda x: x.astype(np.int64), "dtype int64"),
        (lambda x: x.astype(object), "dtype object"),
        (lambda x: x[0], "shape"),
        (lambda x: np.zeros((90, 8, 8, 3), dtype=np.uint8), "channels come second"),
        (lambda x: x[:, :2], "4 to 1024 pixels"),
        (lambda x: x[:0], "0 records"),
        (lambda x: x.tolist(), "must be a numpy array"),
    ],
)
def test_bad_images_are_refused_in_one_line(change: Any, line: str, images: np.ndarray) -> None:
    with pytest.raises(InputError, match=line) as caught:
        GSWGAN(epsilon=10.0, **TINY).fit(change(images))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (np.zeros(3, dtype=np.int64), "one label per record"),
        (np.full(NUM_RECORDS, 10), r"y\[0\] is outside"),
        (np.full(NUM_RECORDS, 0.5), "whole numbers"),
        (np.array(["a"] * NUM_RECORDS), "names of classes: state them in public"),
    ],
)
def test_bad_labels_are_refused_in_one_line(labels: np.ndarray, line: str, images: np.ndarray) -> None:
    with pytest.raises(InputError, match=line):
        GSWGAN(epsilon=10.0, **TINY).fit(images, labels)


def test_labels_beside_a_name_and_classes_without_labels_are_refused(images: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="brings its own"):
        GSWGAN(epsilon=10.0, **TINY).fit("digits", labels)
    with pytest.raises(InputError, match="no labels y"):
        GSWGAN(epsilon=10.0, num_classes=3, **TINY).fit(images)


def test_more_critics_than_records_are_refused(images: np.ndarray) -> None:
    with pytest.raises(InputError, match="every critic needs"):
        GSWGAN(epsilon=10.0, **TINY | {"num_critics": 91}).fit(images)


@pytest.mark.parametrize(
    ("kind", "given"), [(DPMixture, Adjacency.SLOT), (GSWGAN, Adjacency.SLOT), (DPCGAN, Adjacency.ADD_OR_REMOVE_ONE)]
)
def test_a_number_that_is_given_widens_what_is_covered(
    kind: type[AbstractEstimator], given: Adjacency, tiny_settings: Settings, images: np.ndarray, labels: np.ndarray
) -> None:
    settings = tiny_settings[kind] | {"device": "cpu", "num_classes": 3}
    people = np.arange(NUM_RECORDS) % 30
    for words, slots, adjacency in (
        ({}, 90, Adjacency.REPLACE_ONE),
        ({"num_records": 120}, 120, given),
        ({"unit": "person"}, 30, Adjacency.REPLACE_ONE),
        ({"unit": "person", "num_people": 40}, 40, given),
    ):
        # All units in every batch: the accountant of Poisson samples takes 20 seconds otherwise.
        batch = {"expected_batch_size": slots} if kind is DPCGAN else {}
        statement = kind(epsilon=10.0, **settings | batch, **words).start(images, labels, people).statement
        assert (statement.num_slots, statement.adjacency) == (slots, adjacency)
        is_counted = any("counted in the data, and is taken as public" in line for line in statement.public_inputs)
        assert is_counted == (adjacency is Adjacency.REPLACE_ONE)


def test_a_published_number_is_one_that_is_given() -> None:
    assert DPMixture(epsilon=10.0).start("beats").statement.adjacency is Adjacency.SLOT
    assert DPMixture(epsilon=10.0, unit="person", delta=1e-3).start("beats").statement.num_slots == 100
    assert DPCGAN(epsilon=10.0).start("digits").statement.adjacency is Adjacency.ADD_OR_REMOVE_ONE


def test_mitdb_is_split_between_people_where_people_are_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def spy(source: str, data_dir: Any, num_classes: Any, reading: SeriesReading) -> RecordData:
        seen.append(reading.split)
        return load_records("beats")

    monkeypatch.setattr(records, "load_records", spy)
    DPMixture(epsilon=10.0, unit="person", delta=1e-3).start("mitdb")
    DPMixture(epsilon=10.0).start("mitdb")
    DPMixture(epsilon=10.0, unit="person", delta=1e-3).start("ptbdb")
    assert seen == [BETWEEN_PEOPLE, None, None]


def test_people_are_protected_by_slots_of_their_own(images: np.ndarray, labels: np.ndarray) -> None:
    people = np.array([f"patient {number % 25}" for number in range(NUM_RECORDS)])
    made = DPMixture(epsilon=10.0, unit="person", num_people=30, delta=1e-3, num_classes=10).fit(images, labels, people)
    assert (made.statement.unit.value, made.statement.num_slots) == ("person", 30)
    assert "90" not in made.statement.to_markdown()


@pytest.mark.parametrize(
    ("given", "people", "line"),
    [
        ({"unit": "person"}, None, "names no people"),
        ({"unit": "person"}, np.zeros(3, dtype=np.int64), "one slot per record"),
        ({"unit": "person"}, np.zeros(NUM_RECORDS, dtype=complex), "neither text nor a number"),
        ({"unit": "person", "num_people": 1}, np.arange(NUM_RECORDS) % 2, "more people"),
        ({"num_records": 89}, None, "more records"),
    ],
)
def test_people_that_do_not_fit_are_refused(
    given: dict, people: np.ndarray | None, line: str, images: np.ndarray, labels: np.ndarray
) -> None:
    with pytest.raises(InputError, match=line):
        GSWGAN(epsilon=10.0, num_classes=10, **given, **TINY).fit(images, labels, people)


def test_units_that_are_none_are_refused_at_once(images: np.ndarray) -> None:
    with pytest.raises(InputError, match="record, person or recording"):
        GSWGAN(epsilon=10.0, unit="patient")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="goes with unit person"):
        GSWGAN(epsilon=10.0, num_people=4, unit="record")
    with pytest.raises(InputError, match="goes with unit person"):
        GSWGAN(epsilon=10.0, num_people=4).plan(images)


def test_nothing_global_is_seeded_or_set(images: np.ndarray) -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global generator is what this is about
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), torch.get_num_threads()  # noqa: NPY002
    DPMERF(epsilon=10.0, seed=1, num_fit_steps=3, num_features=40).fit(images).released.to_frame(3)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), torch.get_num_threads()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
