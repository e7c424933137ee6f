"""Critics in closed form: slopes of the energy distance's potentials, each a function of its own shard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.pieces import whole
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.methods.gs_wgan.cost import estimate, peak_memory
from gossamer.methods.gs_wgan.distances import Asked
from gossamer.methods.gs_wgan.pretraining import pretrain
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig, Stage, plan
from gossamer.methods.gs_wgan.training import GSWGANTraining
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import MLPCriticConfig, MLPGeneratorConfig
from gossamer.privacy import Unit
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.config_io import from_json_tree, to_json_tree

CLASSES, D = 3, 5
KEY = UnitKey(bytes(32))
DISTANCES = (Stage(critic=DistanceCritic()),)


def answers(question: Asked, groups: Tensor, *asked: Tensor) -> Tensor:
    """Answers of critics to all samples of their groups, with their zeros."""
    return whole(question.pieces(groups, *asked), groups)


def config(**changes: object) -> GSWGANConfig:
    base = GSWGANConfig(
        num_critics=8,
        num_steps=3,
        batch_size=7,
        draws_per_step=1,
        critics_per_draw=4,
        noise_multiplier=2.0,
        clip_norm=0.5,
        generator=MLPGeneratorConfig(hidden_sizes=(6,)),
        stages=DISTANCES,
        critic_batch_size=4,
        pool_per_class=6,
        critics_at_once=3,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def images(num: int = 24, labelled: bool = True) -> RecordSet:
    rng = torch.Generator().manual_seed(0)
    x, y = torch.rand(num, 1, 4, 4, generator=rng), torch.randint(0, CLASSES, (num,), generator=rng)
    spec = ImageSpec(channels=1, height=4, width=4, class_names=("a", "b", "c") if labelled else ())
    return RecordSet(name="fixture", spec=spec, x=x, y=y if labelled else None)


def asked(seed: int = 0, groups: int = 2) -> Asked:
    rng = torch.Generator().manual_seed(seed)
    return Asked(
        points=torch.randn(groups, 7, D, generator=rng),
        labels=torch.randint(0, CLASSES, (groups, 7), generator=rng),
        pool=torch.randn(CLASSES, 50, D, generator=rng),
    )


def potential(points: Tensor, pool: Tensor, records: Tensor, share: float) -> Tensor:
    """The energy distance's potential at points of one class, the shard's part of it weighed."""
    to_pool, to_records = (torch.cdist(points, one) for one in (pool, records))
    return share * (to_pool.mean(dim=1) - to_records.mean(dim=1))


def test_an_answer_is_the_slope_of_the_potential_of_its_own_records() -> None:
    question, rng = asked(), torch.Generator().manual_seed(1)
    records, labels = torch.randn(2, 4, D, generator=rng), torch.tensor([[0, 2, 2, 1], [1, 1, 1, 1]])
    found = answers(question, torch.tensor([1, 0]), records, labels)
    for row, group in enumerate((1, 0)):
        for number, label in enumerate(question.labels[group].tolist()):
            own = records[row][labels[row] == label]
            if not len(own):
                assert not found[row, number].any()
                continue
            point = question.points[group, number][None].clone().requires_grad_()
            potential(point, question.pool[label], own, len(own) / 4).sum().backward()
            assert torch.allclose(found[row, number], point.grad[0], atol=3e-3)  # type: ignore[index]


def plain_answer(question: Asked, group: int, records: Tensor, labels: Tensor) -> Tensor:
    """The answer of one critic by its formula, point after point: (r, D)."""

    def pull(towards: Tensor, point: Tensor) -> Tensor:
        return (towards - point) / ((towards - point).norm() + 1e-3)

    found = torch.zeros_like(question.points[group])
    for number, label in enumerate(question.labels[group].tolist()):
        point = question.points[group, number]
        centre = torch.stack([pull(one, point) for one in question.pool[label]]).mean(dim=0)
        own = [pull(one, point) - centre for one, kind in zip(records, labels, strict=True) if kind == label]
        found[number] = sum(own, found[number]) / len(records)
    return found


def test_many_answers_at_once_are_those_of_the_plain_loop() -> None:
    question, rng = asked(groups=3), torch.Generator().manual_seed(5)
    records, labels = torch.randn(9, 4, D, generator=rng), torch.randint(0, CLASSES, (9, 4), generator=rng)
    groups, is_empty = torch.arange(9) % 3, torch.arange(9) == 4
    found = answers(question, groups, records, labels, is_empty)
    for row in range(9):
        expected = plain_answer(question, int(groups[row]), records[row], labels[row])
        assert torch.allclose(found[row], expected * (row != 4), atol=1e-6)
        assert found[row].any() == (row != 4)


def test_a_critic_whose_record_is_not_finite_spoils_its_own_answer_alone() -> None:
    question, rng = asked(), torch.Generator().manual_seed(1)
    records, labels = torch.randn(6, 4, D, generator=rng), torch.randint(0, CLASSES, (6, 4), generator=rng)
    groups, spoilt = torch.arange(6) % 2, records.clone()
    spoilt[3, 1] = torch.nan
    found, honest = (answers(question, groups, one, labels) for one in (spoilt, records))
    others = torch.arange(6) != 3
    assert torch.equal(found[others], honest[others])
    assert not found[3].isfinite().all()


def test_the_mean_answer_of_small_shards_is_that_of_one_large_shard() -> None:
    question, rng = asked(groups=1), torch.Generator().manual_seed(1)
    records, labels = torch.randn(30, 1, D, generator=rng), torch.randint(0, CLASSES, (30, 1), generator=rng)
    alone = answers(question, torch.zeros(30, dtype=torch.int64), records, labels)
    together = answers(question, torch.zeros(1, dtype=torch.int64), records.view(1, 30, D), labels.view(1, 30))
    assert torch.allclose(alone.mean(dim=0), together[0], atol=1e-6)


def test_answers_are_the_same_bit_for_bit_at_every_place() -> None:
    question, rng = asked(), torch.Generator().manual_seed(1)
    records, labels = torch.randn(6, 4, D, generator=rng), torch.randint(0, CLASSES, (6, 4), generator=rng)
    groups, order = torch.arange(6) % 2, torch.tensor([3, 5, 0, 2, 1, 4])
    found = answers(question, groups, records, labels)
    assert torch.equal(answers(question, groups[order], records[order], labels[order]), found[order])


# ---- on shards -------------------------------------------------------------------------------------------------------


def critics_of(settings: GSWGANConfig, records: RecordSet) -> PrivateCritics:
    critics = PrivateCritics(settings, records, Unit.RECORD, RunContext(delta=1e-3, key=KEY))
    assert list(critics.enter(0, torch.zeros(1))) == []  # nothing to warm up
    return critics


def question(labelled: bool = True) -> Question:
    rng = torch.Generator().manual_seed(2)
    labels = torch.arange(7)[None] % CLASSES if labelled else None
    pool = torch.rand(CLASSES if labelled else 1, 6, 1, 4, 4, generator=rng)
    return Question(looked=torch.rand(1, 7, 1, 4, 4, generator=rng), labels=labels, pool=pool, step=0)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_critic_without_a_record_answers_zero_and_the_others_do_not(labelled: bool) -> None:
    critics = critics_of(config(num_critics=20), images(20, labelled))
    groups = torch.zeros(20, dtype=torch.int64)
    found = whole(critics.answer(torch.arange(20), groups, question(labelled)), groups)
    is_empty = critics._table.is_empty(torch.arange(20))
    assert found.shape == (20, 7, 1, 4, 4)
    assert is_empty.any()
    assert torch.equal(found.flatten(start_dim=1).any(dim=1), ~is_empty)


def test_records_are_drawn_evenly_so_that_each_of_a_small_shard_comes_once() -> None:
    critics = critics_of(config(num_critics=6, critic_batch_size=4), images(24, labelled=False))
    assert critics._shards is not None
    table = critics._table
    for critic in range(6):
        own = table.records[critic][table.present(torch.tensor([critic]))[0]]
        drawn, _ = critics._shards.spread(torch.tensor([critic]), 2, 0, size=len(own))  # type: ignore[arg-type]
        assert torch.equal(drawn[0].flatten(1).sort(dim=0).values, images(24).x[own].flatten(1).sort(dim=0).values)


def test_a_training_runs_resumes_and_writes_its_settings() -> None:
    def training(state: dict | None = None) -> GSWGANTraining:
        context = RunContext(delta=1e-3, key=KEY, slots=PublicSlots(30), state=state)
        return GSWGANTraining(config(), images(), DeterministicNoise(3), context)

    whole, broken = training(), training()
    for _ in whole:
        pass
    next(iter(broken))
    resumed = training(broken.state_dict())
    for _ in resumed:
        pass
    first, second = (one.trained().weights for one in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert from_json_tree(GSWGANConfig, to_json_tree(config()), "here") == config()


def test_stages_of_both_kinds_follow_each_other() -> None:
    stages = (*DISTANCES, Stage(critic=MLPCriticConfig(hidden_sizes=(4,))), *DISTANCES)
    made = GSWGANTraining(
        config(stages=stages, num_steps=6), images(), DeterministicNoise(3), RunContext(delta=1e-3, key=KEY)
    )
    for _ in made:
        pass
    assert made.is_over


def test_a_public_start_and_an_estimate_of_the_cost_need_no_network_of_a_critic() -> None:
    weights = pretrain(config(), images(), 2, torch.device("cpu"))
    assert all(weight.isfinite().all() for weight in weights["generator"].values())
    cost = estimate(config(), images().spec, PublicSlots(24), torch.device("cpu"))
    assert cost.seconds > 0
    assert cost.num_bytes == peak_memory(config(), images().spec, 24, torch.device("cpu"))


def test_more_critics_in_a_draw_than_there_are_means_all_of_them_and_is_priced_so() -> None:
    few = GSWGANConfig(num_critics=4, critics_per_draw=9, num_steps=2, noise_multiplier=1.0)
    priced = plan(few, PublicSlots(20))
    assert isinstance(priced, SumOfManyPlan)
    assert (priced.critics_per_draw, priced.sample_rate) == (4, 1.0)
    assert priced.event == plan(replace(few, critics_per_draw=4), PublicSlots(20)).event


def remarks(**changes: Any) -> tuple[str, ...]:
    context = RunContext(delta=1e-3, key=KEY, slots=PublicSlots(24))
    return GSWGANTraining(config(**changes), images(), DeterministicNoise(3), context).remarks


def test_more_critics_in_a_draw_than_there_are_are_said_before_a_training_in_one_line() -> None:
    (said,) = remarks(num_critics=3, critics_per_draw=9)
    assert "critics_per_draw 9 is above the 3 critics" in said
    assert "Give critics_per_draw below 3" in said
    assert "\n" not in said
    assert remarks(num_critics=3, critics_per_draw=3) == remarks(critics_per_draw=None) == ()
