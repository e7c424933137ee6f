"""How critics learn and answer: the loss of the paper, each critic alone, and answers that leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.partition import Partition
from gossamer.mechanisms.one_of_many.tapes import CriticTapes, TapeUse
from gossamer.methods.gs_wgan.critics import CriticBatch, Shards, advance_norms, answers, train_critics
from gossamer.methods.gs_wgan.settings import WassersteinLoss
from gossamer.nn.ensemble import Ensemble, stack
from gossamer.nn.images.settings import ConvCriticConfig, MLPCriticConfig
from gossamer.nn.settings import Adam
from gossamer.nn.spectral_norm import advance

SHAPE, CLASSES, K, BATCH = (1, 8, 8), 3, 3, 4
CONFIGS = [MLPCriticConfig(hidden_sizes=(6,)), ConvCriticConfig(width=2)]
Config = MLPCriticConfig | ConvCriticConfig
Answer = Callable[[Ensemble, Tensor, Tensor | None], Tensor]


def networks(config: Config, num: int = K) -> list[nn.Module]:
    return [config.build(SHAPE, CLASSES, torch.Generator().manual_seed(seed)) for seed in range(num)]


def batch(seed: int, num: int = K) -> CriticBatch:
    rng = torch.Generator().manual_seed(seed)
    return CriticBatch(
        real=torch.rand(num, BATCH, *SHAPE, generator=rng),
        synthetic=torch.rand(num, BATCH, *SHAPE, generator=rng),
        labels=torch.randint(0, CLASSES, (num, BATCH), generator=rng),
        mix=torch.rand(num, BATCH, 1, 1, 1, generator=rng),
    )


def loss_of_one(network: nn.Module, data: CriticBatch, row: int, penalty: float, drift: float) -> Tensor:
    """The published loss of one network, written out."""
    assert data.labels is not None
    real, synthetic, labels, mix = data.real[row], data.synthetic[row], data.labels[row], data.mix[row]
    real_score, synthetic_score = network(real, labels), network(synthetic, labels)
    between = (mix * real + (1 - mix) * synthetic).requires_grad_()
    (slope,) = torch.autograd.grad(network(between, labels).sum(), between, create_graph=True)
    norms = slope.flatten(1).norm(dim=1)
    wasserstein = synthetic_score.mean() - real_score.mean()
    return wasserstein + penalty * (norms - 1).square().mean() + drift * real_score.square().mean()


@pytest.mark.parametrize("config", CONFIGS)
def test_critics_trained_together_are_critics_trained_one_by_one_with_the_adam_of_torch(config: Config) -> None:
    alone, together = networks(config), stack(networks(config))
    adam, loss = Adam(learning_rate=1e-3), WassersteinLoss(gradient_penalty=7.0, drift=0.01)
    optimisers = [torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.9)) for network in alone]
    for step in range(4):
        together, losses = train_critics(together, batch(step), loss, adam)
        for row, (network, optimiser) in enumerate(zip(alone, optimisers, strict=True)):
            advance(network)
            optimiser.zero_grad()
            value = loss_of_one(network, batch(step), row, 7.0, 0.01)
            value.backward()
            optimiser.step()
            assert float(losses[row]) == pytest.approx(float(value.detach()), abs=1e-4)
    for row, network in enumerate(alone):
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            stacked = together.parameters.get(name, together.buffers.get(name))
            assert stacked is not None
            assert torch.allclose(stacked[row], tensor, atol=1e-5, rtol=0), name


@pytest.mark.parametrize("config", CONFIGS)
def test_training_one_critic_on_numbers_that_are_not_finite_changes_no_other(config: Config) -> None:
    start, clean = stack(networks(config)), batch(0)
    spoilt = replace(clean, real=clean.real.clone())
    spoilt.real[1] = float("inf")
    first, losses = train_critics(start, clean, WassersteinLoss(), Adam())
    second, other_losses = train_critics(start, spoilt, WassersteinLoss(), Adam())
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor[[0, 2]], second.state_dict()[name][[0, 2]]), name
    assert torch.equal(losses[[0, 2]], other_losses[[0, 2]])
    assert torch.equal(second.num_updates, torch.tensor([1, 0, 1]))


# ---- answers --------------------------------------------------------------------------------------------------------


@contextmanager
def template_mode(ensemble: Ensemble, training: bool) -> Iterator[None]:
    ensemble.template.train(training)
    yield
    ensemble.template.train(True)


def is_pure(answer: Answer, config: Config) -> bool:
    """Whether an answer changes no bit of the critics, the samples, the template or the global random stream."""
    data = batch(1)
    for training in (True, False):
        critics = stack(networks(config))
        tensors = [*critics.state_dict().values(), *critics.template.state_dict().values(), data.real, data.labels]
        before = [tensor.clone() for tensor in tensors if tensor is not None]
        stream = torch.get_rng_state()
        with template_mode(critics, training):
            first, second = answer(critics, data.real, data.labels), answer(critics, data.real, data.labels)
        after = [tensor for tensor in tensors if tensor is not None]
        same = all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
        if not (same and torch.equal(first, second) and torch.equal(stream, torch.get_rng_state())):
            return False
    return True


def answers_with_power_iteration(critics: Ensemble, samples: Tensor, labels: Tensor | None) -> Tensor:
    """An answer that turns the vectors of the spectral norms, as a forward pass of the usual layer does."""
    for name, tensor in advance_norms(critics).buffers.items():
        critics.buffers[name].copy_(tensor)
    return answers(critics, samples, labels)


def answers_with_dropout(critics: Ensemble, samples: Tensor, labels: Tensor | None) -> Tensor:
    return answers(critics, torch.nn.functional.dropout(samples, 0.5), labels)


@pytest.mark.parametrize("config", CONFIGS)
def test_answering_changes_nothing_in_any_mode(config: Config) -> None:
    assert is_pure(answers, config)


def test_power_iteration_on_answering_is_caught() -> None:
    assert not is_pure(answers_with_power_iteration, CONFIGS[1])


def test_a_random_draw_on_answering_is_caught() -> None:
    assert not is_pure(answers_with_dropout, CONFIGS[0])


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_is_the_slope_of_the_critics_own_score(config: Config) -> None:
    data, alone = batch(2), networks(config)
    assert data.labels is not None
    found = answers(stack(networks(config)), data.synthetic, data.labels)
    for row, network in enumerate(alone):
        points = data.synthetic[row].clone().requires_grad_()
        network(points, data.labels[row]).sum().backward()
        assert torch.allclose(found[row], points.grad, atol=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_depends_on_no_other_critic_and_on_no_other_sample_bit_for_bit(config: Config) -> None:
    data, critics = batch(2), stack(networks(config))
    assert data.labels is not None
    reference = answers(critics, data.synthetic, data.labels)
    weights = {name: tensor.clone() for name, tensor in critics.parameters.items()}
    for tensor in weights.values():
        tensor[1] = float("nan")
    others = data.synthetic.clone()
    others[0, 1:] = 0.1
    changed = answers(replace(critics, parameters=weights), others, data.labels)
    assert torch.equal(changed[2], reference[2])
    assert torch.equal(changed[0, 0], reference[0, 0])


def test_answers_are_in_float32_under_any_autocast() -> None:
    data, critics = batch(2), stack(networks(CONFIGS[0]))
    reference = answers(critics, data.synthetic, data.labels)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(answers(critics, data.synthetic, data.labels), reference)


# ---- batches from shards --------------------------------------------------------------------------------------------


PARTITION = Partition(
    shard_of_unit=torch.randperm(20, generator=torch.Generator().manual_seed(0)) % 4,
    order=torch.randperm(20, generator=torch.Generator().manual_seed(1)),
    num_shards=4,
)


def shards(labels: bool, seed: int = 0) -> Shards:
    rng = torch.Generator().manual_seed(seed)
    y = torch.randint(0, CLASSES, (20,), generator=rng) if labels else None
    table = PARTITION.shard_table(y)
    images = torch.rand(20, 2, *SHAPE, generator=rng)  # two variants of each record
    return Shards(images=images, labels=y, table=table, tapes=CriticTapes(0))


def some_batches(source: Shards, critics: list[int], pool: Tensor, num: int = 2) -> list[CriticBatch]:
    drawn = source.batches(torch.tensor(critics), pool, TapeUse.FORK, 3, num_batches=num, size=BATCH)
    return list(drawn)


@pytest.mark.parametrize("labels", [True, False])
def test_batches_pair_records_of_the_own_shard_with_synthetic_samples_of_their_class(labels: bool) -> None:
    source = shards(labels)
    classes = CLASSES if labels else 1
    pool = torch.arange(classes).float().view(-1, 1, 1, 1, 1).expand(classes, 5, *SHAPE)
    found = some_batches(source, [3, 1], pool)
    assert len(found) == 2
    for data in found:
        assert data.real.shape == data.synthetic.shape == (2, BATCH, *SHAPE)
        for row, critic in enumerate([3, 1]):
            own = source.images[PARTITION.shard_of_unit == critic].flatten(end_dim=1)
            assert all(any(torch.equal(image, record) for record in own) for image in data.real[row])
        if data.labels is not None:
            assert torch.equal(data.synthetic[..., 0, 0, 0], data.labels.float())
    assert not torch.equal(found[0].real, found[1].real)


def test_a_critic_gets_the_same_batch_wherever_it_stands_and_from_a_pool_of_its_own_the_same_places() -> None:
    source, rng = shards(True), torch.Generator().manual_seed(0)
    pool = torch.rand(CLASSES, 5, *SHAPE, generator=rng)
    (first,), (second,) = some_batches(source, [2, 0, 2], pool, 1), some_batches(source, [0, 2], pool, 1)
    own = pool.expand(2, *pool.shape).clone()
    own[0] = 0.0
    (third,) = some_batches(source, [0, 2], own, 1)
    for name in ("real", "synthetic", "labels", "mix"):
        rows = getattr(first, name)
        assert torch.equal(rows[0], rows[2])
        assert torch.equal(rows[0], getattr(second, name)[1])
        assert torch.equal(rows[0], getattr(third, name)[1])
    assert not bool(third.synthetic[0].any())


def test_a_critic_knows_the_classes_of_its_own_shard_and_no_others() -> None:
    shard, labels = PARTITION.shard_of_unit, torch.arange(20) % CLASSES
    labels[shard == 2], labels[shard == 0] = 1, torch.tensor([0, 2, 0, 2, 0])
    source = replace(shards(True), labels=labels, table=PARTITION.shard_table(labels))
    known = source.knows(torch.tensor([2, 0, 2]), torch.arange(CLASSES).expand(3, -1))
    assert known.tolist() == [[False, True, False], [True, False, True], [False, True, False]]
    assert shards(False).knows(torch.tensor([2, 0]), None).tolist() == [[True]] * 2


def test_no_batches_may_be_asked_for() -> None:
    assert some_batches(shards(True), [0, 1], torch.zeros(CLASSES, 2, *SHAPE), 0) == []


@pytest.mark.parametrize("settings", [{"gradient_penalty": -1.0}, {"drift": -1.0}, {"drift": float("nan")}])
def test_a_negative_weight_in_the_loss_is_bad_input(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="0 or more"):
        WassersteinLoss(**settings)
