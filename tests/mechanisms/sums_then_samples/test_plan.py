"""Sums and then Poisson samples in one composition: price, noise, gates, lost steps; against two other accountants."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from dp_accounting import NeighboringRelation, rdp
from scipy import fft, optimize, stats

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_shot.contributions import AbstractContribution, GroupedMoments, GroupedVectors, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.neighbours import ComingOrLeaving
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import units_of_records
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.mechanisms.sums_then_samples.split import Split
from gossamer.privacy import Adjacency, PrivacyBudget, Unit, epsilon_by_pld
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.events import GaussianPart, PoissonPart, ReplacedPoissonPart, flatten, gaussian_event
from gossamer.privacy.restated import event_of, is_in_keeping, is_same_event
from gossamer.privacy.slots import CountSource

SLOTS, DELTA = 400, 1e-4
MOMENTS = GroupedMoments(num_groups=3, dim=4, radius=2.0, count_weight=1.0, mean_weight=1.0)
SQUARES = GroupedMoments(num_groups=3, dim=3, radius=0.5, square_weight=1.0)


def plan(source: CountSource = CountSource.GIVEN, unit: Unit = Unit.RECORD, **changes: Any) -> SumsThenSamplesPlan:
    shared: dict[str, Any] = {"unit": unit, "num_slots": SLOTS, "source": source, "noise_multiplier": None}
    sums = OneShotPlan(
        releases=(
            Release(name="means", contribution=MOMENTS, share=0.2),
            Release(name="squares", contribution=SQUARES),
        ),
        neighbours=ComingOrLeaving(),
        **shared,
    )
    samples = PoissonPlan(sample_rate=0.1, num_steps=8, clip_norm=0.7, **shared)
    return replace(SumsThenSamplesPlan(sums=sums, samples=samples, **shared), **{"noise_multiplier": 1.5, **changes})


PLAN = plan()
TERMS = ClaimTerms(delta=DELTA, method="labelled-mixture", sample_size=30, is_secure=True)


# ---- the price ------------------------------------------------------------------------------------------------------


def losses(rate: float, noise: float, grid: np.ndarray, *, is_reversed: bool) -> np.ndarray:
    """The loss of one subsampled Gaussian, rounded to the nearest point of a grid, by quadrature."""
    x = np.linspace(-12 * noise, 12 * noise + 1, 400_001)
    base, moved = stats.norm.logpdf(x, 0, noise), stats.norm.logpdf(x, 1, noise)
    mixed = np.logaddexp(math.log1p(-rate), math.log(rate) + moved - base) + base if rate < 1 else moved
    first, second = (base, mixed) if is_reversed else (mixed, base)
    mass = np.exp(first) * (x[1] - x[0])
    place = np.clip(np.rint((first - second - grid[0]) / (grid[1] - grid[0])), 0, len(grid) - 1).astype(int)
    return np.bincount(place, weights=mass, minlength=len(grid))


def spare_delta(mass: np.ndarray, grid: np.ndarray, delta: float, epsilon: float) -> float:
    """Delta at an epsilon, less the one asked for."""
    return float((mass * -np.expm1(np.minimum(0.0, epsilon - grid))).sum()) - delta


def by_convolution(priced: SumsThenSamplesPlan, delta: float) -> float:
    """Epsilon of the composition by an own Fourier transform of losses, the larger of the two orders."""
    half = 2**17
    grid = 2e-4 * np.arange(-half, half)
    found = []
    for is_reversed in (False, True):
        transform = np.ones(len(grid), dtype=complex)
        for part in flatten(priced.event):
            rate = 1.0 if isinstance(part, GaussianPart) else part.sample_rate  # type: ignore[union-attr]
            mass = losses(rate, part.noise_multiplier, grid, is_reversed=is_reversed)
            transform *= fft.fft(np.roll(mass, -half)) ** part.count
        mass = np.roll(np.real(fft.ifft(transform)), half).clip(0)
        spare = functools.partial(spare_delta, mass, grid, delta)
        found.append(float(optimize.brentq(spare, 0, 20)))
    return max(found)


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_the_price_is_that_of_an_own_convolution_and_below_renyi(noise: float) -> None:
    priced = plan(noise_multiplier=noise)
    epsilon = priced.budget_at(DELTA).epsilon
    assert epsilon == pytest.approx(by_convolution(priced, DELTA), abs=0.015)
    accountant = rdp.RdpAccountant(neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE).compose(priced.event)
    assert epsilon <= accountant.get_epsilon(DELTA) <= 1.4 * epsilon


def test_a_teacher_that_is_not_paid_for_is_caught() -> None:
    """The break: the price of the sums alone for the whole run."""

    class Unpaid(SumsThenSamplesPlan):
        def _event_with(self, noise_multiplier: float) -> Any:
            return self._parts(noise_multiplier)[0].event

    unpaid = Unpaid(**vars(PLAN))
    honest = by_convolution(PLAN, DELTA)
    assert PLAN.budget_at(DELTA).epsilon >= honest - 0.015
    assert unpaid.budget_at(DELTA).epsilon < honest - 0.2
    # What the statement prints does not describe the event that it carries.
    assert is_in_keeping(PLAN.statement(TERMS)) is True
    assert is_in_keeping(unpaid.statement(TERMS)) is False


def test_both_parts_together_cost_about_one_gaussian_of_the_multiplier_and_each_its_share() -> None:
    for source, noise in itertools.product(CountSource, (0.8, 4.0)):
        priced = plan(source, noise_multiplier=noise, split=Split(share=0.4))
        whole = epsilon_by_pld(gaussian_event(noise_multiplier=noise), DELTA).epsilon
        assert priced.budget_at(DELTA).epsilon == pytest.approx(whole, rel=0.25)
        sums = epsilon_by_pld(gaussian_event(noise_multiplier=noise / math.sqrt(0.6)), DELTA).epsilon
        assert priced.of_sums.budget_at(DELTA).epsilon == pytest.approx(sums, rel=1e-6)


def test_sums_come_first_and_the_event_names_every_part() -> None:
    parts = list(flatten(PLAN.event))
    assert [type(part) for part in parts] == [GaussianPart, GaussianPart, PoissonPart]
    assert (parts[2].sample_rate, parts[2].count) == (0.1, 8)  # type: ignore[union-attr]
    assert (PLAN.num_sums, PLAN.num_samples, PLAN.num_steps) == (2, 8, 10)
    assert PLAN.step_names == ("means", "squares")
    assert PLAN.stops == (1, 2)


# ---- which change of the data ---------------------------------------------------------------------------------------


def test_a_given_number_of_slots_has_noise_for_who_comes_or_leaves() -> None:
    assert PLAN.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    multiplier = 1.5 / math.sqrt(0.5)
    stds = [PLAN.of_sums.release_noise_std(step) for step in range(2)]
    dilutions = [math.sqrt(1.2 / 0.2), math.sqrt(1.2)]
    assert stds == pytest.approx([math.sqrt(2) * multiplier * dilutions[0], 1.0 * multiplier * dilutions[1]])


def test_a_counted_number_of_slots_has_noise_for_a_replacement() -> None:
    counted = plan(CountSource.READ)
    assert counted.adjacency is Adjacency.REPLACE_ONE
    assert isinstance(list(flatten(counted.event))[2], ReplacedPoissonPart)
    for step in range(2):
        given, read = (one.of_sums.release_noise_std(step) for one in (PLAN, counted))
        assert read == pytest.approx(math.sqrt(2) * given)
    # The same noise on gradients would cost more for a replacement, so the split gives them more of it.
    assert counted.of_samples.noise_std > 1.2 * PLAN.of_samples.noise_std


def test_parts_of_another_promise_or_other_slots_are_refused() -> None:
    assert PLAN.sums is not None
    assert PLAN.samples is not None
    for change in (
        {"sums": replace(PLAN.sums, neighbours=OneShotPlan.__dataclass_fields__["neighbours"].default_factory())},  # type: ignore[misc]
        {"sums": replace(PLAN.sums, num_slots=SLOTS + 1)},
        {"samples": replace(PLAN.samples, source=CountSource.READ)},
        {"sums": None, "samples": None},
    ):
        with pytest.raises(InputError, match="sums"):
            replace(PLAN, **change)


def test_among_more_slots_the_event_stays_and_the_units_are_a_smaller_share() -> None:
    more = PLAN.among(4 * SLOTS)
    assert (more.num_slots, more.of_sums.num_slots, more.of_samples.num_slots) == (4 * SLOTS,) * 3
    assert more.event == PLAN.event
    assert more.training_share == PLAN.training_share / 4
    assert more.of_samples.sample_rate == PLAN.of_samples.sample_rate
    alone = PLAN.paid_for(1).among(2 * SLOTS)
    assert (alone.samples, alone.num_slots, alone.event) == (None, 2 * SLOTS, PLAN.paid_for(1).event)


def test_the_statement_names_both_parts_and_the_weaker_promise_and_is_read_back() -> None:
    claim = PLAN.statement(TERMS)
    assert "2 sums, one after the other, over all slots" in claim.mechanism
    assert "Poisson sample (DP-SGD)" in claim.mechanism
    assert claim.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    assert "a weaker promise than for one replaced" in claim.mechanism
    assert claim.epsilon_replaced is not None
    assert claim.epsilon_replaced > 1.5 * claim.epsilon
    assert is_same_event(event_of(claim), PLAN.event)
    assert is_in_keeping(claim) is True
    counted = plan(CountSource.READ).statement(TERMS)
    assert "weaker" not in counted.mechanism
    assert is_in_keeping(counted) is True


def test_the_statement_says_what_is_learnt_from_each_part_that_was_paid_for() -> None:
    named = plan(from_sums="the mixture", from_samples="the teacher")
    assert "the mixture, by Gaussian noise on 2 sums" in named.statement(TERMS).mechanism
    assert "the teacher, by Gaussian noise on the sum of the clipped gradients" in named.statement(TERMS).mechanism
    assert "teacher" not in named.first_steps(2).statement(TERMS).mechanism
    assert named.event == PLAN.event


def test_sums_alone_are_priced_for_a_replacement_by_twice_the_move() -> None:
    """A Gaussian does not tell what it was priced for: the claim does, and the price of a replacement follows."""
    claim = PLAN.first_steps(2).statement(TERMS)
    assert claim.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    halved = epsilon_by_pld(gaussian_event(noise_multiplier=PLAN.of_sums.noise_std / 2), DELTA).epsilon
    assert claim.epsilon_replaced == pytest.approx(halved, rel=1e-6)
    assert is_in_keeping(claim) is True


# ---- a unit that comes or leaves ------------------------------------------------------------------------------------


def farthest(contribution: AbstractContribution, num_rows: int) -> float:
    """The longest contribution of a unit of so many records, over the grids of the door, over random and long ones."""
    rng = torch.Generator().manual_seed(1)
    found = 0.0
    for trial in range(60):
        vectors = 10 * torch.randn(num_rows, contribution.dim, generator=rng, dtype=torch.float64)
        groups = torch.zeros(num_rows, dtype=torch.int64) if trial % 2 else torch.arange(num_rows) % 3
        if trial % 4 > 1:
            vectors = vectors[:1].expand_as(vectors)
        rows = Slots(vectors=vectors, groups=groups)
        of_records = contribution.total(Slots(vectors=vectors[:1], groups=groups[:1]))
        of_person = contribution.averaged(rows).double() * contribution.person_grid.spacing
        found = max(found, float(of_records.norm()), float(of_person.norm()))
    return found


@pytest.mark.parametrize("contribution", [MOMENTS, SQUARES, GroupedVectors(num_groups=3, dim=5, radius=0.3)])
@pytest.mark.parametrize("num_rows", [1, 4])
def test_a_unit_that_comes_moves_a_sum_by_its_radius_at_most(contribution: Any, num_rows: int) -> None:
    bound = ComingOrLeaving().distance(contribution, CountSource.GIVEN)
    assert farthest(contribution, num_rows) <= bound * (1 + 1e-12)
    assert farthest(contribution, num_rows) > 0.99 * bound
    assert ComingOrLeaving().distance(contribution, CountSource.READ) == contribution.sensitivity > bound


def test_noise_by_half_the_radius_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ComingOrLeaving, "distance", lambda self, contribution, source: contribution.norm_bound / 2)
    with pytest.raises(AssertionError):
        test_a_unit_that_comes_moves_a_sum_by_its_radius_at_most(MOMENTS, 1)


# ---- one gate -------------------------------------------------------------------------------------------------------


def doors(gate: StepGate) -> tuple[OneShotReleaser, PoissonReleaser]:
    noise = DeterministicNoise(0)
    sums = OneShotReleaser(PLAN.of_sums, noise, gate=gate.of_part(PLAN.of_sums))
    records = (torch.ones(SLOTS, 1),)
    part = gate.of_part(PLAN.of_samples)
    return sums, PoissonReleaser(PLAN.of_samples, units_of_records(SLOTS), records, noise, gate=part)


def ask(door: Any, step: int) -> Any:
    if isinstance(door, OneShotReleaser):
        return door.release(
            step, [Slots(vectors=torch.zeros(1, (4, 3)[step]), groups=torch.zeros(1, dtype=torch.int64))]
        )
    return door.release(step, {"w": torch.zeros(1)}, lambda parameters, x: (parameters["w"] * x[:, 0]).square())


def test_a_door_takes_no_step_of_the_other_part() -> None:
    charged: list[int] = []
    gate = StepGate(PLAN, charge=charged.append)
    sums, samples = doors(gate)
    with pytest.raises(PrivacyError, match="of another part"):
        ask(samples, 0)
    for step in (0, 1):
        ask(sums, step)
    with pytest.raises(PrivacyError, match="of another part"):
        sums.release(2, [])
    for step in range(2, 10):
        ask(samples, step)
    assert charged == list(range(10))
    with pytest.raises(PrivacyError, match="of another part"):
        ask(samples, 10)


def test_a_gate_that_does_not_know_the_parts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: the gate of the whole run for both doors."""
    monkeypatch.setattr(StepGate, "of_part", lambda self, part: self)
    with pytest.raises(PrivacyError, match="part"):
        doors(StepGate(PLAN))
    monkeypatch.setattr(StepGate, "check_pays_for", lambda self, plan: None)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_a_door_takes_no_step_of_the_other_part()


def test_the_gate_knows_parts_of_its_own_plan_alone() -> None:
    other = plan(noise_multiplier=2.0)
    for part in (other.of_sums, other.of_samples, other):
        with pytest.raises(PrivacyError, match="of another plan"):
            StepGate(PLAN).of_part(part)


# ---- lost steps -----------------------------------------------------------------------------------------------------


@functools.cache
def price(paid: SumsThenSamplesPlan) -> float:
    return paid.budget_at(DELTA).epsilon


def test_steps_lost_in_crashes_never_cost_more_than_the_plan() -> None:
    whole = price(PLAN)
    for step, lost in (
        (0, (0,)), (1, (1,)), (1, (0, 0)), (2, (0,)), (2, (2,)), (5, (5, 6)), (6, (5, 5, 5)), (0, (0, 1)),
    ):  # fmt: skip
        end = PLAN.end_step(step, lost)
        assert end >= step
        assert price(PLAN.paid_for(end, lost)) <= whole * (1 + 1e-9)
        if max(lost) > 1:
            assert end == 10 - len(lost)
        else:
            assert end <= 2
    assert PLAN.end_step(0) == 10


def test_a_lost_sum_priced_as_a_lost_sample_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        SumsThenSamplesPlan, "end_step", lambda self, step, lost=(): max(step, self.num_steps - len(lost))
    )
    with pytest.raises(AssertionError):
        test_steps_lost_in_crashes_never_cost_more_than_the_plan()


def test_paid_steps_keep_their_noise() -> None:
    paid = PLAN.paid_for(7, (3, 0))
    assert (paid.num_sums, paid.num_samples) == (3, 6)
    assert paid.of_samples.noise_multiplier == PLAN.of_samples.noise_multiplier
    kept = [part.noise_multiplier for part in flatten(paid.event) if isinstance(part, GaussianPart)]
    mine = [PLAN.of_sums.release_multiplier(step) for step in (0, 1, 0)]
    assert kept == pytest.approx(mine)
    with pytest.raises(InputError, match="nothing to price"):
        PLAN.paid_for(0)
    with pytest.raises(InputError, match="no sample"):
        _ = PLAN.first_steps(2).of_samples


@pytest.mark.parametrize("epsilon", [0.5, 8.0])
@pytest.mark.parametrize("source", CountSource)
def test_it_is_calibrated_to_a_budget(epsilon: float, source: CountSource) -> None:
    found = plan(source, noise_multiplier=None).calibrated(PrivacyBudget(epsilon=epsilon, delta=DELTA))
    assert 0.99 * epsilon < found.budget_at(DELTA).epsilon <= epsilon
