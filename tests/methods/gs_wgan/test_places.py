"""The size of chunks in which critics of a sum answer: one at which no answer depends on its place, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tiny import tiny_of
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.pieces import whole
from gossamer.methods.cost import random_records
from gossamer.methods.gs_wgan.places import find_chunk_size
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.gs_wgan.training import GSWGANTraining, StepReport
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import ConvCriticConfig
from gossamer.privacy.dealing import UnitKey

IMAGES = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c"))
SERIES = SeriesSpec(channels=2, length=24, low=(0.0, 0.0), high=(1.0, 1.0), class_names=("a", "b", "c"))
TINY = tiny_of("gs-wgan")
DENSE = replace(TINY.images, critics_per_draw=2, critics_at_once=5)
CONVOLUTIONAL = replace(DENSE, stages=(replace(DENSE.stages[0], critic=ConvCriticConfig(width=2)),))
OF_SERIES = replace(TINY.series, critics_per_draw=2, critics_at_once=5)
CASES = {"dense": (DENSE, IMAGES), "convolutional": (CONVOLUTIONAL, IMAGES), "series": (OF_SERIES, SERIES)}


def context() -> RunContext:
    return RunContext(delta=1e-3, key=UnitKey(bytes(32)))


def private(spec: AbstractSpec) -> RecordSet:
    return random_records(spec, 40)


def places_are_alike(config: GSWGANConfig, spec: AbstractSpec, size: int) -> bool:
    """Whether critics of a training on records answer the same at every place of a chunk, to mixed groups."""
    training = GSWGANTraining(config, private(spec), DeterministicNoise(0), context())
    next(report for report in training if isinstance(report, StepReport))
    samples, labels = training._public.samples(1)
    view = config.stages[0].view
    question = training._question(view.apply(samples), labels, training._public.pool(view, 1), 1)
    critics, groups = torch.arange(size) % config.num_critics, torch.arange(size) % config.draws_per_step

    def answers(shift: int) -> Tensor:
        moved = groups.roll(shift)
        return whole(training._critics.answer(critics.roll(shift), moved, question), moved)

    in_order = answers(0)
    return all(torch.equal(answers(shift), in_order.roll(shift, 0)) for shift in range(1, size))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("at_once", [1, 3, 5, 32])
def test_at_the_size_found_critics_on_records_answer_alike_at_every_place(name: str, at_once: int) -> None:
    config, spec = CASES[name]
    config = replace(config, critics_at_once=at_once)
    size = find_chunk_size(config, spec, context())
    assert 1 <= size <= at_once
    assert places_are_alike(config, spec, size)


def test_a_training_of_sums_asks_in_chunks_of_the_size_found() -> None:
    training = GSWGANTraining(DENSE, private(IMAGES), DeterministicNoise(0), context())
    assert training.releaser._chunk_size == find_chunk_size(DENSE, IMAGES, context())  # type: ignore[attr-defined]


def rounded(by_place: Callable[[int], Tensor]) -> type[PrivateCritics]:
    """Critics that are rounded by their place in a chunk."""

    class Rounded(PrivateCritics):
        def answer(self, critics: Tensor, groups: Tensor, question: Question) -> Tensor:
            answers = whole(super().answer(critics, groups, question), groups)
            return answers * (1 + 2.0**-10 * by_place(len(critics))).view(-1, *(1,) * (answers.dim() - 1))

    return Rounded


def last_of_an_odd_number(size: int) -> Tensor:
    """Kernels that take two rows at once treat the one that is left otherwise."""
    return ((torch.arange(size) == size - 1) & (torch.tensor(size % 2 == 1) & (size > 1))).float()


@pytest.mark.parametrize(
    ("by_place", "size"), [(lambda size: torch.arange(size).float(), 1), (last_of_an_odd_number, 2)]
)
def test_places_that_round_otherwise_are_found_and_the_size_falls_until_there_are_none(
    by_place: Callable[[int], Tensor], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_chunk_size(DENSE, IMAGES, context()) > 2
    monkeypatch.setattr("gossamer.methods.gs_wgan.places.PrivateCritics", rounded(by_place))
    assert find_chunk_size(DENSE, IMAGES, context()) == size
