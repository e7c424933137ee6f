"""Data sets of torch and of Hugging Face are read once, record by record; what repeats or chooses is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from gossamer.data.records import RecordData
from gossamer.errors import InputError
from gossamer.estimators import DPMixture
from gossamer.estimators.records import read_source

NUM = 20
X = torch.from_numpy(np.random.default_rng(0).random((NUM, 1, 8, 8), dtype=np.float32))
Y = torch.arange(NUM) % 2
WHOLE = TensorDataset(X, Y)


class Items(Dataset[Any]):
    """A data set of the items of a list, which counts how often each was read."""

    def __init__(self, items: list[Any]) -> None:
        self.items, self.reads = items, [0] * len(items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Any:
        self.reads[place] += 1
        return self.items[place]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return zip(X, Y, strict=True)


def read(source: Any, **said: Any) -> RecordData:
    return read_source(source, None, None, None if "class_names" in said or said.pop("plain", False) else 2, said=said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "source",
    [
        WHOLE,
        Items([(image, int(label)) for image, label in WHOLE]),
        Items([{"image": image.numpy(), "label": label} for image, label in WHOLE]),
        Stream(),
        DataLoader(WHOLE, batch_size=3),
        DataLoader(WHOLE, batch_size=7, shuffle=True, drop_last=True),
        DataLoader(WHOLE, batch_size=None),
        DataLoader(WHOLE, batch_sampler=BatchSampler(SequentialSampler(WHOLE), 4, drop_last=False)),
        DataLoader(Stream(), batch_size=3),
        ConcatDataset([Subset(WHOLE, range(5)), Subset(WHOLE, range(5, NUM))]),
    ],
)
def test_every_record_is_read_once_in_the_order_of_the_data_set(source: Any) -> None:
    train = read(source).train
    assert torch.equal(train.x, X)
    assert train.y is not None
    assert train.y.tolist() == Y.tolist()
    if isinstance(source, Items):
        assert source.reads == [1] * NUM


def test_an_item_may_be_a_picture_with_a_name_and_a_person() -> None:
    pixels = (X[:, 0].numpy() * 255).astype(np.uint8)
    items = [
        {"scan": Image.fromarray(one), "kind": ("cat", "dog")[place % 2], "who": f"p{place // 2}"}
        for place, one in enumerate(pixels)
    ]
    train = read(Items(items), values=["scan"], label="kind", person="who", class_names=["dog", "cat"]).train
    assert np.array_equal((train.x[:, 0].numpy() * 255).round(), pixels)
    assert train.y is not None
    assert train.y.tolist() == [1, 0] * (NUM // 2)
    assert train.num_people == NUM // 2
    colour = [(Image.fromarray(np.stack([one] * 3, axis=-1)), 0) for one in pixels]
    assert read(Items(colour)).train.spec.shape == (3, 8, 8)


def test_without_labels_an_item_is_the_record_alone_and_bounds_make_it_a_series() -> None:
    assert read(Items(list(X)), plain=True).train.num_records == NUM
    assert read(TensorDataset(X), plain=True).train.spec.num_classes == 0
    series = read(Items(list(X[:, 0] * 50)), plain=True, low=0, high=50).train
    assert series.spec.shape == (8, 8)


def test_people_come_third() -> None:
    items = [(image, int(label), place // 4) for place, (image, label) in enumerate(WHOLE)]
    assert read(Items(items)).train.num_people == 5


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (DataLoader(WHOLE, sampler=WeightedRandomSampler([1.0] * NUM, NUM)), "chooses or repeats"),
        (DataLoader(WHOLE, sampler=RandomSampler(WHOLE, replacement=True)), "chooses or repeats"),
        (DataLoader(WHOLE, sampler=RandomSampler(WHOLE, num_samples=5)), "chooses or repeats"),
        (DataLoader(WHOLE, sampler=SubsetRandomSampler(range(5))), "chooses or repeats"),
        (DataLoader(WHOLE, batch_sampler=[[0, 0], [1, 1]]), "chooses or repeats"),  # type: ignore[arg-type]
        (DataLoader(WHOLE, sampler=SequentialSampler(Subset(WHOLE, range(5)))), "chooses or repeats"),
        (DataLoader(WHOLE, collate_fn=lambda items: items), "by a function of its own"),
        (Subset(WHOLE, [0, 1, 1]), "names a record twice"),
        (Subset(WHOLE, [0, -NUM]), "names a record twice"),
        (Subset(WHOLE, torch.tensor([1, 1])), "names a record twice"),  # type: ignore[arg-type]
        (Subset(Subset(WHOLE, [0, 1, 1]), [1, 2]), "names a record twice"),
        (ConcatDataset([WHOLE, Subset(WHOLE, [0])]), "names a record twice"),
        (DataLoader(Subset(WHOLE, [0, 1, 1])), "names a record twice"),
        (TensorDataset(X * 2 - 1, Y), r"x.0. has a value .* undo the normalisation"),
        (Items([(X[0], 0), (X[0, 0], 1)]), "item 1 of the data set has another shape"),
        (Items([(X[0], 0), (X[0], None)]), "item 1 of the data set has no label"),
        (Items([(X[0], [0, 1])]), "the label of an item of the data set must be a number or a text"),
        (Items([(X[0], 0, 1, 2)]), "has 4 parts"),
        (Items([{"picture": X[0]}]), "has none of the parts x, image"),
        (Items([("scan.png", 0)]), "item 0 of the data set is 'scan.png': x must be an array"),
        (Items([]), "holds 0 records"),
    ],
)
def test_what_repeats_chooses_or_has_no_one_shape_is_refused_in_one_line(source: Any, line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        read(source)
    assert str(caught.value).isprintable()


def test_the_words_of_a_data_set_that_fails_are_not_told() -> None:
    class Failing(Items):
        def __getitem__(self, place: int) -> Any:
            raise KeyError("PLANTED-7f3a")

    with pytest.raises(InputError, match="the data set failed with KeyError") as caught:
        read(Failing([0]))
    assert "PLANTED" not in f"{caught.value!r}{caught.value.__context__!r}{caught.value.__cause__!r}"


def test_parts_are_named_by_words_and_by_nothing_else() -> None:
    with pytest.raises(InputError, match="has no part 'kind'"):
        read(Items([{"x": X[0]}]), label="kind")
    with pytest.raises(InputError, match="these items have no names"):
        read(WHOLE, label="kind")
    with pytest.raises(InputError, match="an item of a data set is a record"):
        read(WHOLE, time="t", series="s")
    with pytest.raises(InputError, match="a data set brings its own"):
        DPMixture(10.0).fit(WHOLE, Y)


def test_a_data_set_of_hugging_face_is_read_by_its_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    import datasets

    pixels = (X[:, 0].numpy() * 255).astype(np.uint8)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    columns = {"image": [Image.fromarray(one) for one in pixels], "label": Y.tolist()}
    train = read(datasets.Dataset.from_dict(columns, features=features)).train
    assert np.array_equal((train.x[:, 0].numpy() * 255).round(), pixels)
    assert train.y is not None
    assert (train.y.tolist(), train.spec.class_names) == (Y.tolist(), ("0", "1"))


def test_a_loader_that_repeats_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: without the rule on samplers a record chosen many times is learnt from many times, or is not at all."""
    from gossamer.estimators import data_sets

    monkeypatch.setattr(data_sets, "_set_behind", lambda source: [item for batch in source for item in zip(*batch)])
    twice = DataLoader(WHOLE, sampler=[0] * NUM)  # type: ignore[arg-type]
    assert not torch.equal(read(twice).train.x, X)
