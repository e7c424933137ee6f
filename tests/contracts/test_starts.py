"""A training with a public start: the same function of its records and noise otherwise, said, and read once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import tiny_of
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms import plan as priced_plan
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.averaged import AveragedGenerator
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.method import Method
from gossamer.methods.starting import DISCRIMINATOR, GENERATOR, PublicStart, StartFromRecords
from gossamer.methods.training import AbstractTraining, RunContext
from gossamer.privacy.accounting import EpsilonBound, epsilon_by_pld, epsilon_by_rdp
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots

RECORDS, DELTA, STEPS = 60, 1e-3, 3
FACTS = StartFromRecords(source="/somewhere/public.npz", sha256="0" * 64, num_steps=STEPS)
TRAINED = [method.name for method in METHODS if method.working().pretrain is not None]


@pytest.fixture(autouse=True, scope="module")
def priced_once() -> Iterator[None]:
    """Every training computes its price, and here the same plans come again and again."""
    prices: dict[tuple[str, str, float], EpsilonBound] = {}

    def cached(price: Callable[..., EpsilonBound]) -> Callable[..., EpsilonBound]:
        def priced(event: Any, delta: float) -> EpsilonBound:
            key = price.__name__, repr(event), delta
            if key not in prices:
                prices[key] = price(event, delta)
            return prices[key]

        return priced

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(priced_plan, "epsilon_by_pld", cached(epsilon_by_pld))
        patch.setattr(priced_plan, "proved_epsilon", cached(epsilon_by_pld))
        patch.setattr(priced_plan, "epsilon_by_rdp", cached(epsilon_by_rdp))
        yield


@pytest.fixture(params=TRAINED)
def method(request: Any) -> Method[Any]:
    """Each method that trains a network."""
    return find_method(request.param)


def settings_of(method: Method[Any]) -> Any:
    return tiny_of(method.name).images


def images(seed: int) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    return RecordSet(
        name="fixture",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(RECORDS, 1, 8, 8, generator=rng),
        y=torch.randint(0, 3, (RECORDS,), generator=rng),
    )


def public_start(method: Method[Any]) -> PublicStart:
    networks = method.pretrain(settings_of(method), images(7), STEPS, torch.device("cpu"))
    return PublicStart(facts=FACTS, networks=networks)


def start(method: Method[Any], begun: PublicStart, private: int = 0, **given: Any) -> AbstractTraining:
    context = RunContext(delta=DELTA, slots=PublicSlots(RECORDS), key=UnitKey(bytes(32)), start=begun, **given)
    return method.start(settings_of(method), images(private), DeterministicNoise(3), context)


def finished(training: AbstractTraining) -> dict[str, Tensor]:
    for _ in training:
        pass
    return training.trained().weights


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def averages(training: AbstractTraining) -> dict[str, Tensor]:
    """The moving average of a training, wherever its method keeps it."""
    state = training.state_dict()
    return next(state[part]["average"] for part in ("generator", "networks") if part in state)


def test_three_methods_train_a_network_and_one_does_not() -> None:
    assert set(TRAINED) == {"gs-wgan", "dp-cgan", "dp-merf"}
    with pytest.raises(InputError, match="dp-mixture trains no network"):
        find_method("dp-mixture").check_starts()


def test_a_start_is_a_function_of_public_records_and_seed(method: Method[Any]) -> None:
    first, again = public_start(method).networks, public_start(method).networks
    assert all(equal(first[name], again[name]) for name in first)
    other = method.pretrain(settings_of(method), images(8), STEPS, torch.device("cpu"))
    assert not equal(first[GENERATOR], other[GENERATOR])


def begins_at(begun: PublicStart, training: AbstractTraining) -> bool:
    """Whether the moving average of a training that has not begun is at the weights of a start."""
    average = averages(training)
    assert average
    return all(torch.equal(tensor, begun.networks[GENERATOR][name]) for name, tensor in average.items())


def test_generator_and_moving_average_begin_at_the_given_weights(method: Method[Any]) -> None:
    begun = public_start(method)
    assert begins_at(begun, start(method, begun))
    assert not begins_at(begun, start(method, PublicStart()))


def test_a_start_that_is_forgotten_is_caught(method: Method[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    begun = public_start(method)
    monkeypatch.setattr(PublicStart, "put_into", lambda self, network, name: None)
    assert not begins_at(begun, start(method, begun))


def test_the_discriminator_of_dp_cgan_begins_at_its_weights() -> None:
    method = find_method("dp-cgan")
    begun = public_start(method)
    found = start(method, begun).state_dict()["networks"]["discriminator"]
    assert equal(dict(found), dict(begun.networks[DISCRIMINATOR]))


def test_a_training_is_the_same_function_of_records_noise_and_start(method: Method[Any]) -> None:
    begun = public_start(method)
    weights = finished(start(method, begun))
    assert equal(weights, finished(start(method, begun)))
    assert not equal(weights, finished(start(method, begun, private=1)))
    assert not equal(weights, finished(start(method, PublicStart())))


def test_price_and_mechanism_are_those_without_a_start(method: Method[Any]) -> None:
    one, other = start(method, public_start(method)), start(method, PublicStart())
    assert one.plan == other.plan
    assert one.statement.public_inputs == (*other.statement.public_inputs, *FACTS.sentences)
    assert replace(one.statement, public_inputs=()) == replace(other.statement, public_inputs=())


def test_interrupted_after_any_report_and_resumed_equals_uninterrupted(method: Method[Any], check_resumed: Any) -> None:
    check_resumed(functools.partial(start, method, public_start(method)))


def test_a_start_is_not_touched_by_the_training_that_begins_with_it(method: Method[Any]) -> None:
    begun = public_start(method)
    before = {name: {key: tensor.clone() for key, tensor in part.items()} for name, part in begun.networks.items()}
    finished(start(method, begun))
    assert all(equal(before[name], dict(begun.networks[name])) for name in before)


def test_weights_that_do_not_fit_or_are_no_numbers_are_refused(method: Method[Any]) -> None:
    begun = public_start(method)
    weights = dict(begun.networks[GENERATOR])
    name = next(name for name, tensor in weights.items() if tensor.dim() == 2)
    for wrong, words in (
        (weights | {name: weights[name].T.contiguous()[:1]}, "does not fit the generator"),
        ({key: value for key, value in weights.items() if key != name}, "does not fit the generator"),
        (weights | {name: weights[name] * float("nan")}, "no number"),
    ):
        with pytest.raises(InputError, match=words):
            start(method, replace(begun, networks={GENERATOR: wrong}))


def test_an_average_that_begins_elsewhere_than_the_network_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The average is taken after the start is in the network."""
    method = find_method("gs-wgan")
    begun = public_start(method)
    begin = AveragedGenerator.__init__

    def late(self: AveragedGenerator, recipe: Any, adam: Any, seed: int, device: Any, start: Any = None) -> None:
        begin(self, recipe, adam, seed, device)
        begun.put_into(self.network, GENERATOR)

    monkeypatch.setattr(AveragedGenerator, "__init__", late)
    assert not begins_at(begun, start(method, begun))
