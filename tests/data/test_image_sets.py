"""Image sets: what they promise to the methods that train on them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from gossamer.data import ImageSpec, RecordData, RecordSet

SPEC = ImageSpec(channels=1, height=4, width=5, class_names=("cat", "dog"))
BARE = ImageSpec(channels=3, height=4, width=5)


def images(spec: ImageSpec, num_records: int = 3) -> torch.Tensor:
    return torch.linspace(0, 1, num_records * 20 * spec.channels).reshape(num_records, *spec.shape)


def test_a_spec_tells_shape_and_number_of_classes() -> None:
    assert (SPEC.shape, SPEC.num_classes) == ((1, 4, 5), 2)
    assert (BARE.shape, BARE.num_classes) == ((3, 4, 5), 0)


def test_specs_compare_by_value_and_sets_by_identity() -> None:
    assert dataclasses.replace(SPEC) == SPEC
    one = RecordSet(name="a", spec=BARE, x=images(BARE))
    assert dataclasses.replace(one) != one


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"channels": 2}, "channels"),
        ({"channels": 4}, "channels"),
        ({"height": 0}, "height"),
        ({"width": 1025}, "width"),
        ({"class_names": ("cat", "cat")}, "class_names[1]"),
        ({"class_names": ("cat", "")}, "class_names[1]"),
        ({"class_names": (" ",)}, "class_names[0]"),
        ({"class_names": ("a\nb",)}, "class_names[0]"),
        ({"class_names": ("\ud800",)}, "class_names[0]"),
        ({"class_names": ("a" * 101,)}, "class_names[0]"),
        ({"class_names": tuple(map(str, range(1001)))}, "1001"),
    ],
)
def test_a_spec_refuses_what_no_network_or_table_can_hold(refusal, change, word) -> None:
    assert word in refusal(dataclasses.replace, SPEC, **change)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1.0001, -0.0001, 73.5])
def test_a_pixel_outside_the_unit_range_is_refused_by_its_record_and_never_by_its_value(refusal, bad) -> None:
    x = images(SPEC)
    x[2, 0, 1, 1] = bad
    message = refusal(RecordSet, name="mine", spec=SPEC, x=x, y=torch.tensor([0, 1, 1]))
    assert "x[2]" in message
    assert str(bad) not in message


@pytest.mark.parametrize(
    ("x", "y", "word"),
    [
        (images(SPEC).double(), torch.tensor([0, 1, 1]), "float32"),
        (images(SPEC)[:, 0], torch.tensor([0, 1, 1]), "float32"),
        (images(SPEC)[:0], torch.tensor([], dtype=torch.int64), "0 records"),
        (images(SPEC), None, "no labels"),
        (images(SPEC), torch.tensor([0, 1]), "one label per record"),
        (images(SPEC), torch.tensor([0, 1, 1], dtype=torch.int32), "int64"),
        (images(SPEC), torch.tensor([0, 1, 2]), "y[2]"),
        (images(SPEC), torch.tensor([0, -1, 2]), "y[1]"),
    ],
)
def test_a_set_that_does_not_fit_its_spec_is_refused(refusal, x, y, word) -> None:
    assert word in refusal(RecordSet, name="mine", spec=SPEC, x=x, y=y)


def test_labels_without_classes_are_refused(refusal) -> None:
    assert "y[0]" in refusal(RecordSet, name="mine", spec=BARE, x=images(BARE), y=torch.zeros(3, dtype=torch.int64))


def test_train_and_test_have_one_spec(refusal) -> None:
    train = RecordSet(name="mine", spec=BARE, x=images(BARE))
    test = RecordSet(name="mine test", spec=SPEC, x=images(SPEC), y=torch.tensor([0, 1, 1]))
    assert "differ" in refusal(RecordData, train=train, test=test)
    assert RecordData(train=train, test=train).test is train
