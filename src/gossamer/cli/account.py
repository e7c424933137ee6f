"""`gossamer account`: epsilon from settings, or noise from a budget; touches no data."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import Numbers, accountable, check_accountable, choose, read_arguments
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
from gossamer.privacy.events import one_of_many_event
from gossamer.privacy.published import PUBLISHED_CAVEAT, published_gs_wgan_epsilon


@dataclass(frozen=True, kw_only=True)
class AccountGSWGAN:
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
    delta: float = 1e-5
    noise_multiplier: Numbers = ()
    num_steps: int | None = None
    epsilon: Numbers = ()
    num_slots: int | None = None
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Account for a method's settings."""
    _, rest = choose(arguments, ("gs-wgan",), program="account", what="method")
    asked = read_arguments(AccountGSWGAN, rest, program="account gs-wgan")
    for noise, epsilon in itertools.product(asked.noise_multiplier or (None,), asked.epsilon or (None,)):
        check_accountable(
            num_critics=asked.num_critics,
            answers=(asked.num_steps or 1) * asked.batch_size,
            noise_multiplier=noise,
            epsilon=epsilon,
        )
    if asked.num_slots is not None:
        check_delta(asked.delta, asked.num_slots)
    with accountable():
        found = _account(asked)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return 0


def _account(asked: AccountGSWGAN) -> dict[str, Any]:
    event = functools.partial(
        one_of_many_event,
        num_critics=asked.num_critics,
        batch_size=asked.batch_size,
        draws_per_step=_draws(asked),
    )
    match asked:
        case AccountGSWGAN(epsilon=(), noise_multiplier=(noise,), num_steps=int(steps)):
            found = _epsilon(asked, event(noise_multiplier=noise, num_steps=steps), noise, steps)
        case AccountGSWGAN(epsilon=(epsilon,), noise_multiplier=(), num_steps=int(steps)):
            found = _noise(asked, PrivacyBudget(epsilon=epsilon, delta=asked.delta), event, steps)
        case AccountGSWGAN(epsilon=(epsilon,), noise_multiplier=(noise,), num_steps=None):
            [[steps]] = _steps_allowed(asked, event)
            found = {"num_steps": {"pld": steps}, "epsilon_target": epsilon, "noise_multiplier": noise}
        case AccountGSWGAN(epsilon=(_, *_), noise_multiplier=(_, *_), num_steps=None):
            given = {"epsilon_target": list(asked.epsilon), "noise_multiplier": list(asked.noise_multiplier)}
            found = {"num_steps": {"pld": _steps_allowed(asked, event)}} | given
        case AccountGSWGAN(epsilon=(_, _, *_)) | AccountGSWGAN(noise_multiplier=(_, _, *_)):
            raise InputError("several values are for --epsilon together with --noise-multiplier, without --num-steps")
        case _:
            raise InputError("give exactly two of --epsilon, --noise-multiplier and --num-steps")
    settings = dataclasses.asdict(asked)
    public = {name: settings[name] for name in ("num_critics", "batch_size", "delta")}
    draws = {"draws_per_step": _draws(asked)}
    terms = {"adjacency": Adjacency.SLOT.value, "unit": Unit.RECORD.value}
    return found | public | draws | terms


def _draws(asked: AccountGSWGAN) -> int:
    return asked.batch_size if asked.draws_per_step is None else asked.draws_per_step


def _steps_allowed(asked: AccountGSWGAN, event: Any) -> list[list[int]]:
    """A row for each noise multiplier, with a number of steps for each epsilon; 0 where not one step is within it."""
    budgets = [PrivacyBudget(epsilon=epsilon, delta=asked.delta) for epsilon in asked.epsilon]
    of_noise = (functools.partial(_event_of_steps, event, noise) for noise in asked.noise_multiplier)
    return [[num_steps_for_budget(of_steps, budget) for budget in budgets] for of_steps in of_noise]


def _event_of_steps(event: Any, noise_multiplier: float, num_steps: int) -> Any:
    return event(noise_multiplier=noise_multiplier, num_steps=num_steps)


def _epsilon(asked: AccountGSWGAN, event: Any, noise: float, steps: int) -> dict[str, Any]:
    published = _published(asked, noise, steps)
    return {
        "epsilon": {
            "pld": epsilon_by_pld(event, asked.delta).epsilon,
            "rdp": epsilon_by_rdp(event, asked.delta).epsilon,
            "fixed_pair": fixed_pair_epsilon(event, asked.delta).epsilon,
        },
        "noise_multiplier": noise,
        "num_steps": steps,
    } | published


def _noise(asked: AccountGSWGAN, budget: PrivacyBudget, event: Any, steps: int) -> dict[str, Any]:
    with_noise = functools.partial(event, num_steps=steps)

    def of_noise(noise: float) -> Any:
        return with_noise(noise_multiplier=noise)

    pld = calibrate_noise_multiplier(of_noise, budget)
    return {
        "noise_multiplier": {
            "pld": pld.noise_multiplier,
            "rdp": calibrate_noise_multiplier_by_rdp(of_noise, budget).noise_multiplier,
            "fixed_pair": calibrate_noise_multiplier_by_fixed_pair(of_noise, budget).noise_multiplier,
        },
        "epsilon_target": budget.epsilon,
        "num_steps": steps,
    } | _published(asked, pld.noise_multiplier, steps)


def _published(asked: AccountGSWGAN, noise: float, steps: int) -> dict[str, Any]:
    published = published_gs_wgan_epsilon(
        num_critics=asked.num_critics,
        noise_multiplier=noise,
        num_steps=steps,
        batch_size=asked.batch_size,
        delta=asked.delta,
    )
    return {"published_epsilon": published, "published_epsilon_caveat": PUBLISHED_CAVEAT}


def _show(found: dict[str, Any]) -> None:
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    labels = {
        "pld": "by PLD (what a statement claims)",
        "rdp": "by RDP (looser, independent)",
        "fixed_pair": "one fixed pair (no accountant can go below)",
    }
    is_table = isinstance(found.get("epsilon_target"), list)
    if is_table:
        console.print(_table_of_steps(found), "")
    for name in () if is_table else ("epsilon", "noise_multiplier", "num_steps"):
        value = found.get(name)
        if isinstance(value, dict):
            for accountant, figure in value.items():
                table.add_row(f"{name} {labels[accountant]}", f"{figure:.6g}")
        elif value is not None:
            table.add_row(name, f"{value:.6g}")
    for name in ("epsilon_target", "num_critics", "batch_size", "draws_per_step", "delta", "unit", "adjacency"):
        if name in found and not isinstance(found[name], list):
            table.add_row(name, str(found[name]))
    console.print(table)
    if "published_epsilon" in found:
        console.print(
            f"\npublished formula: epsilon {found['published_epsilon']:.3f}. {found['published_epsilon_caveat']}"
        )


def _table_of_steps(found: dict[str, Any]) -> Table:
    table = Table("noise multiplier", box=None, pad_edge=False, title="steps allowed", title_justify="left")
    for epsilon in found["epsilon_target"]:
        table.add_column(f"epsilon {epsilon:g}", justify="right")
    for noise, steps in zip(found["noise_multiplier"], found["num_steps"]["pld"], strict=True):
        table.add_row(f"{noise:g}", *map(str, steps))
    return table
