"""`gossamer account`: epsilon from settings, or noise from a budget; touches no data."""

from __future__ import annotations

import abc
import functools
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dp_accounting import DpEvent
from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import Numbers, choose, read_arguments
from gossamer.errors import InputError
from gossamer.privacy.accounting import (
    calibrate_noise_multiplier,
    calibrate_noise_multiplier_by_fixed_pair,
    calibrate_noise_multiplier_by_rdp,
    epsilon_by_pld,
    epsilon_by_rdp,
    fixed_pair_epsilon,
    num_steps_for_budget,
)
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.events import (
    check_count,
    gaussian_event,
    one_of_many_event,
    poisson_event,
    under_replacement,
)
from gossamer.privacy.gaussian_dp import mu_of
from gossamer.privacy.priceable import accountable, check_accountable
from gossamer.privacy.published import (
    PUBLISHED_CAVEAT,
    PUBLISHED_DP_CGAN_CAVEAT,
    published_dp_cgan_epsilon,
    published_gs_wgan_epsilon,
)
from gossamer.privacy.statement import shown_epsilon


@dataclass(frozen=True, kw_only=True)
class AbstractAccount(abc.ABC):
    """What the accounts of all methods are asked for."""

    delta: float = 1e-5
    noise_multiplier: Numbers = ()
    num_steps: int | None = None
    epsilon: Numbers = ()
    json: bool = False

    @abc.abstractmethod
    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """What so many steps with that noise do to privacy."""

    @abc.abstractmethod
    def check(self) -> None:
        """Refuse what cannot be accounted for."""

    @abc.abstractmethod
    def public(self) -> dict[str, Any]:
        """Settings beside noise, steps and budget, and the terms of the guarantee."""

    def published(self, noise: float, steps: int) -> dict[str, Any]:
        """What a published system would claim, and why that does not hold; nothing where there is none."""
        return {}


@dataclass(frozen=True, kw_only=True)
class AccountGSWGAN(AbstractAccount):
    """What GS-WGAN settings cost. Give two of epsilon, noise multiplier and number of steps; the third is computed.

    Several epsilons and noise multipliers together give a table of the steps that each pair allows.

    Example: gossamer account gs-wgan --num-critics 1000 --noise-multiplier 1.07 --num-steps 20000

    Args:
        num_critics: critics, each with a shard of its own (K)
        batch_size: samples answered in a step (B)
        draws_per_step: secret coins in a step (c, a divisor of B); default: one for each sample, 1: as published
        delta: of the guarantee
        noise_multiplier: noise standard deviation over sensitivity; several: 0.8,1.07,1.5
        num_steps: generator updates (T)
        epsilon: budget; several: 1,2,5,10
        num_slots: records protected, if known: a delta of 1/N or more is then refused
        json: print JSON
    """

    num_critics: int
    batch_size: int = 32
    draws_per_step: int | None = None
    num_slots: int | None = None

    @property
    def _draws(self) -> int:
        return self.batch_size if self.draws_per_step is None else self.draws_per_step

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Draws of one of K."""
        return one_of_many_event(
            num_critics=self.num_critics,
            noise_multiplier=noise_multiplier,
            num_steps=num_steps,
            batch_size=self.batch_size,
            draws_per_step=self._draws,
        )

    def check(self) -> None:
        """Refuse what cannot be accounted for."""
        _check_numbers(self, num_critics=self.num_critics, answers=(self.num_steps or 1) * self.batch_size)
        if self.num_slots is not None:
            check_delta(self.delta, self.num_slots)

    def public(self) -> dict[str, Any]:
        """Critics, answers, coins."""
        settings = {"num_critics": self.num_critics, "batch_size": self.batch_size, "delta": self.delta}
        terms = {"adjacency": Adjacency.SLOT.value, "unit": Unit.RECORD.value}
        return settings | {"draws_per_step": self._draws} | terms

    def published(self, noise: float, steps: int) -> dict[str, Any]:
        """The figure of the reference code."""
        published = published_gs_wgan_epsilon(
            num_critics=self.num_critics,
            noise_multiplier=noise,
            num_steps=steps,
            batch_size=self.batch_size,
            delta=self.delta,
        )
        return {"published_epsilon": published, "published_epsilon_caveat": PUBLISHED_CAVEAT}


@dataclass(frozen=True, kw_only=True)
class AccountDPCGAN(AbstractAccount):
    """What DP-CGAN settings cost. Give two of epsilon, noise multiplier and number of steps; the third is computed.

    Example: gossamer account dp-cgan --num-slots 60000 --expected-batch-size 600 --noise-multiplier 1.12
    --num-steps 30300

    Args:
        num_slots: records protected (N)
        expected_batch_size: records that a Poisson sample holds on average (q N)
        clip_norm: bound on a record's gradient; the published accountant confuses it with the noise
        delta: of the guarantee
        noise_multiplier: noise standard deviation over the clip norm; several: 0.8,1.07,1.5
        num_steps: updates of the discriminator (T)
        epsilon: budget; several: 1,2,5,10
        json: print JSON
    """

    num_slots: int
    expected_batch_size: int = 600
    clip_norm: float = 1.1

    @property
    def _rate(self) -> float:
        return self.expected_batch_size / self.num_slots

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Noisy sums over Poisson samples."""
        return poisson_event(sample_rate=self._rate, noise_multiplier=noise_multiplier, num_steps=num_steps)

    def check(self) -> None:
        """Refuse what cannot be accounted for."""
        check_count("num_slots", self.num_slots)
        check_count("expected_batch_size", self.expected_batch_size)
        _check_numbers(self, num_critics=1, answers=self.num_steps or 1)
        check_delta(self.delta, self.num_slots)
        if not 0 < self.clip_norm < math.inf:
            raise InputError(f"--clip-norm must be a positive number, not {self.clip_norm}; 1.1 is the published one")

    def public(self) -> dict[str, Any]:
        """Units and rate."""
        settings = {"num_slots": self.num_slots, "expected_batch_size": self.expected_batch_size, "delta": self.delta}
        terms = {"adjacency": Adjacency.ADD_OR_REMOVE_ONE.value, "unit": Unit.RECORD.value}
        return settings | {"sample_rate": self._rate} | terms

    def published(self, noise: float, steps: int) -> dict[str, Any]:
        """The figure of the reference code."""
        published = published_dp_cgan_epsilon(
            sample_rate=self._rate,
            noise_multiplier=noise,
            clip_norm=self.clip_norm,
            num_steps=steps,
            delta=self.delta,
        )
        return {"published_epsilon": published, "published_epsilon_caveat": PUBLISHED_DP_CGAN_CAVEAT}


@dataclass(frozen=True, kw_only=True)
class AccountOneShot(AbstractAccount):
    """What one Gaussian release costs: epsilon of a noise multiplier, or the noise multiplier that a budget asks for.

    Several releases of one run are worth one, of multiplier (sum of 1 / multiplier^2)^(-1/2).

    Example: gossamer account METHOD --epsilon 1

    Args:
        delta: of the guarantee
        noise_multiplier: noise standard deviation over sensitivity
        num_steps: releases with that noise
        epsilon: budget
        num_slots: records protected, if known: a delta of 1/N or more is then refused
        json: print JSON
    """

    num_steps: int | None = 1
    num_slots: int | None = None

    def event(self, *, noise_multiplier: float, num_steps: int) -> DpEvent:
        """Gaussian releases without sampling."""
        return gaussian_event(noise_multiplier=noise_multiplier, num_releases=num_steps)

    def check(self) -> None:
        """Refuse what cannot be accounted for."""
        _check_numbers(self, num_critics=1, answers=self.num_steps or 1)
        if self.num_slots is not None:
            check_delta(self.delta, self.num_slots)

    def public(self) -> dict[str, Any]:
        """The terms alone."""
        return {"delta": self.delta, "adjacency": Adjacency.SLOT.value, "unit": Unit.RECORD.value}


_SETTINGS = (
    "epsilon_target", "num_critics", "batch_size", "draws_per_step", "num_slots",
    "expected_batch_size", "sample_rate",
)  # fmt: skip

ACCOUNTS: dict[str, type[AbstractAccount]] = {
    "gs-wgan": AccountGSWGAN,
    "dp-cgan": AccountDPCGAN,
    "dp-merf": AccountOneShot,
    "dp-mixture": AccountOneShot,
}
_CHOICES = {
    "gs-wgan": "by number of critics, noise, steps and secret coins",
    "dp-cgan": "by number of records, size of their Poisson samples, noise and steps",
    "dp-merf": "one noisy sum: by its noise",
    "dp-mixture": "a few noisy sums in one budget: by the noise that they are worth together",
}


def run(arguments: Sequence[str]) -> int:
    """Account for a method's settings."""
    name, rest = choose(arguments, _CHOICES, program="account", what="method")
    asked = read_arguments(ACCOUNTS[name], rest, program=f"account {name}")
    asked.check()
    with accountable():
        found = _account(asked)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return 0


def _check_numbers(asked: AbstractAccount, *, num_critics: int, answers: int) -> None:
    for noise, epsilon in itertools.product(asked.noise_multiplier or (None,), asked.epsilon or (None,)):
        check_accountable(num_critics=num_critics, answers=answers, noise_multiplier=noise, epsilon=epsilon)


def _account(asked: AbstractAccount) -> dict[str, Any]:
    match asked.epsilon, asked.noise_multiplier, asked.num_steps:
        case (), (noise,), int(steps):
            found = _epsilon(asked, noise, steps)
        case (epsilon,), (), int(steps):
            found = _noise(asked, PrivacyBudget(epsilon=epsilon, delta=asked.delta), steps)
        case (epsilon,), (noise,), None:
            [[steps]] = _steps_allowed(asked)
            found = {"num_steps": {"pld": steps}, "epsilon_target": epsilon, "noise_multiplier": noise}
        case (_, *_), (_, *_), None:
            given = {"epsilon_target": list(asked.epsilon), "noise_multiplier": list(asked.noise_multiplier)}
            found = {"num_steps": {"pld": _steps_allowed(asked)}} | given
        case ((_, _, *_), _, _) | (_, (_, _, *_), _):
            raise InputError("several values are for --epsilon together with --noise-multiplier: leave --num-steps out")
        case _:
            raise InputError("give exactly two of --epsilon, --noise-multiplier and --num-steps; the third is computed")
    return found | asked.public()


def _steps_allowed(asked: AbstractAccount) -> list[list[int]]:
    """A row for each noise multiplier, with a number of steps for each epsilon; 0 where not one step is within it."""
    budgets = [PrivacyBudget(epsilon=epsilon, delta=asked.delta) for epsilon in asked.epsilon]
    of_noise = (functools.partial(_event_of_steps, asked, noise) for noise in asked.noise_multiplier)
    return [[num_steps_for_budget(of_steps, budget) for budget in budgets] for of_steps in of_noise]


def _event_of_steps(asked: AbstractAccount, noise_multiplier: float, num_steps: int) -> DpEvent:
    return asked.event(noise_multiplier=noise_multiplier, num_steps=num_steps)


def _epsilon(asked: AbstractAccount, noise: float, steps: int) -> dict[str, Any]:
    event = asked.event(noise_multiplier=noise, num_steps=steps)
    epsilons = {
        "pld": epsilon_by_pld(event, asked.delta).epsilon,
        "rdp": epsilon_by_rdp(event, asked.delta).epsilon,
    }
    if isinstance(asked, AccountGSWGAN):
        epsilons["fixed_pair"] = fixed_pair_epsilon(event, asked.delta).epsilon
    if isinstance(asked, AccountDPCGAN):
        epsilons["replaced"] = epsilon_by_pld(under_replacement(event), asked.delta).epsilon
    found = {"epsilon": epsilons, "noise_multiplier": noise, "num_steps": steps, "mu": mu_of(event, asked.delta)}
    return found | asked.published(noise, steps)


def _noise(asked: AbstractAccount, budget: PrivacyBudget, steps: int) -> dict[str, Any]:
    def of_noise(noise: float) -> DpEvent:
        return asked.event(noise_multiplier=noise, num_steps=steps)

    multipliers = {
        "pld": calibrate_noise_multiplier(of_noise, budget).noise_multiplier,
        "rdp": calibrate_noise_multiplier_by_rdp(of_noise, budget).noise_multiplier,
    }
    if isinstance(asked, AccountGSWGAN):
        multipliers["fixed_pair"] = calibrate_noise_multiplier_by_fixed_pair(of_noise, budget).noise_multiplier
    published = asked.published(multipliers["pld"], steps)
    return {"noise_multiplier": multipliers, "epsilon_target": budget.epsilon, "num_steps": steps} | published


def _show(found: dict[str, Any]) -> None:
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    labels = {
        "pld": "by PLD (what a statement claims)",
        "rdp": "by RDP (looser, independent)",
        "fixed_pair": "one fixed pair (no accountant can go below)",
        "replaced": "of one replaced by another, by PLD",
    }
    is_table = isinstance(found.get("epsilon_target"), list)
    if is_table:
        console.print(_table_of_steps(found), "")
    for name in () if is_table else ("epsilon", "noise_multiplier", "num_steps"):
        value = found.get(name)
        if isinstance(value, dict):
            for accountant, figure in value.items():
                table.add_row(f"{name} {labels[accountant]}", _shown(name, accountant, figure))
        elif value is not None:
            table.add_row(name, f"{value:.6g}")
    if "mu" in found:
        table.add_row("mu of Gaussian DP (from this delta up)", f"{math.ceil(found['mu'] * 1e4) / 1e4:.4f}")
    for name in (*_SETTINGS, "delta", "unit", "adjacency"):
        if name in found and not isinstance(found[name], list):
            table.add_row(name, str(found[name]))
    console.print(table)
    if "published_epsilon" in found:
        console.print(
            f"\npublished formula: epsilon {found['published_epsilon']:.3f}. {found['published_epsilon_caveat']}"
        )


def _shown(name: str, accountant: str, figure: float) -> str:
    """A computed figure; what a statement would claim is never rounded to the side that promises more."""
    match name, accountant:
        case _ if not math.isfinite(figure):
            return f"{figure}"
        case "epsilon", "fixed_pair":  # what no accountant can go below
            return f"{math.floor(figure * 1000) / 1000:.3f}"
        case "epsilon", _:
            return shown_epsilon(figure)
        case "noise_multiplier", "pld" | "rdp":
            unit = 10.0 ** (math.floor(math.log10(figure)) - 5)
            return f"{math.ceil(figure / unit) * unit:.6g}"
        case _:
            return f"{figure:.6g}"


def _table_of_steps(found: dict[str, Any]) -> Table:
    table = Table("noise multiplier", box=None, pad_edge=False, title="steps allowed", title_justify="left")
    for epsilon in found["epsilon_target"]:
        table.add_column(f"epsilon {epsilon:g}", justify="right")
    for noise, steps in zip(found["noise_multiplier"], found["num_steps"]["pld"], strict=True):
        table.add_row(f"{noise:g}", *map(str, steps))
    return table
