"""GS-WGAN as an iterator: interrupted, resumed, shared out, refused. Its privacy is in tests/contracts."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from crews import together
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.crew import AbstractCrew, Alone
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.pieces import whole
from gossamer.methods.gs_wgan import GS_WGAN, public_generator, trained_side
from gossamer.methods.gs_wgan.places import find_chunk_size
from gossamer.methods.gs_wgan.private_critics import PrivateCritics
from gossamer.methods.gs_wgan.public_generator import PublicGenerator
from gossamer.methods.gs_wgan.settings import AgainstOwnGenerator, AgainstPresentGenerator, GSWGANConfig, Stage, plan
from gossamer.methods.gs_wgan.trained_side import chunks_of
from gossamer.methods.gs_wgan.training import GSWGANTraining, StepReport, WarmStartReport
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import ConvCriticConfig, MLPCriticConfig, MLPGeneratorConfig, ResNetGeneratorConfig
from gossamer.nn.latents import BernoulliLatent
from gossamer.nn.views import Pooled
from gossamer.privacy import Adjacency, PrivacyBudget
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import CountSource, PublicSlots

MLP, CONV = MLPCriticConfig(hidden_sizes=(5,)), ConvCriticConfig(width=2)
ONE = (Stage(critic=MLP, warm_start=AgainstPresentGenerator(num_updates=2)),)
TWO = (
    Stage(view=Pooled(factor=2), critic=CONV, warm_start=AgainstPresentGenerator(num_updates=1)),
    Stage(critic=MLP, warm_start=AgainstOwnGenerator(num_updates=2, hidden=4, updates_per_generator_update=1)),
)
TWINS = (
    Stage(critic=MLP, warm_start=AgainstPresentGenerator(num_updates=1)),
    Stage(critic=MLP, warm_start=AgainstPresentGenerator(num_updates=2)),
)
STEPS = 4
KEY = UnitKey(bytes(32))


def config(stages: tuple[Stage, ...] = ONE, **changes: object) -> GSWGANConfig:
    base = GSWGANConfig(
        num_critics=7,
        num_steps=STEPS,
        batch_size=6,
        draws_per_step=3,
        noise_multiplier=1.0,
        generator=MLPGeneratorConfig(hidden_sizes=(6,)),
        stages=stages,
        critic_batch_size=3,
        pool_per_class=2,
        fork_steps=1,
        renewals_per_step=2,
        critics_at_once=3,
        seed=1,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def images(num: int = 20, labelled: bool = True) -> RecordSet:
    rng = torch.Generator().manual_seed(0)
    x, y = torch.rand(num, 1, 8, 8, generator=rng), torch.randint(0, 2, (num,), generator=rng)
    spec = ImageSpec(channels=1, height=8, width=8, class_names=("a", "b") if labelled else ())
    return RecordSet(name="fixture", spec=spec, x=x, y=y if labelled else None)


def training(settings: GSWGANConfig, noise: AbstractNoise | None = None, **options: object) -> GSWGANTraining:
    context = RunContext(**{"delta": 1e-3, "slots": PublicSlots(20), "key": KEY, **options})  # type: ignore[arg-type]
    return GSWGANTraining(settings, images(), noise or DeterministicNoise(3), context)


def finished(made: GSWGANTraining) -> GSWGANTraining:
    for _ in made:
        pass
    return made


def advanced(made: GSWGANTraining, step: int) -> GSWGANTraining:
    """The training after the report of the given step, as a caller who stops there leaves it."""
    for report in made:
        if isinstance(report, StepReport) and made.step == step:
            return made
    raise AssertionError(f"the training never came to step {step}")


def everything(made: GSWGANTraining) -> dict[str, Tensor]:
    state = made.state_dict()
    moments = {
        f"optimiser/{number}/{name}": torch.as_tensor(value)
        for number, found in state["generator"]["optimiser"].items()
        for name, value in found.items()
    }
    critics, generator = state["critics"], state["generator"]
    parts = {"critics": critics["critics"] or {}, "network": generator["network"], "average": generator["average"]}
    return moments | {f"{part}/{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}


def same(first: GSWGANTraining, second: GSWGANTraining) -> bool:
    one, two = everything(first), everything(second)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


# ---- interrupted and taken up again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stages", [ONE, TWO, TWINS])
@pytest.mark.parametrize("step", [1, 2])
def test_a_caller_may_leave_the_loop_and_come_back(stages: tuple[Stage, ...], step: int) -> None:
    broken = advanced(training(config(stages)), step)
    assert same(finished(broken), finished(training(config(stages))))


def test_a_caller_may_leave_during_the_warm_start_and_come_back() -> None:
    broken = training(config())
    next(iter(broken))
    assert same(finished(broken), finished(training(config())))


def test_a_run_is_a_function_of_settings_data_and_noise() -> None:
    assert same(finished(training(config())), finished(training(config())))
    assert not same(finished(training(config())), finished(training(config(), DeterministicNoise(4))))
    assert not same(finished(training(config())), finished(training(config(seed=2))))
    assert not same(finished(training(config())), finished(training(config(), key=UnitKey(bytes(31) + b"1"))))
    torch.manual_seed(99)
    assert same(finished(training(config())), finished(training(config())))


@pytest.mark.parametrize("step", [0, 1, 3])
def test_critics_are_not_taken_up_again_under_another_key(step: int) -> None:
    state = copy.deepcopy((advanced(training(config()), step) if step else training(config())).state_dict())
    with pytest.raises(PrivacyError, match="the key that the run began with"):
        training(config(), state=state, key=UnitKey(bytes(31) + b"1"))
    assert same(finished(training(config(), state=state, key=UnitKey(bytes(32)))), finished(training(config())))


def test_a_state_holds_a_digest_of_the_key_and_not_the_key() -> None:
    state = advanced(training(config()), 1).state_dict()
    assert state["critics"]["dealt_by"] == KEY.digest
    assert KEY.to_hex() not in repr(state)


def test_a_run_leaves_the_global_random_stream_alone() -> None:
    before = torch.get_rng_state()
    finished(training(config(TWO)))
    assert torch.equal(before, torch.get_rng_state())


def test_a_finished_run_spends_nothing_more() -> None:
    done = finished(training(config()))
    assert list(done) == []
    with pytest.raises(PrivacyError, match="spent"):
        done.releaser.release(STEPS, lambda coins: torch.zeros(3, 2, 1, 8, 8))


def test_secret_noise_of_one_run_is_refused_in_another() -> None:
    noise = KeyedNoise()
    finished(training(config(), noise))
    with pytest.raises(PrivacyError, match="noise object of its own"):
        finished(training(config(), noise))


def test_every_step_is_charged_once_in_order_and_lost_steps_end_the_run_earlier() -> None:
    charged: list[int] = []
    finished(training(config(), charge=charged.append))
    assert charged == [0, 1, 2, 3]
    state = copy.deepcopy(advanced(training(config()), 1).state_dict())
    charged.clear()
    resumed = finished(training(config(), state=state, lost_steps=(1,), charge=charged.append))
    assert charged == [1, 2]
    assert resumed.step == 3


# ---- warm start -----------------------------------------------------------------------------------------------------


class Shelf:
    """A store in memory that remembers what was asked of it."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Tensor]] = {}
        self.saved: list[str] = []

    def load(self, name: str) -> dict[str, Tensor] | None:
        return self.kept.get(name)

    def save(self, name: str, critics: dict[str, Tensor]) -> None:
        self.saved.append(name)
        self.kept[name] = {weight: tensor.clone() for weight, tensor in critics.items()}

    def place(self, name: str) -> None:
        """None: critics stay in memory."""


@pytest.mark.parametrize("stages", [ONE, TWO, TWO[1:]])
def test_warm_starts_do_not_depend_on_who_computes_them_or_in_which_order(stages: tuple[Stage, ...]) -> None:
    """Two processes keep the chunks that one would keep, in the leader's store; one that is kept is not done again."""
    mine, shared = Shelf(), Shelf()
    alone = finished(training(config(stages), store=mine))

    def lead(crew: AbstractCrew) -> GSWGANTraining:
        return finished(training(config(stages), store=shared, crew=crew))

    def assist(crew: AbstractCrew) -> None:
        training(config(stages), store=Shelf(), crew=crew).help()

    shared.kept = {name: mine.kept[name] for name in list(mine.kept)[:1]}
    assert same(together(2, lead, assist), alone)
    assert shared.saved == mine.saved[1:]
    for name, critics in mine.kept.items():
        assert all(torch.equal(tensor, shared.kept[name][weight]) for weight, tensor in critics.items())


@pytest.mark.parametrize("size", [1, 2])
def test_records_are_let_go_when_the_last_stage_has_seen_them(size: int) -> None:
    """Of them a process keeps what its own critics see, from then on, and no stage before the last lets them go."""

    def held_in(crew: AbstractCrew) -> tuple[GSWGANTraining, weakref.ref[RecordSet]]:
        given = images()
        made = GSWGANTraining(config(TWO), given, DeterministicNoise(3), RunContext(delta=1e-3, key=KEY, crew=crew))
        return made, weakref.ref(given)

    def lead(crew: AbstractCrew) -> list[tuple[int, bool]]:
        made, held = held_in(crew)
        return [(report.stage, held() is not None) for report in made]

    def assist(crew: AbstractCrew) -> None:
        made, held = held_in(crew)
        assert held() is not None
        made.help()
        assert held() is None

    found = lead(Alone()) if size == 1 else together(size, lead, assist)
    assert {is_held for stage, is_held in found if stage == 0} == {True}
    assert {is_held for stage, is_held in found if stage == 1} == {False}


def test_a_loop_that_is_left_and_taken_up_needs_no_records_again() -> None:
    made = training(config())
    for report in made:
        if isinstance(report, StepReport):
            break
    assert same(finished(made), finished(training(config())))


def test_critics_that_are_asked_one_by_one_need_no_trial_of_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    sought = config(critics_per_draw=2.0)
    assert find_chunk_size(sought, images().spec, RunContext(delta=1e-3)) >= 1
    monkeypatch.setattr(trained_side, "WIDE_NETWORK", 1)
    monkeypatch.setattr(PrivateCritics, "answer", None)  # nobody is asked
    assert find_chunk_size(sought, images().spec, RunContext(delta=1e-3)) == sought.critics_at_once


def test_chunks_cover_every_critic_once() -> None:
    chunks = chunks_of(config(), 0)
    assert torch.cat([chunk.critics() for chunk in chunks]).tolist() == list(range(7))


@pytest.mark.parametrize("kind", [AgainstPresentGenerator, AgainstOwnGenerator])
def test_a_warm_start_may_be_left_out(kind: type[AgainstPresentGenerator | AgainstOwnGenerator]) -> None:
    start = kind(num_updates=0)
    made = training(config((Stage(critic=MLP, warm_start=start),), fork_steps=0, renewals_per_step=0))
    critics = advanced(made, STEPS - 1).state_dict()["critics"]["critics"]
    assert not bool(critics["num_updates"].any())


@pytest.mark.parametrize("kind", [AgainstPresentGenerator, AgainstOwnGenerator])
def test_a_negative_number_of_updates_is_bad_input(kind: type) -> None:
    with pytest.raises(InputError, match="num_updates"):
        kind(num_updates=-1)


# ---- schedule, steps and reports ------------------------------------------------------------------------------------


def test_critics_are_renewed_in_turn_whoever_was_drawn() -> None:
    made = training(config(renewals_per_step=3, fork_steps=3))
    updates = []
    for report in made:
        if isinstance(report, StepReport) and made.step < STEPS:
            updates.append(made.state_dict()["critics"]["critics"]["num_updates"].tolist())
    assert updates == [[3, 3, 3, 2, 2, 2, 2], [3, 3, 3, 3, 3, 3, 2], [4, 4, 3, 3, 3, 3, 3]]


def test_reports_come_in_order_and_say_nothing_when_no_critic_was_renewed() -> None:
    reports = list(training(config(TWO, renewals_per_step=0)))
    warm = [report for report in reports if isinstance(report, WarmStartReport)]
    steps = [report for report in reports if isinstance(report, StepReport)]
    assert [(report.stage, report.num_ready) for report in warm] == [(0, 3), (0, 6), (0, 7), (1, 3), (1, 6), (1, 7)]
    assert [(report.step, report.stage) for report in steps] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    assert all(math.isnan(report.critic_loss) for report in steps)
    assert all(math.isfinite(report.answer_norm) for report in steps)


def test_the_generator_climbs_along_the_released_vectors() -> None:
    made = training(config(generator_adam=replace(config().generator_adam, learning_rate=1e-3)))
    direction = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    class Constant:
        def release(self, step: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
            return direction

    made.releaser = Constant()  # type: ignore[assignment]
    before = (made._public.samples(0)[0].detach() * direction).sum()
    advanced(made, 1)
    after = (made._public.samples(0)[0].detach() * direction).sum()
    assert after > before


def test_the_released_weights_are_the_moving_average_with_warm_up() -> None:
    made, average = training(config(moving_average=0.6)), {}
    for report in made:
        if isinstance(report, StepReport):
            weights = {name: tensor.clone() for name, tensor in made.state_dict()["generator"]["network"].items()}
            decay = min(0.6, 1 - 1 / (report.step + 1))
            average = {
                name: torch.lerp(average.get(name, tensor), tensor, 1 - decay) for name, tensor in weights.items()
            }
    for name, tensor in made.trained().weights.items():
        assert torch.allclose(tensor, average[name], atol=1e-6)


def test_the_learning_rate_falls_along_a_cosine_to_its_final_fraction(monkeypatch: pytest.MonkeyPatch) -> None:
    made, rates = training(config(final_learning_rate=0.1)), []
    whole = made.config.generator_adam.learning_rate
    monkeypatch.setattr(made._public.optimiser, "step", lambda rate: rates.append(rate / whole))
    for _ in made:
        pass
    assert rates == pytest.approx([0.1 + 0.45 * (1 + math.cos(math.pi * step / 4)) for step in range(4)])


@pytest.mark.parametrize(
    "settings",
    [
        config(latent=BernoulliLatent(dim=4)),
        config(generator=ResNetGeneratorConfig(width=4)),
        config((Stage(critic=CONV, warm_start=ONE[0].warm_start),), draws_per_step=1),
        config(draws_per_step=6, renewals_per_step=7, critics_at_once=100),
    ],
)
def test_other_networks_laws_and_groupings_train_to_the_end(settings: GSWGANConfig) -> None:
    done = finished(training(settings))
    assert done.step == STEPS
    assert all(bool(tensor.isfinite().all()) for tensor in done.trained().weights.values())


def test_images_without_labels_train_to_the_end() -> None:
    done = finished(GSWGANTraining(config(TWO), images(labelled=False), DeterministicNoise(0), RunContext(delta=1e-3)))
    assert done.trained().sample(2)[1] is None


def test_answers_stay_in_float32_when_the_rest_runs_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    made = training(config(), precision=torch.bfloat16)
    seen: list[Tensor] = []
    honest = made.releaser.release
    monkeypatch.setattr(
        made.releaser, "release", lambda step, ask: honest(step, lambda c: seen.append(ask(c)) or seen[-1])
    )
    finished(made)
    assert {answer.dtype for answer in seen} == {torch.float32}
    assert all(tensor.dtype == torch.float32 for tensor in made.trained().weights.values())
    assert any(not torch.equal(answer, answer.bfloat16().float()) for answer in seen)


# ---- what is claimed, and what is refused ---------------------------------------------------------------------------


def test_the_statement_is_that_of_the_plan_that_ran_whatever_the_step() -> None:
    made = training(config(TWO), public_notes=("a note",))
    claim = finished(made).trained().statement
    assert claim == training(config(TWO), public_notes=("a note",)).trained().statement
    assert claim == plan(config(TWO), PublicSlots(20)).statement(
        ClaimTerms(delta=1e-3, method="gs-wgan", sample_size=64, is_secure=False, public_inputs=("a note",))
    )
    assert training(config(), KeyedNoise()).trained().statement.is_secure


def test_calibrated_settings_keep_within_their_budget() -> None:
    budget = PrivacyBudget(epsilon=3.0, delta=1e-3)
    settings = GS_WGAN.calibrate(config(noise_multiplier=None), PublicSlots(20), budget)
    assert 2.9 < plan(settings, PublicSlots(20)).budget_at(1e-3).epsilon <= 3.0
    assert replace(settings, noise_multiplier=None) == config(noise_multiplier=None)


def test_slots_that_stand_empty_change_no_more_than_the_price() -> None:
    """Shards of nobody answer nothing; the run goes to its end."""
    given = training(config(), slots=PublicSlots(500))
    assert given.plan.num_slots == given.statement.num_slots == 500
    assert same(finished(given), finished(training(config())))
    with pytest.raises(InputError, match="more records than that"):
        training(config(), slots=PublicSlots(19))


def test_without_a_number_of_slots_the_records_are_counted_and_a_replacement_is_all_that_is_claimed() -> None:
    counted = training(config(), slots=None).statement
    given = training(config()).statement
    assert (counted.num_slots, counted.adjacency) == (20, Adjacency.REPLACE_ONE)
    assert (given.num_slots, given.adjacency) == (20, Adjacency.SLOT)
    assert counted == plan(config(), PublicSlots(20, source=CountSource.READ)).statement(
        ClaimTerms(delta=1e-3, method="gs-wgan", sample_size=64, is_secure=False)
    )


def test_fewer_records_than_critics_is_bad_input() -> None:
    with pytest.raises(InputError, match="--num-critics 6"):
        GSWGANTraining(config(), images(6), DeterministicNoise(0), RunContext(delta=1e-3))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("critic_batch_size", 0),
        ("pool_per_class", 0),
        ("critics_at_once", 0),
        ("fork_steps", -1),
        ("renewals_per_step", -1),
        ("renewal_steps", -1),
        ("final_learning_rate", 1.1),
        ("moving_average", -0.1),
        ("moving_average", math.nan),
        ("stages", ()),
    ],
)
def test_a_setting_out_of_range_is_bad_input_that_names_it(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        config(**{name: value})


@pytest.mark.parametrize("share", [0.0, -1.0, math.inf, math.nan])
def test_a_share_that_is_no_positive_number_is_bad_input(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        Stage(share=share)


def test_stages_share_out_all_steps_and_a_stage_too_short_for_a_step_is_passed_over() -> None:
    stages = (Stage(critic=MLP, share=3), Stage(critic=CONV, share=1e-9), Stage(critic=MLP, share=1))
    assert config(stages).stage_starts() == (0, 3, 3, 4)
    reports = [r for r in training(config(stages)) if isinstance(r, StepReport)]
    assert [report.stage for report in reports] == [0, 0, 0, 2]


# ---- a generator taken on the way -----------------------------------------------------------------------------------


def test_what_is_taken_on_the_way_is_the_average_then_priced_for_the_steps_until_then() -> None:
    made = advanced(training(config(), public_notes=("a note",)), 2)
    taken = made.trained_so_far()
    average = {name: tensor.clone() for name, tensor in made.state_dict()["generator"]["average"].items()}
    finished(made)
    assert all(torch.equal(taken.weights[name], average[name]) for name in average)
    assert taken.statement == plan(config(num_steps=2), PublicSlots(20)).statement(
        ClaimTerms(
            delta=1e-3,
            method="gs-wgan",
            sample_size=64,
            is_secure=False,
            public_inputs=("a note",),
            num_planned_steps=STEPS,
        )
    )
    assert 0 < taken.statement.epsilon < made.trained().statement.epsilon
    assert "after 2 of the 4 steps" in taken.statement.covered[0]
    assert made.trained_so_far().statement.epsilon == made.trained().statement.epsilon


def test_steps_that_were_lost_are_in_the_price_of_what_is_taken_on_the_way() -> None:
    state = copy.deepcopy(advanced(training(config()), 1).state_dict())
    unbroken = training(config(), state=state).trained_so_far().statement
    resumed = training(config(), state=state, lost_steps=(1, 2))
    assert resumed.num_paid_steps == 3
    statement = resumed.trained_so_far().statement
    assert dict(statement.parameters)["num_steps"] == 3
    assert statement.epsilon == plan(config(num_steps=3), PublicSlots(20)).budget_at(1e-3).epsilon > unbroken.epsilon


def test_a_generator_that_learnt_nothing_cannot_be_taken() -> None:
    with pytest.raises(InputError, match="at least one step"):
        training(config()).trained_so_far()


# ---- speed and memory ------------------------------------------------------------------------------------------------


CONVOLUTIONAL = (replace(TWO[0], share=1.0),)


def answered(monkeypatch: pytest.MonkeyPatch, wide: int) -> tuple[dict[str, Tensor], Tensor]:
    """Critics after a renewal and the answers of three, if those of so many weights are computed by themselves."""
    monkeypatch.setattr(trained_side, "WIDE_NETWORK", wide)
    made = advanced(training(config(CONVOLUTIONAL, renewals_per_step=5)), 1)
    samples, labels = made._public.samples(1)
    view = CONVOLUTIONAL[0].view
    question = made._question(view.apply(samples), labels, made._public.pool(view, 1), 1)
    groups = torch.tensor([0, 1, 2])
    answers = whole(made._critics.answer(torch.tensor([0, 3, 6]), groups, question), groups)
    return made.state_dict()["critics"]["critics"], answers


def test_critics_that_are_computed_one_by_one_learn_and_answer_as_stacked_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    (critics, alone), (stacked, together) = answered(monkeypatch, 1), answered(monkeypatch, 10**9)
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4)
    for name, tensor in critics.items():
        torch.testing.assert_close(tensor, stacked[name], rtol=1e-3, atol=1e-4)


def test_samples_that_are_drawn_a_few_at_a_time_are_those_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = training(config(pool_per_class=20, generator=ResNetGeneratorConfig(width=4)))
    whole = made._public.pool(ONE[0].view, 1)
    monkeypatch.setattr(public_generator, "_WIDE_NETWORK", 1)
    torch.testing.assert_close(made._public.pool(ONE[0].view, 1), whole, rtol=1e-5, atol=1e-6)


def test_no_sample_is_drawn_for_a_warm_start_that_reads_none(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    plain = PublicGenerator._drawn

    def spied(self: PublicGenerator, latent: Tensor, labels: Tensor | None) -> Tensor:
        drawn.append(len(latent))
        return plain(self, latent, labels)

    monkeypatch.setattr(PublicGenerator, "_drawn", spied)
    next(iter(training(config((replace(TWO[1], share=1.0),)))))
    assert not drawn
    next(iter(training(config())))
    assert drawn == [8 * 2 * 2]
