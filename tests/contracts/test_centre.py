"""The public centre of GS-WGAN: it sees no record, its coins stay secret, and what it predicts is no signal.

Every comparison is exact, but that of the verdict, which is seeded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.driving.job import TrainingJob, settings_digest
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.sum_of_many.door import Ask, SumOfManyReleaser
from gossamer.methods.gs_wgan.centre import AbstractTwins, NoCentre, TwinsAddedBack, TwinsTakenAway
from gossamer.methods.gs_wgan.cost import _work_of
from gossamer.methods.gs_wgan.pretraining import pretrain
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.gs_wgan.training import GSWGANTraining
from gossamer.methods.gs_wgan.twins import PublicTwins
from gossamer.methods.training import RunContext
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.config_io import from_json_tree, to_json_tree

from .test_gs_wgan import (
    BATCH,
    KEY,
    STEPS,
    answers_know_no_other_coin,
    config,
    critics_know_no_coin,
    data_reaches_the_generator,
    exchanging,
    images,
    moved_by_one_slot,
    neighbour,
    own_critic,
)

KINDS = [TwinsAddedBack(num_critics=4), TwinsTakenAway(num_critics=4)]
kinds = pytest.mark.parametrize("centre", KINDS, ids=lambda centre: type(centre).__name__)


def settings(centre: AbstractTwins = KINDS[0], stages: str = "mlp", **changes: Any) -> GSWGANConfig:
    return replace(config(stages, critics_per_draw=3), **({"centre": centre, "fork_steps": 1} | changes))


class Quiet(DeterministicNoise):
    """Coins as they are, and no noise."""

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64)


class Watched(SumOfManyReleaser):
    """The door, which keeps the centre of every step."""

    def release(self, step: int, ask: Ask, centre: Tensor | None = None) -> Tensor:
        self.seen = [*getattr(self, "seen", ()), None if centre is None else centre.clone()]
        return super().release(step, ask, centre)


class GivenVectors(Watched):
    """Asks as the door does, and releases vectors that nothing private went into."""

    def release(self, step: int, ask: Ask, centre: Tensor | None = None) -> Tensor:
        answers = super().release(step, ask, centre)
        return torch.randn(answers.shape, generator=torch.Generator().manual_seed(step))


def centres(kind: type[GSWGANTraining], asked: GSWGANConfig, private: RecordSet, key: Any = KEY) -> list[Tensor]:
    """The centres of a whole run without noise, in which the released vectors are given."""
    training = kind(asked, private, Quiet(0), RunContext(delta=1e-3, key=key, slots=PublicSlots(40)))
    training.releaser.__class__ = GivenVectors
    for _ in training:
        pass
    return training.releaser.seen  # type: ignore[union-attr]


def sees_no_record(kind: type[GSWGANTraining], asked: GSWGANConfig) -> bool:
    """Whether every centre is the same, bit for bit, when one record is replaced."""
    before, after = images(), neighbour(images())
    first = centres(kind, asked, before)
    second = centres(kind, asked, after, exchanging(before, after))
    assert len(first) == STEPS
    assert all(bool(centre.any()) for centre in first)
    return all(torch.equal(*pair) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("stages", "centre"), [("mlp", KINDS[0]), ("mlp", KINDS[1]), ("own generators", KINDS[0]), ("views", KINDS[1])]
)
def test_a_record_that_is_replaced_moves_no_centre_bit_for_bit(stages: str, centre: AbstractTwins) -> None:
    assert sees_no_record(GSWGANTraining, settings(centre, stages))


class OneTwinSawARecord(GSWGANTraining):
    """The break: a twin's shard holds a private record among its samples."""

    def __init__(self, asked: GSWGANConfig, records: RecordSet, *more: Any) -> None:
        super().__init__(asked, records, *more)
        twins, samples = self._twins, self._twins._samples  # type: ignore[union-attr]

        def with_a_record() -> RecordSet:
            found = samples()
            return replace(found, x=torch.cat([records.x, found.x])[: len(found.x)])

        twins._samples = with_a_record  # type: ignore[union-attr,method-assign]


def test_a_prediction_that_saw_a_record_is_caught() -> None:
    assert not sees_no_record(OneTwinSawARecord, settings())


class CentreOfCritics(GSWGANTraining):
    """The break: the critics' own mean answer is the prediction."""

    def _centred(self, question: Question, stage: int) -> Question:
        centred = super()._centred(question, stage)
        every = torch.arange(self.config.num_critics)
        groups = range(self.config.draws_per_step)
        seen = [self._critics.answer(every, torch.full_like(every, one), question).mean(dim=0) for one in groups]
        return replace(centred, centre=torch.stack(seen))


def test_a_prediction_by_the_critics_themselves_is_caught() -> None:
    assert not sees_no_record(CentreOfCritics, settings())


def test_the_number_of_records_moves_no_centre() -> None:
    """Public is the number of slots alone."""
    fewer = replace(images(), x=images().x[:-3], y=images().y[:-3])  # type: ignore[index]
    found = [centres(GSWGANTraining, settings(), private) for private in (images(), fewer)]
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


# ---- the conditions of the theorem -----------------------------------------------------------------------------------


def test_critics_around_a_centre_keep_the_conditions_of_the_theorem() -> None:
    asked = settings()
    assert moved_by_one_slot(GSWGANTraining, asked) == {own_critic()}
    assert critics_know_no_coin(GSWGANTraining, asked)
    assert answers_know_no_other_coin(GSWGANTraining, asked)
    assert not data_reaches_the_generator(GSWGANTraining, asked)


def test_a_run_around_a_centre_is_resumed_as_it_was(check_resumed: Any) -> None:
    def start(**given: Any) -> GSWGANTraining:
        context = RunContext(delta=1e-3, key=KEY, **given)
        return GSWGANTraining(settings(num_steps=2), images(), DeterministicNoise(0), context)

    check_resumed(start)


def test_stages_of_other_views_and_of_distance_critics_have_centres_of_their_own_or_none() -> None:
    mixed = config("views").stages + config("distances").stages
    asked = replace(settings(), stages=mixed, num_steps=3)
    context = RunContext(delta=1e-3, key=KEY, slots=PublicSlots(40))
    training = GSWGANTraining(asked, images(), DeterministicNoise(0), context)
    training.releaser.__class__ = Watched
    for _ in training:
        pass
    assert training.is_over
    shapes = [None if one is None else tuple(one.shape) for one in training.releaser.seen]  # type: ignore[union-attr]
    assert shapes == [(BATCH, 1, 4, 4), (BATCH, *asked.stages[1].view.shape((1, 8, 8))), None]
    assert training.state_dict()["twins"]["stage"] is None


def test_a_public_start_and_an_estimate_of_the_cost_know_settings_with_a_centre() -> None:
    """Both ask critics of other numbers, and the cost is that of the twins, too."""
    many = replace(settings(), num_critics=20, critics_per_draw=1, num_steps=1000)
    weights = pretrain(many, images(), 1, torch.device("cpu"))
    assert all(weight.isfinite().all() for weight in weights["generator"].values())
    amounts = [
        _work_of(one, one.stages[0], images().spec, torch.device("cpu")).amount(40)
        for one in (many, replace(many, centre=TwinsAddedBack(num_critics=100)))
    ]
    # 96 twins more, each with a fork of one update and an answer, and a tenth of a renewal.
    assert amounts[1].tune - amounts[0].tune == pytest.approx(96 * 2 + 2 * 96 / 20)
    assert amounts[1].warm - amounts[0].warm == 96 * 2
    assert amounts[1].draw - amounts[0].draw == 96 * 2


def answering(value: float, monkeypatch: pytest.MonkeyPatch, *, first_alone: bool = False) -> Tensor:
    """The centre of four twins of which all, or the first, answer a value in one place, and 1 everywhere else."""
    private = images()
    context = RunContext(delta=1e-3, key=KEY, slots=PublicSlots(40))
    training = GSWGANTraining(settings(), private, DeterministicNoise(0), context)
    looked = torch.zeros(2, BATCH // 2, 1, 8, 8)

    def answer(self: PrivateCritics, critics: Tensor, groups: Tensor, question: Question) -> Tensor:
        found = torch.ones(len(critics), *question.looked.shape[1:])
        found[(critics == 0) if first_alone else critics >= 0, :, 0, 0, 0] = value
        return found

    monkeypatch.setattr(PrivateCritics, "answer", answer)
    assert training._twins is not None
    found = training._twins.centre(Question(looked=looked, labels=None, pool=looked, step=0), 0)
    assert found is not None
    assert found.shape == looked.shape
    return found


def test_huge_answers_of_twins_have_a_finite_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    found = answering(3e38, monkeypatch)
    assert found.dtype == torch.float32
    assert found[..., 0, 0, 0].allclose(torch.tensor(3e38))
    assert (found[..., 0, 0, 1:] == 1).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_of_a_twin_that_is_not_finite_does_not_count_at_all(
    value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (answering(value, monkeypatch, first_alone=True) == 1).all()


def test_a_generator_that_has_diverged_ends_a_run_with_twins_as_one_without() -> None:
    def ended(asked: GSWGANConfig) -> bool:
        context = RunContext(delta=1e-3, key=KEY, slots=PublicSlots(40))
        training = GSWGANTraining(asked, images(), DeterministicNoise(0), context)
        for weight in training._public.network.parameters():
            weight.data.fill_(torch.nan)
        for _ in training:
            pass
        return training.is_over

    assert ended(replace(settings(), centre=NoCentre(), num_steps=2))
    assert ended(settings(num_steps=2))


# ---- the critics' silence --------------------------------------------------------------------------------------------


def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """All critics say the centre, or zero without one, so that what is released beyond it is noise alone."""

    def answer(self: PrivateCritics, critics: Tensor, groups: Tensor, question: Question) -> Tensor:
        if question.centre is None:
            return torch.zeros_like(question.looked[groups])
        return question.centre[groups].clone()

    monkeypatch.setattr(PrivateCritics, "answer", answer)


class SaysTheCentre(PublicTwins):
    """A centre far from zero, whatever the twins say."""

    def centre(self, question: Question, stage: int) -> Tensor:
        return torch.full_like(question.looked, 5.0)


def energy_over_noise(asked: GSWGANConfig, kind: type[GSWGANTraining] = GSWGANTraining) -> float:
    """The energy that the verdict is on, over that of the noise that the verdict expects, in deviations of chance."""
    asked = replace(asked, num_steps=40, renewals_per_step=0)
    training = kind(asked, images(), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    if training._twins is not None:
        training._twins.__class__ = SaysTheCentre
    for _ in training:
        pass
    assert training._energy is not None
    energy = training._energy.ended(training._answer_noise)
    assert energy.num_steps == 40
    return (energy.total - energy.noise) / energy.variance**0.5


class WithoutTheDivisor(GSWGANTraining):
    """The break: the verdict takes the noise of a sum for that of what is released, m times too much."""

    @property
    def _answer_noise(self) -> float:
        return self.plan.noise_std


class DividedTwice(GSWGANTraining):
    """The break: the verdict takes an m-th of the noise that is there."""

    @property
    def _answer_noise(self) -> float:
        return self.plan.noise_std / self.plan.expected_answers**2


@pytest.mark.parametrize("critics_per_draw", [None, 1, 3, 6])
def test_the_noise_that_the_verdict_knows_is_that_of_what_is_released(
    critics_per_draw: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent(monkeypatch)
    assert abs(energy_over_noise(config(critics_per_draw=critics_per_draw))) < 4


@pytest.mark.parametrize("kind", [WithoutTheDivisor, DividedTwice])
def test_a_factor_m_in_the_noise_that_the_verdict_knows_is_caught(
    kind: type[GSWGANTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent(monkeypatch)
    assert abs(energy_over_noise(config(critics_per_draw=3), kind)) > 10


@kinds
def test_a_centre_is_no_signal_to_the_verdict(centre: AbstractTwins, monkeypatch: pytest.MonkeyPatch) -> None:
    silent(monkeypatch)
    assert abs(energy_over_noise(settings(centre))) < 4


class JudgesTheCentre(GSWGANTraining):
    """The break: the verdict is on the whole release, with the centre that tells nothing of the records."""

    def _judged_and_followed(self, released: Tensor, question: Question, labels: Tensor | None) -> Tensor:
        super()._judged_and_followed(released, replace(question, centre=None), labels)
        return released


def test_a_centre_taken_for_signal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    silent(monkeypatch)
    assert energy_over_noise(settings(), JudgesTheCentre) > 10


def followed(centre: AbstractTwins, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """The direction of a step in which critics say the centre, without noise and without variety."""
    silent(monkeypatch)
    training = GSWGANTraining(settings(centre, variety=0.0), images(), Quiet(0), RunContext(delta=1e-3, key=KEY))
    training._twins.__class__ = SaysTheCentre  # type: ignore[union-attr]
    found: list[Tensor] = []
    monkeypatch.setattr(training._public, "improve", lambda looked, direction, step: found.append(direction))
    for _ in training:
        pass
    assert len(found[0]) == BATCH
    return found[0]


def test_a_centre_that_is_taken_away_moves_no_generator_and_one_that_is_added_back_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert torch.equal(followed(KINDS[0], monkeypatch).unique(), torch.tensor([5.0]))
    assert not followed(KINDS[1], monkeypatch).any()


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"critics_per_draw": None}, "give critics_per_draw"),
        ({"stages": config("distances").stages}, "all stages have distance critics"),
    ],
)
def test_a_centre_without_a_sum_or_without_trained_critics_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(settings(), **changes)


def test_twins_without_a_critic_are_refused() -> None:
    with pytest.raises(InputError, match="num_critics of a centre"):
        TwinsAddedBack(num_critics=0)


@kinds
def test_settings_with_a_centre_come_back_from_a_file_and_have_a_digest_of_their_own(centre: AbstractTwins) -> None:
    assert from_json_tree(GSWGANConfig, to_json_tree(settings(centre)), "here") == settings(centre)

    def digest(asked: GSWGANConfig) -> str:
        return settings_digest(
            TrainingJob(
                data="digits", data_dir=None, num_classes=None, delta=1e-4, device="cpu", precision="fp32", method=asked
            )
        )

    assert digest(settings(centre)) != digest(replace(settings(centre), centre=NoCentre()))
